//! Updates in our own small shape: what is kept in the inbox.
//!
//! The Bot API's `Message` is nearly 4 kB; only what the bot uses gets past the edge.

use serde::{Deserialize, Serialize};

use super::authorship::Authorship;
use super::conversation::ConversationId;
use super::ids::{ChatId, MessageId, UpdateId, UserId};
use super::pieces::{Piece, joined};
use super::quote::Context;
use super::sent_file::SentFile;

/// What the kind of an ignored update begins with when the update cannot be read.
pub const UNDECODABLE: &str = "undecodable_";

/// One update, as accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Update {
    /// Telegram's number for it.
    pub id: UpdateId,
    /// What happened.
    pub event: UpdateEvent,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum UpdateEvent {
    /// A person wrote to the bot, or in a group it is in.
    Message(Incoming),
    /// A person pressed a button below a message of the bot.
    Press(Press),
    /// A basic group became a supergroup and has another id from now on.
    Moved {
        /// The old id, of the basic group.
        from: ChatId,
        /// The new id, of the supergroup.
        to: ChatId,
    },
    /// The bot was let into a chat or shut out of it (blocked, kicked).
    Membership {
        /// Where.
        chat: ChatId,
        /// Whether the bot can write there now.
        present: bool,
    },
    /// Kept only to be counted: nothing is answered.
    Ignored {
        /// What it was: the Bot API's own name of it (`edited_message`, `channel_post`, …), behind
        /// [`UNDECODABLE`] when it cannot be read, or a word of ours (`service_message`). It is text,
        /// because Telegram adds kinds of updates that this version does not know and that should be
        /// counted by their names.
        kind: String,
        /// Where, if the update says.
        chat: Option<ChatId>,
    },
}

/// A message from a person.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incoming {
    /// Where it was written.
    pub chat: ChatId,
    /// What kind of chat that is.
    pub place: Place,
    /// Who wrote it.
    pub from: Person,
    /// Its number in the chat.
    pub message_id: MessageId,
    /// When it was sent, Unix seconds, by Telegram's clock.
    pub date_s: i64,
    /// Forum topic it belongs to.
    pub thread: Option<i64>,
    /// Whether it answers a message of this bot.
    pub reply_to_bot: bool,
    /// What it refers to, and who wrote it if it was forwarded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<Box<Context>>,
    /// What it says.
    pub body: Body,
    /// The words below a picture, file or the like (Bot API `caption`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caption: Option<String>,
    /// The document that it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<Box<SentFile>>,
    /// The other documents of its album.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub more_documents: Vec<SentFile>,
    /// The album it is a piece of (Bot API `media_group_id`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub album: Option<String>,
    /// Whose words these are. Only a person's own words can be a command.
    #[serde(default, skip_serializing_if = "Authorship::is_own")]
    pub authorship: Authorship,
    /// When it was edited, Unix seconds, by Telegram's clock; `None` for a new message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited_s: Option<i64>,
    /// The messages that it was put together from, in order: an album, or a text that was cut. Empty for a
    /// message that came whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pieces: Vec<Piece>,
}

/// Kinds of chat the bot answers in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Place {
    /// One person and the bot.
    #[default]
    Private,
    /// A group or supergroup.
    Group,
}

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Body {
    /// Text.
    Text(String),
    /// Something the bot cannot read.
    Unsupported(ContentKind),
}

/// Kinds of content that are distinguished when they cannot be read, in the order in which they are
/// looked for. Written as the Bot API names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are those of the Bot API's fields of Message")]
pub enum ContentKind {
    LivePhoto,
    Photo,
    Voice,
    Video,
    VideoNote,
    Audio,
    Animation,
    Document,
    Sticker,
    Venue,
    Location,
    Contact,
    Poll,
    Dice,
    Game,
    Story,
    Checklist,
    PaidMedia,
    RichMessage,
    Invoice,
    Giveaway,
    GiveawayWinners,
    /// What this version does not know. The Bot API has no such field.
    Unknown,
}

/// A person, as Telegram describes them with each update.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The user's number, which never changes.
    pub id: UserId,
    /// First and last name.
    pub name: String,
    /// Username without `@`.
    pub username: Option<String>,
}

/// A pressed button (Bot API `CallbackQuery`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Press {
    /// Number to acknowledge the press with.
    pub callback_id: String,
    /// Chat of the message with the button.
    pub chat: ChatId,
    /// What kind of chat that is.
    pub place: Place,
    /// Who pressed.
    pub from: Person,
    /// The message with the button.
    pub message_id: MessageId,
    /// Forum topic of that message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<i64>,
    /// The button's data.
    pub data: String,
}

impl ContentKind {
    /// All of them, in the order in which they are looked for.
    pub const ALL: &[Self] = &[
        // A live photo, an animation and a venue come with a photo, a document and a location, too.
        Self::LivePhoto,
        Self::Photo,
        Self::Voice,
        Self::Video,
        Self::VideoNote,
        Self::Audio,
        Self::Animation,
        Self::Document,
        Self::Sticker,
        Self::Venue,
        Self::Location,
        Self::Contact,
        Self::Poll,
        Self::Dice,
        Self::Game,
        Self::Story,
        Self::Checklist,
        Self::PaidMedia,
        Self::RichMessage,
        Self::Invoice,
        Self::Giveaway,
        Self::GiveawayWinners,
        Self::Unknown,
    ];

    /// The name of its field in the Bot API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Photo => "photo",
            Self::Voice => "voice",
            Self::Video => "video",
            Self::VideoNote => "video_note",
            Self::Audio => "audio",
            Self::Document => "document",
            Self::Sticker => "sticker",
            Self::Animation => "animation",
            Self::Location => "location",
            Self::Venue => "venue",
            Self::Contact => "contact",
            Self::Poll => "poll",
            Self::Dice => "dice",
            Self::Game => "game",
            Self::Story => "story",
            Self::Checklist => "checklist",
            Self::PaidMedia => "paid_media",
            Self::RichMessage => "rich_message",
            Self::LivePhoto => "live_photo",
            Self::Invoice => "invoice",
            Self::Giveaway => "giveaway",
            Self::GiveawayWinners => "giveaway_winners",
            Self::Unknown => "unknown",
        }
    }
}

impl Default for Body {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

impl Incoming {
    /// Its words: the text, or the caption.
    pub fn words(&self) -> &str {
        match &self.body {
            Body::Text(text) => text,
            Body::Unsupported(_) => self.caption.as_deref().unwrap_or_default(),
        }
    }

    /// Gives it other words.
    pub fn reword(&mut self, words: &str) {
        match &mut self.body {
            Body::Text(text) => words.clone_into(text),
            Body::Unsupported(_) => self.caption = Some(words.to_owned()).filter(|w| !w.is_empty()),
        }
    }

    /// Its words are those of its pieces, put together.
    pub fn join_pieces(&mut self) {
        let joined = joined(&self.pieces, self.album.is_some());
        self.reword(&joined);
    }

    /// Gives one of its pieces other words; `false` if this is not among them.
    pub fn reword_piece(&mut self, message: MessageId, words: &str) -> bool {
        let piece = self.pieces.iter_mut().find(|piece| piece.message_id == message);
        let Some(piece) = piece else { return false };
        words.clone_into(&mut piece.words);
        self.join_pieces();
        true
    }

    /// The message that a reply is attached to: in groups this one, and where it is not the last one of its chat.
    pub fn attached_to(&self) -> Option<MessageId> {
        let attach = self.place == Place::Group || self.edited_s.is_some();
        attach.then_some(self.message_id)
    }

    /// The conversation that it belongs to.
    pub fn conversation(&self) -> ConversationId {
        ConversationId { chat: self.chat, topic: self.thread.unwrap_or(0) }
    }

    /// The documents that it holds, or the one that the message holds which it answers.
    pub fn files(&self) -> Vec<&SentFile> {
        let replied = || self.context.as_ref()?.reply.as_ref()?.document.as_deref();
        self.document.as_deref().or_else(replied).into_iter().chain(&self.more_documents).collect()
    }
}

impl Person {
    /// As people see them: the name, and the username where there is one.
    pub fn shown(&self) -> String {
        match &self.username {
            Some(username) => format!("{} (@{username})", self.name),
            None => self.name.clone(),
        }
    }
}

impl Press {
    /// The conversation that the message with the button belongs to.
    pub fn conversation(&self) -> ConversationId {
        ConversationId { chat: self.chat, topic: self.thread.unwrap_or(0) }
    }
}

impl UpdateEvent {
    /// Whether it holds words of this person that someone else refers to or passes on.
    pub fn quotes(&self, person: UserId) -> bool {
        let Self::Message(message) = self else { return false };
        let context = message.context.as_deref();
        let replied = context.and_then(|context| context.reply.as_ref()).map(|reply| &reply.author);
        let forwarded = context.and_then(|context| context.forwarded.as_ref());
        [replied, forwarded].into_iter().flatten().any(|author| author.id == Some(person))
    }
}

impl Update {
    /// The chat the update belongs to, where it has one.
    pub fn chat(&self) -> Option<ChatId> {
        match &self.event {
            UpdateEvent::Message(m) => Some(m.chat),
            UpdateEvent::Press(p) => Some(p.chat),
            UpdateEvent::Moved { from, .. } => Some(*from),
            UpdateEvent::Membership { chat, .. } => Some(*chat),
            UpdateEvent::Ignored { chat, .. } => *chat,
        }
    }

    /// The forum topic it belongs to, if any.
    pub fn thread(&self) -> Option<i64> {
        match &self.event {
            UpdateEvent::Message(m) => m.thread,
            UpdateEvent::Press(p) => p.thread,
            _ => None,
        }
    }

    /// Who caused it, where a person did.
    pub fn from(&self) -> Option<&Person> {
        match &self.event {
            UpdateEvent::Message(m) => Some(&m.from),
            UpdateEvent::Press(p) => Some(&p.from),
            _ => None,
        }
    }

    /// The message, if it is one.
    pub fn message(&self) -> Option<&Incoming> {
        match &self.event {
            UpdateEvent::Message(message) => Some(message),
            _ => None,
        }
    }

    /// The message id that the update proves to be taken, if any.
    pub fn message_id(&self) -> Option<MessageId> {
        match &self.event {
            UpdateEvent::Message(m) => Some(m.message_id),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_stored_under_the_bot_apis_names() {
        for kind in ContentKind::ALL {
            let json = format!("{{\"Unsupported\":\"{}\"}}", kind.as_str());
            let body = Body::Unsupported(*kind);
            assert_eq!(serde_json::to_string(&body).unwrap(), json);
            assert_eq!(serde_json::from_str::<Body>(&json).unwrap(), body);
        }
    }
}
