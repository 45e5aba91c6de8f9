//! What servers say when they refuse: every shape of error body seen, made one.
//!
//! Seen: `{"error": {…}}` with codes as words, numbers or null (OpenAI, Anthropic, vLLM,
//! llama.cpp), the same in a list (Gemini), `{"error": "…"}` (Ollama, proxies), `{"detail": …}`
//! (FastAPI), `{"object": "error", …}` (older vLLM), `error_message`, `error_msg`, `msg`, `message`
//! or `errors` beside a code (gateways, with status 200, too), plain text, HTML pages of gateways,
//! nothing.

use std::time::Duration;

use serde_json::Value;

use super::failure::{ProviderError, Refusal};
use super::refusal;
use super::scrub::Scrubber;

/// An error as a server worded it. Not for logs before it is scrubbed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ErrorBody {
    /// Status named inside the body, for errors that come after a 200.
    status: Option<u16>,
    /// Type, code and the like in lower case, between spaces.
    words: String,
    /// The sentence for people.
    message: String,
    /// When the server wants to be asked again.
    wait: Option<Duration>,
}

impl ErrorBody {
    /// Reads the body of a refusal.
    pub(super) fn of_body(body: &str) -> Self {
        let body = body.trim();
        match serde_json::from_str::<Value>(body) {
            Ok(value) => Self::of_json(&value),
            Err(_) if body.starts_with('<') => Self::plain("an html page"),
            // JSON that was cut: its beginning is more likely a user's text than a reason.
            Err(_) if body.starts_with(['{', '[']) => Self::plain("a broken json body"),
            Err(_) => Self::plain(body),
        }
    }

    /// The error in a JSON value that came with a 200, if it is one.
    pub(super) fn within(value: &Value) -> Option<Self> {
        let value = value.as_array().and_then(|list| list.first()).unwrap_or(value);
        let named = value.get("error").is_some_and(|error| match error {
            Value::Null | Value::Bool(false) => false,
            Value::String(text) => !text.is_empty(),
            _ => true,
        });
        let typed = |key: &str| value.get(key).and_then(Value::as_str) == Some("error");
        let is_error = named || typed("object") || typed("type") || is_refusal(value);
        is_error.then(|| Self::of_json(value))
    }

    /// The error of an answer with this status.
    pub(super) fn refused(
        &self,
        status: u16,
        retry_after: Option<Duration>,
        scrubber: &Scrubber,
    ) -> ProviderError {
        if self.is_filter() {
            return ProviderError::Filtered;
        }
        let (refusal, retry_after) = (self.refusal(Some(status)), retry_after.or(self.wait));
        ProviderError::Status { status, retry_after, refusal, detail: self.detail(scrubber) }
    }

    /// The error of an answer that had begun with 200.
    pub(super) fn in_stream(&self, scrubber: &Scrubber) -> ProviderError {
        if self.is_filter() {
            return ProviderError::Filtered;
        }
        ProviderError::Stream { refusal: self.refusal(self.status), detail: self.detail(scrubber) }
    }

    fn plain(message: &str) -> Self {
        Self { message: message.to_owned(), ..Self::default() }
    }

    fn of_json(value: &Value) -> Self {
        let value = value.as_array().and_then(|list| list.first()).unwrap_or(value);
        let inner = ["error", "base_resp"].iter().find_map(|name| value.get(name));
        let inner = inner.filter(|inner| inner.is_object()).unwrap_or(value);
        let message = said(inner).or_else(|| said(value)).unwrap_or_default();
        let wait = asked_wait(inner, &message);
        let mut error_body =
            Self { message: with_figures(inner, message), wait, ..Self::default() };
        for (name, value) in inner.as_object().into_iter().flatten() {
            if !CODES.contains(&plain_name(name).as_str()) {
                continue;
            }
            let number = match value {
                Value::String(word) => {
                    error_body.words += &word.to_lowercase();
                    word.parse().ok()
                }
                Value::Number(number) => number.as_u64(),
                _ => continue,
            };
            let status = number.filter(|status| (400..600).contains(status));
            let status = status.and_then(|status| u16::try_from(status).ok());
            error_body.status = error_body.status.or(status);
            error_body.words.push(' ');
        }
        error_body
    }

    fn detail(&self, scrubber: &Scrubber) -> String {
        match scrubber.clean(&self.message) {
            message if message.is_empty() => "no reason given".to_owned(),
            message => message,
        }
    }

    fn is_filter(&self) -> bool {
        refusal::is_filter(&self.words, &self.message.to_lowercase())
    }

    fn refusal(&self, status: Option<u16>) -> Refusal {
        refusal::refusal(&self.words, &self.message.to_lowercase(), status)
    }
}

/// llama.cpp has the sizes beside the sentence.
fn with_figures(error: &Value, mut message: String) -> String {
    for name in ["n_prompt_tokens", "n_ctx"] {
        if let Some(figure) = error.get(name).and_then(Value::as_u64) {
            message.push_str(&format!(" ({name} {figure})"));
        }
    }
    message
}

/// How long the server wants to be left alone: Gemini's `retryDelay`, or in the sentence.
fn asked_wait(error: &Value, message: &str) -> Option<Duration> {
    let details = error.get("details").and_then(Value::as_array).into_iter().flatten();
    let mut delays = details.filter_map(|detail| detail.get("retryDelay")?.as_str());
    let lower = message.to_lowercase();
    let said = || {
        let mut places =
            ["retry in ", "try again in "].iter().filter_map(|words| lower.split_once(words));
        places.next().map(|(_, rest)| rest)
    };
    duration(delays.next().or_else(said)?)
}

/// A span of time such as `12.5s`, `1m30s`, `250ms` or `20 seconds`, at the beginning of a text; at most a day.
fn duration(text: &str) -> Option<Duration> {
    let (mut rest, mut total) = (text.trim_start(), None);
    loop {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let Ok(number) = rest[..digits].trim_end_matches('.').parse::<f64>() else { break };
        let behind = rest[digits..].trim_start();
        let letters = behind.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(behind.len());
        let seconds = match &behind[..letters] {
            "ms" | "milliseconds" => 0.001,
            "s" | "sec" | "second" | "seconds" => 1.0,
            "m" | "min" | "minute" | "minutes" => 60.0,
            "h" | "hour" | "hours" => 3600.0,
            _ => break,
        };
        total = Some(total.unwrap_or(0.0) + number * seconds);
        rest = &behind[letters..];
    }
    total.map(|seconds| Duration::from_secs_f64(seconds.min(24.0 * 3600.0)))
}

/// Names of fields that hold a class: words or numbers.
const CODES: [&str; 7] =
    ["type", "code", "status", "param", "errorcode", "statuscode", "errortype"];

/// Names of fields that hold the sentence for people, best first.
const SENTENCES: [&str; 12] = [
    "message",
    "error",
    "errormessage",
    "errormsg",
    "msg",
    "detail",
    "details",
    "statusmsg",
    "errordescription",
    "errors",
    "reason",
    "title",
];

/// Those of them that only errors have.
const ERRORS: [&str; 7] =
    ["error", "errormessage", "errormsg", "msg", "detail", "errordescription", "errors"];

/// A name without the differences in its spelling: `errorMessage` and `error_message`.
fn plain_name(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
}

/// Whether a value belongs to no answer and reports an error: under a name that only errors have, or beside a
/// status that says so. Gateways send notices, so a sentence alone is not one.
fn is_refusal(value: &Value) -> bool {
    let number = |path: &str| value.pointer(path).and_then(Value::as_i64);
    if number("/base_resp/status_code").is_some_and(|status| status != 0) {
        return true;
    }
    let has_choices = value.get("choices").is_some_and(|choices| !choices.is_null());
    let is_bad = |status: &Value| match status {
        Value::Number(number) => number.as_i64().is_some_and(|number| number >= 400),
        Value::String(word) => word.parse::<u16>().is_ok_and(|number| number >= 400),
        _ => false,
    };
    let bad = |names: &[&str]| field(value, names).is_some_and(is_bad);
    let is_event = value.get("type").is_some_and(Value::is_string) && !bad(&["status"]);
    if has_choices || is_event || said(value).is_none() {
        return false;
    }
    let is_named = ERRORS.iter().any(|name| field(value, &[name]).and_then(sentence).is_some());
    let is_failure = field(value, &["success", "ok"]) == Some(&Value::Bool(false));
    let is_success = field(value, &["success", "ok"]) == Some(&Value::Bool(true));
    is_failure || bad(&["status", "statuscode", "code"]) || is_named && !is_success
}

/// The sentence of a value that does not belong to an answer, and may be a notice or an error: it says why,
/// should nothing else come.
pub(super) fn notice(value: &Value) -> Option<ErrorBody> {
    value.get("choices").is_none().then(|| said(value))??;
    Some(ErrorBody::of_json(value))
}

/// A field under one of these plain names.
fn field<'v>(value: &'v Value, names: &[&str]) -> Option<&'v Value> {
    let mut fields = value.as_object()?.iter();
    fields.find(|(name, _)| names.contains(&plain_name(name).as_str())).map(|(_, value)| value)
}

/// The sentence for people in an object.
fn said(value: &Value) -> Option<String> {
    let fields = value.as_object()?;
    SENTENCES.iter().find_map(|wanted| {
        let mut named = fields.iter().filter(|(name, _)| plain_name(name) == *wanted);
        named.find_map(|(_, value)| sentence(value))
    })
}

fn sentence(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.clone(),
        // FastAPI: `input` beside `msg` would quote the request.
        Value::Array(list) => {
            let each = |item: &Value| match item {
                Value::String(text) => Some(text.clone()),
                item => ["msg", "message"]
                    .iter()
                    .find_map(|name| item.get(name)?.as_str())
                    .map(str::to_owned),
            };
            list.iter().filter_map(each).collect::<Vec<_>>().join("; ")
        }
        Value::Object(_) => ["message", "msg", "error"]
            .iter()
            .find_map(|name| value.get(name)?.as_str())
            .unwrap_or_default()
            .to_owned(),
        _ => return None,
    };
    Some(text).filter(|text| !text.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use hygiene::Redactor;

    use super::*;
    use crate::model::conversation::ChatRequest;

    fn scrubber() -> Scrubber {
        Scrubber { redactor: Redactor::default(), said: ChatRequest::default().into() }
    }

    #[test]
    fn every_shape_is_understood() {
        use Refusal::*;
        let table: &[(u16, &str, Refusal, &str)] = &[
            (401, r#"{"error":{"message":"no","code":"invalid_api_key"}}"#, Auth, "no"),
            (400, r#"{"error":{"message":"bad","code":400,"type":null}}"#, BadRequest, "bad"),
            (
                400,
                r#"[{"error":{"code":400,"message":"API key not valid."}}]"#,
                Auth,
                "API key not valid.",
            ),
            (
                429,
                r#"[{"error":{"code":429,"message":"slow","status":"RESOURCE_EXHAUSTED"}}]"#,
                RateLimit,
                "slow",
            ),
            (429, r#"{"error":{"message":"pay","type":"insufficient_quota"}}"#, Quota, "pay"),
            (
                400,
                r#"{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low"}}"#,
                Quota,
                "Your credit balance is too low",
            ),
            (
                404,
                r#"{"error":"model 'x' not found, try pulling it first"}"#,
                NotFound,
                "model 'x' not found, try pulling it first",
            ),
            (
                400,
                r#"{"object":"error","message":"This model's maximum context length is 10","code":400}"#,
                TooLong,
                "This model's maximum context length is 10",
            ),
            (
                422,
                r#"{"detail":[{"msg":"Field required","input":"my secret"}]}"#,
                BadRequest,
                "Field required",
            ),
            (502, "<html>\n<h1>Bad Gateway</h1>", Server, "an html page"),
            (503, "upstream connect error", Overloaded, "upstream connect error"),
            (
                529,
                r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
                Overloaded,
                "Overloaded",
            ),
            (500, "", Server, "no reason given"),
            (400, r#"{"messages": ["#, BadRequest, "a broken json body"),
            (302, "", BadRequest, "no reason given"),
            (418, "7", BadRequest, "no reason given"),
        ];
        let scrubber = scrubber();
        for (status, body, refusal, detail) in table {
            let error = ErrorBody::of_body(body).refused(*status, None, &scrubber);
            let expected = ProviderError::Status {
                status: *status,
                retry_after: None,
                refusal: *refusal,
                detail: (*detail).to_owned(),
            };
            assert_eq!(error, expected, "{body}");
        }
    }

    #[test]
    fn the_body_says_when_to_ask_again_and_how_much_fits() {
        for (body, seconds) in [
            (
                r#"{"error":{"message":"slow","details":[{"@type":"x"},{"retryDelay":"17s"}]}}"#,
                17.0,
            ),
            (r#"[{"error":{"message":"Please retry in 12.5s.","code":429}}]"#, 12.5),
            (r#"{"error":{"message":"Rate limit. Please try again in 1m30s. See x"}}"#, 90.0),
            (r#"{"error":"try again in 250ms"}"#, 0.25),
            (r#"{"error":"try again in 20 seconds"}"#, 20.0),
            (r#"{"error":"try again in 900000 hours"}"#, 86400.0),
            (r#"{"error":"try again in a while"}"#, 0.0),
            (r#"{"error":"try again in 5 ways"}"#, 0.0),
        ] {
            let wait = ErrorBody::of_body(body).wait.unwrap_or_default();
            assert_eq!(wait, Duration::from_secs_f64(seconds), "{body}");
        }
        let header = Some(Duration::from_secs(3));
        let refused = ErrorBody::of_body(r#"{"error":"try again in 20s"}"#);
        let error = refused.refused(429, header, &scrubber());
        assert!(
            matches!(error, ProviderError::Status { retry_after, .. } if retry_after == header)
        );
        let body = r#"{"error":{"code":400,"message":"too long","type":"exceed_context_size_error","n_prompt_tokens":5321,"n_ctx":4096}}"#;
        let error = ErrorBody::of_body(body).refused(400, None, &scrubber());
        let ProviderError::Status { refusal, detail, .. } = error else { panic!("{error:?}") };
        let wanted = "too long (n_prompt_tokens 5321) (n_ctx 4096)";
        assert_eq!((refusal, detail.as_str()), (Refusal::TooLong, wanted));
    }

    #[test]
    fn a_filter_is_not_our_fault() {
        let body = r#"{"error":{"message":"x","code":"content_filter","status":400}}"#;
        let scrubber = scrubber();
        let error = ErrorBody::of_body(body).refused(400, None, &scrubber);
        assert_eq!(error, ProviderError::Filtered);
    }

    #[test]
    fn a_refusal_with_status_200_is_one_under_every_name() {
        let detail = |text: &str| {
            let found = ErrorBody::within(&serde_json::from_str(text).unwrap());
            found.map(|found| found.detail(&scrubber())).unwrap_or_default()
        };
        for text in [
            r#"{"error":"slow down"}"#,
            r#"{"error_message":"slow down","code":7}"#,
            r#"{"errorMessage":"slow down"}"#,
            r#"{"error_msg":"slow down","error_code":336}"#,
            r#"{"detail":"slow down"}"#,
            r#"{"detail":{"message":"slow down"}}"#,
            r#"{"detail":[{"msg":"slow down","input":"my secret"}]}"#,
            r#"{"code":1210,"msg":"slow down","success":false}"#,
            r#"{"Message":"slow down","statusCode":429}"#,
            r#"{"message":"slow down","ok":false}"#,
            r#"{"success":false,"errors":[{"code":1,"message":"slow down"}]}"#,
            r#"{"errors":["slow down"]}"#,
            r#"{"choices":null,"base_resp":{"status_code":1004,"status_msg":"slow down"}}"#,
            r#"{"type":"about:blank","title":"No","status":429,"detail":"slow down"}"#,
        ] {
            assert_eq!(detail(text), "slow down", "{text}");
        }
    }

    #[test]
    fn only_errors_are_errors() {
        let within = |text: &str| {
            ErrorBody::within(&serde_json::from_str(text).unwrap())
                .map(|found| found.refusal(found.status))
        };
        assert_eq!(within(r#"{"choices":[],"error":null}"#), None);
        assert_eq!(within(r#"{"type":"ping"}"#), None);
        assert_eq!(within(r#"{"error":{"code":503}}"#), Some(Refusal::Overloaded));
        assert_eq!(within(r#"{"error":"x"}"#), Some(Refusal::Server));
        assert_eq!(within(r#"[{"error":{"code":"429"}}]"#), Some(Refusal::RateLimit));
        assert_eq!(within(r#"{"choices":[],"error":"","message":"","code":0}"#), None);
        assert_eq!(within(r#"{"choices":[{"message":{"content":"hi"}}],"msg":"ok"}"#), None);
        assert_eq!(within(r#"{"type":"new_thing","message":"hi"}"#), None);
        assert_eq!(within(r#"{"message":"still queued","status":"queued"}"#), None);
        assert_eq!(within(r#"{"message":{"role":"assistant","content":"hi"}}"#), None);
        assert_eq!(within(r#"{"msg":"accepted","success":true}"#), None);
        assert_eq!(within(r#"{"title":"queue","reason":"warm-up","code":200}"#), None);
        assert_eq!(within(r#"{"usage":{"prompt_tokens":1}}"#), None);
        assert_eq!(within(r#"{"base_resp":{"status_code":0,"status_msg":""},"choices":[]}"#), None);
    }
}
