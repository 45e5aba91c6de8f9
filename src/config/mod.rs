//! The configuration: one TOML file, every key overridable by the environment, secrets apart.
//!
//! [`keys`] is the table of all keys. [`Config::load`] finds one value for each (environment, then
//! file, then default), checks them all, and tells every problem at once. Each section has a file
//! with its fields, its rows of the table and its checks.
//!
//! Invariants: a secret comes from a systemd credential, a `*_FILE` variable or the environment,
//! never from the file; no problem, warning or printout repeats one.

mod answer;
mod anthropic;
mod bot;
mod changes;
mod channel;
mod choose;
mod credential;
mod delivery;
mod disk;
mod edit;
mod environment;
mod file;
mod key;
mod knowledge;
mod lifecycle;
mod log;
mod openai;
mod pipeline;
mod print;
mod problem;
pub mod reference;
mod secret;
mod server;
mod settled;
mod source;
mod store;
mod telegram;
#[cfg(test)]
mod tests;
mod url;
mod value;
mod watch;
mod web;

use std::collections::BTreeMap;

use hygiene::Redactor;

pub use answer::{Answer, Provider};
pub use anthropic::Anthropic;
pub use bot::{Access, Bot};
pub use channel::{channel_alone, with_channel};
pub use credential::STORED as STORED_CREDENTIAL;
pub use delivery::Delivery;
pub use edit::with_keys;
pub use key::{Key, Kind, find, keys};
pub use knowledge::Knowledge;
pub use lifecycle::Lifecycle;
pub use log::{Format, Level, Log};
pub use openai::OpenAi;
pub use pipeline::Pipeline;
pub use problem::{Problem, Problems, print_warnings};
pub use secret::Secret;
pub use source::{DEFAULT_FILE, FILE_VARIABLE, Origin, Sources};
pub use store::Store;
pub use telegram::Telegram;
pub use watch::Watch;
pub use web::Web;

use settled::{Rows, Settled};
use value::Value;

/// Every setting, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// Who this bot is, and who may talk to it.
    pub bot: Bot,
    /// The Bot API.
    pub telegram: Telegram,
    /// The database.
    pub store: Store,
    /// How much is done at once.
    pub pipeline: Pipeline,
    /// Who answers, and how.
    pub answer: Answer,
    /// OpenAI, or a server that speaks its language.
    pub openai: OpenAi,
    /// Anthropic.
    pub anthropic: Anthropic,
    /// The folder that answers may quote.
    pub knowledge: Knowledge,
    /// The pace of sending.
    pub delivery: Delivery,
    /// How the bot stops.
    pub lifecycle: Lifecycle,
    /// When something is a finding.
    pub watch: Watch,
    /// What is logged.
    pub log: Log,
    /// The HTTP endpoint.
    pub web: Web,
}

/// A configuration with the story of its values.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The settings.
    pub config: Config,
    /// Where each key's value came from, by its path such as `telegram.token`.
    pub origins: BTreeMap<&'static str, Origin>,
    /// What is allowed but unwise.
    pub warnings: Vec<Problem>,
    rows: Rows,
}

impl Loaded {
    /// A secret, by the path of its key; `None` when there is no such key, or it is unset.
    pub fn secret(&self, path: &str) -> Option<&Secret> {
        match &self.rows.get(path)?.0 {
            Value::Secret(secret) => Some(secret),
            _ => None,
        }
    }

    /// A text, an address, a path or a choice as it was set, by the path of its key; `None` when
    /// there is no such key, or it is unset or of another kind.
    pub fn text(&self, path: &str) -> Option<&str> {
        match &self.rows.get(path)?.0 {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// A configuration as far as it can be understood, for showing and checking, never for running:
/// where there is a problem, a default stands in.
#[derive(Clone, Debug)]
pub struct Examined {
    /// What was understood, and the warnings.
    pub loaded: Loaded,
    /// Everything that is wrong.
    pub problems: Problems,
}

impl Config {
    /// Loads and checks everything.
    ///
    /// # Errors
    ///
    /// All problems at once, none of them with a value in it that might be a secret.
    pub fn load(sources: &Sources) -> Result<Loaded, Problems> {
        let Examined { loaded, problems } = Self::examine(sources);
        if problems.0.is_empty() { Ok(loaded) } else { Err(problems) }
    }

    /// The same for those who want to know what is good even if something is not.
    pub fn examine(sources: &Sources) -> Examined {
        let mut settled = Settled::gather(sources);
        choose::settle(&mut settled, sources);
        let answer = Answer::read(&mut settled);
        let chosen = answer.provider;
        let store = Store::read(&mut settled, sources);
        let config = Self {
            bot: Bot::read(&mut settled),
            telegram: Telegram::read(&mut settled),
            pipeline: Pipeline::read(&settled),
            openai: OpenAi::read(&mut settled, chosen),
            anthropic: Anthropic::read(&mut settled, chosen),
            knowledge: Knowledge::read(&mut settled, chosen),
            delivery: Delivery::read(&settled),
            lifecycle: Lifecycle::read(&settled),
            log: Log::read(&settled),
            watch: Watch::read(&mut settled, sources, &store.path),
            store,
            web: Web::read(&mut settled, sources),
            answer,
        };
        settled.refuse_copies_of_secrets();
        let (rows, warnings, problems) = settled.finish();
        let origins = rows.iter().map(|(path, (_, origin))| (*path, origin.clone())).collect();
        Examined { loaded: Loaded { config, origins, warnings, rows }, problems }
    }

    /// Every secret that is loaded, for whoever keeps them out of logs.
    pub fn secrets(&self) -> impl Iterator<Item = &Secret> {
        let keys = [
            self.openai.api_key.as_ref(),
            self.anthropic.api_key.as_ref(),
            self.web.admin_token.as_ref(),
        ];
        std::iter::once(&self.telegram.token).chain(keys.into_iter().flatten())
    }

    /// Knows every secret that is loaded.
    pub fn redactor(&self) -> Redactor {
        Redactor::new(self.secrets().map(Secret::expose))
    }
}
