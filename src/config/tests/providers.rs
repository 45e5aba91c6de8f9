//! Which provider is chosen, with which server, model and key.

use super::{with, with_file};
use crate::config::Secret;

/// Provider, then address, model and key of its section; those of openai where it has none.
fn chosen(env: &[(&str, &str)]) -> (&'static str, String, String, Option<String>) {
    let env = [&[("AI_PROVIDER", "")], env].concat();
    let config = with(&env).expect("valid").config;
    let first = config.first();
    let section = first.section.unwrap_or(&config.providers["openai"]).clone();
    let key = section.api_key.as_ref().map(Secret::expose).map(str::to_owned);
    (first.kind.name, section.base_url, section.model, key)
}

const OPENAI: (&str, &str) = ("OPENAI_API_KEY", "o-key");
const ANTHROPIC: (&str, &str) = ("ANTHROPIC_API_KEY", "a-key");
const GOOGLE: (&str, &str) = ("GOOGLE_API_KEY", "g-key");
const GEMINI: &str = "https://generativelanguage.googleapis.com/v1beta/openai";

#[test]
fn auto_takes_the_first_that_can_work() {
    let here = env!("CARGO_MANIFEST_DIR");
    let knowledge = ("KATANA_KNOWLEDGE_DIR", here);
    assert_eq!(chosen(&[]).0, "offline");
    assert_eq!(chosen(&[knowledge]).0, "offline");
    assert_eq!(chosen(&[knowledge, OPENAI]).0, "openai");
    assert_eq!(chosen(&[knowledge, OPENAI, ANTHROPIC]).0, "anthropic");
    let server = ("KATANA_OPENAI_BASE_URL", "http://127.0.0.1:9/v1");
    assert_eq!(chosen(&[knowledge, server]).0, "openai", "a named server needs no key");
}

#[test]
fn words_for_servers_mean_openai_with_their_address() {
    for (word, url) in [
        ("ollama", "http://127.0.0.1:11434/v1"),
        ("vllm", "http://127.0.0.1:8000/v1"),
        ("gemini", GEMINI),
        ("Google", GEMINI),
        ("openrouter", "https://openrouter.ai/api/v1"),
    ] {
        let key = ("KATANA_OPENAI_API_KEY", "k");
        let (provider, base_url, model, _) =
            chosen(&[("AI_PROVIDER", word), ("AI_MODEL_NAME", "m"), key]);
        assert_eq!((provider, base_url.as_str(), model.as_str()), ("openai", url, "m"));
        let own = ("KATANA_OPENAI_BASE_URL", "https://own.example/v1/");
        let (_, base_url, ..) = chosen(&[("AI_PROVIDER", word), ("DEFAULT_MODEL", "m"), key, own]);
        assert_eq!(base_url, "https://own.example/v1");
    }
    let config = with_file("[answer]\nprovider = \"ollama\"\n", &[("AI_PROVIDER", "")]);
    let openai = config.expect("valid").config.providers["openai"].clone();
    assert_eq!((openai.model.as_str(), openai.api_key.is_none()), ("llama3.2", true));
}

#[test]
fn googles_key_goes_to_google_only() {
    let (provider, url, model, key) = chosen(&[GOOGLE]);
    assert_eq!((provider, url.as_str(), key.as_deref()), ("openai", GEMINI, Some("g-key")));
    assert!(model.starts_with("gemini"));

    let (_, url, _, key) = chosen(&[GOOGLE, OPENAI]);
    assert_eq!((url.as_str(), key.as_deref()), ("https://api.openai.com/v1", Some("o-key")));
    let (_, url, _, key) = chosen(&[GOOGLE, OPENAI, ("AI_PROVIDER", "gemini")]);
    assert_eq!((url.as_str(), key.as_deref()), (GEMINI, Some("g-key")));
    let own = ("KATANA_OPENAI_API_KEY", "own");
    let (.., key) = chosen(&[GOOGLE, own, ("AI_PROVIDER", "gemini")]);
    assert_eq!(key.as_deref(), Some("own"));
    let (.., key) = chosen(&[GOOGLE, ("AI_PROVIDER", "ollama")]);
    assert_eq!(key, None);
    let (.., key) = chosen(&[GOOGLE, ("KATANA_OPENAI_BASE_URL", "http://127.0.0.1:9/v1")]);
    assert_eq!(key, None, "another server was named");
    let (.., key) = chosen(&[GOOGLE, ("KATANA_OPENAI_BASE_URL", GEMINI)]);
    assert_eq!(key.as_deref(), Some("g-key"));
}

#[test]
fn the_common_model_variables_reach_the_chosen_provider() {
    let model = |env: &[(&str, &str)]| chosen(env).2;
    let (name, default) = (("AI_MODEL_NAME", "first"), ("DEFAULT_MODEL", "second"));
    assert_eq!(model(&[OPENAI, name, default]), "first");
    assert_eq!(model(&[ANTHROPIC, default]), "second");
    assert_eq!(model(&[OPENAI, name, ("KATANA_OPENAI_MODEL", "own")]), "own");
    let config = with(&[("AI_PROVIDER", "anthropic"), ANTHROPIC, name]).expect("valid").config;
    assert_eq!(config.providers["openai"].model, "gpt-4.1-mini", "the other one keeps its own");
    let loaded =
        with_file("[openai]\nmodel = \"file\"\n", &[("AI_PROVIDER", "openai"), OPENAI, name]);
    assert_eq!(
        loaded.expect("valid").config.providers["openai"].model,
        "first",
        "environment beats file"
    );
}

#[test]
fn a_wrong_key_still_shows_which_provider_was_meant() {
    let problem = super::only(with(&[("AI_PROVIDER", ""), ("ANTHROPIC_API_KEY", "a b")]));
    assert!(problem.starts_with("anthropic.api_key: the environment ANTHROPIC_API_KEY is not one"));
}
