//! Who may do what: roles of people, and one-time codes.

/// What a person is to this bot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Not known, or known and waiting for approval.
    Stranger,
    /// May chat.
    Member,
    /// May also approve people, pause the bot and read its figures.
    Owner,
}

impl Role {
    /// The word used in the database, in `users list` and in chats.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stranger => "stranger",
            Self::Member => "member",
            Self::Owner => "owner",
        }
    }
}

/// Letters and digits that are not confused when a code is read aloud: no 0, O, 1, I, L, U.
const CODE_ALPHABET: &[u8] = b"23456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Characters of a code: 30^8 possibilities, out of reach of guessing at chat speed.
pub const CODE_LEN: usize = 8;

/// Turns random bytes into a code such as `K7QM-2XWD`.
pub fn code_from(random: [u8; CODE_LEN]) -> String {
    let mut code = String::with_capacity(CODE_LEN + 1);
    for (i, byte) in random.iter().enumerate() {
        if i == CODE_LEN / 2 {
            code.push('-');
        }
        code.push(char::from(CODE_ALPHABET[usize::from(*byte) % CODE_ALPHABET.len()]));
    }
    code
}

/// A typed code, in the form it is stored: upper case, one dash in the middle. `None` when it
/// cannot be a code.
pub fn normalise_code(typed: &str) -> Option<String> {
    let bare: String =
        typed.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect();
    let known = bare.bytes().all(|b| CODE_ALPHABET.contains(&b));
    (known && bare.len() == CODE_LEN)
        .then(|| format!("{}-{}", &bare[..CODE_LEN / 2], &bare[CODE_LEN / 2..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_survives_being_typed_badly() {
        let code = code_from([0, 1, 2, 3, 29, 30, 31, 255]);
        assert_eq!(normalise_code(&code).as_deref(), Some(code.as_str()));
        assert_eq!(normalise_code(&code.to_lowercase().replace('-', " ")), Some(code));
        assert_eq!(normalise_code("short"), None);
        assert_eq!(normalise_code("OOOO-1111"), None);
    }
}
