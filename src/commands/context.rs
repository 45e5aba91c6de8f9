//! What commands are given, and what they give back.

use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;

use super::limiter::Limiter;
use super::wording;
use crate::model::access::Role;
use crate::model::conversation::ConversationId;
use crate::model::effect::Effect;
use crate::model::feature::{Feature, Features};
use crate::model::ids::{ChatId, InboxSeq, MessageId, UserId};
use crate::model::message::{ContentKind, Person, Place};
use crate::model::reply::Reply;
use crate::model::sent_file::SentFile;
use crate::observe::clock::Clock;
use crate::observe::vitals::Vitals;
use crate::store::{CutAnswer, Store};

/// What commands may look at. One per running bot; shared by all chats.
pub struct CommandContext {
    /// Where people, settings and the history are read.
    pub store: Store,
    /// The time of day.
    pub clock: Clock,
    /// Counts since the start.
    pub vitals: Arc<Vitals>,
    access: ArcSwap<Rules>,
    about: ArcSwap<About>,
    pub(super) limiter: Mutex<Limiter>,
}

/// Who may do what, as the configuration says (`[bot] access, owners, allow_users, allow_chats`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Everybody may chat in private.
    pub open: bool,
    /// Owners whatever the store says.
    pub owners: Vec<UserId>,
    /// Members without approval.
    pub allow_users: Vec<UserId>,
    /// Groups the bot answers in without `/approve`.
    pub allow_chats: Vec<ChatId>,
    /// What is on for some people only.
    pub features: Features,
}

/// What the bot says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// Its username, without `@`.
    pub username: String,
    /// Katana's version.
    pub version: &'static str,
    /// `production`, `staging`, … as configured.
    pub environment: String,
    /// Who answers: the name of a provider in the registry.
    pub provider: String,
    /// What it answers with.
    pub answers_from: AnswerSource,
    /// The configured model; empty where the provider has none.
    pub model: String,
    /// Models that people may choose besides.
    pub models: Vec<String>,
    /// When this process started, Unix milliseconds.
    pub started_ms: i64,
}

/// What a provider answers with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AnswerSource {
    /// A language model, of which there may be several.
    #[default]
    Model,
    /// Quotes from documents.
    Documents,
    /// Nothing but the question.
    Echo,
}

/// One command, as a person wrote it.
#[derive(Clone, Copy, Debug)]
pub struct CommandRequest<'a> {
    /// The update it came with.
    pub seq: InboxSeq,
    /// Where it was written.
    pub chat: ChatId,
    /// The topic it was written in; 0 outside topics.
    pub topic: i64,
    /// What kind of chat that is.
    pub place: Place,
    /// Who wrote it.
    pub from: &'a Person,
    /// What they are, from [`CommandContext::role`].
    pub role: Role,
    /// The command's own message.
    pub message_id: Option<MessageId>,
    /// The word after the slash, in any case.
    pub word: &'a str,
    /// What follows it, trimmed.
    pub args: &'a str,
    /// Whether it was meant for this bot by name, or answers one of its messages. Matters in
    /// groups only, where an unknown command may belong to another bot.
    pub addressed: bool,
    /// The documents that came with it, or the one that the message holds which it answers.
    pub files: &'a [&'a SentFile],
    /// How many questions a `/cancel` has just stopped.
    pub cancelled: usize,
    /// The message to attach replies to; `None` means `message_id` in groups, nothing in private.
    pub reply_to: Option<MessageId>,
}

/// What a command, a button or a stranger's message led to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// What to say, in order. Nothing is a valid answer.
    pub replies: Vec<OutgoingReply>,
    /// What to remember, in the same commit.
    pub effects: Vec<Effect>,
    /// What the pipeline does after the commit.
    pub follow_up: FollowUp,
}

/// A reply and where it goes: usually the same chat, but a person who was approved hears of it in
/// their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutgoingReply {
    /// Where to.
    pub to: ChatId,
    /// What.
    pub reply: Reply,
}

/// What the pipeline does after the commit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum FollowUp {
    /// Nothing. A button press is acknowledged without text.
    #[default]
    Nothing,
    /// Asks the provider again for this kept question; it has been checked that the presser may.
    Retry(InboxSeq),
    /// Goes on with this answer, which the question of this update had; it has been checked that the
    /// presser may.
    Continue(InboxSeq, Box<CutAnswer>),
    /// Loads and reads this document, and keeps it.
    Learn(Vec<SentFile>),
    /// Acknowledges a button press with this short text (Bot API `answerCallbackQuery`, at most
    /// 200 characters).
    ClosePress(String),
}

impl CommandContext {
    /// The context of a bot that runs with this configuration.
    pub fn new(
        store: Store,
        clock: Clock,
        vitals: Arc<Vitals>,
        access: Rules,
        about: About,
    ) -> Self {
        let (access, about) = (ArcSwap::from_pointee(access), ArcSwap::from_pointee(about));
        Self { store, clock, vitals, access, about, limiter: Mutex::default() }
    }

    /// Who may what, by the configuration in effect now.
    pub fn access(&self) -> Arc<Rules> {
        self.access.load_full()
    }

    /// Whether a feature is on for this person.
    pub(super) fn has(&self, feature: Feature, user: UserId, role: Role) -> bool {
        self.access.load().features.is_on(feature, user, role)
    }

    /// What the bot says about itself now.
    pub fn about(&self) -> Arc<About> {
        self.about.load_full()
    }

    /// Other rules from now on.
    pub fn set_access(&self, access: Rules) {
        self.access.store(Arc::new(access));
    }

    /// The bot says this about itself from now on.
    pub fn set_about(&self, about: About) {
        self.about.store(Arc::new(about));
    }

    /// What to say to a message that is not text.
    pub fn unsupported(&self, kind: ContentKind) -> Reply {
        Reply::plain(wording::unsupported(kind))
    }
}

impl CommandRequest<'_> {
    /// The conversation that it was written in.
    pub(super) fn conversation(&self) -> ConversationId {
        ConversationId { chat: self.chat, topic: self.topic }
    }

    /// An outcome that only says this, in the same chat.
    pub(super) fn say(&self, markdown: impl Into<String>) -> Outcome {
        self.answer(Reply::markdown(markdown))
    }

    /// An outcome that only gives this reply, attached to the command in groups.
    pub(super) fn answer(&self, mut reply: Reply) -> Outcome {
        let in_group = if self.place == Place::Group { self.message_id } else { None };
        reply.reply_to = self.reply_to.or(in_group);
        Outcome { replies: vec![OutgoingReply { to: self.chat, reply }], ..Outcome::default() }
    }
}

impl Outcome {
    /// The same with one more effect.
    #[must_use]
    pub(super) fn with(mut self, effect: Effect) -> Self {
        self.effects.push(effect);
        self
    }

    /// The same with one more reply, to another chat.
    #[must_use]
    pub(super) fn telling(mut self, to: ChatId, reply: Reply) -> Self {
        self.replies.push(OutgoingReply { to, reply });
        self
    }

    /// The same with a follow-up.
    #[must_use]
    pub(super) fn followed_by(mut self, follow_up: FollowUp) -> Self {
        self.follow_up = follow_up;
        self
    }
}
