//! The one table of commands: name, help, who may, where, and what it does.

use super::command::{Command, Places, Who};
use super::{learned, model, pause, people, privacy, report, requests, sources, spending, talk};

/// For whom Telegram's command menu is made (Bot API `BotCommandScope`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All private chats.
    Private,
    /// All groups.
    Group,
    /// The private chat of an owner.
    Owner,
}

/// All commands, in the order in which they are shown.
pub fn table() -> &'static [Command] {
    TABLE
}

/// Names and help lines for Telegram's command menu (Bot API `setMyCommands`).
pub fn published(scope: Scope) -> Vec<(&'static str, &'static str)> {
    let shown = |c: &&Command| match scope {
        // `/claim` is for one person, once; a menu entry would only confuse everyone else.
        Scope::Private => c.who != Who::Owner && c.name != "claim",
        Scope::Group => c.who != Who::Owner && c.places == Places::Both,
        Scope::Owner => c.name != "claim",
    };
    TABLE.iter().filter(shown).map(|c| (c.name, c.help)).collect()
}

const TABLE: &[Command] = &[
    Command {
        name: "start",
        help: "What I am and how to begin",
        usage: "/start",
        details: "Says what I can do for you and what to try first.",
        who: Who::Member,
        places: Places::Both,
        run: |context, asked| Box::pin(talk::start(context, asked)),
    },
    Command {
        name: "help",
        help: "What I understand",
        usage: "/help [command]",
        details: "Lists the commands you may use. With a name, such as `/help new`, it explains \
        that one.",
        who: Who::Member,
        places: Places::Both,
        run: |_, asked| Box::pin(talk::help(TABLE, asked)),
    },
    Command {
        name: "new",
        help: "Start a new conversation",
        usage: "/new",
        details: "From now on I ignore what was said in this chat before. Nothing is deleted; \
        /forget does that.",
        who: Who::Member,
        places: Places::Both,
        run: |context, asked| Box::pin(talk::new(context, asked)),
    },
    Command {
        name: "fresh",
        help: "Ask the model itself, not what I answered before",
        usage: "/fresh QUESTION",
        details: "If I keep answers for a while, I give the same answer to the same question. With /fresh I ask the \
        model again, and keep its new answer.",
        who: Who::Member,
        places: Places::Both,
        run: |context, asked| Box::pin(talk::fresh(context, asked)),
    },
    Command {
        name: "sources",
        help: "Show what my last answer is based on",
        usage: "/sources",
        details: "Shows the passages of the documents that went into my last answer in this chat or topic: those it \
        cites, then others that I had found.",
        who: Who::Member,
        places: Places::Both,
        run: |context, asked| Box::pin(sources::sources(context, asked)),
    },
    Command {
        name: "cancel",
        help: "Stop the answer in progress",
        usage: "/cancel",
        details: "Stops the answer I am writing to you in this chat or topic, and your questions \
                  waiting behind it.",
        who: Who::Member,
        places: Places::Both,
        run: |context, asked| Box::pin(talk::cancel(context, asked)),
    },
    Command {
        name: "status",
        help: "How I am doing",
        usage: "/status",
        details: "How long I have been running, who writes my answers, and what is waiting.",
        who: Who::Member,
        places: Places::Both,
        run: |context, asked| Box::pin(report::status(context, asked)),
    },
    Command {
        name: "whoami",
        help: "What I know about you",
        usage: "/whoami",
        details: "Your Telegram id, your role, the id of this chat, and what I have stored.",
        who: Who::Member,
        places: Places::Both,
        run: |context, asked| Box::pin(privacy::whoami(context, asked)),
    },
    Command {
        name: "model",
        help: "Show or choose the model for this chat",
        usage: "/model [name|default]",
        details: "Without a name it shows which model answers here. With the name of one that \
                  is offered it uses that one from now on; `default` goes back to the configured one. In groups only an owner \
                  can change it.",
        who: Who::Member,
        places: Places::Both,
        run: |context, asked| Box::pin(model::model(context, asked)),
    },
    Command {
        name: "forget",
        help: "Delete what you have said to me",
        usage: "/forget [yes]",
        details: "Permanently deletes your questions and my answers, in all chats. I ask first; \
        `/forget yes` does it at once.",
        who: Who::Anyone,
        places: Places::Both,
        run: |context, asked| Box::pin(privacy::forget(context, asked)),
    },
    Command {
        name: "claim",
        help: "Become the owner of a new bot",
        usage: "/claim CODE",
        details: "The code is in the bot's log, at each start. It works once.",
        who: Who::Anyone,
        places: Places::Private,
        run: |context, asked| Box::pin(requests::claim(context, asked)),
    },
    Command {
        name: "usage",
        help: "What your answers used",
        usage: "/usage",
        details: "Tokens and money of your answers, today and this month in UTC, and what is left of \
                  your budget. In a group, also those of the group.",
        who: Who::Member,
        places: Places::Both,
        run: |context, asked| Box::pin(spending::usage(context, asked)),
    },
    Command {
        name: "costs",
        help: "What all answers cost",
        usage: "/costs",
        details: "Money and tokens of today and this month in UTC, by model, person and chat, and what \
                  is left of the budget.",
        who: Who::Owner,
        places: Places::Private,
        run: |context, asked| Box::pin(spending::costs(context, asked)),
    },
    Command {
        name: "users",
        help: "Who may chat, and who is waiting",
        usage: "/users",
        details: "Lists owners, members and people waiting, with buttons to approve them.",
        who: Who::Owner,
        places: Places::Private,
        run: |context, asked| Box::pin(people::users(context, asked)),
    },
    Command {
        name: "approve",
        help: "Let someone chat, or allow this group",
        usage: "/approve [CODE]",
        details: "With a pairing code: lets that person chat. In a group, without a code: I \
                  answer there from now on when someone mentions me or replies to me.",
        who: Who::Owner,
        places: Places::Both,
        run: |context, asked| Box::pin(requests::approve(context, asked)),
    },
    Command {
        name: "remove",
        help: "Revoke someone's access, or stop answering in this group",
        usage: "/remove [ID|@username]",
        details: "With an id or username (see /users): that person may no longer chat. In a \
                  group, without a name: I no longer answer there.",
        who: Who::Owner,
        places: Places::Both,
        run: |context, asked| Box::pin(people::remove(context, asked)),
    },
    Command {
        name: "pause",
        help: "Stop answering for a while",
        usage: "/pause",
        details: "Questions are kept, not lost. I answer them after /resume.",
        who: Who::Owner,
        places: Places::Both,
        run: |context, asked| Box::pin(pause::pause(context, asked)),
    },
    Command {
        name: "resume",
        help: "Answer again",
        usage: "/resume",
        details: "Ends a /pause; I answer the questions that arrived in the meantime, in order.",
        who: Who::Owner,
        places: Places::Both,
        run: |context, asked| Box::pin(pause::resume(context, asked)),
    },
    Command {
        name: "learn",
        help: "Answer from a document that you send",
        usage: "/learn",
        details: "Send a document with the caption /learn, or answer a message that holds one with /learn. I read it and \
        answer from it, in all chats. A document with the same name takes the place of the earlier one.",
        who: Who::Owner,
        places: Places::Private,
        run: |_, asked| Box::pin(learned::learn(asked)),
    },
    Command {
        name: "learned",
        help: "Documents that you sent",
        usage: "/learned",
        details: "Lists the documents that came by /learn, with buttons to remove them.",
        who: Who::Owner,
        places: Places::Private,
        run: |context, asked| Box::pin(learned::list(context, asked)),
    },
    Command {
        name: "unlearn",
        help: "Remove a document that you sent",
        usage: "/unlearn N|NAME",
        details: "I no longer answer from it, and its text is deleted. /learned shows the numbers.",
        who: Who::Owner,
        places: Places::Private,
        run: |context, asked| Box::pin(learned::unlearn(context, asked)),
    },
    Command {
        name: "stats",
        help: "Figures about my work",
        usage: "/stats",
        details: "Counts since the start, and totals of what is stored.",
        who: Who::Owner,
        places: Places::Both,
        run: |context, asked| Box::pin(report::stats(context, asked)),
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_help_are_what_telegram_accepts() {
        for command in table() {
            let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
            assert!(command.name.len() <= 32 && command.name.bytes().all(plain));
            assert!((1..=256).contains(&command.help.len()));
            assert!(command.usage.starts_with(&format!("/{}", command.name)));
            assert_eq!(table().iter().filter(|c| c.name == command.name).count(), 1);
        }
    }

    #[test]
    fn each_menu_shows_what_its_readers_may_use() {
        let names = |scope| published(scope).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        let private = names(Scope::Private);
        assert_eq!(
            private,
            [
                "start", "help", "new", "fresh", "sources", "cancel", "status", "whoami", "model",
                "forget", "usage"
            ]
        );
        assert!(names(Scope::Group).iter().all(|n| private.contains(n)));
        assert_eq!(names(Scope::Owner).len(), table().len() - 1);
    }
}
