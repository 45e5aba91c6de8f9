//! Who may what: roles, groups, and what a stranger hears.

use std::sync::PoisonError;

use super::{CommandContext, Outcome, OutgoingReply, wording};
use crate::model::access::{CODE_LEN, Role, code_from};
use crate::model::effect::Effect;
use crate::model::ids::{ChatId, UserId};
use crate::model::limits;
use crate::model::message::{Person, Place};
use crate::model::reply::{Button, Reply};
use crate::store::StoreError;

/// A new one-time code.
///
/// # Errors
/// When the machine has no randomness to give.
pub fn fresh_code() -> Result<String, getrandom::Error> {
    let mut random = [0; CODE_LEN];
    getrandom::fill(&mut random)?;
    Ok(code_from(random))
}

impl CommandContext {
    /// A person's role: by the configuration's owners, then the store, then the configuration's
    /// members, then whether everybody may.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn role(&self, user: &UserId) -> Result<Role, StoreError> {
        let rules = self.access();
        if rules.owners.contains(user) {
            return Ok(Role::Owner);
        }
        let stored = self.store.user(*user).await?.map_or(Role::Stranger, |u| u.role);
        let configured = rules.open || rules.allow_users.contains(user);
        Ok(if stored == Role::Stranger && configured { Role::Member } else { stored })
    }

    /// Whether the bot answers a person here: in private members and owners, in a group everyone,
    /// once the group is allowed.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn may_chat(
        &self,
        place: Place,
        chat: ChatId,
        role: Role,
    ) -> Result<bool, StoreError> {
        match place {
            Place::Private => Ok(role >= Role::Member),
            Place::Group => {
                let rules = self.access();
                if rules.allow_chats.contains(&chat) {
                    return Ok(true);
                }
                let state = self.store.chat(chat).await?;
                let before = state.moved_from.is_some_and(|id| rules.allow_chats.contains(&id));
                Ok(state.allowed || before)
            }
        }
    }

    /// The id by which the configuration allows a group: its own, or the one that it had before it became a
    /// supergroup.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(super) async fn configured_id(&self, chat: ChatId) -> Result<Option<ChatId>, StoreError> {
        let rules = self.access();
        if rules.allow_chats.contains(&chat) {
            return Ok(Some(chat));
        }
        let before = self.store.chat(chat).await?.moved_from;
        Ok(before.filter(|id| rules.allow_chats.contains(id)))
    }

    /// A stranger wrote: a short reply with a pairing code, and a word to each owner; then silence
    /// for a while. In groups always silence.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn stranger(
        &self,
        from: &Person,
        chat: ChatId,
        place: Place,
    ) -> Result<Outcome, StoreError> {
        // Offering a code makes its receiver a stranger, so no one else may ever get one.
        if place == Place::Group || self.role(&from.id).await? != Role::Stranger {
            return Ok(Outcome::default());
        }
        let now = self.clock.now_ms();
        let known = self.store.user(from.id).await?;
        let silence = i64::try_from(limits::STRANGER_SILENCE.as_millis()).unwrap_or(i64::MAX);
        let told = known.as_ref().and_then(|u| u.told_ms);
        if told.is_some_and(|at| now.saturating_sub(at) < silence) {
            return Ok(Outcome::default());
        }
        // Without randomness there is no code to give; the stranger may write again.
        let (code, is_new) = match known.and_then(|u| u.code) {
            Some(code) => (code, false),
            None => match fresh_code() {
                Ok(code) => (code, true),
                Err(_) => return Ok(Outcome::default()),
            },
        };
        let limiter = || self.limiter.lock().unwrap_or_else(PoisonError::into_inner);
        if !limiter().admit_stranger(now) {
            return Ok(Outcome::default());
        }

        let owners = self.owners().await?;
        let reply = Reply::markdown(greeting(from, &code, owners.is_empty()));
        let mut outcome =
            Outcome { replies: vec![OutgoingReply { to: chat, reply }], ..Outcome::default() };
        if is_new {
            for owner in owners {
                outcome = outcome.telling(ChatId(owner.0), knock(from, &code));
            }
        }
        let person = from.clone();
        Ok(outcome.with(Effect::OfferCode { person, code, at_ms: now }))
    }

    /// Everybody who owns the bot, by configuration or by claim, each once. A person's private chat
    /// has the person's id.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn owners(&self) -> Result<Vec<UserId>, StoreError> {
        let mut owners = self.access().owners.clone();
        owners.extend(self.store.owners().await?);
        owners.sort_unstable();
        owners.dedup();
        Ok(owners)
    }
}

/// What a stranger reads.
fn greeting(from: &Person, code: &str, ownerless: bool) -> String {
    let id = from.id;
    if ownerless {
        return "Hello! I am new here and have no owner yet.\n\nIf I am yours, send me \
                `/claim CODE`. The code is in the log of my first start, and `katana-bot users claim` \
                on my machine makes a new one."
            .to_owned();
    }
    format!(
        "Hello! I only chat with people my owner has let in. I have told my owner that you wrote; \
         you will hear from me when they agree.\n\nYour pairing code is `{code}`, your Telegram \
         id `{id}`. If you know my owner, send them the code. It is good for a day."
    )
}

/// What an owner reads when a new person asks for access.
fn knock(from: &Person, code: &str) -> Reply {
    let (who, id) = (wording::person(from), from.id);
    Reply::markdown(format!(
        "{who} would like to chat with me.\n\nTelegram id `{id}`, pairing code `{code}`. Names are \
         chosen freely, so be sure it is who you think it is."
    ))
    .with_row(vec![
        Button::new("Approve", format!("approve:{code}")),
        Button::new("Ignore", format!("ignore:{code}")),
    ])
}
