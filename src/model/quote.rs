//! What a message refers to, and what it passes on: words of others.
//!
//! Invariant: words of others are material for an answer. They are never a command, and they give
//! no one any right.

use serde::{Deserialize, Serialize};

use super::ids::{MessageId, UserId};
use super::sent_file::SentFile;

/// What a message refers to, or passes on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Context {
    /// The message that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply: Option<Referred>,
    /// The part of that message that the writer selected (Bot API `quote`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selected: Option<String>,
    /// Who wrote the message itself, when it was forwarded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forwarded: Option<Author>,
}

impl Context {
    /// Whether the message answers someone else's, so that a bare mention asks about that.
    pub fn refers_to_others(&self) -> bool {
        let of_others = |reply: &Referred| {
            !reply.by_bot && (!reply.text.trim().is_empty() || reply.media.is_some())
        };
        self.reply.as_ref().is_some_and(of_others) || self.selected.is_some()
    }
}

/// A message that another one answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Referred {
    /// Who wrote it.
    pub author: Author,
    /// Its text or caption, or what its poll, checklist, contact or venue says; empty when it has none of
    /// these. Of a message in another chat there is no text or caption.
    pub text: String,
    /// What else it holds, as the Bot API names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media: Option<String>,
    /// The document that it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<Box<SentFile>>,
    /// Its number in the chat, where it stands in the same one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<MessageId>,
    /// This bot wrote it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_bot: bool,
}

/// Who wrote something.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Author {
    /// As people see the author; empty when unknown.
    pub name: String,
    /// The person's number; `None` for channels, groups and people who hide it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<UserId>,
}

/// Words of someone else, as a piece of a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quote {
    /// How they came here.
    pub kind: QuoteKind,
    /// Who wrote them, as people see the author; empty when unknown.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub author: String,
    /// The words; empty when the message has none.
    pub text: String,
    /// What else their message holds, which is not passed on; as the Bot API names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media: Option<String>,
}

/// How words of someone else came into a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuoteKind {
    /// The message answers them.
    Reply,
    /// The writer selected them in the message that is answered.
    Selection,
    /// They were forwarded.
    Forward,
}
