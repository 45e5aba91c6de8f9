//! Alerts by mail: a message that threads, handed to one server that is trusted to deliver it.
//!
//! Invariants: a login or a message crosses an unencrypted connection only to this machine, or when
//! the table allows it by name; one delivery ends by its deadline, however slow the server is.

mod dialogue;
mod settings;
mod wire;

use std::time::{Duration, Instant};

use hygiene::Redactor;
use lettre::Message;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, SinglePart};
use lettre::transport::smtp::authentication::Credentials;
use rustls::RootCertStore;

use super::secret::Secret;
use super::{Accepted, Channel, Failure, Taken, attempt_end, quote};
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
    authorities: Option<RootCertStore>, // trusted instead of the system's authorities
    login: Option<(Credentials, Secret)>, // with the password, to be struck out
    hello: Option<String>,              // the name for `EHLO`, if not that of this machine
    from: Mailbox,
    to: Vec<Mailbox>,
}

impl Channel for Smtp {
    fn name(&self) -> &str {
        &self.name
    }

    fn deliver(&self, notification: &Notification, deadline: Instant) -> Accepted {
        let sent = attempt_end(self.timeout, deadline)
            .and_then(|end| self.send(notification, &self.letter(notification)?, end));
        // Servers repeat what they were sent.
        let redactor = Redactor::new(self.login.iter().map(|(_, password)| password.expose()));
        let Taken { remarks, left } = sent.map_err(|failure| failure.redacted(&redactor))?;
        let remarks = remarks.into_iter().map(|remark| redactor.clean(remark)).collect();
        Ok(Taken { remarks, left })
    }
}

impl Smtp {
    /// The mail (RFC 5322), dots not yet doubled. A repeat has the same Message-ID, and all mails of
    /// an incident hang below its first. The Date is now, not when it happened: a mail that waited
    /// would else be filed where no one looks.
    fn letter(&self, notification: &Notification) -> Result<Vec<u8>, Failure> {
        let id = |number| self.message_id(notification, number);
        let mut mail = Message::builder()
            .from(self.from.clone())
            .subject(quote(&notification.subject()))
            .date_now()
            .message_id(Some(id(notification.number)));
        for mailbox in &self.to {
            mail = mail.to(mailbox.clone());
        }
        if notification.number > 1 {
            mail = mail.in_reply_to(id(1)).references(id(1));
        }
        // RFC 3834: no automatic answers, from holiday programs and the like.
        let automatic = HeaderName::new_from_ascii_str("Auto-Submitted");
        mail = mail.raw_header(HeaderValue::new(automatic, "auto-generated".to_owned()));
        let text = SinglePart::builder().header(ContentType::TEXT_PLAIN).body(notification.text());
        let odd = |error| Failure::permanent(format!("cannot write the mail: {error}"));
        Ok(mail.singlepart(text).map_err(odd)?.formatted())
    }

    /// In the sender's domain, because filters doubt a host that is not known; with the host, because
    /// two can number alike; with the channel, because each counts for itself.
    fn message_id(&self, notification: &Notification, number: u32) -> String {
        let parts = [&self.name, &notification.host, &notification.incident];
        let [channel, host, incident] = parts.map(|part| atom(part));
        format!("<katana.{channel}.{host}.{incident}.{number}@{}>", self.from.email.domain())
    }
}

/// Characters that may stand in a Message-ID without quotes (RFC 5322, section 3.2.3), dots apart.
fn atom(text: &str) -> String {
    let fit = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '-' };
    if text.is_empty() { "-".to_owned() } else { text.chars().take(100).map(fit).collect() }
}
