//! What people see of the documents that an answer rests on.
//!
//! Invariant: this is judged by what was found and what was written, never by what a model claims.

use super::alike::Material;
use super::citations::{Checked, Given, checked};
use super::engine::AnswerEngine;
use super::plan::Plan;
use crate::model::cited::KeptPassage;
use crate::model::conversation::Passage;
use crate::model::reply::Reply;

/// Without marks, an answer rests on passages with at least this much of the best one's relevance.
const NEAR: f64 = 0.5;

/// Places named below an answer without marks.
const PLACES: usize = 3;

/// Passages kept with an answer.
const KEPT: usize = 20;

impl<'a> Given<'a> {
    /// What a new answer was written from.
    pub(super) fn first(question: &'a str, plan: &'a Plan) -> Self {
        Self { question, before: "", passages: &plan.passages, cited: &[] }
    }
}

impl Checked {
    /// What is kept with the answer: what it cites, then the rest of what was given along.
    pub(super) fn kept_with(&self, passages: &[Passage]) -> Vec<KeptPassage> {
        let is_other =
            |passage: &&Passage| !self.cited.iter().any(|cited| cited.is_beside(passage));
        let others = passages.iter().filter(is_other).map(|passage| KeptPassage::of(passage, 0));
        self.cited.iter().cloned().chain(others).take(KEPT).collect()
    }
}

impl AnswerEngine {
    /// The text with its marks checked.
    pub(super) fn check(&self, at: usize, text: &str, given: &Given<'_>) -> Checked {
        let provider = &self.endpoints[at].provider;
        let Some(quoted) = provider.quotes(given.passages) else {
            let is_model = provider.has_context() && provider.is_markdown();
            let checked = if is_model { checked(text, given) } else { Checked::unmarked(text) };
            for _ in 0..checked.kept {
                self.vitals.increment("citation", "kept");
            }
            for _ in 0..checked.removed {
                self.vitals.increment("citation", "removed");
            }
            // A person should see what the model wrote rather than nothing.
            let is_blank = checked.text.trim().is_empty();
            return if is_blank { Checked { text: text.to_owned(), ..checked } } else { checked };
        };
        let quoted = quoted.iter().filter_map(|place| given.passages.get(*place));
        let cited: Vec<KeptPassage> =
            (1..).zip(quoted).map(|(number, passage)| KeptPassage::of(passage, number)).collect();
        let named = cited.iter().map(|cited| cited.number).collect();
        Checked { cited, named, ..Checked::unmarked(text) }
    }

    /// Counts whether an answer says what it rests on.
    pub(super) fn note_sources(&self, at: usize, checked: &Checked, passages: &[Passage]) {
        if passages.is_empty() || !self.names_sources(at, checked) {
            return;
        }
        let outcome = match () {
            () if !checked.named.is_empty() => "cited",
            () if !rests_on(passages, &checked.text).is_empty() => "matched",
            () => "none",
        };
        self.vitals.increment("answer_sources", outcome);
    }

    /// What the chat sees of an answer.
    pub(super) fn reply(
        &self,
        at: usize,
        note: Option<&str>,
        checked: &Checked,
        passages: &[Passage],
    ) -> Reply {
        let is_markdown = self.endpoints[at].provider.is_markdown();
        let text = checked.text.clone();
        let reply = if is_markdown { Reply::markdown(text) } else { Reply::plain(text) };
        let names = self.names_sources(at, checked);
        let sources = names.then(|| block(checked, passages)).flatten();
        Reply { footer: note.map(str::to_owned), sources, ..reply }
    }

    fn names_sources(&self, at: usize, checked: &Checked) -> bool {
        self.endpoints[at].provider.has_context() || !checked.named.is_empty()
    }
}

/// The places that an answer rests on, Markdown; `None` when it rests on none.
fn block(checked: &Checked, passages: &[Passage]) -> Option<String> {
    let named: Vec<&KeptPassage> =
        checked.cited.iter().filter(|cited| checked.named.contains(&cited.number)).collect();
    if named.is_empty() {
        let places = rests_on(passages, &checked.text);
        return listed(&places.iter().map(|kept| kept.place()).collect::<Vec<_>>());
    }
    // The only quotation of a provider that quotes has no mark.
    let is_marked = checked.text.contains(&format!("[{}]", named[0].number));
    let place = |cited: &&KeptPassage| match is_marked {
        true => format!("[{}] {}", cited.number, cited.place()),
        false => cited.place(),
    };
    listed(&named.iter().map(place).collect::<Vec<_>>())
}

fn listed(places: &[String]) -> Option<String> {
    match places {
        [] => None,
        [place] => Some(format!("Source: {place}")),
        places => Some(format!("Sources:\n{}", places.join("\n"))),
    }
}

/// Where passages stand that share words with an answer, best first, each place once.
fn rests_on(passages: &[Passage], answer: &str) -> Vec<KeptPassage> {
    let best = passages.iter().map(|passage| passage.score).fold(0.0, f64::max);
    let mut places: Vec<KeptPassage> = Vec::new();
    for passage in passages.iter().filter(|passage| passage.score >= best * NEAR) {
        let is_known = places.iter().any(|known| known.is_beside(passage));
        if is_known || places.len() == PLACES {
            continue;
        }
        let material = Material::of(&format!("{}\n{}", passage.title, passage.text));
        if material.shares_a_word_with(answer) {
            places.push(KeptPassage::of(passage, 0));
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passage(source: &str, text: &str, score: f64) -> Passage {
        let (source, text) = (source.to_owned(), text.to_owned());
        Passage { source, text, score, ..Passage::default() }
    }

    #[test]
    fn without_marks_only_what_an_answer_rests_on_is_named() {
        let tower = passage("lighthouse.md", "The keeper paints the tower every spring.", 4.0);
        let harbour = passage("har*bour.md", "The crane was sold to the keeper in 1931.", 3.0);
        let far = passage("far.md", "The tower of another keeper.", 1.0);
        let all = [tower.clone(), harbour, far];
        let named = |answer: &str| block(&Checked::unmarked(answer), &all);
        assert_eq!(
            named("In spring, by its keeper.").as_deref(),
            Some("Sources:\nlighthouse.md\nhar\\*bour.md")
        );
        assert_eq!(named("It is painted in spring.").as_deref(), Some("Source: lighthouse.md"));
        assert_eq!(named("It was sold in 1931.").as_deref(), Some("Source: har\\*bour.md"));
        assert_eq!(named("Sorry, I do not know; there is nothing about that."), None);
        let twice = block(&Checked::unmarked("paints"), &[tower.clone(), tower]);
        assert_eq!(twice.as_deref(), Some("Source: lighthouse.md"));
        let east = passage("灯台.md", "灯台守は毎年春に塔を塗ります。", 2.0);
        let named = block(&Checked::unmarked("毎年春です。"), &[east]);
        assert_eq!(named.as_deref(), Some("Source: 灯台.md"));
        assert_eq!(block(&Checked::unmarked("anything"), &[]), None);
    }

    #[test]
    fn marks_are_explained_by_their_numbers() {
        let passages = [
            passage("a.md", "The keeper paints the tower.", 4.0),
            passage("b.md", "The crane was sold in 1931.", 4.0),
        ];
        let given = Given { question: "", before: "", passages: &passages, cited: &[] };
        let answer =
            checked("The crane was sold in 1931 [2]. The keeper paints the tower [1].", &given);
        let named = block(&answer, &passages);
        assert_eq!(named.as_deref(), Some("Sources:\n[1] b.md\n[2] a.md"));
        let kept = checked("The crane was sold in 1931 [2].", &given).kept_with(&passages);
        let kept: Vec<_> = kept.iter().map(|kept| (kept.number, kept.source.as_str())).collect();
        assert_eq!(kept, [(1, "b.md"), (0, "a.md")]);
    }
}
