//! People: who may chat, who waits, and the codes that let them in.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::columns::RoleColumn;
use super::db::Sqlite;
use crate::model::access::Role;
use crate::model::ids::UserId;
use crate::model::limits;
use crate::model::message::Person;
use crate::store::failure::StoreError;
use crate::store::people::{KnownUser, Opening};

impl Sqlite {
    pub(in crate::store) async fn users(&self) -> Result<Vec<KnownUser>, StoreError> {
        let (bot, fresh) = (self.bot(), self.code_horizon());
        self.read(move |conn| {
            let mut find = conn.prepare_cached(
                "SELECT user_id, name, username, role, code, code_at_ms, since_ms FROM users
                 WHERE bot_id = ?1",
            )?;
            let rows = find.query_map([bot], |r| known(r, fresh))?;
            let mut users = rows.collect::<Result<Vec<_>, _>>()?;
            users.sort_by_key(|user| (std::cmp::Reverse(user.role), user.since_ms));
            Ok(users)
        })
        .await
    }

    pub(in crate::store) async fn user(
        &self,
        user: UserId,
    ) -> Result<Option<KnownUser>, StoreError> {
        let (bot, fresh) = (self.bot(), self.code_horizon());
        self.look_up(move |conn| {
            let mut find = conn.prepare_cached(
                "SELECT user_id, name, username, role, code, code_at_ms, since_ms FROM users
                 WHERE bot_id = ?1 AND user_id = ?2",
            )?;
            Ok(find.query_row(params![bot, user.0], |r| known(r, fresh)).optional()?)
        })
        .await
    }

    pub(in crate::store) async fn user_by_code(
        &self,
        code: &str,
    ) -> Result<Option<KnownUser>, StoreError> {
        let (bot, fresh, code) = (self.bot(), self.code_horizon(), code.to_owned());
        self.look_up(move |conn| {
            let mut find = conn.prepare_cached(
                "SELECT user_id, name, username, role, code, code_at_ms, since_ms FROM users
                 WHERE bot_id = ?1 AND code = ?2",
            )?;
            let found = find.query_row(params![bot, code], |r| known(r, fresh)).optional()?;
            // One that is no longer good is not shown.
            Ok(found.filter(|user| user.code.is_some()))
        })
        .await
    }

    pub(in crate::store) async fn owners(&self) -> Result<Vec<UserId>, StoreError> {
        let bot = self.bot();
        self.look_up(move |conn| Ok(owners(conn, bot)?)).await
    }

    pub(in crate::store) async fn opening(
        &self,
        fresh_code: String,
    ) -> Result<Opening, StoreError> {
        self.claim_code(fresh_code, false).await
    }

    pub(in crate::store) async fn renew_claim_code(
        &self,
        fresh_code: String,
    ) -> Result<Opening, StoreError> {
        self.claim_code(fresh_code, true).await
    }

    async fn claim_code(&self, fresh_code: String, renew: bool) -> Result<Opening, StoreError> {
        let (bot, now) = (self.bot(), self.now_ms());
        self.write(move |tx| {
            if !owners(tx, bot)?.is_empty() {
                return Ok(Opening::Owned);
            }
            tx.execute(
                "UPDATE bots SET claim_code = ?2, claim_code_ms = ?3
                 WHERE bot_id = ?1 AND (?4 OR claim_code_ms IS NULL)",
                params![bot, fresh_code, now, renew],
            )?;
            let sql = "SELECT claim_code, claim_code_ms FROM bots WHERE bot_id = ?1";
            let code = tx.query_row(sql, [bot], |r| valid_claim_code(r, 0, now))?;
            Ok(code.map_or(Opening::Expired, Opening::Claimable))
        })
        .await
    }

    fn code_horizon(&self) -> i64 {
        let life = i64::try_from(limits::PAIRING_CODE_LIFE.as_millis()).unwrap_or(i64::MAX);
        self.now_ms().saturating_sub(life)
    }
}

/// The claim code in two columns from `first` on, code and time, while it is valid. A clock that was set
/// back must not prolong it.
pub(super) fn valid_claim_code(
    row: &Row<'_>,
    first: usize,
    now: i64,
) -> rusqlite::Result<Option<String>> {
    let (code, made_ms): (Option<String>, Option<i64>) = (row.get(first)?, row.get(first + 1)?);
    let age_ms = now.saturating_sub(made_ms.unwrap_or(0)).unsigned_abs();
    Ok(code.filter(|_| u128::from(age_ms) < limits::CLAIM_CODE_LIFE.as_millis()))
}

/// Who owns the bot by claim.
pub(super) fn owners(conn: &Connection, bot: i64) -> rusqlite::Result<Vec<UserId>> {
    // By the role: a bot may know many people, and has few owners.
    let mut find = conn.prepare_cached(
        "SELECT user_id FROM users INDEXED BY users_role WHERE role = ?2 AND bot_id = ?1",
    )?;
    let rows = find.query_map(params![bot, Role::Owner.as_str()], |r| Ok(UserId(r.get(0)?)))?;
    rows.collect()
}

fn known(row: &Row<'_>, fresh: i64) -> rusqlite::Result<KnownUser> {
    let RoleColumn(role): RoleColumn = row.get(3)?;
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
