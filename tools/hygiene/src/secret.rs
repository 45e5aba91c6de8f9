//! Where secrets come from: systemd's credentials, then files that `*_FILE` variables name, then
//! variables.
//!
//! Invariant: nothing here can be printed by accident, neither a value of the environment nor the
//! path of a file, because the secret itself may have been written where its file name belongs.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::path::Path;

use crate::text;

/// Largest file that is read for a secret, in bytes.
const SECRET_BYTES: u64 = 16 * 1024;
/// Fewest characters after the colon of a bot token. Real ones have 35; local Bot API servers and
/// simulators are content with less.
const TOKEN_TAIL: usize = 8;

/// Environment variables, as a value, so that tests never touch those of their process.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The environment of this process; what is not UTF-8 in it is replaced.
    pub fn of_process() -> Self {
        let text = |text: OsString| text.to_string_lossy().into_owned();
        std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect()
    }

    /// A variable that is set to more than blanks.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.get(name).map(String::as_str).filter(|value| !value.trim().is_empty())
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

impl Deref for Environment {
    type Target = BTreeMap<String, String>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for Environment {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl fmt::Debug for Environment {
    /// Names only: any value may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Where a secret was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The systemd credential of this name.
    Credential(String),
    /// The file that this variable names.
    File(String),
    /// This variable.
    Variable(String),
}

/// Looks for a secret in the credentials of these names, in the files that the variables with
/// `_FILE` name, then in the variables. The first that is there counts, even if it cannot be read:
/// then the result says why.
pub fn find(
    env: &Environment,
    credentials: Option<&Path>,
    names: &[&str],
    variables: &[&str],
) -> Option<(Place, Result<String, String>)> {
    for (folder, name) in credentials.iter().flat_map(|f| names.iter().map(move |name| (f, name))) {
        // A credential that was not passed is simply not there.
        let path = folder.join(name);
        if !matches!(path.try_exists(), Ok(false)) {
            return Some((Place::Credential((*name).to_owned()), read(&path)));
        }
    }
    for variable in variables.iter().map(|variable| format!("{variable}_FILE")) {
        if let Some(path) = env.variable(&variable) {
            let text = read(Path::new(path));
            return Some((Place::File(variable), text));
        }
    }
    let mut set = variables.iter().filter_map(|name| Some((*name, env.variable(name)?)));
    set.next().map(|(name, text)| (Place::Variable(name.to_owned()), Ok(text.to_owned())))
}

/// Whether this has the form of a bot token, `digits:characters` (Bot API, "Authorizing your bot").
pub fn is_bot_token(text: &str) -> bool {
    let (digits, tail) = text.split_once(':').unwrap_or_default();
    let id = digits.bytes().all(|b| b.is_ascii_digit()) && digits.parse::<i64>().is_ok();
    let fit = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    id && tail.len() >= TOKEN_TAIL && tail.bytes().all(fit)
}

/// Reads the file of a secret.
///
/// # Errors
/// Why it cannot be read, to continue a sentence about the file.
pub fn read(path: &Path) -> Result<String, String> {
    text::read(path, SECRET_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_shows_names_and_not_values() {
        let env = Environment::from_iter([("TELEGRAM_TOKEN", "42:abcdefghijkl")]);
        let shown = format!("{env:?}");
        assert!(shown.contains("TELEGRAM_TOKEN") && !shown.contains("abcdefgh"), "{shown}");
    }

    #[test]
    fn blank_variables_count_as_unset() {
        let env = Environment::from_iter([("A", ""), ("B", " \n"), ("C", "c")]);
        assert_eq!((env.variable("A"), env.variable("B")), (None, None));
        assert_eq!(env.variable("C"), Some("c"));
    }

    #[test]
    fn the_first_place_counts() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("name"), "passed").unwrap();
        let file = folder.path().join("name").display().to_string();
        let mut env = Environment::from_iter([("A", "a"), ("B_FILE", file.as_str())]);
        let found = |env: &Environment, folder| find(env, folder, &["other", "name"], &["A", "B"]);
        let place = |place, text: &str| Some((place, Ok(text.to_owned())));
        let credential = Place::Credential("name".to_owned());
        assert_eq!(found(&env, Some(folder.path())), place(credential, "passed"));
        assert_eq!(found(&env, None), place(Place::File("B_FILE".to_owned()), "passed"));
        env.remove("B_FILE");
        assert_eq!(found(&env, None), place(Place::Variable("A".to_owned()), "a"));
        env.remove("A");
        assert_eq!(found(&env, None), None);
        let missing = "cannot be read: there is no such file".to_owned();
        assert_eq!(read(&folder.path().join("nothing")), Err(missing));
    }
}
