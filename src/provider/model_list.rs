//! The list of models that a server offers.

use std::sync::Arc;

use reqwest::Url;
use reqwest::header::HeaderMap;
use serde_json::Value;

use super::http;
use super::interface::ModelList;
use super::scrub::Scrubber;
use crate::model::conversation::ChatRequest;

/// Asks for the list at `url`.
pub(super) async fn ask(
    client: &reqwest::Client,
    url: Url,
    headers: HeaderMap,
    redactor: hygiene::Redactor,
) -> ModelList {
    let scrubber = Scrubber { redactor, said: Arc::new(ChatRequest::default()) };
    let Some(list) = http::get(client, url, headers, &scrubber).await? else { return Ok(None) };
    let rows = ["data", "models"].iter().find_map(|name| list.get(name)).unwrap_or(&list);
    let names = rows.as_array().into_iter().flatten().filter_map(name).collect::<Vec<_>>();
    Ok(Some(names).filter(|names| !names.is_empty()))
}

fn name(row: &Value) -> Option<String> {
    let name = row.as_str().or_else(|| {
        ["id", "name", "model"].iter().find_map(|field| row.get(field).and_then(Value::as_str))
    })?;
    Some(name.to_owned())
}

/// Whether a model is on a list, by any of the names that its server takes: Gemini lists
/// `models/NAME`, and Ollama `NAME:latest`.
pub fn is_listed(list: &[String], model: &str) -> bool {
    let plain = |name: &str| {
        let name = name.strip_prefix("models/").unwrap_or(name);
        name.strip_suffix(":latest").unwrap_or(name).to_ascii_lowercase()
    };
    list.iter().any(|name| plain(name) == plain(model))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_as_servers_take_them() {
        let list = ["gpt-x", "llama3.2:latest", "models/gemini-pro"].map(str::to_owned);
        for model in ["gpt-x", "llama3.2", "LLAMA3.2:latest", "gemini-pro", "models/gemini-pro"] {
            assert!(is_listed(&list, model), "{model}");
        }
        for model in ["gpt", "llama3.2:1b", ""] {
            assert!(!is_listed(&list, model), "{model}");
        }
    }
}
