//! How a method ends: with a result as raw JSON, or with a refusal in Telegram's words.

use std::borrow::Cow;
use std::fmt::Write as _;

use bytes::Bytes;

/// A refusal: HTTP status and `error_code` are the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: u16,
    pub(crate) description: Cow<'static, str>,
    pub(crate) retry_after: Option<u64>,
    pub(crate) migrate_to_chat_id: Option<i64>,
}

/// The result of a method, as raw JSON.
pub(crate) type Outcome = Result<String, Refusal>;

impl Refusal {
    pub(crate) fn new(code: u16, description: impl Into<Cow<'static, str>>) -> Self {
        Self { code, description: description.into(), retry_after: None, migrate_to_chat_id: None }
    }

    /// 400 with `Bad Request: ` before the words.
    pub(crate) fn bad(words: impl AsRef<str>) -> Self {
        Self::new(400, format!("Bad Request: {}", words.as_ref()))
    }

    /// 403 with `Forbidden: ` before the words.
    pub(crate) fn forbidden(words: &str) -> Self {
        Self::new(403, format!("Forbidden: {words}"))
    }

    /// 401, as for a revoked token.
    pub(crate) fn unauthorized() -> Self {
        Self::new(401, "Unauthorized")
    }

    /// 404, as for a malformed token or an unknown method.
    pub(crate) fn not_found() -> Self {
        Self::new(404, "Not Found")
    }

    /// 429 with the seconds to wait.
    pub(crate) fn too_many(retry_after: u64) -> Self {
        Self {
            retry_after: Some(retry_after),
            ..Self::new(429, format!("Too Many Requests: retry after {retry_after}"))
        }
    }
}

/// Status and body of an answer.
pub(crate) fn render(outcome: &Outcome) -> (u16, Bytes) {
    match outcome {
        Ok(result) => {
            let mut body = String::with_capacity(result.len() + 24);
            body.push_str("{\"ok\":true,\"result\":");
            body.push_str(result);
            body.push('}');
            (200, Bytes::from(body))
        }
        Err(refusal) => {
            let mut body =
                format!("{{\"ok\":false,\"error_code\":{},\"description\":", refusal.code);
            body.push_str(&quoted(&refusal.description));
            if let Some(seconds) = refusal.retry_after {
                let _ = write!(body, ",\"parameters\":{{\"retry_after\":{seconds}}}");
            } else if let Some(chat) = refusal.migrate_to_chat_id {
                let _ = write!(body, ",\"parameters\":{{\"migrate_to_chat_id\":{chat}}}");
            }
            body.push('}');
            (refusal.code, Bytes::from(body))
        }
    }
}

/// A string as JSON.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}
