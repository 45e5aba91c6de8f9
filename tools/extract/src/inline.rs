//! Headings without markup, and the anchors that renderers give them.

use std::collections::HashMap;

/// A heading of Markdown without its markup, and the anchor that it names itself (`{#name}`).
pub(crate) fn heading(source: &str) -> (String, Option<String>) {
    let source = source.trim();
    let named = source.strip_suffix('}').and_then(|rest| rest.rsplit_once("{#"));
    let (source, anchor) = match named {
        Some((text, id)) if !id.is_empty() && !id.contains(['{', '}']) => {
            let id = id.split_whitespace().next().unwrap_or_default();
            (text.trim_end(), Some(id.to_owned()))
        }
        _ => (source, None),
    };
    let (text, inner) = stripped(source);
    (text.split_whitespace().collect::<Vec<_>>().join(" "), anchor.or(inner))
}

/// Text without marks of emphasis and code, links as their text; and the `id` of a tag in it.
fn stripped(source: &str) -> (String, Option<String>) {
    let (mut text, mut anchor) = (String::new(), None);
    let mut rest = source;
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        match c {
            '\\' if after.starts_with(|c: char| c.is_ascii_punctuation()) => {
                text.push_str(&after[..1]);
                rest = &after[1..];
                continue;
            }
            '<' => {
                if let Some(end) = after.find('>').filter(|_| is_tag(after)) {
                    anchor = anchor.or_else(|| id_of(&after[..end]));
                    rest = &after[end + 1..];
                    continue;
                }
                text.push(c);
            }
            '*' | '`' => {}
            '_' => {
                let is_inside = text.ends_with(char::is_alphanumeric)
                    && after.starts_with(char::is_alphanumeric);
                if is_inside {
                    text.push('_');
                }
            }
            '!' if after.starts_with('[') => {}
            '[' => {
                if let Some((label, target_end)) = link(after) {
                    let (label, _) = stripped(label);
                    text.push_str(&label);
                    rest = &after[target_end..];
                    continue;
                }
                text.push(c);
            }
            c => text.push(c),
        }
        rest = after;
    }
    (text, anchor)
}

fn is_tag(after: &str) -> bool {
    after.trim_start_matches('/').starts_with(|c: char| c.is_ascii_alphabetic())
}

fn id_of(tag: &str) -> Option<String> {
    let named = ["id=", "name="].into_iter().find_map(|name| tag.split_once(name));
    let value = named?.1.trim_start_matches(['"', '\'']);
    let value = value.split(['"', '\'', ' ', '/']).next().filter(|value| !value.is_empty());
    value.map(str::to_owned)
}

/// The label of `label](target)` or `label][name]`, and where what follows begins. Labels have no brackets
/// in them, so that a line of brackets alone is read in one go.
fn link(after: &str) -> Option<(&str, usize)> {
    let close = after.find(['[', ']']).filter(|at| after[*at..].starts_with(']'))?;
    let target = &after[close + 1..];
    let end = match target.chars().next()? {
        '(' => target.find(')')?,
        '[' => target.find(']')?,
        _ => return None,
    };
    Some((&after[..close], close + 1 + end + 1))
}

/// The anchors of one document: GitHub's way, with a number for each repetition.
#[derive(Debug, Default)]
pub(crate) struct Anchors {
    seen: HashMap<String, usize>,
}

impl Anchors {
    /// The anchor of the next heading.
    pub(crate) fn of(&mut self, heading: &str) -> String {
        let mut slug = String::new();
        for c in heading.chars().flat_map(char::to_lowercase) {
            match c {
                ' ' | '-' => slug.push('-'),
                c if c.is_alphanumeric() || c == '_' || is_mark(c) => slug.push(c),
                _ => {}
            }
        }
        let count = self.seen.entry(slug.clone()).or_insert(0);
        *count += 1;
        if *count > 1 { format!("{slug}-{}", *count - 1) } else { slug }
    }
}

/// Vowel signs and accents, which belong to the letter before them; the ranges are coarse.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{591}'..='\u{5c7}' | '\u{64b}'..='\u{65f}'
        | '\u{900}'..='\u{dff}' | '\u{e31}'..='\u{e4e}' | '\u{eb1}'..='\u{ece}'
        | '\u{f18}'..='\u{fbc}' | '\u{102b}'..='\u{103e}' | '\u{17b4}'..='\u{17d3}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_lose_their_markup() {
        for (source, text, anchor) in [
            ("The `store.path` *key* **now**", "The store.path key now", None),
            ("snake_case and _emphasis_", "snake_case and emphasis", None),
            ("[Install](https://a.example/x) it", "Install it", None),
            ("![logo](a.png) Katana [1]", "logo Katana [1]", None),
            ("Custom {#own-id}", "Custom", Some("own-id")),
            ("<a name=\"here\"></a>There", "There", Some("here")),
            ("a < b and c > d, \\*literal\\*", "a < b and c > d, *literal*", None),
            ("{#}", "{#}", None),
        ] {
            assert_eq!(heading(source), (text.to_owned(), anchor.map(str::to_owned)), "{source}");
        }
    }

    #[test]
    fn anchors_are_those_of_github() {
        let mut anchors = Anchors::default();
        for (heading, anchor) in [
            ("How do I get a token?", "how-do-i-get-a-token"),
            ("How do I get a token?", "how-do-i-get-a-token-1"),
            ("store.path & more", "storepath--more"),
            ("Größe ändern", "größe-ändern"),
            ("退货期限", "退货期限"),
            ("snake_case", "snake_case"),
        ] {
            assert_eq!(anchors.of(heading), anchor);
        }
    }
}
