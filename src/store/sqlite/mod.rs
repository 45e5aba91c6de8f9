//! The state in one SQLite file: the only place that speaks SQL.
//!
//! Invariants: `synchronous=FULL`, so a commit that was answered survives a power cut; one thread
//! writes ([`writer`]); statements stay prepared.

mod answered;
mod arrivals;
mod atomic_file;
mod backup;
mod breakers;
mod chats;
mod columns;
mod compatible;
mod connection;
mod contents;
mod copies;
mod db;
mod effects;
mod erase;
mod failure;
mod finish;
mod history;
mod identity;
mod inbox;
mod index;
mod inspect;
mod learned;
mod ledger;
mod numbers;
mod open;
mod outbox;
mod ownership;
mod plain;
mod pre_migration_backup;
mod restore;
mod retention;
mod riders;
mod rotation;
mod schema;
mod schema_objects;
mod settle;
mod sources;
mod spending;
mod users;
mod writer;

#[cfg(test)]
mod plans;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod upgrade_tests;

pub(super) use db::Sqlite;
pub use index::Index;

/// What is done to a state file as a whole, without opening it as the state of a bot.
pub mod file {
    pub use super::backup::{backup, backup_to, examine};
    pub use super::copies::beside as older_copies;
    pub use super::inspect::inspect;
    pub use super::restore::restore;
    pub use super::rotation::{backups, rotate};
    pub use super::schema::newest as newest_schema;
    #[cfg(test)]
    pub use super::tests::damage;
}
