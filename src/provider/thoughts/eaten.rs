//! Which models' servers eat the opening mark of thoughts.
//!
//! Only the closing mark shows it, when the thoughts have been read already. So it is remembered by
//! model, and from the second answer on nothing is handed on before that mark.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Models remembered; people choose from short lists.
const MODELS: usize = 64;

/// Parts of names of models that always think, and whose templates open the thoughts.
const THINKERS: [&str; 5] = ["deepseek-r1", "qwq", "thinking", "reasoner", "reasoning"];

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
            // `non-reasoning` and the like say the opposite.
            !name.contains("non-") && THINKERS.iter().any(|part| name.contains(part))
        };
        known.get(&self.model).copied().unwrap_or_else(by_name)
    }

    /// Whether an answer had a closing mark without an opening one.
    pub(super) fn note(&self, eaten: bool) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() < MODELS || known.contains_key(&self.model) {
            known.insert(self.model.clone(), eaten);
        }
    }
}
