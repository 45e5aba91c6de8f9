//! `[bot]`: who this bot is, and who may talk to it.

use crate::config::key::Part;
use crate::config::resolved::Resolved;
use crate::config::rule::{self, ids, word};
use crate::config::section::section;
use crate::config::value::choice;

/// Longest name of an environment; it becomes a label in logs and metrics.
const ENVIRONMENT_CHARS: usize = 32;

choice! {
    /// Who may talk to the bot before anyone was approved.
    pub enum Access {
        /// Only people and groups that were approved or are listed.
        Closed = "closed",
        /// Everyone.
        Open = "open",
    }
}

section! {
    /// The section `[bot]`: who this bot is, and who may talk to it.
    pub struct Bot in "bot", checked by check {
        /// The name of this installation, shown in logs, metrics and the heartbeat: letters,
        /// digits, `_` and `-`.
        environment: String = word("production")
            .alias(&["ENVIRONMENT", "RAILWAY_ENVIRONMENT"])
            .when("When several installations report to one place: `testing`, `staging`, `production`.")
            .restart("logs, metrics and the heartbeat of a process carry one name"),

        /// Who may talk to the bot: `closed` means only people who were approved or are listed
        /// here, `open` means everyone.
        access: Access = rule::choice(Access::Closed)
            .when("Set `open` only for a public bot: every stranger then costs provider tokens.")
            .live(Part::Access),

        /// Telegram user ids of owners, who approve people and pause the bot.
        owners: Vec<i64> = ids(false)
            .when("When owners are managed by configuration rather than by `/claim`; `/whoami` \
            shows a person's id.")
            .live(Part::Access),

        /// Telegram user ids of people who may chat without being approved.
        allow_users: Vec<i64> = ids(false)
            .when("When the people are known in advance.").live(Part::Access),

        /// Chat ids, such as those of groups, where everyone may address the bot.
        allow_chats: Vec<i64> = ids(true)
            .when("To allow the bot in a group; group ids are negative.").live(Part::Access),
    }
}

fn check(resolved: &mut Resolved<'_>) {
    const ENVIRONMENT: &str = "bot.environment";
    let environment: String = resolved.get(ENVIRONMENT);
    let fit = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !environment.chars().all(fit) || environment.len() > ENVIRONMENT_CHARS {
        resolved.problems.push(
            ENVIRONMENT,
            format!("the name is not a valid label ({})", resolved.origin(ENVIRONMENT)),
            format!("write at most {ENVIRONMENT_CHARS} letters, digits, _ and -"),
        );
    }
    if resolved.get::<Access>("bot.access") == Access::Open {
        resolved.warn(
            "bot.access",
            "everyone who finds this bot may use it",
            "write access = \"closed\" unless the bot is meant for the public",
        );
    }
}
