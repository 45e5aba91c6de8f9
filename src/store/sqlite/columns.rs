//! What the coded columns hold.
//!
//! Invariant: a value on disk keeps its meaning for ever; a new one gets a new number or word.

use rusqlite::ToSql;
use rusqlite::types::{FromSql, FromSqlResult, ToSqlOutput, ValueRef};
use serde::de::IntoDeserializer;
use serde::{Deserialize, Serialize};

use crate::model::access::Role;
use crate::model::conversation;

/// `outbox.state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Not tried, or surely not arrived.
    Due = 0,
    /// Tried; unknown whether it arrived.
    Sending = 1,
    /// It arrived.
    Sent = 2,
    /// It never will arrive.
    Dropped = 3,
}

/// Parts that are due or *sending*, as the index `outbox_open` has it.
macro_rules! is_open {
    () => {
        "state < 2"
    };
}
pub(super) use is_open;

impl ToSql for State {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok((*self as i64).into())
    }
}

/// `users.role`.
pub(super) struct RoleColumn(pub(super) Role);

impl FromSql for RoleColumn {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let word = value.as_str()?;
        let all = [Role::Owner, Role::Member, Role::Stranger];
        Ok(Self(all.into_iter().find(|r| r.as_str() == word).unwrap_or(Role::Stranger)))
    }
}

/// The word of serde for a value without fields: what `messages.role` and `answers.stop_reason` hold.
pub(super) fn word(value: impl Serialize) -> String {
    let word = serde_json::to_value(value).ok();
    word.as_ref().and_then(|word| word.as_str()).unwrap_or_default().to_owned()
}

/// The role that a word of `messages.role` stands for.
pub(super) fn message_role(word: &str) -> conversation::Role {
    let known: Result<_, serde::de::value::Error> =
        conversation::Role::deserialize(word.into_deserializer());
    known.unwrap_or(conversation::Role::Tool)
}
