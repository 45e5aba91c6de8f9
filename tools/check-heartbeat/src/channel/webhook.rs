//! Alerts by one HTTP request, whose address, headers and body are templates of the operator's.
//!
//! Invariants: a field is escaped for where it stands, and its text is never read as a template; no error
//! shows more of an address than scheme and host, because the rest may be a secret.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hygiene::Redactor;
use hygiene::line::one_line;
use hygiene::url::Origin;
use serde::Deserialize;
use serde_json::Value;
use ureq::http::{HeaderName, HeaderValue, Method, Request, Uri};

use super::http;
use super::secret::{Secret, Sources};
use super::{Accepted, Channel, Environment, Failure, Taken, attempt_end, name, quote, timeout};
use crate::notification::{Kind, Level, Notification};
use crate::problem::Problem;

/// What a template may name.
const FIELDS: &str = "text subject summary details kind level priority watch finding host environment \
                      incident number started ended duration_s at json token";
/// Headers that the request has by itself.
const OURS: [&str; 4] = ["host", "content-length", "transfer-encoding", "connection"];
/// The type of the body when no header says it.
const JSON: &str = "application/json";
/// Longest field in a header, in characters.
const HEADER_CHARS: usize = 1_000;
/// How much of an answer's body is looked at for words, in bytes.
const WORDS_BYTES: usize = 2_000;
/// Answers that mean that an alert is too long, and those that mean it if the alert is long at all: mostly, they
/// mean a mistake in the template, which is not the alert's.
const TOO_LONG: [u16; 3] = [413, 414, 431];
const PERHAPS: [u16; 2] = [400, 422];
/// From so many bytes on, body and address together, an alert is long.
const LONG: usize = 1_000;
/// How much of the details a shorter text keeps, in characters.
const SHORTER: [usize; 2] = [700, 0];
/// From so many characters on, a word of the address or of a header may be a secret.
const MAY_BE_SECRET: usize = 16;

/// One table with `type = "webhook"`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    name: Option<String>,
    timeout: Option<toml::Value>,
    url: String,
    method: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Option<String>,
    token_file: Option<String>,
    token_credential: Option<String>,
    #[serde(default)]
    allow_plaintext: bool,
    token: Option<serde::de::IgnoredAny>, // known only to be refused with a good hint
}

/// A service that takes alerts by HTTP.
pub(super) struct Webhook {
    name: String,
    timeout: Duration,
    url: String,
    origin: Origin,
    method: Method,
    headers: Vec<(HeaderName, String)>,
    body: String,
    kind: Place,
    token: Option<Secret>,
}

impl Settings {
    /// Where the token is looked for.
    pub(super) fn sources(&self) -> Sources<'_> {
        Sources {
            what: "token",
            is_written: self.token.is_some(),
            file: self.token_file.as_deref(),
            credential: self.token_credential.as_deref(),
            usual_credential: "webhook-alert-token",
            variable: "WEBHOOK_ALERT_TOKEN",
        }
    }
}

/// Where a field stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Address,
    Header,
    Json,
    Form,
    Text,
}

impl Webhook {
    /// Checks the table, finds the token, and fills the templates once to see that they fit.
    pub fn open(settings: &Settings, env: &Environment) -> Result<Self, Problem> {
        let headers = headers(&settings.headers)?;
        let kind = headers.iter().find(|(name, _)| name == "content-type");
        let kind = kind.map_or(JSON, |(_, kind)| kind).to_ascii_lowercase();
        let channel = Self {
            name: name(settings.name.as_deref(), "webhook")?,
            timeout: timeout(settings.timeout.as_ref())?,
            origin: origin(&settings.url, settings.allow_plaintext)?,
            url: settings.url.clone(),
            method: method(settings)?,
            headers,
            body: settings.body.clone().unwrap_or_else(|| "{json}".to_owned()),
            kind: match () {
                () if kind.contains("json") => Place::Json,
                () if kind.contains("urlencoded") => Place::Form,
                () => Place::Text,
            },
            token: None,
        };
        channel.check_fields()?;
        let channel = Self { token: channel.find_token(settings, env)?, ..channel };
        channel.try_out()?;
        Ok(channel)
    }

    /// Each template, with its key.
    fn templates(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let headers = self.headers.iter().map(|(_, value)| ("headers", value.as_str()));
        headers.chain([("url", self.url.as_str()), ("body", self.body.as_str())])
    }

    fn check_fields(&self) -> Result<(), Problem> {
        for (key, mut text) in self.templates() {
            while let Some((_, field, after)) = next(text) {
                if !FIELDS.split(' ').any(|known| known == field) {
                    let why = format!("names {{{}}}, which is not a field", quote(field));
                    let hint = format!("write one of {}", FIELDS.replace(' ', ", "));
                    return Err(Problem::new(key, why, hint));
                }
                text = after;
            }
        }
        Ok(())
    }

    fn find_token(&self, set: &Settings, env: &Environment) -> Result<Option<Secret>, Problem> {
        let sources = set.sources();
        let token = sources.find(env)?;
        let is_named = set.token_file.is_some() || set.token_credential.is_some();
        match self.templates().any(|(_, text)| text.contains("{token}")) {
            true if token.is_none() => Err(Problem::new("token", "is missing", sources.hint())),
            false if is_named => {
                let hint = "write {token} where it belongs, such as headers = { Authorization = \"Bearer \
                            {token}\" }";
                Err(Problem::new("token", "is in no header, not in url, and not in body", hint))
            }
            _ => Ok(token),
        }
    }

    /// Whether the templates give a request.
    fn try_out(&self) -> Result<(), Problem> {
        let test = Notification::default();
        if self.uri(&test).is_none() {
            let hint = "write the whole address, such as https://ntfy.sh; a blank in it is %20";
            return Err(Problem::new("url", "is not an address", hint));
        }
        if self.request(&test).is_none() {
            return Err(odd_header());
        }
        let body = self.fill(&self.body, &test, self.kind);
        if self.kind == Place::Json && serde_json::from_str::<Value>(&body).is_err() {
            let hint = "write body = '{\"text\": \"{text}\"}', with text fields in quotes, or headers = { \
                        Content-Type = \"text/plain\" }";
            return Err(Problem::new("body", "is not JSON once its fields are filled in", hint));
        }
        Ok(())
    }

    fn uri(&self, about: &Notification) -> Option<Uri> {
        self.fill(&self.url, about, Place::Address).parse().ok()
    }

    /// The request; `None` when a header or the address cannot be written so.
    fn request(&self, about: &Notification) -> Option<Request<String>> {
        let mut request = Request::builder().method(self.method.clone()).uri(self.uri(about)?);
        for (name, value) in &self.headers {
            let value = self.fill(value, about, Place::Header);
            request = request.header(name, HeaderValue::from_bytes(value.as_bytes()).ok()?);
        }
        if self.method == Method::GET {
            return request.body(String::new()).ok();
        }
        if !self.headers.iter().any(|(name, _)| name == "content-type") {
            request = request.header("content-type", JSON);
        }
        request.body(self.fill(&self.body, about, self.kind)).ok()
    }

    /// The template with its fields.
    fn fill(&self, template: &str, about: &Notification, place: Place) -> String {
        let json = about.json();
        let (mut text, mut rest) = (String::new(), template);
        while let Some((before, field, after)) = next(rest) {
            text.push_str(before);
            let value = match field {
                "token" => self.token.as_ref().map_or("", Secret::expose).to_owned(),
                "text" => about.text(),
                "details" => about.details.join("\n"),
                "priority" => priority(about).to_owned(),
                "json" => json.to_string(),
                field => match &json[field] {
                    Value::Null => String::new(),
                    Value::String(text) => text.clone(),
                    value => value.to_string(),
                },
            };
            let is_as_it_is = match (field, place) {
                // All of it is JSON already, unless it stands in quotes.
                ("json", Place::Json) => !before.ends_with('"'),
                // The admin's own; it may be several parts of a path.
                ("token", Place::Address | Place::Header) => true,
                _ => false,
            };
            text.push_str(&if is_as_it_is { value } else { escaped(&value, place) });
            rest = after;
        }
        text + rest
    }

    fn send(&self, about: &Notification, end: Instant) -> Accepted {
        let odd = || Failure::permanent("cannot write the request: an alert does not fit into url");
        let request = self.request(about).ok_or_else(odd)?;
        let size =
            request.body().len() + request.uri().path_and_query().map_or(0, |p| p.as_str().len());
        let (status, body) = http::call(request, &self.origin, end)?;
        let may_be_long = TOO_LONG.contains(&status) || PERHAPS.contains(&status) && size > LONG;
        let said = quote(&String::from_utf8_lossy(&body[..body.len().min(WORDS_BYTES)]));
        let said = if said.is_empty() { said } else { format!(": {said}") };
        let message = format!("{} answered {status}{said}", self.origin.shown);
        let hint = match status {
            200..=299 => return Ok(Taken::default()),
            408 | 425 | 429 | 500.. => return Err(Failure::transient(message)),
            300..=399 => "it redirects: write the final address into url",
            401 | 403 => "check the token, and the header that carries it",
            404 | 405 => "check url and method",
            413 | 414 | 431 => {
                "the service refuses even a short text: check its limits, and the template"
            }
            _ => "compare headers and body with what the service's documentation wants",
        };
        Err(Failure { of_this_alert: may_be_long, ..Failure::permanent(message).hint(hint) })
    }

    /// Sends it, and shorter where the service may have found it too long.
    fn send_what_fits(&self, about: &Notification, end: Instant) -> Accepted {
        let mut sent = self.send(about, end);
        for details in SHORTER {
            match &sent {
                Err(failure) if failure.of_this_alert => {}
                _ => break,
            }
            sent = self.send(&about.shortened(details), end).map(|taken| Taken {
                remarks: vec![format!("{} took it only shortened", self.origin.shown)],
                ..taken
            });
        }
        sent
    }

    /// The token, and whatever else in the templates may be one.
    fn redactor(&self) -> Redactor {
        let path = self.url.get(self.origin.shown.len()..).unwrap_or_default();
        let headers = self.headers.iter().filter(|(name, _)| name != "content-type");
        let texts = headers.map(|(_, value)| value.as_str()).chain([path]);
        let words = texts.flat_map(|text| text.split([' ', '/', '?', '&', '=', ':']));
        let words = words.filter(|word| word.len() >= MAY_BE_SECRET);
        Redactor::new(words.chain(self.token.iter().map(Secret::expose)))
    }
}

impl Channel for Webhook {
    fn name(&self) -> &str {
        &self.name
    }

    fn deliver(&self, notification: &Notification, deadline: Instant) -> Accepted {
        let sent = attempt_end(self.timeout, deadline)
            .and_then(|end| self.send_what_fits(notification, end));
        // Servers repeat what they were sent.
        sent.map_err(|failure| failure.redacted(&self.redactor()))
    }
}

/// The text before the next field, its name, and what follows. Braces around anything but a word are
/// JSON's own.
fn next(text: &str) -> Option<(&str, &str, &str)> {
    let mut from = 0;
    while let Some(open) = text[from..].find('{').map(|at| from + at) {
        let rest = &text[open + 1..];
        let end = rest.find(|c: char| !c.is_ascii_alphabetic() && c != '_').unwrap_or(rest.len());
        if end > 0 && rest[end..].starts_with('}') {
            return Some((&text[..open], &rest[..end], &rest[end + 1..]));
        }
        from = open + 1;
    }
    None
}

fn escaped(value: &str, place: Place) -> String {
    match place {
        Place::Text => value.to_owned(),
        Place::Header => one_line(value, HEADER_CHARS),
        Place::Json => {
            let quoted = Value::from(value).to_string();
            quoted[1..quoted.len() - 1].to_owned()
        }
        Place::Address | Place::Form => {
            let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
            let bytes = value.bytes().map(|byte| match plain(byte) {
                true => char::from(byte).to_string(),
                false => format!("%{byte:02X}"),
            });
            bytes.collect()
        }
    }
}

/// As ntfy counts: 5 wakes people, 3 does not.
fn priority(about: &Notification) -> &'static str {
    let goes_on = matches!(about.kind, Kind::Down | Kind::Changed | Kind::Reminder);
    if goes_on && about.level == Level::Critical { "5" } else { "3" }
}

fn odd_header() -> Problem {
    let hint = "write headers = { Title = \"{subject}\" }, one line each; Host and Content-Length are written \
                by themselves";
    Problem::new("headers", "hold what is not a header", hint)
}

fn headers(table: &BTreeMap<String, String>) -> Result<Vec<(HeaderName, String)>, Problem> {
    let read = |(name, value): (&String, &String)| {
        let name = name.parse().ok().filter(|name: &HeaderName| !OURS.contains(&name.as_str()));
        Ok((name.ok_or_else(odd_header)?, value.clone()))
    };
    table.iter().map(read).collect()
}

fn method(settings: &Settings) -> Result<Method, Problem> {
    match settings.method.as_deref().unwrap_or("POST") {
        "POST" => Ok(Method::POST),
        "PUT" => Ok(Method::PUT),
        "PATCH" => Ok(Method::PATCH),
        "GET" if settings.body.is_none() => Ok(Method::GET),
        "GET" => {
            let hint = "write the fields into url, or another method";
            Err(Problem::new("body", "is not sent with GET", hint))
        }
        _ => Err(Problem::new("method", "is not a method", "write POST, PUT, PATCH or GET")),
    }
}

/// Scheme and host, in which no field may stand.
fn origin(url: &str, allow_plaintext: bool) -> Result<Origin, Problem> {
    let hint = "write the whole address, such as https://ntfy.sh, without a user; http needs allow_plaintext = \
                true, for a network that is yours alone";
    let problem = |why: &str| Problem::new("url", why, hint);
    let start = url.find("://").map_or(0, |at| at + 3);
    let end = url[start..].find(['/', '?', '#']).map_or(url.len(), |at| start + at);
    if url[..end].contains(['{', '@']) {
        return Err(problem("has a field or a user in its host"));
    }
    let origin = Origin::of(&url[..end]).map_err(problem)?;
    match origin.tls || origin.is_loopback() || allow_plaintext {
        true => Ok(origin),
        false => Err(problem("would send alerts, and perhaps a token, unencrypted")),
    }
}
