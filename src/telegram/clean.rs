//! The last look at a message before it leaves: no loaded secret is in it, wherever it was made.
//!
//! Replies are redacted before they are rendered. What only rendering puts together, and what was
//! stored before its secret was loaded, is found here; such a message loses its formatting, since
//! its offsets no longer hold.

use hygiene::Redactor;

use super::outgoing::Outgoing;
use super::render;
use crate::model::reply::Button;
use crate::model::text::{Entity, EntityKind};

/// What is sent in place of a message that holds a secret.
pub(super) struct Clean {
    text: String,
    entities: Vec<Entity>,
    buttons: Vec<Vec<Button>>,
}

impl Clean {
    /// `None` when the message may leave as it is.
    pub(super) fn of(message: &Outgoing<'_>, redactor: &Redactor) -> Option<Self> {
        let leads_to_secret =
            |e: &Entity| matches!(&e.kind, EntityKind::Link { url } if redactor.finds(url));
        let is_on_button = message.buttons.iter().flatten().any(|b| redactor.finds(&b.label));
        let is_in_text = redactor.finds(message.text);
        if !is_in_text && !is_on_button && !message.entities.iter().any(leads_to_secret) {
            return None;
        }
        let label = |b: &Button| Button::new(redactor.redact(&b.label), b.data.clone());
        let buttons = message.buttons.iter().map(|row| row.iter().map(label).collect()).collect();
        let (text, entities) = if is_in_text {
            // The mark may be longer than what it replaces, and the message full.
            let text = redactor.redact(message.text);
            let first = render::plain(&text).into_iter().next();
            (first.map_or_else(String::new, |rich| rich.text), Vec::new())
        } else {
            let kept = message.entities.iter().filter(|e| !leads_to_secret(e)).cloned();
            (message.text.to_owned(), kept.collect())
        };
        Some(Self { text, entities, buttons })
    }

    /// The clean message in place of `message`, if there has to be one.
    pub(super) fn instead<'a>(clean: &'a Option<Self>, message: Outgoing<'a>) -> Outgoing<'a> {
        let Some(Self { text, entities, buttons }) = clean else { return message };
        Outgoing { text, entities, buttons, ..message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::ChatId;

    const TOKEN: &str = "1234567890:AAHk3_aB9-xZkLmQwErTyUiOpAsDfGhJkL";

    #[test]
    fn a_message_with_a_secret_in_any_place_leaves_without_it() {
        let redactor = Redactor::new([TOKEN]);
        let bold = |length| Entity { kind: EntityKind::Bold, offset: 0, length };
        let link = |url: &str| Entity {
            kind: EntityKind::Link { url: url.to_owned() },
            offset: 0,
            length: 4,
        };
        let buttons = |label: &str| vec![vec![Button::new(label, "data")]];
        let dirty_link = link(&format!("https://a.b/{TOKEN}"));
        for (text, entities, row, want) in [
            ("text", vec![bold(4), link("https://a.b")], buttons("go"), None),
            (TOKEN, vec![bold(4)], buttons("go"), Some(("[secret]", vec![], "go"))),
            ("text", vec![bold(4), dirty_link], buttons("go"), Some(("text", vec![bold(4)], "go"))),
            ("text", vec![], buttons(&TOKEN[11..]), Some(("text", vec![], "[secret]"))),
        ] {
            let message = Outgoing {
                chat: ChatId(1),
                thread: None,
                text,
                entities: &entities,
                buttons: &row,
                reply_to: None,
            };
            let clean = Clean::of(&message, &redactor);
            let want = want.unwrap_or((text, entities.clone(), "go"));
            let sent = Clean::instead(&clean, message);
            assert_eq!((sent.text, sent.entities.to_vec(), &*sent.buttons[0][0].label), want);
        }
    }
}
