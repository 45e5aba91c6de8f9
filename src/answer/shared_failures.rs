//! Failures that look like the asker's own fault, until several chats have the same one.
//!
//! A question that is too long, or that a filter refused, says nothing about the provider. When most of
//! the latest questions of different chats end so, the cause is on our side: documents or instructions
//! that fill the prompt, a model with a small context, a filter that is too strict.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::model::class::AnswerClass;
use crate::model::ids::ChatId;

/// Chats with the same failure that make it everyone's.
const CHATS: usize = 3;

/// Questions that are looked at, the latest.
const QUESTIONS: usize = 64;

/// How long a question counts.
const WINDOW: Duration = Duration::from_secs(600);

/// How the latest questions ended.
#[derive(Default)]
pub(super) struct SharedFailures {
    latest: Mutex<VecDeque<Ended>>,
}

struct Ended {
    at: Instant,
    chat: ChatId,
    /// `None`: not by a fault of the asker.
    class: Option<AnswerClass>,
}

impl SharedFailures {
    /// Takes in how a question of `chat` ended. The class of the failure, if at least three chats have
    /// it and it is how at least half of the latest questions ended.
    pub(super) fn note(&self, chat: ChatId, failure: Option<AnswerClass>) -> Option<AnswerClass> {
        self.note_at(Instant::now(), chat, failure.filter(|class| is_askers(*class)))
    }

    fn note_at(
        &self,
        at: Instant,
        chat: ChatId,
        class: Option<AnswerClass>,
    ) -> Option<AnswerClass> {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        if latest.len() == QUESTIONS {
            latest.pop_front();
        }
        latest.push_back(Ended { at, chat, class });
        class?;
        while latest.front().is_some_and(|ended| at.duration_since(ended.at) >= WINDOW) {
            latest.pop_front();
        }
        let same: Vec<&Ended> = latest.iter().filter(|ended| ended.class == class).collect();
        let chats: BTreeSet<ChatId> = same.iter().map(|ended| ended.chat).collect();
        class.filter(|_| chats.len() >= CHATS && same.len() * 2 >= latest.len())
    }
}

/// Whether a failure of this class is put down to the question.
fn is_askers(class: AnswerClass) -> bool {
    matches!(class, AnswerClass::TooLong | AnswerClass::Filtered)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failure_of_several_chats_is_everyones() {
        let now = Instant::now();
        let long = Some(AnswerClass::TooLong);
        let shared_failures = SharedFailures::default();
        let note = |s: u64, chat, class| {
            shared_failures.note_at(now + Duration::from_secs(s), ChatId(chat), class).is_some()
        };
        assert!(!note(0, 1, long) && !note(1, 1, long) && !note(2, 1, long), "one chat only");
        assert!(!note(3, 2, long));
        assert!(!note(4, 3, Some(AnswerClass::Filtered)), "another failure");
        assert!(note(5, 3, long));
        assert!(!note(6, 3, None), "an answer is a good sign");
        assert!((7..20).all(|s| !note(s, 9, None)) && !note(20, 4, long), "most are answered");
        assert!(!note(700, 5, long), "it was long ago");
        assert!(!note(701, 6, long) && note(702, 7, long));
    }
}
