//! The monitoring files at work: real Prometheus and Alertmanager, with the shipped rules, dashboard and examples,
//! watch the real binary. Their times are shortened together (see `tools::fast`).
//!
//! Debian's packages are prometheus and prometheus-alertmanager. Where they are missing, the tests say so and pass.
//! What promtool and amtool can check is in `tests/monitoring.rs`.

mod panels;
mod peers;
mod tools;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use botapi_sim::ModelFault;

use self::panels::{Dashboard, Shown};
use self::peers::Peers;
use self::tools::{Alertmanager, Prometheus, factor};
use crate::harness::{SOON, Stage};
use crate::process::Daemon;
use crate::show::{Show, scaled};
use crate::wire::{Line, Wire};

/// A daemon that Prometheus watches.
struct Watched {
    stage: Stage,
    telegram: Wire,
    daemon: Daemon,
    show: Show,
}

impl Watched {
    async fn start() -> Self {
        let mut stage = Stage::new().await;
        let telegram = Wire::to(&stage.sim.api_url()).await;
        stage.openai();
        // As short as the rules, but not shorter than a poll.
        let stalled = (75 / factor()).max(4).to_string();
        let failing = (30 / factor()).max(1).to_string();
        let changes = [
            ("KATANA_WATCH_POLL_STALLED_S", stalled.as_str()),
            ("KATANA_WATCH_POLL_FAILING_S", failing.as_str()),
        ];
        scaled(&mut stage, &changes);
        stage.set("KATANA_TELEGRAM_API_URL", &telegram.url());
        let daemon = Daemon::start(&stage);
        let show = Show::of_daemon(&stage, &daemon).await;
        show.green().await;
        Self { stage, telegram, daemon, show }
    }

    /// Asks a question, and waits for its answer or apology.
    async fn ask(&self) {
        self.stage.ask(5, "a question").await;
    }
}

/// So many minutes of the rules and examples.
fn minutes(count: u64) -> Duration {
    Duration::from_secs(count * 60) / factor()
}

/// What the panels of the first row show, by title: text and colour. A figure has no text.
type Row = [(&'static str, &'static str, &'static str); 6];

const HEALTHY: Row = [
    ("Verdict", "ok", "green"),
    ("Reachable", "yes", "green"),
    ("Ready", "yes", "green"),
    ("Last completed poll", "", "green"),
    ("Up for", "", "green"),
    ("Starts in a day", "", "blue"),
];
const TELEGRAM_DOWN: Row = [
    ("Verdict", "failing", "red"),
    ("Reachable", "yes", "green"),
    ("Ready", "no", "red"),
    ("Last completed poll", "", "red"),
    ("Up for", "", "green"),
    ("Starts in a day", "", "blue"),
];
const PROVIDER_DOWN: Row = [
    ("Verdict", "degraded", "orange"),
    ("Reachable", "yes", "green"),
    ("Ready", "no", "red"),
    ("Last completed poll", "", "green"),
    ("Up for", "", "green"),
    ("Starts in a day", "", "blue"),
];
/// Hung or killed.
const DEAD: Row = [
    ("Verdict", "unreachable", "red"),
    ("Reachable", "no", "red"),
    ("Ready", "no", "red"),
    ("Last completed poll", "", "red"),
    ("Up for", "down", "red"),
    ("Starts in a day", "", "blue"),
];

/// Reads the dashboard until it shows this, with these open findings.
async fn shows(
    prometheus: &Prometheus,
    dashboard: &Dashboard,
    row: &Row,
    findings: &[&str],
    what: &str,
) {
    let wanted: Vec<_> =
        row.iter().map(|(title, text, colour)| (*title, Shown::new(text, colour))).collect();
    let findings: BTreeSet<String> = findings.iter().map(|f| (*f).to_owned()).collect();
    let deadline = Instant::now() + SOON;
    loop {
        let mut found = Vec::new();
        for (title, _, _) in row {
            found.push((*title, dashboard.stat(prometheus, title).await));
        }
        let open = dashboard.findings(prometheus).await;
        if found == wanted && open == findings {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "{what}:\n wanted {wanted:?} {findings:?}\n  found {found:?} {open:?}"
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dashboard_shows_people_what_is_so_in_five_situations() {
    let watched = Watched::start().await;
    let Some(prometheus) = Prometheus::start(watched.show.address(), None).await else { return };
    let dashboard = Dashboard::read();
    watched.ask().await;
    watched.ask().await;
    shows(&prometheus, &dashboard, &HEALTHY, &[], "healthy").await;
    let deadline = Instant::now() + SOON;
    loop {
        let silent = dashboard.silent(&prometheus).await;
        // The machine is looked at once here, which says nothing about its processors.
        if silent.iter().all(|panel| panel == "Processors") {
            break;
        }
        assert!(Instant::now() < deadline, "panels without a curve while all is well: {silent:?}");
    }

    watched.telegram.fail(Line::Closed).await;
    let findings = ["poll_failing", "poll_stalled"];
    shows(&prometheus, &dashboard, &TELEGRAM_DOWN, &findings, "Telegram down").await;
    dashboard.silent(&prometheus).await;
    watched.telegram.set(Line::Open).await;
    shows(&prometheus, &dashboard, &HEALTHY, &[], "healthy again").await;

    for _ in 0..3 {
        watched.stage.sim.model().fault_next(ModelFault::status(401, "no such key"));
        watched.ask().await;
    }
    shows(&prometheus, &dashboard, &PROVIDER_DOWN, &["provider_failing"], "provider down").await;
    dashboard.silent(&prometheus).await;
    watched.ask().await;
    shows(&prometheus, &dashboard, &HEALTHY, &[], "healthy a third time").await;

    watched.daemon.signal("STOP");
    shows(&prometheus, &dashboard, &DEAD, &["unreachable"], "hung").await;
    let silent = dashboard.silent(&prometheus).await;
    assert!(silent.iter().any(|panel| panel == "Waiting"), "a curve that goes on: {silent:?}");
    watched.daemon.signal("CONT");
    shows(&prometheus, &dashboard, &HEALTHY, &[], "healthy after the hang").await;

    watched.daemon.signal("KILL");
    shows(&prometheus, &dashboard, &DEAD, &["unreachable"], "killed").await;
    let silent = dashboard.silent(&prometheus).await;
    assert!(silent.iter().any(|panel| panel == "Waiting"), "a curve that goes on: {silent:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_cause_is_one_page_and_nothing_is_resolved_before_it_is_cured() {
    let peers = Peers::start().await;
    let Some(alertmanager) = Alertmanager::start(&peers).await else { return };
    let watched = Watched::start().await;
    let to = Some(alertmanager.address());
    let Some(prometheus) = Prometheus::start(watched.show.address(), to).await else { return };
    peers.watchdog_came().await;
    assert_eq!(peers.pages(), [] as [String; 0], "all is well");

    watched.telegram.fail(Line::Closed).await;
    let at = watched.show.address();
    peers.pages_become(1).await;
    assert_eq!(
        peers.pages()[0].trim(),
        format!(
            "FIRING: production: katana-bot on {at}: Every poll fails (poll_failing)\n\
             Impact: no one gets answers, or late ones; messages wait at Telegram for 24 hours. \
             Do: check network, DNS and proxy; see the class of the error. Most frequent error: connect\n\
             file:///usr/share/doc/katana-bot/runbook.md#poll_failing"
        )
    );
    // Time for what follows from it: poll_stalled, KatanaDeaf, and later KatanaNotReady.
    prometheus.fires(&["KatanaDeaf"]).await;
    tokio::time::sleep(minutes(2)).await;
    assert_eq!(peers.pages().len(), 1, "one cause: {:#?}", peers.pages());

    watched.daemon.signal("STOP");
    peers.pages_become(2).await;
    let page = peers.pages()[1].clone();
    let hung = format!("FIRING: production: katana-bot on {at} does not answer: not running");
    assert!(page.starts_with(&hung) && page.matches("FIRING").count() == 1, "{page}");
    tokio::time::sleep(minutes(2)).await;
    let pages = peers.pages();
    assert!(pages.len() == 2 && !pages.concat().contains("RESOLVED"), "{pages:#?}");

    watched.telegram.set(Line::Open).await;
    watched.daemon.signal("CONT");
    watched.show.green().await;
    let cured = Instant::now();
    peers.pages_become(3).await;
    let after = cured.elapsed();
    let pages = peers.pages();
    let over = format!("RESOLVED: production: katana-bot on {at} does not answer");
    assert!(pages[2].contains(&over) && !pages[2].contains("FIRING"), "{pages:#?}");
    // A minute that KatanaDown is kept, one between notices, one for scrapes and evaluations; what is not
    // shortened here takes its time, too.
    assert!(after < minutes(3) + SOON / 4, "RESOLVED came {after:?} after the cure");
    tokio::time::sleep(minutes(1)).await;
    assert_eq!(peers.pages().len(), 3, "{:#?}", peers.pages());
    // Mail goes out with each page, and no other mail about what follows.
    let subjects = peers.subjects();
    assert_eq!(subjects.len(), 3, "{subjects:#?}");
    assert!(subjects[0].starts_with("FIRING: production: katana-bot on"), "{subjects:#?}");
    assert!(subjects[2].starts_with("RESOLVED: production: katana-bot on"), "{subjects:#?}");
}
