//! Whether a unit runs with what is on disk, or was started before that was written.
//!
//! A setup that was stopped between writing and restarting leaves files that the running bot has
//! never read; only their age shows that.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cli::tool::tool;
use crate::observe::clock::Clock;

/// Ticks of /proc in a second: USER_HZ, the same on every architecture that Debian has.
const TICKS: u64 = 100;

/// Start and time since boot are both given in ticks only.
const INEXACT: Duration = Duration::from_millis(20);

/// Whether the unit runs, and one of these files changed after it was started. Folders count as
/// files: something was put into them, or taken away.
pub(super) async fn is_older(unit: &str, files: &[PathBuf]) -> bool {
    let pid = tool("systemctl", &["show", unit, "--property=MainPID", "--value"]).await;
    let pid = pid.and_then(|text| text.trim().parse::<u32>().ok());
    let Some(pid) = pid.filter(|pid| *pid > 0) else { return false };
    // Not the times of /proc/PID: those are of the first look at it.
    let Some(age) = age(pid) else { return true };
    let now = Clock::system().now_ms();
    // A file from the future may be newer as well: the clock was set.
    let since = |file: &PathBuf| Some(u64::try_from(now - written(file)?).unwrap_or(0));
    files.iter().filter_map(since).any(|since| Duration::from_millis(since) < age)
}

/// When a file changed last, in Unix milliseconds.
fn written(file: &Path) -> Option<i64> {
    let about = std::fs::metadata(file).ok()?;
    Some(about.mtime() * 1000 + about.mtime_nsec() / 1_000_000)
}

/// How long ago a process began, at least; suspended time counts.
fn age(pid: u32) -> Option<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in brackets may hold anything. Field 22, counted from the state, which is the third.
    let began: u64 = stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()?;
    let uptime = std::fs::read_to_string("/proc/uptime").ok()?;
    let up: f64 = uptime.split_whitespace().next()?.parse().ok()?;
    let up = Duration::try_from_secs_f64(up).ok()?;
    let began = Duration::from_millis(began.checked_mul(1000 / TICKS)?);
    Some(up.saturating_sub(began).saturating_sub(INEXACT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_age_of_a_process_is_known_to_a_tick() {
        let before = std::time::Instant::now();
        let mut child = std::process::Command::new("sleep").arg("60").spawn().expect("it starts");
        let begun = std::time::Instant::now();
        while begun.elapsed() < Duration::from_millis(100) {
            std::thread::yield_now();
        }
        let (age, most) = (age(child.id()).expect("it runs"), before.elapsed());
        child.kill().and_then(|()| child.wait()).expect("it ends");
        assert!(age > Duration::from_millis(50) && age <= most, "{age:?} of {most:?}");
    }
}
