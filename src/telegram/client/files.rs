//! Files that people send.

use std::time::Instant;

use bytes::Bytes;

use super::{Client, json};
use crate::model::limits;
use crate::telegram::failure::TelegramError;
use crate::telegram::{answers, params};

/// How a download is called in metrics, beside the methods.
const DOWNLOAD: &str = "downloadFile";

impl Client {
    /// `getFile`, and the file itself; at most [`limits::FILE_BYTES`].
    ///
    /// # Errors
    /// Any failure of either call, and an address that no Bot API server gives for a download.
    pub async fn file(&self, file_id: &str) -> Result<Bytes, TelegramError> {
        let file: answers::FilePath = self.call("getFile", json(&params::file(file_id))?).await?;
        let unfit = |why: &str| TelegramError::NotSent(why.to_owned());
        if file.file_size.is_some_and(|size| size > limits::FILE_BYTES as u64) {
            return Err(unfit("the file is too large"));
        }
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-');
        let path = file.file_path.as_str();
        if path.is_empty()
            || path.starts_with('/')
            || path.contains("..")
            || !path.chars().all(is_plain)
        {
            return Err(unfit("the Bot API server gives no address to load the file from"));
        }
        let begun = Instant::now();
        let loaded = self.lines().files.load(path).await.map_err(|e| self.failed(e));
        self.note(DOWNLOAD, begun, loaded.as_ref().err());
        loaded
    }
}
