//! /start, /help, /new, /fresh, /cancel: getting along with each other.

use std::fmt::Write as _;

use super::command::{Command, Who, find, nearest};
use super::context::{AnswerSource, CommandContext, CommandRequest, Outcome};
use super::wording;
use crate::model::access::Role;
use crate::model::effect::Effect;
use crate::model::message::Place;
use crate::store::StoreError;

pub(super) async fn start(
    context: &CommandContext,
    asked: &CommandRequest<'_>,
) -> Result<Outcome, StoreError> {
    let settings = context.store.settings().await?;
    let source = match context.about().answers_from {
        AnswerSource::Documents => "I look up the answer in my documents and name the source.",
        AnswerSource::Echo => "I am being tested and repeat what you write.",
        AnswerSource::Model => {
            "A language model writes my answers, and it can be wrong: check what matters."
        }
    };
    let mut text = match asked.place {
        Place::Private => format!("Hello, I am Katana. Ask me anything in plain words. {source}\n"),
        Place::Group => format!(
            "Hello, I am Katana. Mention me (@{}) or reply to me to ask something. {source}\n",
            wording::escape(&context.about().username)
        ),
    };
    text.push_str(
        "\n- /new starts a new conversation\n- /cancel stops an answer\n- /help shows everything \
         else\n",
    );
    if asked.role == Role::Owner {
        text.push_str(
            "\nYou are my owner: /users shows who may chat with me and who is waiting.\n",
        );
    }
    if settings.paused {
        text.push_str(
            "\nI am paused at the moment: I keep your questions and answer them later.\n",
        );
    }
    Ok(asked.say(text))
}

pub(super) async fn help(
    commands: &'static [Command],
    asked: &CommandRequest<'_>,
) -> Result<Outcome, StoreError> {
    let wanted = asked.args.trim_start_matches('/');
    if wanted.is_empty() {
        return Ok(asked.say(overview(commands, asked)));
    }
    let mine = |c: &&Command| c.who.lets(asked.role.max(Role::Member));
    Ok(asked.say(match find(commands, wanted).filter(mine) {
        Some(c) => format!("**{}**\n\n`{}`\n\n{}", c.help, c.usage, c.details),
        None => {
            let word = wording::escape(&wording::tame(wanted, 32));
            match nearest(commands, wanted, asked.role.max(Role::Member), asked.place) {
                Some(name) => format!("There is no command /{word}. Did you mean /{name}?"),
                None => format!("There is no command /{word}. /help lists all commands."),
            }
        }
    }))
}

fn overview(commands: &[Command], asked: &CommandRequest<'_>) -> String {
    let mut text = match asked.place {
        Place::Private => "Ask me anything in plain words. I also understand:\n".to_owned(),
        Place::Group => "Mention me or reply to me to ask something. I understand:\n".to_owned(),
    };
    let here = |c: &&Command| c.places.include(asked.place) && c.name != "claim";
    for c in commands.iter().filter(here).filter(|c| c.who != Who::Owner) {
        let _ = write!(text, "\n- /{} – {}", c.name, c.help);
    }
    if asked.role == Role::Owner {
        text.push_str("\n\n**For you as my owner**\n");
        for c in commands.iter().filter(here).filter(|c| c.who == Who::Owner) {
            let _ = write!(text, "\n- /{} – {}", c.name, c.help);
        }
    }
    text.push_str("\n\n`/help new` explains /new, and so on.");
    text
}

pub(super) async fn new(
    _: &CommandContext,
    asked: &CommandRequest<'_>,
) -> Result<Outcome, StoreError> {
    let text = "A new conversation: I no longer take into account what was said before here.";
    Ok(asked.say(text).with(Effect::StartAfresh(asked.conversation())))
}

/// With a question behind it, it is one, and does not come here.
pub(super) async fn fresh(
    _: &CommandContext,
    asked: &CommandRequest<'_>,
) -> Result<Outcome, StoreError> {
    Ok(asked.say("Please write the question behind it: `/fresh QUESTION`."))
}

pub(super) async fn cancel(
    _: &CommandContext,
    asked: &CommandRequest<'_>,
) -> Result<Outcome, StoreError> {
    Ok(asked.say(match asked.cancelled {
        0 => "There is nothing to stop: I am not writing an answer here.".to_owned(),
        1 => "Stopped.".to_owned(),
        n => format!("Stopped: {n} questions will not be answered."),
    }))
}
