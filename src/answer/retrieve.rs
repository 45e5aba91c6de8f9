//! Which passages go along with a question.
//!
//! Invariant: a question is searched for together with what was said before it. What only the earlier
//! words find counts less than what the question finds itself.

use super::engine::AnswerEngine;
use super::question::said;
use crate::knowledge::{Knowledge, KnowledgeError, SearchRequest};
use crate::model::conversation::{Message, Passage, Role, turns};
use crate::model::failure::chain;

/// Earlier questions that are searched for, too.
const EARLIER: usize = 2;

impl AnswerEngine {
    /// The passages for a question, best first. `history` is what was said before.
    pub(super) async fn retrieve(&self, words: &str, history: &[Message]) -> Vec<Passage> {
        let Some(knowledge) = &self.knowledge else { return Vec::new() };
        // Without a model, what is found is the answer: it must have to do with the question itself.
        let history = if self.has_context() { history } else { &[] };
        let found = search(knowledge, words, history, self.settings.passages).await;
        let found = found.unwrap_or_else(|e| {
            let error = chain(&e);
            tracing::error!(error, "cannot search the knowledge folder: {error}");
            Vec::new()
        });
        // The operator may have put a key into a document by mistake.
        let clean = |text| self.settings.redactor.clean(text);
        let clean = |passage: Passage| Passage {
            source: clean(passage.source),
            title: clean(passage.title),
            text: clean(passage.text),
            link: passage.link.map(clean),
            ..passage
        };
        found.into_iter().map(clean).collect()
    }
}

async fn search(
    knowledge: &Knowledge,
    words: &str,
    history: &[Message],
    limit: usize,
) -> Result<Vec<Passage>, KnowledgeError> {
    let asks = |message: &&Message| message.role == Role::User;
    let asked = |turn: &[Message]| said(turn.iter().filter(asks));
    let earlier: Vec<String> = turns(history).rev().take(EARLIER).map(asked).collect();
    let request = SearchRequest { earlier, ..SearchRequest::of(words, limit) };
    Ok(knowledge.search(&request).await?.passages)
}

#[cfg(test)]
#[path = "../../tests/unit/retrieve.rs"]
mod tests;
