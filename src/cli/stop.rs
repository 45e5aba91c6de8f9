//! An error that ends the program: what to say, with which exit code.

use super::exit;
use crate::store::{StoreError, StoreErrorKind};

/// What to do when TLS has no trusted certificates.
pub(super) const CA_CERTIFICATES: &str =
    "TLS needs the machine's CA certificates: apt install ca-certificates";

/// An error with an exit code and something to do about it.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Stop {
    pub(super) code: u8,
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

impl Stop {
    pub(super) fn new(code: u8, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: Some(hint.into()) }
    }
}

/// The exit code of a failure of the store.
pub(super) fn of_store(e: &StoreError) -> u8 {
    match e.kind() {
        StoreErrorKind::InUse => exit::TEMPFAIL,
        StoreErrorKind::Schema | StoreErrorKind::WrongFile => exit::CONFIG,
        _ => exit::UNAVAILABLE,
    }
}
