//! Which bot is set up, and what is to be changed for it.

use std::path::{Path, PathBuf};

use super::credential_store::Name;
use crate::cli::stop::Stop;
use crate::cli::{endpoint, exit};
use crate::config::{FRAGMENT, Key, Secret, Sources, keys};

/// Which bot of this machine is set up.
pub(super) struct Target {
    /// `katana-bot`, or `katana-bot@NAME`.
    pub(super) unit: String,
    /// The configuration file, if there may be one.
    pub(super) config: PathBuf,
    /// What the daemon will be given, as far as it is known.
    pub(super) sources: Sources,
}

impl Target {
    pub(super) fn new(file: Option<PathBuf>, instance: Option<&str>) -> Self {
        let (unit, config) = match instance {
            Some(name) => (format!("katana-bot@{name}"), format!("/etc/katana-bot/{name}.toml")),
            None => ("katana-bot".to_owned(), crate::config::DEFAULT_FILE.to_owned()),
        };
        let file = file.or_else(|| instance.map(|_| PathBuf::from(&config)));
        let mut sources = Sources::from_process(file);
        let config = sources.file().map_or_else(|| config.into(), Path::to_owned);
        if matches!(config.try_exists(), Ok(false)) {
            sources.files.clear();
        }
        for (name, top) in [("STATE_DIRECTORY", "/var/lib"), ("RUNTIME_DIRECTORY", "/run")] {
            let folder = format!("{top}/{unit}");
            sources.env.entry(name.to_owned()).or_insert(folder);
        }
        Self { unit, config, sources }
    }

    /// Setup's own file beside this configuration.
    pub(super) fn fragment(config: &Path) -> Result<PathBuf, Stop> {
        let hint = "settings are written into a folder beside it, with .d in place of .toml";
        let why = || Stop::new(exit::USAGE, "the configuration's name must end in .toml", hint);
        Ok(hygiene::drop_ins::folder(config).ok_or_else(why)?.join(FRAGMENT))
    }

    pub(super) fn name(&self, id: &'static str) -> Name {
        Name { owner: self.unit.clone(), id, units: self.units() }
    }

    /// The unit, and the template it comes from: the drop-ins of both count.
    pub(super) fn units(&self) -> Vec<String> {
        std::iter::once(self.unit.clone()).chain(endpoint::template(&self.unit)).collect()
    }

    /// The credentials of the bot itself.
    pub(super) fn own(&self) -> Vec<Name> {
        keys().iter().filter_map(Key::credential).map(|id| self.name(id)).collect()
    }
}

/// Everything that is to be changed.
#[derive(Default)]
pub(super) struct Plan {
    /// Secrets to keep.
    pub(super) secrets: Vec<(Name, Secret)>,
    /// Keys for setup's file in the bot's configuration; without a value, one to be removed from it.
    pub(super) keys: Vec<(String, Option<String>)>,
    /// A channel for setup's file in the checker's.
    pub(super) channel: Option<String>,
}
