//! `[watch]`: when something is a finding, and where the heartbeat is written. Ratios are 0 to 1.

use std::path::{Path, PathBuf};

use crate::config::key::Part;
use crate::config::resolved::Resolved;
use crate::config::rule::{count, number, path, whole};
use crate::config::section::section;
use crate::config::source::{Origin, Sources};
use crate::config::value::Value;

/// Name of the heartbeat within its folder.
const FILE: &str = "heartbeat";

section! {
    /// The section `[watch]`: when something is a finding, and where the heartbeat is written.
    pub struct Watch in "watch", checked by check {
        /// The heartbeat file, which `check-heartbeat` reads. By default `heartbeat` in systemd's
        /// `$RUNTIME_DIRECTORY`, else beside the database.
        heartbeat_path: PathBuf = path()
            .example("/run/katana-bot/heartbeat")
            .when("When the checker looks elsewhere, or to keep the file off a disk.")
            .restart("the checker looks for it in one place"),

        /// Seconds between two verdicts; each one rewrites the heartbeat.
        every_s: u64 = whole(1..=60, 5)
            .when("Raise it to write less often to a slow disk.")
            .restart("the supervisor sets its interval at startup"),

        /// Seconds between two samples of processors, memory and network; the disk is sampled every
        /// 10 seconds.
        system_every_s: u64 = whole(1..=3600, 60)
            .when("Lower it while you investigate a problem.")
            .restart("the supervisor sets its interval at startup"),

        /// Finding `poll_stalled`: seconds without a completed poll, after which the bot counts as
        /// stalled. Not less than `telegram.poll_deadline_s`.
        poll_stalled_s: u64 = whole(1..=3600, 75)
            .when("Together with `telegram.poll_deadline_s`.").live(Part::Watch),

        /// Finding `poll_failing`: seconds for which every poll failed.
        poll_failing_s: u64 = whole(1..=3600, 30)
            .when("Raise it if the connection often fails briefly.").live(Part::Watch),

        /// Finding `conflict`: seconds for which Telegram answers that another program takes this
        /// bot's updates. One such answer is normal after a restart, and in the first minute the finding
        /// does not open.
        conflict_s: u64 = whole(0..=3600, 5).live(Part::Watch),

        /// Finding `inbox_old`: age of the oldest update that waits for its answer, in seconds. By
        /// default not less than `answer.timeout_s`. Not evaluated while an owner has paused the
        /// bot.
        inbox_age_s: u64 = whole(1..=86_400, 120)
            .when("Raise it for a slow model or long floods.").live(Part::Watch),

        /// Finding `outbox_old`: age of the oldest message that waits to be sent, in seconds.
        outbox_age_s: u64 = whole(1..=86_400, 120)
            .when("Raise it when Telegram's limits (429) hold messages back for long and that is fine.")
            .live(Part::Watch),

        /// Finding `provider_failing`: questions to the provider that fail in a row.
        provider_failures: u32 = count(1..=1000, 3)
            .when("Raise it if the provider often fails briefly.").live(Part::Watch),

        /// Finding `provider_slow`: average duration of a question to the provider in the last 5
        /// minutes, in seconds.
        provider_slow_s: f64 = number(0.1..=3600.0, 30.0)
            .when("Raise it for a model that thinks for long.").live(Part::Watch),

        /// Finding `response_slow`: average time from the receipt of a command to the arrival of
        /// its reply in the last 5 minutes, in seconds.
        response_s: f64 = number(0.01..=3600.0, 2.0)
            .when("Raise it when many chats share Telegram's limits.").live(Part::Watch),

        /// Finding `error_ratio`: share of the work of the last 5 minutes that failed; evaluated
        /// from 20 pieces of work on.
        error_ratio: f64 = number(0.001..=1.0, 0.05).live(Part::Watch),

        /// Finding `disk_full`: share of the disk of the state directory that is used.
        disk_ratio: f64 = number(0.01..=1.0, 0.90)
            .when("Raise it on a large disk that is nearly full on purpose.").live(Part::Watch),

        /// Finding `memory_high`: share of the machine's memory that is used, or of the control
        /// group's if it has a limit.
        memory_ratio: f64 = number(0.01..=1.0, 0.80)
            .when("Raise it on a machine that is nearly full on purpose.").live(Part::Watch),

        /// Finding `cpu_high`: share of the machine's processors that is busy, in several samples
        /// in a row.
        cpu_ratio: f64 = number(0.01..=1.0, 0.80)
            .when("Raise it to 1 on a machine where other work may use all processors.")
            .live(Part::Watch),

        /// Finding `store_slow`: average duration of a commit in the last 5 minutes, in
        /// milliseconds.
        commit_slow_ms: u64 = whole(1..=60_000, 500).live(Part::Watch),

        /// Finding `rss_high`: memory of the process in MiB; 0 turns it off.
        rss_warn_mb: u64 = whole(0..=1_048_576, 256).live(Part::Watch),

        /// Memory of the process in MiB above which it finishes its work and exits, so that systemd
        /// restarts it; 0 turns it off. Keep it below `MemoryMax=` of the unit (1 GiB), at which the kernel
        /// kills the bot.
        rss_stop_mb: u64 = whole(0..=1_048_576, 512)
            .when("Turn it off if nothing restarts the bot.").live(Part::Watch),

        /// Finding `documents_unreadable`: how many documents cannot be read; 0 turns it off.
        documents_unreadable: u64 = whole(0..=1_000_000, 1)
            .when("Where some documents are known to be unreadable; or leave them out with `exclude`.")
            .live(Part::Watch),

        /// Finding `documents_stale`: how long a change of the documents was seen without being searched, in
        /// seconds; 0 turns it off.
        documents_stale_s: u64 = whole(0..=604_800, 900)
            .when("Raise it for an embeddings server that is slow.").live(Part::Watch),

        /// Findings `embeddings_failing` and `qdrant_failing`: requests that failed one after the other; 0 turns
        /// them off.
        search_failures: u32 = count(0..=1000, 3).live(Part::Watch),

        /// Finding `no_hit_high`: share of the searches of the last hour that found nothing in the documents;
        /// evaluated from 20 searches on.
        no_hit_ratio: f64 = number(0.001..=1.0, 0.5)
            .when("Raise it to 1 where people ask much that is in no document.").live(Part::Watch),

        /// Finding `unsourced_high`: share of the answers of the last hour that name no source although passages
        /// were found; evaluated from 20 answers on.
        unsourced_ratio: f64 = number(0.001..=1.0, 0.5)
            .when("Raise it to 1 where people mostly chat.").live(Part::Watch),

        /// How long `delivery_refused`, `possible_duplicate`, `update_given_up` and `unclean_start`
        /// stay open after they last happened, in seconds.
        event_s: u64 = whole(1..=604_800, 600).live(Part::Watch),

        /// Stretches (above 1) or shortens (below 1) how long a condition must hold before its
        /// finding opens, and be gone before it closes.
        patience: f64 = number(0.0..=100.0, 1.0)
            .when("Raise it when findings come and go.").live(Part::Watch),

        /// How long a stage may work without progress, in seconds, in addition to what it waits for
        /// on purpose. After that the finding `stage_stalled` opens and systemd's watchdog gets no
        /// more pings.
        stall_s: u64 = whole(1..=3600, 40).when("Raise it on a very slow disk.").live(Part::Watch),
    }
}

/// Comes after the sections whose keys it is compared with.
fn check(resolved: &mut Resolved<'_>) {
    const HEARTBEAT: &str = "watch.heartbeat_path";
    let database: PathBuf = resolved.get("store.path");
    match resolved.get::<Option<PathBuf>>(HEARTBEAT) {
        None => {
            let (path, why) = default_path(resolved.sources, &database);
            let text = Value::Text(path.to_string_lossy().into_owned());
            resolved.set(HEARTBEAT, text, Origin::Derived(why.to_owned()));
        }
        Some(path) if path == database => {
            let message = "the heartbeat would overwrite the database";
            resolved.problems.push(HEARTBEAT, message, "name another file");
        }
        Some(_) => {}
    }
    refuse_contradictions(resolved);
    leave_time_for_answers(resolved);
}

/// The usual file, and where its folder comes from.
fn default_path(sources: &Sources, database: &Path) -> (PathBuf, &'static str) {
    // systemd joins several runtime directories with colons (systemd.exec(5)); the first is ours.
    match sources.env.variable("RUNTIME_DIRECTORY").and_then(|all| all.split(':').next()) {
        Some(dir) => (PathBuf::from(dir).join(FILE), "from $RUNTIME_DIRECTORY"),
        None => (database.with_file_name(FILE), "beside store.path"),
    }
}

/// An inbox is not too old because of an answer that is slow but in time.
fn leave_time_for_answers(resolved: &mut Resolved<'_>) {
    let (age, timeout_s) = ("watch.inbox_age_s", resolved.get("answer.timeout_s"));
    if resolved.get::<u64>(age) >= timeout_s {
        return;
    }
    if resolved.is_default(age) {
        let why = Origin::Derived("from answer.timeout_s".to_owned());
        resolved.set(age, Value::Whole(timeout_s), why);
    } else {
        resolved.warn(
            age,
            "one answer that is slow but still in time would count as an inbox that is too old",
            "write at least answer.timeout_s",
        );
    }
}

fn refuse_contradictions(resolved: &mut Resolved<'_>) {
    let (stalled, deadline) = ("watch.poll_stalled_s", "telegram.poll_deadline_s");
    if let Some((stalled_s, deadline_s)) = resolved.both::<u64>(stalled, deadline)
        && stalled_s < deadline_s
    {
        let message = "a poll that is still in time would count as stalled";
        let hint = format!("write at least poll_deadline_s, which is {deadline_s}");
        resolved.problems.push(stalled, message, hint);
    }
    let (warn, stop) = ("watch.rss_warn_mb", "watch.rss_stop_mb");
    if let Some((warn_mb, stop_mb)) = resolved.both::<u64>(warn, stop)
        && stop_mb > 0
        && warn_mb >= stop_mb
    {
        let message = "the process would stop before the warning";
        let hint = format!("write less than rss_stop_mb, which is {stop_mb}, or 0 for no warning");
        resolved.problems.push(warn, message, hint);
    }
}
