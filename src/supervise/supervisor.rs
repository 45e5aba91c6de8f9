//! The supervisor: forms the verdict every few seconds and publishes it in the report hub.
//!
//! Invariant: the heartbeat is written only after a verdict was formed from real liveness ticks; when this
//! loop hangs, the heartbeat grows old and the watchdog starves.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hygiene::Redactor;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::backups::BackupFolder;
use super::heartbeat::HeartbeatWriter;
use super::judge::Judge;
use super::report::{Report, System};
use super::report_hub::ReportHub;
use super::sampler::{Inputs, Sampler};
use super::system::Machine;
use super::thresholds::{Thresholds, over_limit};
use crate::blocking;
use crate::model::budget::Scope;
use crate::observe::catalog::JournalEvent;
use crate::observe::finding::Severity;
use crate::observe::liveness::Loop;
use crate::observe::vitals::Vitals;
use crate::store::{Spending, Store};

/// How often the disk is looked at; it can fill quickly.
const DISK_EVERY: Duration = Duration::from_secs(10);

/// What the supervisor works with.
pub struct Settings {
    /// Between two verdicts.
    pub every: Duration,
    /// Between two looks at the machine.
    pub system_every: Duration,
    /// When something is a finding.
    pub thresholds: Thresholds,
    /// Where the heartbeat is written.
    pub heartbeat: PathBuf,
    /// The folder of the backups that rotate.
    pub backups: PathBuf,
    /// The name of the installation.
    pub environment: String,
    /// Knows what no text of a finding may hold.
    pub redactor: Redactor,
}

/// Forms the verdict. One for each process.
pub struct Supervisor {
    vitals: Arc<Vitals>,
    store: Store,
    report_hub: ReportHub,
    sampler: Sampler,
    judge: Judge,
    machine: Machine,
    system: Option<System>,
    backups: BackupFolder,
    looked: Option<Instant>,
    disk_looked: Option<Instant>,
    heartbeat: HeartbeatWriter,
    every: Duration,
    system_every: Duration,
    sequence: u64,
    redactor: Redactor,
}

/// What waits in the store; `None` when it could not be asked.
struct Depths {
    inbox: Option<(u64, Option<i64>)>,
    outbox: Option<(u64, Option<i64>)>,
    outbox_chats: u64,
    spent: Option<Spending>,
}

impl Supervisor {
    /// Nothing was looked at yet.
    pub fn new(
        vitals: Arc<Vitals>,
        store: Store,
        report_hub: ReportHub,
        settings: Settings,
    ) -> Self {
        Self {
            vitals,
            store,
            report_hub,
            sampler: Sampler::new(),
            judge: Judge::new(settings.thresholds),
            machine: Machine::new(),
            system: None,
            backups: BackupFolder::new(settings.backups),
            looked: None,
            disk_looked: None,
            heartbeat: HeartbeatWriter::new(settings.heartbeat, settings.environment),
            every: settings.every,
            system_every: settings.system_every,
            sequence: 0,
            redactor: settings.redactor,
        }
    }

    /// Judges until `end`; then the last heartbeat says *stopped*, when `clean` says so. `too_large`
    /// is called once, when the process uses more memory than it may.
    pub async fn run(
        mut self,
        end: CancellationToken,
        clean: impl Fn() -> bool + Send,
        too_large: impl Fn() + Send,
    ) {
        let mut ticks = interval(self.every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut told = false;
        loop {
            tokio::select! {
                biased;
                () = end.cancelled() => break,
                _ = ticks.tick() => {}
                () = self.report_hub.look_asked() => {}
            }
            self.vitals.tick(Loop::Supervise, self.every);
            // It asks the disk, which may be dead; that must not hold a thread of the runtime.
            let depths = self.depths().await;
            self = apart(move || {
                let report = self.step(depths);
                self.heartbeat.write(&report);
                self
            })
            .await;
            let thresholds = self.judge.thresholds();
            if !told && self.system.as_ref().is_some_and(|s| over_limit(s, thresholds)) {
                told = true;
                tracing::error!(
                    message_id = JournalEvent::MemoryExceeded.id(),
                    rss_bytes = self.system.as_ref().map(|s| s.rss_bytes),
                    "the process uses more memory than watch.rss_stop_mb allows; draining, so that \
                     it can be restarted"
                );
                too_large();
            }
        }
        self.vitals.end(Loop::Supervise);
        if clean() {
            apart(move || self.heartbeat.stopped(&self.report_hub.report())).await;
        }
    }

    /// What waits in the store.
    async fn depths(&self) -> Depths {
        Depths {
            inbox: self.store.inbox_depth().await.ok(),
            outbox: self.store.outbox_depth().await.ok(),
            outbox_chats: self.store.outbox_chats().await.unwrap_or_default(),
            spent: self.store.spending(Scope::Total, 0).await.ok(),
        }
    }

    /// One look at everything else; the report goes to the report hub.
    fn step(&mut self, depths: Depths) -> Arc<Report> {
        if let Some(thresholds) = &*self.report_hub.thresholds() {
            self.judge.set_thresholds(thresholds.clone());
        }
        self.look_at_machine();
        let reading = self.sampler.read(
            &self.vitals,
            Inputs {
                inbox: depths.inbox,
                outbox: depths.outbox,
                outbox_chats: depths.outbox_chats,
                spent: depths.spent,
                unclean_starts_ms: self.heartbeat.unclean_starts_ms(),
                previous_end: self.heartbeat.previous_end().cloned(),
                commits: Some(self.store.timings().commit),
                system: self.system.clone(),
                backups: self.backups.look(self.store.path(), self.vitals.wall_ms()),
                config_rejected: self.report_hub.config_rejected().map(|e| self.redactor.clean(e)),
                undisturbed: self.judge.thresholds().undisturbed(),
            },
        );
        let mut verdict = self.judge.judge(&reading);
        for finding in &mut verdict.findings {
            finding.text = self.redactor.clean(std::mem::take(&mut finding.text));
        }
        self.tell_changes();
        self.vitals.verdict.store(Arc::new(verdict.clone()));
        self.sequence += 1;
        let phase = self.report_hub.phase();
        self.report_hub.hang(Report { sequence: self.sequence, phase, reading, verdict });
        self.report_hub.report()
    }

    fn look_at_machine(&mut self) {
        let folder = self.store.path().parent().map(PathBuf::from).unwrap_or_default();
        let due = |at: Option<Instant>, every| at.is_none_or(|at: Instant| at.elapsed() >= every);
        if due(self.looked, self.system_every) {
            self.system = Some(self.machine.sample(&folder));
            self.looked = Some(Instant::now());
            self.disk_looked = self.looked;
        } else if due(self.disk_looked, DISK_EVERY)
            && let Some(system) = &mut self.system
        {
            self.machine.disk(system, &folder);
            self.disk_looked = Some(Instant::now());
        }
    }

    fn tell_changes(&self) {
        for finding in self.judge.opened() {
            let (name, severity) = (finding.kind.name(), finding.severity.name());
            let message_id = JournalEvent::Opened(finding.kind).id();
            if finding.severity == Severity::Failing {
                tracing::error!(message_id, finding = name, severity, "{}", finding.text);
            } else {
                tracing::warn!(message_id, finding = name, severity, "{}", finding.text);
            }
        }
        for finding in self.judge.closed() {
            tracing::info!(
                message_id = JournalEvent::FindingEnded.id(),
                finding = finding.kind.name(),
                "ended; it was: {}",
                finding.text
            );
        }
    }
}

/// Runs what may block.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match blocking::run(work).await {
        Some(done) => done,
        // The runtime ends, and this task with it.
        None => std::future::pending().await,
    }
}
