//! What is wrong with a configuration, said once and all together.
//!
//! Invariant: a problem never holds the value it is about, because any value may be a secret in
//! the wrong place. It names the key, where the value came from, and what would be right.

use std::fmt;
use std::path::PathBuf;

use hygiene::line::harmless;
use hygiene::redact::without_tokens;

/// One thing that is wrong (or, as a warning, unwise).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key, such as `telegram.token`, or the file when the file itself is the matter.
    pub key: String,
    /// What is wrong, in lower case.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

impl Problem {
    /// A problem with the key `key`.
    pub fn new(
        key: impl Into<String>,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self { key: key.into(), message: message.into(), hint: hint.into() }
    }

    /// Key, message, and file with line (from 1) apart. A problem with a file as a whole has no key.
    pub fn apart(&self) -> (Option<&str>, &str, Option<(PathBuf, u64)>) {
        let place = |text: &str| {
            let (file, line) = text.rsplit_once(':')?;
            Some((PathBuf::from(file), line.parse().ok()?)).filter(|_| file.starts_with('/'))
        };
        if self.key.contains('/') {
            let without_column = self.key.rsplit_once(':').and_then(|(start, _)| place(start));
            let whole = || (PathBuf::from(&self.key), 1);
            return (None, &self.message, Some(without_column.unwrap_or_else(whole)));
        }
        let inner = self.message.strip_suffix(')').and_then(|text| text.rsplit_once(" ("));
        match inner.and_then(|(message, text)| Some((message, place(text)?))) {
            Some((message, place)) => (Some(&self.key), message, Some(place)),
            None => (Some(&self.key), &self.message, None),
        }
    }
}

/// All problems of one configuration, in the order of the keys as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// Adds a problem.
    pub(super) fn push(
        &mut self,
        key: impl Into<String>,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.0.push(Problem::new(key, message, hint));
    }

    /// Whether there is a problem with this key already, so that checks which build on it are
    /// better left out.
    pub(super) fn about(&self, key: &str) -> bool {
        self.0.iter().any(|problem| problem.key == key)
    }

    /// The first problem, and how many more there are.
    pub fn in_one_line(&self) -> String {
        match self.0.as_slice() {
            [] => "the configuration cannot be read".to_owned(),
            [only] => format!("{}: {}", only.key, only.message),
            [first, more @ ..] => {
                format!("{}: {} (and {} more)", first.key, first.message, more.len())
            }
        }
    }

    /// One block for each problem: key and message, then the hint. `colour` adds ANSI colours.
    pub fn print(&self, colour: bool) -> String {
        print_all(&self.0, colour, "\x1b[1;31m")
    }
}

/// Warnings in the same form as [`Problems::print`].
pub fn print_warnings(warnings: &[Problem], colour: bool) -> String {
    print_all(warnings, colour, "\x1b[1;33m")
}

fn print_all(problems: &[Problem], colour: bool, tint: &str) -> String {
    let (tint, dim, off) = if colour { (tint, "\x1b[2m", "\x1b[0m") } else { ("", "", "") };
    problems
        .iter()
        .map(|Problem { key, message, hint }| {
            let shown = |text: &String| without_tokens(&harmless(text)).into_owned();
            let [key, message, hint] = [key, message, hint].map(shown);
            format!("{tint}{key}{off}: {message}\n  {dim}hint:{off} {hint}\n")
        })
        .collect()
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.print(false).trim_end())
    }
}

impl std::error::Error for Problems {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_for_each_problem() {
        let mut problems = Problems::default();
        problems.push("bot.access", "not a word of the list", "write closed or open");
        problems.push("log.level", "not a level", "write info");
        assert_eq!(
            problems.print(false),
            "bot.access: not a word of the list\n  hint: write closed or open\n\
             log.level: not a level\n  hint: write info\n"
        );
        assert!(problems.print(true).contains("\x1b[1;31mbot.access\x1b[0m:"));
        assert_eq!(problems.in_one_line(), "bot.access: not a word of the list (and 1 more)");
        assert!(problems.about("log.level") && !problems.about("log.format"));
    }

    #[test]
    fn a_problem_comes_apart() {
        let apart = |key: &str, message: &str| {
            let problem = Problem::new(key, message, "");
            let (key, message, place) = problem.apart();
            let place = place.map(|(file, line)| format!("{}:{line}", file.display()));
            format!("{key:?} {message} {place:?}")
        };
        assert_eq!(
            apart("a.b", "wrong (/x/y.toml:12)"),
            r#"Some("a.b") wrong Some("/x/y.toml:12")"#
        );
        assert_eq!(apart("a.b", "wrong (12:12)"), r#"Some("a.b") wrong (12:12) None"#);
        assert_eq!(apart("/x/y.toml:3:7", "no TOML"), r#"None no TOML Some("/x/y.toml:3")"#);
        assert_eq!(apart("/x/y.toml", "unreadable"), r#"None unreadable Some("/x/y.toml:1")"#);
    }
}
