//! Secrets of the channels: from a file, from systemd's credentials, or from the environment.
//!
//! Invariants: `Debug` shows nothing of a secret. A problem names the key or the variable and not
//! the path, because somebody may have written the secret itself where its file name belongs.

use std::fmt;
use std::io::Read;
use std::path::Path;

use super::{ConfigProblem, Environment};

/// Largest file that is read for a secret, in bytes.
const SECRET_BYTES: u64 = 16 * 1024;

/// A token or a password.
#[derive(Clone)]
pub(super) struct Secret(String);

impl Secret {
    /// The text itself, for the one call that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Where one secret is looked for, in this order.
pub(super) struct Places<'a> {
    /// The key of the table that names a file, and what it says.
    pub file: (&'static str, Option<&'a str>),
    /// The key of the table that names a credential, and what it says.
    pub credential: (&'static str, Option<&'a str>),
    /// The credential that is tried when the table names none; it may be absent.
    pub usual_credential: &'static str,
    /// The variable; with `_FILE` behind it, the variable that names a file.
    pub variable: &'static str,
}

impl Places<'_> {
    /// All of them, in words.
    pub fn hint(&self) -> String {
        let Self { usual_credential, variable, file: (file_key, _), .. } = self;
        format!(
            "put it into a file and name that with {file_key}, or into the systemd credential \
             {usual_credential}, or into the variable {variable}"
        )
    }

    /// Looks in all of them.
    pub fn find(&self, env: &Environment) -> Result<Option<Secret>, ConfigProblem> {
        if let (key, Some(path)) = self.file {
            let hint = "it is the path of a file with the secret alone on one line, readable by \
                        the user that runs check-heartbeat";
            return settle(key, read(Path::new(path)), hint).map(Some);
        }
        if let (key, Some(name)) = self.credential {
            let path = env.credentials().filter(|_| is_file_name(name)).map(|dir| dir.join(name));
            let text = path.map_or(Err("was not passed by systemd".to_owned()), |path| read(&path));
            let hint = "name a credential that the unit loads with LoadCredential=";
            return settle(key, text, hint).map(Some);
        }
        if let Some(path) = env.credentials().map(|dir| dir.join(self.usual_credential))
            && !matches!(path.try_exists(), Ok(false))
        {
            let hint = "give the credential the secret alone, on one line";
            return settle(self.usual_credential, read(&path), hint).map(Some);
        }
        let file_variable = format!("{}_FILE", self.variable);
        if let Some(path) = env.variable(&file_variable) {
            let hint = "the variable holds the path of a file with the secret alone on one line";
            return settle(&file_variable, read(Path::new(path)), hint).map(Some);
        }
        let Some(text) = env.variable(self.variable) else { return Ok(None) };
        let hint = "give the variable the secret alone, without quotes or line ends";
        settle(self.variable, Ok(text.to_owned()), hint).map(Some)
    }
}

fn is_file_name(name: &str) -> bool {
    !name.is_empty() && name != "." && name != ".." && !name.contains('/')
}

fn read(path: &Path) -> Result<String, String> {
    let said = |error: std::io::Error| format!("cannot be read ({})", error.kind());
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(said)?;
    file.take(SECRET_BYTES + 1).read_to_end(&mut bytes).map_err(said)?;
    if bytes.len() as u64 > SECRET_BYTES {
        return Err("is too large for a secret".to_owned());
    }
    String::from_utf8(bytes).map_err(|_| "is not text in UTF-8".to_owned())
}

fn settle(key: &str, text: Result<String, String>, hint: &str) -> Result<Secret, ConfigProblem> {
    let text = text.map_err(|why| ConfigProblem::new(key, why, hint))?;
    let text = text.trim();
    if text.is_empty() {
        return Err(ConfigProblem::new(key, "is empty", hint));
    }
    if text.chars().any(char::is_control) {
        return Err(ConfigProblem::new(key, "has more than one line", hint));
    }
    Ok(Secret::from(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places<'a>(file: Option<&'a str>, credential: Option<&'a str>) -> Places<'a> {
        Places {
            file: ("password_file", file),
            credential: ("password_credential", credential),
            usual_credential: "usual",
            variable: "PASSWORD",
        }
    }

    fn found(places: &Places<'_>, env: &Environment) -> Result<Option<String>, String> {
        let secret = places.find(env).map_err(|p| format!("{} {}", p.key, p.message))?;
        Ok(secret.map(|s| s.expose().to_owned()))
    }

    #[test]
    fn the_nearest_place_wins() {
        let dir = tempfile::tempdir().expect("a directory");
        let at = |name: &str| dir.path().join(name).to_string_lossy().into_owned();
        for (name, text) in [("file", "one\n"), ("usual", "two"), ("own", "three"), ("var", "four")]
        {
            std::fs::write(at(name), text).expect("written");
        }
        let credentials = ("CREDENTIALS_DIRECTORY".to_owned(), at(""));
        let file = ("PASSWORD_FILE".to_owned(), at("var"));
        let plain = ("PASSWORD".to_owned(), "five".to_owned());
        let all: Environment =
            [credentials.clone(), file.clone(), plain.clone()].into_iter().collect();
        let some = |text: &str| Ok(Some(text.to_owned()));
        assert_eq!(found(&places(Some(&at("file")), Some("own")), &all), some("one"));
        assert_eq!(found(&places(None, Some("own")), &all), some("three"));
        assert_eq!(found(&places(None, None), &all), some("two"));
        let env: Environment = [file, plain.clone()].into_iter().collect();
        assert_eq!(found(&places(None, None), &env), some("four"));
        let env: Environment = [plain].into_iter().collect();
        assert_eq!(found(&places(None, None), &env), some("five"));
        assert_eq!(found(&places(None, None), &Environment::default()), Ok(None));
    }

    #[test]
    fn a_named_place_must_hold_one() {
        let dir = tempfile::tempdir().expect("a directory");
        let at = |name: &str| dir.path().join(name).to_string_lossy().into_owned();
        std::fs::write(at("empty"), " \n").expect("written");
        std::fs::write(at("lines"), "a\nb\n").expect("written");
        std::fs::write(at("large"), vec![b'x'; 20_000]).expect("written");
        let env: Environment = [("CREDENTIALS_DIRECTORY", at(""))].into_iter().collect();
        for (name, why) in [
            ("none", "password_file cannot be read (entity not found)"),
            ("empty", "password_file is empty"),
            ("lines", "password_file has more than one line"),
            ("large", "password_file is too large for a secret"),
        ] {
            assert_eq!(found(&places(Some(&at(name)), None), &env), Err(why.to_owned()));
        }
        for name in ["none", "../x", ""] {
            assert!(found(&places(None, Some(name)), &env).is_err(), "{name}");
        }
        assert!(found(&places(None, Some("empty")), &Environment::default()).is_err());
    }
}
