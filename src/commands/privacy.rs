//! /whoami and /forget: what is stored about a person, and its deletion.

use std::fmt::Write as _;

use super::{CommandContext, CommandRequest, Outcome, wording};
use crate::model::access::Role;
use crate::model::effect::Effect;
use crate::model::limits;
use crate::model::message::Place;
use crate::model::reply::{Button, Reply};
use crate::store::StoreError;

/// What is said when it is deleted, and what it does not reach.
pub(super) async fn forgotten(context: &CommandContext) -> Result<String, StoreError> {
    let mut text = "Done. What you said to me and what I answered is deleted, in all our chats. \
                    Messages already in Telegram stay there; you can delete those yourself."
        .to_owned();
    let copies = context.store.older_copies().await?;
    let day =
        |ms| jiff::Timestamp::from_millisecond(ms).map(|at| at.strftime("%Y-%m-%d").to_string());
    let last = copies.iter().filter_map(|copy| copy.until_ms).max().and_then(|ms| day(ms).ok());
    if let Some(day) = last {
        let _ = write!(text, " A copy from before an update still has it; it is removed on {day}.");
    }
    if copies.iter().any(|copy| copy.until_ms.is_none()) {
        text.push_str(" An older copy that my operator keeps still has it, until they remove it.");
    }
    Ok(text)
}

pub(super) async fn whoami(
    context: &CommandContext,
    asked: &CommandRequest<'_>,
) -> Result<Outcome, StoreError> {
    let mut text = format!(
        "You are {}.\n\n- Telegram id: `{}`\n- Role: {}\n- This chat's id: `{}`\n",
        wording::person(asked.from),
        asked.from.id,
        asked.role.as_str(),
        asked.chat
    );
    if let Some(known) =
        context.store.user(asked.from.id).await?.filter(|u| u.role != Role::Stranger)
    {
        let age = context.clock.now_ms().saturating_sub(known.since_ms);
        let _ = writeln!(text, "- In this role for {}", wording::span(age));
    }
    let kept = context.store.turns_of(asked.from.id).await?;
    let _ = match kept {
        0 => write!(text, "\nI have stored nothing of our conversation."),
        n => write!(
            text,
            "\nI have stored {} of yours with my answers, in all chats. /forget deletes them.",
            questions(n)
        ),
    };
    Ok(asked.say(text))
}

/// A number of questions that was not counted to its end.
fn questions(n: u64) -> String {
    if n > limits::COUNTED_TURNS {
        format!("more than {}", wording::count(limits::COUNTED_TURNS, "question"))
    } else {
        wording::count(n, "question")
    }
}

pub(super) async fn forget(
    context: &CommandContext,
    asked: &CommandRequest<'_>,
) -> Result<Outcome, StoreError> {
    let id = asked.from.id;
    let kept = context.store.turns_of(id).await?;
    // A person who was removed may still delete what they said; a stranger who never said anything
    // is a stranger.
    if asked.place == Place::Private && asked.role == Role::Stranger && kept == 0 {
        return context.stranger(asked.from, asked.chat, asked.place).await;
    }
    if asked.args.eq_ignore_ascii_case("yes") {
        return Ok(asked.say(forgotten(context).await?).with(Effect::Forget(id)));
    }
    let what = match kept {
        0 => "I have stored no answered questions of yours; a question that failed may still be \
              kept for another try."
            .to_owned(),
        n => format!("I have stored {} of yours with my answers.", questions(n)),
    };
    let text = format!(
        "{what} Shall I delete everything you said to me, in all chats? It cannot be undone. \
         The list of who may chat with me stays as it is."
    );
    let buttons = vec![
        Button::new("Delete everything", format!("forget:yes:{id}")),
        Button::new("Keep", format!("forget:no:{id}")),
    ];
    Ok(asked.answer(Reply::markdown(text).with_row(buttons)))
}
