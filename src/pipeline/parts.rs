//! Parts: the messages that a reply becomes, and a part as the Bot API wants it.
//!
//! Invariant: no part, and no two together, hold a loaded secret. A reply is redacted as a whole and
//! before it is rendered, so that the offsets of its formatting hold.

use std::borrow::Cow;

use hygiene::Redactor;

use crate::model::ids::{ChatId, MessageId};
use crate::model::limits;
use crate::model::reply::{Reply, ReplyBody};
use crate::model::text::Rich;
use crate::store::{NewPart, OpenPart, PartExtra};
use crate::telegram::{Outgoing, render};

/// The messages that a reply becomes: each is attached to what it answers, the last has the buttons.
pub(super) fn parts_of(
    chat: ChatId,
    reply: Reply,
    thread: Option<i64>,
    redactor: &Redactor,
) -> Vec<NewPart> {
    let rich = rendered(&reply.body, redactor);
    let reply_to = reply.reply_to.filter(|id: &MessageId| id.0 > 0);
    let extra = PartExtra { thread, reply_to, ..PartExtra::default() };
    let mut parts: Vec<NewPart> =
        rich.into_iter().map(|rich| NewPart { chat, rich, extra: extra.clone() }).collect();
    if parts.len() > limits::REPLY_PARTS {
        parts.truncate(limits::REPLY_PARTS);
        let note = "(The rest of this answer is left out: it is too long for a chat.)";
        if let Some(last) = parts.last_mut() {
            last.rich = Rich::plain(note);
        }
    }
    let below = |text: Option<String>| {
        text.map(|text| rendered(&ReplyBody::Markdown(text), redactor)).unwrap_or_default()
    };
    let sources = below(reply.sources).into_iter().map(Rich::folded);
    for rich in below(reply.footer).into_iter().chain(sources) {
        let is_joined = parts.last_mut().is_some_and(|last| last.rich.append(&rich));
        if !is_joined {
            parts.push(NewPart { chat, rich, extra: extra.clone() });
        }
    }
    if let Some(last) = parts.last_mut() {
        last.extra.buttons = reply.buttons;
    }
    parts
}

fn rendered(body: &ReplyBody, redactor: &Redactor) -> Vec<Rich> {
    let rich = match body {
        ReplyBody::Markdown(text) => render::markdown(&redactor.redact(text)),
        ReplyBody::Plain(text) => render::plain(&redactor.redact(text)),
    };
    // Rendering may put together what the source has in pieces, such as the text of links.
    let shown: String = rich.iter().map(|rich| rich.text.as_str()).collect();
    match redactor.redact(&shown) {
        Cow::Borrowed(_) => rich,
        Cow::Owned(clean) => render::plain(&clean),
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::text::EntityKind;

    #[test]
    fn sources_stand_folded_below_everything_else() {
        let redactor = Redactor::new([TOKEN]);
        let reply = |length: usize| Reply {
            footer: Some("_(note)_".to_owned()),
            sources: Some(format!("**Sources**\n1 [a.md](<https://x.example>)\n2 {TOKEN}")),
            ..Reply::plain("x".repeat(length))
        };
        let parts = parts_of(ChatId(1), reply(10), None, &redactor);
        let [part] = parts.as_slice() else { panic!("{parts:?}") };
        let text = "xxxxxxxxxx\n\n(note)\n\nSources\n1 a.md\n2 [secret]";
        assert_eq!(part.rich.text, text);
        let quote = &part.rich.entities[1];
        assert_eq!((&quote.kind, quote.offset), (&EntityKind::FoldedQuote, 20));
        assert_eq!((quote.offset + quote.length) as usize, text.len());
        assert_eq!(part.rich.entities.len(), 4, "italic, quote, bold, link: {:?}", part.rich);
        let parts = parts_of(ChatId(1), reply(limits::MESSAGE_UNITS - 4), None, &redactor);
        let texts: Vec<&str> = parts.iter().map(|part| &*part.rich.text).skip(1).collect();
        assert_eq!(texts, [&text[12..]], "below what has no room for them");
    }

    const TOKEN: &str = "1234567890:AAHk3_aB9-xZkLmQwErTyUiOpAsDfGhJkL";

    #[test]
    fn a_secret_is_in_no_part_and_formatting_holds() {
        let redactor = Redactor::new([TOKEN]);
        let (start, end) = TOKEN.split_at(20);
        let links = |text: &[char]| format!("[{}](https://a.b)", String::from_iter(text));
        let links: String = TOKEN.chars().collect::<Vec<_>>().chunks(6).map(links).collect();
        for (text, entities) in [
            (format!("**Key:** {TOKEN} and `{TOKEN}` *end*"), 3),
            (format!("**Key:** {start}**{end}** *end*"), 2),
            // Only rendering puts these together.
            (format!("**Key:** {links}"), 0),
            // No part alone would give it away.
            (format!("{}{start}{end}", "long ".repeat(816)), 0),
        ] {
            let parts = parts_of(ChatId(1), Reply::markdown(text.clone()), None, &redactor);
            let shown: String = parts.iter().map(|part| part.rich.text.as_str()).collect();
            assert!(shown.contains("[secret]") && !redactor.finds(&shown), "{shown}");
            assert_eq!(parts[0].rich.entities.len(), entities, "{text}: {:?}", parts[0].rich);
        }
    }
}
