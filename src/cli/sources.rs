//! Where a command that runs outside of the unit finds the configuration of the daemon.

use std::path::PathBuf;

use heartbeat::advice_for;

use super::endpoint;
use crate::config::{Config, Examined, Key, Loaded, NO_TOKEN, Problem, Sources, find};

/// Where systemd looks for credentials without a path (systemd.exec(5)).
pub(super) const CREDENTIAL_STORE: &str = "/etc/credstore";

/// The checkers' secrets; all bots of a machine share them.
pub(super) const ALERT_SECRETS: [&str; 3] =
    ["telegram-alert-token", "smtp-alert-password", "webhook-alert-token"];

/// Where the token lies for a bot that supervisor runs, as its packaged configuration has it.
const TOKEN_FILE: &str = "/etc/katana-bot/telegram-token";

/// The key that every bot needs.
const TOKEN: &str = "telegram.token";

/// What the daemon would get. Outside its unit there are no credentials. Root sees those of the
/// running daemon, decrypted, otherwise those in the credential store; a token in the environment
/// selects another bot.
pub(super) fn sources(file: Option<PathBuf>) -> Sources {
    let mut sources = endpoint::sources(file);
    let variables: Vec<String> = find(TOKEN).into_iter().flat_map(Key::variables).collect();
    let is_given = |name: &String| {
        sources.env.contains_key(name) || sources.env.contains_key(&format!("{name}_FILE"))
    };
    if sources.credentials_dir.is_some() || variables.iter().any(is_given) {
        return sources;
    }
    let unit = endpoint::unit(sources.file());
    let passed = PathBuf::from(format!("/run/credentials/{unit}.service"));
    let store = PathBuf::from(CREDENTIAL_STORE);
    let is_passed = std::fs::File::open(passed.join("telegram-token")).is_ok();
    // The names in the store are those of the first bot; never use them for another bot.
    let dir = match (is_passed, unit.as_str()) {
        (true, _) => Some(passed),
        (false, "katana-bot") => Some(store.clone()),
        (false, _) => None,
    };
    sources.credentials_dir = dir.filter(|dir| std::fs::read_dir(dir).is_ok());
    // The packaged units find theirs by files whose names begin with the unit's.
    for (key, id) in Config::examine(&sources).loaded.credentials() {
        let file = store.join(format!("{unit}.{id}"));
        if std::fs::File::open(&file).is_ok() {
            let variable = format!("{}_FILE", key.variable());
            sources.env.entry(variable).or_insert_with(|| file.display().to_string());
        }
    }
    let variable = find(TOKEN).map(|key| format!("{}_FILE", key.variable()));
    if let Some(name) = variable.filter(|_| unit == "katana-bot")
        && std::fs::File::open(TOKEN_FILE).is_ok()
    {
        sources.env.entry(name).or_insert_with(|| TOKEN_FILE.to_owned());
    }
    sources
}

/// The configuration as far as it is understood, with advice for this bot and this user.
pub(super) fn examined(sources: &Sources) -> Examined {
    let mut examined = Config::examine(sources);
    let denied = |e: std::io::Error| e.kind() == std::io::ErrorKind::PermissionDenied;
    if std::fs::read_dir(CREDENTIAL_STORE).is_err_and(denied) {
        let missing = |p: &&mut Problem| p.key == TOKEN && p.message == NO_TOKEN;
        if let Some(problem) = examined.problems.0.iter_mut().find(missing) {
            problem.message = format!("{NO_TOKEN} that you can read");
            let hint =
                "run this as root, who can read the secrets of the packaged bot; if it has none: ";
            problem.hint.insert_str(0, hint);
        }
    }
    for_its_unit(&mut examined.problems.0, sources);
    for_its_unit(&mut examined.loaded.warnings, sources);
    examined
}

/// Leaves out what is wrong with secrets that are not needed, unless that stands in a file: there it is a mistake.
pub(super) fn without_secrets(
    problems: &mut Vec<Problem>,
    loaded: &Loaded,
    is_needed: impl Fn(&str) -> bool,
) {
    let is_left_out =
        |key: &str| loaded.credentials().any(|(secret, _)| secret.path() == key) && !is_needed(key);
    problems.retain(|problem| !is_left_out(&problem.key) || problem.apart().2.is_some());
}

/// Lets advice name the bot whose configuration this is.
pub(super) fn for_its_unit(problems: &mut [Problem], sources: &Sources) {
    let unit = endpoint::unit(sources.file());
    for problem in problems {
        problem.hint = advice_for(&unit, &problem.hint);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secrets_of_alerts_are_those_that_the_checkers_are_given() {
        for unit in [
            include_str!("../../packaging/systemd/katana-bot-check.service"),
            include_str!("../../packaging/systemd/katana-bot-check@.service"),
        ] {
            let given = unit.lines().filter_map(|line| line.strip_prefix("LoadCredential="));
            let given: Vec<&str> = given.filter_map(|line| line.split(':').next()).collect();
            assert_eq!(given, ALERT_SECRETS);
        }
    }
}
