//! Which findings of the bot, and which causes of an outage, follow from others: one cause sends one
//! alert.

use std::collections::BTreeSet;

/// The finding about a process that ended without a clean stop.
pub const UNCLEAN: &str = "unclean_start";

/// The cause of an outage in which there is no heartbeat, or an old one.
pub const SILENT: &str = "silent";

/// What follows from a time in which the bot was down, for some minutes after it.
const AFTER_DOWN: [&str; 6] =
    [UNCLEAN, "crash_loop", "inbox_old", "outbox_old", "response_slow", "error_ratio"];

/// A symptom, and the causes that explain it.
const CAUSES: [(&str, &str); 16] = [
    (
        "error_ratio",
        "provider_failing questions_refused delivery_refused update_given_up store_failing",
    ),
    ("provider_unusable", "provider_failing"),
    ("provider_slow", "provider_failing"),
    ("canary_failing", "provider_failing questions_refused store_failing stage_stalled"),
    (
        "inbox_old",
        "provider_failing provider_slow store_failing store_slow cpu_high backlog_full outbox_old",
    ),
    ("outbox_old", "poll_failing poll_stalled store_failing"),
    ("backlog_full", "provider_failing provider_slow store_slow"),
    ("response_slow", "store_slow cpu_high memory_high outbox_old"),
    ("documents_stale", "embeddings_failing budget_exhausted disk_full store_failing"),
    ("no_hit_high", "embeddings_failing qdrant_failing documents_stale"),
    ("unsourced_high", "embeddings_failing qdrant_failing documents_stale"),
    ("poll_failing", "store_failing poll_stalled"),
    ("poll_stalled", "poll_failing"),
    (UNCLEAN, "crash_loop"),
    // A process that ends again and again is silent now and then.
    ("crash_loop", SILENT),
    (SILENT, "crash_loop stage_stalled"),
];

/// Whether the finding `name` follows from `cause`.
pub fn follows_from(name: &str, cause: &str) -> bool {
    CAUSES
        .iter()
        .any(|(symptom, causes)| *symptom == name && causes.split(' ').any(|known| known == cause))
}

/// Whether what is reported beside a finding explains it. `was_down`: an incident about the program as a
/// whole went on until this check.
pub fn has_cause(name: &str, was_down: bool, reported: &BTreeSet<String>) -> bool {
    was_down && AFTER_DOWN.contains(&name) || reported.iter().any(|other| follows_from(name, other))
}
