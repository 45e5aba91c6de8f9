//! /claim and /approve: codes that give people access.

use std::sync::PoisonError;

use super::limiter::Tries;
use super::{CommandContext, CommandRequest, Outcome, wording};
use crate::model::access::{Role, normalise_code};
use crate::model::effect::Effect;
use crate::model::ids::ChatId;
use crate::model::message::Place;
use crate::model::reply::Reply;
use crate::store::{KnownUser, StoreError};

pub(super) async fn claim(
    context: &CommandContext,
    asked: &CommandRequest<'_>,
) -> Result<Outcome, StoreError> {
    if asked.role == Role::Owner {
        return Ok(asked.say("You are my owner already. /help shows what you can do."));
    }
    let now = context.clock.now_ms();
    let is_owned = !context.owners().await?.is_empty();
    let expected = if is_owned { None } else { context.store.settings().await?.claim_code };
    let mut limiter = context.limiter.lock().unwrap_or_else(PoisonError::into_inner);
    let may_try = limiter.may_try(asked.from.id, asked.seq, now);
    let typed = normalise_code(asked.args);
    if may_try && typed.is_some() && typed == expected {
        let text = "Welcome: you are my owner now.\n\n- Ask me anything, to try me out\n- People \
                    who write to me get a code; I tell you, and you let them in with a button\n- \
                    In a group, add me and send /approve there\n- /help shows everything else";
        return Ok(asked.say(text).with(Effect::Claim(asked.from.clone())));
    }
    // A bot that has an owner counts tries like one that has none, so that no one can talk to it
    // without end.
    Ok(match limiter.wrong_code(asked.from.id, asked.seq, now) {
        Tries::Left if is_owned => asked.say("This bot already has an owner."),
        Tries::Left if expected.is_none() => asked.say(
            "My claim code has expired. `katana-bot users claim` on my machine makes a new one; \
             send it to me within half an hour.",
        ),
        Tries::Left if asked.args.is_empty() => {
            asked.say("Please send the code with it: `/claim CODE`. It is in my log.")
        }
        Tries::Left => asked.say(
            "That is not the code. It looks like `K7QM-2XWD`; `katana-bot users claim` on my machine \
             makes a new one.",
        ),
        Tries::JustUsedUp => {
            asked.say("Too many tries. I will not look at codes from you for an hour.")
        }
        Tries::UsedUp => Outcome::default(),
    })
}

pub(super) async fn approve(
    context: &CommandContext,
    asked: &CommandRequest<'_>,
) -> Result<Outcome, StoreError> {
    if asked.args.is_empty() {
        return match asked.place {
            Place::Group => approve_group(context, asked).await,
            Place::Private => Ok(asked.say(
                "Please send the pairing code with it: `/approve CODE`. /users shows who is \
                 waiting. To let me answer in a group, send /approve there.",
            )),
        };
    }
    let found = match normalise_code(asked.args) {
        Some(code) => context.store.user_by_code(&code).await?,
        None => None,
    };
    Ok(match found {
        Some(user) => {
            let text = format!("{} may chat with me now.", wording::person(&user.person));
            let_in(asked.say(text), &user)
        }
        None => asked.say(
            "No one is waiting with that code. Codes are valid for a day and work once. /users \
            shows who is waiting; a person whose code is too old can just write to me again.",
        ),
    })
}

/// The outcome with a person approved and notified.
pub(super) fn let_in(outcome: Outcome, user: &KnownUser) -> Outcome {
    let welcome = "Good news: you may chat with me now. Ask me anything, or see /help.";
    outcome
        .with(Effect::Approve(user.person.id))
        .telling(ChatId(user.person.id.0), Reply::markdown(welcome))
}

async fn approve_group(
    context: &CommandContext,
    asked: &CommandRequest<'_>,
) -> Result<Outcome, StoreError> {
    if context.may_chat(asked.place, asked.chat, asked.role).await? {
        return Ok(asked.say("I answer in this group already."));
    }
    let text = format!(
        "I answer everyone in this group from now on: mention me (@{}) or reply to me.",
        wording::escape(&context.about().username)
    );
    Ok(asked.say(text).with(Effect::AllowChat { chat: asked.chat, allowed: true }))
}
