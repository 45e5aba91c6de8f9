//! What a provider is asked and what it answers.

use serde::{Deserialize, Serialize};

/// One question with its answer, as kept in the history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchange {
    /// The person's text.
    pub question: String,
    /// The bot's text (Markdown, as the provider wrote it).
    pub answer: String,
}

/// A piece of the operator's own documents that may answer a question.
#[derive(Clone, Debug, PartialEq)]
pub struct Passage {
    /// File the passage stands in, relative to the knowledge folder.
    pub source: String,
    /// The heading above it, or the file's title.
    pub title: String,
    /// The passage itself, Markdown.
    pub text: String,
    /// Relevance, larger is better; comparable only within one search.
    pub score: f64,
}

/// Everything a provider needs for one answer.
#[derive(Clone, Debug, Default)]
pub struct ChatRequest {
    /// Model to use instead of the configured one.
    pub model: Option<String>,
    /// Instructions for the model.
    pub system: String,
    /// Earlier exchanges, oldest first, already cut to the window.
    pub history: Vec<Exchange>,
    /// The question.
    pub question: String,
    /// Passages found for the question, best first; empty when nothing was found.
    pub passages: Vec<Passage>,
    /// Upper bound of the answer in tokens.
    pub max_output_tokens: u32,
}

/// One step of a streamed answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// More text, to be appended.
    Text(String),
    /// The answer is complete; nothing follows. A stream that ends without it failed.
    Done(Finished),
}

/// How an answer ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Finished {
    /// Why the model stopped.
    pub reason: StopReason,
    /// Tokens used, where the server told.
    pub usage: Option<Usage>,
    /// The model as the server named it.
    pub model: Option<String>,
}

/// Why a model stopped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StopReason {
    /// It had finished.
    #[default]
    End,
    /// The bound on tokens was reached: the answer is cut.
    Length,
    /// The vendor's filter stopped it.
    Filtered,
    /// Something else that the server named.
    Other,
}

/// Tokens of one call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens of the prompt.
    pub input_tokens: u64,
    /// Tokens of the answer.
    pub output_tokens: u64,
}
