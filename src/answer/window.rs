//! The conversation window: how much of the history goes along with a question.
//!
//! Invariant: the window begins at the same turn until it is full; then a third of it goes at once. What
//! a server has read of a conversation is so the beginning of the next request, and need not be read
//! again.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::model::conversation::{Content, ConversationId, Message};
use crate::provider::tokens;
use crate::store::KeptTurn;

/// Conversations whose windows are remembered. One that is forgotten is fitted again, which costs its
/// next request some time.
const REMEMBERED: usize = 10_000;

/// How much may go along.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Turns.
    pub(super) turns: usize,
    /// Their size in tokens.
    pub(super) tokens: usize,
}

/// Where the windows of conversations begin: the number of the first turn.
#[derive(Debug, Default)]
pub(super) struct Windows {
    first: Mutex<HashMap<ConversationId, i64>>,
}

impl Windows {
    /// The turns that go along, of all that are kept, oldest first. A turn stays or goes as a whole,
    /// with the work of its tools.
    pub(super) fn fit(
        &self,
        conversation: ConversationId,
        mut kept: Vec<KeptTurn>,
        bounds: Bounds,
    ) -> Vec<KeptTurn> {
        let first = self.first().get(&conversation).copied().unwrap_or_default();
        kept.retain(|turn| turn.number >= first);
        let size: usize = kept.iter().map(turn_size).sum();
        if kept.len() <= bounds.turns && size <= bounds.tokens {
            return kept;
        }
        let all = kept.last().map_or(0, |turn| turn.number);
        let third = |most: usize| most - most / 3;
        shorten(&mut kept, third(bounds.turns), third(bounds.tokens));
        // The last turn alone may have all the room.
        if kept.first().is_some_and(|last| turn_size(last) > bounds.tokens) || bounds.turns == 0 {
            kept.clear();
        }
        self.begin(conversation, kept.first().map_or(all + 1, |turn| turn.number));
        kept
    }

    /// The window of a conversation begins with this turn from now on, or later.
    pub(super) fn begin(&self, conversation: ConversationId, number: i64) {
        let mut first = self.first();
        if first.len() >= REMEMBERED {
            first.clear();
        }
        let begins = first.entry(conversation).or_default();
        *begins = number.max(*begins);
    }

    fn first(&self) -> MutexGuard<'_, HashMap<ConversationId, i64>> {
        self.first.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Drops the oldest turns until the others are within these bounds, or one is left.
pub(super) fn shorten(kept: &mut Vec<KeptTurn>, most: usize, most_tokens: usize) {
    let mut size: usize = kept.iter().map(turn_size).sum();
    let mut drop = 0;
    while kept.len() - drop > 1 && (kept.len() - drop > most || size > most_tokens) {
        size -= turn_size(&kept[drop]);
        drop += 1;
    }
    kept.drain(..drop);
}

/// Roughly how many tokens a turn takes.
fn turn_size(turn: &KeptTurn) -> usize {
    size(&turn.messages)
}

/// Roughly how many tokens messages take.
pub(super) fn size(messages: &[Message]) -> usize {
    messages.iter().flat_map(|message| &message.content).map(piece).sum()
}

fn piece(content: &Content) -> usize {
    /// What vendors charge for a picture of usual size; a document of some pages costs as much.
    const FILE: usize = 1500;
    match content {
        Content::Text { text } => tokens(text),
        Content::Speaker { name } => tokens(name),
        Content::Quote(quote) => tokens(&quote.author) + tokens(&quote.text),
        Content::Image(_) | Content::Document(_) => FILE,
        Content::ToolCall(call) => tokens(&call.name) + tokens(&call.arguments),
        Content::ToolResult(result) => tokens(&result.content),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::ChatId;

    const HERE: ConversationId = ConversationId { chat: ChatId(5), topic: 0 };

    fn turn(number: i64) -> KeptTurn {
        let messages = vec![Message::user("q"), Message::assistant("word ".repeat(40))];
        KeptTurn { number, messages }
    }

    /// The first and the last turn of the window after `count` turns, `kept` of which can be read.
    fn window(windows: &Windows, count: i64, bounds: Bounds) -> Option<(i64, i64)> {
        let kept: Vec<_> = (1..=count).map(turn).rev().take(bounds.turns + 1).collect();
        let fit = windows.fit(HERE, kept.into_iter().rev().collect(), bounds);
        Some((fit.first()?.number, fit.last()?.number))
    }

    #[test]
    fn a_third_goes_at_once_and_the_beginning_stays_the_same_until_then() {
        let windows = Windows::default();
        let bounds = Bounds { turns: 9, tokens: 100_000 };
        let begins: Vec<i64> =
            (1..=18).map(|count| window(&windows, count, bounds).unwrap().0).collect();
        assert_eq!(begins, [1, 1, 1, 1, 1, 1, 1, 1, 1, 5, 5, 5, 5, 9, 9, 9, 9, 13]);
        let changes = begins.windows(2).filter(|pair| pair[0] != pair[1]).count();
        assert_eq!(changes, 3, "9 of 18 requests would begin otherwise if one turn went at a time");
    }

    #[test]
    fn the_latest_turns_stay_within_their_size() {
        let one = turn_size(&turn(1));
        let bounds = |tokens| Bounds { turns: 50, tokens };
        assert_eq!(window(&Windows::default(), 10, bounds(one * 3)), Some((9, 10)));
        assert_eq!(window(&Windows::default(), 10, bounds(one)), Some((10, 10)));
        assert_eq!(window(&Windows::default(), 10, bounds(one - 1)), None, "a turn is not cut");
        assert_eq!(window(&Windows::default(), 10, bounds(usize::MAX)), Some((1, 10)));
        assert_eq!(window(&Windows::default(), 3, Bounds { turns: 0, tokens: 9000 }), None);
    }
}
