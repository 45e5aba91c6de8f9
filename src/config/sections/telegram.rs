//! `[telegram]`: the Bot API, and how patiently it is spoken to.

use super::server;
use crate::config::credential;
use crate::config::key::Part;
use crate::config::resolved::Resolved;
use crate::config::rule::{flag, secret, url, whole};
use crate::config::secret::Secret;
use crate::config::section::section;

/// Why the token of another bot needs a restart, although a new token of the same one does not.
pub const ANOTHER_BOT: &str = "the state file belongs to one bot";

section! {
    /// The section `[telegram]`: the Bot API, and its timeouts.
    pub struct Telegram in "telegram", checked by check {
        /// The bot token from @BotFather. It must be given.
        token: Secret = secret("telegram-token")
            .alias(&["TELEGRAM_BOT_TOKEN", "TELEGRAM_TOKEN"]).live(Part::Client),

        /// The address of the Bot API.
        api_url: String = url("https://api.telegram.org")
            .when("For a local Bot API server or a simulator.").live(Part::Client),

        /// How long Telegram may hold a poll open while nothing happens, in seconds; Telegram
        /// itself allows 50.
        poll_timeout_s: u64 = whole(1..=50, 50)
            .when("When a proxy closes idle connections earlier.").live(Part::Client),

        /// How long a whole poll may take before its connection is dropped, in seconds; must be
        /// longer than `poll_timeout_s`.
        poll_deadline_s: u64 = whole(1..=300, 60)
            .when("Together with `poll_timeout_s`, or on a very slow \
            connection.").live(Part::Client),

        /// How long any other call to Telegram may take, in seconds.
        send_timeout_s: u64 = whole(1..=300, 30).when("On a very slow \
        connection.").live(Part::Client),

        /// The longest backoff between failed polls, in seconds.
        poll_backoff_max_s: u64 = whole(1..=300, 30)
            .when("Lower it when a local server restarts often.").live(Part::Stages),

        /// Whether people see an answer while it is being written (private chats only).
        previews: bool = flag(true)
            .when("Turn it off to save calls, or when the server does not support drafts.")
            .live(Part::Stages),
    }
}

fn check(resolved: &mut Resolved<'_>) {
    let (timeout, deadline) = ("telegram.poll_timeout_s", "telegram.poll_deadline_s");
    if let Some((timeout_s, deadline_s)) = resolved.both::<u64>(timeout, deadline)
        && deadline_s <= timeout_s
    {
        resolved.problems.push(
            deadline,
            "every quiet poll would be cut off before Telegram answers it",
            format!("write more than poll_timeout_s, which is {timeout_s}"),
        );
    }
    server::warn_if_plain(resolved, "telegram.api_url");
    check_token(resolved);
}

/// The message about a missing token.
pub const NO_TOKEN: &str = "there is no bot token";

/// A missing or odd token is a problem, so no run ever gets one.
fn check_token(resolved: &mut Resolved<'_>) {
    const PATH: &str = "telegram.token";
    match resolved.get::<Option<Secret>>(PATH) {
        Some(token) if token.is_token() => {}
        Some(_) => {
            resolved.problems.push(
                PATH,
                format!("the {} is not a bot token", resolved.origin(PATH)),
                "a bot token has the form digits:characters, such as 123456789:ABC-def_…; copy it \
                 whole from @BotFather, without quotes",
            );
        }
        None if resolved.problems.about(PATH) => {}
        None => {
            let places = credential::places(resolved.key(PATH));
            let hint = format!(
                "`sudo katana-bot setup` asks for it; or get one from @BotFather and {places}"
            );
            resolved.problems.push(PATH, NO_TOKEN, hint);
        }
    }
}
