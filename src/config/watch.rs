//! `[watch]`: when something is a finding, and where the heartbeat is written.

use std::path::{Path, PathBuf};

use super::key::{Key, Kind};
use super::settled::Settled;
use super::source::{Origin, Sources};
use super::value::Value;

/// Name of the heartbeat within its folder.
const FILE: &str = "heartbeat";

/// The section `[watch]`. Ratios are 0 to 1.
#[derive(Clone, Debug)]
pub struct Watch {
    /// The heartbeat file.
    pub heartbeat_path: PathBuf,
    /// Between two verdicts, and two heartbeats.
    pub every_s: u64,
    /// Between two looks at the machine.
    pub system_every_s: u64,
    /// Time without a completed poll.
    pub poll_stalled_s: u64,
    /// Time of polls that fail.
    pub poll_failing_s: u64,
    /// Time of 409 answers that go on.
    pub conflict_s: u64,
    /// Age of the oldest update that waits.
    pub inbox_age_s: u64,
    /// Age of the oldest message that waits.
    pub outbox_age_s: u64,
    /// Questions to the provider that fail one after the other.
    pub provider_failures: u32,
    /// Average duration of a question to the provider.
    pub provider_slow_s: f64,
    /// Average time to the reply to a command.
    pub response_s: f64,
    /// Share of the work that fails.
    pub error_ratio: f64,
    /// Share of the disk that is used.
    pub disk_ratio: f64,
    /// Share of the memory that is used.
    pub memory_ratio: f64,
    /// Share of the processors that is busy.
    pub cpu_ratio: f64,
    /// Average duration of a commit, in milliseconds.
    pub commit_slow_ms: u64,
    /// Memory of the process that is a finding, in MiB; 0 is never.
    pub rss_warn_mb: u64,
    /// Memory of the process at which it drains and exits, in MiB; 0 is never.
    pub rss_stop_mb: u64,
    /// How long something that happened stays a finding.
    pub event_s: u64,
    /// Stretches or shortens how long a condition must hold, or be gone.
    pub patience: f64,
    /// How long the work of one turn of a loop may take.
    pub stall_s: u64,
}

pub(super) const KEYS: &[Key] = &[
    Key::new("watch.heartbeat_path", Kind::Path, "").example("/run/katana-bot/heartbeat").doc(
        "The heartbeat file, which `check-heartbeat` reads. By default `heartbeat` in systemd's `$RUNTIME_DIRECTORY`, else beside the database.",
        "When the checker looks elsewhere, or to keep the file off a disk.",
    ),
    Key::new("watch.every_s", Kind::Whole(1, 60), "5").doc(
        "Seconds between two verdicts; with each one the heartbeat is written anew.",
        "Raise it to write less often to a slow disk.",
    ),
    Key::new("watch.system_every_s", Kind::Whole(1, 3600), "60").doc(
        "Seconds between two looks at processors, memory and network; the disk is looked at every 10 seconds.",
        "Lower it while something is investigated.",
    ),
    Key::new("watch.poll_stalled_s", Kind::Whole(1, 3600), "75").doc(
        "Finding `poll_stalled`: seconds without a completed poll, after which the bot counts as deaf. Not less than `telegram.poll_deadline_s`.",
        "Together with `telegram.poll_deadline_s`.",
    ),
    Key::new("watch.poll_failing_s", Kind::Whole(1, 3600), "30").doc(
        "Finding `poll_failing`: seconds for which every poll failed.",
        "Raise it behind a line that fails often and briefly.",
    ),
    Key::new("watch.conflict_s", Kind::Whole(0, 3600), "60").doc(
        "Finding `conflict`: seconds for which Telegram answers that somebody else takes this bot's updates. After a restart one such answer is normal.",
        "",
    ),
    Key::new("watch.inbox_age_s", Kind::Whole(1, 86_400), "120").doc(
        "Finding `inbox_old`: age of the oldest update that waits for its answer, in seconds. By default not less than `answer.timeout_s`. Not judged while the owner has paused the bot.",
        "Raise it for a slow model or long floods.",
    ),
    Key::new("watch.outbox_age_s", Kind::Whole(1, 86_400), "120").doc(
        "Finding `outbox_old`: age of the oldest message that waits to be sent, in seconds.",
        "Raise it when Telegram's limits (429) hold messages back for long and that is fine.",
    ),
    Key::new("watch.provider_failures", Kind::Whole(1, 1000), "3").doc(
        "Finding `provider_failing`: questions to the provider that fail one after the other.",
        "Raise it for a provider that fails often and briefly.",
    ),
    Key::new("watch.provider_slow_s", Kind::Number(0.1, 3600.0), "30.0").doc(
        "Finding `provider_slow`: average duration of a question to the provider in the last 5 minutes, in seconds.",
        "Raise it for a model that thinks for long.",
    ),
    Key::new("watch.response_s", Kind::Number(0.01, 3600.0), "2.0").doc(
        "Finding `response_slow`: average time from the receipt of a command to the arrival of its reply in the last 5 minutes, in seconds.",
        "Raise it when many chats share Telegram's limits.",
    ),
    Key::new("watch.error_ratio", Kind::Number(0.001, 1.0), "0.05").doc(
        "Finding `error_ratio`: share of the work of the last 5 minutes that failed; judged from 20 pieces of work on.",
        "",
    ),
    Key::new("watch.disk_ratio", Kind::Number(0.01, 1.0), "0.90").doc(
        "Finding `disk_full`: share of the disk of the state directory that is used.",
        "Raise it on a large disk that is meant to be nearly full.",
    ),
    Key::new("watch.memory_ratio", Kind::Number(0.01, 1.0), "0.80").doc(
        "Finding `memory_high`: share of the machine's memory that is used, or of the control group's when that is limited.",
        "Raise it on a machine that is meant to be nearly full.",
    ),
    Key::new("watch.cpu_ratio", Kind::Number(0.01, 1.0), "0.80").doc(
        "Finding `cpu_high`: share of the machine's processors that is busy, for several looks.",
        "Raise it to 1 on a machine with other work that may take all.",
    ),
    Key::new("watch.commit_slow_ms", Kind::Whole(1, 60_000), "500").doc(
        "Finding `store_slow`: average duration of a commit in the last 5 minutes, in milliseconds.",
        "",
    ),
    Key::new("watch.rss_warn_mb", Kind::Whole(0, 1_048_576), "256").doc(
        "Finding `rss_high`: memory of the process in MiB; 0 turns it off.",
        "",
    ),
    Key::new("watch.rss_stop_mb", Kind::Whole(0, 1_048_576), "512").doc(
        "Memory of the process in MiB from which on it finishes its work and exits, so that systemd starts it anew; 0 turns it off.",
        "Turn it off where nothing restarts the bot.",
    ),
    Key::new("watch.event_s", Kind::Whole(1, 604_800), "600").doc(
        "How long `delivery_refused`, `possible_duplicate`, `update_given_up` and `unclean_start` stay after they happened last, in seconds.",
        "",
    ),
    Key::new("watch.patience", Kind::Number(0.0, 100.0), "1.0").doc(
        "Stretches (above 1) or shortens (below 1) how long a condition must hold before its finding opens, and be gone before it closes.",
        "Raise it when findings come and go.",
    ),
    Key::new("watch.stall_s", Kind::Whole(1, 3600), "40").doc(
        "How long a stage may work on one turn, in seconds, on top of what it waits for on purpose. After that the finding `stage_stalled` opens and systemd's watchdog is told.",
        "Raise it on a very slow disk.",
    ),
];

impl Watch {
    /// Runs after the sections whose keys it is compared with.
    pub(super) fn read(settled: &mut Settled, sources: &Sources, database: &Path) -> Self {
        if settled.path("watch.heartbeat_path").is_none() {
            let (path, why) = default_path(sources, database);
            let text = Value::Text(path.to_string_lossy().into_owned());
            settled.set("watch.heartbeat_path", text, Origin::Derived(why.to_owned()));
        }
        refuse_contradictions(settled, database);
        leave_time_for_answers(settled);
        Self {
            heartbeat_path: settled.path("watch.heartbeat_path").unwrap_or_default(),
            every_s: settled.whole("watch.every_s"),
            system_every_s: settled.whole("watch.system_every_s"),
            poll_stalled_s: settled.whole("watch.poll_stalled_s"),
            poll_failing_s: settled.whole("watch.poll_failing_s"),
            inbox_age_s: settled.whole("watch.inbox_age_s"),
            outbox_age_s: settled.whole("watch.outbox_age_s"),
            provider_failures: settled.count("watch.provider_failures"),
            provider_slow_s: settled.number("watch.provider_slow_s"),
            response_s: settled.number("watch.response_s"),
            error_ratio: settled.number("watch.error_ratio"),
            disk_ratio: settled.number("watch.disk_ratio"),
            memory_ratio: settled.number("watch.memory_ratio"),
            cpu_ratio: settled.number("watch.cpu_ratio"),
            commit_slow_ms: settled.whole("watch.commit_slow_ms"),
            rss_warn_mb: settled.whole("watch.rss_warn_mb"),
            rss_stop_mb: settled.whole("watch.rss_stop_mb"),
            event_s: settled.whole("watch.event_s"),
            patience: settled.number("watch.patience"),
            stall_s: settled.whole("watch.stall_s"),
            conflict_s: settled.whole("watch.conflict_s"),
        }
    }
}

/// The usual file, and where its folder comes from.
fn default_path(sources: &Sources, database: &Path) -> (PathBuf, &'static str) {
    // systemd joins several runtime directories with colons (systemd.exec(5)); the first is ours.
    match sources.variable("RUNTIME_DIRECTORY").and_then(|all| all.split(':').next()) {
        Some(dir) => (PathBuf::from(dir).join(FILE), "from $RUNTIME_DIRECTORY"),
        None => (database.with_file_name(FILE), "beside store.path"),
    }
}

/// An answer that is slow but in time is no inbox that is too old.
fn leave_time_for_answers(settled: &mut Settled) {
    let (age, timeout) = ("watch.inbox_age_s", settled.whole("answer.timeout_s"));
    if settled.whole(age) >= timeout {
        return;
    }
    if settled.is_default(age) {
        settled.set(age, Value::Whole(timeout), Origin::Derived("from answer.timeout_s".into()));
    } else {
        settled.warn(
            age,
            "one answer that is slow but still in time would count as an inbox that is too old",
            "write at least answer.timeout_s",
        );
    }
}

fn refuse_contradictions(settled: &mut Settled, database: &Path) {
    let sound =
        |settled: &Settled, keys: [&str; 2]| keys.iter().all(|key| !settled.problems.about(key));
    let (stalled, deadline) = ("watch.poll_stalled_s", "telegram.poll_deadline_s");
    if sound(settled, [stalled, deadline]) && settled.whole(stalled) < settled.whole(deadline) {
        let message = "a poll that is still in time would count as stalled";
        let hint = format!("write at least poll_deadline_s, which is {}", settled.whole(deadline));
        settled.problems.push(stalled, message, hint);
    }
    let (warn, stop) = ("watch.rss_warn_mb", "watch.rss_stop_mb");
    let stops_at = settled.whole(stop);
    if sound(settled, [warn, stop]) && stops_at > 0 && settled.whole(warn) >= stops_at {
        let message = "the process would be stopped before it is warned about";
        let hint = format!("write less than rss_stop_mb, which is {stops_at}, or 0 for no warning");
        settled.problems.push(warn, message, hint);
    }
    let heartbeat = "watch.heartbeat_path";
    if settled.path(heartbeat).is_some_and(|path| path == database) {
        let message = "the heartbeat would overwrite the database";
        settled.problems.push(heartbeat, message, "name another file");
    }
}
