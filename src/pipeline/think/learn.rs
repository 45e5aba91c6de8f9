//! A document that an owner sent is loaded, read and kept.
//!
//! Invariant: it is kept in the commit that finishes its update, so a crash before that repeats everything, and a second
//! time changes nothing.

use std::collections::HashMap;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use hygiene::line::{count, one_line};
use tokio::time::sleep;

use super::{Thought, Worker};
use crate::answer::{Progress, lesson};
use crate::commands::OutgoingReply;
use crate::model::effect::Effect;
use crate::model::failure::{Classify, RetryPolicy};
use crate::model::learned::NewLearned;
use crate::model::limits;
use crate::model::message::Incoming;
use crate::model::reply::Reply;
use crate::model::sent_file::SentFile;
use crate::pipeline::preview::Spot;
use crate::store::{StoreError, UpdateOutcome};

/// Pauses between tries to load a file.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(4)];

/// Characters of a reason that are shown.
const REASON: usize = 300;

impl Worker {
    pub(super) async fn learn(
        &self,
        message: &Incoming,
        files: &[SentFile],
    ) -> Result<Thought, StoreError> {
        let (progress, seen) = tokio::sync::watch::channel(Progress::Learning);
        let mut shown = pin!(self.parts.previews.show(Spot::of(message, &self.delivery), seen));
        let (mut lines, mut learned) = (Vec::new(), Vec::new());
        for file in files {
            let read = tokio::select! {
                read = self.read(file) => read,
                never = &mut shown => match never {},
                () = self.cancel.cancelled() => return Ok(Thought::nothing(UpdateOutcome::Cancelled)),
            };
            let read = match read {
                Ok(new) => self.room_for(new, &learned).await?,
                Err(why) => Err(why),
            };
            let name = one_line(&file.name, 60);
            lines.push(match read {
                Ok(new) => {
                    let passages = new.passages;
                    tracing::info!(passages, "a document was learned");
                    learned.push(new);
                    format!("I have read {name}: {}.", count(passages, "passage"))
                }
                Err(why) => {
                    let why = one_line(&why, REASON);
                    tracing::warn!(error = why, "a document cannot be learned: {why}");
                    format!("I cannot use {name}: {why}.")
                }
            });
        }
        drop(progress);
        let rest = match learned.len() {
            0 => "",
            1 => {
                "I answer from it in a few seconds; /learned lists what I have, and /unlearn removes it."
            }
            _ => {
                "I answer from them in a few seconds; /learned lists what I have, and /unlearn removes them."
            }
        };
        let between = if files.len() > 1 { "\n" } else { " " };
        let text = format!("{}{between}{rest}", lines.join(between)).trim_end().to_owned();
        let mut thought = Thought::nothing(UpdateOutcome::Command);
        thought.effects.extend(learned.into_iter().map(|new| Effect::Learn(Box::new(new))));
        let reply = Reply { reply_to: message.attached_to(), ..Reply::plain(text) };
        thought.replies.push(OutgoingReply { to: message.chat, reply });
        Ok(thought)
    }

    async fn read(&self, file: &SentFile) -> Result<NewLearned, String> {
        let most = limits::FILE_BYTES as u64;
        if let Some(size) = file.size.filter(|size| *size > most) {
            return Err(format!(
                "it has {} MB, and Telegram lets me load {} MB at most; split it, or put it into a folder that I read",
                size.div_ceil(1 << 20),
                most >> 20
            ));
        }
        // One after the other: each is in memory as a whole.
        let _turn = self.parts.lessons.lock().await;
        let bytes = self.load(file).await?;
        lesson::read(&file.name, bytes).await
    }

    async fn load(&self, file: &SentFile) -> Result<Bytes, String> {
        let mut pauses = PAUSES.iter();
        loop {
            let failed = match self.parts.client.file(&file.file_id).await {
                Ok(bytes) => return Ok(bytes),
                Err(failed) => failed,
            };
            let passes = failed.retry_policy() != RetryPolicy::Never;
            match pauses.next().filter(|_| passes) {
                Some(pause) => sleep(*pause).await,
                None => {
                    return Err(format!(
                        "it cannot be loaded from Telegram ({failed}); send it again"
                    ));
                }
            }
        }
    }

    /// The document, if there is room for it beside the others and `learned`, which came with it.
    async fn room_for(
        &self,
        new: NewLearned,
        learned: &[NewLearned],
    ) -> Result<Result<NewLearned, String>, StoreError> {
        let others = self.parts.base.store.learned_documents().await?;
        let kept = others.into_iter().map(|other| (other.name, other.text_bytes));
        let with_it = learned.iter().map(|one| (one.name.clone(), one.document.len() as u64));
        let mut sizes: HashMap<String, u64> = kept.chain(with_it).collect();
        sizes.insert(new.name.clone(), new.document.len() as u64);
        let is_full = sizes.len() > limits::LEARNED_DOCUMENTS
            || sizes.values().sum::<u64>() > limits::ALL_LEARNED_BYTES;
        let why =
            "there is no room for it; /unlearn makes some, and folders take more than I do here";
        if is_full {
            return Ok(Err(why.to_owned()));
        }
        // Each of them is stored, logged and indexed.
        let of_them = learned.iter().map(|one| one.document.len() as u64).sum::<u64>();
        let bytes = of_them + new.document.len() as u64;
        Ok(match self.parts.base.store.room(3 * bytes).await {
            Ok(()) => Ok(new),
            Err(e) => Err(format!("{e}; free some space on it and send the document again")),
        })
    }
}
