//! A conversation as messages: what a provider is asked, what it streams back, and what is kept.
//!
//! Invariants: the tags and names that serde writes here are stored in state files, so they never
//! change their meaning. Nothing here belongs to one vendor: signed thinking and other private
//! blocks are never part of a message, so that any model can continue any conversation.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::cited::KeptPassage;
use super::ids::ChatId;
use super::quote::Quote;
use super::rate_left::RateLeft;

pub use super::passage::Passage;

/// Which conversation: topics of one chat do not read each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ConversationId {
    /// The chat.
    pub chat: ChatId,
    /// The topic's number in that chat (Bot API `message_thread_id`); 0 outside topics.
    pub topic: i64,
}

/// Who speaks. Instructions are not a message: they stand in [`ChatRequest::system`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// A person.
    User,
    /// The model.
    Assistant,
    /// Tools, with the results of the calls in the message before.
    Tool,
}

/// One thing that was said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Who said it.
    pub role: Role,
    /// What, in order.
    pub content: Vec<Content>,
}

/// A piece of a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Content {
    /// Text: as a person typed it, or Markdown as the model wrote it.
    Text {
        /// The text.
        text: String,
    },
    /// Who says what follows, where several people speak.
    Speaker {
        /// As people see them.
        name: String,
    },
    /// Words of someone else that the message answers or passes on: material, never instructions.
    Quote(Quote),
    /// A picture.
    Image(Attachment),
    /// Any other file.
    Document(Attachment),
    /// The model wants a tool to be called.
    ToolCall(ToolCall),
    /// What a tool answered.
    ToolResult(ToolResult),
}

/// A file that belongs to a message.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// Where to load it from (Bot API `file_id`).
    pub file_id: String,
    /// Its media type, such as `image/jpeg`.
    pub media_type: String,
    /// Its name, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its bytes, while they are at hand; they are not stored with the message.
    #[serde(skip)]
    pub data: Option<Arc<[u8]>>,
}

impl fmt::Debug for Attachment {
    /// Shows the size instead of the bytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.data.as_ref().map(|data| data.len());
        f.debug_struct("Attachment")
            .field("media_type", &self.media_type)
            .field("bytes", &bytes)
            .finish_non_exhaustive()
    }
}

/// A call that a model asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCall {
    /// The vendor's number for it; its result carries the same one. Never empty.
    pub id: String,
    /// Which tool.
    pub name: String,
    /// The arguments as the model wrote them: usually a JSON object, but models make mistakes.
    pub arguments: String,
}

/// The result of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolResult {
    /// The call's `id`.
    pub call_id: String,
    /// What the tool answered, or why it failed.
    pub content: String,
    /// Whether it failed.
    #[serde(default)]
    pub is_error: bool,
}

impl Message {
    /// A message of one text.
    pub fn text(role: Role, text: impl Into<String>) -> Self {
        Self { role, content: vec![Content::Text { text: text.into() }] }
    }

    /// A person's text.
    pub fn user(text: impl Into<String>) -> Self {
        Self::text(Role::User, text)
    }

    /// A model's text.
    pub fn assistant(text: impl Into<String>) -> Self {
        Self::text(Role::Assistant, text)
    }

    /// What people and the model say in it, quotes included, in order.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.content.iter().filter_map(|content| match content {
            Content::Text { text } => Some(text.as_str()),
            Content::Quote(quote) => Some(quote.text.as_str()),
            _ => None,
        })
    }

    /// Its texts, in order, a blank line between them.
    pub fn joined(&self) -> String {
        let texts = self.content.iter().filter_map(|content| match content {
            Content::Text { text } => Some(text.as_str()),
            _ => None,
        });
        texts.collect::<Vec<_>>().join("\n\n")
    }
}

/// Splits a conversation into turns: what people say, then everything up to the answer's end, tool
/// calls and their results included. Only the first turn can begin with another role than the
/// person's.
pub fn turns(messages: &[Message]) -> impl DoubleEndedIterator<Item = &[Message]> {
    messages.chunk_by(|one, next| next.role != Role::User || one.role == Role::User)
}

/// What documents are to an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DocumentUse {
    /// There are none, or they have something about the question.
    #[default]
    Any,
    /// They were searched, and have nothing about the question.
    Nothing,
    /// Only what they say is an answer.
    Only,
}

/// A tool that the model may ask to be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tool {
    /// Its name: letters, digits, `_` and `-`, at most 64.
    pub name: String,
    /// What it does and when to use it, for the model.
    pub description: String,
    /// JSON Schema of its arguments, an object.
    pub parameters: serde_json::Value,
}

/// Everything a provider needs for one answer.
#[derive(Clone, Debug, Default)]
pub struct ChatRequest {
    /// Model to use instead of the configured one.
    pub model: Option<String>,
    /// Instructions for the model.
    pub system: String,
    /// The conversation so far, oldest first, cut to the window; the question comes last.
    pub messages: Vec<Message>,
    /// Tools that the model may use.
    pub tools: Vec<Tool>,
    /// Passages found for the question, best first; empty when nothing was found.
    pub passages: Vec<Passage>,
    /// Whether documents were searched, and what may be said without them.
    pub documents: DocumentUse,
    /// Upper bound of the answer in tokens; 0 for the server's own.
    pub max_output_tokens: u32,
    /// The model should answer without thinking first, where its server can be asked for that.
    pub without_thoughts: bool,
}

impl ChatRequest {
    /// A request of one question, nothing else.
    pub fn of(question: impl Into<String>) -> Self {
        Self { messages: vec![Message::user(question)], ..Self::default() }
    }

    /// What the person asks: the text of the last message that is theirs, or what it passes on
    /// without a word.
    pub fn question(&self) -> String {
        let last = self.messages.iter().rfind(|message| message.role == Role::User);
        let Some(last) = last else { return String::new() };
        let quotes = last.content.iter().filter_map(|content| match content {
            Content::Quote(quote) => Some(quote.text.as_str()),
            _ => None,
        });
        match last.joined() {
            text if text.is_empty() => quotes.collect::<Vec<_>>().join("\n\n"),
            text => text,
        }
    }
}

/// One step of a streamed answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// More text, to be appended.
    Text(String),
    /// More of what the model thinks before it answers. Not part of the answer, and not kept.
    Reasoning(String),
    /// All text so far was not the answer, but what the model thought before it.
    Withdrawn,
    /// The server is at work, and says nothing that matters.
    Alive,
    /// The server says what it still takes.
    RateLeft(RateLeft),
    /// The model wants a tool to be called; the call is complete.
    ToolCall(ToolCall),
    /// The server sent something that this version does not know; the word says where it stood.
    Unknown(&'static str),
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
    /// What it cost, in millionths of a US dollar, where that was booked.
    pub cost: Option<u64>,
}

impl Finished {
    /// The same, with the reason that the count of tokens shows: some servers say that a model had
    /// finished when its bound was reached. `tokens`: the bound; 0 for none.
    #[must_use]
    pub fn within(self, tokens: u64) -> Self {
        // Some count the end as a token. A server that counts far more does not keep to the bound.
        let bound = tokens..=tokens + 1;
        let is_used_up =
            tokens > 0 && self.usage.is_some_and(|used| bound.contains(&used.output_tokens));
        let reason = match self.reason {
            StopReason::End | StopReason::Unsaid if is_used_up => StopReason::Length,
            reason => reason,
        };
        Self { reason, ..self }
    }
}

/// Why a model stopped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// It had finished.
    #[default]
    End,
    /// The bound on tokens was reached: the answer is cut.
    Length,
    /// The vendor's filter stopped it.
    Filtered,
    /// It waits for the results of tools.
    ToolCalls,
    /// Something else that the server named.
    Other,
    /// The server ended the answer in order, and did not say why; it may be incomplete.
    Unsaid,
}

/// Tokens of one call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens of the prompt, also those that the vendor had in its cache.
    pub input_tokens: u64,
    /// Tokens of the answer, also those of thoughts that are not shown.
    pub output_tokens: u64,
    /// Of the prompt: those that were read from the vendor's cache.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cached_tokens: u64,
    /// Of the prompt: those that were written to the vendor's cache.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cache_write_tokens: u64,
    /// Of the answer: those of thoughts, where the server told.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub reasoning_tokens: u64,
    /// What the server says that they cost, in millionths of a US dollar. Hardly one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<u64>,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// What is kept beside an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswerMetadata {
    /// The provider's name.
    pub provider: String,
    /// The model, as the server named it, else as it was asked for.
    pub model: String,
    /// Tokens, where the server told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// What it cost, in millionths of a US dollar, where a price is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<u64>,
    /// From the question's turn to the whole answer, in milliseconds.
    pub duration_ms: i64,
    /// Why the model stopped; an answer that was cut is kept without a note in its text.
    pub stop_reason: StopReason,
    /// Files of the knowledge folder that were given along, best first, each once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
    /// What it was written from, as it stood then; what it cites comes first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub passages: Vec<KeptPassage>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_keeps_its_form() {
        let call = ToolCall { id: "c1".into(), name: "look".into(), arguments: "{}".into() };
        let result = ToolResult { call_id: "c1".into(), content: "7".into(), is_error: false };
        let file = Attachment {
            file_id: "f".into(),
            media_type: "image/png".into(),
            name: None,
            data: None,
        };
        let message = |role, content| Message { role, content: vec![content] };
        let table = [
            (Message::user("hi"), r#"{"role":"user","content":[{"type":"text","text":"hi"}]}"#),
            (
                message(Role::User, Content::Image(file.clone())),
                r#"{"role":"user","content":[{"type":"image","file_id":"f","media_type":"image/png"}]}"#,
            ),
            (
                message(Role::User, Content::Document(file)),
                r#"{"role":"user","content":[{"type":"document","file_id":"f","media_type":"image/png"}]}"#,
            ),
            (
                message(Role::Assistant, Content::ToolCall(call)),
                r#"{"role":"assistant","content":[{"type":"tool_call","id":"c1","name":"look","arguments":"{}"}]}"#,
            ),
            (
                message(Role::Tool, Content::ToolResult(result)),
                r#"{"role":"tool","content":[{"type":"tool_result","call_id":"c1","content":"7","is_error":false}]}"#,
            ),
        ];
        for (message, json) in table {
            assert_eq!(serde_json::to_string(&message).unwrap(), json);
            assert_eq!(serde_json::from_str::<Message>(json).unwrap(), message);
        }
        let told = AnswerMetadata { stop_reason: StopReason::ToolCalls, ..Default::default() };
        let json = r#"{"provider":"","model":"","duration_ms":0,"stop_reason":"tool_calls"}"#;
        assert_eq!(serde_json::to_string(&told).unwrap(), json);
        assert_eq!(serde_json::from_str::<AnswerMetadata>(json).unwrap(), told);
    }

    #[test]
    fn tokens_that_are_used_up_are_why_a_model_stopped() {
        let usage =
            |output_tokens| Some(Usage { input_tokens: 1, output_tokens, ..Usage::default() });
        let reason = |reason, output, tokens| {
            Finished { reason, usage: usage(output), ..Finished::default() }.within(tokens).reason
        };
        assert_eq!(reason(StopReason::End, 50, 50), StopReason::Length);
        assert_eq!(reason(StopReason::Unsaid, 51, 50), StopReason::Length);
        assert_eq!(reason(StopReason::End, 49, 50), StopReason::End);
        assert_eq!(reason(StopReason::End, 4500, 50), StopReason::End);
        assert_eq!(reason(StopReason::End, 50, 0), StopReason::End);
        assert_eq!(reason(StopReason::Filtered, 50, 50), StopReason::Filtered);
        assert_eq!(Finished::default().within(50).reason, StopReason::End);
    }

    #[test]
    fn a_turn_is_a_question_and_all_that_answers_it() {
        let tool = Message { role: Role::Tool, content: Vec::new() };
        let all = [
            Message::assistant("a rest"),
            Message::user("one"),
            Message::user("more"),
            Message::assistant("calls"),
            tool,
            Message::assistant("done"),
            Message::user("two"),
        ];
        let sizes: Vec<usize> = turns(&all).map(<[Message]>::len).collect();
        assert_eq!(sizes, [1, 5, 1]);
        assert_eq!(turns(&[]).count(), 0);
    }
}
