//! `/health`: the state of the whole and of each dependency, in the shape of
//! draft-inadarei-api-health-check with the words healthy, degraded and unhealthy.
//!
//! Invariant: what strangers may see has states and names only: no version, no figures, no texts.

use serde_json::{Map, Value, json};

use super::view::{Health, View, seconds, time};
use crate::observe::canary::CanaryState;
use crate::observe::dependency::DependencyState;
use crate::observe::finding::{Finding, Kind};

/// Something that the bot needs, and the findings that are about it.
struct Dependency {
    name: &'static str,
    /// By the draft: `component`, `datastore` or `system`.
    kind: &'static str,
    findings: &'static [Kind],
}

const TELEGRAM: Dependency = Dependency {
    name: "telegram",
    kind: "component",
    findings: &[Kind::TokenRefused, Kind::Conflict, Kind::PollStalled, Kind::PollFailing],
};

const AI: Dependency = Dependency {
    name: "ai",
    kind: "component",
    findings: &[
        Kind::ProviderFailing,
        Kind::ProviderUnusable,
        Kind::QuestionsRefused,
        Kind::CanaryFailing,
        Kind::ProviderSlow,
    ],
};

const DATABASE: Dependency = Dependency {
    name: "database",
    kind: "datastore",
    findings: &[Kind::StoreFailing, Kind::StoreCorrupt, Kind::StoreSlow],
};

const DISK: Dependency = Dependency { name: "disk", kind: "system", findings: &[Kind::DiskFull] };

/// What was measured of a dependency; `None` when nothing was yet.
struct Observed {
    value: Option<f64>,
    unit: &'static str,
    /// What the value is, in words.
    what: &'static str,
    /// When it was measured last, Unix milliseconds.
    at_ms: Option<i64>,
}

/// The answer; in short unless `full`.
pub(super) fn json(view: &View<'_>, full: bool) -> Value {
    let mut body = Map::new();
    body.insert("status".into(), json!(view.health().as_str()));
    body.insert("phase".into(), json!(view.report.phase.name()));
    if full {
        body.insert("version".into(), json!(view.about.version));
        body.insert("serviceId".into(), json!("katana-bot"));
        body.insert("environment".into(), json!(view.about.environment));
        body.insert("uptime_s".into(), json!(seconds(view.now_ms)));
        body.insert("last_processed_age_s".into(), json!(view.processed_age_s()));
        body.insert("report_age_s".into(), json!(seconds(view.report_age_ms)));
    }
    // A stale report cannot vouch for anything; this is known all the same.
    if let Some(words) = view.stale_words() {
        body.insert("output".into(), json!(words));
    }
    body.insert("checks".into(), checks(view, full));
    let findings = view.findings().iter().map(|f| finding(f, full)).collect();
    body.insert("findings".into(), Value::Array(findings));
    Value::Object(body)
}

/// A finding as JSON.
pub(super) fn finding(finding: &Finding, full: bool) -> Value {
    let (name, severity) = (finding.kind.name(), finding.severity.name());
    if !full {
        return json!({"name": name, "severity": severity});
    }
    let since = time(finding.since_ms);
    json!({"name": name, "severity": severity, "text": finding.text, "since": since})
}

/// The state of each dependency, by name.
pub(super) fn checks(view: &View<'_>, full: bool) -> Value {
    let age = |run: DependencyState, what| Observed {
        value: view.worked_age_s(&run),
        unit: "s",
        what,
        at_ms: run.worked_at_ms,
    };
    let (vitals, system) = (view.vitals, view.report.reading.system.as_ref());
    let disk = system.filter(|s| s.disk_total_bytes > 0).map(|s| {
        let free = s.disk_free_bytes as f64 / s.disk_total_bytes as f64;
        ((1.0 - free) * 1000.0).round() / 10.0
    });
    let observed = [
        (&TELEGRAM, age(vitals.polling.read(), "age of the last completed poll")),
        (&AI, age(vitals.provider.read(), "age of the last answer")),
        (&DATABASE, age(vitals.store.read(), "age of the last commit that was probed")),
        (
            &DISK,
            Observed {
                value: disk,
                unit: "percent",
                what: "share of the disk that is used",
                at_ms: Some(view.report.reading.wall_ms).filter(|at| *at > 0),
            },
        ),
    ];
    let checks = observed.map(|(dependency, observed)| {
        (dependency.name.to_owned(), json!([check(view, dependency, &observed, full)]))
    });
    let canary = canary(vitals.canary().state, full).map(|it| ("canary".to_owned(), json!([it])));
    Value::Object(checks.into_iter().chain(canary).collect())
}

/// The question that the bot puts to itself, when one is configured.
fn canary(state: CanaryState, full: bool) -> Option<Value> {
    let health = match state {
        CanaryState::None => return None,
        CanaryState::Asked => Health::Unknown,
        CanaryState::Passed | CanaryState::Superseded => Health::Healthy,
        // Not an outage; it waits for the next day.
        CanaryState::Unanswered(CanaryState::OVER_BUDGET) => Health::Degraded,
        CanaryState::Wrong | CanaryState::Unanswered(_) => Health::Unhealthy,
    };
    let mut check = json!({"status": health.as_str(), "componentType": "component"});
    if full {
        check["measurement"] = json!("answer to the canary question");
        check["output"] = match state {
            CanaryState::Unanswered(class) => json!(format!("unanswered: {class}")),
            state => json!(state.name()),
        };
    }
    Some(check)
}

fn check(view: &View<'_>, dependency: &Dependency, observed: &Observed, full: bool) -> Value {
    let about_it: Vec<&Finding> =
        view.findings().iter().filter(|f| dependency.findings.contains(&f.kind)).collect();
    let state = match about_it.iter().map(|f| f.severity).max() {
        // The bot lives on without its model, but the model itself does not work.
        Some(_) if about_it.iter().any(|f| f.kind == Kind::ProviderFailing) => Health::Unhealthy,
        Some(severity) => severity.into(),
        None if observed.value.is_none() => Health::Unknown,
        None => Health::Healthy,
    };
    let state = state.as_str();
    if !full {
        return json!({"status": state, "componentType": dependency.kind});
    }
    let mut check = json!({
        "status": state,
        "componentType": dependency.kind,
        "measurement": observed.what,
        "observedValue": observed.value,
        "observedUnit": observed.unit,
        "time": observed.at_ms.and_then(time),
    });
    if !about_it.is_empty() {
        let texts: Vec<&str> = about_it.iter().map(|f| f.text.as_str()).collect();
        check["output"] = json!(texts.join("; "));
    }
    check
}
