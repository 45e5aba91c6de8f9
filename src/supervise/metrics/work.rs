//! The work: polls, updates, commands, questions, parts, queues.

use super::known::{Names, counted, observed, time_s};
use crate::model::class::{AnswerClass, CallOutcome, ChatRefusal, TelegramClass};
use crate::model::work::{IGNORED, WorkKind};
use crate::observe::canary::CanaryState;
use crate::observe::dependency::DependencyHealth;
use crate::observe::label::Label;
use crate::observe::vitals::{Timing, Vitals};
use crate::supervise::exposition::Family;
use crate::supervise::report::{Depth, Report};

/// Pieces of an answer that nothing uses, as the provider's edge names them.
const PROVIDER_EVENTS: &[&str] = &["event", "delta", "content", "tool_call"];

/// What is counted in place of a command that does not exist.
const UNKNOWN_COMMAND: &str = "unknown";

/// All families of this file.
pub(super) fn families(names: &Names<'_>, vitals: &Vitals, report: &Report) -> Vec<Family> {
    let mut families = polling(vitals, report);
    families.extend(updates(vitals));
    families.push(commands(names, vitals));
    families.extend(answers(vitals));
    families.extend(canary(vitals));
    families.extend(parts(vitals));
    families.extend(queues(report));
    families.extend(waits(vitals));
    families.push(consecutive(vitals));
    families
}

fn count(name: &'static str, help: &'static str, count: u64) -> Family {
    Family::counter(name, &[], help).with_count(&[], count)
}

fn telegram_classes() -> Vec<&'static str> {
    TelegramClass::ALL.iter().map(|class| class.as_str()).collect()
}

fn polling(vitals: &Vitals, report: &Report) -> Vec<Family> {
    let telegram = telegram_classes();
    let failures = Family::counter(
        "katana_poll_failures_total",
        &["class"],
        "Polls that failed, by class of the error.",
    );
    vec![
        Family::gauge(
            "katana_poll_last_completed_timestamp_seconds",
            &[],
            "When Telegram last answered a poll of this process, Unix time.",
        )
        .with_some(&[], time_s(vitals.polling.read().worked_at_ms)),
        count("katana_polls_completed_total", "Polls that Telegram answered.", vitals.polls.get()),
        counted(failures, vitals, "poll_failed", &telegram),
        count(
            "katana_telegram_conflicts_total",
            "Polls answered with 409: another program takes this bot's updates.",
            vitals.conflicts.get(),
        ),
        count(
            "katana_telegram_rate_limited_total",
            "Calls answered with 429.",
            vitals.rate_limited.get(),
        ),
        Family::gauge(
            "katana_telegram_pending_updates",
            &[],
            "Updates that wait at Telegram, as of the last query.",
        )
        .with_some(&[], report.reading.pending.map(|n| n as f64)),
        Family::gauge(
            "katana_backlog_full",
            &[],
            "Whether polling is paused because too many updates wait (1) or not (0).",
        )
        .with_flag(&[], report.reading.backlog_full),
        Family::gauge("katana_paused", &[], "Whether an owner paused answering (1) or not (0).")
            .with_flag(&[], report.reading.paused),
    ]
}

/// The last outcome of the question that the bot puts to itself.
fn canary(vitals: &Vitals) -> [Family; 2] {
    let now = vitals.canary().state.name();
    let family = Family::gauge(
        "katana_canary",
        &["state"],
        "The canary question: 1 for its last outcome, 0 for the others.",
    );
    let state = |family: Family, name: &&str| family.with_flag(&[name], now == *name);
    let asked = Family::counter(
        "katana_canary_questions_total",
        &["outcome"],
        "Canary questions, by outcome.",
    );
    let asked = counted(asked, vitals, "canary", &CanaryState::OUTCOMES);
    [CanaryState::NAMES.iter().fold(family, state), asked]
}

fn updates(vitals: &Vitals) -> Vec<Family> {
    let done_ms = vitals.processed_at_ms.load(std::sync::atomic::Ordering::Relaxed);
    let ignored = Family::counter(
        "katana_updates_ignored_total",
        &["reason"],
        "Updates that need no answer, by reason.",
    );
    let skipped = Family::counter(
        "katana_updates_skipped_total",
        &["reason"],
        "Elements of a poll's answer that could not be stored, by reason.",
    );
    let done = Family::counter(
        "katana_updates_done_total",
        &["outcome"],
        "Updates that someone waited for, by outcome.",
    );
    vec![
        count(
            "katana_updates_received_total",
            "Updates accepted into the inbox.",
            vitals.updates.get(),
        ),
        count(
            "katana_updates_repeated_total",
            "Updates that Telegram delivered again and that were not stored twice.",
            vitals.updates_repeated.get(),
        ),
        counted(done, vitals, "update", &["command", "answered", "failed"]),
        counted(ignored, vitals, "ignored", IGNORED),
        counted(skipped, vitals, "skipped", &["no_update_id"]),
        Family::gauge(
            "katana_update_last_done_timestamp_seconds",
            &[],
            "When this process last finished an update, Unix time.",
        )
        .with_some(&[], time_s((done_ms > 0).then_some(done_ms))),
    ]
}

fn commands(names: &Names<'_>, vitals: &Vitals) -> Family {
    let mut commands = Family::counter(
        "katana_commands_total",
        &["command", "outcome"],
        "Chat commands, by name and outcome.",
    );
    let rows = vitals.counters("command");
    let parted = |label: &str| {
        let (name, outcome) = label.split_once(':').unwrap_or((label, "other"));
        (name.to_owned(), outcome.to_owned())
    };
    let all = names.commands.iter().chain(&[UNKNOWN_COMMAND]);
    for (name, outcome) in all.flat_map(|n| [(*n, "ok"), (*n, "denied")]) {
        let known = (name.to_owned(), outcome.to_owned());
        if rows.iter().all(|(label, _)| parted(label) != known) {
            commands = commands.with_count(&[name, outcome], 0);
        }
    }
    for (label, count) in &rows {
        let (name, outcome) = parted(label);
        commands = commands.with_count(&[&name, &outcome], *count);
    }
    commands
}

fn answers(vitals: &Vitals) -> Vec<Family> {
    let classes: Vec<_> = AnswerClass::ALL.iter().map(|class| class.as_str()).collect();
    let failed = Family::counter(
        "katana_question_failures_total",
        &["class"],
        "Questions whose provider failed, by class of the error.",
    );
    let limited = Family::counter(
        "katana_rate_limited_total",
        &["scope"],
        "Questions that were refused because their person or their chat asked too many, by the limit.",
    );
    let cached = Family::counter(
        "katana_answer_cache_total",
        &["outcome"],
        "Questions that depend on their words alone, by whether an answer was kept.",
    );
    let unused = Family::counter(
        "katana_provider_events_unused_total",
        &["kind"],
        "Pieces of models' answers that this version does not use, by kind.",
    );
    let retried = Family::counter(
        "katana_provider_retries_total",
        &["class"],
        "Questions that were put to the provider again before their first word, by class of the error.",
    );
    let retried_classes =
        [AnswerClass::RateLimit, AnswerClass::Overloaded, AnswerClass::Unreachable]
            .map(AnswerClass::as_str);
    vec![
        Family::counter("katana_questions_total", &["outcome"], "Questions, by outcome.")
            .with_count(&["answered"], vitals.answers.get())
            .with_count(&["failed"], vitals.answers_failed.get()),
        counted(failed, vitals, "answer_failed", &classes),
        counted(limited, vitals, "rate_limited", &["user", "chat", "user_parallel"]),
        counted(cached, vitals, "answer_cache", &["hit", "miss", "fresh"]),
        counted(unused, vitals, "provider_event_unused", PROVIDER_EVENTS),
        counted(retried, vitals, "provider_retry", &retried_classes),
    ]
}

fn parts(vitals: &Vitals) -> Vec<Family> {
    let telegram = telegram_classes();
    let refused = Family::counter(
        "katana_parts_refused_total",
        &["class"],
        "Sends of parts that Telegram refused, by class of the error.",
    );
    let by_chat = Family::counter(
        "katana_parts_refused_by_chat_total",
        &["reason"],
        "Sends of parts that a chat did not take, by reason. They open no finding.",
    );
    let in_doubt = Family::counter(
        "katana_parts_doubtful_total",
        &["class"],
        "Sends of parts that ended without a usable answer, by class of the error.",
    );
    vec![
        Family::counter(
            "katana_parts_total",
            &["outcome"],
            "Parts of replies (one Telegram message each), by outcome.",
        )
        .with_count(&["sent"], vitals.sent.get())
        .with_count(&["dropped"], vitals.dropped.get()),
        counted(refused, vitals, "send_refused", &telegram),
        counted(
            by_chat,
            vitals,
            "chat_refused",
            &ChatRefusal::ALL.iter().map(|r| r.as_str()).collect::<Vec<_>>(),
        ),
        counted(
            in_doubt,
            vitals,
            "send_doubtful",
            &[TelegramClass::Timeout.as_str(), TelegramClass::Cut.as_str()],
        ),
        count(
            "katana_chats_shut_out_total",
            "Chats that the bot can no longer write to: it was blocked or removed.",
            vitals.chats_shut_out.get(),
        ),
        Family::counter(
            "katana_reconciliations_total",
            &["outcome"],
            "Parts in doubt, by what the reconciler found.",
        )
        .with_count(&["arrived"], vitals.reconciled_arrived.get())
        .with_count(&["lost"], vitals.reconciled_lost.get())
        .with_count(&["possible_duplicate"], vitals.possible_duplicates.get()),
        count(
            "katana_reconciliation_probes_total",
            "Edits by which the reconciler asked whether a message arrived.",
            vitals.probes.get(),
        ),
    ]
}

fn queues(report: &Report) -> Vec<Family> {
    let (inbox, outbox) = (report.reading.inbox, report.reading.outbox);
    let depth = |depth: Option<Depth>| depth.map(|d| d.count as f64);
    let oldest = |depth: Option<Depth>| depth.map(|d| d.oldest_ms.unwrap_or(0) as f64 / 1000.0);
    vec![
        Family::gauge("katana_inbox_updates", &[], "Updates that wait in the inbox.")
            .with_some(&[], depth(inbox)),
        Family::gauge(
            "katana_inbox_oldest_age_seconds",
            &[],
            "Age of the oldest of them; 0 when none waits.",
        )
        .with_some(&[], oldest(inbox)),
        Family::gauge("katana_outbox_parts", &[], "Parts that wait in the outbox.")
            .with_some(&[], depth(outbox)),
        Family::gauge(
            "katana_outbox_oldest_age_seconds",
            &[],
            "Age of the oldest of them; 0 when none waits.",
        )
        .with_some(&[], oldest(outbox)),
    ]
}

fn waits(vitals: &Vitals) -> Vec<Family> {
    let mut response = Family::histogram(
        "katana_response_duration_seconds",
        &["kind", "outcome"],
        "From the acceptance of an update to the commit of its replies, by kind of update and outcome.",
    );
    let ok = || Label::from(CallOutcome::Ok);
    let known = [
        (WorkKind::Command.into(), ok()),
        (WorkKind::Question.into(), ok()),
        (WorkKind::Question.into(), Label::Failed),
    ];
    for (kind, outcome, buckets) in observed(vitals, Timing::Response, &known) {
        response = response.with_buckets(&[kind.as_str(), outcome.as_str()], buckets);
    }
    let mut delivery = Family::histogram(
        "katana_delivery_duration_seconds",
        &["kind"],
        "From the commit of a part to its arrival, by kind of update.",
    );
    let known = [WorkKind::Command, WorkKind::Question].map(|kind| (kind.into(), Label::None));
    for (kind, _, buckets) in observed(vitals, Timing::Delivery, &known) {
        delivery = delivery.with_buckets(&[kind.as_str()], buckets);
    }
    let mut lag = Family::histogram(
        "katana_inbound_lag_seconds",
        &[],
        "From the date of a message to its acceptance.",
    );
    let all = observed(vitals, Timing::InboundLag, &[(Label::None, Label::None)]);
    for (_, _, buckets) in all.into_iter().take(1) {
        lag = lag.with_buckets(&[], buckets);
    }
    vec![response, delivery, lag]
}

fn consecutive(vitals: &Vitals) -> Family {
    let failures = |dependency: &DependencyHealth| u64::from(dependency.read().failures);
    Family::gauge(
        "katana_consecutive_failures",
        &["dependency"],
        "Failed calls of a dependency since the last successful one.",
    )
    .with_count(&["telegram_poll"], failures(&vitals.polling))
    .with_count(&["telegram_send"], failures(&vitals.sending))
    .with_count(&["provider"], failures(&vitals.provider))
    .with_count(&["store"], failures(&vitals.store))
    .with_count(&["embeddings"], failures(&vitals.embeddings))
    .with_count(&["qdrant"], failures(&vitals.qdrant))
}
