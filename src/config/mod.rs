//! The configuration: TOML files, every key overridable by the environment, secrets apart.
//!
//! A key is declared once, in its section's file under `sections/`: type, bounds, default, meaning,
//! and what a reload does. [`Config::load`] finds one value for each (environment, then files, then
//! default), checks them all, and reports every problem at once. From the lowest layer to the
//! highest: `key` and `rule` (what a key is), `value` and `kind` (what it may hold), `source`,
//! `file`, `environment`, `credential` (where values come from), `resolved` (the one that counts),
//! `section` and `sections` (the declarations), `loaded`, `reference`.
//!
//! Invariants: a secret comes from a systemd credential, a `*_FILE` variable or the environment,
//! never from a file of settings; no problem, warning or printout repeats one.

mod channels;
mod credential;
mod environment;
mod file;
mod foreign;
mod fragment;
mod key;
mod kind;
mod listen;
mod loaded;
mod name;
mod nearest;
mod problem;
pub mod reference;
mod resolved;
mod rule;
mod secret;
mod section;
mod sections;
mod source;
mod syntax;
mod table;
#[cfg(test)]
mod tests;
mod value;

pub use channels::{Channel, channel_alone, channels, has_channel, named_like};
pub use credential::STORED as STORED_CREDENTIAL;
pub use fragment::{FRAGMENT, Fragment};
pub use key::{Key, Part, Reload};
pub use kind::Kind;
pub use loaded::{Examined, Loaded};
pub use problem::{Problem, Problems, print_warnings};
pub use resolved::OPEN_SECRET;
pub use secret::Secret;
pub use sections::{
    ANOTHER_BOT, Access, Answer, Audience, Bot, Canary, Chosen, Config, Delivery, Embeddings,
    Features, Format, Knowledge, Level, Lifecycle, Log, NO_TOKEN, Pipeline, ProviderSection,
    Providers, Qdrant, Reports, Store, Swap, Telegram, Watch, Web, credentials, find, keys,
};
pub use source::{DEFAULT_FILE, FILE_VARIABLE, Origin, Sources};
