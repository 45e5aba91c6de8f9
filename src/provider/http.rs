//! One POST to a model's server, and its answer as a stream of event data.
//!
//! Invariants: nothing is retried here; redirects are not followed, because they would carry the
//! key to another host; what a server can make us hold in memory is bounded.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use eventsource_stream::{EventStream, EventStreamError};
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt, TryStreamExt};
use hygiene::Redactor;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Response, Url};
use secrecy::{ExposeSecret, SecretString};

use super::error_body::ErrorBody;
use super::failure::ProviderError;
use super::rate_headers::{rate_left, retry_after};
use super::redirect;
use super::scrub::Scrubber;
use crate::model::failure::chain;
use crate::model::rate_left::RateLeft;

/// A server that cannot be connected to in this time is not there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest wait for the body of a refusal; the status alone says enough.
const ERROR_BODY_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest body of a refusal that is read.
const ERROR_BODY_BYTES: usize = 64 * 1024;
/// Longest line of an event stream, and longest answer that is not streamed: eight times the
/// longest answer kept, since JSON escapes grow text up to six times.
const LINE_BYTES: usize = 1024 * 1024;
/// Longest event stream: an answer of 128 KiB in pieces of one word, each in 400 bytes of JSON,
/// with as much again of reasoning that is not shown.
const STREAM_BYTES: usize = 64 * 1024 * 1024;
/// Most bytes of a stream before its next event: comments and blank lines. A sign of life each second makes
/// some ten kilobytes an hour.
const IDLE_BYTES: usize = 2 * LINE_BYTES;

/// One frame after the other; ends where the server ended.
pub(super) type Frames = BoxStream<'static, Result<Frame, ProviderError>>;

/// A piece of what a server sends.
pub(super) enum Frame {
    /// Bytes that say nothing yet: headers, comments, blank lines, the beginning of an event.
    Alive,
    /// What the headers say that the server still takes.
    RateLeft(RateLeft),
    /// The data of one event of a stream.
    Data(String),
    /// A JSON value of a server that does not stream; nothing follows.
    Whole(String),
}

/// A refusal with its raw body, for callers that can do without what the server did not like.
pub(super) struct Refused {
    pub error: ProviderError,
    /// Not for logs.
    pub body: String,
}

impl From<ProviderError> for Refused {
    fn from(error: ProviderError) -> Self {
        Self { error, body: String::new() }
    }
}

/// A client that is silent for at most `read_timeout` between two bytes.
pub(super) fn client(read_timeout: Duration) -> Result<reqwest::Client, ProviderError> {
    reqwest::Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(read_timeout)
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("katana-bot/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|_| ProviderError::Unusable {
            setting: "the http client",
            problem: "it could not be built; are the CA certificates installed?",
        })
}

/// The address of a server, checked. It may hold credentials, so it is never printed.
pub(super) fn base(text: &str) -> Result<Url, ProviderError> {
    let wrong = |problem| ProviderError::Unusable { setting: "the base url", problem };
    let url = Url::parse(text.trim()).map_err(|_| wrong("it is not a url"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(wrong("it must begin with http:// or https:// and name a host"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("it must not hold ? or #"));
    }
    Ok(url)
}

/// Whether an address is this machine's or its network's: a loopback or private one, or a name
/// that only means something there.
pub(super) fn is_near(url: &Url) -> bool {
    is_near_host(url.host_str().unwrap_or_default())
}

/// [`is_near`] of a host alone.
pub(super) fn is_near_host(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']);
    match host.parse::<std::net::IpAddr>() {
        Ok(std::net::IpAddr::V4(ip)) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        Ok(std::net::IpAddr::V6(ip)) => ip.is_loopback() || ip.is_unique_local(),
        Err(_) => {
            let endings = [".localhost", ".local", ".internal", ".lan", ".home.arpa"];
            !host.contains('.') || endings.iter().any(|ending| host.ends_with(ending))
        }
    }
}

/// Headers of every request.
pub(super) fn headers() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream, application/json"));
    headers
}

/// A key without the newline that files end with; an empty one counts as absent.
pub(super) fn present(key: Option<&SecretString>) -> Option<&str> {
    key.map(|key| key.expose_secret().trim()).filter(|key| !key.is_empty())
}

/// A header that no `{:?}` shows.
pub(super) fn secret_header(value: &str) -> Result<HeaderValue, ProviderError> {
    let mut header = HeaderValue::from_str(value).map_err(|_| ProviderError::Unusable {
        setting: "the api key",
        problem: "it has characters that no key may have",
    })?;
    header.set_sensitive(true);
    Ok(header)
}

/// Knows what must not be shown: the key, and the password in the base url.
pub(super) fn redactor(key: Option<&SecretString>, url: &Url) -> Redactor {
    Redactor::new(key.map(ExposeSecret::expose_secret).into_iter().chain(url.password()))
}

/// Sends `body` and returns what comes back, or why nothing usable does.
pub(super) async fn post(
    http: &reqwest::Client,
    url: Url,
    headers: HeaderMap,
    body: Vec<u8>,
    scrubber: &Scrubber,
) -> Result<Frames, Refused> {
    let sent = http.post(url.clone()).headers(headers).body(body).send().await;
    let response = sent.map_err(|error| not_answered(error, scrubber))?;
    if response.status().is_success() {
        let left = rate_left(response.headers()).map(Frame::RateLeft);
        return Ok(stream::iter(left.map(Ok)).chain(frames(response)).boxed());
    }
    let status = response.status().as_u16();
    if let Some(error) = redirect::refused(&url, &response, scrubber) {
        return Err(error.into());
    }
    let wait = retry_after(response.headers());
    let body = bounded_text(response).await;
    let error = ErrorBody::of_body(&body).refused(status, wait, scrubber);
    Err(Refused { error, body })
}

/// Asks for a JSON value; `None` where the server has none at this address.
pub(super) async fn get(
    http: &reqwest::Client,
    url: Url,
    headers: HeaderMap,
    scrubber: &Scrubber,
) -> Result<Option<serde_json::Value>, ProviderError> {
    let sent = http.get(url.clone()).headers(headers).send().await;
    let response = sent.map_err(|error| not_answered(error, scrubber))?;
    if let Some(error) = redirect::refused(&url, &response, scrubber) {
        return Err(error);
    }
    let status = response.status();
    if status.is_success() {
        let chunks = response.bytes_stream().map_err(|error| broken(&error)).boxed();
        return Ok(serde_json::from_str(&whole(Vec::new(), chunks, LINE_BYTES).await?).ok());
    }
    match status.as_u16() {
        404 | 405 | 501 => Ok(None),
        status => {
            let wait = retry_after(response.headers());
            let body = bounded_text(response).await;
            Err(ErrorBody::of_body(&body).refused(status, wait, scrubber))
        }
    }
}

/// Why a request has no answer.
pub(super) fn not_answered(error: reqwest::Error, scrubber: &Scrubber) -> ProviderError {
    if error.is_connect() {
        let detail = scrubber.clean(&chain(&error.without_url()));
        ProviderError::Unreachable { detail }
    } else if error.is_timeout() {
        ProviderError::Timeout
    } else {
        ProviderError::Cut
    }
}

/// Why an answer ends before its end.
pub(super) fn broken(error: &reqwest::Error) -> ProviderError {
    if error.is_timeout() { ProviderError::Timeout } else { ProviderError::Cut }
}

/// What a server sends with 200. Every byte is a sign of life, also those that the parser swallows:
/// gateways send comments or blank lines while a model thinks.
fn frames(response: Response) -> Frames {
    let arrived = Arc::new(AtomicBool::new(true));
    let noted = Arc::clone(&arrived);
    let chunks = response
        .bytes_stream()
        .map_err(|error| broken(&error))
        .inspect(move |_| noted.store(true, Ordering::Relaxed))
        .boxed();
    let mut frames = stream::once(sniffed(chunks)).try_flatten().boxed();
    stream::poll_fn(move |context| match frames.poll_next_unpin(context) {
        Poll::Pending if arrived.swap(false, Ordering::Relaxed) => {
            Poll::Ready(Some(Ok(Frame::Alive)))
        }
        polled => polled,
    })
    .boxed()
}

/// Reads an event stream, or one JSON value where a server does not stream. The first byte
/// distinguishes them better than the content type, which proxies get wrong.
async fn sniffed(mut chunks: Chunks) -> Result<Frames, ProviderError> {
    let mut head: Vec<u8> = Vec::new();
    let first = loop {
        let chunk = chunks.next().await.ok_or(ProviderError::Cut)??;
        head.extend_from_slice(&chunk);
        // eventsource-stream panics on a byte order mark, so it goes here.
        if head.starts_with(&[0xef, 0xbb, 0xbf]) {
            head.drain(..3);
        }
        let blank = head.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        head.drain(..blank);
        match head.first() {
            Some(0xef) if head.len() < 3 => {}
            Some(first) => break *first,
            None => {}
        }
    };
    match first {
        b'{' | b'[' => {
            Ok(stream::iter([Ok(Frame::Whole(whole(head, chunks, LINE_BYTES).await?))]).boxed())
        }
        b'<' => Err(ProviderError::Garbage { what: "an html page" }),
        // Lines of an event stream begin with data, event, id, retry or a colon.
        b'd' | b'e' | b'i' | b'r' | b':' => Ok(event_data(head.into(), chunks)),
        _ => Err(ProviderError::Garbage { what: "neither json nor an event stream" }),
    }
}

/// What the event parser is given at once.
const PIECE_BYTES: usize = 512;

type Chunks = BoxStream<'static, Result<Bytes, ProviderError>>;

/// A body of at most so many bytes.
pub(super) async fn whole(
    mut body: Vec<u8>,
    mut chunks: Chunks,
    limit: usize,
) -> Result<String, ProviderError> {
    while let Some(chunk) = chunks.next().await {
        body.extend_from_slice(&chunk?);
        if body.len() > limit {
            return Err(ProviderError::Garbage { what: "a body without end" });
        }
    }
    String::from_utf8(body).map_err(|_| ProviderError::Garbage { what: "bytes that are not text" })
}

fn event_data(head: Bytes, chunks: Chunks) -> Frames {
    // Servers forget the blank line after the last event, and it would be dropped.
    let end = stream::iter([Ok(Bytes::from_static(b"\n\n"))]);
    let small = stream::iter([Ok(head)]).chain(chunks).flat_map(pieces);
    // Events come from the parser one poll after the other, so this is a number and no lock.
    let idle = Arc::new(AtomicUsize::new(0));
    let heard = Arc::clone(&idle);
    let bounded =
        small.chain(end).scan((0, 0), move |(line, total), chunk: Result<Bytes, ProviderError>| {
            let checked = chunk.and_then(|chunk| {
                *total += chunk.len();
                let idle = idle.fetch_add(chunk.len(), Ordering::Relaxed) + chunk.len();
                *line = match chunk.iter().rposition(|byte| matches!(byte, b'\n' | b'\r')) {
                    Some(at) => chunk.len() - at - 1,
                    None => *line + chunk.len(),
                };
                let endless = *line > LINE_BYTES || idle > IDLE_BYTES || *total > STREAM_BYTES;
                let garbage = ProviderError::Garbage { what: "a stream without end" };
                if endless { Err(garbage) } else { Ok(chunk) }
            });
            std::future::ready(Some(checked))
        });
    EventStream::new(bounded.boxed())
        .map(move |event| match event {
            Ok(event) => {
                heard.store(0, Ordering::Relaxed);
                Ok(Frame::Data(data(event)))
            }
            Err(EventStreamError::Transport(error)) => Err(error),
            Err(EventStreamError::Utf8(_) | EventStreamError::Parser(_)) => {
                Err(ProviderError::Garbage { what: "bytes that are not an event stream" })
            }
        })
        .boxed()
}

/// The data of an event. Some servers name an error only beside it.
fn data(event: eventsource_stream::Event) -> String {
    let is_json = event.data.trim_start().starts_with(['{', '[']);
    match event.event.as_str() {
        "error" if !is_json => serde_json::json!({ "error": event.data }).to_string(),
        _ => event.data,
    }
}

/// A chunk in small pieces: eventsource-stream moves its whole buffer for every line in it, so that
/// one large chunk of empty lines would hold the thread for seconds.
fn pieces(
    chunk: Result<Bytes, ProviderError>,
) -> impl futures_util::Stream<Item = Result<Bytes, ProviderError>> {
    let pieces: Vec<_> = match chunk {
        Err(error) => vec![Err(error)],
        Ok(bytes) => (0..bytes.len())
            .step_by(PIECE_BYTES)
            .map(|at| Ok(bytes.slice(at..bytes.len().min(at + PIECE_BYTES))))
            .collect(),
    };
    stream::iter(pieces)
}

/// The body of a refusal as far as it comes in time; half of it is better than none.
pub(super) async fn bounded_text(response: Response) -> String {
    let mut body = Vec::new();
    let stream = async {
        let mut chunks = response.bytes_stream();
        while let Some(Ok(chunk)) = chunks.next().await {
            body.extend_from_slice(&chunk);
            if body.len() > ERROR_BODY_BYTES {
                break;
            }
        }
    };
    // An error here means that the time is over, and what was read stays read.
    let _ = tokio::time::timeout(ERROR_BODY_TIMEOUT, stream).await;
    body.truncate(ERROR_BODY_BYTES);
    String::from_utf8_lossy(&body).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_ones_own_are_known() {
        for (url, near) in [
            ("http://localhost:11434/v1", true),
            ("http://127.0.0.1:8080/v1", true),
            ("http://[::1]:8080/v1", true),
            ("http://192.168.1.7:8000/v1", true),
            ("http://ollama:11434/v1", true),
            ("http://gpu.lan/v1", true),
            ("https://api.openai.com/v1", false),
            ("https://8.8.8.8/v1", false),
        ] {
            assert_eq!(is_near(&Url::parse(url).unwrap()), near, "{url}");
        }
    }

    #[test]
    fn a_base_url_must_be_one() {
        for wrong in ["", "localhost:11434/v1", "ftp://x/", "https://x/?key=1", "http://"] {
            assert!(base(wrong).is_err(), "{wrong}");
        }
        assert!(base(" http://localhost:11434/v1\n").is_ok());
    }
}
