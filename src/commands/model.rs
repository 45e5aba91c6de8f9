//! /model: which model answers in this conversation.
//!
//! Invariant: people choose among the models that the operator lists (`answer.models`); what is
//! chosen is looked at again whenever it is used, because the list may have changed since.

use sha2::{Digest, Sha256};

use super::{About, AnswerSource, CommandContext, CommandRequest, FollowUp, Outcome};
use crate::model::access::Role;
use crate::model::conversation::ConversationId;
use crate::model::effect::Effect;
use crate::model::feature::Feature;
use crate::model::message::{Place, Press};
use crate::model::reply::{Button, Reply};
use crate::store::StoreError;

/// Longest name of a model that is shown; the longest in public lists have about 80 characters.
const LONGEST: usize = 128;

/// The word and the button for the configured model.
const DEFAULT: &str = "default";

/// For people for whom the feature is not on.
const NOT_OPEN: &str = "Choosing a model is not open to you here.";

pub(super) async fn model(
    context: &CommandContext,
    asked: &CommandRequest<'_>,
) -> Result<Outcome, StoreError> {
    let about = context.about();
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
    let chosen = chosen.filter(|name| about.offers(name));
    let here = if asked.topic == 0 { "chat" } else { "topic" };
    let is_on = context.has(Feature::Models, asked.from.id, asked.role);
    let may_choose = is_on && (asked.place == Place::Private || asked.role == Role::Owner);
    if asked.args.is_empty() {
        let text = state(&about, chosen.as_deref(), here);
        let buttons = if may_choose { buttons(&about, chosen.as_deref()) } else { Vec::new() };
        return Ok(asked.answer(Reply { buttons, ..Reply::markdown(text) }));
    }
    if !is_on {
        return Ok(asked.say(NOT_OPEN));
    }
    if !may_choose {
        return Ok(asked.say("In a group, only my owner can change the model."));
    }
    match about.named(asked.args) {
        Some(model) => {
            let text = decided(&about, model, here);
            Ok(asked.say(text).with(effect(conversation, &about, model)))
        }
        None if !is_name(asked.args) => Ok(asked.say(
            "That does not look like the name of a model: one word of letters, digits and \
             `. _ : / @ + -`, such as `gpt-4o-mini`.",
        )),
        None => {
            let name = shown(asked.args);
            let text = match about.models.is_empty() {
                true => format!(
                    "`{name}` is not offered here: {} is the only model. My operator can offer \
                     others with `answer.models` in the configuration.",
                    about.configured()
                ),
                false => format!("`{name}` is not offered here. These models are:"),
            };
            let buttons = buttons(&about, chosen.as_deref());
            Ok(asked.answer(Reply { buttons, ..Reply::markdown(text) }))
        }
    }
}

/// A pressed button. It may be old, or forged.
pub(super) fn press(context: &CommandContext, press: &Press, role: Role, key: &str) -> Outcome {
    let about = context.about();
    let toast = |text: &str| Outcome::default().followed_by(FollowUp::ClosePress(text.to_owned()));
    if !context.has(Feature::Models, press.from.id, role) {
        return toast(NOT_OPEN);
    }
    if press.place == Place::Group && role != Role::Owner {
        return toast("In a group, only my owner can change the model.");
    }
    let all = std::iter::once(about.model.as_str()).chain(about.models.iter().map(String::as_str));
    let Some(model) = all.into_iter().find(|name| self::key(&about, name) == key) else {
        return toast("That model is not offered any longer. See /model.");
    };
    let conversation = ConversationId { chat: press.chat, topic: press.thread.unwrap_or(0) };
    let here = if conversation.topic == 0 { "chat" } else { "topic" };
    let mut reply = Reply::markdown(decided(&about, model, here));
    reply.reply_to = (press.place == Place::Group).then_some(press.message_id);
    let replies = vec![super::OutgoingReply { to: press.chat, reply }];
    Outcome { replies, ..Outcome::default() }.with(effect(conversation, &about, model))
}

impl About {
    /// Whether people may choose this model.
    pub(super) fn offers(&self, name: &str) -> bool {
        name == self.model || self.models.iter().any(|model| model == name)
    }

    /// The model that a person means; case does not matter.
    fn named<'a>(&'a self, word: &str) -> Option<&'a str> {
        let is_meant = |name: &str| name.eq_ignore_ascii_case(word);
        if is_meant(DEFAULT) || is_meant(&self.model) {
            return Some(&self.model);
        }
        self.models.iter().map(String::as_str).find(|name| is_meant(name))
    }

    /// The configured model, Markdown.
    fn configured(&self) -> String {
        match self.model.as_str() {
            "" => "The provider's default".to_owned(),
            name => format!("`{}`", shown(name)),
        }
    }
}

fn state(about: &About, chosen: Option<&str>, here: &str) -> String {
    let configured = about.configured();
    match chosen {
        Some(name) if name != about.model => format!(
            "In this {here} `{}` answers; otherwise it would be {configured}. `/model default` goes \
             back to that.",
            shown(name)
        ),
        _ if about.models.is_empty() => {
            format!("In this {here} {configured} answers. There is no other model to choose.")
        }
        _ => {
            format!("In this {here} {configured} answers. `/model NAME` chooses another of these:")
        }
    }
}

fn decided(about: &About, model: &str, here: &str) -> String {
    if model == about.model {
        return format!("Back to {} in this {here}.", about.configured());
    }
    format!(
        "From now on `{}` answers in this {here}. If it fails, `/model default` goes back.",
        shown(model)
    )
}

fn effect(conversation: ConversationId, about: &About, model: &str) -> Effect {
    let model = Some(model.to_owned()).filter(|name| *name != about.model);
    Effect::SetModel { conversation, model }
}

/// A button for each model, if there is a choice; the one in use has a mark.
fn buttons(about: &About, chosen: Option<&str>) -> Vec<Vec<Button>> {
    if about.models.is_empty() {
        return Vec::new();
    }
    let used = chosen.unwrap_or(&about.model);
    let others = about.models.iter().map(String::as_str).filter(|name| *name != about.model);
    let all = std::iter::once(about.model.as_str()).chain(others);
    all.map(|name| {
        let mark = if name == used { "✓ " } else { "" };
        let label = format!("{mark}{}", hygiene::line::one_line(name, LONGEST));
        vec![Button::new(label, format!("model:{}", key(about, name)))]
    })
    .collect()
}

/// What a button sends back: names are longer than the 64 bytes that it may have.
fn key(about: &About, name: &str) -> String {
    if name == about.model {
        return DEFAULT.to_owned();
    }
    let hash = Sha256::digest(name.as_bytes());
    hash[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether this can be a model's name.
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

    #[test]
    fn a_button_fits_and_means_one_model() {
        let long = "m".repeat(200);
        let models = vec![long.clone(), "m".repeat(199), "gpt-x".to_owned()];
        let about = About { model: "gpt-x".to_owned(), models, ..About::default() };
        let buttons = buttons(&about, Some(&long)).concat();
        assert_eq!(buttons.len(), 3, "the configured one is there once");
        assert_eq!(buttons[0], Button::new("gpt-x", "model:default"));
        assert!(buttons[1].label.starts_with("✓ m") && !buttons[2].label.starts_with('✓'));
        assert!(buttons[1].data != buttons[2].data);
        assert!(buttons.iter().all(|button| button.data.len() <= 64));
    }
}
