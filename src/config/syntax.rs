//! What is wrong with a text that is not TOML, as far as it can be said without repeating it.
//!
//! The mistake that people make most is a table or a key that stands twice; the parser names the
//! second place only.

/// Longest name of a key or a table that is repeated, in characters; ours are shorter.
const NAME_CHARS: usize = 40;

/// What to say about the line, counted from 1, which the parser refused for this reason: message and
/// hint.
pub(super) fn explained(text: &str, line: usize, reason: &str) -> (String, String) {
    let hint = "look there for a missing quote, bracket or equals sign; texts stand in \"quotes\"";
    let plain = ("cannot read this line as TOML".to_owned(), hint.to_owned());
    if !reason.contains("duplicate") {
        return plain;
    }
    let lines: Vec<&str> = text.lines().collect();
    let Some(second) = lines.get(line - 1).and_then(|line| Head::of(line)) else { return plain };
    // A key belongs to the table above it; a table may stand anywhere before.
    let before = lines.iter().take(line - 1).enumerate().rev();
    let first = match &second {
        Head::Key(_) => before
            .take_while(|(_, line)| !line.trim_start().starts_with('['))
            .find(|(_, line)| Head::of(line).as_ref() == Some(&second)),
        Head::Table(_) => before
            .filter(|(_, line)| line.trim_start().starts_with('['))
            .find(|(_, line)| Head::of(line).as_ref() == Some(&second)),
    };
    let Some((first, _)) = first else {
        let message = "a key or a table is here for the second time";
        return (message.to_owned(), "remove one of the two".to_owned());
    };
    let first = first + 1;
    match second {
        Head::Table(name) => (
            format!(
                "{} begins here for the second time; it begins in line {first}",
                shown(&name, "[", "]")
            ),
            format!(
                "move the keys below line {line} to the others below line {first}, and remove line {line}"
            ),
        ),
        Head::Key(name) => (
            format!(
                "{} is set here for the second time; it is set in line {first}",
                shown(&name, "", "")
            ),
            format!("remove line {first} or line {line}"),
        ),
    }
}

/// What a line begins.
#[derive(Debug, PartialEq, Eq)]
enum Head {
    Table(String),
    Key(String),
}

impl Head {
    fn of(line: &str) -> Option<Self> {
        let without_blanks = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect();
        let line = line.trim();
        if let Some(rest) = line.strip_prefix('[') {
            return Some(Self::Table(without_blanks(rest.split_once(']')?.0)));
        }
        Some(Self::Key(without_blanks(line.split_once('=')?.0)))
    }
}

/// A name, unless it may be a pasted secret.
fn shown(name: &str, before: &str, after: &str) -> String {
    let plain = |b: u8| b.is_ascii_lowercase() || b == b'_' || b == b'.';
    match name.bytes().all(plain) && name.len() <= NAME_CHARS && !name.is_empty() {
        true => format!("{before}{name}{after}"),
        false => "what is here".to_owned(),
    }
}
