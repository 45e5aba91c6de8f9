//! The flags of `katana-bot setup`: an answer for every question.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};

use super::credential_store::Form;
use crate::cli::sources::CREDENTIAL_STORE;
use crate::provider::{self, Descriptor, Kind, PROVIDERS};

/// Where an administrator's units and drop-ins are.
pub(super) const UNITS: &str = "/etc/systemd/system";

/// The providers that may be chosen here, and their names as the help shows them.
fn offered() -> impl Iterator<Item = &'static Descriptor> {
    PROVIDERS.iter().copied().filter(|provider| !matches!(provider.kind, Kind::Echo))
}

static PROVIDER_NAMES: LazyLock<String> =
    LazyLock::new(|| offered().map(|provider| provider.name).collect::<Vec<_>>().join("|"));

/// Reads the name of a provider.
fn provider() -> impl TypedValueParser<Value = &'static Descriptor> {
    let value = |p: &Descriptor| PossibleValue::new(p.name).help(p.summary);
    PossibleValuesParser::new(offered().map(value))
        .try_map(|name| provider::find(&name).ok_or("there is no such provider"))
}

/// Whom `check-heartbeat` alerts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum AlertWord {
    /// A second Telegram bot
    Telegram,
    /// Mail
    Smtp,
    /// No alerts, or those that are already set up
    None,
}

/// How to connect to the mail server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum TlsWord {
    /// TLS from the first byte (port 465)
    Implicit,
    /// TLS after a greeting (port 587)
    Starttls,
    /// No TLS, only to this machine (port 25)
    None,
}

#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct SetupArgs {
    /// Which bot, by the flag of all commands.
    #[arg(skip)]
    pub(in crate::cli) instance: Option<String>,
    /// File with the bot token on its first line; - for the next line of standard input
    #[arg(long, value_name = "FILE")]
    pub(super) token_file: Option<PathBuf>,
    /// The provider that answers questions
    #[arg(long, value_parser = provider(), value_name = PROVIDER_NAMES.as_str())]
    pub(super) provider: Option<&'static Descriptor>,
    /// File with the provider's key; - for the next line of standard input
    #[arg(long, value_name = "FILE")]
    pub(super) key_file: Option<PathBuf>,
    /// Address of an OpenAI-compatible server; an empty one is the provider's own again
    #[arg(long, value_name = "URL")]
    pub(super) base_url: Option<String>,
    /// The model that answers
    #[arg(long, value_name = "NAME")]
    pub(super) model: Option<String>,
    /// What all answers together may cost in a month, in US dollars; off for any amount
    #[arg(long, value_name = "USD")]
    pub(super) budget_usd_per_month: Option<String>,
    /// Folder with the documents that answers quote; an empty one takes them away again
    #[arg(long, value_name = "DIR")]
    pub(super) documents: Option<String>,
    /// Address of a Bot API server of your own
    #[arg(long, value_name = "URL")]
    pub(super) api_url: Option<String>,
    /// Store the answers without trying token, key, model and alerts; for machines without a network
    #[arg(long)]
    pub(super) no_verify: bool,
    /// Whom to alert when the bot does not work
    #[arg(long, value_enum, value_name = "telegram|smtp|none")]
    pub(super) alert: Option<AlertWord>,
    /// Take away a channel that setup wrote, such as telegram or smtp; can be given several times
    #[arg(long, value_name = "NAME")]
    pub(super) drop_channel: Vec<String>,
    /// File with the token of the second bot; - for the next line of standard input
    #[arg(long, value_name = "FILE")]
    pub(super) alert_token_file: Option<PathBuf>,
    /// The chat that the second bot writes to
    #[arg(long, value_name = "ID", allow_hyphen_values = true)]
    pub(super) alert_chat_id: Option<i64>,
    /// Mail server
    #[arg(long, value_name = "HOST")]
    pub(super) smtp_host: Option<String>,
    /// How to connect to it
    #[arg(long, value_enum, value_name = "implicit|starttls|none")]
    pub(super) smtp_tls: Option<TlsWord>,
    /// Its port, if not the usual one
    #[arg(long, value_name = "PORT")]
    pub(super) smtp_port: Option<u16>,
    /// Sender of the mail
    #[arg(long, value_name = "ADDRESS")]
    pub(super) smtp_from: Option<String>,
    /// Recipient of the mail
    #[arg(long, value_name = "ADDRESS")]
    pub(super) smtp_to: Option<String>,
    /// User at the mail server, if it requires a login
    #[arg(long, value_name = "USER")]
    pub(super) smtp_user: Option<String>,
    /// File with that user's password; - for the next line of standard input
    #[arg(long, value_name = "FILE")]
    pub(super) smtp_password_file: Option<PathBuf>,
    /// Change what an earlier setup wrote, or a configuration file sets, without asking
    #[arg(long, short, alias = "write-config")]
    pub(super) yes: bool,
    /// Encrypt the secrets with this machine's key (systemd-creds); later runs keep them encrypted
    #[arg(long)]
    pub(super) encrypt: bool,
    /// Store encrypted secrets as plain files again, which only root can read
    #[arg(long, conflicts_with = "encrypt")]
    pub(super) plain: bool,
    /// Where secrets are stored
    #[arg(long, value_name = "DIR", default_value = CREDENTIAL_STORE)]
    pub(super) credentials_dir: PathBuf,
    /// Configuration of check-heartbeat; setup writes into the folder beside it
    #[arg(long, value_name = "FILE", default_value = "/etc/katana-bot/check-heartbeat.toml")]
    pub(super) alert_config: PathBuf,
    /// Where drop-ins of units are stored, for encrypted secrets
    #[arg(long, value_name = "DIR", default_value = UNITS)]
    pub(super) units_dir: PathBuf,
    /// Do not start the service
    #[arg(long)]
    pub(super) no_start: bool,
    /// How long to wait until the service is ready, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 90,
          value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(super) wait_s: u64,
    /// Ask nothing; fail and name what is missing
    #[arg(long)]
    pub(super) non_interactive: bool,
}

impl SetupArgs {
    /// The same without the token.
    pub(super) fn without_token(&self) -> Self {
        Self { token_file: None, ..self.clone() }
    }

    /// The same without what says who answers.
    pub(super) fn without_provider(&self) -> Self {
        Self { provider: None, key_file: None, base_url: None, model: None, ..self.clone() }
    }

    /// The same without what says whom to alert.
    pub(super) fn without_alert(&self) -> Self {
        Self {
            alert: None,
            drop_channel: Vec::new(),
            alert_token_file: None,
            alert_chat_id: None,
            smtp_host: None,
            smtp_tls: None,
            smtp_port: None,
            smtp_from: None,
            smtp_to: None,
            smtp_user: None,
            smtp_password_file: None,
            ..self.clone()
        }
    }

    /// Whether the packaged units, or their secrets, are in the places that are written to.
    pub(super) fn is_packaged(&self) -> bool {
        self.units_dir == Path::new(UNITS) || self.credentials_dir == Path::new(CREDENTIAL_STORE)
    }

    /// How secrets should be stored on disk.
    pub(super) fn form(&self) -> Form {
        match (self.encrypt, self.plain) {
            (true, _) => Form::Encrypted,
            (_, true) => Form::Plain,
            _ => Form::AsBefore,
        }
    }
}
