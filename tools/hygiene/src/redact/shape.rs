//! Secrets that are known by their shape alone, for errors about words that someone wrote.

use std::borrow::Cow;

use super::MARK;

/// Fewest characters behind the colon of a bot token, or behind the prefix of a key.
const FEWEST: usize = 20;

/// What keys of model servers begin with.
const PREFIXES: [&str; 2] = ["sk-", "AIza"];

/// The text with [`MARK`] in place of what has the shape of a bot token or of a model server's key.
pub fn without_tokens(text: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut kept = 0;
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        match token(&text[..at], &text[at..]) {
            Some(length) => {
                out.push_str(&text[kept..at]);
                out.push_str(MARK);
                at += length;
                kept = at;
            }
            None => at += c.len_utf8(),
        }
    }
    if kept == 0 { Cow::Borrowed(text) } else { Cow::Owned(out + &text[kept..]) }
}

/// How long the secret is that the text begins with. All of its characters are ASCII.
fn token(before: &str, text: &str) -> Option<usize> {
    let bot = || {
        // Each digit is counted once: the text can be long.
        let inside = before.ends_with(|c: char| c.is_ascii_digit());
        let digits = if inside { 0 } else { text.bytes().take_while(u8::is_ascii_digit).count() };
        (digits >= 5 && text[digits..].starts_with(':')).then_some(digits + 1)
    };
    let key = || {
        let prefix = PREFIXES.iter().find(|prefix| text.starts_with(**prefix))?;
        (!before.ends_with(is_of_key)).then_some(prefix.len())
    };
    let start = bot().or_else(key)?;
    let rest = text[start..].chars().take_while(|c| is_of_key(*c)).count();
    (rest >= FEWEST).then_some(start + rest)
}

fn is_of_key(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_and_keys_go_and_everything_else_stays() {
        let token = "123456789:AAbbCCddEEffGGhhIIjjKKllMMnnOOppXYZ";
        for (text, wanted) in [
            (format!("cannot read {token}: gone"), "cannot read [secret]: gone"),
            (format!("\"./{token}\" ä"), "\"./[secret]\" ä"),
            (format!("bot{token}"), "bot[secret]"),
            ("key sk-ant-api03-aB3_xY9-zzKq81LmNoPqRs7".to_owned(), "key [secret]"),
            ("at 12:30:45, /run/katana-bot@x".to_owned(), "at 12:30:45, /run/katana-bot@x"),
            ("risk-of-something-that-is-long".to_owned(), "risk-of-something-that-is-long"),
            (
                "http://127.0.0.1:65535/a-long-path-of-a-server".to_owned(),
                "http://127.0.0.1:65535/a-long-path-of-a-server",
            ),
        ] {
            assert_eq!(without_tokens(&text), wanted, "{text}");
        }
    }
}
