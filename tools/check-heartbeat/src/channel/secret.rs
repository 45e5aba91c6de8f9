//! Secrets of the channels: from a file, from systemd's credentials, or from the environment.
//!
//! Invariants: nothing here can be printed by accident. A problem names the key or the variable and not
//! the path, because the secret itself may have been written where its file name belongs.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::config::Problem;

/// Largest file that is read for a secret, in bytes.
const SECRET_BYTES: u64 = 16 * 1024;

/// Environment variables, read once. An empty variable counts as not set. It cannot be printed.
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The environment of this process. Variables that are not UTF-8 are left out.
    pub fn of_process() -> Self {
        let text =
            |(n, v): (OsString, OsString)| Some((n.into_string().ok()?, v.into_string().ok()?));
        std::env::vars_os().filter_map(text).collect()
    }

    /// The variable, unless it is empty.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.trim().is_empty())
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        Self(pairs.into_iter().map(|(n, v)| (n.into(), v.into())).collect())
    }
}

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
    /// The keys of the table that name a file and a credential, and their values.
    pub file: (&'static str, Option<&'a str>),
    pub credential: (&'static str, Option<&'a str>),
    /// The credential that is tried when the table names none; it may be absent.
    pub usual_credential: &'static str,
    /// The variable; with `_FILE` appended, the variable that names a file.
    pub variable: &'static str,
}

impl Sources<'_> {
    /// All of them, in words.
    pub fn hint(&self) -> String {
        let Self { usual_credential, variable, file: (file_key, _), .. } = self;
        format!(
            "put it alone on one line of a file that the user of the check can read and name that \
             with {file_key}, or into the systemd credential {usual_credential}, or into the \
             variable {variable}"
        )
    }

    /// The first one that is there.
    pub fn find(&self, env: &Environment) -> Result<Option<Secret>, Problem> {
        // systemd.exec(5), "CREDENTIALS".
        let credentials = env.variable("CREDENTIALS_DIRECTORY").map(PathBuf::from);
        let file_variable = format!("{}_FILE", self.variable);
        let usual = credentials.as_ref().map(|folder| folder.join(self.usual_credential));
        let usual = usual.filter(|path| !matches!(path.try_exists(), Ok(false)));
        let ((file_key, file), (credential_key, named)) = (self.file, self.credential);
        let passed = |name: &str| {
            let folder = credentials.filter(|_| Path::new(name).file_name() == Some(name.as_ref()));
            let path = folder.map(|folder| folder.join(name));
            let missing = || "was not passed by systemd (LoadCredential=)".to_owned();
            path.ok_or_else(missing).and_then(|path| read(&path))
        };
        let file_of = |name: &str| env.variable(name).map(|path| read(Path::new(path)));
        let found = file
            .map(|path| (file_key, read(Path::new(path))))
            .or_else(|| named.map(|name| (credential_key, passed(name))))
            .or_else(|| usual.map(|path| (self.usual_credential, read(&path))))
            .or_else(|| file_of(&file_variable).map(|text| (file_variable.as_str(), text)))
            .or_else(|| Some((self.variable, Ok(env.variable(self.variable)?.to_owned()))));
        let Some((key, text)) = found else { return Ok(None) };
        let text = text.and_then(|text| match text.trim() {
            "" => Err("is empty".to_owned()),
            text if text.chars().any(char::is_control) => Err("has more than one line".to_owned()),
            text => Ok(Some(Secret(text.to_owned()))),
        });
        text.map_err(|why| Problem::new(key, why, self.hint()))
    }
}

fn read(path: &Path) -> Result<String, String> {
    let mut text = String::new();
    let file = File::open(path);
    match file.and_then(|file| file.take(SECRET_BYTES).read_to_string(&mut text)) {
        Ok(length) if length as u64 == SECRET_BYTES => Err("is too large for a secret".to_owned()),
        Ok(_) => Ok(text),
        Err(error) => Err(format!("cannot be read ({})", error.kind())),
    }
}
