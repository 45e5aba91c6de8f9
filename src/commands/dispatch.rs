//! Finds the command and checks that this person may use it here.

use super::table::{Command, find, table};
use super::{CommandContext, CommandRequest, Outcome, wording};
use crate::model::access::Role;
use crate::model::message::Place;
use crate::store::StoreError;

/// How alike two words must be for "did you mean" (Jaro-Winkler, 1 is equal).
const ALIKE: f64 = 0.8;

/// What a word with one slip counts as, on that scale.
const ONE_SLIP: f64 = 0.9;

impl CommandContext {
    /// Runs a command. Says nothing in groups where the bot is not allowed, nor about commands
    /// that are probably another bot's.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn run(&self, asked: &CommandRequest<'_>) -> Result<Outcome, StoreError> {
        let command = find(asked.word);
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
        if asked.place == Place::Group
            && !self.may_chat(asked.place, asked.chat, asked.role).await?
        {
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
        Ok(asked.say(match nearest(asked.word, role, asked.place) {
            Some(name) => format!("I do not know /{word}. Did you mean /{name}?"),
            None => format!("I do not know /{word}. /help shows what I understand."),
        }))
    }
}

/// The command that the word most resembles, of those the person may use there.
pub(super) fn nearest(word: &str, role: Role, place: Place) -> Option<&'static str> {
    let word = word.to_ascii_lowercase();
    let alike = |name: &str| {
        // One slip is forgiven even in a short word, where it changes the likeness much.
        let one_slip = word.len() > 2 && strsim::osa_distance(&word, name) <= 1;
        strsim::jaro_winkler(&word, name).max(if one_slip { ONE_SLIP } else { 0.0 })
    };
    table()
        .iter()
        .filter(|c| c.who.lets(role) && c.places.include(place))
        .map(|c| (c.name, alike(c.name)))
        .filter(|(_, alike)| *alike >= ALIKE)
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .map(|(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_finger_are_recognised() {
        let near = |word| nearest(word, Role::Owner, Place::Private);
        for (typed, meant) in [
            ("hlep", "help"),
            ("helpp", "help"),
            ("STAT", "stats"),
            ("modle", "model"),
            ("cancle", "cancel"),
            ("aprove", "approve"),
            ("forgot", "forget"),
            ("who", "whoami"),
        ] {
            assert_eq!(near(typed), Some(meant), "{typed}");
        }
        for other in ["weather", "x", "settings", "balance"] {
            assert_eq!(near(other), None, "{other}");
        }
        assert_eq!(nearest("usres", Role::Member, Place::Private), None);
        assert_eq!(nearest("usres", Role::Owner, Place::Group), None);
    }
}
