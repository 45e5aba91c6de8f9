//! /pause and /resume: questions wait on disk meanwhile.

use super::{CommandContext, CommandRequest, Outcome};
use crate::model::effect::Effect;
use crate::store::StoreError;

pub(super) async fn pause(
    context: &CommandContext,
    asked: &CommandRequest<'_>,
) -> Result<Outcome, StoreError> {
    if context.store.settings().await?.paused {
        return Ok(asked.say("I am paused already. /resume makes me answer again."));
    }
    let text = "Paused. I keep every question and answer it after /resume. Commands still work.";
    Ok(asked.say(text).with(Effect::Pause(true)))
}

pub(super) async fn resume(
    context: &CommandContext,
    asked: &CommandRequest<'_>,
) -> Result<Outcome, StoreError> {
    if !context.store.settings().await?.paused {
        return Ok(asked.say("I am not paused."));
    }
    let text = "I answer again, beginning with the questions that waited.";
    Ok(asked.say(text).with(Effect::Pause(false)))
}
