//! `[telegram]`: the Bot API, and how patiently it is spoken to.

use super::credential;
use super::key::{Key, Kind, find};
use super::secret::Secret;
use super::server;
use super::settled::Settled;

/// The section `[telegram]`.
#[derive(Clone, Debug)]
pub struct Telegram {
    /// The bot token; always of the form `digits:characters`.
    pub token: Secret,
    /// Base URL of the Bot API, without trailing slash.
    pub api_url: String,
    /// How long Telegram may hold a poll open (Bot API `getUpdates`, `timeout`).
    pub poll_timeout_s: u64,
    /// How long a whole poll may take; longer than `poll_timeout_s`.
    pub poll_deadline_s: u64,
    /// How long any other call may take.
    pub send_timeout_s: u64,
    /// Longest pause after failed polls.
    pub poll_backoff_max_s: u64,
    /// Whether answers are shown while they are written.
    pub previews: bool,
}

pub(super) const KEYS: &[Key] = &[
    Key::new("telegram.token", Kind::Secret("telegram-token"), "")
        .alias(&["TELEGRAM_BOT_TOKEN", "TELEGRAM_TOKEN"])
        .doc("The bot token from @BotFather. It must be given.", ""),
    Key::new("telegram.api_url", Kind::Url, "https://api.telegram.org").doc(
        "The address of the Bot API.",
        "For a local Bot API server or a simulator.",
    ),
    Key::new("telegram.poll_timeout_s", Kind::Whole(1, 50), "50").doc(
        "How long Telegram may hold a poll open while nothing happens, in seconds; Telegram itself allows 50.",
        "When a proxy on the way cuts quiet connections earlier.",
    ),
    Key::new("telegram.poll_deadline_s", Kind::Whole(1, 300), "60").doc(
        "How long a whole poll may take before its connection is given up, in seconds; it must be longer than `poll_timeout_s`.",
        "Together with `poll_timeout_s`, or over a very slow line.",
    ),
    Key::new("telegram.send_timeout_s", Kind::Whole(1, 300), "30").doc(
        "How long any other call to Telegram may take, in seconds.",
        "Over a very slow line.",
    ),
    Key::new("telegram.poll_backoff_max_s", Kind::Whole(1, 300), "30").doc(
        "The longest pause between polls that fail, in seconds; pauses grow up to it.",
        "Lower it when a local server restarts often.",
    ),
    Key::new("telegram.previews", Kind::Flag, "true").doc(
        "Whether people see an answer while it is being written (private chats only).",
        "Turn it off to save calls, or when the server does not know drafts.",
    ),
];

impl Telegram {
    pub(super) fn read(settled: &mut Settled) -> Self {
        let (timeout, deadline) = ("telegram.poll_timeout_s", "telegram.poll_deadline_s");
        let sound = !settled.problems.about(timeout) && !settled.problems.about(deadline);
        if sound && settled.whole(deadline) <= settled.whole(timeout) {
            settled.problems.push(
                deadline,
                "every quiet poll would be cut off before Telegram answers it",
                format!("write more than poll_timeout_s, which is {}", settled.whole(timeout)),
            );
        }
        server::warn_if_plain(settled, "telegram.api_url");
        Self {
            token: token(settled),
            api_url: settled.text("telegram.api_url"),
            poll_timeout_s: settled.whole(timeout),
            poll_deadline_s: settled.whole(deadline),
            send_timeout_s: settled.whole("telegram.send_timeout_s"),
            poll_backoff_max_s: settled.whole("telegram.poll_backoff_max_s"),
            previews: settled.flag("telegram.previews"),
        }
    }
}

/// The token, or a problem and a stand-in that is no token and that no run ever gets.
fn token(settled: &mut Settled) -> Secret {
    const PATH: &str = "telegram.token";
    match settled.secret(PATH) {
        Some(token) if token.is_token() => token,
        Some(_) => {
            settled.problems.push(
                PATH,
                format!("the {} is not a bot token", settled.origin(PATH)),
                "a bot token has the form digits:characters, such as 123456789:ABC-def_…; copy it \
                 whole from @BotFather, without quotes",
            );
            Secret::new("")
        }
        None => {
            if !settled.problems.about(PATH) {
                let places = find(PATH).map(credential::places).unwrap_or_default();
                let hint = format!("get a token from @BotFather and {places}");
                settled.problems.push(PATH, "there is no bot token", hint);
            }
            Secret::new("")
        }
    }
}
