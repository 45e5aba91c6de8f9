//! When there should be a newer backup, and how that is said.
//!
//! Backups are watched from the first one on, or the first attempt: a bot that was never backed up this way is
//! not reported, unless the configuration asks for it.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use hygiene::duration::in_words as span;
use hygiene::time_limit;

use super::report::Reading;
use super::thresholds::Thresholds;
use crate::store::{Backups, file};

/// A local disk answers at once; the supervisor waits no longer for another one.
const LOOK: Duration = Duration::from_millis(50);

/// The folder of the backups. It may be on a disk that never answers: then what was seen last stays, and one
/// look waits.
pub(super) struct BackupFolder {
    path: PathBuf,
    seen: Option<Backups>,
    /// Never contended: a receiver alone could not be shared between threads.
    pending: Option<Mutex<Receiver<Option<Backups>>>>,
}

impl BackupFolder {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, seen: None, pending: None }
    }

    /// What is in it. `state`: the state file; `now_ms`: Unix milliseconds.
    pub(super) fn look(&mut self, state: &Path, now_ms: i64) -> Option<Backups> {
        let pending = self.pending.take().and_then(|pending| pending.into_inner().ok());
        let result = pending.unwrap_or_else(|| {
            let (state, path) = (state.to_owned(), self.path.clone());
            time_limit::start(move || file::backups(&state, &path, now_ms))
        });
        match result.recv_timeout(LOOK) {
            Ok(seen) => self.seen = seen,
            Err(RecvTimeoutError::Timeout) => self.pending = Some(Mutex::new(result)),
            Err(RecvTimeoutError::Disconnected) => {}
        }
        self.seen.clone()
    }
}

/// What is missing in a reading.
pub(super) fn missing(reading: &Reading, thresholds: &Thresholds) -> Option<String> {
    missing_backup(reading.backups.as_ref()?, reading.wall_ms, thresholds)
}

/// What is missing, in words. `now_ms`: Unix milliseconds.
pub fn missing_backup(backups: &Backups, now_ms: i64, thresholds: &Thresholds) -> Option<String> {
    let limit = thresholds.backup_age;
    if limit.is_zero() {
        return None;
    }
    let ago = |at_ms: i64| u64::try_from(now_ms.saturating_sub(at_ms)).unwrap_or(0);
    let newest = match backups.newest_ms {
        Some(at_ms) => format!("the newest backup is {} old", span(ago(at_ms))),
        None => "there is no backup yet".to_owned(),
    };
    match (&backups.failed, backups.newest_ms) {
        (Some(failed), _) => {
            let why = if failed.why.is_empty() { "its log says why" } else { &failed.why };
            let when = span(ago(failed.at_ms));
            Some(format!("{newest}; the last attempt failed {when} ago: {why}"))
        }
        (None, Some(at_ms)) if Duration::from_millis(ago(at_ms)) > limit => Some(newest),
        (None, None) if thresholds.backup_required => Some(newest),
        (None, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::FailedBackup;

    const NOW_MS: i64 = 1_795_000_000_000;

    #[test]
    fn a_failure_counts_at_once_and_the_lack_of_any_backup_on_request() {
        let found = |newest_ms, why: Option<&str>| Backups {
            newest_ms,
            count: 1,
            failed: why.map(|why| FailedBackup { at_ms: NOW_MS - 60_000, why: why.to_owned() }),
        };
        let said = |backups: &Backups, change: fn(&mut Thresholds)| {
            let mut thresholds = Thresholds::default();
            change(&mut thresholds);
            missing_backup(backups, NOW_MS, &thresholds)
        };
        let failed = found(Some(NOW_MS - 86_400_000), Some("cannot write /x: no space"));
        assert_eq!(
            said(&failed, |_| {}).unwrap(),
            "the newest backup is 1 d old; the last attempt failed 1 min ago: cannot write /x: no space"
        );
        let unwritten = said(&found(None, Some("")), |_| {}).unwrap();
        assert!(unwritten.contains("no backup yet") && unwritten.contains("its log says why"));
        assert_eq!(said(&failed, |t| t.backup_age = Duration::ZERO), None);
        assert_eq!(said(&found(None, None), |_| {}), None);
        let none = said(&found(None, None), |t| t.backup_required = true);
        assert_eq!(none.unwrap(), "there is no backup yet");
    }
}
