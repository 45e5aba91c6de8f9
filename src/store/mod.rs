//! The state of a bot, as verbs. SQL stays in [`sqlite`].

mod sqlite;

pub use sqlite::*;
