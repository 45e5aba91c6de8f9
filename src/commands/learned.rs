//! /learn, /learned, /unlearn: documents that owners send.

use std::fmt::Write as _;

use super::{CommandContext, CommandRequest, FollowUp, Outcome, wording};
use crate::model::effect::Effect;
use crate::model::learned::LearnedDocument;
use crate::model::reply::{Button, Reply};
use crate::store::StoreError;

/// Documents in one message.
const LISTED: usize = 40;

/// Buttons below it.
const BUTTONS: usize = 8;

/// Characters of a name that are shown.
const NAME: usize = 60;

/// The document itself is loaded by the pipeline.
pub(super) async fn learn(asked: &CommandRequest<'_>) -> Result<Outcome, StoreError> {
    if asked.files.is_empty() {
        return Ok(asked.say(
            "Send me a document with the caption /learn, or answer a message that holds one with /learn. \
             /learned lists what I have.",
        ));
    }
    let files = asked.files.iter().copied().cloned().collect();
    Ok(Outcome::default().followed_by(FollowUp::Learn(files)))
}

pub(super) async fn list(
    context: &CommandContext,
    asked: &CommandRequest<'_>,
) -> Result<Outcome, StoreError> {
    let documents = context.store.learned_documents().await?;
    if documents.is_empty() {
        return Ok(asked.say("I have no documents from you. Send one with the caption /learn."));
    }
    let mut text = format!("{} from you:\n", wording::count(documents.len() as u64, "document"));
    let now = context.clock.now_ms();
    for document in documents.iter().take(LISTED) {
        let LearnedDocument { id, passages, added_ms, .. } = document;
        let (passages, age) = (wording::count(*passages, "passage"), wording::span(now - added_ms));
        let _ = write!(text, "\n- {id}: {}, {passages}, {age} ago", named(document));
    }
    if documents.len() > LISTED {
        let _ = write!(text, "\n- … and {} more", documents.len() - LISTED);
    }
    text.push_str("\n\n`/unlearn N` removes one.");
    let mut reply = Reply::markdown(text);
    for document in documents.iter().take(BUTTONS) {
        let label = format!("Remove {}", wording::tame(&document.name, NAME / 2));
        // Numbers are used again; when it was sent is not.
        let data = format!("unlearn:{}:{}", document.id, document.added_ms);
        reply = reply.with_row(vec![Button::new(label, data)]);
    }
    Ok(asked.answer(reply))
}

pub(super) async fn unlearn(
    context: &CommandContext,
    asked: &CommandRequest<'_>,
) -> Result<Outcome, StoreError> {
    let documents = context.store.learned_documents().await?;
    let wanted = asked.args;
    let is_it = |d: &&LearnedDocument| wanted == d.id.to_string() || wanted == d.name;
    Ok(match documents.iter().find(is_it) {
        Some(document) => asked.say(removed(document)).with(Effect::Unlearn(document.id)),
        None if wanted.is_empty() => {
            asked.say("Please name it: `/unlearn N`. /learned shows the numbers.")
        }
        None => asked.say("I have no such document. /learned shows what I have."),
    })
}

/// The button of a list, which may be old.
pub(super) async fn press(context: &CommandContext, rest: &str) -> Result<Outcome, StoreError> {
    let documents = context.store.learned_documents().await?;
    let is_it = |d: &&LearnedDocument| rest == format!("{}:{}", d.id, d.added_ms);
    Ok(match documents.iter().find(is_it) {
        Some(document) => {
            let name = wording::tame(&document.name, NAME);
            toast(&format!("Removed: {name}.")).with(Effect::Unlearn(document.id))
        }
        None => toast("That document is gone, or there is a newer one. See /learned."),
    })
}

fn removed(document: &LearnedDocument) -> String {
    format!("Removed: {}. I no longer answer from it.", named(document))
}

fn named(document: &LearnedDocument) -> String {
    wording::escape(&wording::tame(&document.name, NAME))
}

fn toast(text: &str) -> Outcome {
    Outcome::default().followed_by(FollowUp::ClosePress(text.to_owned()))
}
