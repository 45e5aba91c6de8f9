//! One watched file: judged, and turned into signs for the book of incidents.

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use heartbeat::{Heartbeat, Judgement, Now, ReadError, Reason, Severity, State, Verdict};

use crate::book::Book;
use crate::incident::{Bad, Patience, Sign, Subject};
use crate::notice::Level;
use crate::stamp::Stamp;

/// How long a file that does not lie in memory may take to be read.
const READING: Duration = Duration::from_secs(10);

/// A file to watch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watch {
    /// Its name in lines, notices and incidents.
    pub name: String,
    /// The heartbeat file.
    pub file: PathBuf,
    /// The age past which a beat is stale.
    pub threshold: Duration,
    /// Whether a program that was stopped on purpose may stay so, until the next boot: shutting the
    /// machine down stops it on purpose as well, and after a boot it is expected again.
    pub stopped_ok: bool,
    /// Fetched after each good check.
    pub ping_url: Option<String>,
    /// How many checks it takes to change a mind.
    pub patience: Patience,
}

/// What people are told of, beyond a heartbeat that is missing, stale or senseless.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AlertOn {
    /// A program that says that it fails.
    pub failing: bool,
    /// The findings of a program that says that it is degraded.
    pub degraded: bool,
}

/// A watch and what was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// What was checked.
    pub watch: Watch,
    /// What was found.
    pub judgement: Judgement,
}

/// Reads and judges the files. Those that lie on a disk are read side by side: one that gives no
/// answer, as on a network file system whose server is gone, is unreadable, and hides no other.
pub fn check_all(watches: &[Watch], now: &Now) -> Vec<Checked> {
    let mut checked: Vec<Option<Checked>> = vec![None; watches.len()];
    let (sender, answers) = mpsc::channel();
    for (index, watch) in watches.iter().enumerate() {
        let (theirs, then, sender) = (watch.clone(), now.clone(), sender.clone());
        let read = move || {
            // Nobody listens any more once the time is up.
            let _ = sender.send((index, theirs.check(&then)));
        };
        if heartbeat::in_memory(&watch.file) || thread::Builder::new().spawn(read).is_err() {
            checked[index] = Some(watch.check(now));
        }
    }
    drop(sender);
    let until = Instant::now() + READING;
    while let Ok((index, one)) =
        answers.recv_timeout(until.saturating_duration_since(Instant::now()))
    {
        checked[index] = Some(one);
    }
    let late = |watch: &Watch| {
        let error = std::io::Error::other("there was no answer within 10 s");
        watch.judge(Err(&ReadError::Refused(error)), now)
    };
    watches.iter().zip(checked).map(|(w, found)| found.unwrap_or_else(|| late(w))).collect()
}

impl Watch {
    /// The name for a file that has none.
    pub fn name_for(file: &Path) -> String {
        if file == Path::new(heartbeat::DEFAULT_PATH) {
            return "katana-bot".to_owned();
        }
        file.display().to_string()
    }

    /// Reads and judges the file.
    pub fn check(&self, now: &Now) -> Checked {
        let content = heartbeat::read(&self.file);
        self.judge(content.as_deref(), now)
    }

    fn judge(&self, content: Result<&[u8], &ReadError>, now: &Now) -> Checked {
        let mut judgement = heartbeat::judge(content, now, self.threshold);
        if self.stopped_ok && judgement.reason == Reason::StoppedLong {
            judgement.state = State::Ok;
            judgement.text.push_str(", as it may be");
        }
        let stopped = judgement.heartbeat.as_ref().is_some_and(|b| b.verdict == Verdict::Stopped);
        if self.stopped_ok && stopped && judgement.reason == Reason::PreviousBoot {
            judgement.text.push_str("; stopped_ok counts until a boot");
        }
        Checked { watch: self.clone(), judgement }
    }
}

impl Checked {
    /// One line without the state: name, file where it helps, and what was found.
    pub fn line(&self) -> String {
        let (watch, judgement) = (&self.watch, &self.judgement);
        let who = judgement.heartbeat.as_ref().and_then(environment);
        let who = who.map(|e| format!(" ({e})")).unwrap_or_default();
        match judgement.state {
            State::Ok | State::Warning => format!("{}{who}: {}", watch.name, judgement.text),
            State::Critical if watch.name == watch.file.display().to_string() => {
                format!("{}{who}: {}", watch.name, judgement.text)
            }
            State::Critical => {
                format!("{}{who}: {} [{}]", watch.name, judgement.text, watch.file.display())
            }
        }
    }

    /// Takes what was found into the book.
    pub fn enter(&self, book: &mut Book, alert_on: AlertOn, now: &Stamp) {
        let (judgement, patience) = (&self.judgement, self.watch.patience);
        let whole = self.subject(None);
        book.observe(&whole, self.sign(alert_on), now, patience);
        let named = self.degraded(alert_on);
        let mut names = book.findings(&self.watch.name);
        names.retain(|name| named.iter().all(|(n, _)| n != name));
        for (name, bad) in named {
            book.observe(&self.subject(Some(name)), Sign::Bad(bad), now, patience);
        }
        for name in names {
            let sign = if judgement.state == State::Critical || self.unknowing() {
                // The alert about the whole speaks for its findings, and a dead program tells none.
                Sign::Hold
            } else {
                Sign::Good { summary: format!("no longer reported; {}", judgement.text) }
            };
            book.observe(&self.subject(Some(name)), sign, now, patience);
        }
    }

    fn subject(&self, finding: Option<String>) -> Subject {
        Subject { watch: self.watch.name.clone(), finding }
    }

    /// Whether this check says neither that all is well nor that something is wrong: a program that
    /// was just stopped, or not started yet, may come back as it was.
    fn unknowing(&self) -> bool {
        matches!(self.judgement.reason, Reason::Starting | Reason::Stopped)
    }

    /// What is said of the program as a whole.
    fn sign(&self, alert_on: AlertOn) -> Sign {
        let judgement = &self.judgement;
        if self.unknowing() {
            return Sign::Hold;
        }
        let told = judgement.reason != Reason::Failing || alert_on.failing;
        if judgement.state != State::Critical || !told {
            return Sign::Good { summary: judgement.text.clone() };
        }
        Sign::Bad(Bad {
            level: Level::Critical,
            summary: judgement.text.clone(),
            details: self.details(self.worst()),
            environment: judgement.heartbeat.as_ref().and_then(environment),
        })
    }

    /// The findings of a degraded program, each an incident of its own.
    fn degraded(&self, alert_on: AlertOn) -> Vec<(String, Bad)> {
        let judgement = &self.judgement;
        let Some(beat) = &judgement.heartbeat else { return Vec::new() };
        if judgement.reason != Reason::Degraded || !alert_on.degraded {
            return Vec::new();
        }
        let bad = |name: &str, summary: String| Bad {
            level: Level::Warning,
            summary,
            details: self.details(name),
            environment: environment(beat),
        };
        if beat.findings.is_empty() {
            return vec![("degraded".to_owned(), bad("degraded", judgement.text.clone()))];
        }
        let summary = |name: &str, text: &str| match text {
            "" => name.to_owned(),
            text => text.to_owned(),
        };
        let told =
            |f: &heartbeat::Finding| (f.name.clone(), bad(&f.name, summary(&f.name, &f.text)));
        beat.findings.iter().map(told).collect()
    }

    /// What is worst: the first failing finding of a failing program, else the reason.
    fn worst(&self) -> &str {
        let beat = self.judgement.heartbeat.as_ref();
        let failing = beat.filter(|_| self.judgement.reason == Reason::Failing);
        let named = failing.and_then(|beat| {
            beat.findings.iter().find(|finding| finding.severity == Severity::Failing)
        });
        named.map_or(self.judgement.reason.word(), |finding| finding.name.as_str())
    }

    /// More of it, for people. `topic`: where they read on, a heading of the runbook.
    fn details(&self, topic: &str) -> Vec<String> {
        let judgement = &self.judgement;
        let mut details = Vec::new();
        if let Some(beat) = &judgement.heartbeat {
            if judgement.reason == Reason::Failing {
                let mut findings: Vec<_> = beat.findings.iter().collect();
                findings.sort_by_key(|f| f.severity != Severity::Failing);
                let line = |f: &&heartbeat::Finding| {
                    format!("Finding: {} ({}): {}", f.name, f.severity.word(), f.text)
                };
                details.extend(findings.iter().take(16).map(line));
            }
            details.push(format!("Version: {}, pid {}", beat.version, beat.pid));
        }
        details.push(format!("File: {}", self.watch.file.display()));
        // Only Katana's own heartbeat, or its place, says that this is Katana.
        let unit = unit(&self.watch.file);
        if self.judgement.heartbeat.is_some() || unit.is_some() {
            let unit = unit.unwrap_or("katana-bot");
            let which = unit.split_once('@').map_or(String::new(), |(_, instance)| {
                format!(" --config /etc/katana-bot/{instance}.toml")
            });
            details.push(format!(
                "Do: systemctl status {unit}; journalctl -u {unit} -p warning -n 30; \
                 katana-bot status{which}. Runbook: {topic}"
            ));
        }
        details
    }
}

/// The unit whose heartbeat lies there: `/run/katana-bot@staging/heartbeat`.
fn unit(file: &Path) -> Option<&str> {
    let (folder, name) = (file.parent()?, file.file_name()?);
    let unit = folder.strip_prefix("/run").ok()?.to_str()?;
    let ours = unit == "katana-bot" || unit.starts_with("katana-bot@");
    (ours && name == "heartbeat" && !unit.contains('/')).then_some(unit)
}

fn environment(beat: &Heartbeat) -> Option<String> {
    Some(beat.environment.clone()).filter(|e| !e.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_is_known_by_the_place_of_its_heartbeat() {
        for (file, found) in [
            ("/run/katana-bot/heartbeat", Some("katana-bot")),
            ("/run/katana-bot@staging/heartbeat", Some("katana-bot@staging")),
            ("/run/katana-bots/heartbeat", None),
            ("/run/katana-bot/other", None),
            ("/var/lib/katana-run/heartbeat", None),
            ("/run/a/katana-bot/heartbeat", None),
            ("heartbeat", None),
        ] {
            assert_eq!(unit(Path::new(file)), found, "{file}");
        }
    }
}
