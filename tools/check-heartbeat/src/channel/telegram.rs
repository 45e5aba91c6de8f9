//! Alerts by a second Telegram bot (Bot API, `sendMessage`), as plain text.
//!
//! Invariants: the token is in the path of every request, so no error shows more of an address than
//! scheme and host; nothing is parsed as markup, so no text can be refused for its form.

use std::thread;
use std::time::{Duration, Instant};

use hygiene::Redactor;
use hygiene::secret::is_bot_token;
use hygiene::url::{self, BaseUrl, Origin};
use serde::Deserialize;
use serde_json::{Value, json};
use ureq::http::Request;

use super::http;
use super::secret::{Secret, Sources};
use super::{Accepted, Channel, ChannelConfig, Environment, Failure, Taken};
use super::{attempt_end, name, quote, timeout};
use crate::notification::Notification;
use crate::problem::Problem;

/// Longest text of a message, in UTF-16 units (Bot API, `sendMessage`).
const TEXT_UNITS: usize = 4_096;
/// Most repeats of a request: after a pause that Telegram asked for, or to a moved group.
const TRIES: usize = 3;
/// Left for the request itself after a pause that Telegram asked for.
const ROOM: Duration = Duration::from_secs(1);

/// One table with `type = "telegram"`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    name: Option<String>,
    timeout: Option<toml::Value>,
    chat_id: Option<toml::Value>,
    thread_id: Option<i64>,
    token_file: Option<String>,
    token_credential: Option<String>,
    api_url: Option<String>,
    #[serde(default)]
    allow_plaintext: bool,
    token: Option<serde::de::IgnoredAny>, // known only to be refused with a good hint
}

impl Settings {
    /// Where the token is looked for.
    pub(super) fn sources(&self) -> Sources<'_> {
        Sources {
            what: "token",
            is_written: self.token.is_some(),
            file: self.token_file.as_deref(),
            credential: self.token_credential.as_deref(),
            usual_credential: "telegram-alert-token",
            variable: "TELEGRAM_ALERT_BOT_TOKEN",
        }
    }
}

/// The channel that the environment alone describes: `TELEGRAM_ALERT_CHAT_ID` with a token from the
/// credential `telegram-alert-token`, `TELEGRAM_ALERT_BOT_TOKEN_FILE` or `TELEGRAM_ALERT_BOT_TOKEN`,
/// and perhaps `TELEGRAM_ALERT_API_URL`. `None` without any of the variables; the credential alone
/// does not ask for a channel.
pub fn telegram_from_env(env: &Environment) -> Option<ChannelConfig> {
    let names = ["BOT_TOKEN", "BOT_TOKEN_FILE", "CHAT_ID"].map(|n| format!("TELEGRAM_ALERT_{n}"));
    let is_wanted = names.iter().any(|name| env.variable(name).is_some());
    is_wanted.then(|| ChannelConfig::Telegram(Settings::default()))
}

/// A bot that writes to one chat.
pub(super) struct Telegram {
    name: String,
    timeout: Duration,
    chat: Value, // a number or `@name`
    thread: Option<i64>,
    api: BaseUrl,
    token: Secret,
}

impl Telegram {
    /// Checks the table and finds the token.
    pub fn open(settings: &Settings, env: &Environment) -> Result<Self, Problem> {
        let sources = settings.sources();
        let from_env = || env.variable("TELEGRAM_ALERT_CHAT_ID").map(toml::Value::from);
        let chat_id = settings.chat_id.clone().or_else(from_env);
        let what = if chat_id.is_none() { "is missing" } else { "is not a valid chat" };
        let hint = "write a number such as -1001234567890, or @name of a public channel; or set \
                    TELEGRAM_ALERT_CHAT_ID";
        let odd = || Problem::new("chat_id", what, hint);
        let chat = chat_id.as_ref().and_then(chat).ok_or_else(odd)?;
        let missing = || Problem::new("token", "is missing", sources.hint());
        let token = sources.find(env)?.ok_or_else(missing)?;
        if !is_bot_token(token.expose()) {
            let hint = "copy the whole line that @BotFather shows for the second bot";
            return Err(Problem::new("token", "is not a bot token, digits:characters", hint));
        }
        let api_url =
            settings.api_url.as_deref().or_else(|| env.variable("TELEGRAM_ALERT_API_URL"));
        Ok(Self {
            name: name(settings.name.as_deref(), "telegram")?,
            timeout: timeout(settings.timeout.as_ref())?,
            chat,
            thread: settings.thread_id,
            api: base(api_url.unwrap_or("https://api.telegram.org"), settings.allow_plaintext)?,
            token,
        })
    }

    fn send(&self, notification: &Notification, deadline: Instant) -> Accepted {
        // Telegram takes blanks from the ends, which would move the bold part.
        let text = fit(notification.text().trim());
        let bold = text.lines().next().unwrap_or_default().encode_utf16().count();
        let mut message = json!({
            "chat_id": self.chat,
            "text": text,
            "entities": [{"type": "bold", "offset": 0, "length": bold}],
            "link_preview_options": {"is_disabled": true},
        });
        if let Some(thread) = self.thread {
            message["message_thread_id"] = json!(thread);
        }
        let url = format!("{}/bot{}/sendMessage", self.api.text, self.token.expose());
        let mut tries = 0..TRIES;
        loop {
            let end = attempt_end(self.timeout, deadline)?;
            let request = Request::post(&url).header("content-type", "application/json");
            let request = request.body(message.to_string());
            let odd = |_| Failure::permanent("cannot write the request: api_url is not valid");
            let (status, body) = http::call(request.map_err(odd)?, &self.api.origin, end)?;
            // An answer that broke off after these words still says that the message is there. A page
            // of a proxy or a captive portal with 200 does not.
            let began = body.trim_ascii_start().starts_with(b"{\"ok\":true");
            let body: Value = serde_json::from_slice(&body).unwrap_or_default();
            if status == 200 && (began || body["ok"] == json!(true)) {
                return Ok(Taken::default());
            }
            let failure = refusal(status, &body, &self.api.origin);
            let left = deadline.saturating_duration_since(Instant::now());
            let parameters = &body["parameters"];
            let pause = parameters["retry_after"].as_u64().map(Duration::from_secs);
            let pause = pause.filter(|pause| status == 429 && pause.saturating_add(ROOM) <= left);
            match (parameters["migrate_to_chat_id"].as_i64(), pause) {
                _ if tries.next().is_none() => return Err(failure),
                (Some(id), _) => message["chat_id"] = json!(id),
                // Telegram named this pause; asking earlier would make it longer.
                (None, Some(pause)) => thread::sleep(pause),
                (None, None) => return Err(failure),
            }
        }
    }
}

impl Channel for Telegram {
    fn name(&self) -> &str {
        &self.name
    }

    fn deliver(&self, notification: &Notification, deadline: Instant) -> Accepted {
        let sent = self.send(notification, deadline);
        // Servers repeat what they were sent.
        sent.map_err(|failure| failure.redacted(&Redactor::new([self.token.expose()])))
    }
}

/// A chat by number, or a public channel or group by `@name`; `None` when it is neither.
fn chat(value: &toml::Value) -> Option<Value> {
    let text = value.as_str().unwrap_or_default().trim();
    if let Some(id) = value.as_integer().or_else(|| text.parse().ok()) {
        return (id != 0).then(|| json!(id));
    }
    let fit = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let name = text.strip_prefix('@')?;
    ((4..=32).contains(&name.len()) && name.chars().all(fit)).then(|| json!(text))
}

/// The address of a Bot API server.
fn base(text: &str, allow_plaintext: bool) -> Result<BaseUrl, Problem> {
    let hint = "write the address without the token, such as https://api.telegram.org; http needs \
                allow_plaintext = true, for a network that is yours alone";
    let problem = |why: &str| Problem::new("api_url", why, hint);
    let base = url::parse(text).map_err(problem)?;
    match base.origin.tls || base.origin.is_loopback() || allow_plaintext {
        true => Ok(base),
        false => Err(problem("would send the token unencrypted")),
    }
}

/// At most 4,096 UTF-16 units, cut between characters, with an ellipsis where something is missing.
fn fit(text: &str) -> String {
    if text.encode_utf16().count() <= TEXT_UNITS {
        return text.to_owned();
    }
    let mut units = 1;
    let fits = |c: &char| {
        units += c.len_utf16();
        units <= TEXT_UNITS
    };
    text.chars().take_while(fits).chain(['…']).collect()
}

/// Why a message was not accepted, and what to do about it.
fn refusal(status: u16, body: &Value, origin: &Origin) -> Failure {
    let said = body["description"].as_str().map(quote).filter(|said| !said.is_empty());
    let permanent = said.is_some() && (400..500).contains(&status) && status != 429;
    let said = said.unwrap_or_else(|| format!("HTTP status {status}"));
    let hint = match status {
        429 => "Telegram asks to wait; the notification stays on disk and is sent later",
        500..600 => "",
        _ if !permanent => "not a Bot API server; check api_url and the proxy",
        401 | 404 => "the token is wrong or was revoked: take the second bot's from @BotFather",
        403 => "the bot may not write there: unblock it, press Start, or add it to the group",
        _ if said.contains("thread") => "thread_id is not a topic of this group",
        _ => "check chat_id; a person must have pressed Start, and a group must have the bot in it",
    };
    let failure = Failure::transient(format!("cannot send through {}: {said}", origin.shown));
    Failure { permanent, ..failure.hint(hint) }
}
