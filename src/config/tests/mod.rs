//! Tests of the configuration as a whole.

mod drop_ins;
mod lists;
mod precedence;
mod problems;
mod providers;
mod secrets;
mod tables;
mod v0_2;

use std::path::Path;

use super::{Config, Loaded, Problems, Sources};

/// A token that no bot has.
const TOKEN: &str = "123456789:AAbbCCddEEffGGhhIIjjKKllMMnnOOppXYZ";

/// Variables without which nothing loads: a token, a place and a provider.
const BASE: &[(&str, &str)] =
    &[("TELEGRAM_TOKEN", TOKEN), ("HOME", "/home/k"), ("AI_PROVIDER", "echo")];

/// Loads the base with some variables added or, when empty, taken away.
pub(super) fn with(env: &[(&str, &str)]) -> Result<Loaded, Problems> {
    Config::load(&sources(env))
}

fn sources(env: &[(&str, &str)]) -> Sources {
    Sources::from_env(BASE.iter().chain(env).copied())
}

/// Loads the base with a file, and some variables added.
fn with_file(toml: &str, env: &[(&str, &str)]) -> Result<Loaded, Problems> {
    let dir = tempfile::tempdir().expect("a folder");
    let path = written(dir.path(), "katana-bot.toml", toml);
    Config::load(&Sources { files: vec![path], ..sources(env) })
}

fn written(dir: &Path, name: &str, text: &str) -> std::path::PathBuf {
    let path = dir.join(name);
    std::fs::write(&path, text).expect("written");
    path
}

/// The one problem that there must be, as `key: message`.
fn only(result: Result<Loaded, Problems>) -> String {
    only_problem(&result.expect_err("a problem"))
}

fn only_problem(problems: &Problems) -> String {
    let problems = &problems.0;
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(!problems[0].hint.is_empty());
    format!("{}: {}", problems[0].key, problems[0].message)
}
