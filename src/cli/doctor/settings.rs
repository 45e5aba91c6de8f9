//! The configuration, and who can read the files that hold secrets.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use hygiene::ownership::is_open_secret;

use super::check::Check;
use crate::app;
use crate::cli::sources::{ALERT_SECRETS, CREDENTIAL_STORE};
use crate::cli::{check, endpoint};
use crate::config::{
    Config, Examined, OPEN_SECRET, Origin, Problem, ProviderSection, STORED_CREDENTIAL, Sources,
};
use crate::provider::{Priced, priced};

/// Problems, warnings, permissions.
pub(super) fn checks(examined: &Examined, sources: &Sources) -> Vec<Check> {
    const NAME: &str = "configuration";
    let from = match sources.file() {
        Some(file) => file.display().to_string(),
        None => "environment and defaults".to_owned(),
    };
    let unit = endpoint::unit(sources.file());
    let bot = match unit.split_once('@') {
        Some((bot, instance)) => format!("{bot} --instance {instance}"),
        None => unit.clone(),
    };
    let (problems, warnings) = check::everything(examined.clone());
    let line = |p: &Problem| format!("{}: {}", p.key, p.message);
    let bad = |p: &Problem| {
        let mut check = Check::bad(NAME, line(p), &p.hint).config();
        let mut credentials = examined.loaded.credentials();
        if let Some((_, credential)) = credentials.find(|(key, _)| key.path() == p.key)
            && !sources.env.contains_key("CREDENTIALS_DIRECTORY")
        {
            let all = examined.loaded.credentials().map(|(_, id)| id);
            let given = given(Path::new(CREDENTIAL_STORE), &unit, all, credential);
            check.advice.push(format!(
                "or, if only the unit has it, check as the unit: `systemd-run --pipe --wait {given} \
                 {bot} doctor`"
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

/// What answers may cost, where they cost something.
pub(super) fn budget(config: &Config) -> Option<Check> {
    const NAME: &str = "budget";
    let (mut costs, mut unknown) = (false, Vec::new());
    for chosen in config.chosen() {
        let provider = app::provider(config, chosen, None).ok()?;
        let set = chosen.section.map(ProviderSection::price).unwrap_or_default();
        let priced = priced(&*provider, provider.model(), set);
        costs |= !priced.price().is_free();
        if matches!(priced, Priced::Dearest(_)) {
            unknown.push(provider.model().to_owned());
        }
    }
    if !costs {
        return None;
    }
    let budget = &config.budget;
    let limits = [(budget.total_usd_per_day, "a day"), (budget.total_usd_per_month, "a month")];
    let limits = limits.iter().filter_map(|(usd, when)| Some(format!("{} {when}", (*usd)?)));
    let limits = limits.collect::<Vec<_>>().join(" and ");
    let hint = "set budget.total_usd_per_day or budget.total_usd_per_month";
    if limits.is_empty() {
        return Some(Check::note(NAME, "nothing bounds what answers cost", hint));
    }
    let text = format!("all answers together may cost {limits}");
    if unknown.is_empty() {
        return Some(Check::good(NAME, text));
    }
    Some(Check::note(
        NAME,
        format!("{text}; the price of {} is not known", unknown.join(", ")),
        "set the prices of its provider in the configuration; until then its answers count as dear as those of \
         the vendor's dearest model",
    ))
}

/// Arguments of systemd-run that pass all secrets of the unit that are in the store: with the first of them,
/// doctor looks for no other elsewhere. At least this one, which may be where only the unit finds it.
fn given<'a>(
    store: &Path,
    unit: &str,
    credentials: impl Iterator<Item = &'a str>,
    missing: &str,
) -> String {
    let sealed = PathBuf::from(format!("{}.encrypted", store.display()));
    let passed = |id: &str| {
        let name = format!("{unit}.{id}");
        let file = sealed.join(&name);
        if file.exists() {
            return Some(format!("-p LoadCredentialEncrypted={id}:{}", file.display()));
        }
        let is_there = store.join(&name).exists() || id == missing;
        is_there.then(|| format!("-p LoadCredential={id}:{name}"))
    };
    credentials.filter_map(passed).collect::<Vec<_>>().join(" ")
}

/// Secret files that other users can read.
fn secrets(examined: &Examined, sources: &Sources) -> Vec<Check> {
    const NAME: &str = "secrets";
    let named = examined.loaded.origins.values().filter_map(|origin| match origin {
        Origin::SecretFile(variable) => sources.env.get(variable).map(PathBuf::from),
        _ => None,
    });
    let stored = examined.loaded.credentials().map(|(_, id)| id);
    let unit = endpoint::unit(sources.file());
    let stored = stored.flat_map(|name| [name.to_owned(), format!("{unit}.{name}")]);
    let stored = stored.chain(ALERT_SECRETS.map(|name| format!("{STORED_CREDENTIAL}{name}")));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_to_check_as_the_unit_has_the_names_of_the_bot() {
        for (file, wanted) in [
            (
                "/etc/katana-bot/katana-bot.toml",
                "LoadCredential=telegram-token:katana-bot.telegram-token katana-bot doctor`",
            ),
            (
                "/etc/katana-bot/no-such-bot.toml",
                "LoadCredential=telegram-token:katana-bot@no-such-bot.telegram-token katana-bot \
                 --instance no-such-bot doctor`",
            ),
        ] {
            let sources = Sources { files: vec![file.into()], ..Sources::default() };
            let checks = checks(&Config::examine(&sources), &sources);
            let mut advice = checks.iter().flat_map(|check| &check.advice);
            assert!(advice.any(|line| line.ends_with(wanted)), "{file}: {checks:?}");
        }
    }

    #[test]
    fn all_secrets_are_passed_in_the_form_that_they_have() {
        let folder = tempfile::tempdir().expect("a folder");
        let (store, sealed) =
            (folder.path().join("credstore"), folder.path().join("credstore.encrypted"));
        let unit = "katana-bot@a";
        let plain = |id: &str| format!("-p LoadCredential={id}:{unit}.{id}");
        let given = |missing| {
            given(&store, unit, ["telegram-token", "openai-api-key"].into_iter(), missing)
        };
        assert_eq!(given("telegram-token"), plain("telegram-token"));
        for (dir, id) in [(&store, "openai-api-key"), (&sealed, "telegram-token")] {
            std::fs::create_dir_all(dir).expect("a folder");
            std::fs::write(dir.join(format!("{unit}.{id}")), "x").expect("written");
        }
        let file = sealed.join(format!("{unit}.telegram-token"));
        let token = format!("-p LoadCredentialEncrypted=telegram-token:{}", file.display());
        let all = given("telegram-token");
        assert!(all.contains(&token) && all.contains(&plain("openai-api-key")), "{all}");
        assert_eq!(all.matches("-p ").count(), 2, "{all}");
    }
}
