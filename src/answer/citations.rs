//! The marks in an answer that name documents are checked before people see them.
//!
//! Invariants: a mark that stays names a document that was given along, and that document has what is quoted, the numbers,
//! and most of the words of the sentence that the mark belongs to; any other mark is removed. Nothing else of an answer
//! is changed. The numbers that people see are ours, in the order of the text.

mod claim;
mod marks;

use std::cell::OnceCell;

use super::alike::{Language, Material};
use crate::model::cited::KeptPassage;
use crate::model::conversation::Passage;

/// What an answer was written from, and what it goes on with.
pub(super) struct Given<'a> {
    /// What was asked.
    pub(super) question: &'a str,
    /// What stands before the text in the same answer.
    pub(super) before: &'a str,
    /// The documents, in the order of their numbers.
    pub(super) passages: &'a [Passage],
    /// What the same answer cited before.
    pub(super) cited: &'a [KeptPassage],
}

/// An answer whose marks are true.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Checked {
    pub(super) text: String,
    /// What its marks name, in the order of their numbers; what was cited before comes first.
    pub(super) cited: Vec<KeptPassage>,
    /// The numbers that this text has.
    pub(super) named: Vec<u32>,
    /// Marks that stayed.
    pub(super) kept: u64,
    /// Marks that were removed.
    pub(super) removed: u64,
}

/// Checks the marks of an answer.
pub(super) fn checked(text: &str, given: &Given<'_>) -> Checked {
    let marks = marks::marks(given.before, text);
    let cited = given.cited.to_vec();
    if marks.is_empty() {
        return Checked { cited, ..Checked::unmarked(text) };
    }
    let mut checked = Checked { cited, ..Checked::default() };
    let answer =
        Language::of(text).or_else(|| Language::of(&format!("{text}\n{}", given.question)));
    let documents: Vec<Document<'_>> = given
        .passages
        .iter()
        .map(|passage| Document { passage, material: OnceCell::new() })
        .collect();
    let claims = claim::claims(given.question, given.before, text, &marks);
    let mut at = 0;
    for (mark, claim) in marks.iter().zip(claims) {
        checked.text.push_str(&text[at..mark.range.start]);
        at = mark.range.end;
        let mut shown: Vec<u32> = Vec::new();
        for number in &mark.numbers {
            let document = documents.get(number - 1);
            match document.filter(|document| claim.holds(document.material(), answer)) {
                Some(document) => {
                    let number = checked.number(document.passage);
                    checked.kept += 1;
                    for all in [&mut shown, &mut checked.named] {
                        if !all.contains(&number) {
                            all.push(number);
                        }
                    }
                }
                None => checked.removed += 1,
            }
        }
        if shown.is_empty() {
            let blank = checked.text.trim_end_matches(' ').len();
            if text[at..].is_empty() || text[at..].starts_with(is_after_gap) {
                checked.text.truncate(blank);
            }
        }
        checked.text.extend(shown.into_iter().map(|number| format!("[{number}]")));
    }
    checked.text.push_str(&text[at..]);
    checked
}

/// Whether no blank belongs before it.
fn is_after_gap(c: char) -> bool {
    c.is_whitespace() || matches!(c, '.' | ',' | ';' | ':' | '!' | '?' | ')' | '[' | '【')
}

impl Checked {
    /// A text without marks.
    pub(super) fn unmarked(text: &str) -> Self {
        Self { text: text.to_owned(), ..Self::default() }
    }

    /// The number of a passage. What stands in one place has one.
    fn number(&mut self, passage: &Passage) -> u32 {
        if let Some(known) = self.cited.iter().find(|known| known.is_beside(passage)) {
            return known.number;
        }
        let number = self.cited.iter().map(|known| known.number).max().unwrap_or(0) + 1;
        self.cited.push(KeptPassage::of(passage, number));
        number
    }
}

/// A passage, and what claims are compared with, once that is needed.
struct Document<'a> {
    passage: &'a Passage,
    material: OnceCell<Material>,
}

impl Document<'_> {
    fn material(&self) -> &Material {
        self.material.get_or_init(|| {
            let Passage { source, title, text, .. } = self.passage;
            Material::of(&format!("{source}\n{title}\n{text}"))
        })
    }
}

#[cfg(test)]
#[path = "../../tests/unit/citations.rs"]
mod tests;
