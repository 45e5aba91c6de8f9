//! The configuration, and who can read the files that hold secrets.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use hygiene::ownership::is_open_secret;

use super::check::Check;
use crate::cli::sources::CREDENTIAL_STORE;
use crate::cli::{check, endpoint};
use crate::config::{
    Examined, Key, OPEN_SECRET, Origin, Problem, STORED_CREDENTIAL, Sources, find, keys,
};

/// The checker's secrets in the machine's store.
const ALERTS: [&str; 2] = ["telegram-alert-token", "smtp-alert-password"];

/// Problems, warnings, permissions.
pub(super) fn checks(examined: &Examined, sources: &Sources) -> Vec<Check> {
    const NAME: &str = "configuration";
    let from = match sources.file() {
        Some(file) => file.display().to_string(),
        None => "environment and defaults".to_owned(),
    };
    let (problems, warnings) = check::everything(examined.clone());
    let line = |p: &Problem| format!("{}: {}", p.key, p.message);
    let bad = |p: &Problem| {
        let mut check = Check::bad(NAME, line(p), &p.hint).config();
        if let Some(credential) = find(&p.key).and_then(Key::credential)
            && !sources.env.contains_key("CREDENTIALS_DIRECTORY")
        {
            check.advice.push(format!(
                "or, if only the unit has it, check as the unit: `systemd-run --pipe --wait -p \
                 LoadCredential={credential}:{STORED_CREDENTIAL}{credential} \
                 katana-bot doctor`"
            ));
        }
        check
    };
    let mut checks: Vec<Check> = problems.iter().map(bad).collect();
    // Open secrets have a check of their own, with the path.
    let warnings = warnings.iter().filter(|p| !p.message.starts_with(OPEN_SECRET));
    checks.extend(warnings.map(|p| Check::note(NAME, line(p), &p.hint)));
    if problems.is_empty() {
        checks.insert(0, Check::good(NAME, format!("valid ({from})")));
    }
    checks.extend(secrets(examined, sources));
    checks
}

/// Secret files that other users can read.
fn secrets(examined: &Examined, sources: &Sources) -> Vec<Check> {
    const NAME: &str = "secrets";
    let named = examined.loaded.origins.values().filter_map(|origin| match origin {
        Origin::SecretFile(variable) => sources.env.get(variable).map(PathBuf::from),
        _ => None,
    });
    let stored = keys().iter().filter_map(|key| key.credential());
    let unit = endpoint::unit(sources.file());
    let stored = stored.flat_map(|name| [name.to_owned(), format!("{unit}.{name}")]);
    let stored = stored.chain(ALERTS.map(|name| format!("{STORED_CREDENTIAL}{name}")));
    let stored = stored.map(|name| Path::new(CREDENTIAL_STORE).join(name));
    let files: BTreeSet<PathBuf> = named.chain(stored).collect();
    let mut checks = Vec::new();
    let mut seen = 0;
    for file in files {
        seen += usize::from(file.exists());
        if is_open_secret(&file) {
            let file = file.display();
            let advice = format!("chmod 600 {file}");
            checks.push(Check::bad(NAME, format!("{OPEN_SECRET} {file}"), advice).config());
        }
    }
    if checks.is_empty() {
        let text = match seen {
            0 => "none in files".to_owned(),
            1 => "the file with a secret is not readable by everyone".to_owned(),
            n => format!("{n} files with secrets, none readable by everyone"),
        };
        checks.push(Check::good(NAME, text));
    }
    checks
}
