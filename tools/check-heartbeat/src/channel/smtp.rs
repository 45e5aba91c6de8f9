//! Alerts by mail: a message that threads, handed to one server that is trusted to deliver it.
//!
//! Invariants: a login or a message crosses an unencrypted connection only to this machine, or when
//! the table allows it by name; one delivery ends by its deadline, however slow the server is.

mod dialogue;
mod letter;
mod settings;
mod wire;

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hygiene::Redactor;
use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::Credentials;
use rustls::RootCertStore;

use super::secret::Secret;
use super::{Channel, Failure, attempt_end};
use crate::notification::Notification;

pub use settings::Settings;

/// How the connection is encrypted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tls {
    /// From the first byte (RFC 8314, section 3.3).
    Implicit,
    /// After `STARTTLS`, which the server must offer (RFC 3207).
    Starttls,
    None,
}

/// A mailbox that writes to others through one server.
pub(super) struct Smtp {
    name: String,
    timeout: Duration,
    host: String,
    port: u16,
    tls: Tls,
    /// Trusted instead of the system's authorities.
    authorities: Option<RootCertStore>,
    login: Option<Credentials>,
    /// The password, to be struck out.
    secret: Option<Secret>,
    /// The name for `EHLO`, if not that of this machine.
    hello: Option<String>,
    from: Mailbox,
    to: Vec<Mailbox>,
    remarks: Mutex<Vec<String>>,
}

impl Channel for Smtp {
    fn name(&self) -> &str {
        &self.name
    }

    fn deliver(&self, notification: &Notification, deadline: Instant) -> Result<(), Failure> {
        let sent = attempt_end(self.timeout, deadline).and_then(|end| {
            let letter = letter::write(notification, &self.name, &self.from, &self.to)?;
            self.send(&notification.host, &letter, end)
        });
        // Servers repeat what they were sent.
        let redactor = Redactor::new(self.secret.iter().map(Secret::expose));
        let refused = sent.map_err(|failure| failure.redacted(&redactor))?;
        let remarks = refused.into_iter().map(|remark| redactor.clean(remark)).collect();
        *self.remarks.lock().unwrap_or_else(PoisonError::into_inner) = remarks;
        Ok(())
    }

    fn remarks(&self) -> Vec<String> {
        std::mem::take(&mut *self.remarks.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
