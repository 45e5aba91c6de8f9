//! A secret that cannot be printed by accident: tokens and API keys.
//!
//! Invariant: no implementation of `Debug` or `Display` shows any part of the text, and there is
//! no `Serialize`. What needs the text says so with [`Secret::expose`].

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

/// Fewest characters of the tail before its end may be shown in a mask.
const MASKABLE_TAIL: usize = 20;

/// A token or an API key. The memory is wiped when the last copy is dropped.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Wraps a text that was read from a credential, a file or the environment.
    pub fn new(text: impl Into<String>) -> Self {
        Self(SecretString::from(text.into()))
    }

    /// The text itself, for the one call that sends it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Whether this has the form of a bot token.
    pub fn is_token(&self) -> bool {
        hygiene::secret::is_bot_token(self.expose())
    }

    /// The bot's user id, which Telegram writes before the colon of its token. `None` when this
    /// is not a bot token.
    pub fn bot_id(&self) -> Option<i64> {
        if !self.is_token() {
            return None;
        }
        self.expose().split_once(':').and_then(|(digits, _)| digits.parse().ok())
    }

    /// A bot token as logs may show it, such as `123…:…XYZ`: enough to tell two bots apart. Three
    /// characters at either end, fewer when the token is short; `***` when it is not a token.
    pub fn masked_token(&self) -> String {
        if !self.is_token() {
            return "***".to_owned();
        }
        let (digits, tail) = self.expose().split_once(':').unwrap_or_default();
        let head: String = digits.chars().take(3).collect();
        if tail.len() < MASKABLE_TAIL {
            return format!("{head}…:…");
        }
        format!("{head}…:…{}", &tail[tail.len() - 3..])
    }
}

/// Compares two secrets of ours; nothing that strangers send is ever compared with one.
impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "123456789:AAbbCCddEEffGGhhIIjjKKllMMnnOOppXYZ";

    #[test]
    fn a_token_is_digits_and_characters() {
        for good in [TOKEN, "42:abcdefgh", "1234567890:a_b-c_d-e"] {
            assert!(Secret::new(good).is_token(), "{good}");
        }
        for bad in ["", ":", "123", "12a:abcdefgh", "123:short", ":abcdefgh", "123:abcdefg h"] {
            assert!(!Secret::new(bad).is_token(), "{bad}");
        }
        assert!(!Secret::new("99999999999999999999:abcdefgh").is_token(), "no such user id");
    }

    #[test]
    fn the_mask_distinguishes_bots_and_shows_nothing_else() {
        assert_eq!(Secret::new(TOKEN).masked_token(), "123…:…XYZ");
        assert_eq!(Secret::new("42:abcdefgh").masked_token(), "42…:…");
        assert_eq!(Secret::new("sk-something-else").masked_token(), "***");
        assert_eq!(Secret::new(TOKEN).bot_id(), Some(123_456_789));
    }

    #[test]
    fn nothing_prints_it() {
        let secret = Secret::new(TOKEN);
        assert_eq!(
            format!("{secret} {secret:?} {:#?}", Some(secret.clone())),
            "*** *** Some(\n    ***,\n)"
        );
    }
}
