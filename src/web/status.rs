//! `/bot/status`: everything that is known, as JSON. `katana-bot status` shows it as a table.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::health::finding;
use super::view::{View, seconds, time};
use crate::model::budget::Period;
use crate::model::class::FailureClass;
use crate::model::money::MicroUsd;
use crate::observe::dependency::DependencyState;
use crate::observe::documents::DocumentsState;
use crate::observe::index::Progress;
use crate::observe::liveness::Loop;
use crate::observe::providers::ProviderState;
use crate::supervise::{Depth, MoneyReading, System};

/// The answer. Durations are in seconds, times in RFC 3339, what is not known is `null`.
pub(super) fn json(view: &View<'_>) -> Value {
    let (report, vitals, about) = (&view.report, view.vitals, &view.about);
    let (reading, canary) = (&report.reading, vitals.canary());
    let findings: Vec<Value> = view.findings().iter().map(|f| finding(f, true)).collect();
    json!({
        "status": report.verdict.status.name(),
        "health": view.health().as_str(),
        "phase": report.phase.name(),
        "ready": view.obstacles(true).is_empty(),
        "reasons": view.obstacles(true),
        "findings": findings,
        "about": {
            "version": about.version,
            "environment": about.environment,
            "username": about.username,
            "provider": about.provider,
            "model": about.model,
            "pid": std::process::id(),
            "uptime_s": seconds(view.now_ms),
        },
        "report": {
            "sequence": report.sequence,
            "age_s": seconds(view.report_age_ms),
            "stale": view.stale,
        },
        "polling": dependency(view, &vitals.polling.read()),
        "sending": dependency(view, &vitals.sending.read()),
        "provider": dependency(view, &vitals.provider.read()),
        "providers": vitals.providers.load().iter().map(|one| provider(view, one)).collect::<Vec<_>>(),
        "store": dependency(view, &vitals.store.read()),
        "queues": {
            "inbox": reading.inbox.map(depth),
            "outbox": reading.outbox.map(depth),
            "at_telegram": reading.pending,
            "backlog_full": reading.backlog_full,
        },
        "paused": reading.paused,
        "documents": documents(reading.documents),
        "index": index(view),
        "embeddings": dependency(view, &vitals.embeddings.read()),
        "qdrant": dependency(view, &vitals.qdrant.read()),
        "backups": reading.backups.as_ref().map(|backups| json!({
            "newest": backups.newest_ms.and_then(time),
            "count": backups.count,
            "failed": backups.failed.as_ref().map(|failed| &failed.why),
        })),
        "budget": budget(&reading.money),
        "features": about.features.iter().copied().collect::<BTreeMap<_, _>>(),
        "canary": canary.state.name(),
        "canary_age_s": (canary.at_ms > 0).then(|| seconds(vitals.now_ms().saturating_sub(canary.at_ms))),
        "last_processed": view.processed_at_ms().and_then(time),
        "counts": counts(view),
        "recent": {
            "window_s": reading.recent.window_s,
            "command_s": reading.recent.command_s,
            "provider_s": reading.recent.provider_s,
            "commit_s": reading.recent.commit_s,
            "done": reading.recent.done,
            "failed": reading.recent.failed,
            "error_ratio": reading.recent.error_ratio(),
        },
        "loops": Value::Object(
            Loop::ALL
                .map(|l| (l.name().to_owned(), json!(vitals.silent_ms(l).map(seconds))))
                .into_iter()
                .collect(),
        ),
        "system": reading.system.as_ref().map(system),
    })
}

/// What was spent in total today and this month (UTC), and how much may be.
fn budget(money: &MoneyReading) -> Value {
    let of = |period| {
        let limit = money.budgets.total.of(period).map(MicroUsd::as_f64);
        json!({"used_usd": money.spent.map(|spent| spent.of(period).cost.as_f64()), "limit_usd": limit})
    };
    json!({"day": of(Period::Day), "month": of(Period::Month)})
}

fn dependency(view: &View<'_>, state: &DependencyState) -> Value {
    let failing = state.failing_since_ms.map(|at| seconds(view.now_ms.saturating_sub(at)));
    json!({
        "last_worked": state.worked_at_ms.and_then(time),
        "last_worked_age_s": view.worked_age_s(state),
        "failures": state.failures,
        "failing_for_s": failing,
        "class": state.class.map(FailureClass::as_str),
    })
}

/// One provider of the list: whether it is asked, and if not, why and until when.
fn provider(view: &View<'_>, one: &ProviderState) -> Value {
    let outage = one.outage.as_ref();
    json!({
        "name": one.name,
        "model": one.model,
        "breaker": one.word(),
        "class": outage.map(|outage| outage.class.as_str()),
        "unusable": outage.is_some_and(|outage| outage.is_unusable),
        "failing_for_s": outage.map(|outage| seconds(outage.lasts_ms(view.now_ms))),
        "asked_again_in_s": outage.map(|outage| seconds(outage.due_ms(view.now_ms))),
    })
}

fn documents(state: DocumentsState) -> Value {
    let (files, passages) = state.size();
    json!({ "state": state.name(), "files": files, "passages": passages })
}

/// The index of the documents. Models have their names, documents have not.
fn index(view: &View<'_>) -> Value {
    let (index, retrievals) = (&view.report.reading.index, view.report.reading.retrievals);
    json!({
        "files": index.files,
        "passages": index.passages,
        "unreadable": index.unreadable,
        "folders_unreadable": index.folders_unreadable,
        "short_of_space": index.is_short(),
        "oldest_change_age_s":
            index.oldest_change_ms().map(|at| seconds(view.now_ms.saturating_sub(at))),
        "synced": index.synced_at_ms.and_then(time),
        "active": index.active.as_ref().map(progress),
        "building": index.building.as_ref().map(progress),
        "last_hour": {
            "searches": retrievals.searches,
            "without_result": retrievals.none,
            "answers_with_documents": retrievals.answers,
            "without_source": retrievals.unsourced,
        },
    })
}

fn progress(progress: &Progress) -> Value {
    json!({
        "generation": progress.generation,
        "model": progress.model,
        "embedded": progress.embedded,
        "of": progress.of,
        "per_s": progress.per_s,
        "eta_s": progress.eta_s(),
    })
}

fn depth(depth: Depth) -> Value {
    json!({"count": depth.count, "oldest_s": depth.oldest_ms.map(seconds)})
}

fn counts(view: &View<'_>) -> Value {
    let v = view.vitals;
    json!({
        "updates": v.updates.get(),
        "commands": v.commands.get(),
        "answers": v.answers.get(),
        "answers_failed": v.answers_failed.get(),
        "sent": v.sent.get(),
        "dropped": v.dropped.get(),
        "refused_by_chats": v.counters("chat_refused").into_iter().collect::<BTreeMap<_, _>>(),
        "possible_duplicates": v.possible_duplicates.get(),
        "polls": v.polls.get(),
        "polls_failed": v.polls_failed.get(),
        "conflicts": v.conflicts.get(),
        "rate_limited": v.rate_limited.get(),
    })
}

fn system(system: &System) -> Value {
    json!({
        "cpu_ratio": system.cpu_ratio,
        "memory_total_bytes": system.memory_total_bytes,
        "memory_used_bytes": system.memory_used_bytes,
        "disk_total_bytes": system.disk_total_bytes,
        "disk_free_bytes": system.disk_free_bytes,
        "processes": system.processes,
        "rss_bytes": system.rss_bytes,
        "open_files": system.open_files,
        "open_files_max": system.open_files_max,
        "threads": system.threads,
        "cpu_seconds": system.cpu_seconds,
    })
}
