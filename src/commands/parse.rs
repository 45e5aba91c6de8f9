//! Distinguishes a command from a question.

/// A command in pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parsed<'a> {
    /// The word after the slash, as written.
    pub word: &'a str,
    /// What follows, trimmed; may span lines.
    pub args: &'a str,
    /// `None` without a name; otherwise whether the name is this bot's. `Some(false)` is a command
    /// for another bot: neither a command nor a question of ours.
    pub addressed: Option<bool>,
}

/// Longest command word (Bot API `BotCommand.command`).
const WORD: usize = 32;

/// Takes `/word@Name args` apart; `None` if the text is not a command, such as `/etc/passwd`.
pub fn is_command<'a>(text: &'a str, username: &str) -> Option<Parsed<'a>> {
    let rest = text.trim_start().strip_prefix('/')?;
    let (head, args) = match rest.find(char::is_whitespace) {
        Some(at) => (&rest[..at], rest[at..].trim()),
        None => (rest, ""),
    };
    let (word, name) = match head.split_once('@') {
        Some((word, name)) => (word, Some(name)),
        None => (head, None),
    };
    let plain = |s: &str| s.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if word.is_empty() || word.len() > WORD || !plain(word) || name.is_some_and(|n| !plain(n)) {
        return None;
    }
    let addressed = name.map(|n| n.eq_ignore_ascii_case(username));
    Some(Parsed { word, args, addressed })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_distinguished_from_questions() {
        let parse = |text| is_command(text, "KatanaBot").map(|p| (p.word, p.args, p.addressed));
        assert_eq!(parse("/help"), Some(("help", "", None)));
        assert_eq!(parse("  /Help  new "), Some(("Help", "new", None)));
        assert_eq!(parse("/help@katanabot new"), Some(("help", "new", Some(true))));
        assert_eq!(parse("/help@OtherBot"), Some(("help", "", Some(false))));
        assert_eq!(parse("/claim\nK7QM 2XWD"), Some(("claim", "K7QM 2XWD", None)));
        for question in ["help", "/", "/ help", "/etc/passwd", "//", "/@x", "/hälp", "1/2", ""] {
            assert_eq!(parse(question), None, "{question}");
        }
        assert_eq!(parse(&format!("/{}", "x".repeat(33))), None);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_safe(text in "\\PC*") {
            let _ = is_command(&text, "bot");
            let _ = is_command(&format!("/{text}"), "bot");
        }
    }
}
