//! The secrets of the channels: from the places that a table names, else from the usual ones.
//!
//! Invariants: nothing here can be printed by accident. A problem names the key or the variable and not
//! the path, because the secret itself may have been written where its file name belongs.

use std::path::{Path, PathBuf};

use hygiene::secret::{self, Environment, Place};

use crate::problem::Problem;

/// A token or a password. It cannot be printed by accident.
pub(super) struct Secret(String);

impl Secret {
    /// The text itself, for the one call that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// Where one secret is looked for, in this order.
pub(super) struct Sources<'a> {
    /// What it is, and the key under which it may not stand in the table itself.
    pub what: &'static str,
    pub is_written: bool,
    /// The values of the keys with `_file` and `_credential`.
    pub file: Option<&'a str>,
    pub credential: Option<&'a str>,
    /// The credential that is tried when the table names none; it may be absent.
    pub usual_credential: &'static str,
    /// The variable; with `_FILE` appended, the variable that names a file.
    pub variable: &'static str,
}

impl Sources<'_> {
    /// All of them, in words.
    pub fn hint(&self) -> String {
        let Self { usual_credential, variable, what, .. } = self;
        format!(
            "put it alone on one line of a file that the user of the check can read and name that \
             with {what}_file, or into the systemd credential {usual_credential}, or into the \
             variable {variable}"
        )
    }

    /// The first one that is there.
    pub fn find(&self, env: &Environment) -> Result<Option<Secret>, Problem> {
        if self.is_written {
            let why = "does not belong into the configuration file";
            return Err(Problem::new(self.what, why, self.hint()));
        }
        let folder = passed_by_systemd(env);
        let passed = |name: &str| {
            let folder = folder.filter(|_| Path::new(name).file_name() == Some(name.as_ref()));
            let missing = || "was not passed by systemd (LoadCredential=)".to_owned();
            folder.ok_or_else(missing).and_then(|folder| secret::read(&folder.join(name)))
        };
        let (key, text) = match (self.file, self.credential) {
            (Some(path), _) => (format!("{}_file", self.what), secret::read(Path::new(path))),
            (_, Some(name)) => (format!("{}_credential", self.what), passed(name)),
            _ => match self.usual(env) {
                Some((Place::Credential(n) | Place::File(n) | Place::Variable(n), text)) => {
                    (n, text)
                }
                None => return Ok(None),
            },
        };
        let text = text.and_then(|text| match text.trim() {
            "" => Err("is empty".to_owned()),
            text if text.chars().any(char::is_control) => Err("has more than one line".to_owned()),
            text => Ok(Some(Secret(text.to_owned()))),
        });
        text.map_err(|why| Problem::new(&key, why, self.hint()))
    }

    /// What a table or a variable names as the file of the secret that is taken: the key or the variable,
    /// and the path.
    pub fn file(&self, env: &Environment) -> Option<(String, PathBuf)> {
        match (self.file, self.credential) {
            (Some(path), _) => Some((format!("{}_file", self.what), path.into())),
            (_, Some(_)) => None,
            _ => match self.usual(env)? {
                (Place::File(variable), _) => {
                    env.variable(&variable).map(PathBuf::from).map(|path| (variable, path))
                }
                _ => None,
            },
        }
    }

    /// The first of the usual places that is there.
    fn usual(&self, env: &Environment) -> Option<(Place, Result<String, String>)> {
        secret::find(env, passed_by_systemd(env), &[self.usual_credential], &[self.variable])
    }
}

/// The folder of credentials (systemd.exec(5), "CREDENTIALS").
fn passed_by_systemd(env: &Environment) -> Option<&Path> {
    env.variable("CREDENTIALS_DIRECTORY").map(Path::new)
}
