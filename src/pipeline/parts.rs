//! Parts: the messages that a reply becomes, and a part as the Bot API wants it.

use crate::model::ids::{ChatId, MessageId};
use crate::model::limits;
use crate::model::reply::{Reply, ReplyBody};
use crate::store::{NewPart, OpenPart, PartExtra};
use crate::telegram::{Outgoing, render};

/// The messages that a reply becomes: the first answers, the last has the buttons.
pub(super) fn parts_of(chat: ChatId, reply: Reply, thread: Option<i64>) -> Vec<NewPart> {
    let rich = match &reply.body {
        ReplyBody::Markdown(text) => render::markdown(text),
        ReplyBody::Plain(text) => render::plain(text),
    };
    let mut parts: Vec<NewPart> = rich
        .into_iter()
        .map(|rich| NewPart { chat, rich, extra: PartExtra { thread, ..PartExtra::default() } })
        .collect();
    if parts.len() > limits::REPLY_PARTS {
        parts.truncate(limits::REPLY_PARTS);
        let note = "(The rest of this answer is left out: it is too long for a chat.)";
        if let Some(last) = parts.last_mut() {
            last.rich = crate::model::text::Rich::plain(note);
        }
    }
    if let Some(first) = parts.first_mut() {
        first.extra.reply_to = reply.reply_to.filter(|id: &MessageId| id.0 > 0);
    }
    if let Some(last) = parts.last_mut() {
        last.extra.buttons = reply.buttons;
    }
    parts
}

/// A part as the Bot API wants it.
pub(super) fn outgoing(part: &OpenPart) -> Outgoing<'_> {
    Outgoing {
        chat: part.chat,
        thread: part.extra.thread,
        text: &part.text,
        entities: &part.extra.entities,
        buttons: &part.extra.buttons,
        reply_to: part.extra.reply_to,
    }
}
