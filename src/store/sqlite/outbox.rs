//! The outbox: parts of replies on their way to Telegram.
//!
//! Invariant: a part is *sending* on disk before the request that sends it is written.

use rusqlite::{Connection, Row, params};

use super::arrivals::Arrival;
use super::chats;
use super::columns::{State, is_open};
use super::db::Sqlite;
use crate::model::ids::{ChatId, InboxSeq, MessageId, PartId};
use crate::store::failure::StoreError;
use crate::store::parts::{DeliveryReason, NewPart, OpenPart, PartExtra, PartState};

/// Columns in the order that [`open_part`] reads them; [`is_open`] makes the index fit.
macro_rules! open_parts {
    ($rest:literal) => {
        concat!(
            "SELECT id, chat_id, text, extra, state, attempts, due_ms, floor_id, attempted_ms, \
             created_ms FROM outbox WHERE bot_id = ?1 AND ",
            is_open!(),
            $rest
        )
    };
}

impl Sqlite {
    pub(in crate::store) async fn mark_sending(
        &self,
        id: PartId,
        id_before: MessageId,
    ) -> Result<bool, StoreError> {
        let now = self.now_ms();
        self.write(move |tx| mark(tx, now, id, id_before)).await
    }

    pub(in crate::store) async fn record_arrival(
        &self,
        part: PartId,
        chat: ChatId,
        message: MessageId,
    ) -> Result<usize, StoreError> {
        Ok(self.riding.arrivals.add(Arrival { part, chat, message }))
    }

    pub(in crate::store) async fn flush(&self) -> Result<(), StoreError> {
        if self.riding.is_empty() {
            return Ok(());
        }
        // Every commit stores them.
        self.write(|_| Ok(())).await
    }

    pub(in crate::store) async fn drop_due(
        &self,
        chat: ChatId,
        reason: DeliveryReason,
    ) -> Result<usize, StoreError> {
        let bot = self.bot();
        self.write(move |tx| drop_due(tx, bot, chat, reason)).await
    }

    pub(in crate::store) async fn open_chats(&self) -> Result<Vec<ChatId>, StoreError> {
        let bot = self.bot();
        self.read(move |conn| {
            let sql =
                concat!("SELECT DISTINCT chat_id FROM outbox WHERE bot_id = ?1 AND ", is_open!());
            let mut find = conn.prepare_cached(sql)?;
            let rows = find.query_map([bot], |r| Ok(ChatId(r.get(0)?)))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    pub(in crate::store) async fn due_parts(
        &self,
        chat: ChatId,
        limit: usize,
    ) -> Result<Vec<OpenPart>, StoreError> {
        let bot = self.bot();
        self.read(move |conn| {
            let sql = open_parts!(" AND state = ?2 AND chat_id = ?3 ORDER BY id LIMIT ?4");
            let mut find = conn.prepare_cached(sql)?;
            let rows = find.query_map(params![bot, State::Due, chat.0, limit], open_part)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    pub(in crate::store) async fn parts_in_doubt(&self) -> Result<Vec<OpenPart>, StoreError> {
        let bot = self.bot();
        self.read(move |conn| {
            let mut find = conn.prepare_cached(open_parts!(" AND state = ?2"))?;
            let rows = find.query_map(params![bot, State::Sending], open_part)?;
            let mut parts = rows.collect::<Result<Vec<_>, _>>()?;
            parts.sort_by_key(|part| part.id);
            for part in &mut parts {
                let last_sent = chats::last_sent(conn, bot, part.chat)?;
                if let PartState::Sending { id_before, .. } = &mut part.state {
                    *id_before = last_sent.map_or(*id_before, |last| last.max(*id_before));
                }
            }
            Ok(parts)
        })
        .await
    }

    pub(in crate::store) async fn outbox_depth(&self) -> Result<(u64, Option<i64>), StoreError> {
        let bot = self.bot();
        self.read(move |conn| {
            let mut find = conn.prepare_cached(concat!(
                "SELECT count(*), (SELECT created_ms FROM outbox WHERE id =
                   (SELECT min(id) FROM outbox WHERE bot_id = ?1 AND ",
                is_open!(),
                ")) FROM outbox WHERE bot_id = ?1 AND ",
                is_open!()
            ))?;
            Ok(find.query_row([bot], |r| Ok((r.get(0)?, r.get(1)?)))?)
        })
        .await
    }

    pub(in crate::store) async fn outbox_chats(&self) -> Result<u64, StoreError> {
        let bot = self.bot();
        self.read(move |conn| {
            let mut find = conn.prepare_cached(concat!(
                "SELECT count(DISTINCT chat_id) FROM outbox WHERE bot_id = ?1 AND ",
                is_open!()
            ))?;
            Ok(find.query_row([bot], |r| r.get(0))?)
        })
        .await
    }

    pub(in crate::store) async fn recent_sent_ids(
        &self,
        limit: usize,
    ) -> Result<Vec<(ChatId, MessageId)>, StoreError> {
        self.message_ids(
            "SELECT chat_id, message_id FROM outbox
             WHERE id > (SELECT max(id) FROM outbox) - ?2 AND +bot_id = ?1
               AND message_id IS NOT NULL ORDER BY id DESC",
            limit,
        )
        .await
    }

    /// Message ids that `sql` selects, each with its chat.
    pub(super) async fn message_ids(
        &self,
        sql: &'static str,
        limit: usize,
    ) -> Result<Vec<(ChatId, MessageId)>, StoreError> {
        let bot = self.bot();
        self.read(move |conn| {
            let mut find = conn.prepare_cached(sql)?;
            let rows = find.query_map(params![bot, limit], |r| {
                Ok((ChatId(r.get(0)?), MessageId(r.get(1)?)))
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }
}

/// The update that parts answer.
pub(super) struct Asked {
    pub(super) seq: InboxSeq,
    pub(super) chat: Option<i64>,
    pub(super) sender: Option<i64>,
}

/// A part as it will be stored, all but its id; made before it is the writer's turn.
#[derive(Clone)]
pub(super) struct Prepared {
    pub(super) part: OpenPart,
    extra: String,
}

impl Prepared {
    /// `id_before`: the part is stored as *sending*.
    pub(super) fn new(
        now: i64,
        part: &NewPart,
        id_before: Option<MessageId>,
    ) -> Result<Self, StoreError> {
        let extra = PartExtra { entities: part.rich.entities.clone(), ..part.extra.clone() };
        let json = serde_json::to_string(&extra).map_err(|e| StoreError::row("outbox", e))?;
        let part = OpenPart {
            id: PartId(0),
            chat: part.chat,
            text: part.rich.text.clone(),
            extra,
            state: id_before
                .map_or(PartState::Due, |id_before| PartState::Sending { id_before, at_ms: now }),
            attempts: 0,
            due_ms: now,
            created_ms: now,
        };
        Ok(Self { part, extra: json })
    }
}

/// Stores a part that answers an update.
pub(super) fn insert(
    tx: &Connection,
    bot: i64,
    asked: &Asked,
    Prepared { part, extra }: &Prepared,
) -> Result<PartId, StoreError> {
    let (state, attempt) = match part.state {
        PartState::Due => (State::Due, None),
        PartState::Sending { id_before, at_ms } => (State::Sending, Some((id_before, at_ms))),
    };
    tx.prepare_cached(
        "INSERT INTO outbox (bot_id, chat_id, seq, text, extra, state, due_ms, floor_id,
                             attempted_ms, created_ms, sender_id)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?7, ?10)",
    )?
    .execute(params![
        bot,
        part.chat.0,
        asked.seq.0,
        part.text,
        extra,
        state,
        part.created_ms,
        attempt.map(|(id_before, _)| id_before.0),
        attempt.map(|(_, at_ms)| at_ms),
        asked.sender.filter(|_| asked.chat == Some(part.chat.0))
    ])?;
    Ok(PartId(tx.last_insert_rowid()))
}

fn mark(tx: &Connection, now: i64, id: PartId, id_before: MessageId) -> Result<bool, StoreError> {
    let rows = tx
        .prepare_cached(concat!(
            "UPDATE outbox SET state = ?4, floor_id = ?2, attempted_ms = ?3 WHERE id = ?1 AND ",
            is_open!()
        ))?
        .execute(params![id.0, id_before.0, now, State::Sending])?;
    Ok(rows == 1)
}

/// Drops what is due in a chat; answers how many parts that were.
fn drop_due(
    tx: &Connection,
    bot: i64,
    chat: ChatId,
    reason: DeliveryReason,
) -> Result<usize, StoreError> {
    let mut drop = tx.prepare_cached(concat!(
        "UPDATE outbox SET state = ?3, reason = ?4, text = '', extra = ''
         WHERE bot_id = ?1 AND chat_id = ?2 AND state = ?5 AND ",
        is_open!()
    ))?;
    Ok(drop.execute(params![bot, chat.0, State::Dropped, reason.as_str(), State::Due])?)
}

fn open_part(row: &Row<'_>) -> rusqlite::Result<OpenPart> {
    let extra = row.get_ref(3)?.as_str().unwrap_or_default();
    let state = if row.get::<_, i64>(4)? == State::Due as i64 {
        PartState::Due
    } else {
        PartState::Sending {
            id_before: MessageId(row.get::<_, Option<i64>>(7)?.unwrap_or_default()),
            at_ms: row.get::<_, Option<i64>>(8)?.unwrap_or_default(),
        }
    };
    Ok(OpenPart {
        id: PartId(row.get(0)?),
        chat: ChatId(row.get(1)?),
        text: row.get(2)?,
        extra: serde_json::from_str(extra).unwrap_or_default(),
        state,
        attempts: row.get(5)?,
        due_ms: row.get(6)?,
        created_ms: row.get(9)?,
    })
}
