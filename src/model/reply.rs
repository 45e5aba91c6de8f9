//! What thinking returns: replies, before they become Telegram messages.

use serde::{Deserialize, Serialize};

use super::ids::MessageId;

/// One reply; it becomes one message, or several when it is long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// What to say.
    pub body: ReplyBody,
    /// Markdown that stands below the body, outside of whatever the body left open.
    pub footer: Option<String>,
    /// Markdown that stands below all that, as a quotation that is shown folded when it is long.
    pub sources: Option<String>,
    /// Rows of buttons below the last part.
    pub buttons: Vec<Vec<Button>>,
    /// The message that each part is attached to (used in groups).
    pub reply_to: Option<MessageId>,
}

/// The text of a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplyBody {
    /// Markdown, to be rendered as text with entities.
    Markdown(String),
    /// Text to be sent as it is.
    Plain(String),
}

/// A button below a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Button {
    /// What it says.
    pub label: String,
    /// What pressing it sends back: 1 to 64 bytes (Bot API `callback_data`).
    pub data: String,
}

impl Reply {
    /// A reply in Markdown.
    pub fn markdown(text: impl Into<String>) -> Self {
        Self::of(ReplyBody::Markdown(text.into()))
    }

    /// A reply that is sent as it is.
    pub fn plain(text: impl Into<String>) -> Self {
        Self::of(ReplyBody::Plain(text.into()))
    }

    fn of(body: ReplyBody) -> Self {
        Self { body, footer: None, sources: None, buttons: Vec::new(), reply_to: None }
    }

    /// The same with one more row of buttons.
    #[must_use]
    pub fn with_row(mut self, row: Vec<Button>) -> Self {
        self.buttons.push(row);
        self
    }

    /// The reply's text as written.
    pub fn text(&self) -> &str {
        match &self.body {
            ReplyBody::Markdown(t) | ReplyBody::Plain(t) => t,
        }
    }
}

impl Button {
    /// A button labelled `label` that sends back `data`.
    pub fn new(label: impl Into<String>, data: impl Into<String>) -> Self {
        Self { label: label.into(), data: data.into() }
    }
}
