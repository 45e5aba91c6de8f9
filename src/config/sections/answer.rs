//! `[answer]`: who answers, how, and how patiently.

use std::sync::LazyLock;

use super::choose::{AUTO, choose};
use crate::config::key::Part;
use crate::config::kind;
use crate::config::resolved::Resolved;
use crate::config::rule::{Rule, count, prose, whole, words};
use crate::config::section::section;
use crate::config::source::Origin;
use crate::config::value::Value;
use crate::provider::{PROVIDERS, Server, services};

/// Plain, short, honest: what suits a chat on a telephone.
const PROMPT: &str = "You are a helpful assistant in a Telegram chat. Answer in the language of \
the question. Be brief and concrete; people read you on a telephone. Use Markdown sparingly. When \
you do not know something, say so instead of guessing.";

section! {
    /// The section `[answer]`: who answers, how, and with which timeouts.
    pub struct Answer in "answer", checked by check {
        /// Who answers, best first; `auto` is resolved already.
        provider: Vec<String> = provider()
            .alias(&["AI_PROVIDER"])
            .when("To choose when several keys are set, to use your own server, or to name a second provider for the time when the first one does not answer.")
            .live(Part::Answers),

        /// Models that people may choose for their chat with `/model`, besides the configured one.
        /// They are asked of the first provider of the list. Without any, only the configured one answers.
        models: Vec<String> = words()
            .when("To let people choose; every name here may cost what that model costs.")
            .live(Part::Answers),

        /// What the model reads before every conversation; an empty text means nothing.
        system_prompt: String = prose(PROMPT)
            .when("To give the bot its task, tone and limits.").live(Part::Answers),

        /// How many earlier exchanges are sent along with a question; 0 sends none.
        max_history_turns: u32 = count(0..=1000, 10)
            .alias(&["MAX_HISTORY_TURNS"])
            .when("Lower it to save tokens, raise it for long conversations.").live(Part::Answers),

        /// How many tokens these exchanges may have in total (estimated); older ones are left out.
        max_history_tokens: u32 = count(0..=1_000_000, 4000)
            .when("To fit the model's context, especially with small local models.")
            .live(Part::Answers),

        /// How many tokens an answer may have.
        max_output_tokens: u32 = count(16..=100_000, 1024)
            .when("Raise it for long answers; it bounds the cost of each.").live(Part::Answers),

        /// How long the server may be silent before the first words of an answer, in seconds; never
        /// longer than `timeout_s`. A model that thinks is not silent.
        first_token_timeout_s: u64 = whole(1..=3600, 30)
            .when("Raise it for a local model that loads slowly.").live(Part::Answers),

        /// How long a whole answer may take, in seconds.
        timeout_s: u64 = whole(1..=3600, 120)
            .alias(&["HTTP_TIMEOUT"]).when("Raise it for slow local models.").live(Part::Answers),
    }
}

/// The words for `answer.provider`, and what they mean.
fn provider() -> Rule<Vec<String>> {
    static WORDS: LazyLock<Vec<&str>> = LazyLock::new(|| {
        let providers = PROVIDERS.iter().map(|provider| provider.name);
        let servers = services().flat_map(|(_, service)| service.servers);
        std::iter::once(AUTO).chain(providers).chain(servers.flat_map(Server::names)).collect()
    });
    Rule::new(kind::Kind::Names(&WORDS), Value::Text(AUTO.to_owned())).doc(meaning())
}

fn meaning() -> String {
    let mut text = format!("Who answers. `{AUTO}` takes ");
    for (provider, service) in services().rev() {
        let or_address = if service.is_self_hosted { " or address" } else { "" };
        text.push_str(&format!("`{}` if its key{or_address} is set, else ", provider.name));
    }
    text.push_str("`offline`.");
    for (provider, service) in services().filter(|(_, service)| !service.servers.is_empty()) {
        let words: Vec<String> = service.servers.iter().map(server_words).collect();
        let (last, others) = words.split_last().expect("not empty");
        let words = if others.is_empty() { String::new() } else { others.join(", ") + " and " };
        text.push_str(&format!(
            " {words}{last} mean `{}` with that server's usual address and model.",
            provider.name
        ));
    }
    text + " `offline` quotes the knowledge folder, or built-in pages about Katana without one, \
            `echo` repeats the question. A list names several, best first: when one does not answer, the next \
            is asked. Its entries are these words and the names of `[providers.NAME]` tables; each server word in \
            a list has settings of its own, `[providers.ollama]` for `ollama`."
}

fn server_words(server: &Server) -> String {
    let others: Vec<String> = server.other_names.iter().map(|name| format!("`{name}`")).collect();
    let others =
        if others.is_empty() { others.concat() } else { format!(" (or {})", others.join(", ")) };
    format!("`{}`{others}", server.name)
}

fn check(resolved: &mut Resolved<'_>) {
    choose(resolved);
    let (first, whole) = ("answer.first_token_timeout_s", "answer.timeout_s");
    let Some((first_s, whole_s)) = resolved.both::<u64>(first, whole) else { return };
    if first_s <= whole_s {
        return;
    }
    if resolved.is_default(first) {
        // HTTP_TIMEOUT=15 alone is a clear wish, not a contradiction.
        let why = Origin::Derived("not longer than timeout_s".to_owned());
        resolved.set(first, Value::Whole(whole_s), why);
    } else {
        let hint = format!("write at most answer.timeout_s, which is {whole_s}");
        resolved.problems.push(first, "the whole answer may not take that long", hint);
    }
}
