//! `[answer]`: who answers, how, and how patiently.

use super::key::{Key, Kind};
use super::settled::Settled;
use super::source::Origin;
use super::value::Value;

/// Who answers questions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    /// A server that speaks OpenAI's chat completions.
    OpenAi,
    /// Anthropic's Messages API.
    Anthropic,
    /// Passages of the knowledge folder, without a model.
    Offline,
    /// The question itself, for tests and measurements.
    Echo,
}

impl Provider {
    /// The word used in the configuration, logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
            Self::Offline => "offline",
            Self::Echo => "echo",
        }
    }
}

/// The section `[answer]`.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Who answers; `auto` and the names of servers are resolved already.
    pub provider: Provider,
    /// What the model is told before every conversation; may be empty.
    pub system_prompt: String,
    /// Exchanges of the conversation that go along with a question; 0 for none.
    pub max_history_turns: u32,
    /// Tokens, as estimated, that these exchanges may have together.
    pub max_history_tokens: u32,
    /// Tokens that an answer may have.
    pub max_output_tokens: u32,
    /// How long the first piece of an answer may take.
    pub first_token_timeout_s: u64,
    /// How long a whole answer may take.
    pub timeout_s: u64,
}

/// Words for `answer.provider`.
const PROVIDERS: &[&str] = &[
    "auto",
    "openai",
    "anthropic",
    "offline",
    "echo",
    "ollama",
    "gemini",
    "google",
    "vllm",
    "openrouter",
];

/// Plain, short, honest: what suits a chat on a telephone.
const PROMPT: &str = "You are a helpful assistant in a Telegram chat. Answer in the language of \
the question. Be brief and concrete; people read you on a telephone. Use Markdown sparingly. When \
you do not know something, say so instead of guessing.";

pub(super) const KEYS: &[Key] = &[
    Key::new("answer.provider", Kind::Choice(PROVIDERS), "auto").alias(&["AI_PROVIDER"]).doc(
        "Who answers. `auto` takes `anthropic` if its key is set, else `openai` if its key or address is set, else `offline`. `ollama`, `gemini` (or `google`), `vllm` and `openrouter` mean `openai` with that server's usual address and model. `offline` quotes the knowledge folder, or built-in pages about Katana without one, `echo` repeats the question.",
        "To choose when several keys are set, or to name a server of your own.",
    ),
    Key::new("answer.system_prompt", Kind::Prose, PROMPT).doc(
        "What the model is told before every conversation.",
        "To give the bot its task, tone and limits.",
    ),
    Key::new("answer.max_history_turns", Kind::Whole(0, 1000), "10").alias(&["MAX_HISTORY_TURNS"]).doc(
        "How many earlier exchanges go along with a question; 0 makes every question stand alone.",
        "Lower it to save tokens, raise it for long conversations.",
    ),
    Key::new("answer.max_history_tokens", Kind::Whole(0, 1_000_000), "4000").doc(
        "How many tokens these exchanges may have together, as estimated; older ones are left out.",
        "To fit the model's context, above all with small local models.",
    ),
    Key::new("answer.max_output_tokens", Kind::Whole(16, 100_000), "1024").doc(
        "How many tokens an answer may have.",
        "Raise it for long answers; it bounds the cost of each.",
    ),
    Key::new("answer.first_token_timeout_s", Kind::Whole(1, 3600), "30").doc(
        "How long the first piece of an answer may take, in seconds; never longer than `timeout_s`.",
        "Raise it for a local model that loads slowly.",
    ),
    Key::new("answer.timeout_s", Kind::Whole(1, 3600), "120").alias(&["HTTP_TIMEOUT"]).doc(
        "How long a whole answer may take, in seconds.",
        "Raise it for slow local models.",
    ),
];

impl Answer {
    pub(super) fn read(settled: &mut Settled) -> Self {
        let (first, whole) = ("answer.first_token_timeout_s", "answer.timeout_s");
        let sound = !settled.problems.about(first) && !settled.problems.about(whole);
        if sound && settled.whole(first) > settled.whole(whole) {
            let timeout_s = settled.whole(whole);
            if settled.is_default(first) {
                // HTTP_TIMEOUT=15 alone is a clear wish, not a contradiction.
                let why = Origin::Derived("not longer than timeout_s".to_owned());
                settled.set(first, Value::Whole(timeout_s), why);
            } else {
                let hint = format!("write at most answer.timeout_s, which is {timeout_s}");
                settled.problems.push(first, "the whole answer may not take that long", hint);
            }
        }
        Self {
            provider: match settled.text("answer.provider").as_str() {
                "anthropic" => Provider::Anthropic,
                "offline" => Provider::Offline,
                "echo" => Provider::Echo,
                _ => Provider::OpenAi,
            },
            system_prompt: settled.text("answer.system_prompt"),
            max_history_turns: settled.count("answer.max_history_turns"),
            max_history_tokens: settled.count("answer.max_history_tokens"),
            max_output_tokens: settled.count("answer.max_output_tokens"),
            first_token_timeout_s: settled.whole(first),
            timeout_s: settled.whole(whole),
        }
    }
}
