//! Where settings come from, and where each one did come from.

use std::fmt;
use std::path::{Path, PathBuf};

use hygiene::secret::Environment;

/// The file that is read when no other one is named.
pub const DEFAULT_FILE: &str = "/etc/katana-bot/katana-bot.toml";

/// Names the file when the command line does not.
pub const FILE_VARIABLE: &str = "KATANA_CONFIG";

/// Everything that [`super::Config::load`] may look at. Plain values, so that tests never touch
/// the environment of their process.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The configuration files; each must exist, and a later one wins over those before it.
    pub files: Vec<PathBuf>,
    /// A folder whose `*.toml` are read after the files, by name; it may be absent.
    pub drop_ins: Option<PathBuf>,
    /// The environment.
    pub env: Environment,
    /// systemd's `$CREDENTIALS_DIRECTORY` (systemd.exec(5), "Credentials").
    pub credentials_dir: Option<PathBuf>,
}

impl Sources {
    /// What this process was given. The file is `explicit`, else the one that `KATANA_CONFIG`
    /// names, else [`DEFAULT_FILE`] if there is one; the folder of drop-ins is the one beside it.
    pub fn from_process(explicit: Option<PathBuf>) -> Self {
        let env = Environment::of_process();
        let path = |name: &str| env.get(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        let default = || {
            // A file that cannot be looked at is not absent: reading it will say why.
            let absent = matches!(Path::new(DEFAULT_FILE).try_exists(), Ok(false));
            (!absent).then(|| PathBuf::from(DEFAULT_FILE))
        };
        let named = explicit.or_else(|| path(FILE_VARIABLE));
        let main = named.as_deref().unwrap_or(Path::new(DEFAULT_FILE));
        Self {
            drop_ins: hygiene::drop_ins::folder(main),
            files: named.or_else(default).into_iter().collect(),
            credentials_dir: path("CREDENTIALS_DIRECTORY"),
            env,
        }
    }

    /// Only these variables: no file and no credentials.
    pub fn from_env<K: Into<String>, V: Into<String>>(
        pairs: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        Self { env: pairs.into_iter().collect(), ..Self::default() }
    }

    /// The file that people know this configuration by, if it has one: the first.
    pub fn file(&self) -> Option<&Path> {
        self.files.first().map(PathBuf::as_path)
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
