//! Outcomes of parts, as they are stored.

use rusqlite::{Connection, OptionalExtension, params};

use super::columns::State;
use crate::model::ids::{MessageId, PartId};
use crate::store::failure::StoreError;
use crate::store::parts::{DeliveryOutcome, DeliveryReason, DeliveryRecord};

/// Stores the outcome of a part.
pub(super) fn record_one(tx: &Connection, row: &DeliveryRecord) -> Result<(), StoreError> {
    match &row.outcome {
        DeliveryOutcome::Sent(message) => {
            settle(tx, row.id, State::Sent, Some(*message), None)?;
        }
        DeliveryOutcome::Dropped(reason) => {
            settle(tx, row.id, State::Dropped, None, Some(*reason))?;
        }
        DeliveryOutcome::Retry { due_ms, reason } => {
            tx.prepare_cached(
                "UPDATE outbox SET state = ?2, due_ms = ?3, attempts = attempts + 1, reason = ?4
                 WHERE id = ?1",
            )?
            .execute(params![row.id.0, State::Due, due_ms, reason.as_str()])?;
        }
    }
    Ok(())
}

/// A settled part needs only its message id: the words live in the history, if anywhere.
fn settle(
    tx: &Connection,
    id: PartId,
    state: State,
    message: Option<MessageId>,
    reason: Option<DeliveryReason>,
) -> Result<(), StoreError> {
    let mut settle = tx.prepare_cached(
        "UPDATE outbox SET state = ?2, message_id = ?3, reason = ?4, text = '', extra = ''
         WHERE id = ?1 RETURNING bot_id, chat_id",
    )?;
    let reason = reason.map(DeliveryReason::as_str);
    let settled = settle.query_row(params![id.0, state, message.map(|m| m.0), reason], |r| {
        Ok((r.get::<_, i64>(0)?, r.get::<_, i64>(1)?))
    });
    if let (Some((bot, chat)), Some(message)) = (settled.optional()?, message)
        && message.0 > 0
    {
        tx.prepare_cached(
            "INSERT INTO chats (bot_id, chat_id, last_sent_id) VALUES (?1, ?2, ?3)
             ON CONFLICT (bot_id, chat_id) DO UPDATE SET
               last_sent_id = max(coalesce(last_sent_id, 0), excluded.last_sent_id)",
        )?
        .execute([bot, chat, message.0])?;
    }
    Ok(())
}
