//! What becomes of each key when the configuration is read again: which part takes the new value,
//! or why it needs a restart. A test compares this with the table of keys.

use crate::config::Config;

/// A part that takes new values while it works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Who may what, and the menus of the owners.
    Access,
    /// The Telegram client: both connections are opened anew, and the poll with them.
    Client,
    /// The stages read it each time.
    Stages,
    /// Provider, knowledge and bounds of the answers that begin from now on.
    Answers,
    /// The pace of sending.
    Pace,
    /// The supervisor, from its next look on.
    Watch,
    /// The log.
    Log,
    /// Read when the process stops.
    Stop,
}

/// What becomes of a changed key.
#[derive(Clone, Copy, Debug)]
pub enum Change {
    /// The new value is in effect at once.
    Live(Part),
    /// It needs a restart.
    Restart {
        /// Why.
        why: &'static str,
        /// Puts back what is in effect until then.
        keep: fn(&mut Config, &Config),
    },
}

use Change::{Live, Restart};
use Part::{Access, Answers, Client, Log, Pace, Stages, Stop, Watch};

/// Each key.
const CHANGES: &[(&str, Change)] = &[
    (
        "bot.environment",
        Restart {
            why: "logs, metrics and the heartbeat of a process carry one name",
            keep: |new, old| new.bot.environment.clone_from(&old.bot.environment),
        },
    ),
    ("bot.access", Live(Access)),
    ("bot.owners", Live(Access)),
    ("bot.allow_users", Live(Access)),
    ("bot.allow_chats", Live(Access)),
    ("telegram.token", Live(Client)),
    ("telegram.api_url", Live(Client)),
    ("telegram.poll_timeout_s", Live(Client)),
    ("telegram.poll_deadline_s", Live(Client)),
    ("telegram.send_timeout_s", Live(Client)),
    ("telegram.poll_backoff_max_s", Live(Stages)),
    ("telegram.previews", Live(Stages)),
    (
        "store.path",
        Restart {
            why: "the state file is open",
            keep: |new, old| new.store.path.clone_from(&old.store.path),
        },
    ),
    ("store.keep_history_days", Live(Stages)),
    ("store.keep_done_days", Live(Stages)),
    ("pipeline.answers_at_once", Live(Answers)),
    ("pipeline.backlog_max", Live(Stages)),
    ("answer.provider", Live(Answers)),
    ("answer.system_prompt", Live(Answers)),
    ("answer.max_history_turns", Live(Answers)),
    ("answer.max_history_tokens", Live(Answers)),
    ("answer.max_output_tokens", Live(Answers)),
    ("answer.first_token_timeout_s", Live(Answers)),
    ("answer.timeout_s", Live(Answers)),
    ("openai.api_key", Live(Answers)),
    ("openai.base_url", Live(Answers)),
    ("openai.model", Live(Answers)),
    ("anthropic.api_key", Live(Answers)),
    ("anthropic.base_url", Live(Answers)),
    ("anthropic.model", Live(Answers)),
    ("knowledge.dir", Live(Answers)),
    ("knowledge.passages", Live(Answers)),
    ("delivery.pace", Live(Pace)),
    ("delivery.chat_per_s", Live(Pace)),
    ("delivery.chat_burst", Live(Pace)),
    ("delivery.overall_per_s", Live(Pace)),
    ("delivery.group_per_min", Live(Pace)),
    ("delivery.give_up_after_h", Live(Stages)),
    ("lifecycle.grace_s", Live(Stop)),
    (
        "web.listen",
        Restart {
            why: "the address is bound before anything is answered",
            keep: |new, old| new.web.listen = old.web.listen,
        },
    ),
    ("web.admin_token", Live(Watch)),
    (
        "watch.heartbeat_path",
        Restart {
            why: "whoever checks it looks at one place",
            keep: |new, old| new.watch.heartbeat_path.clone_from(&old.watch.heartbeat_path),
        },
    ),
    (
        "watch.every_s",
        Restart {
            why: "the supervisor has its rhythm from the start",
            keep: |new, old| new.watch.every_s = old.watch.every_s,
        },
    ),
    (
        "watch.system_every_s",
        Restart {
            why: "the supervisor has its rhythm from the start",
            keep: |new, old| new.watch.system_every_s = old.watch.system_every_s,
        },
    ),
    ("watch.poll_stalled_s", Live(Watch)),
    ("watch.poll_failing_s", Live(Watch)),
    ("watch.conflict_s", Live(Watch)),
    ("watch.inbox_age_s", Live(Watch)),
    ("watch.outbox_age_s", Live(Watch)),
    ("watch.provider_failures", Live(Watch)),
    ("watch.provider_slow_s", Live(Watch)),
    ("watch.response_s", Live(Watch)),
    ("watch.error_ratio", Live(Watch)),
    ("watch.disk_ratio", Live(Watch)),
    ("watch.memory_ratio", Live(Watch)),
    ("watch.cpu_ratio", Live(Watch)),
    ("watch.commit_slow_ms", Live(Watch)),
    ("watch.rss_warn_mb", Live(Watch)),
    ("watch.rss_stop_mb", Live(Watch)),
    ("watch.event_s", Live(Watch)),
    ("watch.patience", Live(Watch)),
    ("watch.stall_s", Live(Watch)),
    ("log.level", Live(Log)),
    (
        "log.format",
        Restart { why: "the log is open", keep: |new, old| new.log.format = old.log.format },
    ),
    ("log.prompts", Live(Answers)),
];

/// What becomes of this key; `None` for one that is not in the table.
pub fn change(key: &str) -> Option<Change> {
    CHANGES.iter().find(|(path, _)| *path == key).map(|(_, change)| *change)
}

/// The keys that need a restart, and why, as a table in Markdown.
pub fn restart_markdown() -> String {
    let mut text = String::from("| key | why it needs a restart |\n|---|---|\n");
    for (key, change) in CHANGES {
        if let Restart { why, .. } = change {
            text.push_str(&format!("| `{key}` | {why} |\n"));
        }
    }
    text.push_str(&format!("| `telegram.token` of another bot | {ANOTHER_BOT} |\n"));
    text
}

/// Why the token of another bot needs a restart.
pub(super) const ANOTHER_BOT: &str = "the state file belongs to one bot";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::keys;

    #[test]
    fn every_key_is_live_or_needs_a_restart_for_a_reason() {
        let known: Vec<_> = keys().iter().map(|key| key.path).collect();
        let told: Vec<_> = CHANGES.iter().map(|(path, _)| *path).collect();
        for key in &known {
            assert!(told.contains(key), "{key} has no row in src/app/changes.rs");
        }
        for (i, key) in told.iter().enumerate() {
            assert!(known.contains(key), "{key} is no key of the configuration");
            assert!(!told[..i].contains(key), "{key} has two rows");
        }
    }
}
