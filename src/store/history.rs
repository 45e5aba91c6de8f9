//! What was said.

use crate::model::conversation::{Exchange, Usage};
use crate::model::ids::{ChatId, UserId};

/// An exchange that is not stored yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewExchange {
    /// Where it was said.
    pub chat: ChatId,
    /// Who asked.
    pub user: UserId,
    /// Question and answer.
    pub said: Exchange,
    /// Which provider answered.
    pub provider: &'static str,
    /// From the question's turn to the whole answer, in milliseconds.
    pub duration_ms: i64,
    /// Tokens, where the provider told.
    pub usage: Option<Usage>,
}

/// Figures about all that is kept of this bot's conversations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Exchanges kept.
    pub exchanges: u64,
    /// Chats they were said in.
    pub chats: u64,
    /// Tokens of all prompts.
    pub input_tokens: u64,
    /// Tokens of all answers.
    pub output_tokens: u64,
}
