//! All notifications to systemd (sd_notify(3)). Does nothing if systemd does not listen.
//!
//! Invariant: a service manager that does not read its socket delays no one for longer than two
//! seconds, and that only at the few turns of the process's life.

use std::ffi::OsStr;
use std::io;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use sd_notify::NotifyState;

/// How long something that must not get lost may wait for room in systemd's queue.
const PATIENCE: Duration = Duration::from_secs(2);

/// The start is over: the store is open and Telegram answered a poll.
pub fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(&one_line(status))]);
}

/// What the bot is doing, in words, for `systemctl status`.
pub fn status(words: &str) {
    notify(&[NotifyState::Status(&one_line(words))]);
}

/// The configuration is being read again; [`ready`] ends that. In one message, because systemd
/// takes a reload for failed when the time is missing.
pub fn reloading(status: &str) {
    let words = one_line(status);
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now, NotifyState::Status(&words)]),
        Err(e) => tracing::debug!(error = %e, "cannot read the monotonic clock"),
    }
}

/// The stop has begun.
pub fn stopping(status: &str) {
    tell(&[NotifyState::Stopping, NotifyState::Status(&one_line(status))]);
}

/// How often systemd wants to hear that all is well (`WATCHDOG_USEC`), if it does.
pub fn watchdog() -> Option<Duration> {
    sd_notify::watchdog_enabled().filter(|d| !d.is_zero())
}

/// All loops turn.
pub fn ping() {
    notify(&[NotifyState::Watchdog]);
}

/// A loop is stalled: the service manager should act as if the pings had stopped.
pub fn trigger() {
    notify(&[NotifyState::WatchdogTrigger]);
}

/// Starting or stopping takes this much longer.
pub fn extend(by: Duration) {
    let usec = u32::try_from(by.as_micros()).unwrap_or(u32::MAX);
    notify(&[NotifyState::ExtendTimeoutUsec(usec)]);
}

/// The listening socket that a socket unit holds for us (sd_listen_fds(3)), if there is one. The
/// first caller gets it.
///
/// # Errors
/// When what was passed is not a listening TCP socket.
pub fn passed_listener() -> std::io::Result<Option<TcpListener>> {
    listenfd::ListenFd::from_env().take_tcp_listener(0)
}

/// Said again soon in other words: what finds no room is dropped.
fn notify(state: &[NotifyState<'_>]) {
    say(state, Duration::ZERO);
}

/// Said once.
fn tell(state: &[NotifyState<'_>]) {
    say(state, PATIENCE);
}

fn say(state: &[NotifyState<'_>], patience: Duration) {
    let Some(socket) = std::env::var_os("NOTIFY_SOCKET") else { return };
    let lines: String = state.iter().map(|state| format!("{state}\n")).collect();
    if let Err(e) = send(&socket, &lines, patience) {
        tracing::debug!(error = %e, "cannot notify systemd");
    }
}

/// `sd_notify::notify` waits for room in the queue for as long as it takes.
fn send(socket: &OsStr, lines: &str, patience: Duration) -> io::Result<()> {
    let datagram = UnixDatagram::unbound()?;
    let address = match socket.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(socket)?,
    };
    datagram.connect_addr(&address)?;
    if patience.is_zero() {
        datagram.set_nonblocking(true)?;
    } else {
        datagram.set_write_timeout(Some(patience))?;
    }
    datagram.send(lines.as_bytes()).map(|_| ())
}

/// A newline in a status would begin another assignment.
fn one_line(words: &str) -> String {
    hygiene::line::one_line(words, 200)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_one_line() {
        assert_eq!(one_line("fine\nWATCHDOG=trigger\r\x1b[1m"), "fine WATCHDOG=trigger [1m");
    }

    #[test]
    fn a_service_manager_that_does_not_read_blocks_no_one() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("notify");
        let manager = UnixDatagram::bind(&path).expect("a socket");
        let begun = std::time::Instant::now();
        let full =
            (0..10_000).find_map(|_| send(path.as_os_str(), "WATCHDOG=1\n", Duration::ZERO).err());
        assert_eq!(full.expect("the queue is full").kind(), io::ErrorKind::WouldBlock);
        let brief = Duration::from_millis(50);
        let late = send(path.as_os_str(), "READY=1\n", brief).expect_err("it is still full");
        assert_eq!(late.kind(), io::ErrorKind::WouldBlock);
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        let mut buffer = [0; 64];
        let length = manager.recv(&mut buffer).expect("what fitted is heard");
        assert_eq!(&buffer[..length], b"WATCHDOG=1\n");
        send(path.as_os_str(), "READY=1\n", brief).expect("there is room again");
    }

    #[test]
    fn a_socket_without_a_file_is_reached_too() {
        let name = format!("katana-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).expect("a name");
        let manager = UnixDatagram::bind_addr(&address).expect("a socket");
        send(OsStr::new(&format!("@{name}")), "READY=1\n", PATIENCE).expect("it is sent");
        let mut buffer = [0; 64];
        let length = manager.recv(&mut buffer).expect("it is heard");
        assert_eq!(&buffer[..length], b"READY=1\n");
    }
}
