//! How often people hear that their chat does not take replies.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::model::ids::ChatId;
use crate::model::limits;

/// When people heard last of a chat's refusal: the chat, where they read it, Unix milliseconds.
#[derive(Debug, Default)]
pub(super) struct Notices(Mutex<HashMap<(ChatId, ChatId), i64>>);

impl Notices {
    /// Whether they may hear of it now; then they do.
    pub(super) fn admit(&self, about: ChatId, to: ChatId, now_ms: i64) -> bool {
        let pause_ms = i64::try_from(limits::NOTICE_PAUSE.as_millis()).unwrap_or(i64::MAX);
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.retain(|_, at_ms| now_ms.saturating_sub(*at_ms) < pause_ms);
        if told.contains_key(&(about, to)) || told.len() >= limits::NOTICES {
            return false;
        }
        told.insert((about, to), now_ms);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_hear_of_it_once_an_hour() {
        let notices = Notices::default();
        let (group, person) = (ChatId(-5), ChatId(5));
        assert!(notices.admit(group, person, 0) && notices.admit(group, group, 0));
        assert!(!notices.admit(group, person, 3_599_999));
        assert!(notices.admit(group, person, 3_600_000));
        for other in 0..2 * limits::NOTICES as i64 {
            notices.admit(ChatId(other), person, 3_600_001);
        }
        assert!(notices.0.lock().unwrap().len() <= limits::NOTICES);
    }
}
