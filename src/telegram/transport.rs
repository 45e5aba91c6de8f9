//! HTTP/1.1 to the Bot API: few connections that are used again, and a bound on everything.
//!
//! Invariants: a failure says whether the request surely never left or may have taken effect; no answer
//! takes more memory than [`limits::API_ANSWER_BYTES`], and no file more than its caller allows.
//!
//! A connection has no task of its own: who waits for an answer drives it. So a call wakes no other
//! task, and one that is given up takes its connection with it.

mod connect;
mod pool;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::http::request::Parts;
use hyper::http::{HeaderValue, Method, Request, StatusCode, Uri, header};
use tokio::time::timeout;

use self::pool::{Lease, Pool, Unsent};
use crate::model::failure::chain;
use crate::model::limits;

pub(super) use self::connect::Target;

/// A server may close an idle connection just when a request is to be written to it.
const TRIES: usize = 3;

/// One kind of calls to one server. No `Debug`: its paths hold the token.
pub(super) struct Transport {
    pool: Pool,
    /// What is the same in every request, all but its address.
    head: Parts,
    /// What goes before the name of a method; it has the token.
    path: String,
    whole: Duration,
    /// Longest answer that is read, in bytes.
    most: usize,
}

/// An answer, whatever it says.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Bytes,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// The request surely never left.
    NotSent(String),
    /// It may have been received, and nothing came back in time.
    Late,
    /// It may have been received; the answer did not arrive whole.
    Cut(String),
}

impl Transport {
    /// `path`: what goes before each method's name. `idle`: connections kept for later. `whole`: the
    /// time for one call, with everything. Nothing is connected yet.
    pub(super) fn new(target: &Target, path: &str, idle: usize, whole: Duration) -> Self {
        let mut head = Request::<()>::default().into_parts().0;
        head.method = Method::POST;
        head.headers = target.headers.clone();
        head.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let agent = concat!("katana-bot/", env!("CARGO_PKG_VERSION"));
        head.headers.insert(header::USER_AGENT, HeaderValue::from_static(agent));
        let pool = Pool::new(Arc::clone(&target.open), idle);
        let (path, most) = (format!("{}{path}", target.prefix), limits::API_ANSWER_BYTES);
        Self { pool, head, path, whole, most }
    }

    /// Loads files instead: of `most` bytes at most.
    pub(super) fn of_files(target: &Target, path: &str, whole: Duration, most: usize) -> Self {
        let mut this = Self::new(target, path, 1, whole);
        this.head.method = Method::GET;
        this.head.headers.remove(header::CONTENT_TYPE);
        Self { most, ..this }
    }

    /// Calls a method; `params` is JSON, or empty.
    pub(super) async fn call(&self, method: &str, params: Bytes) -> Result<Answer, Failure> {
        let mut written = false;
        match timeout(self.whole, self.exchange(method, params, &mut written)).await {
            Ok(answer) => answer,
            Err(_) if written => Err(Failure::Late),
            Err(_) => Err(Failure::NotSent("no connection in time".to_owned())),
        }
    }

    /// `written`: set as soon as the server may receive the request.
    async fn exchange(
        &self,
        method: &str,
        params: Bytes,
        written: &mut bool,
    ) -> Result<Answer, Failure> {
        let mut line = self.pool.lease().await.map_err(Failure::NotSent)?;
        *written = true;
        let sent = {
            let sent = pin!(line.begin(self.request(method, params)?));
            line.drive(sent).await
        };
        match sent {
            Ok(response) => read(line, response.status(), response.into_body(), self.most).await,
            // Boxed, because nearly no call needs the room.
            Err(failed) => Box::pin(self.again(failed, written)).await,
        }
    }

    /// Sends a request once more that surely never left.
    async fn again(&self, mut failed: Unsent, written: &mut bool) -> Result<Answer, Failure> {
        let mut tries = 1;
        // Only what surely never left is given back.
        while let Some(request) = failed.take_message() {
            *written = false;
            if tries == TRIES {
                let why = "the server closes connections before they are used";
                return Err(Failure::NotSent(why.to_owned()));
            }
            tries += 1;
            let mut line = self.pool.lease().await.map_err(Failure::NotSent)?;
            *written = true;
            let sent = line.begin(request);
            match line.drive(pin!(sent)).await {
                Ok(response) => {
                    return read(line, response.status(), response.into_body(), self.most).await;
                }
                Err(again) => failed = again,
            }
        }
        Err(Failure::Cut(chain(failed.error())))
    }

    fn request(&self, method: &str, params: Bytes) -> Result<Request<Full<Bytes>>, Failure> {
        let mut head = self.head.clone();
        // Words of this program's own: an error of the address would hold the token.
        head.uri = Uri::try_from(format!("{}/{method}", self.path))
            .map_err(|_| Failure::NotSent("the request cannot be encoded".to_owned()))?;
        Ok(Request::from_parts(head, Full::new(params)))
    }
}

/// Reads an answer to its end, so that the next request can follow on the same connection.
async fn read(
    mut line: Lease<'_>,
    status: StatusCode,
    mut incoming: hyper::body::Incoming,
    most: usize,
) -> Result<Answer, Failure> {
    let mut whole = BytesMut::new();
    let mut first = Bytes::new();
    while let Some(frame) = line.drive(pin!(incoming.frame())).await {
        let frame = frame.map_err(|e| Failure::Cut(chain(&e)))?;
        let Ok(piece) = frame.into_data() else { continue };
        if first.len() + whole.len() + piece.len() > most {
            return Err(Failure::Cut("the answer is too long".to_owned()));
        }
        // Most answers come in one piece.
        if first.is_empty() && whole.is_empty() {
            first = piece;
        } else {
            whole.extend_from_slice(&std::mem::take(&mut first));
            whole.extend_from_slice(&piece);
        }
    }
    line.keep();
    let body = if whole.is_empty() { first } else { whole.freeze() };
    Ok(Answer { status: status.as_u16(), body })
}

#[cfg(test)]
mod tests;
