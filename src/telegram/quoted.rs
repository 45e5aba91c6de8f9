//! What a message refers to and carries, from the Bot API's fields.
//!
//! Invariant: what cannot be read is left out; it never costs the message itself.

use hygiene::line::one_line;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::answers::{
    self, Contact, Entry, NamedChat, OnlyFrom, Origin, OtherWords, RepliedTo, User,
};
use crate::model::ids::{MessageId, UserId};
use crate::model::message::ContentKind;
use crate::model::quote::{Author, Context, Referred};
use crate::model::sent_file::SentFile;

/// Longest text kept of a message that is referred to, in bytes: Telegram's own limit is 4,096 UTF-16
/// units, other servers might have none.
const QUOTED_BYTES: usize = 16 * 1024;

/// Longest name kept of an author, in characters: Telegram's first and last names have 64 each.
const NAME_CHARS: usize = 160;

/// What the message refers to and carries; `None` when it stands for itself.
pub(super) fn context(message: &answers::Message, me: UserId) -> Option<Box<Context>> {
    let reply = replied(message, me);
    let selected = read::<answers::TextQuote>(message.quote.as_deref())
        .map(|quote| cut(quote.text))
        .filter(|text| !text.trim().is_empty());
    let is_forwarded = message.forward_origin.is_some() || message.forward_date.is_some();
    let first = || read::<Origin>(message.forward_origin.as_deref()).map(origin);
    let forwarded = is_forwarded.then(|| first().unwrap_or_default());
    let context = Context { reply, selected, forwarded };
    (context != Context::default()).then(|| Box::new(context))
}

/// The document of a message.
pub(super) fn document(raw: Option<&RawValue>) -> Option<Box<SentFile>> {
    read::<answers::SentDocument>(raw).map(sent_file)
}

fn sent_file(sent: answers::SentDocument) -> Box<SentFile> {
    let (file_id, name, size) = (sent.file_id, sent.file_name, sent.file_size);
    Box::new(SentFile { file_id, name: one_line(&name, NAME_CHARS), size })
}

fn replied(message: &answers::Message, me: UserId) -> Option<Referred> {
    if let Some(raw) = message.reply_to_message.as_deref() {
        let Some(replied) = read::<RepliedTo>(Some(raw)) else {
            // What this version cannot read is still a reply to the bot, if it is the bot's.
            let by_bot = read::<OnlyFrom>(Some(raw)).is_some_and(|only| only.from.id == me.0);
            return by_bot.then(|| Referred { media: media(raw), by_bot, ..Referred::default() });
        };
        if replied.forum_topic_created.is_some() {
            return None;
        }
        let by_bot = replied.from.as_ref().is_some_and(|author| author.id == me.0);
        return Some(Referred { media: media(raw), by_bot, ..referred(replied, raw) });
    }
    let raw = message.external_reply.as_deref()?;
    let author = read::<answers::ExternalReply>(Some(raw))?.origin.map(origin).unwrap_or_default();
    let text = other_words(raw).unwrap_or_default();
    Some(Referred { author, text, media: media(raw), ..Referred::default() })
}

fn referred(replied: RepliedTo, raw: &RawValue) -> Referred {
    let text = replied.text.or(replied.caption).map(cut).or_else(|| other_words(raw));
    let text = text.unwrap_or_default();
    let mut author = match (replied.sender_chat, replied.from) {
        (Some(chat), _) => Author { name: title(chat), id: None },
        (None, Some(user)) => person(user),
        (None, None) => Author::default(),
    };
    if let Some(first) = replied.forward_origin.map(origin).filter(|first| !first.name.is_empty()) {
        author.name =
            one_line(&format!("{}, forwarded from {}", author.name, first.name), NAME_CHARS);
    }
    let message_id = replied.message_id.map(MessageId);
    let document = read::<answers::OnlyDocument>(Some(raw)).map(|only| sent_file(only.document));
    Referred { author, text, message_id, document, ..Referred::default() }
}

/// The words of what has neither text nor caption. Read apart, so that an odd one costs only these.
fn other_words(raw: &RawValue) -> Option<String> {
    let words = read::<OtherWords>(Some(raw))?;
    let poll = words.poll.map(|poll| listed(poll.question, poll.options));
    let checklist = || words.checklist.map(|list| listed(list.title, list.tasks));
    let contact = || {
        let name = |contact: Contact| {
            format!("{} {}", contact.first_name, contact.last_name.unwrap_or_default())
        };
        words.contact.map(|contact| one_line(name(contact).trim(), NAME_CHARS))
    };
    let venue = || words.venue.map(|venue| format!("{}\n{}", venue.title, venue.address));
    poll.or_else(checklist).or_else(contact).or_else(venue).map(cut)
}

/// A poll or checklist, with each entry on its line.
fn listed(mut words: String, entries: Vec<Entry>) -> String {
    for entry in entries {
        let done = if entry.completion_date > 0 { " (done)" } else { "" };
        words.extend(["\n- ", &entry.text, done]);
    }
    words
}

fn origin(origin: Origin) -> Author {
    if let Some(user) = origin.sender_user {
        return person(user);
    }
    let name = match (origin.sender_user_name, origin.sender_chat.or(origin.chat)) {
        (Some(name), _) => name,
        (None, Some(chat)) => title(chat),
        (None, None) => String::new(),
    };
    let name = match origin.author_signature {
        Some(signature) if !signature.trim().is_empty() => format!("{name} ({signature})"),
        _ => name,
    };
    Author { name: one_line(&name, NAME_CHARS), id: None }
}

fn person(user: User) -> Author {
    let id = UserId(user.id);
    let last = user.last_name.map(|last| format!(" {last}")).unwrap_or_default();
    let username = user.username.map(|name| format!(" (@{name})")).unwrap_or_default();
    let name = one_line(&format!("{}{last}{username}", user.first_name), NAME_CHARS);
    Author { name, id: Some(id) }
}

fn title(chat: NamedChat) -> String {
    let name = chat.title.or(chat.first_name).or(chat.username).unwrap_or_default();
    one_line(&name, NAME_CHARS)
}

/// What the message holds besides text, in the Bot API's own word.
fn media(raw: &RawValue) -> Option<String> {
    let fields: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(raw.get()).ok()?;
    let kind = ContentKind::ALL.iter().find(|kind| fields.contains_key(kind.as_str()))?;
    Some(kind.as_str().to_owned())
}

fn read<T: DeserializeOwned>(raw: Option<&RawValue>) -> Option<T> {
    serde_json::from_str(raw?.get()).ok()
}

fn cut(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(QUOTED_BYTES));
    text
}
