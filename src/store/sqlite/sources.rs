//! What answers were written from.

use rusqlite::types::ValueRef;
use rusqlite::{OptionalExtension, params};

use super::db::Sqlite;
use crate::model::cited::KeptPassage;
use crate::model::conversation::ConversationId;
use crate::store::failure::StoreError;

/// Passages as their column has them.
pub(super) fn column(passages: &[KeptPassage]) -> Result<String, StoreError> {
    serde_json::to_string(passages).map_err(|e| StoreError::row("answers", e))
}

/// Passages from their column. What a later version wrote must not take the answer with it.
pub(super) fn passages(column: ValueRef<'_>) -> Vec<KeptPassage> {
    let json = column.as_str().unwrap_or_default();
    serde_json::from_str(json).unwrap_or_default()
}

impl Sqlite {
    pub(in crate::store) async fn last_sources(
        &self,
        conversation: ConversationId,
    ) -> Result<Option<Vec<KeptPassage>>, StoreError> {
        let (bot, ConversationId { chat, topic }) = (self.bot(), conversation);
        self.read(move |conn| {
            let mut find = conn.prepare_cached(
                "SELECT a.passages FROM answers a WHERE a.message_id = (
                   SELECT max(m.id) FROM messages m
                   WHERE m.bot_id = ?1 AND m.chat_id = ?2 AND m.topic_id = ?3 AND m.turn_id = (
                     SELECT max(turn_id) FROM messages
                     WHERE bot_id = ?1 AND chat_id = ?2 AND topic_id = ?3 AND turn_id > coalesce(
                       (SELECT after_turn FROM conversations
                        WHERE bot_id = ?1 AND chat_id = ?2 AND topic_id = ?3), 0)))",
            )?;
            let found =
                find.query_row(params![bot, chat.0, topic], |r| Ok(passages(r.get_ref(0)?)));
            Ok(found.optional()?)
        })
        .await
    }
}
