//! Messages that belong together: the pictures of an album, the parts of a text that a client has cut.

use serde::{Deserialize, Serialize};

use super::ids::MessageId;
use super::limits;
use super::text::utf16_len;

/// A message that is part of a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Piece {
    /// Its number in the chat.
    pub message_id: MessageId,
    /// Its text or caption; empty where it has none.
    pub words: String,
}

/// The words of the whole. Captions of an album stand below each other; so do texts, except where a client
/// has cut within a line: it cuts at the limit there, and leaves a line break out elsewhere.
pub fn joined(pieces: &[Piece], is_album: bool) -> String {
    let mut joined = String::new();
    for Piece { words, .. } in pieces {
        joined.push_str(words);
        if !words.is_empty() && (is_album || utf16_len(words) < limits::MESSAGE_UNITS) {
            joined.push('\n');
        }
    }
    joined.truncate(joined.trim_end_matches('\n').len());
    joined
}
