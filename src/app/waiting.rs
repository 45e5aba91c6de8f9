//! A start that waits for the state file: the endpoint says meanwhile that it is starting.
//!
//! Invariants: nothing of the state is read, and no heartbeat is written, because both belong to the process
//! that still works on it; the endpoint that follows takes over the same listener, so no probe is refused.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use hygiene::Redactor;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::endpoint::admin_token;
use crate::config::Loaded;
use crate::lifecycle::Tasks;
use crate::observe::clock::Clock;
use crate::observe::vitals::Vitals;
use crate::supervise::{Phase, Reading, Report, ReportHub};
use crate::systemd;
use crate::web::{About, Parts, Web};

/// Between two reports.
const EVERY: Duration = Duration::from_secs(1);

/// Answers probes until it is dropped.
pub struct Waiting {
    listener: Option<TcpListener>,
    _end: DropGuard,
}

impl Waiting {
    /// Answers on the configured address, if it can be had: another process may have it until it ends.
    /// `why`: what it waits for, in words. Needs a tokio runtime around it.
    pub fn begin(loaded: &Loaded, redactor: &Redactor, why: &'static str) -> Self {
        let end = CancellationToken::new();
        let passed = systemd::passed_listener().ok().flatten();
        let listener = passed.or_else(|| TcpListener::bind(loaded.config.web.listen?).ok());
        let shared = listener.as_ref().and_then(|listener| listener.try_clone().ok());
        if let Some(web) = shared.and_then(|listener| Web::passed(listener).ok()) {
            let report_hub = ReportHub::new();
            let vitals = Arc::new(Vitals::new(Clock::system()));
            let parts = parts(loaded, redactor, &report_hub, &vitals);
            let tasks = Tasks::new();
            tasks.spawn("reports", reports(report_hub, vitals, why, end.clone()));
            tasks.spawn("web", web.run(parts, end.clone()));
        }
        Self { listener, _end: end.drop_guard() }
    }

    /// The same listener, for the endpoint that follows.
    pub fn listener(&self) -> Option<TcpListener> {
        self.listener.as_ref()?.try_clone().ok()
    }
}

fn parts(loaded: &Loaded, redactor: &Redactor, hub: &ReportHub, vitals: &Arc<Vitals>) -> Parts {
    let config = &loaded.config;
    let about = About {
        version: env!("CARGO_PKG_VERSION"),
        environment: config.bot.environment.clone(),
        ..About::default()
    };
    Parts {
        report_hub: hub.clone(),
        vitals: Arc::clone(vitals),
        about: Arc::new(ArcSwap::from_pointee(about)),
        admin_token: Arc::new(ArcSwap::from_pointee(admin_token(config))),
        report_every: EVERY,
        connections_per_client: config.web.connections_per_client as usize,
        commands: Vec::new(),
        redactor: redactor.clone(),
        store_timings: None,
    }
}

/// Reports that nothing is wrong, and that the state file is not there yet.
async fn reports(hub: ReportHub, vitals: Arc<Vitals>, why: &'static str, end: CancellationToken) {
    for sequence in 1.. {
        let reading = Reading {
            now_ms: vitals.now_ms(),
            wall_ms: vitals.wall_ms(),
            waits_for_state: Some(why),
            ..Reading::default()
        };
        hub.hang(Report { sequence, phase: Phase::Starting, reading, ..Report::default() });
        tokio::select! {
            () = end.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}
