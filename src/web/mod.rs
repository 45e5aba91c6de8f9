//! Showing: a small HTTP endpoint for people, probes and Prometheus.
//!
//! | path | what | open to |
//! |---|---|---|
//! | `/` | what this is, for people or as JSON | loopback, or the admin token |
//! | `/health` | how it is, with each dependency | everybody, in short |
//! | `/live` | whether the process makes progress | everybody, in short |
//! | `/ready` | whether a question asked now would be answered | everybody, in short |
//! | `/metrics` | figures for Prometheus | loopback, or the admin token |
//! | `/bot/status` | everything that is known, as JSON | loopback, or the admin token |
//! | `POST /bot/restart` | a fresh intake and fresh connections | the admin token |
//!
//! Invariants: the endpoint repeats the last report and judges nothing but the report's age; every
//! connection carries one request and ends within a bounded time; the admin token is compared in
//! constant time; no answer holds a loaded secret.

mod accept;
mod admin;
mod answer;
mod guard;
mod health;
mod middleware;
mod page;
mod parts;
mod probes;
mod refuse;
mod routes;
mod serve;
mod state;
mod status;
#[cfg(test)]
mod tests;
mod view;

pub use parts::{About, Parts};
pub use refuse::refuse;

use std::net::{SocketAddr, TcpListener};

use tokio_util::sync::CancellationToken;

/// The endpoint, bound and not yet answering.
#[derive(Debug)]
pub struct Web {
    listener: tokio::net::TcpListener,
    address: SocketAddr,
}

/// Why the endpoint cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum WebError {
    /// Something else has the port.
    #[error("cannot listen on {address}: another program uses this port")]
    InUse {
        /// Where.
        address: SocketAddr,
    },
    /// The port needs a privilege, or a rule forbids it.
    #[error("cannot listen on {address}: it is not allowed")]
    Refused {
        /// Where.
        address: SocketAddr,
    },
    /// The machine has no such address.
    #[error("cannot listen on {address}: this machine has no such address")]
    NoSuchAddress {
        /// Where.
        address: SocketAddr,
    },
    /// Anything else.
    #[error("cannot listen for HTTP requests")]
    Other(#[source] std::io::Error),
}

impl WebError {
    /// What the operator can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::InUse { .. } => {
                "choose another port with web.listen (KATANA_WEB_LISTEN), such as 127.0.0.1:8081, or write off"
            }
            Self::Refused { .. } => {
                "choose a port above 1023 with web.listen (KATANA_WEB_LISTEN), or let systemd listen for it"
            }
            Self::NoSuchAddress { .. } => {
                "set web.listen (KATANA_WEB_LISTEN) to an address of this machine, such as 127.0.0.1:8080"
            }
            Self::Other(_) => "set web.listen (KATANA_WEB_LISTEN) to another address, or to off",
        }
    }

    fn of(address: SocketAddr, source: std::io::Error) -> Self {
        match source.kind() {
            std::io::ErrorKind::AddrInUse => Self::InUse { address },
            std::io::ErrorKind::PermissionDenied => Self::Refused { address },
            std::io::ErrorKind::AddrNotAvailable => Self::NoSuchAddress { address },
            _ => Self::Other(source),
        }
    }
}

impl Web {
    /// Listens on this address; port 0 takes any. Needs a tokio runtime around it.
    ///
    /// # Errors
    /// When the address cannot be had.
    pub fn bind(listen: SocketAddr) -> Result<Self, WebError> {
        let listener = TcpListener::bind(listen).map_err(|e| WebError::of(listen, e))?;
        Self::passed(listener)
    }

    /// Takes a socket that listens already, such as one passed by systemd.
    ///
    /// # Errors
    /// When it is not a listening socket.
    pub fn passed(listener: TcpListener) -> Result<Self, WebError> {
        listener.set_nonblocking(true).map_err(WebError::Other)?;
        let listener = tokio::net::TcpListener::from_std(listener).map_err(WebError::Other)?;
        let address = listener.local_addr().map_err(WebError::Other)?;
        Ok(Self { listener, address })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `end` is cancelled, and a moment longer for requests under way. `/ready` can
    /// say that the bot drains only while this runs, so `end` should come after the drain.
    pub async fn run(self, parts: Parts, end: CancellationToken) {
        let is_loopback = self.address.ip().to_canonical().is_loopback();
        let per_client = if is_loopback { 0 } else { parts.connections_per_client };
        let router = routes::router(parts, self.address);
        tracing::info!(address = %self.address, "answering HTTP requests");
        serve::serve(self.listener, router, per_client, end).await;
    }
}
