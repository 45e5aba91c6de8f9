//! One check after the other, for a container without cron.
//!
//! Each check is a process of its own, so whatever it leaves behind ends with it. SIGTERM and SIGINT end
//! the loop at once, also as process 1 of a container, which a signal without a handler does not reach; a
//! check may be killed at any time.

use std::ffi::OsString;
use std::process::Command;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use rustix::process::{WaitOptions, waitpid};
use signal_hook::consts::{SIGCHLD, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::report;
use hygiene::time_limit::start;

/// Checks at this interval, until asked to end. Returns the exit status.
pub fn run(every: Duration, nagios: bool) -> u8 {
    repeat(every).map_or_else(
        |error| report::gives_up(nagios, &format!("cannot run the check: {error}"), 1),
        |()| 0,
    )
}

fn repeat(every: Duration) -> std::io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGCHLD])?;
    let (sender, inbox) = mpsc::channel();
    drop(start(move || signals.forever().all(|signal| sender.send(signal).is_ok())));
    let program = std::env::current_exe()?;
    let words = once(std::env::args_os().skip(1).collect());
    loop {
        let begun = Instant::now();
        let mut child = Command::new(&program).args(&words).spawn()?;
        while child.try_wait()?.is_none() {
            // A check ends by itself within 50 s; a look now and then costs nothing.
            if is_asked(&inbox, Duration::from_secs(60)) {
                child.kill()?;
                child.wait()?;
                return Ok(());
            }
        }
        // What programs of a channel have left to process 1.
        while let Ok(Some(_)) = waitpid(None, WaitOptions::NOHANG) {}
        while let left @ 1.. = every.saturating_sub(begun.elapsed()).as_millis() {
            if is_asked(&inbox, Duration::from_millis(u64::try_from(left).unwrap_or(1))) {
                return Ok(());
            }
        }
    }
}

/// Whether the next signal, if one comes in time, asks to end.
fn is_asked(inbox: &Receiver<i32>, within: Duration) -> bool {
    match inbox.recv_timeout(within) {
        Ok(signal) => signal != SIGCHLD,
        Err(error) => error == RecvTimeoutError::Disconnected,
    }
}

/// The same command line, for one check.
fn once(words: Vec<OsString>) -> Vec<OsString> {
    let mut words = words.into_iter();
    let mut kept = Vec::new();
    while let Some(word) = words.next() {
        match word.to_str().unwrap_or_default() {
            "--every" => drop(words.next()),
            word if word.starts_with("--every=") => {}
            _ => kept.push(word),
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::{OsString, once};

    #[test]
    fn each_check_runs_once() {
        for line in ["--every 60s --file x", "--file x --every=60s"] {
            assert_eq!(once(line.split(' ').map(OsString::from).collect()), ["--file", "x"]);
        }
    }
}
