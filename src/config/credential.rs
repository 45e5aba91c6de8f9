//! Secrets: looked for in systemd's credentials, then in files named by `*_FILE` variables, then
//! in the environment. Never in the configuration file, and never in the arguments.
//!
//! Invariant: a problem names the credential or the variable and nothing else. Not even the path
//! of a file, because someone may have put the secret itself where its file name belongs.

use hygiene::secret::{self, Place};

use super::key::Key;
use super::kind::from_text;
use super::problem::Problems;
use super::source::{Origin, Sources};
use super::value::Value;

/// Before the name of a credential in the machine's store, which all services share. The packaged
/// unit passes it without; in the store itself it has it.
pub const STORED: &str = "katana-bot.";

/// The right places for this secret, to follow "and" or to stand alone.
pub(super) fn places(key: &Key) -> String {
    let variable = key.variable();
    let name = key.credential().unwrap_or_default();
    format!(
        "put it into the systemd credential {name}, into a file named by {variable}_FILE, or into \
         {variable}"
    )
}

/// Looks for the secret of this key in all its places.
pub(super) fn find(
    key: &Key,
    sources: &Sources,
    problems: &mut Problems,
) -> Option<(Value, Origin)> {
    let name = key.credential().unwrap_or_default();
    let stored = format!("{STORED}{name}");
    let names = if name.is_empty() { Vec::new() } else { vec![stored.as_str(), name] };
    look(key, &names, &key.variables().collect::<Vec<_>>(), sources, problems)
}

/// Looks for the secret of this key in the given variables only.
pub(super) fn find_in(
    key: &Key,
    variables: &[impl AsRef<str>],
    sources: &Sources,
    problems: &mut Problems,
) -> Option<(Value, Origin)> {
    look(key, &[], variables, sources, problems)
}

fn look(
    key: &Key,
    names: &[&str],
    variables: &[impl AsRef<str>],
    sources: &Sources,
    problems: &mut Problems,
) -> Option<(Value, Origin)> {
    let variables: Vec<&str> = variables.iter().map(AsRef::as_ref).collect();
    let folder = sources.credentials_dir.as_deref();
    let (place, text) = secret::find(&sources.env, folder, names, &variables)?;
    let origin = match place {
        Place::Credential(_) => Origin::Credential(key.credential().unwrap_or_default().to_owned()),
        Place::File(variable) => Origin::SecretFile(variable),
        Place::Variable(variable) => Origin::Env(variable),
    };
    checked(key, text, origin, problems)
}

fn checked(
    key: &Key,
    text: Result<String, String>,
    origin: Origin,
    problems: &mut Problems,
) -> Option<(Value, Origin)> {
    match text.and_then(|text| from_text(key.kind, &text)) {
        Ok(value) => Some((value, origin)),
        Err(why) => {
            let hint = match origin {
                Origin::SecretFile(_) => {
                    "the variable holds the path of a file, which holds the secret on one line \
                     and is readable by the bot's user"
                }
                Origin::Credential(_) => "give the credential the secret on one line",
                _ => "give the variable the secret alone, on one line, without quotes",
            };
            problems.push(key.path(), format!("the {origin} {why}"), hint);
            None
        }
    }
}
