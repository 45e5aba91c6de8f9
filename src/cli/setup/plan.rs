//! Which bot is set up, and what is to be changed for it.

use std::path::{Path, PathBuf};

use hygiene::drop_ins;

use super::credential_store::Name;
use crate::cli::stop::Stop;
use crate::cli::{endpoint, exit};
use crate::config::{
    Config, FRAGMENT, Fragment, Origin, Problems, Secret, Sources, credentials, find, keys,
};

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
    /// The bot of the instance, or of the configuration.
    ///
    /// # Errors
    /// When the two name different bots, or the configuration is not one of a bot.
    pub(super) fn new(file: Option<PathBuf>, instance: Option<&str>) -> Result<Self, Stop> {
        let file = file.or_else(|| instance.map(endpoint::config_of));
        let mut sources = Sources::from_process(file);
        let default = || PathBuf::from(crate::config::DEFAULT_FILE);
        let config = sources.file().map_or_else(default, Path::to_owned);
        let unit = unit(&config, instance)?;
        if matches!(config.try_exists(), Ok(false)) {
            sources.files.clear();
        }
        for (name, top) in [("STATE_DIRECTORY", "/var/lib"), ("RUNTIME_DIRECTORY", "/run")] {
            let folder = format!("{top}/{unit}");
            sources.env.entry(name.to_owned()).or_insert(folder);
        }
        Ok(Self { unit, config, sources })
    }

    /// Setup's own file beside this configuration.
    pub(super) fn fragment(config: &Path) -> Result<PathBuf, Stop> {
        let hint = "settings are written into a folder beside it, with .d in place of .toml";
        let why = || Stop::new(exit::USAGE, "the configuration's name must end in .toml", hint);
        Ok(drop_ins::folder(config).ok_or_else(why)?.join(FRAGMENT))
    }

    /// What the daemon would be given without setup's own file.
    fn without_fragment(&self) -> Sources {
        let mut sources = self.sources.clone();
        let folder = sources.drop_ins.take();
        let found = folder.map(|folder| drop_ins::list(&folder).unwrap_or_default());
        let files = found.unwrap_or_default().files;
        sources.files.extend(files.into_iter().filter(|file| !file.ends_with(FRAGMENT)));
        sources
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
        credentials().iter().map(|id| self.name(id)).collect()
    }
}

/// The unit that reads this configuration, which is that of the instance.
fn unit(config: &Path, instance: Option<&str>) -> Result<String, Stop> {
    let refused = |why: &str| {
        let hint = "--instance NAME is short for --config /etc/katana-bot/NAME.toml";
        Stop::new(exit::USAGE, format!("{}: {why}", config.display()), hint)
    };
    let by_file = endpoint::unit(Some(config));
    let Some(name) = instance else {
        let named =
            by_file.split_once('@').map_or(Ok(String::new()), |(_, n)| endpoint::instance(n));
        return named.map(|_| by_file).map_err(|why| refused(&why));
    };
    let unit = format!("katana-bot@{name}");
    match endpoint::is_packaged(config) && by_file != unit {
        true => Err(refused(&format!("this is the configuration of {by_file}, not of {unit}"))),
        false => Ok(unit),
    }
}

/// Everything that is to be changed.
#[derive(Clone, Default)]
pub(super) struct Plan {
    /// Secrets to keep.
    pub(super) secrets: Vec<(Name, Secret)>,
    /// Keys for setup's file in the bot's configuration; without a value, one to be removed from it.
    pub(super) keys: Vec<(String, Option<String>)>,
    /// A channel for setup's file in the checker's.
    pub(super) channel: Option<String>,
    /// Channels to be removed from it.
    pub(super) dropped: Vec<String>,
    /// Secrets to be removed, because no channel uses them any more.
    pub(super) unused: Vec<Name>,
}

impl Plan {
    /// Plans a key of the configuration, unless it has this value already.
    ///
    /// # Errors
    /// When the value does not fit, or a file that is read later sets another one.
    pub(super) fn set(&mut self, target: &Target, key: &str, value: &str) -> anyhow::Result<()> {
        let fits = Fragment::default().set(key, Some(value));
        fits.map_err(|problem| Problems(vec![problem]))?;
        self.keys.retain(|(there, _)| there != key);
        let loaded = Config::examine(&target.sources).loaded;
        let is_set = |origin: &Origin| !matches!(origin, Origin::Default | Origin::Derived(_));
        let origin = loaded.origins.get(key).filter(|origin| is_set(origin));
        if origin.is_some() && loaded.text(key) == Some(value) {
            return Ok(());
        }
        let own = Target::fragment(&target.config)?;
        let is_later =
            |path: &Path| path.parent() == own.parent() && path.file_name() > own.file_name();
        if let Some(origin @ Origin::File { path, .. }) = origin
            && is_later(path)
        {
            let text = format!("{origin} sets {key}, and is read after setup's own file");
            let hint = format!("set it there to {value}, or remove it, then run setup again");
            return Err(Stop::new(exit::CONFIG, text, hint).into());
        }
        self.keys.push((key.to_owned(), Some(value.to_owned())));
        Ok(())
    }

    /// Plans the usual value of a key: what an earlier setup wrote goes, and what another file sets is
    /// overridden.
    ///
    /// # Errors
    /// When another file sets the key, and no value stands for none.
    pub(super) fn unset(
        &mut self,
        target: &Target,
        key: &str,
        usual: Option<&str>,
    ) -> anyhow::Result<()> {
        self.keys.retain(|(there, _)| there != key);
        let in_file = |sources: &Sources| {
            let mut origins = Config::examine(sources).loaded.origins;
            origins.remove(key).filter(|origin| matches!(origin, Origin::File { .. }))
        };
        // Below what setup wrote, another file's value may wait.
        match (in_file(&target.without_fragment()), usual) {
            (Some(_), Some(usual)) => return self.set(target, key, usual),
            (Some(origin), None) => {
                let hint = "remove it there; setup changes only its own file";
                let text = format!("{origin} sets {key}");
                return Err(Stop::new(exit::CONFIG, text, hint).into());
            }
            (None, _) => {}
        }
        if in_file(&target.sources).is_some() {
            self.keys.push((key.to_owned(), None));
        }
        Ok(())
    }

    /// The configuration with everything that is planned, as far as it is understood.
    pub(super) fn candidate(&self, target: &Target) -> Config {
        let mut sources = target.sources.clone();
        for (path, value) in &self.keys {
            let Some(key) = find(path) else { continue };
            let usual = || key.default_toml().trim_matches('"').to_owned();
            let value = value.clone().unwrap_or_else(usual);
            sources.env.insert(key.variable(), value);
        }
        for key in keys().iter().filter(|key| key.is_secret()) {
            let of_key = |(name, _): &&(Name, Secret)| Some(name.id) == key.credential();
            if let Some((_, secret)) = self.secrets.iter().find(of_key) {
                sources.credentials_dir = None;
                sources.env.remove(&format!("{}_FILE", key.variable()));
                sources.env.insert(key.variable(), secret.expose().to_owned());
            }
        }
        Config::examine(&sources).loaded.config
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_of_an_instance_never_sets_up_the_first_bot() {
        for (file, instance, wanted) in [
            (None, None, Ok("katana-bot")),
            (None, Some("staging"), Ok("katana-bot@staging")),
            (Some("/etc/katana-bot/staging.toml"), None, Ok("katana-bot@staging")),
            (Some("/etc/katana-bot/staging.toml"), Some("staging"), Ok("katana-bot@staging")),
            (Some("/srv/own.toml"), Some("staging"), Ok("katana-bot@staging")),
            (
                Some("/etc/katana-bot/a.toml"),
                Some("b"),
                Err("of katana-bot@a, not of katana-bot@b"),
            ),
            (Some("/etc/katana-bot/katana-bot.toml"), Some("b"), Err("of katana-bot, not of")),
            (Some("/etc/katana-bot/check-heartbeat.toml"), None, Err("is another configuration")),
        ] {
            let made = Target::new(file.map(PathBuf::from), instance);
            match (made, wanted) {
                (Ok(target), Ok(unit)) => {
                    assert_eq!(target.unit, unit);
                    assert!(target.own().iter().all(|name| name.owner == unit), "{file:?}");
                    let state = target.sources.env.get("STATE_DIRECTORY").expect("a folder");
                    assert_eq!(state, &format!("/var/lib/{unit}"));
                }
                (Err(stop), Err(words)) => {
                    assert!(
                        stop.code == exit::USAGE && stop.message.contains(words),
                        "{}",
                        stop.message
                    );
                }
                (made, _) => panic!("{file:?}, {instance:?}: {:?}", made.map(|t| t.unit).ok()),
            }
        }
    }
}
