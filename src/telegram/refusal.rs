//! Whose matter a refusal of a message is: one chat's, whose people decide who may write there, or the bot's.
//!
//! Invariant: what is not in the table is the bot's own fault, and is reported to the operator.

use super::failure::TelegramError;
use crate::model::class::ChatRefusal;

/// Words of Telegram's refusals that are one chat's matter, in lower case, and what they mean. All others are
/// the bot's fault. `docs/conversations.md` has the same table.
const OF_CHAT: &[(&str, ChatRefusal)] = &[
    ("bot was blocked by the user", ChatRefusal::Gone),
    ("user_is_blocked", ChatRefusal::Gone),
    ("user is deactivated", ChatRefusal::Gone),
    ("input_user_deactivated", ChatRefusal::Gone),
    ("bot can't initiate conversation with a user", ChatRefusal::Gone),
    ("bot can't send messages to bots", ChatRefusal::Gone),
    ("bot was kicked from", ChatRefusal::Gone),
    ("bot is not a member of", ChatRefusal::Gone),
    ("group chat was deactivated", ChatRefusal::Gone),
    ("chat not found", ChatRefusal::Gone),
    ("peer_id_invalid", ChatRefusal::Gone),
    ("channel_private", ChatRefusal::Gone),
    ("chat_write_forbidden", ChatRefusal::NoRight),
    ("not enough rights", ChatRefusal::NoRight),
    ("have no rights to send", ChatRefusal::NoRight),
    ("have no write access to the chat", ChatRefusal::NoRight),
    ("need administrator rights", ChatRefusal::NoRight),
    ("chat_admin_required", ChatRefusal::NoRight),
    ("chat_restricted", ChatRefusal::NoRight),
    ("chat_send_plain_forbidden", ChatRefusal::NoRight),
    ("chat_guest_send_forbidden", ChatRefusal::NoRight),
    ("user_banned_in_channel", ChatRefusal::NoRight),
    ("privacy_premium_required", ChatRefusal::NoRight),
    ("allow_payment_required", ChatRefusal::NoRight),
    ("topic_closed", ChatRefusal::TopicClosed),
];

impl TelegramError {
    /// Why a chat does not take the message, when that is a matter of this chat alone.
    pub fn of_chat(&self) -> Option<ChatRefusal> {
        let Self::Refused { code: code @ (400 | 403), description, .. } = self else { return None };
        let description = description.to_ascii_lowercase();
        let known = OF_CHAT.iter().find(|(words, _)| description.contains(words));
        // Telegram refuses with 403 only what a chat or person does not want.
        known.map(|(_, refusal)| *refusal).or((*code == 403).then_some(ChatRefusal::Gone))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: u16, description: &str) -> TelegramError {
        let description = description.into();
        TelegramError::Refused { code, description, retry_after: None, moved_to: None }
    }

    #[test]
    fn whose_matter_a_refusal_is() {
        use ChatRefusal::{Gone, NoRight, TopicClosed};
        for (code, words, expected) in [
            (403, "Forbidden: bot was blocked by the user", Some(Gone)),
            (403, "Forbidden: something new", Some(Gone)),
            (400, "Bad Request: chat not found", Some(Gone)),
            (400, "Bad Request: CHAT_WRITE_FORBIDDEN", Some(NoRight)),
            (403, "Forbidden: CHAT_WRITE_FORBIDDEN", Some(NoRight)),
            (400, "Bad Request: have no rights to send a message", Some(NoRight)),
            (
                400,
                "Bad Request: not enough rights to send text messages to the chat",
                Some(NoRight),
            ),
            (400, "Bad Request: have no write access to the chat", Some(NoRight)),
            (400, "Bad Request: TOPIC_CLOSED", Some(TopicClosed)),
            (400, "Bad Request: can't parse entities", None),
            (400, "Bad Request: message is too long", None),
            (404, "Not Found", None),
            (429, "Too Many Requests: retry after 5", None),
            (500, "Internal Server Error: chat not found", None),
        ] {
            assert_eq!(refused(code, words).of_chat(), expected, "{code} {words}");
        }
        assert_eq!(TelegramError::Late.of_chat(), None);
    }

    #[test]
    fn the_page_has_the_same_table() {
        let page = include_str!("../../docs/conversations.md");
        let (_, section) = page.split_once("\n## When a chat refuses\n").expect("the section");
        for (words, refusal) in OF_CHAT {
            let row =
                section.lines().find(|l| l.starts_with(&format!("| `{}` |", refusal.as_str())));
            let row = row.unwrap_or_else(|| panic!("no row for {}", refusal.as_str()));
            assert!(row.to_ascii_lowercase().contains(&format!("`{words}`")), "{words}: {row}");
        }
    }
}
