//! What an error of a command comes to: its exit status, and what to do.

use super::stop::{CA_CERTIFICATES, Stop, of_store};
use super::{backup, exit};
use crate::store::{BackupError, StoreError};
use crate::web;

/// Exit status, and what to do.
pub(super) fn remedy(e: &anyhow::Error) -> (u8, Option<&str>) {
    if e.is::<crate::config::Problems>() {
        (exit::CONFIG, None)
    } else if let Some(stop) = e.downcast_ref::<Stop>() {
        (stop.code, stop.hint.as_deref())
    } else if let Some(store) = e.downcast_ref::<StoreError>() {
        (of_store(store), Some(store.hint()))
    } else if let Some(backup) = e.downcast_ref::<BackupError>() {
        (backup::code(backup), Some(backup.hint()))
    } else if let Some(web) = e.downcast_ref::<web::WebError>() {
        (exit::UNAVAILABLE, Some(web.hint()))
    } else if e.downcast_ref::<crate::knowledge::KnowledgeError>().is_some() {
        (exit::CONFIG, Some("check knowledge.dir (KATANA_KNOWLEDGE_DIR)"))
    } else if e.downcast_ref::<crate::provider::ProviderError>().is_some() {
        (exit::CONFIG, Some("katana-bot check-config shows each value and where it comes from"))
    } else if e.downcast_ref::<crate::telegram::TelegramError>().is_some() {
        // Calls are repeated until they work; only building the client fails permanently.
        (exit::UNAVAILABLE, Some(CA_CERTIFICATES))
    } else {
        (exit::SOFTWARE, None)
    }
}
