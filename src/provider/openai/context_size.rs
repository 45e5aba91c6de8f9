//! How much a model can read, as servers of one's own say it.
//!
//! llama.cpp has the size of a slot in `/props`, and in the list of models only what the model was trained with,
//! which is more than it may have been given. vLLM has `max_model_len` in the list, others have names of their own.

use std::sync::Arc;

use hygiene::Redactor;
use reqwest::Url;
use reqwest::header::HeaderMap;
use serde_json::Value;

use crate::model::conversation::ChatRequest;
use crate::provider::http;
use crate::provider::is_listed;
use crate::provider::scrub::Scrubber;

/// Where a row of the list of models has the size, best first.
const IN_LIST: [&str; 6] = [
    "/max_model_len",
    "/meta/n_ctx",
    "/loaded_context_length",
    "/context_length",
    "/max_context_length",
    "/meta/n_ctx_train",
];

/// Where `/props` has it.
const IN_PROPS: [&str; 2] = ["/default_generation_settings/n_ctx", "/n_ctx"];

/// Asks the server for its properties, then for its list of models.
pub(super) async fn ask(
    client: &reqwest::Client,
    [props, list]: [Url; 2],
    headers: HeaderMap,
    redactor: Redactor,
    model: String,
) -> Option<usize> {
    let scrubber = Scrubber { redactor, said: Arc::new(ChatRequest::default()) };
    let get = async |url| http::get(client, url, headers.clone(), &scrubber).await.ok().flatten();
    let of_slot = get(props).await.and_then(|props| size(&props, &IN_PROPS));
    match of_slot {
        Some(size) => Some(size),
        None => in_list(&get(list).await?, &model),
    }
}

/// The size in the model's row; llama.cpp names its only row by the file.
fn in_list(list: &Value, model: &str) -> Option<usize> {
    let rows = list.get("data").and_then(Value::as_array)?;
    let is_named = |row: &&Value| {
        let name = row.get("id").and_then(Value::as_str);
        name.is_some_and(|name| is_listed(&[name.to_owned()], model))
    };
    let row = rows.iter().find(is_named).or(match &rows[..] {
        [only] => Some(only),
        _ => None,
    })?;
    size(row, &IN_LIST)
}

fn size(value: &Value, places: &[&str]) -> Option<usize> {
    let size = places.iter().find_map(|place| value.pointer(place)?.as_u64());
    size.and_then(|size| usize::try_from(size).ok()).filter(|size| *size > 0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_size_is_found_where_servers_have_it() {
        for (row, wanted) in [
            (json!({"id": "m", "max_model_len": 8192}), Some(8192)),
            (json!({"id": "/models/m.gguf", "meta": {"n_ctx_train": 32768}}), Some(32768)),
            (json!({"id": "m", "context_length": 4096, "meta": {"n_ctx_train": 9}}), Some(4096)),
            (json!({"id": "m", "max_model_len": null}), None),
            (json!("m"), None),
        ] {
            assert_eq!(in_list(&json!({"data": [row]}), "m"), wanted, "{row}");
        }
        let two =
            json!({"data": [{"id": "a", "max_model_len": 1}, {"id": "m", "max_model_len": 2}]});
        assert_eq!((in_list(&two, "m"), in_list(&two, "b")), (Some(2), None));
        let props = json!({"default_generation_settings": {"n_ctx": 2048}, "total_slots": 4});
        assert_eq!(size(&props, &IN_PROPS), Some(2048));
    }
}
