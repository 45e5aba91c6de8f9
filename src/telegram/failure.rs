//! What can go wrong between Katana and the Bot API, and what it means.

use std::time::Duration;

use hygiene::Redactor;
use hygiene::line::one_line;
use serde::Deserialize;

use crate::model::class::{FailureClass, TelegramClass};
use crate::model::failure::{Blame, Classify, RetryPolicy};
use crate::model::ids::ChatId;
use crate::model::limits;

/// A failed call of the Bot API. Holds no token, no URL and no user's text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TelegramError {
    /// The request surely never left: connect, DNS or TLS failed.
    #[error("cannot reach the Bot API: {0}")]
    NotSent(String),
    /// The request may have taken effect: there was no answer in time.
    #[error("no usable answer from the Bot API: no answer in time")]
    Late,
    /// The request may have taken effect: the answer was cut, or not one of the Bot API.
    #[error("no usable answer from the Bot API: {0}")]
    Unknown(String),
    /// Telegram did it, but its answer cannot be read.
    #[error("the Bot API accepted the call, but its answer cannot be read")]
    Undecodable,
    /// Telegram refused.
    #[error("the Bot API refused: {code} {description}")]
    Refused {
        /// HTTP status and `error_code`.
        code: u16,
        /// Telegram's words.
        description: String,
        /// `ResponseParameters.retry_after`.
        retry_after: Option<Duration>,
        /// `ResponseParameters.migrate_to_chat_id`.
        moved_to: Option<ChatId>,
    },
}

/// Who else wants the updates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conflict {
    /// A webhook is set for the bot.
    Webhook,
    /// Another process polls with the same token.
    OtherPoller,
}

/// Characters of a server's words that are looked at, and that are kept.
const READ_CHARS: usize = 4000;
const WORDS_CHARS: usize = 300;

impl TelegramError {
    /// A 409's cause.
    pub fn conflict(&self) -> Option<Conflict> {
        match self {
            Self::Refused { code: 409, description, .. } => {
                Some(if description.contains("webhook") {
                    Conflict::Webhook
                } else {
                    Conflict::OtherPoller
                })
            }
            _ => None,
        }
    }

    /// Whether the token is invalid: revoked (401) or not of Telegram's form (404).
    pub fn token_refused(&self) -> bool {
        match self {
            Self::Refused { code: 401, .. } => true,
            // "Not Found" without more words is the answer to a malformed token or an unknown
            // method; chats and messages that are missing are a 400.
            Self::Refused { code: 404, .. } => true,
            _ => false,
        }
    }

    /// Whether the topic that a message was for does not exist any more.
    pub fn thread_gone(&self) -> bool {
        let gone = ["message thread not found", "topic_deleted", "topic_id_invalid"];
        match self {
            Self::Refused { code: 400, description, .. } => {
                let description = description.to_ascii_lowercase();
                gone.iter().any(|words| description.contains(words))
            }
            _ => false,
        }
    }

    /// Whether the server does not know the method (an older or other server).
    pub fn method_unknown(&self) -> bool {
        matches!(self, Self::Refused { code: 404, .. })
    }

    /// Whether it is in doubt if the call took effect.
    pub fn in_doubt(&self) -> bool {
        matches!(self, Self::Late | Self::Unknown(_))
    }

    /// The group's new id, when it became a supergroup.
    pub fn moved_to(&self) -> Option<ChatId> {
        match self {
            Self::Refused { moved_to, .. } => *moved_to,
            _ => None,
        }
    }

    /// Telegram's words, where it had some.
    pub fn description(&self) -> &str {
        match self {
            Self::Refused { description, .. } => description,
            _ => "",
        }
    }

    /// The same on one bounded line, without secrets.
    pub(super) fn redacted(mut self, redactor: &Redactor) -> Self {
        if let Self::NotSent(words)
        | Self::Unknown(words)
        | Self::Refused { description: words, .. } = &mut self
        {
            let clean = redactor.clean(one_line(words, READ_CHARS));
            *words = one_line(&clean, WORDS_CHARS);
        }
        self
    }

    /// Makes sense of an answer without the result that was asked for. Its words are foreign: see
    /// [`TelegramError::redacted`].
    pub(super) fn from_answer(status: u16, body: &[u8]) -> Self {
        #[derive(Deserialize)]
        struct Answer {
            ok: bool,
            error_code: Option<i64>,
            description: Option<String>,
            parameters: Option<Parameters>,
        }
        #[derive(Deserialize)]
        struct Parameters {
            retry_after: Option<f64>,
            migrate_to_chat_id: Option<i64>,
        }
        match serde_json::from_slice::<Answer>(body) {
            Ok(a) if a.ok => Self::Undecodable,
            Ok(a) => Self::Refused {
                code: a.error_code.and_then(|c| u16::try_from(c).ok()).unwrap_or(0),
                description: a.description.unwrap_or_default(),
                retry_after: a
                    .parameters
                    .as_ref()
                    .and_then(|p| p.retry_after)
                    .map(|s| Duration::from_secs_f64(s.clamp(0.0, 86_400.0))),
                moved_to: a.parameters.and_then(|p| p.migrate_to_chat_id).map(ChatId),
            },
            Err(_) => {
                let size = body.len();
                Self::Unknown(format!("HTTP {status}, {size} bytes that are not a Bot API answer"))
            }
        }
    }
}

impl Classify for TelegramError {
    fn retry_policy(&self) -> RetryPolicy {
        match self {
            Self::NotSent(_) | Self::Late | Self::Unknown(_) => RetryPolicy::Backoff,
            Self::Undecodable => RetryPolicy::Never,
            Self::Refused { code: 429, retry_after, .. } => retry_after
                .map_or(RetryPolicy::Backoff, |wait| {
                    RetryPolicy::After(wait.max(limits::RATE_LIMIT_PAUSE_MIN))
                }),
            // A refused token has to be changed by hand; what waits can be sent after that.
            Self::Refused { code: 401 | 404, .. } => {
                RetryPolicy::After(limits::TOKEN_REFUSED_PAUSE)
            }
            Self::Refused { code: 408 | 409, .. } => RetryPolicy::Backoff,
            Self::Refused { code, .. } if *code >= 500 || *code == 0 => RetryPolicy::Backoff,
            Self::Refused { .. } => RetryPolicy::Never,
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::NotSent(_) => Blame::Network,
            Self::Late | Self::Unknown(_) | Self::Undecodable => Blame::Telegram,
            _ if self.of_chat().is_some() => Blame::User,
            Self::Refused { code, .. } if *code >= 500 => Blame::Telegram,
            Self::Refused { .. } => Blame::Us,
        }
    }

    fn class(&self) -> FailureClass {
        self.telegram_class().into()
    }
}

impl TelegramError {
    /// Its class, to be matched.
    pub fn telegram_class(&self) -> TelegramClass {
        match self {
            Self::NotSent(_) => TelegramClass::Connect,
            Self::Late => TelegramClass::Timeout,
            Self::Unknown(_) => TelegramClass::Cut,
            Self::Undecodable => TelegramClass::Undecodable,
            Self::Refused { code, .. } => match code {
                400 => TelegramClass::BadRequest,
                401 => TelegramClass::Unauthorized,
                403 => TelegramClass::Forbidden,
                404 => TelegramClass::NotFound,
                409 => TelegramClass::Conflict,
                429 => TelegramClass::RateLimited,
                500.. => TelegramClass::Server,
                _ => TelegramClass::Refused,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retry_after_beyond_sixteen_bits_is_still_a_429() {
        let body = r#"{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 86400","parameters":{"retry_after":86400}}"#;
        let e = TelegramError::from_answer(200, body.as_bytes());
        assert_eq!(e.class(), TelegramClass::RateLimited.into());
        assert_eq!(e.retry_policy(), RetryPolicy::After(Duration::from_secs(86_400)));
    }

    #[test]
    fn bodies_that_are_not_an_answer_are_in_doubt() {
        for body in ["", "<html>502 Bad Gateway</html>", "[1]", "{\"ok\":"] {
            assert!(TelegramError::from_answer(200, body.as_bytes()).in_doubt(), "{body:?}");
        }
        assert_eq!(
            TelegramError::from_answer(200, br#"{"ok":true,"result":{"strange":1}}"#),
            TelegramError::Undecodable
        );
    }

    #[test]
    fn conflicts_are_distinguished() {
        let say = |words: &str| TelegramError::Refused {
            code: 409,
            description: words.into(),
            retry_after: None,
            moved_to: None,
        };
        let webhook = "Conflict: can't use getUpdates method while webhook is active";
        assert_eq!(say(webhook).conflict(), Some(Conflict::Webhook));
        let other = "Conflict: terminated by other getUpdates request";
        assert_eq!(say(other).conflict(), Some(Conflict::OtherPoller));
    }
}
