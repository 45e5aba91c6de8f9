//! What is said to the server, from the connection to the last "250" (RFC 5321).
//!
//! Invariants: only the codes that the standard asks for count as a yes. A reply that somebody
//! slipped in before the encryption began would shift all later ones by one, and be noticed by that.

use std::error::Error as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lettre::Address;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{CertificateStore, SmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::{Error, response::Response};

use super::{Server, Tls};
use crate::channel::Failure;
use crate::channel::http::{io_words, tls_error, tls_failure};
use crate::channel::words::quote;

/// From whom, to whom, from where.
pub(super) struct Envelope {
    pub from: Address,
    pub to: Vec<Address>,
    /// The name of this host, for `EHLO`.
    pub hello_host: String,
}

/// How far a dialogue has come, shared with the thread that waits for it.
#[derive(Default)]
pub(super) struct Progress(Mutex<State>);

#[derive(Default)]
struct State {
    stage: Stage,
    given_up: bool,
}

/// What a dialogue does at the moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Stage {
    #[default]
    Connecting,
    Encrypting,
    LoggingIn,
    Addressing,
    Sending,
}

impl Stage {
    const fn words(self) -> &'static str {
        match self {
            Self::Connecting => "waiting for its greeting",
            Self::Encrypting => "turning on encryption",
            Self::LoggingIn => "logging in",
            Self::Addressing => "naming the recipients",
            Self::Sending => "sending the message",
        }
    }
}

impl Progress {
    /// Notes a stage. Fails when nobody waits any more: then nothing further may be sent, because
    /// the notice counts as not delivered.
    fn enter(&self, stage: Stage) -> Result<(), Failure> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.stage = stage;
        if state.given_up { Err(Failure::transient("given up")) } else { Ok(()) }
    }

    /// Ends the waiting, and says how far it had come.
    pub fn give_up(&self) -> Stage {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.given_up = true;
        state.stage
    }
}

/// Hands one message over. `read`: how long one read may take. Returns remarks about recipients
/// that were refused while others were not.
pub(super) fn run(
    server: &Server,
    envelope: &Envelope,
    letter: &[u8],
    read: Duration,
    progress: &Progress,
) -> Result<Vec<String>, Failure> {
    let mut connection = server.connect(&envelope.hello_host, read, progress)?;
    if let Some((user, password)) = &server.login {
        progress.enter(Stage::LoggingIn)?;
        let login = Credentials::new(user.clone(), password.expose().to_owned());
        let plain_first = [Mechanism::Plain, Mechanism::Login];
        let offered = connection.server_info().get_auth_mechanism(&plain_first);
        let mechanism = offered.ok_or_else(|| server.no_login())?;
        let reply = connection.auth(&[mechanism], &login);
        server.expect(reply, 235, "refused the login")?;
    }
    progress.enter(Stage::Addressing)?;
    let reply = connection.command(Mail::new(Some(envelope.from.clone()), Vec::new()));
    server.expect(reply, 250, "refused the sender")?;
    let refused = server.name_recipients(&mut connection, &envelope.to)?;
    progress.enter(Stage::Sending)?;
    server.expect(connection.command(Data), 354, "refused the message")?;
    server.expect(connection.message(letter), 250, "refused the message")?;
    // The message is accepted; how the farewell goes does not matter.
    let _ = connection.quit();
    Ok(refused)
}

impl Server {
    fn connect(
        &self,
        host: &str,
        read: Duration,
        progress: &Progress,
    ) -> Result<SmtpConnection, Failure> {
        let hello = hello(self.hello.as_deref().unwrap_or(host));
        let tls = (self.tls != Tls::None).then(|| self.parameters()).transpose()?;
        let at_once = tls.as_ref().filter(|_| self.tls == Tls::Implicit);
        let address = (self.host.as_str(), self.port);
        let mut connection = SmtpConnection::connect(address, Some(read), &hello, at_once, None)
            .map_err(|error| self.explain(&error, "greets with a refusal"))?;
        if let (Tls::Starttls, Some(tls)) = (self.tls, &tls) {
            progress.enter(Stage::Encrypting)?;
            if !connection.can_starttls() {
                connection.abort();
                return Err(self.no_starttls());
            }
            connection
                .starttls(tls, &hello)
                .map_err(|error| self.explain(&error, "refused STARTTLS"))?;
        }
        Ok(connection)
    }

    fn parameters(&self) -> Result<TlsParameters, Failure> {
        let mut builder = TlsParameters::builder(self.host.clone());
        if !self.authorities.is_empty() {
            builder = builder.certificate_store(CertificateStore::None);
        }
        for authority in &self.authorities {
            builder = builder.add_root_certificate(authority.clone());
        }
        let hint = "install ca-certificates, or name the authority with ca_file";
        builder.build_rustls().map_err(|error| {
            let words = quote(&error.to_string());
            Failure::transient(format!("cannot prepare TLS: {words}")).hint(hint)
        })
    }

    /// Names all recipients. As long as one is accepted, the mail goes to those; the others are
    /// returned as remarks.
    fn name_recipients(
        &self,
        connection: &mut SmtpConnection,
        to: &[Address],
    ) -> Result<Vec<String>, Failure> {
        let mut refused = Vec::new();
        let mut permanent = true;
        for address in to {
            match connection.command(Rcpt::new(address.clone(), Vec::new())) {
                Ok(reply) if reply.has_code(250) || reply.has_code(251) => {}
                Err(error) if error.status().is_some() => {
                    permanent &= error.is_permanent();
                    refused.push(format!("{address} ({})", said(&error)));
                }
                other => {
                    self.expect(other, 250, "refused a recipient")?;
                }
            }
        }
        if refused.len() < to.len() {
            let host = &self.host;
            return Ok(refused.iter().map(|r| format!("{host} refused {r}")).collect());
        }
        let message = format!("{} refused every recipient: {}", self.host, refused.join(", "));
        let hint =
            "check the addresses in to, and whether this server relays for this host or user";
        let failure =
            if permanent { Failure::permanent(message) } else { Failure::transient(message) };
        Err(failure.hint(hint))
    }

    /// The reply, when it is the one that the standard asks for here.
    fn expect(
        &self,
        reply: Result<Response, Error>,
        code: u16,
        refusal: &str,
    ) -> Result<(), Failure> {
        match reply {
            Ok(reply) if reply.has_code(code) => Ok(()),
            Ok(reply) => {
                let (host, got) = (&self.host, reply.code());
                let message = format!("cannot follow {host}: it answered {got} instead of {code}");
                Err(Failure::transient(message))
            }
            Err(error) => Err(self.explain(&error, refusal)),
        }
    }

    /// Why a step failed. `refusal`: what a reply of the server with an error code means here.
    fn explain(&self, error: &Error, refusal: &str) -> Failure {
        let host = &self.host;
        if error.status().is_some() {
            let message = format!("{host} {refusal}: {}", said(error));
            let failure = if error.is_permanent() {
                Failure::permanent(message)
            } else {
                Failure::transient(message)
            };
            return match refusal {
                "refused the login" => failure.hint(
                    "check user and password; providers with two-step login want a password made \
                     for this one program",
                ),
                "refused the sender" => {
                    failure.hint("from must be an address that this user may send as")
                }
                _ => failure,
            };
        }
        let cause = error.source().and_then(|cause| cause.downcast_ref::<std::io::Error>());
        match cause {
            Some(cause) => self.explain_io(cause),
            None => {
                let words = quote(&error.to_string());
                Failure::transient(format!("cannot talk to {host}: {words}"))
            }
        }
    }

    fn explain_io(&self, cause: &std::io::Error) -> Failure {
        use std::io::ErrorKind;
        let Self { host, port, .. } = self;
        if let Some(tls) = tls_error(cause) {
            let failure = tls_failure(tls, host);
            return match tls {
                rustls::Error::InvalidMessage(_) => {
                    failure.hint("this port begins without encryption: set tls = \"starttls\"")
                }
                _ => failure,
            };
        }
        match cause.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                Failure::transient(format!("no answer from {host} port {port} in time"))
            }
            ErrorKind::ConnectionRefused => Failure::transient(format!(
                "cannot connect to {host} port {port}: connection refused"
            ))
            .hint("check host and port, and that the mail server runs"),
            // The standard library has no kind of its own for this.
            _ if cause.to_string().starts_with("failed to lookup address") => {
                Failure::transient(format!("cannot find the host {host}"))
                    .hint("check the name, and that this machine can resolve names")
            }
            _ => {
                Failure::transient(format!("cannot reach {host} port {port}: {}", io_words(cause)))
            }
        }
    }

    /// The whole time was used up in this stage.
    pub(super) fn too_slow(&self, stage: Stage) -> Failure {
        let Self { host, port, tls, .. } = self;
        let failure =
            Failure::transient(format!("{host} port {port} took too long, {}", stage.words()));
        match stage {
            Stage::Connecting if *tls != Tls::Implicit && *port == 465 => {
                failure.hint("port 465 usually begins encrypted: set tls = \"implicit\"")
            }
            Stage::Sending => {
                failure.hint("the mail may have arrived; the repeat has the same Message-ID")
            }
            _ => failure,
        }
    }

    fn no_starttls(&self) -> Failure {
        let message =
            format!("{} port {} does not offer STARTTLS; nothing was sent", self.host, self.port);
        Failure::permanent(message).hint(
            "use the submission port of the server (587), or tls = \"implicit\" with port 465; if \
             it offered STARTTLS before, somebody on the way may be removing it",
        )
    }

    fn no_login(&self) -> Failure {
        let message = format!("{} offers no login by AUTH PLAIN or AUTH LOGIN", self.host);
        Failure::permanent(message)
            .hint("use the submission port of the server, or leave user out if it needs no login")
    }
}

/// The code and the words of a refusal.
fn said(error: &Error) -> String {
    let code = error.status().map(|code| code.to_string()).unwrap_or_default();
    let words = error.source().map(ToString::to_string).unwrap_or_default();
    quote(&format!("{code} {words}"))
}

/// What we call ourselves: a name if it is one, else an address literal (RFC 5321, section 4.1.3).
fn hello(host: &str) -> ClientId {
    let fit = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    if !host.is_empty() && host.len() <= 253 && host.chars().all(fit) {
        return ClientId::Domain(host.to_owned());
    }
    ClientId::Ipv4(std::net::Ipv4Addr::LOCALHOST)
}
