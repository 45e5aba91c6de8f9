//! What was said, in turns: a question and everything that answers it.

use crate::model::cited::KeptPassage;
use crate::model::conversation::{AnswerMetadata, ConversationId, Message};
use crate::model::ids::{InboxSeq, UserId};

/// A turn that is not stored yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTurn {
    /// Where it was said.
    pub conversation: ConversationId,
    /// The update that asked, as buttons name the answer; 0 for the one that is done with it.
    pub asked_by: InboxSeq,
    /// Who asked.
    pub sender: UserId,
    /// Words of other people that the question refers to, with who wrote them; they stand before it.
    pub quoted: Vec<(UserId, Message)>,
    /// The question, then all that answers it; the answer comes last.
    pub messages: Vec<Message>,
    /// What is known of the answer.
    pub answer: AnswerMetadata,
}

/// A turn that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptTurn {
    /// Its number; later turns have higher ones.
    pub number: i64,
    /// The question, and all that answers it.
    pub messages: Vec<Message>,
}

/// An answer that reached its limit, and can go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CutAnswer {
    /// The number of the answer's message.
    pub answer: i64,
    /// Where it stands.
    pub conversation: ConversationId,
    /// Who asked.
    pub asker: Option<UserId>,
    /// The provider that wrote it, as configured.
    pub provider: String,
    /// The question, and all that answers it so far.
    pub turn: KeptTurn,
    /// What the answer was written from so far.
    pub passages: Vec<KeptPassage>,
}

impl CutAnswer {
    /// The answer so far.
    pub fn text(&self) -> String {
        self.turn.messages.last().map(Message::joined).unwrap_or_default()
    }
}

/// Figures about all that is kept of this bot's conversations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Turns kept.
    pub turns: u64,
    /// Chats they were said in.
    pub chats: u64,
    /// Tokens of all prompts.
    pub input_tokens: u64,
    /// Tokens of all answers.
    pub output_tokens: u64,
}
