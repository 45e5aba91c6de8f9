//! The report hub: where the last report is found, and what people may ask of the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use arc_swap::ArcSwap;
use tokio::sync::{Notify, watch};

use super::report::{Phase, Report};
use super::thresholds::Thresholds;

/// Shared by the supervisor, which writes, and everybody who shows. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct ReportHub(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    report: watch::Sender<Arc<Report>>,
    phase: AtomicU8,
    restart: Notify,
    look: Notify,
    config_rejected: ArcSwap<Option<String>>,
    thresholds: ArcSwap<Option<Thresholds>>,
}

impl ReportHub {
    /// Nothing was seen yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The last report. Its phase is the one of this moment.
    pub fn report(&self) -> Arc<Report> {
        let last = Arc::clone(&self.0.report.borrow());
        let phase = self.phase();
        if last.phase == phase { last } else { Arc::new(Report { phase, ..(*last).clone() }) }
    }

    /// Hears of each new report.
    pub fn reports(&self) -> watch::Receiver<Arc<Report>> {
        self.0.report.subscribe()
    }

    /// Hangs up a new report.
    pub fn hang(&self, report: Report) {
        self.0.report.send_replace(Arc::new(report));
    }

    /// Where the process is in its life.
    pub fn phase(&self) -> Phase {
        match self.0.phase.load(Ordering::SeqCst) {
            0 => Phase::Starting,
            1 => Phase::Running,
            _ => Phase::Draining,
        }
    }

    /// The process entered another phase; it never goes back. The supervisor looks at once.
    pub fn enter(&self, phase: Phase) {
        self.0.phase.fetch_max(phase as u8, Ordering::SeqCst);
        self.0.look.notify_one();
    }

    /// Waits until an early report is requested.
    pub(super) async fn look_asked(&self) {
        self.0.look.notified().await;
    }

    /// Requests a fresh intake and fresh connections to Telegram.
    pub fn ask_restart(&self) {
        self.0.restart.notify_one();
    }

    /// Waits until it is requested.
    pub async fn restart_asked(&self) {
        self.0.restart.notified().await;
    }

    /// A new configuration was refused for this reason, or a good one was taken over.
    pub fn set_config_rejected(&self, why: Option<String>) {
        self.0.config_rejected.store(Arc::new(why));
        self.0.look.notify_one();
    }

    /// Why the last new configuration was refused, while the old one stands.
    pub fn config_rejected(&self) -> Option<String> {
        self.0.config_rejected.load().as_ref().clone()
    }

    /// Other thresholds from the next report on.
    pub fn set_thresholds(&self, thresholds: Thresholds) {
        self.0.thresholds.store(Arc::new(Some(thresholds)));
        self.0.look.notify_one();
    }

    /// Those that were set last, if any were.
    pub(super) fn thresholds(&self) -> Arc<Option<Thresholds>> {
        self.0.thresholds.load_full()
    }
}
