//! How much a model can read: learned from refusals, from the server's own figures, and from what it says that
//! it has read.
//!
//! Nothing here is configured. A size that is learned is kept to at once by later requests. What servers
//! count is compared with our own estimate, because tokenizers differ, and they differ most between scripts: a
//! model that takes fewer tokens than estimated for English may take twice as many for Chinese. So there is
//! a factor for each kind of script. It is the highest of the latest ones: a prompt that is planned too small
//! leaves a little out, while one that is planned too large is refused and has to be sent again.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::model::text::quarter_tokens;

/// A learned size is used for this long: the operator may give the server a larger context.
const GOOD_FOR: Duration = Duration::from_secs(3600);

/// Sizes below this are some other figure.
const SMALLEST: usize = 256;

/// Tokens of a template and of the roles around the texts.
const AROUND: usize = 64;

/// Models that are remembered; people can name any.
const MODELS: usize = 100;

/// A lower factor takes effect by this share each time.
const DECAY: f64 = 0.2;

/// Scripts whose texts take about as many tokens for one of our estimate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Script {
    /// Latin letters, code, figures.
    Latin,
    /// Other alphabets: Cyrillic, Greek, Arabic, Hebrew, Devanagari and the like.
    Alphabetic,
    /// Chinese, Japanese, Korean; emoji.
    Ideographic,
}

impl Script {
    const ALL: [Self; 3] = [Self::Latin, Self::Alphabetic, Self::Ideographic];

    /// The one that most of the estimated tokens of some texts are in.
    pub(super) fn of<'a>(texts: impl Iterator<Item = &'a str>) -> Self {
        let mut quarters = [0; 3];
        for c in texts.flat_map(str::chars) {
            let count = quarter_tokens(c);
            quarters[count / 2] += count;
        }
        let most = Self::ALL.into_iter().max_by_key(|script| quarters[*script as usize]);
        most.filter(|script| quarters[*script as usize] > 0).unwrap_or(Self::Latin)
    }
}

/// What is known of a model.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    /// Its context in tokens, and when that was learned.
    context: Option<(usize, Instant)>,
    /// When its server was asked for that.
    asked: Option<Instant>,
    /// Its tokens for one of our estimate, by script.
    factors: [Option<f64>; 3],
}

impl Known {
    /// The factor for a script. For one that was not met yet it is that of the most expensive one.
    fn factor(&self, script: Script) -> f64 {
        let known = self.factors[script as usize];
        known.unwrap_or_else(|| self.factors.iter().flatten().fold(1.0, |most, one| most.max(*one)))
    }

    fn note(&mut self, script: Script, tokens: usize, estimate: usize) {
        let (latest, factor) = (factor(tokens, estimate), &mut self.factors[script as usize]);
        *factor = Some(factor.map_or(latest, |old| latest.max(old + (latest - old) * DECAY)));
    }
}

/// What is known of the models that were asked.
#[derive(Debug, Default)]
pub(super) struct ContextSizes {
    models: Mutex<HashMap<String, Known>>,
}

/// How much one model can read, for one request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct ContextSize {
    /// Its context in its own tokens.
    pub(super) context: usize,
    /// Its tokens for one of our estimate.
    factor: f64,
}

impl ContextSize {
    /// For the prompt, in tokens of our estimate, where the answer may have `answer` tokens.
    pub(super) fn for_prompt(self, answer: usize) -> usize {
        let left = self.context.saturating_sub(self.for_answer(answer) + AROUND);
        (left as f64 / self.factor) as usize
    }

    /// For the answer: what was asked for, and at most half of all.
    pub(super) fn for_answer(self, wanted: usize) -> usize {
        wanted.min(self.context / 2)
    }
}

impl ContextSizes {
    /// The size of a model for texts of this script, where it is known.
    pub(super) fn of(&self, model: &str, script: Script) -> Option<ContextSize> {
        let known = *self.models().get(model)?;
        let (context, _) = known.context.filter(|(_, at)| at.elapsed() < GOOD_FOR)?;
        Some(ContextSize { context, factor: known.factor(script) })
    }

    /// Whether the server should be asked for the size of a model. Says so once for as long as an answer is
    /// good.
    pub(super) fn is_wanted(&self, model: &str) -> bool {
        let mut is_wanted = false;
        let is_fresh = |at: Instant| at.elapsed() < GOOD_FOR;
        self.change(model, |known| {
            let is_known = known.context.is_some_and(|(_, at)| is_fresh(at));
            is_wanted = !is_known && !known.asked.is_some_and(is_fresh);
            if is_wanted {
                known.asked = Some(Instant::now());
            }
        });
        is_wanted
    }

    /// The server has said it.
    pub(super) fn learn(&self, model: &str, context: usize) {
        if context >= SMALLEST {
            self.change(model, |known| known.context = Some((context, Instant::now())));
        }
    }

    /// Learns from the words of a refusal; `estimate` is our estimate of the prompt.
    pub(super) fn refused(&self, model: &str, script: Script, words: &str, estimate: usize) {
        self.change(model, |known| {
            if let Some(context) = context(words) {
                known.context = Some((context, Instant::now()));
            }
            if let Some(read) = prompt(words) {
                known.note(script, read, estimate);
            }
        });
    }

    /// Learns from what a server says that it has read.
    pub(super) fn read(&self, model: &str, script: Script, tokens: u64, estimate: usize) {
        let tokens = usize::try_from(tokens).unwrap_or(usize::MAX);
        // What stands around the texts weighs too much in short prompts.
        if tokens > SMALLEST {
            self.change(model, |known| known.note(script, tokens, estimate));
        }
    }

    fn change(&self, model: &str, change: impl FnOnce(&mut Known)) {
        let mut models = self.models();
        if models.len() >= MODELS && !models.contains_key(model) {
            models.clear();
        }
        change(models.entry(model.to_owned()).or_default());
    }

    fn models(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        self.models.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A model's tokens for one of ours. Tokenizers differ by a factor of about six at most.
fn factor(tokens: usize, estimate: usize) -> f64 {
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
        let (sizes, latin) = (ContextSizes::default(), Script::Latin);
        assert_eq!(sizes.of("m", latin), None);
        let words = "context length is 4096 tokens, resulted in 6000 tokens";
        sizes.refused("m", latin, words, 3000);
        let size = sizes.of("m", latin).unwrap();
        assert_eq!(size.for_answer(1024), 1024);
        assert_eq!(size.for_prompt(1024), (4096 - 1024 - AROUND) / 2, "two tokens for one of ours");
        assert_eq!(size.for_answer(100_000), 2048, "a prompt needs room, too");
        let factor = |script| sizes.of("m", script).unwrap().factor;
        sizes.read("m", latin, 3000, 3000);
        assert!((factor(latin) - 1.8).abs() < 1e-9, "one cheaper prompt says little");
        (0..30).for_each(|_| sizes.read("m", latin, 3000, 3000));
        assert!((factor(latin) - 1.0).abs() < 0.01, "many say more");
        sizes.read("m", latin, 4500, 3000);
        assert!((factor(latin) - 1.5).abs() < 1e-9, "an expensive one counts at once");
    }

    #[test]
    fn each_script_has_its_own_factor() {
        let sizes = ContextSizes::default();
        sizes.learn("m", 4096);
        sizes.learn("m", 7);
        sizes.read("m", Script::Latin, 1500, 2000);
        let factor = |script| sizes.of("m", script).unwrap().factor;
        assert_eq!((factor(Script::Latin), factor(Script::Ideographic)), (0.75, 1.0));
        sizes.read("m", Script::Ideographic, 4000, 2000);
        assert_eq!((factor(Script::Latin), factor(Script::Ideographic)), (0.75, 2.0));
        assert_eq!(factor(Script::Alphabetic), 2.0, "the most expensive one, until it is met");
        for (texts, script) in [
            (["Be brief.", "What is a plum?"], Script::Latin),
            (["Be brief.", "Что такое слива? Расскажи подробно."], Script::Alphabetic),
            (["Be brief.", "什么是李子？请详细说明。"], Script::Ideographic),
            (["", ""], Script::Latin),
        ] {
            assert_eq!(Script::of(texts.into_iter()), script, "{texts:?}");
        }
    }

    #[test]
    fn a_server_is_asked_once() {
        let sizes = ContextSizes::default();
        assert!(sizes.is_wanted("m") && !sizes.is_wanted("m") && sizes.is_wanted("n"));
        sizes.learn("o", 4096);
        assert!(!sizes.is_wanted("o"));
    }
}
