//! The table of a mail channel, with the words for each mistake in it.

use std::sync::Mutex;

use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::Credentials;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde::Deserialize;

use super::{Server, Smtp, Tls};
use crate::channel::http::is_loopback;
use crate::channel::scrub::Scrub;
use crate::channel::secret::Sources;
use crate::channel::{Environment, name, timeout};
use crate::config::Problem;

/// Recipients of one channel at most. More people are what a mailing list is for.
const RECIPIENTS: usize = 50;

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
    to: Recipients,
    hello: Option<String>,
    /// Known only to be refused with a good hint.
    password: Option<serde::de::IgnoredAny>,
}

/// One address or several.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Recipients {
    One(String),
    Many(Vec<String>),
}

impl Smtp {
    /// Checks the table, reads `ca_file` and finds the password.
    pub fn open(settings: &Settings, env: &Environment) -> Result<Self, Problem> {
        let tls = tls(settings)?;
        let (login, scrub) = login(settings, env)?.unzip();
        Ok(Self {
            name: name(settings.name.as_deref(), "smtp")?,
            timeout: timeout(settings.timeout.as_ref())?,
            scrub: scrub.unwrap_or_else(|| Scrub::of([])),
            from: mailbox("from", &settings.from)?,
            to: recipients(&settings.to)?,
            remarks: Mutex::default(),
            server: Server {
                host: host("host", &settings.host)?,
                port: port(settings.port, tls)?,
                tls,
                authorities: settings.ca_file.as_deref().map(authorities).transpose()?,
                login,
                hello: settings.hello.as_deref().map(|text| host("hello", text)).transpose()?,
            },
        })
    }
}

fn tls(settings: &Settings) -> Result<Tls, Problem> {
    let tls = match settings.tls.as_deref() {
        None | Some("implicit") => Tls::Implicit,
        Some("starttls") => Tls::Starttls,
        Some("none") => Tls::None,
        Some(_) => {
            let hint = "write \"implicit\" (usually port 465), \"starttls\" (usually port 587) or \
                        \"none\" (a server on this machine)";
            return Err(Problem::new("tls", "is not a way of encryption", hint));
        }
    };
    if tls == Tls::None && !is_loopback(&settings.host) && !settings.allow_plaintext {
        return Err(Problem::new(
            "tls",
            "\"none\" would send alerts, and a password, unencrypted to another machine",
            "use \"implicit\" or \"starttls\", or set allow_plaintext = true if the network is yours",
        ));
    }
    Ok(tls)
}

fn login(settings: &Settings, env: &Environment) -> Result<Option<(Credentials, Scrub)>, Problem> {
    let sources = Sources {
        file: ("password_file", settings.password_file.as_deref()),
        credential: ("password_credential", settings.password_credential.as_deref()),
        usual_credential: "smtp-alert-password",
        variable: "SMTP_ALERT_PASSWORD",
    };
    if settings.password.is_some() {
        let why = "does not belong into the configuration file";
        return Err(Problem::new("password", why, sources.hint()));
    }
    let Some(user) = &settings.user else {
        if settings.password_file.is_some() || settings.password_credential.is_some() {
            let hint = "write the user that the password belongs to, often the whole address";
            return Err(Problem::new("user", "is missing beside a password", hint));
        }
        return Ok(None);
    };
    if user.is_empty() || user.chars().any(char::is_control) {
        let hint = "write the user's name at the mail server, or leave the key out";
        return Err(Problem::new("user", "is not a valid name", hint));
    }
    let missing = || Problem::new("password_file", "is missing beside user", sources.hint());
    let password = sources.find(env)?.ok_or_else(missing)?;
    let password = password.expose();
    let login = Credentials::new(user.clone(), password.to_owned());
    Ok(Some((login, Scrub::of([password]))))
}

fn port(port: Option<u16>, tls: Tls) -> Result<u16, Problem> {
    match (port, tls) {
        (Some(0), _) => Err(Problem::new("port", "is not a port", "write 1 to 65535")),
        (Some(port), _) => Ok(port),
        (None, Tls::Implicit) => Ok(465),
        (None, Tls::Starttls) => Ok(587),
        (None, Tls::None) => Ok(25),
    }
}

/// A host's name or address, as a certificate and `EHLO` can hold it.
fn host(key: &str, text: &str) -> Result<String, Problem> {
    let inner = text.trim_start_matches('[').trim_end_matches(']');
    let address = inner.parse::<std::net::IpAddr>().is_ok();
    let fit = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    if address {
        return Ok(inner.to_owned());
    }
    if text.is_empty() || text.len() > 253 || !text.chars().all(fit) {
        let hint = "write a name such as mail.example.org, without scheme or port";
        return Err(Problem::new(key, "is not a host's name", hint));
    }
    Ok(text.to_owned())
}

fn recipients(to: &Recipients) -> Result<Vec<Mailbox>, Problem> {
    let list = match to {
        Recipients::One(one) => std::slice::from_ref(one),
        Recipients::Many(many) => many.as_slice(),
    };
    if list.is_empty() || list.len() > RECIPIENTS {
        let hint = format!("write 1 to {RECIPIENTS} addresses");
        return Err(Problem::new("to", "has no recipient, or too many", hint));
    }
    list.iter().map(|text| mailbox("to", text)).collect()
}

/// An address, perhaps with a name before it.
fn mailbox(key: &str, text: &str) -> Result<Mailbox, Problem> {
    let hint = "write ops@example.org or \"Night shift <ops@example.org>\"; a domain with other \
                letters than ASCII in its xn-- form";
    let mailbox: Mailbox =
        text.parse().map_err(|_| Problem::new(key, "holds no valid address", hint))?;
    // Anything else needs SMTPUTF8 at every server on the way.
    let plain = |text: &str| text.bytes().all(|b| b.is_ascii_graphic());
    if !plain(mailbox.email.user()) || !plain(mailbox.email.domain()) {
        return Err(Problem::new(key, "holds an address that is not ASCII", hint));
    }
    if mailbox.name.as_deref().is_some_and(|name| name.chars().any(char::is_control)) {
        return Err(Problem::new(key, "holds a name with control characters", hint));
    }
    Ok(mailbox)
}

/// The authorities of a file in PEM.
fn authorities(path: &str) -> Result<RootCertStore, Problem> {
    let problem = |why: String| {
        let hint = "the path of a file with the authority's certificate in PEM";
        Problem::new("ca_file", why, hint)
    };
    let pem = std::fs::read(path)
        .map_err(|error| problem(format!("cannot be read ({})", error.kind())))?;
    let mut roots = RootCertStore::empty();
    let found = CertificateDer::pem_slice_iter(&pem).flatten();
    roots.add_parsable_certificates(found);
    if roots.is_empty() {
        return Err(problem("holds no certificate in PEM".to_owned()));
    }
    Ok(roots)
}
