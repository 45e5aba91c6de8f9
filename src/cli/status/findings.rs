//! What was found out about the daemon, and how that is in one word.

use std::path::{Path, PathBuf};

use heartbeat::{Judgement, LastExit};
use serde_json::{Value, json};

use crate::cli::style::Mark;

/// Everything that was found out.
pub(super) struct Findings {
    pub(super) path: PathBuf,
    pub(super) judgement: Judgement,
    /// How it ended, if it has not run since.
    pub(super) exit: Option<LastExit>,
    /// Where the endpoint should be, if it is not off.
    pub(super) endpoint: Option<String>,
    /// `/bot/status`, or why there is none.
    pub(super) answer: Result<Value, String>,
    pub(super) overall: Overall,
}

/// The state, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overall {
    Starting,
    Ok,
    Degraded,
    Failing,
    /// Stopped on purpose.
    Stopped,
    /// It ended without saying so, or never ran.
    NotRunning,
    /// It may hang.
    Stale,
}

impl Overall {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Ok => "ok",
            Self::Degraded => "degraded",
            Self::Failing => "failing",
            Self::Stopped => "stopped",
            Self::NotRunning => "not running",
            Self::Stale => "stale",
        }
    }

    pub(super) fn mark(self) -> Mark {
        match self {
            Self::Ok => Mark::Good,
            Self::Starting | Self::Degraded => Mark::Note,
            _ => Mark::Bad,
        }
    }

    /// The state of a process that has just started, unless it is worse.
    pub(super) fn max_starting(self) -> Self {
        if self == Self::Ok { Self::Starting } else { self }
    }
}

impl Findings {
    pub(super) fn json(&self) -> Value {
        json!({
            "state": self.overall.word(),
            "good": self.overall.mark() != Mark::Bad,
            "heartbeat": {
                "file": self.path,
                "state": self.judgement.state.word(),
                "reason": self.judgement.reason.word(),
                "text": self.judgement.text,
                "age_ms": self.judgement.age_ms,
                "beat": self.judgement.heartbeat,
            },
            "last_exit": self.exit,
            "endpoint": {
                "address": self.endpoint,
                "error": self.answer.as_ref().err(),
                "status": self.answer.as_ref().ok(),
            },
        })
    }
}

/// A judgement in words, with the file that it is about.
pub(in crate::cli) fn in_words(path: &Path, judgement: &Judgement) -> String {
    let path = path.display();
    match judgement.text.strip_prefix("the heartbeat file ") {
        Some(rest) => format!("{path} {rest}"),
        None => format!("{path}: {}", judgement.text),
    }
}
