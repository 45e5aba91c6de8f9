//! Sends error reports to a Sentry-compatible server, as envelopes (develop.sentry.dev/sdk/data-model/envelopes).
//!
//! Invariants: nothing in the program waits for it; the same error is reported once in ten minutes, and all
//! together at most ten at once and two a minute; a server that asks for a pause gets it; its own failures are
//! warnings, which are not reported.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use reqwest::header::RETRY_AFTER;
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use crate::logging::{ErrorReport, ErrorReports};
use crate::model::dsn::Dsn;
use crate::model::failure::chain;
use crate::model::limits;
use crate::observe::clock::Clock;
use crate::observe::repeats::Repeats;

/// How the program names itself to the server.
const NAME: &str = "katana-bot";
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Longest wait for the server.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Reports at once, and the time until there is one more.
const BURST: u32 = 10;
const ONE_EACH: Duration = Duration::from_secs(30);

/// Longest text of a report, in characters.
const LONGEST: usize = 2000;

/// Pause when a server refuses reports without saying for how long, and the longest it can ask for.
const PAUSE: Duration = Duration::from_secs(60);
const PAUSE_MAX: Duration = Duration::from_secs(3600);

/// Different errors that are remembered.
const REMEMBERED: usize = 200;

/// Sends what waits.
pub struct ReportSender {
    http: reqwest::Client,
    dsn: Dsn,
    environment: String,
    waiting: ErrorReports,
    clock: Clock,
    pace: Pace,
    failures: Repeats,
}

/// When the next report may leave.
struct Pace {
    left: u32,
    refilled: Instant,
    not_before: Instant,
    last: HashMap<String, Instant>,
}

impl Pace {
    /// Whether an error of this kind is reported now.
    fn lets_through(&mut self, kind: &str, now: Instant) -> bool {
        while self.left < BURST && now.duration_since(self.refilled) >= ONE_EACH {
            self.left += 1;
            self.refilled += ONE_EACH;
        }
        if self.left == BURST {
            self.refilled = now;
        }
        let is_recent = |at: &Instant| now.duration_since(*at) < limits::QUIET;
        if now < self.not_before || self.left == 0 || self.last.get(kind).is_some_and(is_recent) {
            return false;
        }
        if self.last.len() >= REMEMBERED {
            self.last.retain(|_, at| is_recent(at));
        }
        if self.last.len() < REMEMBERED {
            self.last.insert(kind.to_owned(), now);
        }
        self.left -= 1;
        true
    }
}

impl ReportSender {
    /// Sends what waits to this project; `None` when there can be no HTTP client.
    pub fn new(dsn: Dsn, environment: &str, waiting: ErrorReports) -> Option<Self> {
        let http = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(format!("{NAME}/{VERSION}"))
            .build()
            .ok()?;
        let now = Instant::now();
        let pace = Pace { left: BURST, refilled: now, not_before: now, last: HashMap::new() };
        let (environment, clock) = (environment.to_owned(), Clock::system());
        Some(Self { http, dsn, environment, waiting, clock, pace, failures: Repeats::default() })
    }

    /// Sends until the process ends; what waits at the drain is sent until `halt`.
    pub async fn run(mut self, drain: CancellationToken, halt: CancellationToken) {
        loop {
            let report = tokio::select! {
                biased;
                report = self.waiting.recv() => report,
                () = drain.cancelled() => {
                    self.waiting.close();
                    self.waiting.recv().await
                }
            };
            let Some(report) = report else { return };
            let kind = kind(&report);
            if !self.pace.lets_through(&kind, Instant::now()) {
                continue;
            }
            tokio::select! {
                () = halt.cancelled() => return,
                () = self.send(&report, &kind) => {}
            }
        }
    }

    async fn send(&mut self, report: &ErrorReport, kind: &str) {
        let auth = format!(
            "Sentry sentry_version=7, sentry_client={NAME}/{VERSION}, sentry_key={}",
            self.dsn.key
        );
        let request = self.http.post(&self.dsn.endpoint).header("X-Sentry-Auth", auth);
        let request = request.header("Content-Type", "application/x-sentry-envelope");
        let failure = match request.body(self.envelope(report, kind)).send().await {
            Ok(answer) if answer.status().is_success() => {
                self.failures.over();
                return;
            }
            Ok(answer) => {
                let asked = answer.headers().get(RETRY_AFTER).and_then(|it| it.to_str().ok());
                let asked = asked.and_then(|it| it.trim().parse().ok()).map(Duration::from_secs);
                self.pace.not_before = Instant::now() + asked.unwrap_or(PAUSE).min(PAUSE_MAX);
                format!("the server answers with {}", answer.status().as_u16())
            }
            Err(e) => {
                self.pace.not_before = Instant::now() + PAUSE;
                chain(&e.without_url())
            }
        };
        if self.failures.is_news("reports") {
            tracing::warn!(error = failure, "cannot send error reports: {failure}");
        }
    }

    /// Header, header of the one item, and the item, each on a line.
    fn envelope(&self, report: &ErrorReport, kind: &str) -> String {
        let id = format!("{:032x}", fastrand::u128(..));
        let event = self.event(report, kind, &id).to_string();
        let header = json!({"event_id": id, "sdk": {"name": NAME, "version": VERSION}});
        let item =
            json!({"type": "event", "content_type": "application/json", "length": event.len()});
        format!("{header}\n{item}\n{event}\n")
    }

    fn event(&self, report: &ErrorReport, kind: &str, id: &str) -> Value {
        let level = match (report.is_panic, report.is_error) {
            (true, _) => "fatal",
            (false, true) => "error",
            (false, false) => "warning",
        };
        let text = |text: &str| text.chars().take(LONGEST).collect::<String>();
        let field = |name: &str| report.fields.get(name).map(|value| text(value));
        let short = ["class", "finding", "provider", "severity", "stage", "task"];
        let tags: Map<String, Value> = short
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), field(name)?.into())))
            .collect();
        let others = report.fields.iter().filter(|(name, _)| !short.contains(*name));
        let extra: Map<String, Value> =
            others.map(|(name, value)| ((*name).to_owned(), text(value).into())).collect();
        let what = match report.is_panic {
            true => "panic".to_owned(),
            false => field("finding").or(field("class")).unwrap_or_else(|| "error".to_owned()),
        };
        json!({
            "event_id": id,
            "timestamp": self.clock.now_ms() as f64 / 1000.0,
            "platform": "native",
            "level": level,
            "logger": report.target,
            "release": format!("{NAME}@{VERSION}"),
            "environment": self.environment,
            "logentry": {"formatted": text(&report.message)},
            "exception": {"values": [{
                "type": what,
                // The error with its causes.
                "value": field("error").unwrap_or_else(|| text(&report.message)),
                "mechanism": {"type": "log", "handled": !report.is_panic},
            }]},
            "fingerprint": [kind],
            "tags": tags,
            "extra": extra,
        })
    }
}

/// Errors of one kind are one issue: the same line of the program, the same finding or class.
fn kind(report: &ErrorReport) -> String {
    let place = report.fields.get("location").unwrap_or(&report.place);
    let names = ["finding", "class"].map(|name| report.fields.get(name).map(String::as_str));
    let name = names.into_iter().flatten().next().unwrap_or_default();
    format!("{place} {name}").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_error_and_all_errors_have_their_limits() {
        let now = Instant::now();
        let mut pace = Pace { left: BURST, refilled: now, not_before: now, last: HashMap::new() };
        assert!(pace.lets_through("one", now));
        assert!(!pace.lets_through("one", now + Duration::from_secs(1)));
        let through = (0..30).filter(|n| pace.lets_through(&n.to_string(), now)).count();
        assert_eq!(through as u32, BURST - 1);
        let later = now + ONE_EACH;
        assert!(pace.lets_through("two", later) && !pace.lets_through("three", later));
        assert!(pace.lets_through("one", now + limits::QUIET + ONE_EACH));
        pace.not_before = now + Duration::from_secs(10_000);
        assert!(!pace.lets_through("four", now + Duration::from_secs(9_999)));
        assert!(pace.lets_through("four", now + Duration::from_secs(10_000)));
    }
}
