//! Small HTTP calls, and words for their errors that hold nothing of the address but scheme and host.
//!
//! Invariants: one call ends by its deadline, however slow the other side is; redirects are not
//! followed; what is read of an answer is bounded.

use std::io::Read;
use std::time::Instant;

use hygiene::url::Origin;
use ureq::http::{Request, Response};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body, Proxy};

use super::{ATTEMPT, Failure, attempt_end, quote};

/// How much of an answer is read, in bytes. Telegram repeats the message with its entities.
const ANSWER_BYTES: u64 = 64 * 1024;

/// A client for one call to `origin` that ends by `end`. Proxies are taken from the usual
/// variables (`HTTPS_PROXY`, `NO_PROXY`, …), never for this machine itself.
fn agent(origin: &Origin, end: Instant) -> Agent {
    let proxy = if origin.is_loopback() { None } else { Proxy::try_from_env() };
    if origin.tls || proxy.is_some() {
        // An error means that the process has one already, which serves as well.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    }
    let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
    Agent::config_builder()
        .timeout_global(Some(end.saturating_duration_since(Instant::now())))
        .proxy(proxy)
        .tls_config(tls)
        .http_status_as_error(false)
        .max_redirects(0)
        .max_response_header_size(16 * 1024)
        .user_agent(concat!("check-heartbeat/", env!("CARGO_PKG_VERSION")))
        .build()
        .new_agent()
}

/// Sends a request to `origin`, and returns the status and the beginning of the answer. It ends by `end`.
pub(super) fn call(
    request: Request<String>,
    origin: &Origin,
    end: Instant,
) -> Result<(u16, Vec<u8>), Failure> {
    agent(origin, end).run(request).map(answer).map_err(|error| explain(&error, origin))
}

/// The status of an answer, and the beginning of its body. A body that breaks off is kept as far as
/// it came: the status says already whether the call was accepted.
fn answer(response: Response<Body>) -> (u16, Vec<u8>) {
    let (status, mut body) = (response.status().as_u16(), Vec::new());
    let _ = response.into_body().into_reader().take(ANSWER_BYTES).read_to_end(&mut body);
    (status, body)
}

/// Fetches `url`, the dead-man switch: anyone who knows the address can fake a ping, so only its
/// scheme and host are shown. Any 2xx by `deadline`, and within 15 s, is a success; the body is not
/// read.
pub fn ping(url: &str, deadline: Instant) -> Result<(), Failure> {
    let hint = "write the whole address that the service shows, such as https://hc-ping.com/…";
    let origin = Origin::of(url)
        .map_err(|why| Failure::permanent(format!("cannot ping: ping_url {why}")).hint(hint))?;
    let end = attempt_end(ATTEMPT, deadline)?;
    let response = agent(&origin, end).get(url).call();
    let status = response.map_err(|error| explain(&error, &origin))?.status().as_u16();
    let message = format!("cannot ping {}: it answered {status}", origin.shown);
    let hint = match status {
        200..=299 => return Ok(()),
        408 | 429 | 500.. => return Err(Failure::transient(message)),
        300..=399 => "it redirects: write the final address into ping_url",
        _ => hint,
    };
    Err(Failure::permanent(message).hint(hint))
}

/// Asks `url`, and returns the status and the beginning of the answer. It ends by `deadline`, and within
/// 15 s.
pub fn fetch(url: &str, deadline: Instant) -> Result<(u16, Vec<u8>), Failure> {
    let origin = Origin::of(url).map_err(|why| Failure::permanent(format!("the address {why}")))?;
    let end = attempt_end(ATTEMPT, deadline)?;
    let response = agent(&origin, end).get(url).call();
    response.map(answer).map_err(|error| explain(&error, &origin))
}

/// Why a call had no answer. Never the text of ureq's own error: some repeat the address.
fn explain(error: &ureq::Error, origin: &Origin) -> Failure {
    let host = &origin.shown;
    match error {
        ureq::Error::Timeout(_) => Failure::transient(format!("no answer from {host} in time")),
        ureq::Error::HostNotFound => not_found(host),
        ureq::Error::Io(error) => io_failure(error, host),
        ureq::Error::Rustls(error) => tls_failure(error, host),
        ureq::Error::InvalidProxyUrl | ureq::Error::ConnectProxyFailed(_) => {
            Failure::transient(format!("cannot reach {host} through the proxy"))
                .hint("check HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY")
        }
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => {
            Failure::permanent(format!("cannot call {host}: the address is not valid"))
        }
        _ => Failure::transient(format!("cannot talk to {host}")),
    }
}

/// Why a connection to a server failed.
pub(super) fn io_failure(error: &std::io::Error, host: &str) -> Failure {
    match tls_error(error) {
        Some(tls) => tls_failure(tls, host),
        // The standard library has no kind of its own for a name that is not found.
        None if error.to_string().starts_with("failed to lookup address") => not_found(host),
        None => Failure::transient(format!("cannot reach {host}: {}", io_words(error)))
            .hint("check host and port, and that the server runs"),
    }
}

fn not_found(host: &str) -> Failure {
    Failure::transient(format!("cannot find the host of {host}"))
        .hint("check the name, and that this machine can resolve names")
}

/// The words of an input or output error. Only those of the system itself are repeated.
pub(super) fn io_words(error: &std::io::Error) -> String {
    match error.raw_os_error() {
        Some(code) => std::io::Error::from_raw_os_error(code).to_string(),
        None => error.kind().to_string(),
    }
}

/// The TLS error inside an input or output error.
pub(super) fn tls_error(error: &std::io::Error) -> Option<&rustls::Error> {
    let inner = error.get_ref()?;
    let direct = inner.downcast_ref::<rustls::Error>();
    direct.or_else(|| inner.source().and_then(|source| source.downcast_ref()))
}

/// Why TLS failed, and what may help.
fn tls_failure(error: &rustls::Error, host: &str) -> Failure {
    let (what, why, hint) = match error {
        rustls::Error::InvalidCertificate(_) => (
            "trust the certificate of",
            quote(&error.to_string()),
            "check the host name and this machine's clock; a private authority must be in the \
             system's store (update-ca-certificates), or for mail in ca_file",
        ),
        rustls::Error::InvalidMessage(_) => ("speak TLS with", "it answers without TLS".into(), ""),
        _ => ("speak TLS with", quote(&error.to_string()), ""),
    };
    Failure::transient(format!("cannot {what} {host}: {why}")).hint(hint)
}
