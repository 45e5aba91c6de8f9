//! What an answer came to.

use crate::model::budget::OverBudget;
use crate::model::class::AnswerClass;
use crate::model::effect::Continued;
use crate::model::reply::Reply;
use crate::store::NewTurn;

/// The outcome of a question.
#[derive(Debug)]
pub enum Answered {
    /// An answer, with what the history keeps of it.
    Answer {
        /// For the chat.
        reply: Reply,
        /// For the history.
        turn: Option<NewTurn>,
    },
    /// No answer; the reply says so and a new try makes sense.
    Failed {
        /// For the chat.
        reply: Reply,
        /// For counting.
        class: AnswerClass,
    },
    /// An answer that had been cut went on.
    Continued {
        /// For the chat.
        reply: Reply,
        /// For the history.
        continued: Continued,
    },
    /// There is no answer until a budget opens again.
    OverBudget(OverBudget),
    /// A person sent `/cancel`.
    Cancelled,
}
