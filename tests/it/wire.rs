//! A line between the bot and a server that can fail the way real networks do.
//!
//! A connection that was severed stays silent for ever, without FIN or RST, in both directions and
//! also after the line works again: as behind a router that lost its table.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, copy_bidirectional, sink};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Mutex, watch};
use tokio::task::JoinSet;

/// What happens to connections that are opened now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// They reach the server.
    Open,
    /// They reach the server so much later.
    Slow(Duration),
    /// They are accepted, and nothing is ever answered.
    Swallows,
    /// The server does not accept and the backlog is full: SYNs get no answer.
    Deaf,
    /// No server listens: refused.
    Closed,
}

#[derive(Clone, Copy, Debug)]
struct State {
    line: Line,
    /// Connections that were opened in another epoch are severed.
    epoch: u64,
}

/// The line; it ends when dropped.
pub struct Wire {
    address: SocketAddr,
    state: watch::Sender<State>,
    /// Those that fill the backlog of a deaf listener.
    fillers: Mutex<Vec<TcpStream>>,
    _pump: JoinSet<()>,
}

/// Few wait to be accepted, so that the backlog is filled quickly.
const BACKLOG: u32 = 8;

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

impl Wire {
    /// A working line to the server behind this URL.
    pub async fn to(url: &str) -> Self {
        let server: SocketAddr = url
            .trim_start_matches("http://")
            .split('/')
            .next()
            .and_then(|host| host.parse().ok())
            .expect("an address");
        let listener = listen(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a free port");
        let address = listener.local_addr().expect("an address");
        let state = watch::Sender::new(State { line: Line::Open, epoch: 0 });
        let mut pump = JoinSet::new();
        pump.spawn(accept(listener, address, server, state.clone()));
        Self { address, state, fillers: Mutex::default(), _pump: pump }
    }

    /// Its base URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Connections opened from now on meet this.
    pub async fn set(&self, line: Line) {
        let mut fillers = self.fillers.lock().await;
        fillers.clear();
        self.state.send_modify(|state| state.line = line);
        if line != Line::Deaf {
            return;
        }
        loop {
            // A SYN without an answer shows that the backlog is full.
            let fill = TcpStream::connect(self.address);
            match tokio::time::timeout(Duration::from_millis(300), fill).await {
                Ok(filler) => fillers.push(filler.expect("the server listens")),
                Err(_) => break,
            }
            assert!(fillers.len() < 100, "the backlog is never full");
        }
    }

    /// Every connection that is open now is silent from now on, for ever.
    pub fn sever(&self) {
        self.state.send_modify(|state| state.epoch += 1);
    }

    /// Both: what a network that goes away does.
    pub async fn fail(&self, line: Line) {
        self.sever();
        self.set(line).await;
    }
}

async fn accept(
    listener: TcpListener,
    address: SocketAddr,
    server: SocketAddr,
    state: watch::Sender<State>,
) {
    let mut listener = Some(listener);
    let mut connections = JoinSet::new();
    let mut changes = state.subscribe();
    loop {
        let line = changes.borrow_and_update().line;
        if line == Line::Closed {
            listener = None;
        } else if listener.is_none() {
            listener = Some(listen(address).expect("the port is still free"));
        }
        let accepting = listener.as_ref().filter(|_| line != Line::Deaf);
        let client = tokio::select! {
            client = next(accepting) => client,
            changed = changes.changed() => {
                if changed.is_err() {
                    return;
                }
                continue;
            }
        };
        let state = state.subscribe();
        connections.spawn(async move { connection(client, server, state).await });
        while connections.try_join_next().is_some() {}
    }
}

async fn next(listener: Option<&TcpListener>) -> TcpStream {
    match listener {
        Some(listener) => listener.accept().await.expect("a connection").0,
        None => std::future::pending().await,
    }
}

async fn connection(mut client: TcpStream, server: SocketAddr, mut state: watch::Receiver<State>) {
    let born = *state.borrow();
    if born.line == Line::Swallows {
        return swallow(&mut client).await;
    }
    if let Line::Slow(by) = born.line {
        tokio::time::sleep(by).await;
    }
    let Ok(mut upstream) = TcpStream::connect(server).await else { return };
    let severed = tokio::select! {
        _ = copy_bidirectional(&mut client, &mut upstream) => false,
        severed = state.wait_for(|now| now.epoch != born.epoch) => severed.is_ok(),
    };
    if severed {
        // The server hears nothing of the end either, as long as the line exists.
        tokio::join!(swallow(&mut client), swallow(&mut upstream));
        std::future::pending::<()>().await;
    }
}

async fn swallow(from: &mut (impl AsyncRead + Unpin)) {
    let mut all = from.take(u64::MAX);
    let _ = tokio::io::copy(&mut all, &mut sink()).await;
}
