//! Why the daemon ended, beside its heartbeat: for a reader that cannot read the journal.
//!
//! The daemon writes it when it ends with an error, systemd's last command for the unit when the daemon
//! was killed; a daemon that serves removes it. It never holds a secret or the value of a setting.
//!
//! ```json
//! {"version":1,"time":"2026-11-21T07:24:33.120Z","exit_code":78,
//!  "reason":"there is no such key","key":"bot.acces",
//!  "file":"/etc/katana-bot/katana-bot.toml","line":12,"environment":"production"}
//! ```

use std::io;
use std::path::{Path, PathBuf};

use hygiene::atomic::{self, Kind};
use hygiene::{line, quick};
use serde::{Deserialize, Serialize};

use crate::{Judgement, MAX_TEXT, Now, Reason, State, file, rfc3339, span};

/// The version that this crate writes and fully understands.
const VERSION: u32 = 1;

/// Largest file in bytes that is read; this crate writes far less.
const MAX_BYTES: usize = 8 * 1024;

/// Exit statuses after which the unit is not started again: wrong arguments, and a mistake in the
/// configuration (sysexits(3)).
const FINAL: [u8; 2] = [MISUSE, 78];

/// The exit status after wrong arguments.
const MISUSE: u8 = 64;

/// How the daemon ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LastExit {
    /// The version of the format.
    pub version: u32,
    /// When it ended, in RFC 3339.
    pub time: String,
    /// Its exit status; `None` if a signal ended it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<u8>,
    /// The signal that ended it, such as `KILL`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
    /// What systemd calls it, such as `watchdog` or `oom-kill`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    /// Why, in one sentence without a full stop.
    pub reason: String,
    /// The key of the configuration that has to be fixed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The file that has to be fixed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line in it, counted from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// The name of the installation, such as `production`; may be empty.
    pub environment: String,
}

impl LastExit {
    /// An end at this moment, for this reason.
    pub fn now(exit_code: Option<u8>, reason: impl Into<String>) -> Self {
        Self {
            version: VERSION,
            time: rfc3339::format(Now::read().time_ms),
            exit_code,
            reason: reason.into(),
            ..Self::default()
        }
    }

    /// Where it is, for a heartbeat at `heartbeat`: `last-exit` beside `heartbeat`, and
    /// `NAME.last-exit` beside a file of another name.
    pub fn path(heartbeat: &Path) -> PathBuf {
        match heartbeat.file_name() {
            Some(name) if name != "heartbeat" => atomic::sibling(heartbeat, ".last-exit"),
            _ => heartbeat.with_file_name("last-exit"),
        }
    }

    /// Writes it beside the heartbeat, readable for everybody (0644).
    ///
    /// # Errors
    /// Those of the file system.
    pub fn write(&self, heartbeat: &Path) -> io::Result<()> {
        let text = serde_json::to_string(&self.clone().cleaned())? + "\n";
        let kind = Kind { mode: 0o644, owner: None, is_durable: false };
        atomic::replace(&Self::path(heartbeat), text.as_bytes(), kind)
    }

    /// Removes it, because the daemon serves again.
    ///
    /// # Errors
    /// Those of the file system, except that there is none.
    pub fn remove(heartbeat: &Path) -> io::Result<()> {
        match std::fs::remove_file(Self::path(heartbeat)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        }
    }

    /// Reads it; `None` if there is none or it makes no sense. Never waits for a disk: outside of a
    /// folder in memory, one that the kernel would have to fetch counts as none.
    pub fn read(heartbeat: &Path) -> Option<Self> {
        let path = Self::path(heartbeat);
        let bytes = match file::in_memory(&path) {
            true => file::read(&path).ok()?,
            false => quick::read(&path, MAX_BYTES)?,
        };
        let text = bytes.get(..MAX_BYTES.min(bytes.len()))?;
        let read: Self = serde_json::from_slice(text).ok()?;
        let makes_sense = read.version >= VERSION && read.time_ms().is_some();
        makes_sense.then(|| read.cleaned())
    }

    /// When it ended, in milliseconds since 1970.
    pub fn time_ms(&self) -> Option<i64> {
        rfc3339::parse(&self.time)
    }

    /// Whether it came after the heartbeat of this time, in milliseconds since 1970.
    pub fn is_after(&self, heartbeat_ms: Option<i64>) -> bool {
        self.time_ms().is_some_and(|at| heartbeat_ms.is_none_or(|beat| at >= beat))
    }

    /// Whether a person has to fix something before the daemon can run.
    pub fn is_final(&self) -> bool {
        self.exit_code.is_some_and(|code| FINAL.contains(&code))
    }

    /// Whether its command line was wrong.
    pub fn is_misuse(&self) -> bool {
        self.exit_code == Some(MISUSE)
    }

    /// How it ended, without why: `exit status 78`, `SIGKILL`.
    pub fn how(&self) -> String {
        match (&self.signal, self.exit_code) {
            (Some(signal), _) => format!("SIG{signal}"),
            (None, Some(code)) => format!("exit status {code}"),
            (None, None) => "an error".to_owned(),
        }
    }

    /// Why, with key, file and line: `bot.acces: there is no such key (/etc/…/katana-bot.toml:12)`.
    pub fn why(&self) -> String {
        let key = self.key.as_ref().map(|key| format!("{key}: ")).unwrap_or_default();
        let place = match (&self.file, self.line) {
            (Some(file), Some(line)) => format!(" ({file}:{line})"),
            (Some(file), None) => format!(" ({file})"),
            (None, _) => String::new(),
        };
        format!("{key}{}{place}", self.reason)
    }

    /// Every text in one bounded line: what a file holds may be anyone's.
    fn cleaned(mut self) -> Self {
        let clean = |text: &mut String| *text = line::one_line(text, MAX_TEXT);
        clean(&mut self.time);
        clean(&mut self.reason);
        clean(&mut self.environment);
        let others = [&mut self.signal, &mut self.result, &mut self.key, &mut self.file];
        others.into_iter().flatten().for_each(clean);
        self
    }
}

impl Judgement {
    /// Takes into account how the daemon ended. If a person has to fix something, that is reported at
    /// once, however fresh the heartbeat is; any other end explains a heartbeat that is missing or old.
    #[must_use]
    pub fn with_exit(mut self, exit: Option<&LastExit>, now: &Now) -> Self {
        let beat = self.heartbeat.as_ref().map(|beat| beat.time_ms);
        let Some(exit) = exit.filter(|exit| exit.is_after(beat)) else { return self };
        let is_silent = matches!(
            self.reason,
            Reason::Missing | Reason::Stale | Reason::StoppedLong | Reason::PreviousBoot
        );
        if exit.is_final() || is_silent {
            let ago = exit.time_ms().map_or(0, |at| now.time_ms.saturating_sub(at));
            let ago = span(u64::try_from(ago).unwrap_or(0));
            self.text = format!("it ended {ago} ago with {}: {}", exit.how(), exit.why());
            (self.state, self.reason) = (State::Critical, Reason::Ended);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::ReadError;
    use crate::format::tests::sample;
    use crate::{Verdict, judge};

    fn sample_exit() -> LastExit {
        LastExit {
            key: Some("bot.acces".to_owned()),
            file: Some("/etc/katana-bot/katana-bot.toml".to_owned()),
            line: Some(12),
            environment: "production".to_owned(),
            ..LastExit::now(Some(78), "there is no such key")
        }
    }

    #[test]
    fn what_is_written_is_read_in_one_line_each() {
        let folder = tempfile::tempdir().unwrap();
        let beat = folder.path().join("heartbeat");
        assert_eq!(LastExit::read(&beat), None);
        sample_exit().write(&beat).unwrap();
        let read = LastExit::read(&beat).unwrap();
        assert_eq!(read, LastExit { time: read.time.clone(), ..sample_exit() });
        assert_eq!(
            read.why(),
            "bot.acces: there is no such key (/etc/katana-bot/katana-bot.toml:12)"
        );
        let odd = LastExit { reason: format!("a\nb\u{1b}[2J{}", "x".repeat(9_000)), ..read };
        odd.write(&beat).unwrap();
        let read = LastExit::read(&beat).unwrap();
        assert!(!read.reason.contains(['\n', '\u{1b}']) && read.reason.len() < 400);
        LastExit::remove(&beat).unwrap();
        LastExit::remove(&beat).unwrap();
        assert_eq!(LastExit::read(&beat), None);
    }

    #[test]
    fn nonsense_is_none_and_two_heartbeats_in_a_folder_have_their_own() {
        let folder = tempfile::tempdir().unwrap();
        let beat = folder.path().join("heartbeat");
        let time = "2026-11-21T07:24:33Z";
        for (text, is_some) in [
            ("{}".to_owned(), false),
            ("{\"version\":1,\"reason\":\"x\"}".to_owned(), false),
            (format!("{{\"version\":0,\"time\":\"{time}\"}}"), false),
            (format!("{{\"version\":1,\"time\":\"{time}\",\"exit_code\":300}}"), false),
            (format!("{{\"version\":2,\"time\":\"{time}\",\"mood\":[1]}}"), true),
            (format!("{}{{\"version\":1,\"time\":\"{time}\"}}", " ".repeat(70_000)), false),
        ] {
            std::fs::write(folder.path().join("last-exit"), &text).unwrap();
            assert_eq!(LastExit::read(&beat).is_some(), is_some, "{text:.80}");
        }
        let other = LastExit::path(&folder.path().join("staging"));
        assert_eq!(other.file_name().unwrap(), "staging.last-exit");
    }

    #[test]
    fn a_mistake_is_critical_at_once_and_any_other_end_explains_silence() {
        let now = |ms: i64| {
            let beat = sample();
            Now {
                time_ms: beat.time_ms + ms,
                boot_id: Some(beat.boot_id),
                boot_ms: beat.boot_ms.checked_add_signed(ms),
                awake_ms: beat.awake_ms.and_then(|awake| awake.checked_add_signed(ms)),
            }
        };
        let at = |ms: i64, code| LastExit {
            time: rfc3339::format(sample().time_ms + ms),
            exit_code: Some(code),
            ..sample_exit()
        };
        let beat = crate::Heartbeat { verdict: Verdict::Ok, findings: vec![], ..sample() };
        let judged = |ms, exit: LastExit| {
            let threshold = Duration::from_secs(120);
            let judgement = judge(Ok(beat.render().as_bytes()), &now(ms), threshold);
            judgement.with_exit(Some(&exit), &now(ms))
        };
        let mistake = judged(9_000, at(4_000, 78));
        assert_eq!((mistake.state, mistake.reason), (State::Critical, Reason::Ended));
        assert_eq!(
            mistake.text,
            "it ended 5 s ago with exit status 78: bot.acces: there is no such key \
             (/etc/katana-bot/katana-bot.toml:12)"
        );
        assert_eq!(judged(9_000, at(-1, 78)).reason, Reason::Fresh, "it has run since");
        assert_eq!(judged(9_000, at(4_000, 70)).reason, Reason::Fresh, "systemd restarts it");
        assert_eq!(judged(200_000, at(4_000, 70)).reason, Reason::Ended);
        let missing = judge(Err(&ReadError::Missing { volatile: false }), &now(0), Duration::ZERO);
        assert_eq!(missing.with_exit(Some(&at(0, 69)), &now(0)).reason, Reason::Ended);
    }
}
