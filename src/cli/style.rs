//! How results look: marks, colours, columns; and how they are printed.
//!
//! Colours are used only on a terminal, unless the user disabled them; signs beyond ASCII only if
//! the locale is UTF-8 (locale(7)).

use std::io::{IsTerminal, Write};

use hygiene::redact::without_tokens;

/// How good something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mark {
    /// Not looked at.
    Skipped,
    /// As it should be.
    Good,
    /// Worth knowing.
    Note,
    /// Someone must act.
    Bad,
}

impl Mark {
    /// The word in JSON.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Skipped => "skipped",
            Self::Good => "ok",
            Self::Note => "warning",
            Self::Bad => "bad",
        }
    }
}

/// What the reader's terminal can show.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    colour: bool,
    signs: bool,
}

impl Style {
    /// For text written to this stream.
    pub(super) fn of(stream: &impl IsTerminal) -> Self {
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
            .into_iter()
            .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
        Self { colour: is_colourful(stream), signs: locale.is_some_and(|name| is_utf8(&name)) }
    }

    /// A sign for it, one column wide.
    pub(super) fn sign(self, mark: Mark) -> String {
        let (tint, sign, plain) = match mark {
            Mark::Skipped => ("\x1b[2m", "-", "-"),
            Mark::Good => ("\x1b[32m", "✓", "+"),
            Mark::Note => ("\x1b[1;33m", "!", "!"),
            Mark::Bad => ("\x1b[1;31m", "✗", "x"),
        };
        self.tinted(tint, if self.signs { sign } else { plain })
    }

    /// Text in the colour of a mark.
    pub(super) fn coloured(self, mark: Mark, text: &str) -> String {
        match mark {
            Mark::Skipped => self.faint(text),
            Mark::Good => self.tinted("\x1b[1;32m", text),
            Mark::Note => self.tinted("\x1b[1;33m", text),
            Mark::Bad => self.tinted("\x1b[1;31m", text),
        }
    }

    /// Text that matters less.
    pub(super) fn faint(self, text: &str) -> String {
        self.tinted("\x1b[2m", text)
    }

    fn tinted(self, tint: &str, text: &str) -> String {
        if self.colour { format!("{tint}{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Colours are for terminals that have them, and whose user has not declined them (no-color.org).
pub(super) fn is_colourful(stream: &impl IsTerminal) -> bool {
    stream.is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
        && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Prints to standard output; a closed pipe is not our error. A token that someone gave as an argument,
/// such as the name of a file, is not repeated.
pub(super) fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(without_tokens(text).as_bytes());
    let _ = out.flush();
}

/// Prints a value for programs, in one line; a terminal is safe from what names in it hold.
pub(super) fn say_json(value: &serde_json::Value) {
    say(&format!("{}\n", hygiene::line::harmless_json(&value.to_string())));
}

fn is_utf8(locale: &str) -> bool {
    let locale = locale.to_ascii_lowercase();
    locale.ends_with("utf-8") || locale.ends_with("utf8")
}

/// Names and values in two columns.
pub(super) fn columns(rows: &[(String, String)]) -> String {
    let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    rows.iter().map(|(name, value)| format!("  {name:<width$}  {value}\n")).collect()
}

/// Foreign text, made safe for one line on a terminal.
pub(super) fn visible(text: &str) -> String {
    hygiene::line::one_line(text, 400)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_need_a_utf8_locale() {
        for (locale, wanted) in
            [("C.UTF-8", true), ("de_DE.utf8", true), ("C", false), ("POSIX", false)]
        {
            assert_eq!(is_utf8(locale), wanted, "{locale}");
        }
        let plain = Style { colour: false, signs: false };
        assert_eq!([plain.sign(Mark::Good), plain.sign(Mark::Bad)], ["+", "x"]);
        let rich = Style { colour: true, signs: true };
        assert_eq!(rich.sign(Mark::Bad), "\x1b[1;31m✗\x1b[0m");
    }

    #[test]
    fn columns_are_aligned_by_characters() {
        let rows = [("ä".to_owned(), "1".to_owned()), ("long".to_owned(), "2".to_owned())];
        assert_eq!(columns(&rows), "  ä     1\n  long  2\n");
    }
}
