//! What the configuration of 0.2 read, every key, variable and credential of it, must read the
//! same today.
//!
//! `v0_2/read.txt` was written by 0.2 itself and is never written again: a difference breaks
//! an installation. For each scenario it holds what the program sees (a line for each field
//! of `Config`, secrets included) and where each value came from, as far as it differs from the
//! first scenario. Keys that came later are left out.

use std::collections::BTreeMap;
use std::path::Path;

use super::{TOKEN, written};
use crate::config::{Config, Sources};

/// Every key that may stand in a file, each with another value than its default.
const FILE: &str = include_str!("v0_2/katana-bot.toml");

/// Every key by its own variable, each with another value than its default and than in the file.
const ENVIRONMENT: &str = include_str!("v0_2/environment");

/// What 0.2 made of the scenarios.
const READ: &str = include_str!("v0_2/read.txt");

/// Name, whether the file is there, variables.
type Scenario = (&'static str, bool, &'static [(&'static str, &'static str)]);

const SCENARIOS: &[Scenario] = &[
    ("defaults", false, &[("AI_PROVIDER", "echo")]),
    ("the file", true, &[]),
    ("the environment over the file", true, &[("EVERY_VARIABLE", "1")]),
    ("the environment", false, &[("EVERY_VARIABLE", "1")]),
    (
        "well-known variables",
        true,
        &[
            ("TELEGRAM_TOKEN", ""),
            ("TELEGRAM_BOT_TOKEN", "99:aliasaliasalias"),
            ("ENVIRONMENT", "alias"),
            ("AI_PROVIDER", "Anthropic"),
            ("MAX_HISTORY_TURNS", "77"),
            ("HTTP_TIMEOUT", "15.0"),
            ("LOG_LEVEL", "WARNING"),
            ("OPENAI_API_KEY", "alias-key-of-openai"),
            ("ANTHROPIC_API_KEY", "alias-key-anthropic"),
            ("AI_MODEL_NAME", "alias-of-model"),
            ("DEFAULT_MODEL", "second-alias"),
            ("HOST", "0.0.0.0"),
            ("PORT", "3000"),
        ],
    ),
    (
        "files of secrets",
        false,
        &[
            ("TELEGRAM_BOT_TOKEN_FILE", "{dir}/token"),
            ("KATANA_OPENAI_API_KEY_FILE", "{dir}/openai"),
            ("OPENAI_API_KEY", "overruled"),
            ("ANTHROPIC_API_KEY_FILE", "{dir}/anthropic"),
            ("KATANA_WEB_ADMIN_TOKEN_FILE", "{dir}/admin"),
        ],
    ),
    ("credentials", false, &[("CREDENTIALS_DIRECTORY", "{dir}/credentials")]),
    ("credentials of the store", false, &[("CREDENTIALS_DIRECTORY", "{dir}/store")]),
    ("gemini by its key", false, &[("GOOGLE_API_KEY", "g-key")]),
    ("gemini by the file of its key", false, &[("GOOGLE_API_KEY_FILE", "{dir}/google")]),
    ("google", false, &[("AI_PROVIDER", "Google"), ("GOOGLE_API_KEY", "g"), OPENAI]),
    ("google with a key of its own", false, &[("AI_PROVIDER", "gemini"), OWN, GOOGLE]),
    ("ollama", false, &[("KATANA_ANSWER_PROVIDER", "ollama"), GOOGLE]),
    ("vllm", false, &[("AI_PROVIDER", "vllm"), ("DEFAULT_MODEL", "m")]),
    ("openrouter", false, &[("AI_PROVIDER", "openrouter"), OPENAI]),
    ("auto with a key", false, &[OPENAI]),
    ("auto with two keys", false, &[OPENAI, ("ANTHROPIC_API_KEY", "a")]),
    ("auto with three keys", false, &[OPENAI, ("ANTHROPIC_API_KEY", "a"), GOOGLE]),
    ("auto with an address", false, &[("KATANA_OPENAI_BASE_URL", "http://[::1]:9/v1/")]),
    ("auto with nothing", false, &[]),
    ("offline", false, &[("AI_PROVIDER", "offline")]),
    (
        "folders of systemd",
        false,
        &[
            ("STATE_DIRECTORY", "/var/lib/katana-bot:/x"),
            ("RUNTIME_DIRECTORY", "/run/katana-bot:/y"),
        ],
    ),
    ("folders of a person", false, &[("XDG_STATE_HOME", "/xdg"), ("HOST", "a-machine")]),
    ("a slow model", false, &[("KATANA_ANSWER_TIMEOUT_S", "600"), ("PORT", "1")]),
    ("no endpoint", false, &[("KATANA_WEB_LISTEN", "OFF"), ("HOST", "::1")]),
    ("blank variables", false, &[("LOG_LEVEL", " "), ("KATANA_BOT_OWNERS", "")]),
];

const OPENAI: (&str, &str) = ("OPENAI_API_KEY", "o-key");
const OWN: (&str, &str) = ("KATANA_OPENAI_API_KEY", "own-key");
const GOOGLE: (&str, &str) = ("GOOGLE_API_KEY", "g-key");

/// Where a scenario's files are.
fn stage(dir: &Path) {
    for folder in ["credentials", "store"] {
        std::fs::create_dir(dir.join(folder)).expect("created");
    }
    for (name, text) in [
        ("token", "88:filefilefilefile\r\n"),
        ("openai", "file-of-openai\n"),
        ("anthropic", "file-of-anthropic"),
        ("admin", "file-of-admin-token\n"),
        ("google", "file-of-google\n"),
        ("credentials/telegram-token", "77:credentialcredential\n"),
        ("credentials/openai-api-key", "credential-of-openai"),
        ("credentials/anthropic-api-key", "credential-of-anthropic\n"),
        ("credentials/admin-token", "credential-of-admin\n"),
        ("store/katana-bot.telegram-token", "66:storestorestore\n"),
        ("store/telegram-token", "55:anotherservice\n"),
        ("store/katana-bot.openai-api-key", "store-of-openai\n"),
    ] {
        written(dir, name, text);
    }
}

/// What the program sees of a scenario, line by line.
fn read(dir: &Path, file: bool, env: &[(&str, &str)]) -> BTreeMap<String, String> {
    let mut sources = Sources::from_env([("TELEGRAM_TOKEN", TOKEN), ("HOME", "/home/k")]);
    let all = ENVIRONMENT.lines().filter_map(|line| line.split_once('='));
    let (all, env): (Vec<_>, Vec<_>) = (all.collect(), env.to_vec());
    let every = env.iter().any(|(name, _)| *name == "EVERY_VARIABLE");
    let set = if every { &all } else { &env };
    let place = dir.display().to_string();
    for (name, value) in set {
        sources.env.insert((*name).to_owned(), value.replace("{dir}", &place));
    }
    sources.credentials_dir = sources.env.get("CREDENTIALS_DIRECTORY").map(Into::into);
    sources.files = file.then(|| dir.join("katana-bot.toml")).into_iter().collect();
    let loaded = Config::load(&sources).expect("valid");
    let mut lines = fields(&format!("{:#?}", loaded.config));
    lines.insert("answer.provider".to_owned(), loaded.config.first().name.to_owned());
    for (path, origin) in &loaded.origins {
        let origin = origin.to_string().replace(&place, "{dir}");
        lines.insert(format!("{path} from"), origin);
    }
    for path in ["telegram.token", "openai.api_key", "anthropic.api_key", "web.admin_token"] {
        let secret = loaded.secret(path).map(|secret| secret.expose().to_owned());
        lines.insert(format!("{path} is"), secret.unwrap_or_default());
    }
    lines
}

/// The fields of `{:#?}`, each with its path; `providers` held them in two fields of their own.
fn fields(debug: &str) -> BTreeMap<String, String> {
    let (mut path, mut lines) = (Vec::new(), BTreeMap::<String, String>::new());
    for line in debug.lines().map(str::trim).skip(1) {
        let line = line.trim_end_matches(',');
        if line.starts_with(['}', ']', ')']) {
            path.pop();
            continue;
        }
        let (name, value) = line.split_once(": ").unwrap_or(("", line));
        if value.ends_with(['{', '[', '(']) {
            let name = name.trim_matches('"').trim_start_matches("providers");
            path.push(if name == "section" { "" } else { name });
        } else {
            let all: Vec<&str> =
                path.iter().chain([&name]).copied().filter(|n| !n.is_empty()).collect();
            let text = lines.entry(all.join(".")).or_default();
            text.push_str(&format!("{value} "));
        }
    }
    lines
}

#[test]
fn a_configuration_of_0_2_reads_the_same() {
    let known = |line: &str| READ.lines().any(|then| then.split(" =").next() == Some(line));
    let mut text = String::new();
    let mut first: Option<BTreeMap<String, String>> = None;
    for (name, file, env) in SCENARIOS {
        let dir = tempfile::tempdir().expect("a folder");
        stage(dir.path());
        let place = dir.path().display().to_string();
        written(dir.path(), "katana-bot.toml", &FILE.replace("{dir}", &place));
        let lines = read(dir.path(), *file, env);
        text.push_str(&format!("# {name}\n"));
        let seen: Vec<_> = lines
            .iter()
            .filter(|(path, _)| known(path))
            .filter(|(path, value)| first.as_ref().is_none_or(|f| f.get(*path) != Some(value)))
            .map(|(path, value)| format!("{path} = {}\n", value.replace(&place, "{dir}").trim()))
            .collect();
        text.push_str(&seen.concat());
        first.get_or_insert(lines);
    }
    // The values are the same; here 0.2 named the variable without the word that it resolved.
    let google = "# google\nanswer.provider = openai\n";
    let clearer = format!("{google}answer.provider from = environment AI_PROVIDER: google\n");
    // 0.3 reports two bots with one token sooner.
    let sooner =
        |value: u64| format!("watch.conflict_s = {value}\nwatch.conflict_s from = default");
    let expected = READ.replace(google, &clearer).replace(&sooner(60), &sooner(5));
    for (n, (now, then)) in text.lines().zip(expected.lines()).enumerate() {
        assert_eq!(now, then, "line {}", n + 1);
    }
    assert_eq!(text.len(), expected.len());
}
