//! Connections that are used again, as few as will do.
//!
//! Invariant: a connection is in use by one request at a time, or idle, or gone.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{self, Connection, SendRequest};
use hyper::{Request, Response};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout, timeout_at};

use super::connect::{Open, Stream};
use crate::model::failure::chain;

/// A connection that was idle for longer is not trusted: what stands between may have forgotten it.
const IDLE_LIFE: Duration = Duration::from_secs(30);

/// How long a request waits for a connection that is in use before it opens another one. To open one
/// takes longer, except on the same machine.
const PATIENCE: Duration = Duration::from_millis(10);

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The connections of one kind of calls.
pub(super) struct Pool {
    open: Open,
    lines: Mutex<Lines>,
    /// A connection is idle now, or one that was in use is gone.
    returned: Notify,
    keep: usize,
}

#[derive(Default)]
struct Lines {
    /// The one that was used last is at the end.
    idle: Vec<(Line, Instant)>,
    in_use: usize,
}

/// A connection.
struct Line {
    sender: SendRequest<Full<Bytes>>,
    driven: Driven,
}

/// The connection itself; gone as soon as it has ended, because what waits for it is woken only then.
struct Driven(Option<Pin<Box<Http>>>);

type Http = Connection<Stream, Full<Bytes>>;

/// A connection in use. When it is dropped without [`Lease::keep`], it is closed.
pub(super) struct Lease<'p> {
    line: Line,
    in_use: InUse<'p>,
}

/// Why a request has no answer; it is given back if it surely never left.
pub(super) type Unsent = TrySendError<Request<Full<Bytes>>>;

/// Counts a connection as in use while it lives.
struct InUse<'p>(&'p Pool);

impl Pool {
    /// At most `keep` connections are kept while they are idle.
    pub(super) fn new(open: Open, keep: usize) -> Self {
        Self { open, lines: Mutex::default(), returned: Notify::new(), keep }
    }

    /// A connection that was open a moment ago, or a new one.
    ///
    /// # Errors
    /// Why none could be opened, in words.
    pub(super) async fn lease(&self) -> Result<Lease<'_>, String> {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(mut lease) = self.idle() {
                // Ready at once, or it is of no use: the server has closed it meanwhile, say.
                if lease.ready().now_or_never() == Some(true) {
                    return Ok(lease);
                }
                continue;
            }
            let none_will_return = self.lines().in_use == 0;
            if none_will_return || timeout_at(until, self.returned.notified()).await.is_err() {
                break;
            }
        }
        // Boxed, because most calls find an open one.
        Box::pin(self.open()).await
    }

    async fn open(&self) -> Result<Lease<'_>, String> {
        let in_use = InUse::count(self, &mut self.lines());
        let connect = timeout(CONNECT_TIMEOUT, (self.open)());
        let connect = connect.await.map_err(|_| "connecting took too long")?;
        let stream = connect.map_err(|e| chain(&*e))?;
        let (sender, connection) = http1::handshake(stream).await.map_err(|e| chain(&e))?;
        let driven = Driven(Some(Box::pin(connection)));
        let mut lease = Lease { line: Line { sender, driven }, in_use };
        if lease.ready().await { Ok(lease) } else { Err("closed by the server at once".into()) }
    }

    fn idle(&self) -> Option<Lease<'_>> {
        let mut lines = self.lines();
        let (line, since) = lines.idle.pop()?;
        if since.elapsed() > IDLE_LIFE {
            // All others were idle for even longer.
            lines.idle.clear();
            return None;
        }
        let in_use = InUse::count(self, &mut lines);
        Some(Lease { line, in_use })
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lease<'_> {
    /// Gives a request to the connection. What is answered waits for the head of its answer, and has
    /// to be driven.
    pub(super) fn begin(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> impl Future<Output = Result<Response<Incoming>, Unsent>> + use<> {
        self.line.sender.try_send_request(request)
    }

    /// Waits for what comes over this connection.
    pub(super) async fn drive<T>(&mut self, work: Pin<&mut impl Future<Output = T>>) -> T {
        self.line.driven.drive(work).await
    }

    /// The connection can be used again: the last answer was read to its end.
    pub(super) fn keep(self) {
        let Self { line, in_use } = self;
        let mut lines = in_use.0.lines();
        // Those that were idle for too long are in front.
        let old = lines.idle.partition_point(|(_, since)| since.elapsed() > IDLE_LIFE);
        lines.idle.drain(..old);
        if line.driven.0.is_some() && lines.idle.len() < in_use.0.keep {
            lines.idle.push((line, Instant::now()));
        }
    }

    /// Whether it takes a request.
    async fn ready(&mut self) -> bool {
        let Line { sender, driven, .. } = &mut self.line;
        driven.drive(pin!(sender.ready())).await.is_ok()
    }
}

impl Driven {
    /// Waits for `work` and drives the connection that it depends on. Pinned by the caller, because an
    /// async function keeps what it is given twice.
    async fn drive<T>(&mut self, mut work: Pin<&mut impl Future<Output = T>>) -> T {
        poll_fn(|cx| {
            // How it ended is the outcome of the work, too.
            if self.0.as_mut().is_some_and(|connection| connection.as_mut().poll(cx).is_ready()) {
                self.0 = None;
            }
            work.as_mut().poll(cx)
        })
        .await
    }
}

impl<'p> InUse<'p> {
    fn count(pool: &'p Pool, lines: &mut Lines) -> Self {
        lines.in_use += 1;
        Self(pool)
    }
}

impl Drop for InUse<'_> {
    fn drop(&mut self) {
        self.0.lines().in_use -= 1;
        self.0.returned.notify_one();
    }
}
