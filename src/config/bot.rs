//! `[bot]`: who this bot is, and who may talk to it.

use super::key::{Key, Kind};
use super::settled::Settled;

/// Longest name of an environment; it becomes a label in logs and metrics.
const ENVIRONMENT_CHARS: usize = 32;

/// Who may talk to the bot before anybody was approved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Only people and groups that were approved or are listed.
    Closed,
    /// Everybody.
    Open,
}

/// The section `[bot]`.
#[derive(Clone, Debug)]
pub struct Bot {
    /// A name for logs and metrics, such as `production`.
    pub environment: String,
    /// Who may talk to the bot.
    pub access: Access,
    /// User ids of owners, besides those who claimed the bot.
    pub owners: Vec<i64>,
    /// User ids that may chat, besides those who were approved.
    pub allow_users: Vec<i64>,
    /// Chat ids where everybody may chat.
    pub allow_chats: Vec<i64>,
}

pub(super) const KEYS: &[Key] = &[
    Key::new("bot.environment", Kind::Word, "production").alias(&["ENVIRONMENT"]).doc(
        "The name of this installation, shown in logs, metrics and the heartbeat: letters, digits, `_` and `-`.",
        "When several installations report to one place: `testing`, `staging`, `production`.",
    ),
    Key::new("bot.access", Kind::Choice(&["closed", "open"]), "closed").doc(
        "Who may talk to the bot: `closed` means only people who were approved or are listed here, `open` means everybody.",
        "Set `open` only for a bot that is meant for the public: every stranger then costs provider tokens.",
    ),
    Key::new("bot.owners", Kind::Ids { groups: false }, "").doc(
        "Telegram user ids of owners, who approve people and pause the bot.",
        "When owners are managed by configuration rather than by `/claim`; `/whoami` tells a person's id.",
    ),
    Key::new("bot.allow_users", Kind::Ids { groups: false }, "").doc(
        "Telegram user ids of people who may chat without being approved.",
        "When the people are known beforehand.",
    ),
    Key::new("bot.allow_chats", Kind::Ids { groups: true }, "").doc(
        "Chat ids, such as those of groups, where everybody may address the bot.",
        "To let the bot into a group; ids of groups are below zero.",
    ),
];

impl Bot {
    pub(super) fn read(settled: &mut Settled) -> Self {
        let environment = settled.text("bot.environment");
        let fit = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if !environment.chars().all(fit) || environment.len() > ENVIRONMENT_CHARS {
            settled.problems.push(
                "bot.environment",
                format!("the name is no label ({})", settled.origin("bot.environment")),
                format!("write at most {ENVIRONMENT_CHARS} letters, digits, _ and -"),
            );
        }
        let open = settled.text("bot.access") == "open";
        if open {
            settled.warn(
                "bot.access",
                "everybody who finds this bot may use it",
                "write access = \"closed\" unless the bot is meant for the public",
            );
        }
        Self {
            environment,
            access: if open { Access::Open } else { Access::Closed },
            owners: settled.ids("bot.owners"),
            allow_users: settled.ids("bot.allow_users"),
            allow_chats: settled.ids("bot.allow_chats"),
        }
    }
}
