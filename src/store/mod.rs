//! The state of a bot, as verbs that say what the bot does.
//!
//! Invariants: every write answers only after its commit is on disk; all state belongs to one bot
//! id; one process at a time runs a bot. The verbs (`reads`, `writes`) and their types name no
//! database: what stands behind them is `Backend`, and SQL is spoken only there.

mod backup_failure;
mod breakers;
#[cfg(test)]
mod contract;
mod failure;
mod history;
mod index;
mod ledger;
mod parts;
mod people;
mod reads;
mod room;
mod spending;
mod sqlite;
mod updates;
mod upkeep;
mod word_query;
mod writes;

use std::path::Path;
use std::sync::Arc;

use tokio::sync::watch;

use crate::model::ids::BotId;
use crate::observe::clock::Clock;

pub use backup_failure::BackupError;
pub use breakers::KeptBreaker;
pub use failure::{StoreError, StoreErrorKind};
pub use history::{CutAnswer, KeptTurn, NewTurn, Totals};
pub use index::{
    DocumentId, Embedding, Floor, Generation, GenerationId, GenerationState, Hash, IndexTotals,
    IndexedPassage, KnownDocument, LeftOut, Look, NewDocument, NewPassage, PassageId, Put, Request,
    Stamp, StoredCode, ToEmbed, Wanted,
};
pub use ledger::Ledger;
pub use parts::{
    DeliveryOutcome, DeliveryReason, DeliveryRecord, NewPart, OpenPart, PartExtra, PartState,
};
pub use people::{ChatState, KnownUser, Opening, Settings};
pub use spending::{CallId, NewCall, Reserved, Settlement, Spending, Spent, SpentBy, SpentRow};
pub use sqlite::{Index, file};
pub use updates::{Accepted, Finish, LastAnswer, Pieces, Queued, UpdateOutcome};
pub use upkeep::{
    Backups, BotContents, Contents, FailedBackup, Inspection, Keep, OlderCopy, PreMigrationBackup,
    Restored, Rotated, Swept, Timings,
};
pub use word_query::{Likeness, TakenFor, WordHits, WordQuery, WordTerm};

/// The state of one bot. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    backend: Backend,
}

/// What keeps the state. Another database is another variant, and a module beside [`sqlite`].
#[derive(Clone)]
enum Backend {
    Sqlite(Arc<sqlite::Sqlite>),
}

/// Declares verbs: each is an async method of [`Store`] that the backend carries out.
macro_rules! verbs {
    ($($(#[$doc:meta])* fn $name:ident($($arg:ident: $of:ty),*) -> $out:ty;)*) => {
        impl Store {
            $(
                $(#[$doc])*
                pub async fn $name(&self, $($arg: $of),*) -> Result<$out, StoreError> {
                    match &self.backend {
                        Backend::Sqlite(db) => db.$name($($arg),*).await,
                    }
                }
            )*
        }
    };
}
use verbs;

impl Store {
    /// Opens the file for the daemon: takes the lock, checks, migrates. The folder is created.
    ///
    /// # Errors
    /// When another process runs on the file, the folder cannot be written, or the file comes
    /// from a newer version. A damaged file is not an error: it is set aside, see
    /// [`Store::set_aside`].
    pub fn open(path: &Path, bot: BotId, clock: Clock) -> Result<Self, StoreError> {
        let db = sqlite::Sqlite::open(path, bot, clock)?;
        Ok(Self { backend: Backend::Sqlite(Arc::new(db)) })
    }

    /// Opens the file beside a running daemon, for a quick command. Nothing is migrated.
    ///
    /// # Errors
    /// When there is no file yet, it cannot be opened, or root would have to trust a link or a
    /// journal of another user.
    pub fn visit(path: &Path, bot: BotId, clock: Clock) -> Result<Self, StoreError> {
        let db = sqlite::Sqlite::visit(path, bot, clock)?;
        Ok(Self { backend: Backend::Sqlite(Arc::new(db)) })
    }

    /// Waits until every write that was begun is on disk, then closes the file. Later calls fail
    /// with [`StoreErrorKind::Closed`].
    pub async fn close(&self) {
        match &self.backend {
            Backend::Sqlite(db) => db.close().await,
        }
    }

    /// Where a damaged file was put when this one was opened.
    pub fn set_aside(&self) -> Option<&Path> {
        match &self.backend {
            Backend::Sqlite(db) => db.set_aside(),
        }
    }

    /// The copy that was made because this file had to be migrated when it was opened.
    pub fn pre_migration_backup(&self) -> Option<&PreMigrationBackup> {
        match &self.backend {
            Backend::Sqlite(db) => db.pre_migration_backup(),
        }
    }

    /// How long queries and commits took so far.
    pub fn timings(&self) -> Timings {
        match &self.backend {
            Backend::Sqlite(db) => db.timings(),
        }
    }

    /// Hears of each change of the learned documents.
    pub fn learned_changes(&self) -> watch::Receiver<u64> {
        match &self.backend {
            Backend::Sqlite(db) => db.learned_changes(),
        }
    }

    /// Has everyone hear of a change of the learned documents that is committed.
    pub fn learned_changed(&self) {
        match &self.backend {
            Backend::Sqlite(db) => db.learned_changed(),
        }
    }

    /// Whether there were learned documents when the store was opened.
    pub fn had_learned(&self) -> bool {
        match &self.backend {
            Backend::Sqlite(db) => db.had_learned(),
        }
    }

    /// Whether the disk has room for so much more, beside what stays free for messages and answers.
    ///
    /// # Errors
    /// When it has not, in words.
    pub async fn room(&self, bytes: u64) -> Result<(), StoreError> {
        let path = self.path().to_owned();
        let short = crate::blocking::run(move || room::short_for(&path, bytes)).await.flatten();
        short.map_or(Ok(()), |short| {
            let what = format!("the state file cannot grow by that: {short}");
            Err(StoreError::new(StoreErrorKind::Full, what))
        })
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        match &self.backend {
            Backend::Sqlite(db) => db.path(),
        }
    }
}
