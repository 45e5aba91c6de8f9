//! One watched file: judged, and turned into observations for the log of incidents.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use heartbeat::{
    Finding, Judgement, LastExit, Now, ReadError, Reason, Severity, State, Verdict, rfc3339,
};
use hygiene::line::one_line;
use hygiene::url::Origin;
use hygiene::{duration, quick};
use serde::Deserialize;

use crate::advice;
use crate::clock::{ago, at};
use crate::incident::{Bad, Observation, Subject};
use crate::incident_log::IncidentLog;
use crate::notification::Level;
use crate::problem::{Time, checks, line, url};
use crate::remote;
use crate::symptoms;
use hygiene::time_limit::{by, start};

/// Longest line that an incident keeps, in characters.
const MAX_LINE: usize = 500;
/// How long a file that does not lie in memory may take to be read.
const READING: Duration = Duration::from_secs(10);
/// How long another machine may take to answer.
const ASKING: Duration = Duration::from_secs(9);

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
    /// The age from which it is a warning, which begins no incident.
    pub warning: Option<Time>,
    /// Whether the time of the file's last change counts, and not what is in it.
    pub mtime: bool,
    /// The `/health` of a bot on another machine, in place of a file.
    #[serde(deserialize_with = "url")]
    pub url: Option<String>,
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
            warning: None,
            mtime: false,
            url: None,
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
    /// How the program ended, where that is what was found.
    pub exit: Option<LastExit>,
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
        let is_file = watch.url.is_none();
        if is_file && heartbeat::in_memory(&watch.file) {
            return Read::Done(Box::new(watch.check(now)));
        }
        let quick = (is_file && !watch.mtime).then(|| heartbeat::read_quick(&watch.file));
        if let Some(content) = quick.flatten() {
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
            watch.unread(error, now)
        }),
    });
    checked.collect()
}

impl Watch {
    /// The name for a file that has none: that of the bot where its folder says it, as in
    /// `/run/katana-bot@staging/heartbeat` and, under supervisor, `/var/lib/katana-run/heartbeat`.
    pub fn name_for(file: &Path) -> String {
        let folder = file.parent().and_then(Path::file_name).and_then(|name| name.to_str());
        let folder = folder.filter(|_| file.ends_with("heartbeat")).unwrap_or_default();
        let rest = ["katana-bot", "katana-run"].iter().find_map(|name| folder.strip_prefix(name));
        match rest {
            Some(rest) if rest.is_empty() || rest.starts_with(['@', '-', '_']) => {
                format!("katana-bot{rest}")
            }
            _ => file.display().to_string(),
        }
    }

    /// The same for a bot on another machine.
    pub fn at_url(self, url: &str) -> Self {
        Self { name: Self::name_for_url(url), url: Some(url.to_owned()), ..self }
    }

    /// The name for an address that has none: without its path, which may hold a secret.
    pub fn name_for_url(url: &str) -> String {
        Origin::of(url).map_or_else(|_| "url".to_owned(), |origin| origin.shown)
    }

    /// Reads and judges the file.
    pub fn check(&self, now: &Now) -> Checked {
        if let Some(url) = &self.url {
            let judgement = remote::judge(url, now, Instant::now() + ASKING);
            return Checked { watch: self.clone(), judgement, exit: None };
        }
        let content = if self.mtime { touched(&self.file) } else { heartbeat::read(&self.file) };
        self.judge(content.as_deref(), now)
    }

    /// What gave no answer in time.
    fn unread(&self, error: std::io::Error, now: &Now) -> Checked {
        match &self.url {
            Some(_) => {
                let judgement = remote::unreachable(&error.to_string());
                Checked { watch: self.clone(), judgement, exit: None }
            }
            None => self.judge(Err(&ReadError::Refused(error)), now),
        }
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
        let age_ms = judgement.age_ms.filter(|_| judgement.state == State::Ok);
        let late = age_ms.zip(self.warning).filter(|(age_ms, warning)| {
            u128::from(*age_ms) > warning.0.as_millis() && judgement.reason == Reason::Fresh
        });
        if let Some((_, warning)) = late {
            judgement.state = State::Warning;
            let limit = u64::try_from(warning.0.as_millis()).unwrap_or(u64::MAX);
            judgement.text.push_str(&format!(", more than {}", duration::in_words(limit)));
        }
        if self.mtime {
            judgement.text = judgement.text.replace("heartbeat is", "last change is");
        }
        let exit = exit.filter(|_| judgement.reason == Reason::Ended);
        Checked { watch: self.clone(), judgement, exit }
    }
}

/// The time of a file's last change, as the content of a heartbeat.
fn touched(file: &Path) -> Result<Vec<u8>, ReadError> {
    let modified = std::fs::metadata(file).and_then(|about| about.modified());
    match modified {
        Ok(time) => {
            let since = time.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
            Ok(rfc3339::format(i64::try_from(since.as_millis()).unwrap_or(i64::MAX)).into_bytes())
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(ReadError::Missing { volatile: heartbeat::in_memory(file) })
        }
        Err(error) => Err(ReadError::Refused(error)),
    }
}

impl Checked {
    /// Takes what was found into the log.
    pub fn enter(&self, log: &mut IncidentLog, alert_on: &[AlertOn], now: &Now) {
        let debounce = (self.watch.failures_needed, self.watch.good_checks_needed);
        let was_down = log.is_open(&self.subject(None));
        log.observe(self.subject(None), self.observation(alert_on, now), now, debounce);
        let mut gone = log.findings(&self.watch.name);
        let degraded = self.degraded(alert_on);
        let reported: BTreeSet<String> = degraded.iter().map(|(name, _)| name.clone()).collect();
        for (name, bad) in degraded {
            gone.remove(&name);
            let has_cause = symptoms::has_cause(&name, was_down, &reported);
            let subject = self.subject(Some(name));
            if !log.follows(&subject, &bad.causes, has_cause, now) {
                log.observe(subject, Observation::Bad(bad), now, debounce);
            }
        }
        if !self.is_unknown() && self.judgement.state != State::Critical {
            log.keep_symptoms(&self.watch.name, &reported);
        }
        for name in gone {
            // The alert about the whole speaks for its findings, and a dead program reports none.
            let observation = match self.judgement.state == State::Critical || self.is_unknown() {
                true => Observation::Unknown,
                false => Observation::Good(self.good_again("no longer reported"), None),
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
    fn observation(&self, alert_on: &[AlertOn], now: &Now) -> Observation {
        let judgement = &self.judgement;
        let counts = judgement.reason != Reason::Failing || alert_on.contains(&AlertOn::Failing);
        match judgement.state {
            _ if self.is_unknown() => Observation::Unknown,
            State::Critical if counts => {
                let findings = self.findings();
                let failing = findings.iter().filter(|f| f.severity == Severity::Failing);
                let mut causes: Vec<String> = failing.map(|finding| finding.name.clone()).collect();
                if causes.is_empty() {
                    causes.push(self.cause());
                }
                let worst = advice::worst(&findings);
                let mut details = advice::lines(self, worst);
                for Finding { name, severity, text, .. } in findings.into_iter().take(16) {
                    details.push(format!("Finding: {name} ({}): {text}", severity.word()));
                }
                let since = self.last_sign_of_life(now);
                let bad = self.bad(Level::Critical, &judgement.text, details);
                Observation::Bad(Bad { causes, since, ..bad })
            }
            _ => Observation::Good(self.serving_again(), self.serving_since()),
        }
    }

    /// A name for what is wrong with a program that names no finding. Its silence is one cause, however
    /// long it is and wherever the file went.
    fn cause(&self) -> String {
        match (self.judgement.reason, &self.exit) {
            (_, Some(exit)) if exit.is_final() => format!("{}: {}", exit.how(), exit.why()),
            // Any other end is followed by a start.
            (Reason::Missing | Reason::Stale | Reason::PreviousBoot | Reason::Ended, _) => {
                symptoms::SILENT.to_owned()
            }
            (reason, _) => reason.word().to_owned(),
        }
    }

    /// When the program was last seen alive, where it is not any more.
    fn last_sign_of_life(&self, now: &Now) -> Option<Now> {
        if let Some(time_ms) = self.exit.as_ref().and_then(LastExit::time_ms) {
            return Some(ago(now, now.time_ms.saturating_sub(time_ms)));
        }
        if matches!(self.judgement.reason, Reason::Failing | Reason::Future) {
            return None;
        }
        // That of another program has an age and no more.
        let age = || self.judgement.age_ms.and_then(|age| i64::try_from(age).ok());
        let beat = self.judgement.heartbeat.as_ref().map(|beat| at(beat, 0));
        beat.or_else(|| age().map(|age| ago(now, age)))
    }

    /// Since when people are served without a break, as the program says.
    fn serving_since(&self) -> Option<Now> {
        let beat = self.judgement.heartbeat.as_ref()?;
        let serving = beat.ages.iter().find(|(name, _)| name == heartbeat::SERVING)?;
        Some(at(beat, serving.1))
    }

    /// The findings of a degraded program, each an incident of its own.
    fn degraded(&self, alert_on: &[AlertOn]) -> Vec<(String, Bad)> {
        let judgement = &self.judgement;
        if judgement.reason != Reason::Degraded || !alert_on.contains(&AlertOn::Degraded) {
            return Vec::new();
        }
        let all: Vec<_> = judgement.heartbeat.iter().flat_map(|beat| &beat.findings).collect();
        let names: BTreeSet<String> = all.iter().map(|finding| finding.name.clone()).collect();
        let bad = |finding: &Finding| {
            let Finding { name, text, .. } = finding;
            let mut details = advice::lines(self, Some(finding));
            for other in all.iter().filter(|other| symptoms::follows_from(&other.name, name)) {
                details.push(format!("Also: {}: {}", other.name, other.text));
            }
            let summary = if text.is_empty() { name } else { text };
            let mut causes = vec![name.clone()];
            if name == symptoms::UNCLEAN {
                // Each new process is another one.
                let beat = judgement.heartbeat.iter();
                causes.extend(beat.map(|beat| format!("{name} of process {}", beat.pid)));
            }
            (name.clone(), Bad { causes, ..self.bad(Level::Warning, summary, details) })
        };
        if names.is_empty() {
            let details = advice::lines(self, None);
            let bad = self.bad(Level::Warning, &judgement.text, details);
            return vec![("degraded".to_owned(), bad)];
        }
        all.iter().map(|finding| bad(finding)).collect()
    }

    /// Something wrong, without the names of its causes.
    fn bad(&self, level: Level, summary: &str, mut details: Vec<String>) -> Bad {
        let environment = self.environment().map(str::to_owned);
        match &self.judgement.heartbeat {
            Some(beat) if self.watch.url.is_none() => {
                details.push(format!("Version: {}, pid {}", beat.version, beat.pid));
            }
            Some(beat) if !beat.version.is_empty() => {
                details.push(format!("Version: {}", beat.version));
            }
            _ => {}
        }
        match &self.watch.url {
            Some(url) => details.push(format!("Asked: {}", Watch::name_for_url(url))),
            None => details.push(format!("File: {}", self.watch.file.display())),
        }
        // What lies on disk is bounded.
        let details = details.iter().map(|line| one_line(line, MAX_LINE)).collect();
        let summary = one_line(summary, MAX_LINE);
        let file = self.watch.url.is_none().then(|| self.watch.file.display().to_string());
        Bad { level, environment, summary, details, causes: Vec::new(), file, since: None }
    }

    /// The installation, when the heartbeat names it.
    pub(crate) fn environment(&self) -> Option<&str> {
        let exit = self.exit.as_ref().map(|exit| exit.environment.as_str());
        let beat = self.judgement.heartbeat.as_ref().map(|beat| beat.environment.as_str());
        [exit, beat].into_iter().flatten().find(|name| !name.is_empty())
    }

    /// The findings of a failing program, the worst first.
    fn findings(&self) -> Vec<&Finding> {
        let is_failing = self.judgement.reason == Reason::Failing;
        let beat = self.judgement.heartbeat.iter().filter(|_| is_failing);
        let mut findings: Vec<_> = beat.flat_map(|beat| &beat.findings).collect();
        findings.sort_by_key(|finding| finding.severity != Severity::Failing);
        findings
    }
}
