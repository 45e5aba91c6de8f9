//! What people read who did not get an answer, because of how they wrote.

use super::CommandContext;
use crate::model::reply::Reply;

/// Why a message was understood as meant for the bot, and is not worked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hint {
    /// There is no word in it that could be answered.
    NoWords,
    /// It is the bot's name alone.
    NameOnly,
    /// It is a command that was changed into its message afterwards.
    EditedCommand,
    /// It is a command that someone else wrote, and that was forwarded or sent by way of another bot.
    CommandOfOthers,
    /// It is a command with the name of another bot, in a private chat.
    CommandForOtherBot,
    /// It was edited when its answer was old already.
    EditedLate,
    /// An anonymous administrator gives a command that depends on who gives it.
    Anonymous,
}

impl CommandContext {
    /// What to say instead of an answer.
    pub fn hint(&self, hint: Hint) -> Reply {
        Reply::plain(match hint {
            Hint::NoWords => {
                "I see no words in this message. Please write what you would like to know."
            }
            Hint::NameOnly => {
                "Yes? Please write your question behind my name, or answer a message with my name to \
                 ask me about it."
            }
            Hint::EditedCommand => {
                "I do not run commands that were edited. Please send it as a new message."
            }
            Hint::CommandOfOthers => {
                "I run only commands that you write yourself, not forwarded ones or those of other bots."
            }
            Hint::CommandForOtherBot => "This command has the name of another bot.",
            Hint::EditedLate => {
                "I answer edited questions only in the first 10 minutes. Please send it as a new message."
            }
            Hint::Anonymous => {
                "You write anonymously, so I cannot see who you are. Please send this under your own name."
            }
        })
    }
}
