//! The conversation window: how much of the history goes along with a question.

use crate::model::conversation::Exchange;
use crate::provider::tokens;

/// The latest exchanges whose sizes together stay within `max_tokens`, oldest first.
pub(super) fn fit(mut kept: Vec<Exchange>, max_tokens: usize) -> Vec<Exchange> {
    let mut concurrency = max_tokens;
    let mut first = kept.len();
    for (i, said) in kept.iter().enumerate().rev() {
        let size = tokens(&said.question) + tokens(&said.answer);
        if size > concurrency {
            break;
        }
        concurrency -= size;
        first = i;
    }
    kept.drain(..first);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_exchanges_stay() {
        let said = |n: usize| Exchange { question: format!("q{n}"), answer: "word ".repeat(40) };
        let all: Vec<_> = (0..10).map(said).collect();
        let size = tokens(&all[0].question) + tokens(&all[0].answer);
        let window = fit(all.clone(), size * 3);
        assert_eq!(window, all[7..]);
        assert!(fit(all.clone(), size - 1).is_empty(), "one that does not fit is not cut");
        assert_eq!(fit(all.clone(), usize::MAX), all);
    }
}
