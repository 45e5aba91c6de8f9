//! What can be shown of an answer before it is complete.

use std::time::Duration;

/// How far an answer is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Progress {
    /// Nothing is known yet.
    #[default]
    Begun,
    /// It waits until the documents are read.
    Reading,
    /// A document that was sent is loaded and read.
    Learning,
    /// It waits for its turn, behind so many others.
    Queued {
        /// Questions that come first.
        before: usize,
    },
    /// The model thinks, or its server is at work.
    Thinking,
    /// The server could not answer, and will be asked again.
    Waiting {
        /// What it waits for.
        obstacle: Obstacle,
        /// Until it is asked again.
        pause: Duration,
    },
    /// What is written so far, Markdown.
    Written(String),
}

/// What keeps a server from answering for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// It wants fewer questions.
    RateLimit,
    /// It has too much to do, or still loads its model.
    Busy,
    /// It cannot be reached, or hung up.
    Unreachable,
}

impl Progress {
    /// What to show, Markdown; `None` when there is nothing to say yet.
    pub fn shown(&self) -> Option<String> {
        let text = match self {
            Self::Begun => return None,
            Self::Reading => "_I am still reading my documents…_".to_owned(),
            Self::Learning => "_I am reading the document…_".to_owned(),
            Self::Queued { before: 0 } => "_Your question is next…_".to_owned(),
            Self::Queued { before: 1 } => "_One question is before yours…_".to_owned(),
            Self::Queued { before } => format!("_{before} questions are before yours…_"),
            Self::Thinking => "_The model is thinking…_".to_owned(),
            Self::Waiting { obstacle, pause } => {
                let reason = match obstacle {
                    Obstacle::RateLimit => "The model has too many questions at the moment.",
                    Obstacle::Busy => "The model is busy or still loading.",
                    Obstacle::Unreachable => "The model cannot be reached at the moment.",
                };
                // Half a second is not worth a number.
                let seconds = pause.as_secs_f64().ceil().max(1.0);
                format!("_{reason} I will try again in {seconds} s…_")
            }
            Self::Written(text) => return Some(text.clone()).filter(|text| !text.is_empty()),
        };
        Some(text)
    }
}
