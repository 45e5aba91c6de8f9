//! Which models' servers eat the opening mark of thoughts.
//!
//! Only the closing mark shows it, when the thoughts have been read already. So it is remembered by
//! model, and from the second answer on nothing is handed on before that mark. The first answer is treated
//! so where the model's name or the first words suggest thoughts.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Models remembered; people choose from short lists.
const MODELS: usize = 64;

/// Parts of names of models that think, and whose templates open the thoughts.
const THINKERS: [&str; 14] = [
    "-r1",
    "r1-",
    "qwq",
    "qwen3",
    "think",
    "reasoner",
    "reasoning",
    "magistral",
    "marco-o1",
    "exaone-deep",
    "smollm3",
    "minimax-m",
    "glm-4.",
    "deephermes",
];

/// Parts of names that say the opposite.
const OTHERS: [&str; 3] = ["non-", "no-think", "instruct"];

/// How thoughts begin, and answers hardly ever, in lower case.
const OPENINGS: [&str; 20] = [
    "okay, so",
    "ok, so",
    "okay, the user",
    "ok, the user",
    "okay, let",
    "okay, i ",
    "okay, they ask",
    "alright, ",
    "hmm",
    "the user ",
    "so the user",
    "we need to ",
    "we are asked",
    "let me think",
    "let's think",
    "first, i need",
    "i need to figure",
    "好的，用户",
    "嗯，",
    "用户",
];

/// Whether a text begins like thoughts; `None` while it is too short to tell.
pub(super) fn begins_like_thoughts(text: &str) -> Option<bool> {
    let text = text.trim_start().to_lowercase();
    if OPENINGS.iter().any(|opening| text.starts_with(opening)) {
        return Some(true);
    }
    let may_become = OPENINGS.iter().any(|opening| opening.starts_with(text.as_str()));
    (!may_become).then_some(false)
}

/// What is known of one model. Clones share it with all others of their server.
#[derive(Clone, Default)]
pub(in crate::provider) struct EatenMarks {
    model: String,
    known: Arc<Mutex<HashMap<String, bool>>>,
}

impl EatenMarks {
    /// The same knowledge, about this model.
    pub(in crate::provider) fn of(&self, model: &str) -> Self {
        Self { model: model.to_owned(), known: Arc::clone(&self.known) }
    }

    /// Whether text is taken for thoughts until a closing mark comes.
    pub(super) fn are_expected(&self) -> bool {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let by_name = || {
            let name = self.model.to_ascii_lowercase();
            !OTHERS.iter().any(|part| name.contains(part))
                && THINKERS.iter().any(|part| name.contains(part))
        };
        known.get(&self.model).copied().unwrap_or_else(by_name)
    }

    /// Whether the model has not answered yet.
    pub(super) fn is_unknown(&self) -> bool {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        !known.contains_key(&self.model)
    }

    /// Whether an answer had a closing mark without an opening one.
    pub(super) fn note(&self, eaten: bool) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() < MODELS || known.contains_key(&self.model) {
            known.insert(self.model.clone(), eaten);
        }
    }
}
