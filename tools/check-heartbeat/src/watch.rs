//! One watched file: judged, and turned into observations for the log of incidents.

use std::path::{Path, PathBuf};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use heartbeat::{Finding, Judgement, Now, ReadError, Reason, Severity, State, Verdict};
use hygiene::line::one_line;
use hygiene::quick;
use serde::Deserialize;

use crate::incident::{Bad, Observation, Subject};
use crate::incident_log::IncidentLog;
use crate::notification::Level;
use crate::problem::{Time, checks, line, url};
use crate::time_limit::{by, start};

/// Longest line that an incident keeps, in characters.
const MAX_LINE: usize = 500;
/// How long a file that does not lie in memory may take to be read.
const READING: Duration = Duration::from_secs(10);

/// A file to watch, as a `[[watch]]` of the configuration describes it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Watch {
    /// Its name in lines, notifications and incidents.
    #[serde(deserialize_with = "line")]
    pub name: String,
    pub file: PathBuf,
    /// The oldest heartbeat that is fresh.
    pub threshold: Time,
    /// Whether a program that was stopped on purpose may stay so, until the next boot: shutting the
    /// machine down stops it on purpose as well, and after a boot it is expected again.
    pub stopped_ok: bool,
    /// Consecutive bad checks that begin an incident, and good ones that end it.
    #[serde(deserialize_with = "checks")]
    pub failures_needed: u32,
    #[serde(deserialize_with = "checks")]
    pub good_checks_needed: u32,
    /// Fetched after each good check.
    #[serde(deserialize_with = "url")]
    pub ping_url: Option<String>,
}

impl Default for Watch {
    fn default() -> Self {
        Self {
            name: String::new(),
            file: heartbeat::DEFAULT_PATH.into(),
            threshold: Time(Duration::from_secs(heartbeat::DEFAULT_THRESHOLD_S)),
            stopped_ok: false,
            failures_needed: 1,
            good_checks_needed: 1,
            ping_url: None,
        }
    }
}

/// What is an incident, beyond a heartbeat that is missing, stale or nonsense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AlertOn {
    /// A program that says that it fails.
    Failing,
    /// The findings of a program that says that it is degraded.
    Degraded,
}

/// A watch and what was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    pub watch: Watch,
    pub judgement: Judgement,
}

/// A file that was read, or is being read.
enum Read {
    Done(Box<Checked>),
    Begun(Receiver<Checked>),
}

/// Reads and judges the files. Those that are not in memory are read at the same time: one that gives no
/// answer, as on a network file system whose server is gone, is unreadable, and hides no other.
pub fn check_all(watches: &[Watch], now: &Now) -> Vec<Checked> {
    let begin = |watch: &Watch| {
        if heartbeat::in_memory(&watch.file) {
            return Read::Done(Box::new(watch.check(now)));
        }
        if let Some(content) = heartbeat::read_quick(&watch.file) {
            return Read::Done(Box::new(watch.judge(Ok(&content), now)));
        }
        quick::waiting();
        let (own, then) = (watch.clone(), now.clone());
        Read::Begun(start(move || own.check(&then)))
    };
    let begun: Vec<_> = watches.iter().map(begin).collect();
    let until = Instant::now() + READING;
    let checked = watches.iter().zip(begun).map(|(watch, read)| match read {
        Read::Done(checked) => *checked,
        Read::Begun(answer) => by(until, &answer).unwrap_or_else(|| {
            let error = std::io::Error::other("there was no answer within 10 s");
            watch.judge(Err(&ReadError::Refused(error)), now)
        }),
    });
    checked.collect()
}

impl Watch {
    /// The name for a file that has none.
    pub fn name_for(file: &Path) -> String {
        match file.to_string_lossy().as_ref() {
            heartbeat::DEFAULT_PATH => "katana-bot".to_owned(),
            path => path.to_owned(),
        }
    }

    /// Reads and judges the file.
    pub fn check(&self, now: &Now) -> Checked {
        let content = heartbeat::read(&self.file);
        self.judge(content.as_deref(), now)
    }

    fn judge(&self, content: Result<&[u8], &ReadError>, now: &Now) -> Checked {
        let exit = heartbeat::LastExit::read(&self.file);
        let judged = heartbeat::judge(content, now, self.threshold.0);
        let mut judgement = judged.with_exit(exit.as_ref(), now);
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
        let who = self.environment().map(|e| format!(" ({e})")).unwrap_or_default();
        let file = watch.file.display().to_string();
        let named = judgement.state == State::Critical && watch.name != file;
        let file = if named { format!(" [{file}]") } else { String::new() };
        format!("{}{who}: {}{file}", watch.name, judgement.text)
    }

    /// Takes what was found into the log.
    pub fn enter(&self, log: &mut IncidentLog, alert_on: &[AlertOn], now: &Now) {
        let debounce = (self.watch.failures_needed, self.watch.good_checks_needed);
        log.observe(self.subject(None), self.observation(alert_on), now, debounce);
        let mut gone = log.findings(&self.watch.name);
        for (name, bad) in self.degraded(alert_on) {
            gone.remove(&name);
            log.observe(self.subject(Some(name)), Observation::Bad(bad), now, debounce);
        }
        for name in gone {
            // The alert about the whole speaks for its findings, and a dead program reports none.
            let observation = match self.judgement.state == State::Critical || self.is_unknown() {
                true => Observation::Unknown,
                false => Observation::Good(format!("no longer reported; {}", self.judgement.text)),
            };
            log.observe(self.subject(Some(name)), observation, now, debounce);
        }
    }

    fn subject(&self, finding: Option<String>) -> Subject {
        Subject { watch: self.watch.name.clone(), finding }
    }

    /// Whether this check says neither that all is well nor that something is wrong: a program that
    /// was just stopped, or not started yet, may come back as it was.
    fn is_unknown(&self) -> bool {
        matches!(self.judgement.reason, Reason::Starting | Reason::Stopped)
    }

    /// The program as a whole.
    fn observation(&self, alert_on: &[AlertOn]) -> Observation {
        let judgement = &self.judgement;
        let counts = judgement.reason != Reason::Failing || alert_on.contains(&AlertOn::Failing);
        match judgement.state {
            _ if self.is_unknown() => Observation::Unknown,
            State::Critical if counts => {
                let findings = self.findings();
                let worst = findings.first().filter(|f| f.severity == Severity::Failing);
                let topic = worst.map_or(judgement.reason.word(), |finding| &finding.name);
                Observation::Bad(self.bad(Level::Critical, topic, &judgement.text))
            }
            _ => Observation::Good(judgement.text.clone()),
        }
    }

    /// The findings of a degraded program, each an incident of its own.
    fn degraded(&self, alert_on: &[AlertOn]) -> Vec<(String, Bad)> {
        let judgement = &self.judgement;
        if judgement.reason != Reason::Degraded || !alert_on.contains(&AlertOn::Degraded) {
            return Vec::new();
        }
        let bad = |name: &str, text: &str| {
            let summary = if text.is_empty() { name } else { text };
            (name.to_owned(), self.bad(Level::Warning, name, summary))
        };
        let findings = judgement.heartbeat.iter().flat_map(|beat| &beat.findings);
        let named: Vec<_> = findings.map(|f| bad(&f.name, &f.text)).collect();
        if named.is_empty() { vec![bad("degraded", &judgement.text)] } else { named }
    }

    /// `topic`: the heading of the runbook that helps.
    fn bad(&self, level: Level, topic: &str, summary: &str) -> Bad {
        let environment = self.environment().map(str::to_owned);
        // What lies on disk is bounded.
        let details = self.details(topic).iter().map(|line| one_line(line, MAX_LINE)).collect();
        Bad { level, environment, summary: one_line(summary, MAX_LINE), details }
    }

    /// The installation, when the heartbeat names it.
    fn environment(&self) -> Option<&str> {
        let beat = self.judgement.heartbeat.as_ref()?;
        Some(beat.environment.as_str()).filter(|name| !name.is_empty())
    }

    /// The findings of a failing program, the worst first.
    fn findings(&self) -> Vec<&Finding> {
        let is_failing = self.judgement.reason == Reason::Failing;
        let beat = self.judgement.heartbeat.iter().filter(|_| is_failing);
        let mut findings: Vec<_> = beat.flat_map(|beat| &beat.findings).collect();
        findings.sort_by_key(|finding| finding.severity != Severity::Failing);
        findings
    }

    /// More of it, for people.
    fn details(&self, topic: &str) -> Vec<String> {
        let (judgement, unit) = (&self.judgement, unit(&self.watch.file));
        let mut details = Vec::new();
        for Finding { name, severity, text } in self.findings().into_iter().take(16) {
            details.push(format!("Finding: {name} ({}): {text}", severity.word()));
        }
        if let Some(beat) = &judgement.heartbeat {
            details.push(format!("Version: {}, pid {}", beat.version, beat.pid));
        }
        details.push(format!("File: {}", self.watch.file.display()));
        // Only Katana's own heartbeat, or its place, says that this is Katana.
        if judgement.heartbeat.is_some() || unit.is_some() {
            let unit = unit.unwrap_or("katana-bot");
            let instance = unit.split_once('@');
            let which = instance.map(|(_, name)| format!(" --config /etc/katana-bot/{name}.toml"));
            details.push(format!(
                "Do: systemctl status {unit}; journalctl -u {unit} -p warning -n 30; \
                 katana-bot status{}. Runbook: {topic}",
                which.unwrap_or_default()
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
