//! What servers say when they refuse: every shape of error body seen, made one.
//!
//! Seen: `{"error": {…}}` with codes as words, numbers or null (OpenAI, Anthropic, vLLM,
//! llama.cpp), the same in a list (Gemini), `{"error": "…"}` (Ollama, proxies), `{"detail": …}`
//! (FastAPI), `{"object": "error", …}` (older vLLM), plain text, HTML pages of gateways, nothing.

use std::time::Duration;

use serde_json::Value;

use super::failure::{ProviderError, Refusal};
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
        let named = value.get("error").is_some_and(|error| !error.is_null());
        let typed = |key: &str| value.get(key).and_then(Value::as_str) == Some("error");
        (named || typed("object") || typed("type")).then(|| Self::of_json(value))
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
        let refusal = self.refusal(Some(status));
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
        let inner = match value.get("error") {
            Some(error @ Value::Object(_)) => error,
            _ => value,
        };
        let mut error_body = Self { message: message(value, inner), ..Self::default() };
        for key in ["type", "code", "status", "param"] {
            match inner.get(key) {
                Some(Value::String(word)) => error_body.words += &word.to_lowercase(),
                Some(Value::Number(number)) => {
                    let status = number.as_u64().filter(|status| (400..600).contains(status));
                    let status = status.and_then(|status| u16::try_from(status).ok());
                    error_body.status = error_body.status.or(status);
                }
                _ => continue,
            }
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
        let words = ["content_filter", "content_policy", "responsibleai", "prohibited_content"];
        words.iter().any(|word| self.words.contains(word))
    }

    fn refusal(&self, status: Option<u16>) -> Refusal {
        let message = self.message.to_lowercase();
        let says = |parts: &[&str]| parts.iter().any(|part| message.contains(part));
        let named = |parts: &[&str]| parts.iter().any(|part| self.words.contains(part));
        // Names first: several vendors send 400 or 429 for everything.
        if named(&["insufficient_quota", "billing"]) || says(&["credit balance", "billing hard"]) {
            return Refusal::Quota;
        }
        let too_long = ["context length", "context window", "context size", "prompt is too long"];
        if named(&["context_length", "max_length", "request_too_large", "exceed_context"])
            || says(&too_long)
        {
            return Refusal::TooLong;
        }
        if named(&["authentication", "permission", "invalid_api_key", "unauthenticated"])
            || says(&["api key not valid", "incorrect api key", "invalid api key"])
        {
            return Refusal::Auth;
        }
        if named(&["overloaded", "unavailable"]) {
            return Refusal::Overloaded;
        }
        if named(&["rate_limit", "resource_exhausted"]) {
            return Refusal::RateLimit;
        }
        if named(&["not_found"]) || says(&["model not exist", "model does not exist"]) {
            return Refusal::NotFound;
        }
        by_status(status)
    }
}

fn by_status(status: Option<u16>) -> Refusal {
    match status {
        Some(401 | 403) => Refusal::Auth,
        Some(402) => Refusal::Quota,
        Some(404) => Refusal::NotFound,
        Some(413) => Refusal::TooLong,
        Some(429) => Refusal::RateLimit,
        Some(503 | 529) => Refusal::Overloaded,
        Some(408) => Refusal::Server,
        Some(300..=499) => Refusal::BadRequest,
        _ => Refusal::Server,
    }
}

fn message(outer: &Value, inner: &Value) -> String {
    let places =
        [inner.get("message"), outer.get("error"), outer.get("message"), outer.get("detail")];
    let mut texts = places.into_iter().flatten().filter_map(|place| match place {
        Value::String(text) => Some(text.clone()),
        // FastAPI: `input` beside `msg` would quote the request.
        Value::Array(list) => {
            let said: Vec<&str> =
                list.iter().filter_map(|item| item.get("msg").and_then(Value::as_str)).collect();
            Some(said.join("; "))
        }
        _ => None,
    });
    texts.find(|text| !text.trim().is_empty()).unwrap_or_default()
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
    fn a_filter_is_not_our_fault() {
        let body = r#"{"error":{"message":"x","code":"content_filter","status":400}}"#;
        let scrubber = scrubber();
        let error = ErrorBody::of_body(body).refused(400, None, &scrubber);
        assert_eq!(error, ProviderError::Filtered);
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
        assert_eq!(within(r#"[{"error":{"code":"429"}}]"#), Some(Refusal::Server));
    }
}
