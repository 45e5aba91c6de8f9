//! Route: what kind of work an update is. Pure.

use hygiene::line::one_line;

use crate::commands::{self, Hint};
use crate::model::ids::ChatId;
use crate::model::message::{
    Body, ContentKind, Incoming, Place, Press, UNDECODABLE, Update, UpdateEvent,
};

/// The command that is a question.
const FRESH: &str = "fresh";

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
        /// It came with `/fresh`: a kept answer will not do.
        is_fresh: bool,
    },
    /// A message that is meant for the bot and not worked on; its sender hears why.
    Hint {
        /// The message.
        message: &'a Incoming,
        /// Why.
        hint: Hint,
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
    /// It was edited and has no words: a place on a map that moves, a poll that goes on.
    EditedWithoutWords,
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
            Self::EditedWithoutWords => "edited_without_words",
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

/// Whether this is the command of this name.
pub(super) fn is_command(update: &Update, username: &str, name: &str) -> bool {
    // Most updates are none, and routing one copies its text.
    update.message().is_some_and(|message| message.words().trim_start().starts_with('/'))
        && matches!(route(update, username), Route::Command { word, .. } if word.eq_ignore_ascii_case(name))
}

fn message<'a>(m: &'a Incoming, username: &str) -> Route<'a> {
    let words = m.words();
    let is_near = m.place == Place::Private || m.reply_to_bot;
    if let Body::Unsupported(kind) = m.body
        && words.trim().is_empty()
    {
        return match (is_near, m.edited_s) {
            (false, _) => Route::Nothing(Nothing::NotAddressed),
            (true, Some(_)) => Route::Nothing(Nothing::EditedWithoutWords),
            (true, None) => Route::Unsupported { message: m, kind },
        };
    }
    if words.trim_start().starts_with('/')
        && let Some(parsed) = commands::is_command(words, username)
    {
        return command(m, parsed, is_near);
    }
    let (mentioned, rest) = without_mention(words, username);
    if !is_near && !mentioned {
        return Route::Nothing(Nothing::NotAddressed);
    }
    let rest = if m.place == Place::Group { rest } else { words };
    // Only what can be seen counts.
    if one_line(rest, 1).is_empty() {
        if mentioned && m.context.as_ref().is_some_and(|context| context.refers_to_others()) {
            return Route::Question { message: m, text: String::new(), is_fresh: false };
        }
        let hint = if mentioned { Hint::NameOnly } else { Hint::NoWords };
        return Route::Hint { message: m, hint };
    }
    Route::Question { message: m, text: rest.trim().to_owned(), is_fresh: false }
}

/// A message that begins like a command.
fn command<'a>(m: &'a Incoming, parsed: commands::Parsed<'_>, is_near: bool) -> Route<'a> {
    let hint = match parsed.addressed {
        // In groups a bare command may be meant for another bot.
        None if !is_near => return Route::Nothing(Nothing::NotAddressed),
        Some(false) if m.place == Place::Group => return Route::Nothing(Nothing::NotAddressed),
        Some(false) => Hint::CommandForOtherBot,
        // A message that is changed or passed on is not an order that was given now.
        _ if !m.authorship.is_senders() => Hint::CommandOfOthers,
        // It is a question, which may be edited.
        _ if parsed.word.eq_ignore_ascii_case(FRESH) && !one_line(parsed.args, 1).is_empty() => {
            return Route::Question { message: m, text: parsed.args.to_owned(), is_fresh: true };
        }
        _ if m.edited_s.is_some() => Hint::EditedCommand,
        _ => {
            return Route::Command {
                message: m,
                word: parsed.word.to_owned(),
                args: parsed.args.to_owned(),
            };
        }
    };
    Route::Hint { message: m, hint }
}

/// Whether `@username` stands in the text as a word of its own, and the text without it where it only
/// calls the bot: at the beginning. Anywhere else it is a word of the sentence.
fn without_mention<'a>(text: &'a str, username: &str) -> (bool, &'a str) {
    if username.is_empty() {
        return (false, text);
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
            let calls = text[..start].trim().is_empty();
            let behind = text[end..].trim_start_matches([',', ':', ' ']);
            return (true, if calls { behind } else { text });
        }
        from = end;
    }
    (false, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::{MessageId, UpdateId};

    fn update(place: Place, text: &str, reply_to_bot: bool) -> Update {
        let event = UpdateEvent::Message(Incoming {
            chat: ChatId(if place == Place::Private { 1 } else { -1 }),
            place,
            message_id: MessageId(1),
            reply_to_bot,
            context: None,
            body: Body::Text(text.into()),
            ..Incoming::default()
        });
        Update { id: UpdateId(1), event }
    }

    fn said(place: Place, text: &str, reply_to_bot: bool) -> String {
        match route(&update(place, text, reply_to_bot), "KatanaBot") {
            Route::Command { word, args, .. } => format!("/{word} {args}").trim().to_owned(),
            Route::Question { text, .. } => text,
            Route::Nothing(why) => format!("({})", why.as_str()),
            Route::Hint { hint, .. } => format!("{hint:?}"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn who_is_meant() {
        use Place::{Group, Private};
        let table = [
            (Private, "hello", false, "hello"),
            (Private, "/help me", false, "/help me"),
            (Private, "/fresh", false, "/fresh"),
            (Private, "/Fresh why?", false, "why?"),
            (Group, "/fresh@KatanaBot why\nnot?", false, "why\nnot?"),
            (Group, "/fresh why?", false, "(not_addressed)"),
            (Private, "  \n ", false, "NoWords"),
            (Private, "\u{200b}\u{2060}", false, "NoWords"),
            (Private, "say @KatanaBot", false, "say @KatanaBot"),
            (Group, "hello", false, "(not_addressed)"),
            (Group, "hello", true, "hello"),
            (Group, "@katanabot hello", false, "hello"),
            (Group, "@KatanaBot, hello", false, "hello"),
            (Group, "hello @KatanaBot, you", false, "hello @KatanaBot, you"),
            (Group, "He said \"@katanabot\" is good", false, "He said \"@katanabot\" is good"),
            (Group, "what can\n@KatanaBot do?", false, "what can\n@KatanaBot do?"),
            (Group, " @KatanaBot ", false, "NameOnly"),
            (Group, "\u{200b}", true, "NoWords"),
            (Group, "@KatanaBotany hello", false, "(not_addressed)"),
            (Group, "me@katanabot", false, "(not_addressed)"),
            (Group, "/help", false, "(not_addressed)"),
            (Group, "/help@KatanaBot", false, "/help"),
            (Group, "/help@OtherBot", true, "(not_addressed)"),
            (Private, "/help@OtherBot", false, "CommandForOtherBot"),
        ];
        for (place, text, reply, expected) in table {
            assert_eq!(said(place, text, reply), expected, "{place:?} {text:?}");
        }
    }
}
