//! Patterns for paths: `*` and `?` within a name, `**` across folders.
//!
//! Invariant: a pattern takes time that grows with the path and the pattern, never exponentially.

/// A pattern. One without a slash is about the name of a file, wherever it lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Glob {
    parts: Vec<String>,
}

impl Glob {
    pub(super) fn new(pattern: &str) -> Self {
        let pattern = pattern.strip_prefix("./").unwrap_or(pattern);
        let mut parts: Vec<String> =
            pattern.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect();
        if !pattern.contains('/') && !pattern.is_empty() {
            parts.insert(0, "**".to_owned());
        }
        // A folder stands for all that is in it.
        if pattern.ends_with('/') {
            parts.push("**".to_owned());
        }
        Self { parts }
    }

    /// Whether a path fits.
    pub(super) fn fits(&self, path: &str) -> bool {
        let names: Vec<&str> = path.split('/').collect();
        let is_any = |part: &String| part == "**";
        matches(&self.parts, &names, is_any, |part, name| {
            let (part, name): (Vec<char>, Vec<char>) =
                (part.chars().collect(), name.chars().collect());
            matches(&part, &name, |c| *c == '*', |c, other| *c == '?' || c == other)
        })
    }
}

/// Whether `pattern` fits all of `text`, where some of its members stand for any number of members.
fn matches<P, T>(
    pattern: &[P],
    text: &[T],
    is_any: impl Fn(&P) -> bool,
    is_like: impl Fn(&P, &T) -> bool,
) -> bool {
    let (mut at, mut reached) = (0, 0);
    // Where to go on after the latest member that stands for any number.
    let mut again = None;
    while reached < text.len() {
        match pattern.get(at) {
            Some(part) if is_any(part) => {
                again = Some((at + 1, reached + 1));
                at += 1;
            }
            Some(part) if is_like(part, &text[reached]) => {
                at += 1;
                reached += 1;
            }
            _ => match again {
                Some((part, from)) => {
                    (at, reached) = (part, from);
                    again = Some((part, from + 1));
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(is_any)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_as_people_expect() {
        for (pattern, path, fits) in [
            ("*.md", "a.md", true),
            ("*.md", "deep/er/a.md", true),
            ("*.md", "a.mdx", false),
            ("guide/*.md", "guide/a.md", true),
            ("guide/*.md", "guide/deep/a.md", false),
            ("guide/**", "guide/deep/a.md", true),
            ("guide/", "guide/deep/a.md", true),
            ("./guide/a.md", "guide/a.md", true),
            ("**/old/*", "x/y/old/a.md", true),
            ("**/old/*", "old/a.md", true),
            ("a/**/z", "a/z", true),
            ("a/**/z", "a/b/c/z", true),
            ("a/**/z", "a/b/c", false),
            ("ch?pter-*", "chäpter-1.txt", true),
            ("*", "anything", true),
            ("", "a.md", false),
        ] {
            assert_eq!(Glob::new(pattern).fits(path), fits, "{pattern} {path}");
        }
        let slow = "*a".repeat(40);
        assert!(!Glob::new(&slow).fits(&"a".repeat(39)));
    }
}
