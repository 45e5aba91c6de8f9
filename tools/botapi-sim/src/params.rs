//! The parameters of a request, whichever of Telegram's four ways they came in:
//! query string, URL-encoded form, multipart form, JSON.

use bytes::Bytes;
use futures_util::stream;
use serde_json::{Map, Value};

use crate::refusal::Refusal;

/// Parameters by name.
#[derive(Debug, Default)]
pub(crate) struct Params {
    pub(crate) map: Map<String, Value>,
}

impl Params {
    /// Reads the query string and the body.
    pub(crate) async fn read(
        query: Option<&str>,
        content_type: &str,
        body: Bytes,
    ) -> Result<Self, Refusal> {
        let mut map = if body.is_empty() {
            Map::new()
        } else if content_type.starts_with("application/json") {
            serde_json::from_slice(&body)
                .map_err(|_| Refusal::bad("can't parse request body as JSON object"))?
        } else if content_type.starts_with("multipart/form-data") {
            multipart(content_type, body).await?
        } else {
            form(&body)
        };
        if let Some(query) = query.filter(|query| !query.is_empty()) {
            map.extend(form(query.as_bytes()));
        }
        Ok(Self { map })
    }

    /// A text parameter; absent is empty, as in Telegram's server.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.map.get(name).and_then(Value::as_str).unwrap_or("")
    }

    /// A whole number, given as a number or in digits.
    pub(crate) fn number(&self, name: &str) -> Option<i64> {
        match self.map.get(name)? {
            Value::Number(number) => number.as_i64(),
            Value::String(digits) => digits.trim().parse().ok(),
            _ => None,
        }
    }

    /// Whether a parameter is there and not null or empty.
    pub(crate) fn has(&self, name: &str) -> bool {
        match self.map.get(name) {
            None | Some(Value::Null) => false,
            Some(Value::String(text)) => !text.is_empty(),
            Some(_) => true,
        }
    }

    /// A flag, as Telegram reads it.
    pub(crate) fn flag(&self, name: &str) -> bool {
        match self.map.get(name) {
            Some(Value::Bool(flag)) => *flag,
            Some(Value::String(text)) => {
                matches!(text.to_ascii_lowercase().as_str(), "true" | "yes" | "1" | "y" | "t")
            }
            Some(Value::Number(number)) => number.as_i64() == Some(1),
            _ => false,
        }
    }

    /// A structured parameter: JSON itself, or a string that holds JSON.
    pub(crate) fn json(&self, name: &str) -> Result<Option<Value>, Refusal> {
        match self.map.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.is_empty() => Ok(None),
            Some(Value::String(text)) => serde_json::from_str(text).map(Some).map_err(|_| {
                Refusal::bad(format!("can't parse {} JSON object", name.replace('_', " ")))
            }),
            Some(value) => Ok(Some(value.clone())),
        }
    }
}

fn form(body: &[u8]) -> Map<String, Value> {
    form_urlencoded::parse(body)
        .map(|(key, value)| (key.into_owned(), Value::String(value.into_owned())))
        .collect()
}

async fn multipart(content_type: &str, body: Bytes) -> Result<Map<String, Value>, Refusal> {
    let wrong = |_| Refusal::bad("can't parse multipart form");
    let boundary = multer::parse_boundary(content_type).map_err(wrong)?;
    let whole = stream::iter([Ok::<_, std::convert::Infallible>(body)]);
    let mut parts = multer::Multipart::new(whole, boundary);
    let mut map = Map::new();
    while let Some(part) = parts.next_field().await.map_err(wrong)? {
        let Some(name) = part.name().map(str::to_owned) else {
            continue;
        };
        if part.file_name().is_some() {
            let size = part.bytes().await.map_err(wrong)?.len();
            map.insert(name, serde_json::json!({ "uploaded_bytes": size }));
        } else {
            map.insert(name, Value::String(part.text().await.map_err(wrong)?));
        }
    }
    Ok(map)
}
