//! What goes to the model for one question, and what is left out of it when it does not fit.
//!
//! Invariant: the question itself is never cut. The oldest turns go first, then the passages.

use super::context_size::{ContextSize, Script};
use super::window::{self, Bounds, Windows};
use crate::model::conversation::{ChatRequest, ConversationId, Message, Passage};
use crate::model::limits;
use crate::provider::tokens;
use crate::store::KeptTurn;

/// One question with all that goes along.
#[derive(Clone, Default)]
pub(super) struct Plan {
    pub(super) conversation: ConversationId,
    /// What was said before, as far as it goes along.
    pub(super) turns: Vec<KeptTurn>,
    /// The last turn of all that were kept.
    pub(super) last: i64,
    /// What is asked.
    pub(super) asked: Vec<Message>,
    /// What is searched for.
    pub(super) words: String,
    pub(super) passages: Vec<Passage>,
    /// Instructions, model, size of the answer.
    pub(super) base: ChatRequest,
}

impl Plan {
    /// Takes as much of the history along as the operator and the model allow.
    pub(super) fn fit(
        &mut self,
        windows: &Windows,
        mut bounds: Bounds,
        context: Option<ContextSize>,
    ) {
        if let Some(context) = context {
            let turns = std::mem::take(&mut self.turns);
            self.bound_answer(context);
            bounds.tokens = bounds.tokens.min(self.budget(context).saturating_sub(self.estimate()));
            self.turns = turns;
        }
        self.turns = windows.fit(self.conversation, std::mem::take(&mut self.turns), bounds);
        if let Some(context) = context {
            self.drop_passages(self.budget(context));
        }
    }

    /// The answer costs as little as it can.
    pub(super) fn keep_small(&mut self) {
        self.base.without_thoughts = true;
        self.base.max_output_tokens = limits::CANARY_TOKENS;
    }

    /// The request as it stands.
    pub(super) fn request(&self) -> ChatRequest {
        let said = self.turns.iter().flat_map(|turn| turn.messages.iter().cloned());
        let messages = said.chain(self.asked.iter().cloned()).collect();
        ChatRequest { messages, passages: self.passages.clone(), ..self.base.clone() }
    }

    /// The script that most of the prompt is written in.
    pub(super) fn script(&self) -> Script {
        let messages = self.turns.iter().flat_map(|turn| &turn.messages).chain(&self.asked);
        let texts = messages.flat_map(Message::texts);
        let passages = self.passages.iter().map(|passage| passage.text.as_str());
        Script::of(texts.chain(passages).chain([self.base.system.as_str()]))
    }

    /// Roughly how many tokens the prompt takes.
    pub(super) fn estimate(&self) -> usize {
        /// What stands around a message or a passage.
        const AROUND: usize = 8;
        let turns = self.turns.iter().map(|turn| window::size(&turn.messages)).sum::<usize>();
        let passage = |passage: &Passage| tokens(&passage.text) + tokens(&passage.title) + AROUND;
        let passages = self.passages.iter().map(passage).sum::<usize>();
        let pieces = self.asked.len() + self.turns.len() * 2;
        let asked = window::size(&self.asked);
        tokens(&self.base.system) + turns + passages + asked + pieces * AROUND
    }

    /// How many tokens a request and its answer take at most, in texts that take many.
    pub(super) fn most_tokens(&self) -> u64 {
        /// Bytes of a token.
        const BYTES: usize = 3;
        let turns = self.turns.iter().flat_map(|turn| &turn.messages);
        let said = turns.chain(&self.asked).flat_map(Message::texts).map(str::len);
        let passages = self.passages.iter().map(|passage| passage.text.len());
        let bytes = said.chain(passages).sum::<usize>() + self.base.system.len();
        (bytes / BYTES) as u64 + u64::from(self.base.max_output_tokens)
    }

    /// Leaves something out, because the server found it too long; `false` when nothing is left but the
    /// question.
    pub(super) fn shrink(&mut self, context: Option<ContextSize>) -> bool {
        let budget = context.map(|context| self.budget(context));
        let is_shorter = context.is_some_and(|context| self.bound_answer(context));
        if !self.turns.is_empty() {
            let before = self.turns.len();
            while budget.is_some_and(|budget| self.estimate() > budget) && !self.turns.is_empty() {
                self.turns.remove(0);
            }
            if self.turns.len() == before && !is_shorter {
                self.turns.drain(..before.div_ceil(2));
            }
            return true;
        }
        if !self.passages.is_empty() {
            let before = self.passages.len();
            self.drop_passages(budget.unwrap_or(0));
            if self.passages.len() == before && !is_shorter {
                self.passages.clear();
            }
            return true;
        }
        is_shorter
    }

    /// Leaves out all but the question; `false` when that was all.
    pub(super) fn strip(&mut self) -> bool {
        let is_alone = self.turns.is_empty() && self.passages.is_empty();
        self.turns.clear();
        self.passages.clear();
        !is_alone
    }

    /// The next request begins where this one began, and need not be refused first.
    pub(super) fn settle(&self, windows: &Windows) {
        let first = self.turns.first().map_or(self.last + 1, |turn| turn.number);
        windows.begin(self.conversation, first);
    }

    fn budget(&self, context: ContextSize) -> usize {
        context.for_prompt(self.base.max_output_tokens as usize)
    }

    fn drop_passages(&mut self, budget: usize) {
        while self.estimate() > budget && self.passages.pop().is_some() {}
    }

    /// Bounds the answer to what the model has room for; whether that changed anything.
    fn bound_answer(&mut self, context: ContextSize) -> bool {
        let wanted = self.base.max_output_tokens;
        let bounded = u32::try_from(context.for_answer(wanted as usize)).unwrap_or(wanted);
        self.base.max_output_tokens = bounded;
        bounded < wanted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::context_size::ContextSizes;
    use crate::model::ids::ChatId;

    fn plan(turns: i64, passages: usize) -> Plan {
        let turn = |number| KeptTurn {
            number,
            messages: vec![Message::user("q"), Message::assistant("word ".repeat(80))],
        };
        let passage = Passage {
            source: "a.md".to_owned(),
            title: String::new(),
            text: "word ".repeat(80),
            score: 1.0,
            ..Passage::default()
        };
        Plan {
            conversation: ConversationId { chat: ChatId(5), topic: 0 },
            turns: (1..=turns).map(turn).collect(),
            last: turns,
            asked: vec![Message::user("why?")],
            words: String::new(),
            passages: vec![passage; passages],
            base: ChatRequest { max_output_tokens: 100, ..ChatRequest::default() },
        }
    }

    #[test]
    fn the_oldest_turns_go_first_then_the_passages_and_never_the_question() {
        let mut plan = plan(4, 2);
        let mut steps = Vec::new();
        while plan.shrink(None) {
            let first = plan.turns.first().map(|turn| turn.number);
            steps.push((first, plan.turns.len(), plan.passages.len()));
        }
        assert_eq!(steps, [(Some(3), 2, 2), (Some(4), 1, 2), (None, 0, 2), (None, 0, 0)]);
        assert_eq!(plan.request().messages, [Message::user("why?")]);
        let windows = Windows::default();
        plan.settle(&windows);
        let bounds = Bounds { turns: 10, tokens: 10_000 };
        assert!(windows.fit(plan.conversation, self::plan(4, 0).turns, bounds).is_empty());
    }

    #[test]
    fn the_question_alone_is_the_last_that_is_asked() {
        let mut plan = plan(4, 2);
        assert!(plan.strip() && !plan.strip());
        assert_eq!(plan.request().messages, [Message::user("why?")]);
        assert!(plan.request().passages.is_empty());
    }

    #[test]
    fn a_known_size_is_kept_to_at_once() {
        let context_sizes = ContextSizes::default();
        context_sizes.refused("m", Script::Latin, "context length is 900 tokens", 1);
        let (context, windows) = (context_sizes.of("m", Script::Latin), Windows::default());
        let mut plan = plan(9, 2);
        plan.fit(&windows, Bounds { turns: 20, tokens: 10_000 }, context);
        assert!(!plan.turns.is_empty() && plan.passages.len() == 2, "{}", plan.turns.len());
        assert!(plan.estimate() <= context.unwrap().for_prompt(100), "{}", plan.estimate());
        let mut plan = self::plan(9, 2);
        assert!(plan.shrink(context));
        assert!(plan.turns.len() > 1 && plan.estimate() <= context.unwrap().for_prompt(100));
        plan.base.max_output_tokens = 900;
        plan.fit(&windows, Bounds { turns: 20, tokens: 10_000 }, context);
        assert_eq!(plan.request().max_output_tokens, 450, "an answer leaves room for the question");
    }
}
