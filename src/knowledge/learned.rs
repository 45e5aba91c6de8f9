//! Documents that owners sent in a chat, as a source of the index.
//!
//! Invariant: the state has them, and the index follows: what is gone there goes here, and what is the same is not
//! prepared again.

use std::fmt;

use extract::Document;

use super::reading;
use super::source::LEARNED;
use super::sync::{Pass, is_full};
use crate::blocking;
use crate::model::learned::LearnedDocument;
use crate::observe::clock::Clock;
use crate::store::{Index, KnownDocument, NewDocument, Store, StoreError};

/// The state that has them.
pub(super) struct Learned(pub(super) Store);

impl fmt::Debug for Learned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Learned").finish_non_exhaustive()
    }
}

impl Learned {
    /// Brings the index up to date with the state; adds to what a pass did.
    ///
    /// # Errors
    /// When the state or the index fails. Where that has no room for a document, the others come first.
    pub(super) async fn sync(
        &self,
        index: &Index,
        clock: &Clock,
        pass: &mut Pass,
    ) -> Result<(), StoreError> {
        let store = &self.0;
        let kept = store.learned_documents().await?;
        let known =
            index.documents().await?.into_iter().filter(|document| document.source == LEARNED);
        let (stay, gone): (Vec<KnownDocument>, Vec<_>) =
            known.partition(|document| kept.iter().any(|kept| kept.name == document.path));
        if !gone.is_empty() {
            let removed = index.remove(gone.iter().map(|document| document.id).collect()).await?;
            pass.gone.extend(removed);
            pass.removed += gone.len();
        }
        let mut full = Ok(());
        for document in kept {
            if stay.iter().any(|known| is_same(known, &document)) {
                pass.unchanged += 1;
                continue;
            }
            // Not read for nothing.
            if let Err(e) = index.room(0).await {
                full = Err(e);
                break;
            }
            let Some(text) = store.learned_document(document.id).await? else { continue };
            let Some(new) = blocking::run(move || prepared(&document, &text)).await else {
                return Ok(());
            };
            let put = match index.put(NewDocument { indexed_ms: clock.now_ms(), ..new }).await {
                Err(e) if is_full(&e) => {
                    full = Err(e);
                    continue;
                }
                put => put?,
            };
            pass.read += 1;
            pass.added += put.added.len();
            pass.gone.extend(put.removed);
        }
        full
    }
}

fn is_same(known: &KnownDocument, kept: &LearnedDocument) -> bool {
    known.path == kept.name
        && known.hash[..] == kept.hash[..]
        && reading::is_current(&known.path, &known.read_by)
}

fn prepared(kept: &LearnedDocument, text: &str) -> NewDocument {
    let document = serde_json::from_str::<Document>(text);
    let read = document.map(|document| reading::prepared(&document));
    let read = read.unwrap_or_else(|e| {
        reading::unreadable(format!("its text cannot be read: {e}; send it again"))
    });
    NewDocument {
        source: LEARNED.to_owned(),
        path: kept.name.clone(),
        hash: kept.hash.as_slice().try_into().unwrap_or_default(),
        read_by: reading::reader_of(&kept.name),
        ..read
    }
}
