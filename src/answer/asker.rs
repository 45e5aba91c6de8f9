//! Who asks, and what for.

pub use crate::model::budget::Purpose;
use crate::model::ids::{ChatId, InboxSeq, UserId};

/// Which update asks.
#[derive(Clone, Copy, Debug)]
pub struct AskedBy {
    /// The update that asked first, as buttons name the answer.
    pub update: InboxSeq,
    /// The update that asks now: where people have to wait, the lowest is served first.
    pub order: InboxSeq,
    /// What for.
    pub purpose: Purpose,
}

/// For whom a provider is asked.
#[derive(Clone, Copy, Debug)]
pub struct Asker {
    /// Where it was asked.
    pub chat: ChatId,
    /// Who asked.
    pub user: UserId,
    /// The update that asked.
    pub update: InboxSeq,
    /// What for.
    pub purpose: Purpose,
}

impl AskedBy {
    /// The same with who it is for.
    pub(super) fn asker(self, chat: ChatId, user: UserId) -> Asker {
        Asker { chat, user, update: self.update, purpose: self.purpose }
    }
}
