//! How much a model can read: learned from refusals, and from what servers say they have read.
//!
//! Nothing here is configured. A refusal that names the size of the context is remembered, so that later
//! requests fit at once; what servers count is compared with our own estimate, because tokenizers differ.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A learned size is used for this long: the operator may give the server a larger context.
const GOOD_FOR: Duration = Duration::from_secs(3600);

/// Sizes below this are some other figure.
const SMALLEST: usize = 256;

/// Tokens of a template and of the roles around the texts.
const AROUND: usize = 64;

/// Models that are remembered; people can name any.
const MODELS: usize = 100;

/// What is known of a model.
#[derive(Clone, Copy, Debug)]
struct Known {
    /// Its context in tokens, and when that was learned.
    context: Option<(usize, Instant)>,
    /// Its tokens for one of our estimate.
    ratio: f64,
}

/// What is known of the models that were asked.
#[derive(Debug, Default)]
pub(super) struct Rooms {
    models: Mutex<HashMap<String, Known>>,
}

/// The room of one model for one request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Room {
    /// Its context in its own tokens.
    pub(super) context: usize,
    ratio: f64,
}

impl Room {
    /// For the prompt, in tokens of our estimate, where the answer may have `answer` tokens.
    pub(super) fn for_prompt(self, answer: usize) -> usize {
        let left = self.context.saturating_sub(self.for_answer(answer) + AROUND);
        (left as f64 / self.ratio) as usize
    }

    /// For the answer: what was asked for, and at most half of all.
    pub(super) fn for_answer(self, wanted: usize) -> usize {
        wanted.min(self.context / 2)
    }
}

impl Rooms {
    /// The room of a model, where it is known.
    pub(super) fn of(&self, model: &str) -> Option<Room> {
        let known = *self.models().get(model)?;
        let (context, _) = known.context.filter(|(_, at)| at.elapsed() < GOOD_FOR)?;
        Some(Room { context, ratio: known.ratio })
    }

    /// Learns from the words of a refusal; `estimate` is our estimate of the prompt.
    pub(super) fn refused(&self, model: &str, words: &str, estimate: usize) {
        self.change(model, |known| {
            if let Some(context) = context(words) {
                known.context = Some((context, Instant::now()));
            }
            if let Some(read) = prompt(words) {
                known.ratio = ratio(read, estimate);
            }
        });
    }

    /// Learns from what a server says that it has read.
    pub(super) fn read(&self, model: &str, tokens: u64, estimate: usize) {
        let tokens = usize::try_from(tokens).unwrap_or(usize::MAX);
        // What stands around the texts weighs too much in short prompts.
        if tokens > SMALLEST {
            self.change(model, |known| known.ratio = ratio(tokens, estimate));
        }
    }

    fn change(&self, model: &str, change: impl FnOnce(&mut Known)) {
        let mut models = self.models();
        if models.len() >= MODELS {
            models.clear();
        }
        change(models.entry(model.to_owned()).or_insert(Known { context: None, ratio: 1.0 }));
    }

    fn models(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        self.models.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A model's tokens for one of ours. Tokenizers differ by a factor of about six at most.
fn ratio(tokens: usize, estimate: usize) -> f64 {
    (tokens as f64 / estimate.max(1) as f64).clamp(0.25, 8.0)
}

/// The size of the context that a refusal names.
fn context(words: &str) -> Option<usize> {
    let words = words.to_lowercase();
    let after = [
        "n_ctx",
        "context length is",
        "context length of",
        "context size (",
        "context size of",
        "context window of",
        "context window is",
        "context limit of",
        "context length (",
        "tokens allowed (",
        "maximum of",
        "limit is",
        "limit of",
        "at most",
        "max_model_len",
        "> ",
    ];
    let named = after.iter().find_map(|key| figure_after(&words, key));
    named.filter(|figure| *figure >= SMALLEST)
}

/// The size of the prompt that a refusal names.
fn prompt(words: &str) -> Option<usize> {
    let words = words.to_lowercase();
    let after = ["n_prompt_tokens", "too long:", "resulted in", "token count (", "request ("];
    let in_messages = words.find(" in the messages").and_then(|end| figure_before(&words[..end]));
    in_messages.or_else(|| after.iter().find_map(|key| figure_after(&words, key)))
}

/// The first figure behind a key, if it stands right there.
fn figure_after(words: &str, key: &str) -> Option<usize> {
    /// Quotes, colons and blanks between the two.
    const BETWEEN: usize = 4;
    let rest = &words[words.find(key)? + key.len()..];
    let start = rest.find(|c: char| c.is_ascii_digit()).filter(|start| *start <= BETWEEN)?;
    number(&rest[start..])
}

/// The figure that ends a text.
fn figure_before(words: &str) -> Option<usize> {
    let start = words.rfind(|c: char| !is_of_number(c)).map_or(0, |at| at + 1);
    number(&words[start..])
}

fn number(text: &str) -> Option<usize> {
    let digits: String =
        text.chars().take_while(|c| is_of_number(*c)).filter(char::is_ascii_digit).collect();
    digits.parse().ok()
}

fn is_of_number(c: char) -> bool {
    c.is_ascii_digit() || c == ',' || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_name_what_there_is_and_what_was_asked() {
        for (words, wanted) in [
            (
                "This model's maximum context length is 8192 tokens. However, your messages resulted in \
                 9001 tokens. Please reduce the length of the messages.",
                (Some(8192), Some(9001)),
            ),
            (
                "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens \
                 (4000 in the messages, 1000 in the completion).",
                (Some(4096), Some(4000)),
            ),
            (
                "request (5321 tokens) exceeds the available context size (4096 tokens), try increasing it",
                (Some(4096), Some(5321)),
            ),
            (
                "the request exceeds the available context size. (n_prompt_tokens 5321, n_ctx 4096)",
                (Some(4096), Some(5321)),
            ),
            ("prompt is too long: 210000 tokens > 200000 maximum", (Some(200_000), Some(210_000))),
            (
                "The input token count (1,048,600) exceeds the maximum number of tokens allowed (1,048,576).",
                (Some(1_048_576), Some(1_048_600)),
            ),
            ("the conversation exceeds the context window", (None, None)),
            ("Requests have a limit of 3 in a minute", (None, None)),
        ] {
            assert_eq!((context(words), prompt(words)), wanted, "{words}");
        }
    }

    #[test]
    fn what_is_learned_leaves_room_for_the_answer() {
        let rooms = Rooms::default();
        assert_eq!(rooms.of("m"), None);
        rooms.refused("m", "context length is 4096 tokens, resulted in 6000 tokens", 3000);
        let room = rooms.of("m").unwrap();
        assert_eq!(room.for_answer(1024), 1024);
        assert_eq!(room.for_prompt(1024), (4096 - 1024 - AROUND) / 2, "two tokens for one of ours");
        assert_eq!(room.for_answer(100_000), 2048, "a prompt needs room, too");
        rooms.read("m", 3000, 3000);
        assert_eq!(rooms.of("m").unwrap().for_prompt(1024), 4096 - 1024 - AROUND);
    }
}
