//! A document that an owner sent becomes text that can be kept.
//!
//! Invariants: whatever the file is, reading it ends, and costs no more than its own process; the reason why it cannot
//! be kept is in words for its sender.

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::blocking;
use crate::knowledge::{cut, reader};
use crate::model::learned::NewLearned;
use crate::model::limits;

/// Characters of a name that are kept.
const NAME: usize = 120;

/// Reads a document.
///
/// # Errors
/// Why it cannot be kept.
pub async fn read(name: &str, bytes: Bytes) -> Result<NewLearned, String> {
    let name = file_name(name);
    let Some(format) = reader::Format::of(name.as_ref()) else {
        let known = reader::Format::names().join(", ");
        return Err(format!("its name does not end like a document that I can read ({known})"));
    };
    let file = reader::held(bytes.clone())
        .await
        .map_err(|e| format!("there is no room to read it: {e}"))?;
    let document = reader::read(format, file, reader::Limits::default()).await;
    let document = document.map_err(|unread| unread.reason)?;
    let kept = blocking::run(move || {
        reader::unbroken(|| kept(name, &bytes, &document)).map_err(|unread| unread.reason)?
    });
    kept.await.unwrap_or_else(|| Err("the bot is about to end".to_owned()))
}

/// What is kept of a document.
fn kept(name: String, bytes: &[u8], document: &reader::Document) -> Result<NewLearned, String> {
    let passages = cut::passages(document, limits::LEARNED_PASSAGES).pieces.len() as u64;
    if passages == 0 {
        return Err("there is no text in it".to_owned());
    }
    let document = serde_json::to_string(document).map_err(|e| e.to_string())?;
    if document.len() > limits::LEARNED_BYTES {
        let most = limits::LEARNED_BYTES >> 20;
        return Err(format!(
            "its text is too long (over {most} MB); split it, or put it into a folder that I read"
        ));
    }
    let (bytes, hash) = (bytes.len() as u64, Sha256::digest(bytes).into());
    Ok(NewLearned { name, bytes, hash, passages, document })
}

/// A name without folders and without what cannot be seen.
fn file_name(name: &str) -> String {
    let line = hygiene::line::one_line(name, NAME);
    let name = line.rsplit(['/', '\\']).next().unwrap_or_default().trim_start_matches('.').trim();
    if name.is_empty() { "document".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_document_is_kept_as_text_or_its_sender_hears_why_not() {
        let text = Bytes::from_static(b"# Plums\n\nThe plums are ripe in August.\n");
        let read = |name: &'static str, bytes: &Bytes| read(name, bytes.clone());
        let kept = super::read("../../plums.MD", text.clone()).await.unwrap();
        assert_eq!((kept.name.as_str(), kept.passages, kept.bytes), ("plums.MD", 1, 39));
        assert!(kept.document.contains("ripe in August"));
        assert!(read("plums.exe", &text).await.unwrap_err().contains("pdf"));
        assert!(read("", &text).await.is_err());
        assert!(read("empty.md", &Bytes::new()).await.is_err());
        let long = Bytes::from("many words, ".repeat(500_000));
        assert!(read("long.txt", &long).await.unwrap_err().contains("too long"));
    }
}
