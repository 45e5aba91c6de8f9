//! How a bot without an owner gets one.

use anyhow::Context;

use crate::commands;
use crate::config::Loaded;
use crate::model::limits;
use crate::observe::catalog::JournalEvent;
use crate::store::{Opening, Store};

/// Says how a bot without an owner can be claimed; returns the code, while one is valid.
pub(super) async fn open_access(store: &Store, loaded: &Loaded) -> anyhow::Result<Option<String>> {
    if !loaded.config.bot.owners.is_empty() {
        return Ok(None);
    }
    let fresh = commands::fresh_code().context("cannot get random bytes")?;
    let minutes = limits::CLAIM_CODE_LIFE.as_secs() / 60;
    match store.opening(fresh).await? {
        Opening::Owned => Ok(None),
        Opening::Claimable(code) => {
            tracing::warn!(
                message_id = JournalEvent::OwnerWanted.id(),
                "this bot has no owner yet; send it this message to become the owner: /claim {code} \
                 (valid for {minutes} minutes; then `katana-bot users claim` makes a new code)"
            );
            Ok(Some(code))
        }
        Opening::Expired => {
            tracing::warn!(
                message_id = JournalEvent::OwnerWanted.id(),
                "this bot has no owner yet, and its claim code has expired; `katana-bot users claim` \
                 makes a new one"
            );
            Ok(None)
        }
    }
}
