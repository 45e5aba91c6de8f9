//! What was found out about the daemon, and how that is in one word.

use std::path::{Path, PathBuf};

use heartbeat::{Judgement, LastExit};
use serde_json::{Value, json};

use crate::cli::style::Mark;
use crate::cli::unit::{Process, Unit};
use crate::config::Problem;

/// What begins the text for an endpoint that another bot has.
pub(super) const ANOTHER: &str = "another katana-bot";

/// Everything that was found out.
pub(in crate::cli) struct Findings {
    pub(in crate::cli) path: PathBuf,
    pub(in crate::cli) judgement: Judgement,
    /// How it ended, if it has not run since.
    pub(in crate::cli) exit: Option<LastExit>,
    /// Where the endpoint should be, if it is not off.
    pub(super) endpoint: Option<String>,
    /// `/bot/status`, or why there is none.
    pub(in crate::cli) answer: Result<Value, String>,
    pub(super) unit_name: String,
    /// Why the configuration that was named cannot be used, or not all of it.
    pub(super) config: Option<Problem>,
    /// What systemd says, if the endpoint does not answer and the unit is the packaged one.
    pub(super) unit: Option<Unit>,
    /// The process that should answer, and its state.
    pub(super) pid: Option<u32>,
    pub(super) process: Option<Process>,
    /// A container shows the daemon another boot id than this command.
    pub(super) hides_boot: bool,
    /// A heartbeat that is older, in milliseconds, is late.
    pub(super) late_ms: u64,
    pub(in crate::cli) overall: Overall,
}

/// The state, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Overall {
    Starting,
    Ok,
    Degraded,
    Failing,
    /// Stopped on purpose.
    Stopped,
    /// It ended without saying so, or never ran.
    NotRunning,
    /// Its process is there, and gives no sign of life.
    Hangs,
    /// It gives no sign of life, and it is not known whether it runs.
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
            Self::Hangs => "hangs",
            Self::Stale => "stale",
        }
    }

    pub(in crate::cli) fn mark(self) -> Mark {
        match self {
            Self::Ok => Mark::Good,
            Self::Starting | Self::Degraded => Mark::Note,
            _ => Mark::Bad,
        }
    }
}

impl Findings {
    /// With a configuration that was named and cannot be used, it is bad.
    pub(super) fn mark(&self) -> Mark {
        if self.config.is_some() { Mark::Bad } else { self.overall.mark() }
    }

    /// Whether another bot has the port: it answers there, or this one does not run.
    pub(in crate::cli) fn is_another(&self) -> bool {
        let is_over = matches!(self.overall, Overall::Stopped | Overall::NotRunning);
        is_over || self.answer.as_ref().is_err_and(|why| why.starts_with(ANOTHER))
    }

    /// For programs. `remedies`: what to do.
    pub(super) fn json(&self, remedies: &[String]) -> Value {
        json!({
            "state": self.overall.word(),
            "good": self.mark() != Mark::Bad,
            "heartbeat": {
                "file": self.path,
                "state": self.judgement.state.word(),
                "reason": self.judgement.reason.word(),
                "text": self.judgement.text,
                "age_ms": self.judgement.age_ms,
                "beat": self.judgement.heartbeat,
            },
            "last_exit": self.exit,
            "configuration": self.config.as_ref().map(|p| format!("{}: {}", p.key, p.message)),
            "process": self.pid,
            "do": remedies,
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
