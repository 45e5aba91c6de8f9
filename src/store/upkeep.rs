//! Looking after the state: how long things are kept, what a file holds, what was done to it.

use std::path::PathBuf;

use crate::model::ids::BotId;
use crate::model::limits;
use crate::observe::histogram::Buckets;

/// How long things are kept.
#[derive(Clone, Copy, Debug)]
pub struct Keep {
    /// Conversations, in days; 0 keeps them for ever.
    pub history_days: u64,
    /// Done updates and settled parts, in days.
    pub done_days: u64,
}

/// Rows removed in one step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Messages of conversations.
    pub messages: usize,
    /// Done updates.
    pub updates: usize,
    /// Settled parts.
    pub parts: usize,
    /// Calls of providers.
    pub calls: usize,
}

impl Swept {
    /// Whether there may be more to remove.
    pub fn is_full(self) -> bool {
        [self.messages, self.updates, self.parts, self.calls]
            .iter()
            .any(|n| *n >= limits::RETENTION_BATCH)
    }
}

/// How long reading and committing took since the file was opened, in seconds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Timings {
    /// Commits, each of which may hold many writes.
    pub commit: Buckets,
    /// Queries.
    pub query: Buckets,
}

/// What a good file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// Size of the file.
    pub bytes: u64,
    /// The last migration that was applied.
    pub schema: u32,
    /// Every bot that has state in it.
    pub bots: Vec<BotContents>,
}

/// What a file holds of one bot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BotContents {
    /// Which bot.
    pub bot: BotId,
    /// Owners and members.
    pub people: u64,
    /// Questions with their answers.
    pub turns: u64,
    /// Updates that were accepted and not worked on yet.
    pub waiting: u64,
    /// Parts of replies that were not sent yet.
    pub unsent: u64,
    /// When the newest update was accepted, in milliseconds since the Unix epoch.
    pub newest_ms: Option<i64>,
}

/// What a look at a file found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// Size of the file, without its log.
    pub bytes: u64,
    /// The last migration that was applied; 0 in an empty file.
    pub schema: u32,
    /// Whether this version can work on a file of this schema.
    pub can_work: bool,
    /// Whether the file was small enough to be checked whole.
    pub is_checked: bool,
    /// What is wrong with it.
    pub damage: Option<String>,
}

/// A copy of a file of an older schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreMigrationBackup {
    /// Where it lies.
    pub path: PathBuf,
    /// Its schema.
    pub schema: u32,
}

/// A copy of the state beside the file, which holds what people may since have asked to be forgotten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OlderCopy {
    /// Where it lies.
    pub path: PathBuf,
    /// When it is removed (Unix ms); `None`: by no one but the operator.
    pub until_ms: Option<i64>,
}

/// What a restore did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// What the state file holds now.
    pub contents: Contents,
    /// Where the state file is.
    pub path: PathBuf,
    /// Where the old one was put, if there was one.
    pub kept: Option<PathBuf>,
}

/// The backups that rotate, as they are found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backups {
    /// When the newest was made, Unix milliseconds.
    pub newest_ms: Option<i64>,
    /// How many there are.
    pub count: u64,
    /// The last attempt, if it failed.
    pub failed: Option<FailedBackup>,
}

/// A backup that could not be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedBackup {
    /// When, Unix milliseconds.
    pub at_ms: i64,
    /// Why, in one line; empty where that could not be written down.
    pub why: String,
}

/// A backup that was made, and what went for it.
#[derive(Clone, Debug)]
pub struct Rotated {
    /// The new file.
    pub path: PathBuf,
    /// What is in it.
    pub contents: Contents,
    /// Older ones that were deleted.
    pub deleted: Vec<PathBuf>,
}
