//! A file that someone sent, before it is loaded.

use serde::{Deserialize, Serialize};

/// A document of a message (Bot API `Document`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentFile {
    /// Where to load it from.
    pub file_id: String,
    /// Its name, as its sender has it; empty where it has none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Its size in bytes, where Telegram says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
}
