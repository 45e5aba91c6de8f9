//! People: who may chat, who waits, and the codes that let them in.

use rusqlite::{Connection, OptionalExtension, params};

use super::{Store, StoreError};
use crate::model::access::Role;
use crate::model::effect::Effect;
use crate::model::ids::UserId;
use crate::model::limits;
use crate::model::message::Person;

/// A person as the bot knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownUser {
    /// Who.
    pub person: Person,
    /// What they may do.
    pub role: Role,
    /// Pairing code that was offered, while it is good.
    pub code: Option<String>,
    /// When they got this role, Unix milliseconds.
    pub since_ms: i64,
    /// When a code was last offered, Unix milliseconds.
    pub told_ms: Option<i64>,
}

/// What the daemon should say about access when it starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opening {
    /// Somebody owns the bot.
    Owned,
    /// Nobody does; this code makes its sender the owner.
    Claimable(String),
}

impl Store {
    /// Everybody the bot knows: owners first, then members, then those who wait.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn users(&self) -> Result<Vec<KnownUser>, StoreError> {
        let fresh = self.code_horizon();
        self.read(|conn| {
            let mut find = conn.prepare_cached(
                "SELECT user_id, name, username, role, code, code_at_ms, since_ms FROM users
                 WHERE bot_id = ?1
                 ORDER BY CASE role WHEN 'owner' THEN 0 WHEN 'member' THEN 1 ELSE 2 END, since_ms",
            )?;
            let rows = find.query_map([self.bot().0], |r| known(r, fresh))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// One person, if known.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn user(&self, user: UserId) -> Result<Option<KnownUser>, StoreError> {
        let fresh = self.code_horizon();
        self.read(|conn| {
            let mut find = conn.prepare_cached(
                "SELECT user_id, name, username, role, code, code_at_ms, since_ms FROM users
                 WHERE bot_id = ?1 AND user_id = ?2",
            )?;
            Ok(find.query_row(params![self.bot().0, user.0], |r| known(r, fresh)).optional()?)
        })
    }

    /// The person who was offered this (normalised) code, while it is good.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn user_by_code(&self, code: &str) -> Result<Option<KnownUser>, StoreError> {
        Ok(self.users()?.into_iter().find(|u| u.code.as_deref() == Some(code)))
    }

    /// Makes sure that a bot without an owner can be claimed, and says how. `fresh_code` is used
    /// when there is none yet.
    ///
    /// # Errors
    /// When the commit fails.
    pub async fn opening(&self, fresh_code: String) -> Result<Opening, StoreError> {
        let bot = self.bot().0;
        self.write(move |tx| {
            let owners: i64 = tx.query_row(
                "SELECT count(*) FROM users WHERE bot_id = ?1 AND role = 'owner'",
                [bot],
                |r| r.get(0),
            )?;
            if owners > 0 {
                return Ok(Opening::Owned);
            }
            tx.execute(
                "UPDATE bots SET claim_code = coalesce(claim_code, ?2) WHERE bot_id = ?1",
                params![bot, fresh_code],
            )?;
            let code =
                tx.query_row("SELECT claim_code FROM bots WHERE bot_id = ?1", [bot], |r| r.get(0))?;
            Ok(Opening::Claimable(code))
        })
        .await
    }

    /// Stores effects that no update caused, such as those of the command line.
    ///
    /// # Errors
    /// When the commit fails.
    pub async fn apply(&self, effects: Vec<Effect>) -> Result<(), StoreError> {
        self.record_delivery(Vec::new(), effects).await
    }

    fn code_horizon(&self) -> i64 {
        let life = i64::try_from(limits::PAIRING_CODE_LIFE.as_millis()).unwrap_or(i64::MAX);
        self.now_ms().saturating_sub(life)
    }
}

pub(super) fn apply(
    tx: &Connection,
    bot: i64,
    now: i64,
    effect: &Effect,
) -> Result<(), StoreError> {
    match effect {
        Effect::Claim(person) => {
            // Two people may have sent the code at once; the first commit wins.
            let owned: bool = tx.query_row(
                "SELECT EXISTS (SELECT 1 FROM users WHERE bot_id = ?1 AND role = 'owner')",
                [bot],
                |r| r.get(0),
            )?;
            if owned {
                return Ok(());
            }
            tx.execute("UPDATE bots SET claim_code = NULL WHERE bot_id = ?1", [bot])?;
            tx.execute(
                "INSERT INTO users (bot_id, user_id, role, name, username, since_ms)
                 VALUES (?1, ?2, 'owner', ?3, ?4, ?5)
                 ON CONFLICT (bot_id, user_id) DO UPDATE SET
                   role = excluded.role, name = excluded.name, username = excluded.username,
                   since_ms = excluded.since_ms, code = NULL",
                params![bot, person.id.0, person.name, person.username, now],
            )?;
        }
        Effect::Approve(user) => {
            tx.execute(
                "INSERT INTO users (bot_id, user_id, role, name, since_ms)
                 VALUES (?1, ?2, 'member', '', ?3)
                 ON CONFLICT (bot_id, user_id) DO UPDATE SET
                   role = CASE role WHEN 'owner' THEN role ELSE 'member' END,
                   code = NULL, since_ms = excluded.since_ms",
                params![bot, user.0, now],
            )?;
        }
        Effect::Remove(user) => {
            tx.execute(
                "DELETE FROM users WHERE bot_id = ?1 AND user_id = ?2",
                params![bot, user.0],
            )?;
        }
        Effect::OfferCode { person, code, at_ms } => {
            // The person may have been approved while this was on its way: that stands.
            tx.execute(
                "INSERT INTO users (bot_id, user_id, role, name, username, since_ms, code,
                                    code_at_ms)
                 VALUES (?1, ?2, 'stranger', ?3, ?4, ?5, ?6, ?7)
                 ON CONFLICT (bot_id, user_id) DO UPDATE SET
                   name = excluded.name, username = excluded.username, code = excluded.code,
                   code_at_ms = excluded.code_at_ms
                 WHERE role = 'stranger'",
                params![bot, person.id.0, person.name, person.username, now, code, at_ms],
            )?;
        }
        _ => {}
    }
    Ok(())
}

fn known(row: &rusqlite::Row<'_>, fresh: i64) -> rusqlite::Result<KnownUser> {
    let role = match row.get_ref(3)?.as_str().unwrap_or_default() {
        "owner" => Role::Owner,
        "member" => Role::Member,
        _ => Role::Stranger,
    };
    let told_ms: Option<i64> = row.get(5)?;
    let good = told_ms.is_some_and(|at| at >= fresh);
    Ok(KnownUser {
        person: Person { id: UserId(row.get(0)?), name: row.get(1)?, username: row.get(2)? },
        role,
        code: row.get::<_, Option<String>>(4)?.filter(|_| good),
        since_ms: row.get(6)?,
        told_ms,
    })
}
