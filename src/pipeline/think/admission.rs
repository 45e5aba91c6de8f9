//! How many questions a person and a chat may ask in a minute, and how many answers a person gets at a time.
//!
//! Invariants: one friendly refusal for each person, or chat, and minute, then silence; a question counts once,
//! however often it is thought about. It counts when it was written: what waited for `/resume` or for the process is
//! not a flood.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;

use crate::model::access::Role;
use crate::model::ids::{ChatId, UpdateId, UserId};
use crate::model::limits;
use crate::model::message::{Incoming, Press};
use crate::model::quota::{Admission, Quota};
use crate::pipeline::StageSettings;
use crate::store::Queued;

const MINUTE: Duration = Duration::from_secs(60);

/// What was asked in the last minute, and what is answered now.
#[derive(Debug)]
pub(super) struct Admissions {
    settings: Arc<ArcSwap<StageSettings>>,
    counts: Mutex<Counts>,
}

#[derive(Debug)]
struct Counts {
    of_users: Quota<UserId>,
    of_chats: Quota<ChatId>,
    /// Refusals because of too many answers at once.
    of_busy: Quota<UserId>,
    running: BTreeMap<UserId, u32>,
}

/// Who asks, and when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asker {
    pub(super) user: UserId,
    pub(super) chat: ChatId,
    role: Role,
    update: UpdateId,
    /// When it was written, Unix milliseconds.
    pub(super) at_ms: i64,
}

/// One of the answers that a person gets now.
#[derive(Debug)]
pub(super) struct Place<'a> {
    admissions: &'a Admissions,
    user: UserId,
}

/// Which limit was reached; the label in metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    User,
    Chat,
    UserParallel,
}

/// A question over the limits.
#[derive(Clone, Copy, Debug)]
pub(super) struct OverLimit {
    scope: Scope,
    most: u32,
    /// It is the first of its minute.
    pub(super) is_first: bool,
    until_ms: i64,
}

impl Scope {
    fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Chat => "chat",
            Self::UserParallel => "user_parallel",
        }
    }
}

impl OverLimit {
    /// The limit, as metrics name it.
    pub(super) fn scope(&self) -> &'static str {
        self.scope.name()
    }

    /// What people read.
    pub(super) fn words(&self, now_ms: i64) -> String {
        let most = self.most;
        let what = match self.scope {
            Scope::User => format!("I answer at most {most} of your questions a minute."),
            Scope::Chat => format!("I answer at most {most} questions a minute in this chat."),
            Scope::UserParallel => {
                return match most {
                    1 => "I am still writing an answer to you in another chat. Please ask again when it \
                          is there."
                        .to_owned(),
                    _ => format!(
                        "I am still writing {most} answers to you in other chats. Please ask again when \
                         one of them is there."
                    ),
                };
            }
        };
        match self.until_ms.saturating_sub(now_ms).clamp(0, 60_000) {
            0 => format!("{what} Please ask again."),
            wait_ms => match (wait_ms + 999) / 1000 {
                1 => format!("{what} Please ask again in a second."),
                wait_s => format!("{what} Please ask again in {wait_s} seconds."),
            },
        }
    }
}

impl Admissions {
    pub(super) fn new(settings: Arc<ArcSwap<StageSettings>>) -> Self {
        let counts = Counts {
            of_users: Quota::new(MINUTE, limits::COUNTED_ASKERS),
            of_chats: Quota::new(MINUTE, limits::COUNTED_ASKERS),
            of_busy: Quota::new(MINUTE, limits::COUNTED_ASKERS),
            running: BTreeMap::new(),
        };
        Self { settings, counts: Mutex::new(counts) }
    }

    /// Counts a question for its person and its chat, or for neither.
    pub(super) fn admit(&self, asker: Asker) -> Result<Place<'_>, OverLimit> {
        let most = self.settings.load().questions;
        let Asker { user, chat, update: UpdateId(item), at_ms, .. } = asker;
        let mut counts = self.counts();
        if asker.role != Role::Owner {
            let running = counts.running.get(&user).copied().unwrap_or_default();
            if most.user_parallel > 0 && running >= most.user_parallel {
                let said = counts.of_busy.take(user, item, 0, at_ms);
                over(said, Scope::UserParallel, most.user_parallel)?;
            }
            let (of_user, of_chat) = (most.user_per_minute, most.chat_per_minute);
            let chat_admits = of_chat == 0 || counts.of_chats.admits(chat, item, of_chat, at_ms);
            // A question that its chat refuses is not counted for its person.
            if of_user > 0 && (chat_admits || !counts.of_users.admits(user, item, of_user, at_ms)) {
                let said = counts.of_users.take(user, item, of_user, at_ms);
                over(said, Scope::User, of_user)?;
            }
            if of_chat > 0 {
                over(counts.of_chats.take(chat, item, of_chat, at_ms), Scope::Chat, of_chat)?;
            }
        }
        *counts.running.entry(user).or_default() += 1;
        Ok(Place { admissions: self, user })
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let running = &mut self.admissions.counts().running;
        if let Some(count) = running.get_mut(&self.user) {
            *count -= 1;
            if *count == 0 {
                running.remove(&self.user);
            }
        }
    }
}

fn over(said: Admission, scope: Scope, most: u32) -> Result<(), OverLimit> {
    match said {
        Admission::Admitted => Ok(()),
        Admission::Refused { is_first, until_ms } => {
            Err(OverLimit { scope, most, is_first, until_ms })
        }
    }
}

impl Asker {
    /// Who wrote a message.
    pub(super) fn of(message: &Incoming, role: Role, update: UpdateId) -> Self {
        let at_ms = message.edited_s.unwrap_or(message.date_s).saturating_mul(1000);
        Self { user: message.from.id, chat: message.chat, role, update, at_ms }
    }

    /// Who pressed a button.
    pub(super) fn of_press(press: &Press, role: Role, queued: &Queued) -> Self {
        let (update, at_ms) = (queued.update.id, queued.received_ms);
        Self { user: press.from.id, chat: press.chat, role, update, at_ms }
    }
}
