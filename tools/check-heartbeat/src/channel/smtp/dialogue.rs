//! What is said to the server, from the connection to the last "250" (RFC 5321).
//!
//! Invariant: only the codes that the standard asks for count as a yes.

use std::fmt::Display;
use std::io::{Error, ErrorKind};
use std::sync::Arc;
use std::time::Instant;

use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::Mechanism;
use lettre::transport::smtp::commands::{Auth, Data, Ehlo, Mail, Quit, Rcpt, Starttls};
use lettre::transport::smtp::extension::{ClientId, Extension, ServerInfo};
use lettre::transport::smtp::response::{Response, Severity};
use rustls::ClientConfig;
use rustls_platform_verifier::BuilderVerifierExt;

use super::wire::Wire;
use super::{Smtp, Tls};
use crate::channel::http::{io_failure, tls_error};
use crate::channel::{Accepted, Failure, Taken, quote};
use crate::notification::Notification;

/// What the dialogue does at the moment, in words.
const GREETING: &str = "waiting for its greeting";
const ENCRYPTING: &str = "turning on encryption";
const LOGGING_IN: &str = "logging in";
const ADDRESSING: &str = "naming the recipients";
const SENDING: &str = "sending the message";

/// A dialogue that has begun.
struct Dialogue<'a> {
    mail: &'a Smtp,
    wire: Wire,
    stage: &'static str,
}

impl Smtp {
    /// Hands one message over by `end`, to the recipients that the notification is still for. Returns
    /// which were refused while others were not.
    pub(super) fn send(&self, about: &Notification, letter: &[u8], end: Instant) -> Accepted {
        let is_for =
            |to: &&Mailbox| about.only.is_empty() || about.only.contains(&to.email.to_string());
        let to: Vec<&Mailbox> = self.to.iter().filter(is_for).collect();
        if to.is_empty() {
            // Those that were left are no longer configured.
            return Ok(Taken::default());
        }
        let hello = hello(self.hello.as_deref().unwrap_or(&about.host));
        let mut dialogue = self.greet(&hello, end)?;
        dialogue.stage = ADDRESSING;
        let from = Mail::new(Some(self.from.email.clone()), Vec::new());
        dialogue.expect(from, 250, "refused the sender")?;
        // That those who are left are refused once more says nothing about the channel.
        let alone = !about.only.is_empty();
        let mut taken = dialogue.name_recipients(&to, alone)?;
        if taken.remarks.len() < to.len() {
            match dialogue.hand_over(letter) {
                Err(failure) if alone => {
                    if !failure.permanent {
                        taken.left.clone_from(&about.only);
                    }
                    taken.remarks.push(failure.to_string());
                }
                result => result?,
            }
        }
        // How the farewell goes does not matter.
        let _ = dialogue.wire.send(Quit.to_string().as_bytes());
        Ok(taken)
    }

    /// Connects, encrypts and logs in, as far as the table wants it.
    fn greet(&self, hello: &ClientId, end: Instant) -> Result<Dialogue<'_>, Failure> {
        let failed = |error: Error| self.explain(&error, GREETING);
        let mut wire = Wire::connect(&self.host, self.port, end).map_err(failed)?;
        if self.tls == Tls::Implicit {
            wire = wire.encrypt(&self.host, self.tls_config()?).map_err(failed)?;
        }
        let mut dialogue = Dialogue { mail: self, wire, stage: GREETING };
        dialogue.expect("", 220, "greets with a refusal")?;
        let mut info = dialogue.ehlo(hello)?;
        if self.tls == Tls::Starttls {
            dialogue.stage = ENCRYPTING;
            if !info.supports_feature(Extension::StartTls) {
                let (host, port) = (&self.host, self.port);
                let what = format!("{host} port {port} does not offer STARTTLS; nothing was sent");
                return Err(Failure::permanent(what).hint(
                    "use the server's submission port (587), or tls = \"implicit\" with port 465; if \
                     it offered STARTTLS before, someone on the way may be removing it",
                ));
            }
            dialogue.expect(Starttls, 220, "refused STARTTLS")?;
            let encrypted = dialogue.wire.encrypt(&self.host, self.tls_config()?);
            dialogue.wire = encrypted.map_err(|error| self.explain(&error, ENCRYPTING))?;
            info = dialogue.ehlo(hello)?;
        }
        dialogue.log_in(&info)?;
        Ok(dialogue)
    }

    fn tls_config(&self) -> Result<ClientConfig, Failure> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider);
        let builder = builder.with_safe_default_protocol_versions();
        let builder = builder.and_then(|builder| match &self.authorities {
            Some(roots) => Ok(builder.with_root_certificates(roots.clone())),
            None => builder.with_platform_verifier(),
        });
        builder.map(|builder| builder.with_no_client_auth()).map_err(|error| {
            Failure::transient(format!("cannot prepare TLS: {}", quote(&error.to_string())))
                .hint("install ca-certificates, or name the authority with ca_file")
        })
    }

    /// Why a call failed in this stage.
    fn explain(&self, error: &Error, stage: &str) -> Failure {
        let server = format!("{} port {}", self.host, self.port);
        match (error.kind(), tls_error(error)) {
            (ErrorKind::InvalidData, None) => {
                Failure::transient(format!("cannot understand {server}: {error}"))
            }
            (ErrorKind::WouldBlock | ErrorKind::TimedOut, _) => {
                let failure = Failure::transient(format!("{server} took too long, {stage}"));
                failure.hint(match stage {
                    GREETING if self.tls != Tls::Implicit && self.port == 465 => {
                        "port 465 usually begins encrypted: set tls = \"implicit\""
                    }
                    SENDING => "the mail may have arrived; the repeat has the same Message-ID",
                    _ => "",
                })
            }
            (_, Some(rustls::Error::InvalidMessage(_))) => io_failure(error, &server)
                .hint("this port begins without encryption: set tls = \"starttls\""),
            _ => io_failure(error, &server),
        }
    }
}

impl Dialogue<'_> {
    fn say(&mut self, command: impl Display) -> Result<Response, Failure> {
        let sent = self.wire.send(command.to_string().as_bytes());
        let reply = sent.and_then(|()| self.wire.reply());
        reply.map_err(|error| self.mail.explain(&error, self.stage))
    }

    fn expect(&mut self, say: impl Display, code: u16, refusal: &str) -> Result<Response, Failure> {
        let reply = self.say(say)?;
        self.check(reply, code, refusal)
    }

    /// The reply, when it has the code that the standard asks for here.
    fn check(&self, reply: Response, code: u16, refusal: &str) -> Result<Response, Failure> {
        if reply.has_code(code) {
            return Ok(reply);
        }
        let Some(permanent) = refuses(&reply) else { return Err(self.odd()) };
        let hint = match (refusal, permanent) {
            (_, false) => "the server asks to try again later, and it is tried again",
            ("refused the login", true) => {
                "check user and password; providers with two-step login want a password made for \
                 this one program"
            }
            ("refused the sender", true) => "from must be an address that this user may send as",
            (_, true) => "",
        };
        let message = format!("{} {refusal}: {}", self.mail.host, said(&reply));
        Err(Failure { permanent, ..Failure::transient(message) }.hint(hint))
    }

    fn odd(&self) -> Failure {
        let (host, stage) = (&self.mail.host, self.stage);
        Failure::transient(format!("cannot follow {host}, {stage}: this is not what SMTP asks for"))
    }

    fn ehlo(&mut self, hello: &ClientId) -> Result<ServerInfo, Failure> {
        let reply = self.expect(Ehlo::new(hello.clone()), 250, "refused EHLO")?;
        ServerInfo::from_response(&reply).map_err(|_| self.odd())
    }

    fn log_in(&mut self, info: &ServerInfo) -> Result<(), Failure> {
        let Some((login, _)) = &self.mail.login else { return Ok(()) };
        self.stage = LOGGING_IN;
        let offered = info.get_auth_mechanism(&[Mechanism::Plain, Mechanism::Login]);
        let mechanism = offered.ok_or_else(|| {
            let host = &self.mail.host;
            Failure::permanent(format!("{host} offers no login by AUTH PLAIN or AUTH LOGIN"))
                .hint("use the server's submission port, or leave user out if it needs no login")
        })?;
        let first = Auth::new(mechanism, login.clone(), None).map_err(|_| self.odd())?;
        let mut reply = self.say(first)?;
        // LOGIN asks for the user, then for the password.
        for _ in 0..2 {
            if reply.has_code(334) {
                let next = Auth::new_from_response(mechanism, login.clone(), &reply);
                reply = self.say(next.map_err(|_| self.odd())?)?;
            }
        }
        self.check(reply, 235, "refused the login").map(drop)
    }

    fn hand_over(&mut self, letter: &[u8]) -> Result<(), Failure> {
        self.stage = SENDING;
        self.expect(Data, 354, "refused the message")?;
        self.expect(stuffed(letter), 250, "refused the message").map(drop)
    }

    /// Names the recipients. As long as one is accepted, the mail goes to those; of the others, the ones
    /// that may be accepted later are left. `alone`: others have it, and no one need be accepted.
    fn name_recipients(&mut self, to: &[&Mailbox], alone: bool) -> Accepted {
        let host = &self.mail.host;
        let (mut refused, mut left) = (Vec::new(), Vec::new());
        for address in to.iter().map(|to| &to.email) {
            let reply = self.say(Rcpt::new(address.clone(), Vec::new()))?;
            if let Some(permanent) = refuses(&reply) {
                refused.push(format!("{address} ({})", said(&reply)));
                left.extend((!permanent).then(|| address.to_string()));
            } else if !reply.has_code(251) {
                self.check(reply, 250, "")?;
            }
        }
        if alone || refused.len() < to.len() {
            let remark = |one: &String| {
                let again = left.iter().any(|address| one.starts_with(&format!("{address} (")));
                let then = if again { "; it is tried again alone" } else { "" };
                format!("{host} refused {one}{then}")
            };
            return Ok(Taken { remarks: refused.iter().map(remark).collect(), left });
        }
        let message = format!("{host} refused every recipient: {}", refused.join(", "));
        let permanent = left.is_empty();
        let hint = if permanent {
            "check the addresses in to, and whether this server relays for this host or user"
        } else {
            "the server may take it later, and it is tried again; if this goes on, ask who runs the \
             server about greylisting and limits"
        };
        Err(Failure { permanent, ..Failure::transient(message) }.hint(hint))
    }
}

/// Whether the reply is a refusal, and if so, whether a lasting one.
fn refuses(reply: &Response) -> Option<bool> {
    match reply.code().severity {
        Severity::PermanentNegativeCompletion => Some(true),
        Severity::TransientNegativeCompletion => Some(false),
        _ => None,
    }
}

/// The message as DATA wants it: dots at the beginning of lines doubled, and a dot alone at its end
/// (RFC 5321, section 4.5.2).
fn stuffed(letter: &[u8]) -> String {
    let text = String::from_utf8_lossy(letter);
    let text = text.trim_end_matches("\r\n").replace("\n.", "\n..");
    let first = if text.starts_with('.') { "." } else { "" };
    format!("{first}{text}\r\n.\r\n")
}

/// The code and the words of a reply.
fn said(reply: &Response) -> String {
    let words: Vec<&str> = reply.message().collect();
    quote(&format!("{} {}", reply.code(), words.join(" ")))
}

/// Our own name: a host's name if it is one, else an address literal (RFC 5321, section 4.1.3).
fn hello(host: &str) -> ClientId {
    let fit = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    match (1..=253).contains(&host.len()) && host.chars().all(fit) {
        true => ClientId::Domain(host.to_owned()),
        false => ClientId::Ipv4(std::net::Ipv4Addr::LOCALHOST),
    }
}
