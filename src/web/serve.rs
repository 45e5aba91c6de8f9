//! Connections: how many, how long, and how much of each.
//!
//! All connections live in one task, so nothing outlives [`serve`]. A connection carries one
//! request: probes come a few times a minute, and the bound on a connection is then the bound on a
//! request, whatever the other side does or does not send or read.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use hyper::Request;
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::model::limits;
use crate::observe::repeats::Repeats;

/// Bytes of a request's first line and headers together. Ours have a few hundred.
const HEADER_BYTES: usize = 8 * 1024;

/// Bytes kept of one connection at a time.
const BUFFER_BYTES: usize = 16 * 1024;

/// Accepts and answers until `end`, then waits shortly for what is under way. One client has at most
/// `per_client` connections; 0 stands for any number.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    per_client: usize,
    end: CancellationToken,
) {
    let mut connections = Connections { per_client, ..Connections::default() };
    let (mut not_before, mut repeats) = (Instant::now(), Repeats::default());
    while !end.is_cancelled() {
        tokio::select! {
            () = end.cancelled() => {}
            // Further connections wait in the kernel's queue, in order.
            accepted = accept(&listener, not_before), if connections.has_room() => {
                match accepted {
                    Ok((stream, peer)) => connections.admit(stream, peer.ip(), &router),
                    Err(e) => {
                        if repeats.is_news_after("accept", limits::QUIET) {
                            tracing::warn!(error = %e, "cannot accept HTTP connections: {e}");
                        }
                        not_before = Instant::now() + limits::WEB_ACCEPT_PAUSE;
                    }
                }
            }
            Some(number) = connections.answers.next(), if !connections.answers.is_empty() => {
                connections.open.remove(&number);
            }
        }
    }
    drop(listener);
    let rest = async { while connections.answers.next().await.is_some() {} };
    // A client that sends half a request would hold the stop for as long as it likes.
    let _ = tokio::time::timeout(limits::WEB_END_GRACE, rest).await;
}

/// The open connections. When there are too many, those that have asked nothing make room, the oldest
/// first, so that a client that only holds connections keeps no probe out.
#[derive(Default)]
struct Connections {
    per_client: usize,
    /// How many there were.
    count: u64,
    open: BTreeMap<u64, Open>,
    answers: FuturesUnordered<BoxFuture<'static, u64>>,
}

struct Open {
    client: IpAddr,
    /// Whether a whole request has come, without a body: none of ours needs one.
    has_asked: Arc<AtomicBool>,
    cut: CancellationToken,
}

impl Open {
    fn is_idle(&self) -> bool {
        !self.has_asked.load(Ordering::Relaxed)
    }
}

impl Connections {
    fn has_room(&self) -> bool {
        self.open.len() < limits::WEB_CONNECTIONS || self.open.values().any(Open::is_idle)
    }

    fn admit(&mut self, stream: TcpStream, client: IpAddr, router: &Router) {
        let of_client = self.open.values().filter(|open| open.client == client).count();
        if self.per_client > 0 && of_client >= self.per_client {
            tracing::debug!("an HTTP connection was refused: {client} has too many");
            return;
        }
        if self.open.len() >= limits::WEB_CONNECTIONS
            && let Some(oldest) = self.open.iter().find(|(_, open)| open.is_idle())
        {
            let number = *oldest.0;
            if let Some(idle) = self.open.remove(&number) {
                idle.cut.cancel();
            }
        }
        let number = self.count;
        self.count += 1;
        let open = Open { client, has_asked: Arc::default(), cut: CancellationToken::new() };
        let (router, has_asked) = (router.clone(), Arc::clone(&open.has_asked));
        let cut = open.cut.clone();
        self.open.insert(number, open);
        let answered = async move {
            tokio::select! {
                () = cut.cancelled() => tracing::debug!("an idle HTTP connection made room"),
                () = answer(stream, router, has_asked) => {}
            }
            number
        };
        self.answers.push(answered.boxed());
    }
}

/// One connection, from its first byte to its last. Shutdown does not cut it short: a client that
/// was accepted is answered, also when the request itself comes only after the end.
async fn answer(stream: TcpStream, router: Router, has_asked: Arc<AtomicBool>) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(limits::WEB_HEADER_TIMEOUT)
        .max_header_size(HEADER_BYTES)
        .max_buf_size(BUFFER_BYTES)
        .keep_alive(false);
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |request: Request<Incoming>| {
        // One that announces a body may never send it; it is answered, but makes room like an idle one.
        has_asked.store(request.body().is_end_stream(), Ordering::Relaxed);
        router.call(request)
    });
    let connection = http.serve_connection(TokioIo::new(stream), service);
    let bounded = tokio::time::timeout(limits::WEB_REQUEST_TIMEOUT, connection);
    match AssertUnwindSafe(bounded).catch_unwind().await {
        Ok(Ok(Ok(()))) => {}
        Ok(Ok(Err(e))) => tracing::debug!(error = %e, "an HTTP connection ended early"),
        Ok(Err(_)) => tracing::debug!("an HTTP connection was cut: it took too long"),
        // Only this connection is lost: a client must not be able to stop the bot.
        Err(_) => tracing::error!("answering an HTTP request panicked"),
    }
}

/// The next connection, not before a pause is over.
async fn accept(
    listener: &TcpListener,
    not_before: Instant,
) -> std::io::Result<(TcpStream, SocketAddr)> {
    tokio::time::sleep_until(not_before).await;
    listener.accept().await
}
