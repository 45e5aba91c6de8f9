//! The heartbeat file: the last report, for a checker that needs neither the daemon nor the network.

use std::path::{Path, PathBuf};

use heartbeat::{Heartbeat, LastExit, Manager, Now};

use super::previous_end::PreviousEnd;
use super::report::Report;
use crate::observe::catalog::JournalEvent;
use crate::observe::finding::{Severity, Status};
use crate::observe::liveness::Loop;

/// The age under which the heartbeat carries starts after a crash to the next process.
const UNCLEAN: &str = "unclean_start";

/// For how long they are carried, in milliseconds, and how many.
const REMEMBERED_MS: u64 = 3_600_000;
const REMEMBERED: usize = 10;

/// What systemd calls an end after a stop that took too long, and the exit status after a second signal.
const TIMEOUT: &str = "timeout";
const SECOND_SIGNAL: u8 = 75;

/// Writes the heartbeat. Its calls may block, as the disk does.
pub(super) struct HeartbeatWriter {
    path: PathBuf,
    environment: String,
    manager: Manager,
    /// Whether the last one could not be written, so that it is said once.
    broken: bool,
    /// Starts after a crash, in milliseconds since boot.
    unclean_boot_ms: Vec<u64>,
    previous_end: Option<PreviousEnd>,
    /// Since when people are served without a break, in milliseconds since boot.
    serving_boot_ms: Option<u64>,
}

impl HeartbeatWriter {
    pub(super) fn new(path: PathBuf, environment: String) -> Self {
        let (unclean_boot_ms, previous_end) = before(&path, &Now::read());
        Self {
            path,
            environment,
            manager: Manager::of_this_process(),
            broken: false,
            unclean_boot_ms,
            previous_end,
            serving_boot_ms: None,
        }
    }

    /// How the process before this one ended, unless it was stopped.
    pub(super) fn previous_end(&self) -> Option<&PreviousEnd> {
        self.previous_end.as_ref()
    }

    /// Milliseconds since each start after a crash, this one included.
    pub(super) fn unclean_starts_ms(&self) -> Vec<u64> {
        let boot_ms = Now::read().boot_ms.unwrap_or_default();
        self.unclean_boot_ms.iter().map(|at_ms| boot_ms.saturating_sub(*at_ms)).collect()
    }

    /// The process is alive and thinks this of itself.
    pub(super) fn write(&mut self, report: &Report) {
        let verdict = match report.verdict.status {
            Status::Ok => heartbeat::Verdict::Ok,
            Status::Degraded => heartbeat::Verdict::Degraded,
            Status::Failing => heartbeat::Verdict::Failing,
        };
        let polled = report.reading.polling.worked_ms.is_some();
        let serves = polled && verdict != heartbeat::Verdict::Failing;
        let since = self.serving_boot_ms.or_else(|| Now::read().boot_ms);
        self.serving_boot_ms = since.filter(|_| serves);
        self.put(&self.heartbeat(report, verdict));
    }

    /// The process stops on request.
    pub(super) fn stopped(&mut self, report: &Report) {
        let mut last = self.heartbeat(report, heartbeat::Verdict::Stopped);
        last.findings.clear();
        last.sequence += 1;
        self.put(&last);
    }

    fn heartbeat(&self, report: &Report, verdict: heartbeat::Verdict) -> Heartbeat {
        let now = Now::read();
        let findings = report.verdict.findings.iter().map(|finding| heartbeat::Finding {
            name: finding.kind.name().to_owned(),
            severity: match finding.severity {
                Severity::Degraded => heartbeat::Severity::Degraded,
                Severity::Failing => heartbeat::Severity::Failing,
            },
            text: finding.text.clone(),
            impact: finding.kind.facts().impact.to_owned(),
            first_step: finding.kind.facts().first_step.to_owned(),
        });
        let mut ages = ages(report);
        let serving = self.serving_boot_ms.zip(now.boot_ms).map(|(at, now)| now.saturating_sub(at));
        ages.extend(serving.map(|ms| (heartbeat::SERVING.to_owned(), ms)));
        Heartbeat {
            time_ms: now.time_ms,
            boot_id: now.boot_id.unwrap_or_default(),
            boot_ms: now.boot_ms.unwrap_or_default(),
            awake_ms: now.awake_ms,
            sequence: report.sequence,
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            environment: self.environment.clone(),
            manager: Some(self.manager.clone()),
            verdict,
            findings: findings.collect(),
            ages,
        }
    }

    fn put(&mut self, heartbeat: &Heartbeat) {
        let wrote = heartbeat::write(&self.path, heartbeat);
        match &wrote {
            Err(e) => {
                // On a full disk an old one would be taken for fresh for a while; a missing one is
                // reported at once, and removing needs no space.
                let _ = std::fs::remove_file(&self.path);
                if !self.broken {
                    tracing::error!(
                        message_id = JournalEvent::HeartbeatUnwritten.id(),
                        path = %self.path.display(),
                        error = %e,
                        "cannot write the heartbeat: {e}; checks will consider the bot dead \
                         (watch.heartbeat_path)"
                    );
                }
            }
            Ok(()) if self.broken => tracing::info!("the heartbeat can be written again"),
            Ok(()) => {}
        }
        self.broken = wrote.is_err();
    }
}

/// What the heartbeat of the previous process shows, if it is from this boot, and what was written down
/// of its end: the starts after a crash, and how it ended without a clean stop.
///
/// An end while someone stopped it, which took too long, is not clean, but no crash either.
fn before(path: &Path, now: &Now) -> (Vec<u64>, Option<PreviousEnd>) {
    let text = heartbeat::read(path).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let last = text.and_then(|text| Heartbeat::parse(&text).ok());
    let Some(last) = last else { return (Vec::new(), None) };
    let boot_ms = now.boot_ms.unwrap_or_default();
    let same_boot = now.boot_id.as_deref() == Some(last.boot_id.as_str());
    if !same_boot || last.boot_ms > boot_ms {
        return (Vec::new(), None);
    }
    let exit = LastExit::read(path).filter(|exit| exit.is_after(Some(last.time_ms)));
    let is_unclean = last.verdict != heartbeat::Verdict::Stopped;
    let was_being_stopped = exit.as_ref().is_some_and(|exit| {
        exit.result.as_deref() == Some(TIMEOUT) || exit.exit_code == Some(SECOND_SIGNAL)
    });
    let known = last.ages.iter().filter(|(name, _)| name == UNCLEAN);
    let mut starts: Vec<u64> = known.map(|(_, ms)| last.boot_ms.saturating_sub(*ms)).collect();
    if is_unclean && !was_being_stopped {
        starts.push(boot_ms);
    }
    starts.retain(|at_ms| boot_ms - at_ms < REMEMBERED_MS);
    let starts = starts.split_off(starts.len().saturating_sub(REMEMBERED));
    let end = PreviousEnd {
        last_sign_ms: last.time_ms,
        silent_ms: boot_ms - last.boot_ms,
        why: exit.map(|exit| format!("{}: {}", exit.how(), exit.reason)),
    };
    (starts, is_unclean.then_some(end))
}

/// What the verdict was formed from, in milliseconds.
fn ages(report: &Report) -> Vec<(String, u64)> {
    let reading = &report.reading;
    let since = |at_ms: Option<u64>| at_ms.map(|at_ms| reading.now_ms.saturating_sub(at_ms));
    let processed = reading
        .processed_at_ms
        .map(|at_ms| u64::try_from(reading.wall_ms.saturating_sub(at_ms)).unwrap_or(0));
    let mut ages: Vec<_> = [
        ("uptime", Some(reading.now_ms)),
        ("poll", since(reading.polling.worked_ms)),
        ("commit", since(reading.store.worked_ms)),
        ("send", since(reading.sending.worked_ms)),
        ("answer", since(reading.provider.worked_ms)),
        ("canary", since(Some(reading.canary.at_ms).filter(|at_ms| *at_ms > 0))),
        ("processed", processed),
        ("inbox_oldest", reading.inbox.and_then(|d| d.oldest_ms)),
        ("outbox_oldest", reading.outbox.and_then(|d| d.oldest_ms)),
    ]
    .into_iter()
    .filter_map(|(name, age)| Some((name.to_owned(), age?)))
    .collect();
    let loops = Loop::ALL.into_iter().zip(reading.silent_ms);
    ages.extend(reading.unclean_starts_ms.iter().map(|ms| (UNCLEAN.to_owned(), *ms)));
    ages.extend(loops.filter_map(|(l, ms)| Some((format!("loop_{}", l.name()), ms?))));
    ages
}
