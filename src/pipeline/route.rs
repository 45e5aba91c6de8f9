//! Route: what kind of work an update is. Pure.

use crate::commands;
use crate::model::ids::ChatId;
use crate::model::message::{
    Body, ContentKind, Incoming, Place, Press, UNDECODABLE, Update, UpdateEvent,
};

/// What has to be done for an update.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Route<'a> {
    /// A slash command.
    Command {
        /// The message.
        message: &'a Incoming,
        /// The command's name, without slash.
        word: String,
        /// What follows it.
        args: String,
    },
    /// A text for the provider.
    Question {
        /// The message.
        message: &'a Incoming,
        /// Its text, without the bot's name.
        text: String,
    },
    /// A message that cannot be read.
    Unsupported {
        /// The message.
        message: &'a Incoming,
        /// What it holds.
        kind: ContentKind,
    },
    /// A pressed button.
    Press(&'a Press),
    /// A group has another id.
    Moved {
        /// Old id.
        from: ChatId,
        /// New id.
        to: ChatId,
    },
    /// The bot was let in or shut out.
    Membership {
        /// Where.
        chat: ChatId,
        /// Whether it can write there.
        present: bool,
    },
    /// Nothing to do.
    Nothing(Nothing<'a>),
}

/// Why there is nothing to do for an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nothing<'a> {
    /// It is not meant for the bot.
    NotAddressed,
    /// It has no text apart from the bot's name.
    Empty,
    /// Updates of this kind are not answered.
    Kind(&'a str),
    /// It cannot be read; the word has its kind.
    Undecodable(&'a str),
}

impl<'a> Nothing<'a> {
    /// One word, to count it by.
    pub(super) fn as_str(self) -> &'a str {
        match self {
            Self::NotAddressed => "not_addressed",
            Self::Empty => "empty",
            Self::Kind(kind) | Self::Undecodable(kind) => kind,
        }
    }
}

/// Routes an update. `username`: the bot's, without `@`.
pub(super) fn route<'a>(update: &'a Update, username: &str) -> Route<'a> {
    match &update.event {
        UpdateEvent::Message(m) => message(m, username),
        UpdateEvent::Press(p) => Route::Press(p),
        UpdateEvent::Moved { from, to } => Route::Moved { from: *from, to: *to },
        UpdateEvent::Membership { chat, present } => {
            Route::Membership { chat: *chat, present: *present }
        }
        UpdateEvent::Ignored { kind, .. } if kind.starts_with(UNDECODABLE) => {
            Route::Nothing(Nothing::Undecodable(kind))
        }
        UpdateEvent::Ignored { kind, .. } => Route::Nothing(Nothing::Kind(kind)),
    }
}

fn message<'a>(m: &'a Incoming, username: &str) -> Route<'a> {
    let text = match &m.body {
        Body::Text(text) => text,
        Body::Unsupported(kind) => {
            return if m.place == Place::Private || m.reply_to_bot {
                Route::Unsupported { message: m, kind: *kind }
            } else {
                Route::Nothing(Nothing::NotAddressed)
            };
        }
    };
    if text.trim_start().starts_with('/')
        && let Some(parsed) = commands::is_command(text, username)
    {
        // In groups a bare command may be meant for another bot.
        let ours = m.place == Place::Private || m.reply_to_bot || parsed.addressed == Some(true);
        return if ours && parsed.addressed != Some(false) {
            Route::Command {
                message: m,
                word: parsed.word.to_owned(),
                args: parsed.args.to_owned(),
            }
        } else {
            Route::Nothing(Nothing::NotAddressed)
        };
    }
    let (mentioned, rest) = without_mention(text, username);
    if m.place == Place::Group && !mentioned && !m.reply_to_bot {
        return Route::Nothing(Nothing::NotAddressed);
    }
    let rest = if m.place == Place::Group { rest } else { text.clone() };
    if rest.trim().is_empty() {
        return Route::Nothing(Nothing::Empty);
    }
    Route::Question { message: m, text: rest.trim().to_owned() }
}

/// Whether `@username` stands in the text as a word of its own, and the text without it.
fn without_mention(text: &str, username: &str) -> (bool, String) {
    if username.is_empty() {
        return (false, text.to_owned());
    }
    let name = format!("@{}", username.to_ascii_lowercase());
    let lower = text.to_ascii_lowercase();
    let mut from = 0;
    while let Some(found) = lower[from..].find(&name) {
        let (start, end) = (from + found, from + found + name.len());
        let word = |c: char| c.is_alphanumeric() || c == '_';
        let before = text[..start].chars().next_back().is_some_and(word);
        let after = text[end..].chars().next().is_some_and(word);
        if !before && !after {
            let rest = format!("{}{}", &text[..start], text[end..].trim_start());
            return (true, rest);
        }
        from = end;
    }
    (false, text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::{MessageId, UpdateId};
    use crate::model::message::Person;

    fn update(place: Place, text: &str, reply_to_bot: bool) -> Update {
        let event = UpdateEvent::Message(Incoming {
            chat: ChatId(if place == Place::Private { 1 } else { -1 }),
            place,
            from: Person::default(),
            message_id: MessageId(1),
            date_s: 0,
            thread: None,
            reply_to_bot,
            body: Body::Text(text.into()),
        });
        Update { id: UpdateId(1), event }
    }

    fn said(place: Place, text: &str, reply_to_bot: bool) -> String {
        match route(&update(place, text, reply_to_bot), "KatanaBot") {
            Route::Command { word, args, .. } => format!("/{word} {args}").trim().to_owned(),
            Route::Question { text, .. } => text,
            Route::Nothing(why) => format!("({})", why.as_str()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn who_is_meant() {
        use Place::{Group, Private};
        let table = [
            (Private, "hello", false, "hello"),
            (Private, "/help me", false, "/help me"),
            (Private, "  \n ", false, "(empty)"),
            (Private, "say @KatanaBot", false, "say @KatanaBot"),
            (Group, "hello", false, "(not_addressed)"),
            (Group, "hello", true, "hello"),
            (Group, "@katanabot hello", false, "hello"),
            (Group, "hello @KatanaBot, you", false, "hello , you"),
            (Group, "@KatanaBotany hello", false, "(not_addressed)"),
            (Group, "me@katanabot", false, "(not_addressed)"),
            (Group, "/help", false, "(not_addressed)"),
            (Group, "/help@KatanaBot", false, "/help"),
            (Group, "/help@OtherBot", true, "(not_addressed)"),
            (Private, "/help@OtherBot", false, "(not_addressed)"),
        ];
        for (place, text, reply, expected) in table {
            assert_eq!(said(place, text, reply), expected, "{place:?} {text:?}");
        }
    }
}
