//! Everything said to systemd (sd_notify(3)). Says nothing when nobody listens.

use std::time::Duration;

use sd_notify::NotifyState;

/// The start is over: the store is open and Telegram answered a poll.
pub fn ready(status: &str) {
    notify(&[NotifyState::Ready, NotifyState::Status(&one_line(status))]);
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
        Ok(now) => notify(&[NotifyState::Reloading, now, NotifyState::Status(&words)]),
        Err(e) => tracing::debug!(error = %e, "cannot read the monotonic clock"),
    }
}

/// The stop has begun.
pub fn stopping(status: &str) {
    notify(&[NotifyState::Stopping, NotifyState::Status(&one_line(status))]);
}

/// How often systemd wants to hear that all is well (`WATCHDOG_USEC`), if it does.
pub fn watchdog() -> Option<Duration> {
    sd_notify::watchdog_enabled().filter(|d| !d.is_zero())
}

/// All loops turn.
pub fn ping() {
    notify(&[NotifyState::Watchdog]);
}

/// A loop does not turn: the service manager shall do what it does when pings stay away.
pub fn trigger() {
    notify(&[NotifyState::WatchdogTrigger]);
}

/// Starting or stopping takes this much longer.
pub fn extend(by: Duration) {
    let usec = u32::try_from(by.as_micros()).unwrap_or(u32::MAX);
    notify(&[NotifyState::ExtendTimeoutUsec(usec)]);
}

fn notify(state: &[NotifyState<'_>]) {
    if let Err(e) = sd_notify::notify(state) {
        tracing::debug!(error = %e, "cannot notify systemd");
    }
}

/// A newline in a status would begin another assignment.
fn one_line(words: &str) -> String {
    words.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_one_line() {
        assert_eq!(one_line("fine\nWATCHDOG=trigger\r\x1b[1m"), "fine WATCHDOG=trigger  [1m");
    }
}
