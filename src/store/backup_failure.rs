//! What can go wrong with a backup or a restore, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use super::failure::StoreError;
use crate::model::ids::BotId;

/// A failure of a backup or a restore. Nothing that was there before has been changed.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The name is taken.
    #[error("{path} already exists")]
    Exists {
        /// Which file.
        path: PathBuf,
    },
    /// Nothing may be written under this name.
    #[error("cannot write a backup to {path}: {why}")]
    Place {
        /// Which name.
        path: PathBuf,
        /// What is in the way.
        why: &'static str,
    },
    /// A pipe, a device, or a link to one.
    #[error("cannot use {path}: it is not a regular file")]
    Special {
        /// Which name.
        path: PathBuf,
        /// What to do instead.
        hint: &'static str,
    },
    /// Another process is writing there.
    #[error("another backup to {path} is being written")]
    Busy {
        /// Which name.
        path: PathBuf,
    },
    /// A file cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write {path}")]
    Write {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The new backup is there, but an old one that has to go is, too.
    #[error("the backup was made, but the old one {path} cannot be deleted")]
    Delete {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The content is not what was once written.
    #[error("cannot use {path}: it is damaged: {why}")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What SQLite found.
        why: String,
    },
    /// It is some other file.
    #[error("cannot use {path}: it is not a state file of katana-bot")]
    Foreign {
        /// Which file.
        path: PathBuf,
    },
    /// It comes from a later version.
    #[error(
        "cannot use {path}: it is from a newer version (schema {version}, this one knows {newest})"
    )]
    Newer {
        /// Which file.
        path: PathBuf,
        /// Its schema.
        version: u32,
        /// The last one that this program knows.
        newest: u32,
    },
    /// It holds nothing of the bot that is configured here.
    #[error("cannot use {path}: it has no data of bot {bot}, only of {}", list(found))]
    OtherBot {
        /// Which file.
        path: PathBuf,
        /// The bot of the configured token.
        bot: BotId,
        /// The bots that it has state of.
        found: Vec<BotId>,
    },
    /// The state file itself.
    #[error(transparent)]
    State(#[from] StoreError),
}

fn list(bots: &[BotId]) -> String {
    if bots.is_empty() {
        return "no bot".to_owned();
    }
    bots.iter().map(|bot| format!("bot {bot}")).collect::<Vec<_>>().join(", ")
}

impl BackupError {
    /// The same complaint about another file.
    pub(super) fn about(self, file: &Path) -> Self {
        let path = file.to_owned();
        match self {
            Self::Read { source, .. } => Self::Read { path, source },
            Self::Write { source, .. } => Self::Write { path, source },
            Self::Damaged { why, .. } => Self::Damaged { path, why },
            Self::Foreign { .. } => Self::Foreign { path },
            other => other,
        }
    }

    pub(super) fn damaged(path: &Path, why: String) -> Self {
        Self::Damaged { path: path.to_owned(), why }
    }

    /// Whether the file that was read is damaged.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Damaged { .. } => true,
            Self::State(e) => e.is_corruption(),
            _ => false,
        }
    }

    /// What the operator can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Exists { .. } => "name another file, or replace this one with --force",
            Self::Place { .. } => "name a different file, preferably on another disk",
            Self::Special { hint, .. } => hint,
            Self::Busy { .. } => "wait until it has finished, or name another file",
            Self::Read { .. } => "check the name, and who may read it",
            Self::Write { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                "free some space on that disk; a copy of the whole state file has to fit"
            }
            Self::Write { .. } => "check that the folder exists, who may write there, and the disk",
            Self::Delete { .. } => "check who owns the folder and the file, and the disk",
            Self::Damaged { .. } => {
                "use another backup; `katana-bot restore --check FILE` verifies one"
            }
            Self::Foreign { .. } => {
                "name a file that `katana-bot backup` wrote; unpack it first if it is compressed"
            }
            Self::Newer { .. } => {
                "install the version that wrote it, or use a backup made before the upgrade"
            }
            Self::OtherBot { .. } => {
                "look for the backup of this bot; its id is the number before the colon of the \
                 token. --other-bot restores it all the same"
            }
            Self::State(e) => e.hint(),
        }
    }
}
