//! Where settings come from, and where each one did come from.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// The file that is read when no other one is named.
pub const DEFAULT_FILE: &str = "/etc/katana-bot/katana-bot.toml";

/// Names the file when the command line does not.
pub const FILE_VARIABLE: &str = "KATANA_CONFIG";

/// Everything that [`super::Config::load`] may look at. Plain values, so that tests never touch
/// the environment of their process.
#[derive(Clone, Default)]
pub struct Sources {
    /// The configuration files; each must exist, and a later one wins over those before it.
    pub files: Vec<PathBuf>,
    /// The environment.
    pub env: BTreeMap<String, String>,
    /// systemd's `$CREDENTIALS_DIRECTORY` (systemd.exec(5), "Credentials").
    pub credentials_dir: Option<PathBuf>,
}

impl Sources {
    /// What this process was given. The file is `explicit`, else the one that `KATANA_CONFIG`
    /// names, else [`DEFAULT_FILE`] if there is one.
    pub fn from_process(explicit: Option<PathBuf>) -> Self {
        let text = |s: std::ffi::OsString| s.to_string_lossy().into_owned();
        let env: BTreeMap<String, String> =
            std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect();
        let path = |name: &str| env.get(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        let default = || {
            // A file that cannot be looked at is not absent: reading it will say why.
            let absent = matches!(Path::new(DEFAULT_FILE).try_exists(), Ok(false));
            (!absent).then(|| PathBuf::from(DEFAULT_FILE))
        };
        Self {
            files: explicit.or_else(|| path(FILE_VARIABLE)).or_else(default).into_iter().collect(),
            credentials_dir: path("CREDENTIALS_DIRECTORY"),
            env,
        }
    }

    /// Only these variables: no file and no credentials.
    pub fn from_env<K: Into<String>, V: Into<String>>(
        pairs: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let env = pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        Self { env, ..Self::default() }
    }

    /// The file that people know this configuration by, if it has one: the first.
    pub fn file(&self) -> Option<&Path> {
        self.files.first().map(PathBuf::as_path)
    }

    /// A variable that is set to more than blanks.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        self.env.get(name).map(String::as_str).filter(|value| !value.trim().is_empty())
    }
}

impl fmt::Debug for Sources {
    /// Names of variables only: any value may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources")
            .field("files", &self.files)
            .field("env", &self.env.keys().collect::<Vec<_>>())
            .field("credentials_dir", &self.credentials_dir)
            .finish()
    }
}

/// Where the value of one key came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It is not set.
    Default,
    /// A line of a configuration file, counted from 1.
    File {
        /// The file.
        path: PathBuf,
        /// The line of the value.
        line: usize,
    },
    /// This environment variable.
    Env(String),
    /// This systemd credential.
    Credential(String),
    /// The file that this environment variable names.
    SecretFile(String),
    /// It follows from another setting; the text says from which.
    Derived(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Env(name) => write!(f, "environment {name}"),
            Self::Credential(name) => write!(f, "credential {name}"),
            Self::SecretFile(name) => write!(f, "file named by {name}"),
            Self::Derived(why) => f.write_str(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_show_names_and_not_values() {
        let sources = Sources::from_env([("TELEGRAM_TOKEN", "42:abcdefghijkl")]);
        let shown = format!("{sources:?}");
        assert!(shown.contains("TELEGRAM_TOKEN") && !shown.contains("abcdefgh"), "{shown}");
    }

    #[test]
    fn blank_variables_count_as_unset() {
        let sources = Sources::from_env([("A", ""), ("B", " \n"), ("C", "c")]);
        assert_eq!((sources.variable("A"), sources.variable("B")), (None, None));
        assert_eq!(sources.variable("C"), Some("c"));
    }
}
