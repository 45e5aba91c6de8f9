//! The table of a mail channel, with the words for each mistake in it.

use std::path::Path;

use hygiene::text;
use hygiene::url::is_loopback;
use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::Credentials;
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use serde::Deserialize;

use super::{Smtp, Tls};
use crate::channel::secret::{Secret, Sources};
use crate::channel::{Environment, name, timeout};
use crate::problem::Problem;

/// Most recipients of one channel. More people are what a mailing list is for.
const RECIPIENTS: usize = 50;
/// Largest `ca_file`, in bytes; the bundle of a whole system has a quarter of it.
const CA_BYTES: u64 = 1024 * 1024;

/// One table with `type = "smtp"`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    name: Option<String>,
    timeout: Option<toml::Value>,
    host: String,
    port: Option<u16>,
    tls: Option<String>,
    #[serde(default)]
    allow_plaintext: bool,
    ca_file: Option<String>,
    user: Option<String>,
    password_file: Option<String>,
    password_credential: Option<String>,
    from: String,
    to: toml::Value, // one address or several
    hello: Option<String>,
    password: Option<serde::de::IgnoredAny>, // known only to be refused with a good hint
}

impl Smtp {
    /// Checks the table, reads `ca_file` and finds the password.
    pub fn open(settings: &Settings, env: &Environment) -> Result<Self, Problem> {
        let (tls, usual_port) = tls(settings)?;
        let port = settings.port.unwrap_or(usual_port);
        if port == 0 {
            return Err(Problem::new("port", "is not a port", "write 1 to 65535"));
        }
        let login = login(settings, env)?;
        Ok(Self {
            name: name(settings.name.as_deref(), "smtp")?,
            timeout: timeout(settings.timeout.as_ref())?,
            from: mailbox("from", &settings.from)?,
            to: recipients(&settings.to)?,
            host: host("host", &settings.host)?,
            port,
            tls,
            authorities: settings.ca_file.as_deref().map(authorities).transpose()?,
            login,
            hello: settings.hello.as_deref().map(|text| host("hello", text)).transpose()?,
        })
    }
}

impl Settings {
    /// Where the password is looked for.
    pub(in crate::channel) fn sources(&self) -> Sources<'_> {
        Sources {
            what: "password",
            is_written: self.password.is_some(),
            file: self.password_file.as_deref(),
            credential: self.password_credential.as_deref(),
            usual_credential: "smtp-alert-password",
            variable: "SMTP_ALERT_PASSWORD",
        }
    }
}

/// The encryption, and the port that usually has it.
fn tls(settings: &Settings) -> Result<(Tls, u16), Problem> {
    match settings.tls.as_deref() {
        None | Some("implicit") => Ok((Tls::Implicit, 465)),
        Some("starttls") => Ok((Tls::Starttls, 587)),
        Some("none") if is_loopback(&settings.host) || settings.allow_plaintext => {
            Ok((Tls::None, 25))
        }
        Some("none") => Err(Problem::new(
            "tls",
            "\"none\" would send alerts, and a password, unencrypted to another machine",
            "use \"implicit\" or \"starttls\", or set allow_plaintext = true if the network is yours",
        )),
        Some(_) => {
            let hint = "write \"implicit\" (usually port 465), \"starttls\" (usually port 587) or \
                        \"none\" (a server on this machine)";
            Err(Problem::new("tls", "is not a way of encryption", hint))
        }
    }
}

fn login(settings: &Settings, env: &Environment) -> Result<Option<(Credentials, Secret)>, Problem> {
    let sources = settings.sources();
    let Some(user) = &settings.user else {
        let hint = "write the user that the password belongs to, often the whole address";
        let odd = Problem::new("user", "is missing beside a password", hint);
        return sources.file.or(sources.credential).map_or(Ok(None), |_| Err(odd));
    };
    if user.is_empty() || user.contains(char::is_control) {
        let hint = "write the user's name at the mail server, or leave the key out";
        return Err(Problem::new("user", "is not a valid name", hint));
    }
    let missing = || Problem::new("password_file", "is missing beside user", sources.hint());
    let password = sources.find(env)?.ok_or_else(missing)?;
    Ok(Some((Credentials::new(user.clone(), password.expose().to_owned()), password)))
}

/// A host's name or address, as a certificate and `EHLO` can hold it.
fn host(key: &str, text: &str) -> Result<String, Problem> {
    let text = text.trim_start_matches('[').trim_end_matches(']');
    if ServerName::try_from(text).is_err() {
        let hint = "write a name such as mail.example.org, without scheme or port";
        return Err(Problem::new(key, "is not a host's name", hint));
    }
    Ok(text.to_owned())
}

fn recipients(to: &toml::Value) -> Result<Vec<Mailbox>, Problem> {
    let list: Vec<String> = match to.as_str() {
        Some(one) => vec![one.to_owned()],
        None => to.clone().try_into().unwrap_or_default(),
    };
    if !(1..=RECIPIENTS).contains(&list.len()) {
        let hint = format!("write 1 to {RECIPIENTS} addresses");
        return Err(Problem::new("to", "has no recipient, or too many", hint));
    }
    list.iter().map(|text| mailbox("to", text)).collect()
}

/// An address, perhaps with a name before it. Only ASCII: anything else needs SMTPUTF8 at every
/// server on the way.
fn mailbox(key: &str, text: &str) -> Result<Mailbox, Problem> {
    let plain = |mailbox: &Mailbox| {
        let name = mailbox.name.as_deref().unwrap_or_default();
        let address: &str = mailbox.email.as_ref();
        address.bytes().all(|b| b.is_ascii_graphic()) && !name.contains(char::is_control)
    };
    text.parse::<Mailbox>().ok().filter(plain).ok_or_else(|| {
        let hint = "write ops@example.org or \"Night shift <ops@example.org>\"; a domain with other \
                    letters than ASCII in its xn-- form";
        Problem::new(key, "holds no valid address", hint)
    })
}

/// The authorities of a file in PEM.
fn authorities(path: &str) -> Result<RootCertStore, Problem> {
    let hint = "write the path of a file with the authority's certificate in PEM";
    let problem = |why: String| Problem::new("ca_file", why, hint);
    let pem = text::read(Path::new(path), CA_BYTES).map_err(problem)?;
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(CertificateDer::pem_slice_iter(pem.as_bytes()).flatten());
    match roots.is_empty() {
        true => Err(problem("holds no certificate in PEM".to_owned())),
        false => Ok(roots),
    }
}
