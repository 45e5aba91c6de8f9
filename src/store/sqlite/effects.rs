//! The one place where effects are stored.

use rusqlite::{Connection, ToSql, params};

use super::columns::{State, is_open};
use super::{erase, history, learned, ledger, users};
use crate::model::access::Role;
use crate::model::effect::Effect;
use crate::model::ids::{ChatId, UserId};
use crate::model::limits;
use crate::model::message::{Person, UpdateEvent};
use crate::store::failure::StoreError;
use crate::store::parts::DeliveryReason;
use crate::store::updates::UpdateOutcome;

/// Stores effects, in order, inside the running transaction.
pub(super) fn apply(
    tx: &Connection,
    bot: i64,
    now: i64,
    effects: &[Effect],
) -> Result<(), StoreError> {
    for effect in effects {
        match effect {
            Effect::Claim(person) => claim(tx, bot, now, person)?,
            Effect::Approve(user) => approve(tx, bot, now, *user)?,
            Effect::Remove(user) => {
                tx.prepare_cached("DELETE FROM users WHERE bot_id = ?1 AND user_id = ?2")?
                    .execute(params![bot, user.0])?;
            }
            Effect::OfferCode { person, code, at_ms } => {
                offer(tx, bot, now, person, code, *at_ms)?;
            }
            Effect::AllowChat { chat, allowed } => set(tx, bot, *chat, "allowed", allowed)?,
            Effect::SetModel { conversation, model } => {
                history::set_model(tx, bot, *conversation, model.as_deref())?;
            }
            Effect::Presence { chat, present } => set(tx, bot, *chat, "absent", &!present)?,
            Effect::StartAfresh(conversation) => history::start_afresh(tx, bot, *conversation)?,
            Effect::Continue(continued) => history::go_on(tx, bot, continued)?,
            Effect::Forget(user) => forget(tx, bot, now, *user)?,
            Effect::Used(seq) => {
                let sql = "UPDATE inbox SET body = '' WHERE seq = ?1 AND done_ms IS NOT NULL";
                tx.prepare_cached(sql)?.execute([seq.0])?;
            }
            Effect::Pause(paused) => {
                tx.prepare_cached("UPDATE bots SET paused = ?2 WHERE bot_id = ?1")?
                    .execute(params![bot, paused])?;
            }
            Effect::Notify { about, to, text } => {
                tx.prepare_cached(
                    "INSERT INTO outbox (bot_id, chat_id, seq, text, extra, state, due_ms, created_ms)
                     SELECT bot_id, ?3, seq, ?4, '{}', ?5, ?6, ?6 FROM outbox
                     WHERE id = ?1 AND bot_id = ?2",
                )?
                .execute(params![about.0, bot, to.0, text, State::Due, now])?;
            }
            Effect::Learn(new) => learned::learn(tx, bot, now, new)?,
            Effect::Unlearn(id) => learned::unlearn(tx, bot, *id)?,
            Effect::Told { notice, until_ms } => ledger::told(tx, bot, *notice, *until_ms)?,
            Effect::MoveChat { from, to } => move_chat(tx, bot, *from, *to)?,
        }
    }
    Ok(())
}

/// Whether the log must be emptied after the commit, because it still holds what was deleted.
pub(super) fn deletes(effects: &[Effect]) -> bool {
    effects.iter().any(|effect| matches!(effect, Effect::Forget(_) | Effect::Unlearn(_)))
}

fn claim(tx: &Connection, bot: i64, now: i64, person: &Person) -> Result<(), StoreError> {
    // Two people may have sent the code at once; the first commit wins.
    if !users::owners(tx, bot)?.is_empty() {
        return Ok(());
    }
    tx.execute("UPDATE bots SET claim_code = NULL WHERE bot_id = ?1", [bot])?;
    tx.execute(
        "INSERT INTO users (bot_id, user_id, role, name, username, since_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (bot_id, user_id) DO UPDATE SET
           role = excluded.role, name = excluded.name, username = excluded.username,
           since_ms = excluded.since_ms, code = NULL",
        params![bot, person.id.0, Role::Owner.as_str(), person.name, person.username, now],
    )?;
    Ok(())
}

fn approve(tx: &Connection, bot: i64, now: i64, user: UserId) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO users (bot_id, user_id, role, name, since_ms) VALUES (?1, ?2, ?3, '', ?5)
         ON CONFLICT (bot_id, user_id) DO UPDATE SET
           role = CASE role WHEN ?4 THEN role ELSE excluded.role END,
           code = NULL, since_ms = excluded.since_ms",
        params![bot, user.0, Role::Member.as_str(), Role::Owner.as_str(), now],
    )?;
    Ok(())
}

fn offer(
    tx: &Connection,
    bot: i64,
    now: i64,
    person: &Person,
    code: &str,
    at_ms: i64,
) -> Result<(), StoreError> {
    // The person may have been approved while this was on its way: that stands.
    tx.execute(
        "INSERT INTO users (bot_id, user_id, role, name, username, since_ms, code, code_at_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (bot_id, user_id) DO UPDATE SET
           name = excluded.name, username = excluded.username, code = excluded.code,
           code_at_ms = excluded.code_at_ms
         WHERE role = excluded.role",
        params![
            bot,
            person.id.0,
            Role::Stranger.as_str(),
            person.name,
            person.username,
            now,
            code,
            at_ms
        ],
    )?;
    Ok(())
}

/// Sets one column of a chat. `column` is a literal of this file, never text of a person.
fn set(
    tx: &Connection,
    bot: i64,
    chat: ChatId,
    column: &'static str,
    value: &dyn ToSql,
) -> Result<(), StoreError> {
    tx.prepare_cached(&format!(
        "INSERT INTO chats (bot_id, chat_id, {column}) VALUES (?1, ?2, ?3)
         ON CONFLICT (bot_id, chat_id) DO UPDATE SET {column} = excluded.{column}"
    ))?
    .execute(params![bot, chat.0, value])?;
    Ok(())
}

/// Deletes what a person said, and what was answered; most of it went before, in small batches.
fn forget(tx: &Connection, bot: i64, now: i64, user: UserId) -> Result<(), StoreError> {
    while history::forget(tx, bot, user, limits::FORGET_BATCH)? > 0 {}
    // Questions that were kept for another try are the person's words, too.
    tx.prepare_cached(
        "UPDATE inbox SET body = ''
         WHERE bot_id = ?1 AND sender_id = ?2 AND done_ms IS NOT NULL AND body <> ''",
    )?
    .execute(params![bot, user.0])?;
    forget_kept_quotes(tx, bot, user)?;
    // What still waits is not answered either: not in another chat, not after a pause.
    tx.prepare_cached(
        "UPDATE inbox SET body = '', done_ms = ?3, outcome = ?4
         WHERE bot_id = ?1 AND sender_id = ?2 AND done_ms IS NULL",
    )?
    .execute(params![bot, user.0, now, UpdateOutcome::Forgotten.as_str()])?;
    ledger::forget(tx, bot, now, user)?;
    erase::request(tx, bot)?;
    drop_due_to(tx, bot, user, DeliveryReason::Forgotten)
}

/// Removes kept questions of others that quote the person: another try would store the words again. Few
/// are kept, so each is read.
fn forget_kept_quotes(tx: &Connection, bot: i64, user: UserId) -> Result<(), StoreError> {
    let mut find = tx.prepare_cached(
        "SELECT seq, body FROM inbox WHERE bot_id = ?1 AND done_ms IS NOT NULL AND body <> ''",
    )?;
    let (mut rows, mut quoting) = (find.query([bot])?, Vec::new());
    while let Some(row) = rows.next()? {
        let body = row.get_ref(1)?.as_str().unwrap_or_default();
        if serde_json::from_str::<UpdateEvent>(body).is_ok_and(|event| event.quotes(user)) {
            quoting.push(row.get::<_, i64>(0)?);
        }
    }
    let mut remove = tx.prepare_cached("UPDATE inbox SET body = '' WHERE seq = ?1")?;
    for seq in quoting {
        remove.execute([seq])?;
    }
    Ok(())
}

/// Drops what is due to a person: in their own chat, and what answers them in another.
fn drop_due_to(
    tx: &Connection,
    bot: i64,
    user: UserId,
    reason: DeliveryReason,
) -> Result<(), StoreError> {
    let mut drop = tx.prepare_cached(concat!(
        "UPDATE outbox SET state = ?3, reason = ?4, text = '', extra = ''
         WHERE bot_id = ?1 AND (sender_id = ?2 OR chat_id = ?2) AND state = ?5 AND ",
        is_open!()
    ))?;
    drop.execute(params![bot, user.0, State::Dropped, reason.as_str(), State::Due])?;
    Ok(())
}

fn move_chat(tx: &Connection, bot: i64, from: ChatId, to: ChatId) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO chats (bot_id, chat_id, allowed)
         SELECT bot_id, ?3, allowed FROM chats
         WHERE bot_id = ?1 AND chat_id = ?2
         ON CONFLICT (bot_id, chat_id) DO UPDATE SET allowed = max(allowed, excluded.allowed)",
        params![bot, from.0, to.0],
    )?;
    set(tx, bot, from, "moved_to", &to.0)?;
    set(tx, bot, to, "moved_from", &from.0)?;
    history::move_chat(tx, bot, from, to)?;
    ledger::move_chat(tx, bot, from, to)?;
    let sql = concat!(
        "UPDATE outbox SET chat_id = ?3 WHERE bot_id = ?1 AND chat_id = ?2 AND state = ?4 AND ",
        is_open!()
    );
    tx.execute(sql, params![bot, from.0, to.0, State::Due])?;
    Ok(())
}
