//! A connection to a mail server that is bounded in time and in what it takes in.
//!
//! lettre's own connection has a limit for each read but none for the whole, and takes in a line of
//! any length. Here every call ends by one deadline, and a reply has a size.

use std::io::{self, BufRead, BufReader, Error, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

use lettre::transport::smtp::response::Response;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use hygiene::time_limit::within;

/// Longest reply, all its lines together, in bytes.
const REPLY_BYTES: usize = 16 * 1024;

trait Stream: Read + Write {}

impl<T: Read + Write> Stream for T {}

/// A socket whose calls end by a deadline.
#[derive(Clone)]
struct Timed {
    tcp: Arc<TcpStream>,
    end: Instant,
}

/// What is left until `end`.
fn left(end: Instant) -> io::Result<Duration> {
    let left = end.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(left) }
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.tcp.set_read_timeout(Some(left(self.end)?))?;
        (&*self.tcp).read(buffer)
    }
}

impl Write for Timed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.tcp.set_write_timeout(Some(left(self.end)?))?;
        (&*self.tcp).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        (&*self.tcp).flush()
    }
}

/// A connection, perhaps encrypted.
pub(super) struct Wire {
    stream: BufReader<Box<dyn Stream>>,
    timed: Timed,
}

impl Wire {
    /// Connects to the first address of the host that answers.
    pub fn connect(host: &str, port: u16, end: Instant) -> io::Result<Self> {
        let name = (host.to_owned(), port);
        let found = within(left(end)?, move || name.to_socket_addrs().map(Vec::from_iter));
        let addresses = found.ok_or(ErrorKind::TimedOut)??;
        let mut last = Error::from(ErrorKind::AddrNotAvailable);
        for (index, address) in addresses.iter().enumerate() {
            // Those that come after this one get their share of the time.
            let sharers = u32::try_from(addresses.len() - index).unwrap_or(u32::MAX);
            let tcp = TcpStream::connect_timeout(address, left(end)? / sharers);
            match tcp.map(|tcp| Timed { tcp: Arc::new(tcp), end }) {
                Ok(timed) => return Ok(Self::over(timed.clone(), timed)),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn over(stream: impl Stream + 'static, timed: Timed) -> Self {
        Self { stream: BufReader::new(Box::new(stream)), timed }
    }

    /// Encrypts what follows. What was received but not read yet came before the encryption, from
    /// anyone who could write into the connection, and is refused.
    pub fn encrypt(self, host: &str, config: ClientConfig) -> io::Result<Self> {
        if !self.stream.buffer().is_empty() {
            return Err(invalid("the server sent more than one reply before the encryption"));
        }
        let name = ServerName::try_from(host.to_owned()).map_err(Error::other)?;
        let tls = ClientConnection::new(Arc::new(config), name).map_err(Error::other)?;
        Ok(Self::over(StreamOwned::new(tls, self.timed.clone()), self.timed))
    }

    /// Sends all of it.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)?;
        self.stream.get_mut().flush()
    }

    /// Reads one reply, which may have several lines.
    pub fn reply(&mut self) -> io::Result<Response> {
        let mut text = Vec::new();
        loop {
            let line = text.len();
            let room = REPLY_BYTES.saturating_sub(line) as u64;
            (&mut self.stream).take(room).read_until(b'\n', &mut text)?;
            match text.last() {
                Some(b'\n') if text.len() > line => {}
                _ if text.len() >= REPLY_BYTES => return Err(invalid("its reply is too long")),
                _ => return Err(ErrorKind::UnexpectedEof.into()),
            }
            // RFC 5321, section 4.2.1: in all lines but the last a hyphen follows the code.
            if text.get(line + 3) != Some(&b'-') {
                let text = String::from_utf8_lossy(&text);
                return text.parse().map_err(|_| invalid("its reply is not SMTP"));
            }
        }
    }
}

fn invalid(message: &str) -> Error {
    Error::new(ErrorKind::InvalidData, message)
}
