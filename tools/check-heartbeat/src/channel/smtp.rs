//! Alerts by mail: a message that threads, handed to one server that is trusted to deliver it.
//!
//! Invariants: a login or a message crosses an unencrypted connection only to this machine, or when
//! the table says so by name; one delivery ends by its deadline, however slowly the server drips.

mod dialogue;
mod letter;
mod settings;

use std::fmt;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use lettre::Address;
use lettre::message::Mailbox;
use lettre::transport::smtp::client::Certificate;

use super::scrub::Scrub;
use super::secret::Secret;
use super::{Channel, Failure, attempt_end};
use crate::notice::Notice;
use dialogue::Progress;

pub use settings::Settings;

/// How the connection is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tls {
    /// From the first byte (RFC 8314, section 3.3).
    Implicit,
    /// After `STARTTLS`, which the server must offer (RFC 3207).
    Starttls,
    /// Not at all.
    None,
}

/// The server, and who we are there.
struct Server {
    host: String,
    port: u16,
    tls: Tls,
    /// Trusted instead of the system's authorities.
    authorities: Vec<Certificate>,
    login: Option<(String, Secret)>,
    /// What to say in `EHLO`; the host's name when the table does not say.
    hello: Option<String>,
}

/// A mailbox that writes to others through one server.
pub(super) struct Smtp {
    name: String,
    timeout: Duration,
    server: Arc<Server>,
    from: Mailbox,
    to: Vec<Mailbox>,
    scrub: Scrub,
    remarks: Mutex<Vec<String>>,
}

impl fmt::Debug for Smtp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Smtp").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Smtp {
    /// Runs the dialogue on a thread of its own and leaves it behind when the time is up: lettre's
    /// timeout is for one read, and a server that sends a byte now and then could hold it for ever.
    fn send(&self, notice: &Notice, deadline: Instant) -> Result<Vec<String>, Failure> {
        let end = attempt_end(self.timeout, deadline)?;
        let letter = letter::write(notice, &self.name, &self.from, &self.to)?;
        let to: Vec<Address> = self.to.iter().map(|to| to.email.clone()).collect();
        let (server, from, host) =
            (Arc::clone(&self.server), self.from.email.clone(), notice.host.clone());
        let progress = Arc::new(Progress::default());
        let seen = Arc::clone(&progress);
        let (tell, told) = mpsc::sync_channel(1);
        let read = end.saturating_duration_since(Instant::now());
        let work = move || {
            let envelope = dialogue::Envelope { from, to, hello_host: host };
            let _ = tell.send(dialogue::run(&server, &envelope, &letter, read, &seen));
        };
        let spawned = thread::Builder::new().name("smtp".to_owned()).spawn(work);
        spawned.map_err(|error| {
            Failure::transient(format!("cannot start a thread for the mail: {}", error.kind()))
        })?;
        match told.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(result) => result,
            Err(RecvTimeoutError::Timeout) => Err(self.server.too_slow(progress.give_up())),
            Err(RecvTimeoutError::Disconnected) => Err(Failure::transient(
                "cannot send the mail: its thread ended early; this is a bug",
            )),
        }
    }
}

impl Channel for Smtp {
    fn name(&self) -> &str {
        &self.name
    }

    fn deliver(&self, notice: &Notice, deadline: Instant) -> Result<(), Failure> {
        let sent = self.send(notice, deadline).map_err(|failure| self.scrub.failure(failure));
        let mut remarks = self.remarks.lock().unwrap_or_else(PoisonError::into_inner);
        *remarks = Vec::new();
        *remarks = sent?.iter().map(|remark| self.scrub.clean(remark)).collect();
        Ok(())
    }

    fn remarks(&self) -> Vec<String> {
        std::mem::take(&mut *self.remarks.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
