//! /model: which model answers in this conversation.

use super::{AnswerSource, CommandContext, CommandRequest, Outcome};
use crate::model::access::Role;
use crate::model::effect::Effect;
use crate::model::message::Place;
use crate::store::StoreError;

/// Longest name of a model; the longest in public lists have about 80 characters.
const LONGEST: usize = 128;

pub(super) async fn model(
    context: &CommandContext,
    asked: &CommandRequest<'_>,
) -> Result<Outcome, StoreError> {
    let about = context.about();
    let provider = about.provider.as_str();
    let source = match about.answers_from {
        AnswerSource::Model => None,
        AnswerSource::Documents => Some("my answers come from documents, without a language model"),
        AnswerSource::Echo => Some("I only repeat what people say"),
    };
    if let Some(source) = source {
        return Ok(asked.say(format!("There is no model to choose: {source}.")));
    }
    let conversation = asked.conversation();
    let chosen = context.store.chosen_model(conversation).await?;
    let here = if asked.topic == 0 { "chat" } else { "topic" };
    let configured = match about.model.as_str() {
        "" => "the provider's default".to_owned(),
        name => format!("`{}`", shown(name)),
    };
    if asked.args.is_empty() {
        return Ok(asked.say(match chosen {
            Some(name) => format!(
                "In this {here} `{}` answers; otherwise it would be {configured}. `/model default` \
                 goes back to that.",
                shown(&name)
            ),
            None => format!(
                "In this {here} {configured} answers. `/model NAME` chooses another of {provider}'s \
                 models."
            ),
        }));
    }
    if asked.place == Place::Group && asked.role != Role::Owner {
        return Ok(asked.say("In a group, only my owner can change the model."));
    }
    if asked.args.eq_ignore_ascii_case("default") {
        let effect = Effect::SetModel { conversation, model: None };
        return Ok(asked.say(format!("Back to {configured} in this {here}.")).with(effect));
    }
    if !is_name(asked.args) {
        return Ok(asked.say(
            "That does not look like the name of a model: one word of letters, digits and \
             `. _ : / @ + -`, such as `gpt-4o-mini`.",
        ));
    }
    let effect = Effect::SetModel { conversation, model: Some(asked.args.to_owned()) };
    let text = format!(
        "From now on `{}` answers in this {here}. I cannot check the name beforehand; if it fails, \
         `/model default` goes back.",
        asked.args
    );
    Ok(asked.say(text).with(effect))
}

/// Whether this can be a model's name: it goes into requests and into chats, so nothing else gets
/// through.
fn is_name(text: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"._:/@+-".contains(&b);
    text.len() <= LONGEST
        && text.bytes().all(fits)
        && text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric() || b == b'@')
}

/// A configured name within backticks: the operator may have written anything.
fn shown(name: &str) -> String {
    hygiene::line::one_line(&name.replace('`', ""), LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_are_names() {
        for name in
            ["gpt-4o", "meta-llama/llama-3.1-8b:free", "@cf/meta/llama", "models/gemini-2.0"]
        {
            assert!(is_name(name), "{name}");
        }
        for other in ["", "two words", "`x`", "-x", "../etc", "a\nb", "ü", &"x".repeat(129)] {
            assert!(!is_name(other), "{other}");
        }
    }
}
