//! How a bot without an owner gets one.

use anyhow::Context;

use crate::commands;
use crate::config::Loaded;
use crate::observe::catalog::JournalEvent;
use crate::store::{Opening, Store};

/// Says how a bot without an owner can be claimed.
pub(super) async fn open_access(store: &Store, loaded: &Loaded) -> anyhow::Result<Option<String>> {
    if !loaded.config.bot.owners.is_empty() {
        return Ok(None);
    }
    let fresh = commands::fresh_code().context("cannot get random bytes")?;
    let Opening::Claimable(code) = store.opening(fresh).await? else { return Ok(None) };
    tracing::warn!(
        message_id = JournalEvent::OwnerWanted.id(),
        "this bot has no owner yet; send it this message to become the owner: /claim {code}"
    );
    Ok(Some(code))
}
