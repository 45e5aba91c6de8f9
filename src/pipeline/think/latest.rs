//! Which questions were asked lately, so that an edit that changed nothing is recognised.

use std::collections::VecDeque;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::{Mutex, PoisonError};

use crate::model::ids::{ChatId, MessageId};
use crate::model::limits;
use crate::model::message::Incoming;

/// The wording of the latest questions, oldest first. Only marks of them, not the words.
#[derive(Debug, Default)]
pub(super) struct LatestQuestions(Mutex<VecDeque<(ChatId, MessageId, u64)>>);

impl LatestQuestions {
    /// This is answered.
    pub(super) fn note(&self, message: &Incoming, text: &str) {
        let mut latest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if latest.len() >= limits::REMEMBERED_QUESTIONS {
            latest.pop_front();
        }
        latest.push_back((message.chat, message.message_id, mark(text)));
    }

    /// Whether this is what was answered last for the message.
    pub(super) fn is_same(&self, message: &Incoming, text: &str) -> bool {
        let latest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut of_message = latest.iter().rev();
        let found = of_message.find(|(c, m, _)| (*c, *m) == (message.chat, message.message_id));
        found.is_some_and(|(_, _, known)| *known == mark(text))
    }
}

fn mark(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_wording_of_a_message_counts_and_memory_is_bounded() {
        let latest = LatestQuestions::default();
        let message = |id| Incoming { message_id: MessageId(id), ..Incoming::default() };
        latest.note(&message(1), "plum?");
        latest.note(&message(2), "pear?");
        latest.note(&message(1), "fig?");
        assert!(latest.is_same(&message(1), "fig?") && latest.is_same(&message(2), "pear?"));
        assert!(!latest.is_same(&message(1), "plum?") && !latest.is_same(&message(3), "fig?"));
        let elsewhere = Incoming { chat: ChatId(9), ..message(1) };
        assert!(!latest.is_same(&elsewhere, "fig?"));
        for _ in 0..limits::REMEMBERED_QUESTIONS {
            latest.note(&elsewhere, "x");
        }
        assert!(!latest.is_same(&message(1), "fig?"));
        assert_eq!(latest.0.lock().unwrap().len(), limits::REMEMBERED_QUESTIONS);
    }
}
