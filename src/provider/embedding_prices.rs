//! What embeddings cost.
//!
//! Invariant: a model that is not known here costs as much as the dearest that is, never less.

use super::embeddings::EmbeddingsServer;
use super::prices::Priced;
use crate::model::money::{MicroUsd, Price};

/// Models by how their names begin, and what a million tokens cost, in millionths of a US dollar: the dearest of
/// what litellm's table (MIT, 1.110.2, November 2026) has for the model.
const PRICES: [(&str, i64); 13] = [
    ("text-embedding-3-small", 25_000),
    ("text-embedding-3-large", 163_000),
    ("text-embedding-ada-002", 110_000),
    ("mistral-embed", 100_000),
    ("codestral-embed", 150_000),
    ("gemini-embedding-001", 150_000),
    ("gemini-embedding-2", 200_000),
    ("embed-v4.0", 120_000),
    ("embed-v5.0", 120_000),
    ("embed-multilingual-v3.0", 100_000),
    ("embed-english-v3.0", 100_000),
    ("voyage-", 180_000),
    ("qwen3-embedding", 100_000),
];

/// What a million tokens cost at most whose model is not in the table.
const DEAREST: i64 = 200_000;

/// What the embeddings of a server cost. `set`: what the configuration says for a million tokens.
pub fn embedding_price(server: &EmbeddingsServer, set: Option<MicroUsd>) -> Priced {
    let flat = |rate| Price::flat(rate, MicroUsd::ZERO);
    match (set, server.is_own_server()) {
        (Some(rate), _) => Priced::Known(flat(rate)),
        (None, true) => Priced::Free,
        (None, false) => match find(server.model()) {
            Some(rate) => Priced::Known(flat(rate)),
            None => Priced::Dearest(flat(MicroUsd(DEAREST))),
        },
    }
}

fn find(model: &str) -> Option<MicroUsd> {
    let model = model.to_ascii_lowercase();
    // Gateways write `vendor/model`, Gemini `models/model`.
    let name = model.rsplit('/').next().unwrap_or(&model);
    let found = PRICES.iter().filter(|(begins, _)| name.starts_with(begins));
    found.map(|(_, rate)| MicroUsd(*rate)).max()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::EmbeddingsSettings;

    fn price(base_url: &str, model: &str, set: Option<i64>) -> (bool, i64) {
        let settings = EmbeddingsSettings {
            base_url: base_url.to_owned(),
            model: model.to_owned(),
            ..EmbeddingsSettings::default()
        };
        let server = EmbeddingsServer::new(settings).expect("built");
        let priced = embedding_price(&server, set.map(MicroUsd));
        (matches!(priced, Priced::Dearest(_)), priced.price().rates.input.0)
    }

    #[test]
    fn what_is_not_known_is_dear_and_what_is_ones_own_is_free() {
        let openai = "https://api.openai.com/v1";
        for (base_url, model, set, expected) in [
            (openai, "text-embedding-3-small", None, (false, 25_000)),
            (
                "https://openrouter.ai/api/v1",
                "openai/Text-Embedding-3-Large",
                None,
                (false, 163_000),
            ),
            (openai, "text-embedding-99", None, (true, DEAREST)),
            (openai, "", None, (true, DEAREST)),
            (openai, "text-embedding-3-small", Some(7), (false, 7)),
            ("http://localhost:8080", "text-embedding-3-small", None, (false, 0)),
            ("http://localhost:8080", "anything", Some(9), (false, 9)),
        ] {
            assert_eq!(price(base_url, model, set), expected, "{base_url} {model} {set:?}");
        }
        assert!(PRICES.iter().all(|(_, rate)| (1..=DEAREST).contains(rate)));
    }
}
