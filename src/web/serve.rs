//! Connections: how many, how long, and how much of each.
//!
//! All connections live in one task, so nothing outlives [`serve`]. A connection carries one
//! request: probes come a few times a minute, and the bound on a connection is then the bound on a
//! request, whatever the other side does or does not send or read.

use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;

use axum::Router;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::model::limits;

/// Bytes of a request's first line and headers together. Ours have a few hundred.
const HEADER_BYTES: usize = 8 * 1024;

/// Bytes kept of one connection at a time.
const BUFFER_BYTES: usize = 16 * 1024;

/// Accepts and answers until `end`, then waits shortly for what is under way.
pub(super) async fn serve(listener: TcpListener, router: Router, end: CancellationToken) {
    let mut open = FuturesUnordered::new();
    let mut not_before = Instant::now();
    while !end.is_cancelled() {
        tokio::select! {
            () = end.cancelled() => {}
            // Further connections wait in the kernel's queue, in order.
            accepted = accept(&listener, not_before), if open.len() < limits::WEB_CONNECTIONS => {
                match accepted {
                    Ok((stream, _)) => open.push(answer(stream, router.clone())),
                    Err(e) => {
                        tracing::warn!(error = %e, "cannot accept an HTTP connection");
                        not_before = Instant::now() + limits::WEB_ACCEPT_PAUSE;
                    }
                }
            }
            Some(()) = open.next(), if !open.is_empty() => {}
        }
    }
    drop(listener);
    let rest = async { while open.next().await.is_some() {} };
    // A client that sends half a request would hold the stop for as long as it likes.
    let _ = tokio::time::timeout(limits::WEB_END_GRACE, rest).await;
}

/// One connection, from its first byte to its last. Shutdown does not cut it short: a client that
/// was accepted is answered, also when the request itself comes only after the end.
async fn answer(stream: TcpStream, router: Router) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(limits::WEB_HEADER_TIMEOUT)
        .max_header_size(HEADER_BYTES)
        .max_buf_size(BUFFER_BYTES)
        .keep_alive(false);
    let connection = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
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
