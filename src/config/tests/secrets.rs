//! No secret leaves, wherever it was put.

use proptest::prelude::*;

use super::{BASE, TOKEN, sources, with, with_file, written};
use crate::config::{Config, Loaded, Problems, Sources, keys, print_warnings};

/// Everything that the outcome can show.
fn everything(result: &Result<Loaded, Problems>) -> String {
    match result {
        Ok(loaded) => format!(
            "{loaded:?} {loaded:#?} {} {} {:?} {}",
            loaded.print(false),
            loaded.print(true),
            loaded.origins,
            print_warnings(&loaded.warnings, true),
        ),
        Err(problems) => format!("{problems} {problems:?} {}", problems.print(true)),
    }
}

/// The base, with this secret as token or key.
fn loaded_as(name: &str, secret: &str) -> Sources {
    sources(&[(name, secret)])
}

/// A file with the secret somewhere, well formed or broken.
fn misplaced(place: usize, secret: &str) -> String {
    match place {
        0 => format!("[telegram]\ntoken = \"{secret}\"\n"),
        1 => format!("[telegram]\ntoken = {secret}\n"),
        2 => format!("[telegram]\ntoken = \"{secret}\n"),
        3 => format!("[openai]\napi_key = [\"{secret}\"]\n"),
        4 => format!("[openai]\nkey = \"{secret}\"\n"),
        5 => format!("\"{secret}\" = 1\n"),
        6 => format!("[\"{secret}\"]\n"),
        7 => format!("[bot]\n\"{secret}\" = 1\n"),
        8 => format!("{secret}\n"),
        9 => format!("[bot]\naccess = \"{secret}\"\n"),
        10 => format!("[telegram]\napi_url = \"https://api.telegram.org/bot{secret}\"\n"),
        11 => format!("[telegram]\napi_url = \"https://{secret}@api.telegram.org\"\n"),
        12 => format!("[log]\nprompts = \"{secret}\"\n"),
        13 => format!("[answer]\nsystem_prompt = \"{secret}\"\n"),
        14 => format!("[knowledge]\ndir = \"/etc/{secret}\"\n"),
        15 => format!("[openai]\nmodel = \"{secret}\"\nmodel = \"{secret}\"\n"),
        _ => format!("[bot]\nenvironment = \"{secret}\"\n"),
    }
}

proptest! {
    #[test]
    fn secrets_never_reach_a_sink(
        id in "[1-9][0-9]{5,9}",
        tail in "[A-Za-z0-9_-]{35}",
        key in "(sk-|sk-proj-|AIza)?[A-Za-z0-9_-]{24,60}",
        place in 0..18usize,
        variable in 0..64usize,
    ) {
        let token = format!("{id}:{tail}");
        for (name, secret, part) in [
            ("TELEGRAM_TOKEN", token.as_str(), tail.as_str()),
            ("OPENAI_API_KEY", &key, &key),
            ("KATANA_ANTHROPIC_API_KEY", &key, &key),
        ] {
            let fine = everything(&Config::load(&loaded_as(name, secret)));
            prop_assert!(!fine.contains(part), "{fine}");

            let dir = tempfile::tempdir().expect("a folder");
            let files = vec![written(dir.path(), "k.toml", &misplaced(place, secret))];
            let shown = everything(&Config::load(&Sources { files, ..loaded_as(name, secret) }));
            prop_assert!(!shown.contains(part), "{place}: {shown}");

            let any = &keys()[variable % keys().len()];
            let suffix = if variable % 2 == 0 { "" } else { "_FILE" };
            let mut wrong = loaded_as(name, secret);
            wrong.env.insert(format!("{}{suffix}", any.variable()), secret.to_owned());
            let shown = everything(&Config::load(&wrong));
            prop_assert!(!shown.contains(part), "{} {shown}", any.path());
            let sources_shown = format!("{wrong:?}");
            prop_assert!(!sources_shown.contains(part));
        }
    }
}

#[test]
fn all_loaded_secrets_can_be_listed() {
    let keys = [("OPENAI_API_KEY", "o"), ("KATANA_ANTHROPIC_API_KEY", "a")];
    let loaded = with(&keys).expect("valid");
    let all: Vec<&str> = loaded.secrets().map(|secret| secret.expose()).collect();
    assert_eq!(all, [TOKEN, "o", "a"]);
}

#[test]
fn a_broken_line_with_a_secret_is_not_printed() {
    let toml = format!("[telegram]\ntoken = {TOKEN}\n");
    let problems = with_file(&toml, &[]).expect_err("broken");
    let shown = problems.print(false);
    assert!(shown.contains("katana-bot.toml:2:"), "{shown}");
    assert!(!shown.contains("AAbb") && !shown.contains("123456789:A"), "{shown}");
}

#[test]
fn a_secret_in_the_file_is_refused_even_if_right() {
    let problem = super::only(with_file(&format!("[telegram]\ntoken = \"{TOKEN}\"\n"), &[]));
    assert!(problem.starts_with("telegram.token: a secret in the configuration file ("));
    assert!(problem.ends_with("katana-bot.toml:2)"), "{problem}");
}

#[test]
fn a_secret_in_another_setting_is_refused() {
    let problem = super::only(with(&[("KATANA_ANSWER_SYSTEM_PROMPT", TOKEN)]));
    assert_eq!(
        problem,
        "answer.system_prompt: the value contains the secret telegram.token \
         (environment KATANA_ANSWER_SYSTEM_PROMPT)"
    );
    let stand_in = [("AI_PROVIDER", "ollama"), ("OPENAI_API_KEY", "ollama")];
    assert!(with(&stand_in).is_ok(), "a stand-in is not a secret");
}

#[test]
fn a_bad_token_names_its_source_and_the_form() {
    let dir = tempfile::tempdir().expect("a folder");
    written(dir.path(), "telegram-token", "not-a-token-at-all");
    let sources = Sources {
        credentials_dir: Some(dir.path().to_owned()),
        ..Sources::from_env(BASE.iter().copied())
    };
    let problem = Config::load(&sources).expect_err("bad").0.remove(0);
    assert_eq!(problem.message, "the credential telegram-token is not a bot token");
    assert!(problem.hint.contains("digits:characters"));
}

#[test]
fn a_credential_is_found_by_the_name_that_it_has_in_the_store() {
    let dir = tempfile::tempdir().expect("a folder");
    written(dir.path(), "katana-bot.telegram-token", TOKEN);
    written(dir.path(), "telegram-token", "that-of-another-service");
    let sources = Sources {
        credentials_dir: Some(dir.path().to_owned()),
        ..Sources::from_env(BASE.iter().copied())
    };
    let loaded = Config::load(&sources).expect("good");
    assert_eq!(loaded.config.telegram.token.expose(), TOKEN);
}

#[test]
fn a_secret_in_a_file_that_everyone_can_read_is_warned_of() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().expect("a folder");
    let path = written(dir.path(), "token", TOKEN);
    let shown = path.display().to_string();
    for (mode, words) in [
        (
            0o644,
            "telegram.token: everyone on this machine can read the file named by TELEGRAM_TOKEN_FILE",
        ),
        (0o640, ""),
    ] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("changed");
        let loaded =
            with(&[("TELEGRAM_TOKEN", ""), ("TELEGRAM_TOKEN_FILE", &shown)]).expect("valid");
        let said = print_warnings(&loaded.warnings, false);
        assert!(said.contains(words) && !said.contains(&shown), "{said}");
        assert_eq!(said.contains("everyone on this machine"), !words.is_empty(), "{said}");
    }
}

#[test]
fn secret_files_that_cannot_serve_are_named_by_their_variable() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = |name: &str, text: &str| written(dir.path(), name, text).display().to_string();
    for (path, why) in [
        (path("empty", "\n"), "is empty"),
        (path("lines", "a\nb\n"), "is not one word"),
        (path("long", &"a".repeat(17 * 1024)), "is larger than 16384 bytes"),
        (dir.path().display().to_string(), "cannot be read"),
        (TOKEN.to_owned(), "cannot be read"),
    ] {
        let problem = super::only(with(&[("TELEGRAM_TOKEN_FILE", &path)]));
        let start = format!("telegram.token: the file named by TELEGRAM_TOKEN_FILE {why}");
        assert!(problem.starts_with(&start) && !problem.contains(&path), "{problem}");
    }
}
