//! `[log]`: what is logged, and in which form.

use crate::config::key::Part;
use crate::config::rule::{self, flag};
use crate::config::section::section;
use crate::config::value::choice;

choice! {
    /// How much is logged. `warning` is what other programs write into `LOG_LEVEL`.
    pub enum Level {
        /// Only what needs a person.
        Error = "error",
        /// Also what may need one.
        Warn = "warn" | "warning",
        /// Also what happens.
        Info = "info",
        /// Also how it happens.
        Debug = "debug",
        /// Everything.
        Trace = "trace",
    }
}

choice! {
    /// The form of the log.
    pub enum Format {
        /// The journal when it is connected, else text.
        Auto = "auto",
        /// Structured entries in systemd's journal.
        Journal = "journal",
        /// Lines for people, on standard error.
        Text = "text",
        /// A JSON object for each event, on standard error.
        Json = "json",
    }
}

section! {
    /// The section `[log]`: what is logged, and in which form.
    pub struct Log in "log" {
        /// How much is logged, in upper or lower case; `warning` means `warn`. `RUST_LOG` may
        /// refine it.
        level: Level = rule::choice(Level::Info)
            .alias(&["LOG_LEVEL"]).when("Set `debug` while you investigate a problem.")
            .live(Part::Log),

        /// The form of the log: `journal` writes structured entries to systemd's journal, `text`
        /// writes lines for people to standard error, `json` an object on a line for each event, `auto`
        /// uses the journal if it is connected, else text.
        format: Format = rule::choice(Format::Auto)
            .when("Set `json` when a platform collects standard error, `text` when people read it.")
            .restart("the log is open"),

        /// Whether the level `debug` also logs questions and answers.
        prompts: bool = flag(false)
            .when("Only briefly, while you investigate an answer: these are private conversations.")
            .live(Part::Answers),
    }
}
