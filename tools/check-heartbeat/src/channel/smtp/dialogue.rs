//! What is said to the server, from the connection to the last "250" (RFC 5321).
//!
//! Invariant: only the codes that the standard asks for count as a yes.

use std::fmt::Display;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Instant;

use lettre::Address;
use lettre::transport::smtp::authentication::Mechanism;
use lettre::transport::smtp::commands::{Auth, Data, Ehlo, Mail, Quit, Rcpt, Starttls};
use lettre::transport::smtp::extension::{ClientId, Extension, ServerInfo};
use lettre::transport::smtp::response::{Response, Severity};
use rustls::ClientConfig;
use rustls_platform_verifier::BuilderVerifierExt;

use super::wire::Wire;
use super::{Server, Smtp, Tls};
use crate::channel::http::{io_words, tls_error, tls_failure};
use crate::channel::{Failure, quote};

/// What the dialogue does at the moment, in words.
const GREETING: &str = "waiting for its greeting";
const ENCRYPTING: &str = "turning on encryption";
const LOGGING_IN: &str = "logging in";
const ADDRESSING: &str = "naming the recipients";
const SENDING: &str = "sending the message";

/// A dialogue that has begun.
struct Dialogue<'a> {
    server: &'a Server,
    wire: Wire,
    stage: &'static str,
}

impl Server {
    /// Hands one message over by `end`. Returns remarks about recipients that were refused while
    /// others were not.
    pub(super) fn hand_over(
        &self,
        mail: &Smtp,
        host: &str,
        letter: &[u8],
        end: Instant,
    ) -> Result<Vec<String>, Failure> {
        let mut dialogue = self.greet(hello(self.hello.as_deref().unwrap_or(host)), end)?;
        dialogue.stage = ADDRESSING;
        let from = Mail::new(Some(mail.from.email.clone()), Vec::new());
        dialogue.expect(from, 250, "refused the sender")?;
        let refused = dialogue.name_recipients(mail.to.iter().map(|to| &to.email))?;
        dialogue.stage = SENDING;
        dialogue.expect(Data, 354, "refused the message")?;
        let stuffed = stuffed(letter);
        dialogue.expect(stuffed, 250, "refused the message")?;
        // The message is accepted; how the farewell goes does not matter.
        let _ = dialogue.wire.send(Quit.to_string().as_bytes());
        Ok(refused)
    }

    /// Connects, encrypts and logs in, as far as the table wants it.
    fn greet(&self, hello: ClientId, end: Instant) -> Result<Dialogue<'_>, Failure> {
        let failed = |error: io::Error| self.explain(&error, GREETING);
        let mut wire = Wire::connect(&self.host, self.port, end).map_err(failed)?;
        if self.tls == Tls::Implicit {
            wire = wire.encrypt(&self.host, self.tls_config()?).map_err(failed)?;
        }
        let greeting = wire.reply().map_err(failed)?;
        self.check(greeting, 220, "greets with a refusal")?;
        let mut dialogue = Dialogue { server: self, wire, stage: GREETING };
        let mut info = dialogue.ehlo(&hello)?;
        if self.tls == Tls::Starttls {
            dialogue.stage = ENCRYPTING;
            if !info.supports_feature(Extension::StartTls) {
                return Err(self.no_starttls());
            }
            dialogue.expect(Starttls, 220, "refused STARTTLS")?;
            let encrypted = dialogue.wire.encrypt(&self.host, self.tls_config()?);
            dialogue.wire = encrypted.map_err(|error| self.explain(&error, ENCRYPTING))?;
            info = dialogue.ehlo(&hello)?;
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
            let message = format!("cannot prepare TLS: {}", quote(&error.to_string()));
            Failure::transient(message)
                .hint("install ca-certificates, or name the authority with ca_file")
        })
    }

    /// The reply, when it has the code that the standard asks for here.
    fn check(&self, reply: Response, code: u16, refusal: &str) -> Result<Response, Failure> {
        if reply.has_code(code) {
            return Ok(reply);
        }
        let (host, got) = (&self.host, reply.code());
        let message = format!("{host} {refusal}: {}", said(&reply));
        let failure = match got.severity {
            Severity::PermanentNegativeCompletion => Failure::permanent(message),
            Severity::TransientNegativeCompletion => Failure::transient(message),
            _ => Failure::transient(format!(
                "cannot follow {host}: it answered {got} instead of {code}"
            )),
        };
        Err(match refusal {
            "refused the login" => failure.hint(
                "check user and password; providers with two-step login want a password made for \
                 this one program",
            ),
            "refused the sender" => {
                failure.hint("from must be an address that this user may send as")
            }
            _ => failure,
        })
    }

    /// Why a call failed in this stage.
    fn explain(&self, error: &io::Error, stage: &str) -> Failure {
        let Self { host, port, .. } = self;
        if let Some(tls) = tls_error(error) {
            let failure = tls_failure(tls, host);
            return match tls {
                rustls::Error::InvalidMessage(_) => {
                    failure.hint("this port begins without encryption: set tls = \"starttls\"")
                }
                _ => failure,
            };
        }
        match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => self.too_slow(stage),
            ErrorKind::ConnectionRefused => Failure::transient(format!(
                "cannot connect to {host} port {port}: connection refused"
            ))
            .hint("check host and port, and that the mail server runs"),
            ErrorKind::InvalidData => Failure::transient(format!("cannot talk to {host}: {error}")),
            // The standard library has no kind of its own for this.
            _ if error.to_string().starts_with("failed to lookup address") => {
                Failure::transient(format!("cannot find the host {host}"))
                    .hint("check the name, and that this machine can resolve names")
            }
            _ => {
                Failure::transient(format!("cannot reach {host} port {port}: {}", io_words(error)))
            }
        }
    }

    /// The whole time was used up in this stage.
    fn too_slow(&self, stage: &str) -> Failure {
        let Self { host, port, tls, .. } = self;
        let failure = Failure::transient(format!("{host} port {port} took too long, {stage}"));
        match stage {
            GREETING if *tls != Tls::Implicit && *port == 465 => {
                failure.hint("port 465 usually begins encrypted: set tls = \"implicit\"")
            }
            SENDING => {
                failure.hint("the mail may have arrived; the repeat has the same Message-ID")
            }
            _ => failure,
        }
    }

    fn no_starttls(&self) -> Failure {
        let Self { host, port, .. } = self;
        let message = format!("{host} port {port} does not offer STARTTLS; nothing was sent");
        Failure::permanent(message).hint(
            "use the submission port of the server (587), or tls = \"implicit\" with port 465; if \
             it offered STARTTLS before, someone on the way may be removing it",
        )
    }
}

impl Dialogue<'_> {
    fn say(&mut self, command: impl Display) -> Result<Response, Failure> {
        let sent = self.wire.send(command.to_string().as_bytes());
        let reply = sent.and_then(|()| self.wire.reply());
        reply.map_err(|error| self.server.explain(&error, self.stage))
    }

    fn expect(
        &mut self,
        command: impl Display,
        code: u16,
        refusal: &str,
    ) -> Result<Response, Failure> {
        let reply = self.say(command)?;
        self.server.check(reply, code, refusal)
    }

    fn ehlo(&mut self, hello: &ClientId) -> Result<ServerInfo, Failure> {
        let reply = self.expect(Ehlo::new(hello.clone()), 250, "refused EHLO")?;
        ServerInfo::from_response(&reply)
            .map_err(|_| Failure::transient(format!("cannot follow {}", self.server.host)))
    }

    fn log_in(&mut self, info: &ServerInfo) -> Result<(), Failure> {
        let Some(login) = &self.server.login else { return Ok(()) };
        self.stage = LOGGING_IN;
        let host = &self.server.host;
        let offered = info.get_auth_mechanism(&[Mechanism::Plain, Mechanism::Login]);
        let mechanism = offered.ok_or_else(|| {
            let message = format!("{host} offers no login by AUTH PLAIN or AUTH LOGIN");
            Failure::permanent(message).hint(
                "use the submission port of the server, or leave user out if it needs no login",
            )
        })?;
        let odd = |_| Failure::transient(format!("cannot follow {host} in its login"));
        let first = Auth::new(mechanism, login.clone(), None).map_err(odd)?;
        let mut reply = self.say(first)?;
        // LOGIN asks for the user, then for the password.
        for _ in 0..2 {
            if reply.has_code(334) {
                let next = Auth::new_from_response(mechanism, login.clone(), &reply);
                reply = self.say(next.map_err(odd)?)?;
            }
        }
        self.server.check(reply, 235, "refused the login").map(drop)
    }

    /// Names all recipients. As long as one is accepted, the mail goes to those; the others are
    /// returned as remarks.
    fn name_recipients<'t>(
        &mut self,
        to: impl Iterator<Item = &'t Address>,
    ) -> Result<Vec<String>, Failure> {
        let host = &self.server.host;
        let (mut refused, mut accepted, mut permanent) = (Vec::new(), 0, true);
        for address in to {
            let reply = self.say(Rcpt::new(address.clone(), Vec::new()))?;
            match reply.code().severity {
                _ if reply.has_code(250) || reply.has_code(251) => accepted += 1,
                Severity::PermanentNegativeCompletion | Severity::TransientNegativeCompletion => {
                    permanent &= reply.code().severity == Severity::PermanentNegativeCompletion;
                    refused.push(format!("{address} ({})", said(&reply)));
                }
                _ => drop(self.server.check(reply, 250, "refused a recipient")?),
            }
        }
        if accepted > 0 {
            return Ok(refused.iter().map(|one| format!("{host} refused {one}")).collect());
        }
        let message = format!("{host} refused every recipient: {}", refused.join(", "));
        let hint =
            "check the addresses in to, and whether this server relays for this host or user";
        Err(Failure { permanent, ..Failure::transient(message) }.hint(hint))
    }
}

/// The message as DATA wants it: dots at the beginning of lines doubled, and a dot alone at its end
/// (RFC 5321, section 4.5.2).
fn stuffed(letter: &[u8]) -> String {
    let mut text = String::new();
    for line in String::from_utf8_lossy(letter).split_inclusive('\n') {
        if line.starts_with('.') {
            text.push('.');
        }
        text.push_str(line);
    }
    let end = if text.ends_with("\r\n") { ".\r\n" } else { "\r\n.\r\n" };
    text + end
}

/// The code and the words of a reply.
fn said(reply: &Response) -> String {
    let words: Vec<&str> = reply.message().collect();
    quote(&format!("{} {}", reply.code(), words.join(" ")))
}

/// Our own name: a host's name if it is one, else an address literal (RFC 5321, section 4.1.3).
fn hello(host: &str) -> ClientId {
    let fit = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    if !host.is_empty() && host.len() <= 253 && host.chars().all(fit) {
        return ClientId::Domain(host.to_owned());
    }
    ClientId::Ipv4(std::net::Ipv4Addr::LOCALHOST)
}
