//! Who watches: supervisor, commit probe, watchdog and the status line. They begin before Telegram
//! is asked anything and end after everything else, so that a start that hangs and a stop that
//! hangs are seen as well.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::endpoint::{Endpoint, EndpointInfo};
use super::reload::Reloader;
use super::settings;
use crate::config::Loaded;
use crate::lifecycle::Tasks;
use crate::observe::vitals::Vitals;
use crate::store::Store;
use crate::supervise::{self, Phase, ReportHub, Supervisor, WatchdogSignal};
use crate::systemd;

/// Between two looks at the status line; systemd need not hear every figure.
const STATUS_EVERY: Duration = Duration::from_secs(3);

/// The watchers of one process.
pub(super) struct Watching {
    tasks: Tasks,
    report_hub: ReportHub,
    clean: Arc<AtomicBool>,
    info: Option<EndpointInfo>,
    address: Option<SocketAddr>,
}

impl Watching {
    /// Starts to watch over what runs in `main`.
    pub(super) fn start(
        vitals: &Arc<Vitals>,
        store: &Store,
        report_hub: &ReportHub,
        reloader: &Reloader,
        endpoint: Option<Endpoint>,
        main: &Tasks,
    ) -> Self {
        let settings = settings::watching(&reloader.loaded().config, reloader.redactor());
        vitals.set_stall(settings::stall(&reloader.loaded().config));
        let tasks = Tasks::new();
        let clean = Arc::new(AtomicBool::new(false));
        let info = endpoint.as_ref().map(Endpoint::info);
        let this = Self {
            tasks: tasks.clone(),
            report_hub: report_hub.clone(),
            clean: Arc::clone(&clean),
            info: info.clone(),
            address: endpoint.as_ref().and_then(Endpoint::address),
        };
        let end = tasks.drain().clone();
        tasks.spawn("phase", phase(report_hub.clone(), main.clone(), end.clone()));
        tasks.spawn("probe", supervise::probe(store.clone(), Arc::clone(vitals), end.clone()));
        if let Some(whole) = systemd::watchdog() {
            let notify = |signal| match signal {
                WatchdogSignal::Ping => systemd::ping(),
                WatchdogSignal::Trigger => systemd::trigger(),
            };
            let watchdog = supervise::watchdog(Arc::clone(vitals), whole / 2, end.clone(), notify);
            tasks.spawn("watchdog", watchdog);
        }
        let loaded = reloader.watch();
        let follower = follow(loaded, Arc::clone(vitals), report_hub.clone(), info, end.clone());
        tasks.spawn("follow", follower);
        if let Some(endpoint) = endpoint {
            endpoint.start(vitals, store, report_hub, &settings, &tasks, end.clone());
        }
        tasks.spawn("status", status(report_hub.clone(), end.clone()));
        let too_large = {
            let main = main.clone();
            move || main.fail("memory")
        };
        let supervisor =
            Supervisor::new(Arc::clone(vitals), store.clone(), report_hub.clone(), settings);
        let was_clean = move || clean.load(Ordering::SeqCst);
        tasks.spawn("supervise", supervisor.run(end, was_clean, too_large));
        this
    }

    /// Where reports are published.
    pub(super) fn report_hub(&self) -> &ReportHub {
        &self.report_hub
    }

    /// Telegram told the bot's name.
    pub(super) fn name(&self, username: &str) {
        if let Some(info) = &self.info {
            info.name(username);
        }
    }

    /// Where the endpoint listens.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// Ends the watchers. `clean`: the process was asked to stop, and the heartbeat says so.
    pub(super) async fn end(self, clean: bool) {
        self.clean.store(clean, Ordering::SeqCst);
        self.tasks.end(Duration::from_secs(5)).await;
    }
}

/// Notes that the process drains, and drains it when a watcher is gone: unwatched is not alive.
async fn phase(report_hub: ReportHub, main: Tasks, end: CancellationToken) {
    tokio::select! {
        biased;
        () = main.drain().cancelled() => report_hub.enter(Phase::Draining),
        () = end.cancelled() => main.fail("supervise"),
    }
}

/// Takes over thresholds, and what the endpoint says of itself, after each reload.
async fn follow(
    mut loaded: watch::Receiver<Arc<Loaded>>,
    vitals: Arc<Vitals>,
    report_hub: ReportHub,
    info: Option<EndpointInfo>,
    end: CancellationToken,
) {
    loop {
        tokio::select! {
            changed = loaded.changed() => if changed.is_err() { return },
            () = end.cancelled() => return,
        }
        let loaded = Arc::clone(&loaded.borrow_and_update());
        vitals.set_stall(settings::stall(&loaded.config));
        if let Some(info) = &info {
            info.follow(&loaded.config);
        }
        report_hub.set_thresholds(settings::thresholds(&loaded.config));
    }
}

/// Keeps the line in `systemctl status` true.
async fn status(report_hub: ReportHub, end: CancellationToken) {
    let mut said = String::new();
    loop {
        let words = supervise::words(&report_hub.report());
        if words != said {
            systemd::status(&words);
            said = words;
        }
        tokio::select! {
            () = tokio::time::sleep(STATUS_EVERY) => {}
            () = end.cancelled() => return,
        }
    }
}
