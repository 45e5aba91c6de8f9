//! `[log]`: what is logged, and in which form.

use super::key::{Key, Kind};
use super::settled::Settled;

/// How much is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Only what needs a person.
    Error,
    /// Also what may need one.
    Warn,
    /// Also what happens.
    Info,
    /// Also how it happens.
    Debug,
    /// Everything.
    Trace,
}

impl Level {
    /// The word that `tracing` understands, in lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// The form of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The journal when it is connected, else text.
    Auto,
    /// Structured entries in systemd's journal.
    Journal,
    /// Lines for people, on standard error.
    Text,
}

/// The section `[log]`.
#[derive(Clone, Debug)]
pub struct Log {
    /// How much is logged.
    pub level: Level,
    /// The form of the log.
    pub format: Format,
    /// Whether the level debug also shows what people wrote and were answered.
    pub prompts: bool,
}

/// `warning` is what other programs write into `LOG_LEVEL`.
const LEVELS: &[&str] = &["error", "warn", "warning", "info", "debug", "trace"];

pub(super) const KEYS: &[Key] = &[
    Key::new("log.level", Kind::Choice(LEVELS), "info").alias(&["LOG_LEVEL"]).doc(
        "How much is logged, in any case of letters; `warning` means `warn`. `RUST_LOG` may refine it.",
        "Set `debug` while something is investigated.",
    ),
    Key::new("log.format", Kind::Choice(&["auto", "journal", "text"]), "auto").doc(
        "The form of the log: `journal` writes structured entries to systemd's journal, `text` writes lines to standard error, `auto` takes the journal when it is connected.",
        "Set `text` when another program collects standard error.",
    ),
    Key::new("log.prompts", Kind::Flag, "false").doc(
        "Whether the level `debug` also logs what people wrote and were answered.",
        "Only for a short time, while an answer is investigated: these are private conversations.",
    ),
];

impl Log {
    pub(super) fn read(settled: &Settled) -> Self {
        Self {
            level: match settled.text("log.level").as_str() {
                "error" => Level::Error,
                "warn" | "warning" => Level::Warn,
                "debug" => Level::Debug,
                "trace" => Level::Trace,
                _ => Level::Info,
            },
            format: match settled.text("log.format").as_str() {
                "journal" => Format::Journal,
                "text" => Format::Text,
                _ => Format::Auto,
            },
            prompts: settled.flag("log.prompts"),
        }
    }
}
