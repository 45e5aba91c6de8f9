//! Finds the command and checks that this person may use it here.

use super::command::{Command, Who, find, nearest};
use super::context::{CommandContext, CommandRequest, Outcome};
use super::hint::Hint;
use super::table::table;
use super::wording;
use crate::model::access::Role;
use crate::model::message::Place;
use crate::store::StoreError;

impl CommandContext {
    /// Runs a command. Says nothing in groups where the bot is not allowed, nor about commands
    /// that are probably another bot's.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn run(&self, asked: &CommandRequest<'_>) -> Result<Outcome, StoreError> {
        let command = find(table(), asked.word);
        let outcome = self.decide(asked, command).await?;
        let name = command.map_or("unknown", |c| c.name);
        let lets = command.is_none_or(|c| c.who.lets(asked.role) || asked.place == Place::Group);
        let word = if lets { "ok" } else { "denied" };
        self.vitals.increment("command", &format!("{name}:{word}"));
        Ok(outcome)
    }

    async fn decide(
        &self,
        asked: &CommandRequest<'_>,
        command: Option<&'static Command>,
    ) -> Result<Outcome, StoreError> {
        let is_closed = asked.place == Place::Group
            && !self.may_chat(asked.place, asked.chat, asked.role).await?;
        if let Some(command) = command.filter(|_| asked.from.id.is_chat())
            && is_personal(command)
            && (!is_closed || command.name == "approve")
        {
            return Ok(asked.answer(self.hint(Hint::Anonymous)));
        }
        if is_closed {
            return self.in_closed_group(asked, command).await;
        }
        // In a group that is allowed everybody may ask, so everybody is as good as a member.
        let role = match asked.place {
            Place::Group => asked.role.max(Role::Member),
            Place::Private => asked.role,
        };
        let Some(command) = command else {
            return self.unknown(asked, role).await;
        };
        if !command.who.lets(role) {
            return match role {
                Role::Stranger => self.stranger(asked.from, asked.chat, asked.place).await,
                _ => Ok(asked.say(format!("Only my owner can use /{}.", command.name))),
            };
        }
        if !command.places.include(asked.place) {
            let name = command.name;
            return Ok(asked.say(format!("/{name} works in a private chat with me only.")));
        }
        (command.run)(self, asked).await
    }

    /// Not allowed here yet: only an owner hears anything.
    async fn in_closed_group(
        &self,
        asked: &CommandRequest<'_>,
        command: Option<&Command>,
    ) -> Result<Outcome, StoreError> {
        match command {
            _ if asked.role != Role::Owner => Ok(Outcome::default()),
            Some(c) if matches!(c.name, "approve" | "remove") => (c.run)(self, asked).await,
            Some(_) => {
                Ok(asked.say("I do not answer in this group yet. Send /approve here, and I will."))
            }
            None => Ok(Outcome::default()),
        }
    }

    async fn unknown(&self, asked: &CommandRequest<'_>, role: Role) -> Result<Outcome, StoreError> {
        if role == Role::Stranger {
            return self.stranger(asked.from, asked.chat, asked.place).await;
        }
        if asked.place == Place::Group && !asked.addressed {
            return Ok(Outcome::default());
        }
        let word = wording::escape(&wording::tame(asked.word, 32));
        Ok(asked.say(match nearest(table(), asked.word, role, asked.place) {
            Some(name) => format!("I do not know /{word}. Did you mean /{name}?"),
            None => format!("I do not know /{word}. /help lists what I understand."),
        }))
    }
}

/// Whether a command depends on who gives it.
fn is_personal(command: &Command) -> bool {
    command.who == Who::Owner || matches!(command.name, "claim" | "forget")
}
