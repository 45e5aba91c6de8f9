//! Alerts by a second Telegram bot (Bot API, `sendMessage`), as plain text.
//!
//! Invariants: the token is in the path of every request, so no error shows more of an address than
//! scheme and host; nothing is parsed as markup, so no text can be refused for its form.

use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::http::{self, Answer, Origin};
use super::scrub::Scrub;
use super::secret::{Places, Secret};
use super::words::quote;
use super::{Channel, ConfigProblem, Environment, Failure, Time, attempt_end, name, timeout};
use crate::notice::Notice;

/// Longest text of a message, in UTF-16 units (Bot API, `sendMessage`).
const TEXT_UNITS: usize = 4_096;

/// Requests for one notice at most: after a pause that Telegram asked for, or to a moved group.
const TRIES: usize = 4;

/// Left for the request itself after a pause that Telegram asked for.
const ROOM: Duration = Duration::from_secs(1);

const API_URL: &str = "https://api.telegram.org";

/// One table with `type = "telegram"`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    name: Option<String>,
    timeout: Option<Time>,
    chat_id: Option<ChatId>,
    thread_id: Option<i64>,
    token_file: Option<String>,
    token_credential: Option<String>,
    api_url: Option<String>,
    #[serde(default)]
    allow_plaintext: bool,
    /// Known only to be refused with a good hint.
    token: Option<serde::de::IgnoredAny>,
}

/// A chat by number, or a public channel or group by name.
#[derive(Clone, Debug, PartialEq, Eq)]
enum ChatId {
    Number(i64),
    Name(String),
    /// What was written is neither.
    Invalid,
}

impl ChatId {
    fn parse(text: &str) -> Self {
        let text = text.trim();
        if let Ok(number) = text.parse() {
            return Self::Number(number);
        }
        let fit = |c: char| c.is_ascii_alphanumeric() || c == '_';
        match text.strip_prefix('@') {
            Some(rest) if (4..=32).contains(&rest.len()) && rest.chars().all(fit) => {
                Self::Name(text.to_owned())
            }
            _ => Self::Invalid,
        }
    }

    fn json(&self) -> Value {
        match self {
            Self::Number(number) => json!(number),
            Self::Name(name) => json!(name),
            Self::Invalid => Value::Null,
        }
    }
}

impl<'de> Deserialize<'de> for ChatId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(i64),
            Text(String),
        }
        // The error of an untagged value says nothing of what was written there.
        Ok(match Written::deserialize(from)? {
            Written::Number(number) => Self::Number(number),
            Written::Text(text) => Self::parse(&text),
        })
    }
}

/// The channel that the environment alone describes: `TELEGRAM_ALERT_CHAT_ID` with a token from the
/// credential `telegram-alert-token`, `TELEGRAM_ALERT_BOT_TOKEN_FILE` or `TELEGRAM_ALERT_BOT_TOKEN`,
/// and perhaps `TELEGRAM_ALERT_API_URL`. `None` when neither variable says anything about it; a
/// credential alone is not a wish for it.
pub fn telegram_from_env(env: &Environment) -> Option<Result<Box<dyn Channel>, ConfigProblem>> {
    let variables =
        ["TELEGRAM_ALERT_BOT_TOKEN", "TELEGRAM_ALERT_BOT_TOKEN_FILE", "TELEGRAM_ALERT_CHAT_ID"];
    variables.iter().find_map(|name| env.variable(name))?;
    let channel = Telegram::open(&Settings::default(), env);
    Some(channel.map(|channel| -> Box<dyn Channel> { Box::new(channel) }))
}

/// A bot that writes to one chat.
pub(super) struct Telegram {
    name: String,
    timeout: Duration,
    chat: ChatId,
    thread: Option<i64>,
    origin: Origin,
    api_url: String,
    token: Secret,
    scrub: Scrub,
}

impl fmt::Debug for Telegram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telegram").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Telegram {
    /// Checks the table and finds the token.
    pub fn open(settings: &Settings, env: &Environment) -> Result<Self, ConfigProblem> {
        let places = Places {
            file: ("token_file", settings.token_file.as_deref()),
            credential: ("token_credential", settings.token_credential.as_deref()),
            usual_credential: "telegram-alert-token",
            variable: "TELEGRAM_ALERT_BOT_TOKEN",
        };
        if settings.token.is_some() {
            let why = "does not belong into the configuration file";
            return Err(ConfigProblem::new("token", why, places.hint()));
        }
        let chat = settings
            .chat_id
            .clone()
            .or_else(|| env.variable("TELEGRAM_ALERT_CHAT_ID").map(ChatId::parse));
        let hint = "a number such as 123456789 or -1001234567890, or @name of a public channel; or \
                    set TELEGRAM_ALERT_CHAT_ID";
        let chat = match chat {
            None => return Err(ConfigProblem::new("chat_id", "is missing", hint)),
            Some(ChatId::Invalid | ChatId::Number(0)) => {
                return Err(ConfigProblem::new("chat_id", "is not a chat", hint));
            }
            Some(chat) => chat,
        };
        let token = places
            .find(env)?
            .ok_or_else(|| ConfigProblem::new("token", "is missing", places.hint()))?;
        let Some(tail) = token_tail(token.expose()) else {
            let why = "is not a bot token of the form digits:characters";
            let hint = "copy the whole line that @BotFather shows for the second bot";
            return Err(ConfigProblem::new("token", why, hint));
        };
        let api_url =
            settings.api_url.as_deref().or_else(|| env.variable("TELEGRAM_ALERT_API_URL"));
        let (api_url, origin) = base(api_url.unwrap_or(API_URL), settings.allow_plaintext)?;
        let scrub = Scrub::of([token.expose(), tail]);
        Ok(Self {
            name: name(settings.name.as_deref(), "telegram")?,
            timeout: timeout(settings.timeout.as_ref())?,
            chat,
            thread: settings.thread_id,
            origin,
            api_url,
            scrub,
            token,
        })
    }

    /// One request.
    fn attempt(&self, chat: &ChatId, text: &Text, end: Instant) -> Result<Answer, Failure> {
        let mut message = json!({
            "chat_id": chat.json(),
            "text": text.words,
            "entities": [{"type": "bold", "offset": 0, "length": text.bold_units}],
            "link_preview_options": {"is_disabled": true},
        });
        if let Some(thread) = self.thread {
            message["message_thread_id"] = json!(thread);
        }
        let url = format!("{}/bot{}/sendMessage", self.api_url, self.token.expose());
        let request =
            http::agent(&self.origin, end).post(url).header("content-type", "application/json");
        let sent = request.send(message.to_string());
        sent.map(http::answer).map_err(|error| http::explain(&error, &self.origin))
    }

    fn send(&self, notice: &Notice, deadline: Instant) -> Result<(), Failure> {
        let text = Text::of(notice);
        let mut chat = self.chat.clone();
        let mut last = None;
        for _ in 0..TRIES {
            let end = attempt_end(self.timeout, deadline)?;
            let (failure, next) = match judge(&self.attempt(&chat, &text, end)?, &self.origin) {
                Verdict::Accepted => return Ok(()),
                Verdict::Refused(failure) => return Err(failure),
                Verdict::Wait(seconds, failure) => (failure, Next::Wait(seconds)),
                Verdict::Moved(id, failure) => (failure, Next::Move(id)),
            };
            match next {
                Next::Move(id) => chat = ChatId::Number(id),
                Next::Wait(seconds) => {
                    let pause = Duration::from_secs(seconds);
                    let left = deadline.saturating_duration_since(Instant::now());
                    if pause.checked_add(ROOM).is_none_or(|needed| needed > left) {
                        return Err(failure);
                    }
                    // Telegram named this pause; asking earlier would make it longer.
                    thread::sleep(pause);
                }
            }
            last = Some(failure);
        }
        Err(last.unwrap_or_else(|| Failure::transient("cannot send: no attempt was made")))
    }
}

enum Next {
    Wait(u64),
    Move(i64),
}

impl Channel for Telegram {
    fn name(&self) -> &str {
        &self.name
    }

    fn deliver(&self, notice: &Notice, deadline: Instant) -> Result<(), Failure> {
        self.send(notice, deadline).map_err(|failure| self.scrub.failure(failure))
    }
}

/// The characters behind the colon of a bot token, or `None` when this is none.
fn token_tail(token: &str) -> Option<&str> {
    let (id, tail) = token.split_once(':')?;
    let fit = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    let id_fits = !id.is_empty() && id.len() <= 19 && id.bytes().all(|b| b.is_ascii_digit());
    (id_fits && tail.len() >= 8 && tail.bytes().all(fit)).then_some(tail)
}

/// The address of a Bot API server, without a slash at its end.
fn base(url: &str, allow_plaintext: bool) -> Result<(String, Origin), ConfigProblem> {
    let hint = "write the address without the token, such as https://api.telegram.org";
    let problem = |why: &str| ConfigProblem::new("api_url", why, hint);
    let origin = Origin::of(url).map_err(problem)?;
    if url.contains(['?', '#', '@'])
        || url.split_once("://").is_some_and(|(_, r)| r.contains("/bot"))
    {
        return Err(problem("must hold no token, password, query or fragment"));
    }
    if !origin.tls && !origin.loopback && !allow_plaintext {
        return Err(ConfigProblem::new(
            "api_url",
            "would send the token unencrypted",
            "use https, or set allow_plaintext = true if the network between is yours alone",
        ));
    }
    Ok((url.trim_end_matches('/').to_owned(), origin))
}

/// A text that fits into one message, with its first line in bold.
struct Text {
    words: String,
    bold_units: usize,
}

impl Text {
    fn of(notice: &Notice) -> Self {
        // Telegram takes whitespace from the ends, which would move the bold part.
        let words = fit(notice.text().trim());
        let first = words.lines().next().unwrap_or_default();
        Self { bold_units: first.encode_utf16().count(), words }
    }
}

/// At most 4,096 UTF-16 units, cut between characters, with an ellipsis where something is missing.
fn fit(text: &str) -> String {
    let mut units = 0;
    let mut room = text.len();
    for (at, c) in text.char_indices() {
        if units < TEXT_UNITS {
            room = at;
        }
        units += c.len_utf16();
    }
    if units <= TEXT_UNITS {
        return text.to_owned();
    }
    // `room` is where the last character that begins within the limit stands; it makes place.
    let mut cut = text[..room].to_owned();
    while cut.encode_utf16().count() + 1 > TEXT_UNITS {
        cut.pop();
    }
    cut.push('…');
    cut
}

/// What an answer means.
enum Verdict {
    Accepted,
    Refused(Failure),
    /// Again after so many seconds.
    Wait(u64, Failure),
    /// The group has a new id.
    Moved(i64, Failure),
}

fn judge(answer: &Answer, origin: &Origin) -> Verdict {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    // An answer that broke off after these words still says that the message is there. A page of
    // a proxy or a captive portal with 200 does not.
    let began = answer.body.trim_ascii_start().starts_with(b"{\"ok\":true");
    if answer.status == 200 && (began || body["ok"] == json!(true)) {
        return Verdict::Accepted;
    }
    let said = body["description"].as_str().map(quote).filter(|said| !said.is_empty());
    let of_telegram = said.is_some();
    let said = said.unwrap_or_else(|| format!("HTTP status {}", answer.status));
    let message = format!("cannot send through {}: {said}", origin.shown);
    if let Some(id) = body["parameters"]["migrate_to_chat_id"].as_i64() {
        let hint = format!("the group has a new id: set chat_id = {id}");
        return Verdict::Moved(id, Failure::permanent(message).hint(hint));
    }
    if answer.status == 429 {
        let seconds = body["parameters"]["retry_after"].as_u64();
        let hint = "Telegram asks to wait; the notice stays on disk and goes out later";
        let failure = Failure::transient(message).hint(hint);
        return seconds.map_or(Verdict::Refused(failure.clone()), |s| Verdict::Wait(s, failure));
    }
    if !(of_telegram && (400..500).contains(&answer.status)) {
        let failure = Failure::transient(message);
        return Verdict::Refused(match answer.status {
            500..=599 => failure,
            _ => failure.hint("this is no Bot API server; check api_url and the proxy"),
        });
    }
    Verdict::Refused(Failure::permanent(message).hint(hint(answer.status, &said)))
}

fn hint(status: u16, said: &str) -> &'static str {
    match status {
        401 | 404 => {
            "the token is not valid, or was revoked: take the token of the second bot from @BotFather"
        }
        403 => "the bot may not write there: unblock it, press Start, or add it to the group again",
        _ if said.contains("thread") => "thread_id names no topic of this group",
        _ if said.contains("chat not found") => {
            "check chat_id; a person must have pressed Start, and a group must have the bot in it"
        }
        _ => "check chat_id and thread_id",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!(fit("short"), "short");
        let exact = "x".repeat(TEXT_UNITS);
        assert_eq!(fit(&exact), exact);
        for text in ["x".repeat(5_000), "😀".repeat(2_049), format!("x{}", "😀".repeat(2_048))]
        {
            let cut = fit(&text);
            let units = cut.encode_utf16().count();
            assert!((TEXT_UNITS - 1..=TEXT_UNITS).contains(&units), "{units}");
            assert!(cut.ends_with('…') && text.starts_with(cut.trim_end_matches('…')));
        }
    }

    #[test]
    fn chats_are_numbers_or_names() {
        assert_eq!(ChatId::parse(" -1001234 "), ChatId::Number(-1_001_234));
        assert_eq!(ChatId::parse("@alerts_1"), ChatId::Name("@alerts_1".to_owned()));
        for bad in ["", "alerts", "@", "@a b", "1.5", "https://t.me/alerts"] {
            assert_eq!(ChatId::parse(bad), ChatId::Invalid, "{bad}");
        }
    }

    #[test]
    fn the_address_holds_no_secret_and_is_encrypted() {
        assert_eq!(
            base("https://tg.example/api/", false).map(|b| b.0),
            Ok("https://tg.example/api".into())
        );
        assert!(base("http://127.0.0.1:8081", false).is_ok());
        assert!(base("http://tg.example", true).is_ok());
        for bad in [
            "http://tg.example",
            "https://u:p@tg.example",
            "https://tg.example/bot1:abcdefgh",
            "https://tg.example/?x",
            "tg.example",
        ] {
            let problem = base(bad, false).expect_err(bad);
            assert!(!format!("{problem:?}").contains("abcdefgh"));
        }
    }

    #[test]
    fn only_telegrams_own_yes_is_a_yes() {
        let origin = Origin::of(API_URL).expect("an address");
        let judge = |status: u16, body: &str| {
            judge(&Answer { status, body: body.as_bytes().to_vec() }, &origin)
        };
        for body in
            [r#"{"ok":true,"result":{}}"#, r#"{"ok":true,"result":{"mess"#, r#"{ "ok": true }"#]
        {
            assert!(matches!(judge(200, body), Verdict::Accepted), "{body}");
        }
        for (status, body) in [
            (200, "<html>log in to the hotel's network</html>"),
            (200, ""),
            (200, r#"{"ok":false}"#),
            (302, ""),
            (404, "<html>not found</html>"),
            (502, r#"{"ok":true}"#),
        ] {
            let verdict = judge(status, body);
            assert!(matches!(&verdict, Verdict::Refused(f) if !f.permanent), "{status} {body}");
        }
        let moved = r#"{"ok":false,"description":"Bad Request: group chat was upgraded",
            "parameters":{"migrate_to_chat_id":-1005}}"#;
        assert!(matches!(judge(400, moved), Verdict::Moved(-1005, _)));
        let huge =
            r#"{"ok":false,"description":"Too Many Requests","parameters":{"retry_after":86400}}"#;
        assert!(matches!(judge(429, huge), Verdict::Wait(86_400, _)));
    }
}
