//! What a mark claims: the words that its document must have.

use super::super::alike::{Claimed, Language, Material};
use super::marks::Mark;

/// A claim of fewer words is read together with what stands around it.
const ENOUGH: usize = 2;

/// What a mark belongs to, from the nearest words to the widest.
#[derive(Debug, Default)]
pub(super) struct Claim<'a> {
    /// What was asked, which says what a bare "Yes" means.
    question: &'a str,
    levels: Vec<String>,
}

impl Claim<'_> {
    /// Whether a document has what is claimed.
    pub(super) fn holds(&self, document: &Material, answer: Option<Language>) -> bool {
        let claimed = |text: &str| Claimed::of(text, answer);
        let mut levels = self.levels.iter().map(|level| claimed(level));
        let enough = levels.find(|claimed| claimed.size() >= ENOUGH);
        let said = self.levels.get(1).map_or("", String::as_str);
        let enough = enough.unwrap_or_else(|| claimed(&format!("{said} {}", self.question)));
        enough.stands_in(document)
    }
}

/// The claim of each mark.
pub(super) fn claims<'a>(
    question: &'a str,
    before: &str,
    text: &str,
    marks: &[Mark],
) -> Vec<Claim<'a>> {
    let (whole, shift) = (format!("{before}{text}"), before.len());
    let mut claims: Vec<Claim<'a>> = Vec::with_capacity(marks.len());
    let mut last = 0;
    for (place, mark) in marks.iter().enumerate() {
        let (start, end) = (mark.range.start + shift, mark.range.end + shift);
        // Marks side by side belong to the same words.
        let is_beside = place > 0 && !whole[last..start].contains(char::is_alphanumeric);
        let levels = match claims.last().filter(|_| is_beside) {
            Some(beside) => beside.levels.clone(),
            None => levels(&whole, last, start, end),
        };
        claims.push(Claim { question, levels });
        last = end;
    }
    claims
}

/// `last`: where the mark before it ended.
fn levels(whole: &str, last: usize, start: usize, end: usize) -> Vec<String> {
    let line = whole[..start].rfind('\n').map_or(0, |at| at + 1);
    let sentence = sentence(&whole[line..start]) + line;
    let after = sentence_end(&whole[end..]) + end;
    let above = whole[..line].trim_end();
    let paragraph = above.rfind("\n\n").map_or(0, |at| at + 2);
    let near = &whole[sentence.max(last.min(start))..start];
    [
        near.to_owned(),
        whole[sentence..start].to_owned(),
        format!("{} {}", &whole[sentence..start], &whole[end..after]),
        format!("{} {}", &whole[paragraph..above.len()], &whole[sentence..start]),
    ]
    .into()
}

/// Where the sentence begins that a text ends with; the last one where the text ends with a full stop.
fn sentence(text: &str) -> usize {
    let ended = text.trim_end_matches(|c: char| !c.is_alphanumeric());
    let mut begins = 0;
    let mut chars = ended.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let is_end = match c {
            '.' | '!' | '?' | ';' => chars.peek().is_some_and(|(_, next)| {
                next.is_whitespace() || matches!(next, ')' | '"' | '*' | '[')
            }),
            '。' | '！' | '？' => true,
            _ => false,
        };
        if is_end {
            begins = at + c.len_utf8();
        }
    }
    begins
}

/// Where the sentence ends that a text begins with.
fn sentence_end(text: &str) -> usize {
    let line = text.find('\n').unwrap_or(text.len());
    let words = text[..line].find(char::is_alphanumeric).unwrap_or(line);
    let end = text[words..line].find(['.', '!', '?', '。', '！', '？', '[']).map(|at| at + words);
    end.unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::super::marks::marks;
    use super::*;

    fn nearest(text: &str) -> Vec<String> {
        let nearest = |claim: Claim<'_>| claim.levels[0].trim().to_owned();
        claims("", "", text, &marks("", text)).into_iter().map(nearest).collect()
    }

    #[test]
    fn a_mark_belongs_to_its_sentence_or_to_its_part_of_it() {
        for (text, claims) in [
            ("It is old. It is red [1].", vec!["It is red"]),
            ("It is old. It is red. [1]", vec!["It is red."]),
            ("It is red [1] and tall [2].", vec!["It is red", "and tall"]),
            ("It is red [1][2].", vec!["It is red", "It is red"]),
            ("- It is red [1]\n- It is tall [2]", vec!["- It is red", "- It is tall"]),
            ("Version 1.5 is old [1]", vec!["Version 1.5 is old"]),
            ("赤い。高い[1]。", vec!["高い"]),
        ] {
            assert_eq!(nearest(text), claims, "{text}");
        }
    }

    #[test]
    fn where_too_little_stands_before_a_mark_the_words_around_it_count() {
        let text = "It is red.\n\n[1] says that it was tall. It is not.";
        let claims = claims("", "", text, &marks("", text));
        let levels: Vec<&str> = claims[0].levels.iter().map(|level| level.trim()).collect();
        assert_eq!(levels, ["", "", "says that it was tall", "It is red."]);
        let goes_on = super::claims("", "It is re", "d [1].", &marks("", "d [1]."));
        assert_eq!(goes_on[0].levels[0].trim(), "It is red");
    }
}
