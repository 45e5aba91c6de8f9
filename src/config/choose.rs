//! Which provider answers, and what follows from that: address, model and key of the server.
//!
//! Many servers speak OpenAI's language, so a word such as `ollama` means: provider openai, with
//! that server's usual address and model unless others are set.

use super::answer::Provider;
use super::key::find;
use super::settled::Settled;
use super::source::{Origin, Sources};
use super::value::Value;
use super::{credential, environment};

/// A server that speaks OpenAI's language.
struct Server {
    word: &'static str,
    base_url: &'static str,
    /// Empty when the server has no model that could be guessed.
    model: &'static str,
}

/// Gemini is also what `GOOGLE_API_KEY` leads to, under either of its names.
const GEMINI: Server = Server {
    word: "gemini",
    base_url: "https://generativelanguage.googleapis.com/v1beta/openai",
    model: "gemini-flash-latest",
};

/// Addresses that begin so take Google's key.
const GEMINI_HOST: &str = "https://generativelanguage.googleapis.com/";

const SERVERS: &[Server] = &[
    GEMINI,
    Server { word: "google", ..GEMINI },
    Server { word: "ollama", base_url: "http://127.0.0.1:11434/v1", model: "llama3.2" },
    Server { word: "vllm", base_url: "http://127.0.0.1:8000/v1", model: "" },
    Server {
        word: "openrouter",
        base_url: "https://openrouter.ai/api/v1",
        model: "openrouter/auto",
    },
];

/// Settles the provider, and every key that follows from it.
pub(super) fn settle(settled: &mut Settled, sources: &Sources) {
    let word = settled.text("answer.provider");
    let mut server = SERVERS.iter().find(|server| server.word == word);
    if google_key(settled, sources, &word) {
        server = Some(&GEMINI);
    }
    if let Some(server) = server {
        apply(settled, server);
    }
    let provider = match word.as_str() {
        "auto" => auto(settled),
        "anthropic" => Provider::Anthropic,
        "offline" => Provider::Offline,
        "echo" => Provider::Echo,
        _ => Provider::OpenAi,
    };
    if word == "auto" || server.is_some_and(|server| server.word == word) {
        let why = format!("{}: {word}", settled.origin("answer.provider"));
        let text = Value::Text(provider.as_str().to_owned());
        settled.set("answer.provider", text, Origin::Derived(why));
    }
    model(settled, sources, provider, server);
}

/// Uses Google's key when that is what somebody means: the provider or the address is Gemini's, or
/// no other key and no other server is named. Returns whether it was used.
fn google_key(settled: &mut Settled, sources: &Sources, word: &str) -> bool {
    const PATH: &str = "openai.api_key";
    let Some(key) = find(PATH) else { return false };
    let (address, origin) = (settled.text("openai.base_url"), settled.origin(PATH));
    let gemini = ["gemini", "google"].contains(&word) || address.starts_with(GEMINI_HOST);
    let alone = ["auto", "openai"].contains(&word)
        && settled.secret(PATH).is_none()
        && !settled.problems.about(PATH)
        && settled.is_default("openai.base_url");
    // OPENAI_API_KEY is OpenAI's own; a key given to Katana by its own name comes first.
    let own = match origin {
        Origin::Env(name) | Origin::SecretFile(name) => name.starts_with(&key.variable()),
        Origin::Credential(_) => true,
        _ => false,
    };
    if !alone && (!gemini || own) {
        return false;
    }
    let found = credential::find_in(key, key.shared, sources, &mut settled.problems);
    let used = found.is_some();
    if let Some((value, origin)) = found {
        settled.set(PATH, value, origin);
    }
    used
}

fn apply(settled: &mut Settled, server: &Server) {
    let why = || Origin::Derived(format!("usual for {}", server.word));
    if settled.is_default("openai.base_url") {
        settled.set("openai.base_url", Value::Text(server.base_url.to_owned()), why());
    }
    if settled.is_default("openai.model") && !server.model.is_empty() {
        settled.set("openai.model", Value::Text(server.model.to_owned()), why());
    }
}

/// The first provider that can work. A key that is there but wrong is a problem of its own, and
/// still shows which provider was meant.
fn auto(settled: &mut Settled) -> Provider {
    let meant = |path| settled.secret(path).is_some() || settled.problems.about(path);
    if meant("anthropic.api_key") {
        return Provider::Anthropic;
    }
    // A server of one's own may need no key; naming it is as clear as a key.
    if meant("openai.api_key") || !settled.is_default("openai.base_url") {
        return Provider::OpenAi;
    }
    if settled.path("knowledge.dir").is_none() && !settled.problems.about("knowledge.dir") {
        settled.warn(
            "answer.provider",
            "there is no API key and no knowledge folder: only questions about Katana itself are answered",
            "set ANTHROPIC_API_KEY or OPENAI_API_KEY, or knowledge.dir for answers from your own documents",
        );
    }
    Provider::Offline
}

/// Lets `AI_MODEL_NAME` and `DEFAULT_MODEL` reach the chosen provider's model.
fn model(settled: &mut Settled, sources: &Sources, provider: Provider, server: Option<&Server>) {
    let path = match provider {
        Provider::OpenAi => "openai.model",
        Provider::Anthropic => "anthropic.model",
        Provider::Offline | Provider::Echo => return,
    };
    let Some(key) = find(path) else { return };
    if *settled.origin(path) != Origin::Env(key.variable()) {
        let found = environment::find_in(key, key.shared, sources, &mut settled.problems);
        if let Some((value, origin)) = found {
            settled.set(path, value, origin);
        }
    }
    if settled.is_default(path) && server.is_some_and(|server| server.model.is_empty()) {
        settled.problems.push(
            path,
            "this server's model cannot be guessed",
            "set openai.model to the name under which the server offers its model",
        );
    }
}
