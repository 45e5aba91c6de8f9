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

    /// Whether this is what was answered last for the message; `None` when that is not remembered.
    pub(super) fn is_same(&self, message: &Incoming, text: &str) -> Option<bool> {
        let latest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut of_message = latest.iter().rev();
        let found = of_message.find(|(c, m, _)| (*c, *m) == (message.chat, message.message_id));
        found.map(|(_, _, known)| *known == mark(text))
    }
}

/// A mark of a text, to be compared within this process only.
pub(in crate::pipeline) fn mark(text: &str) -> u64 {
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
        let same = |id, text| latest.is_same(&message(id), text);
        assert_eq!([same(1, "fig?"), same(2, "pear?")], [Some(true); 2]);
        assert_eq!((same(1, "plum?"), same(3, "fig?")), (Some(false), None));
        let elsewhere = Incoming { chat: ChatId(9), ..message(1) };
        assert_eq!(latest.is_same(&elsewhere, "fig?"), None);
        for _ in 0..limits::REMEMBERED_QUESTIONS {
            latest.note(&elsewhere, "x");
        }
        assert_eq!(same(1, "fig?"), None);
        assert_eq!(latest.0.lock().unwrap().len(), limits::REMEMBERED_QUESTIONS);
    }
}
