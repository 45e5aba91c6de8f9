//! Which source wins, for every key and every alias.

use std::path::PathBuf;

use super::{BASE, TOKEN, sources, with, with_file, written};
use crate::config::{
    Access, Config, Format, Key, Kind, Level, Loaded, Origin, Problems, Sources, keys,
};

#[test]
fn the_defaults_are_the_promised_ones() {
    let config = with(&[]).expect("valid").config;
    assert_eq!(config.bot.environment, "production");
    assert_eq!(config.bot.access, Access::Closed);
    assert!(config.bot.owners.is_empty() && config.bot.allow_chats.is_empty());
    assert_eq!(config.telegram.api_url, "https://api.telegram.org");
    assert_eq!((config.telegram.poll_timeout_s, config.telegram.poll_deadline_s), (50, 60));
    assert_eq!((config.telegram.send_timeout_s, config.telegram.poll_backoff_max_s), (30, 30));
    assert!(config.telegram.previews && config.delivery.pace && !config.log.prompts);
    assert_eq!(config.store.path, PathBuf::from("/home/k/.local/state/katana-bot/katana.db"));
    assert_eq!((config.store.keep_history_days, config.store.keep_done_days), (90, 7));
    assert_eq!((config.pipeline.answers_at_once, config.pipeline.backlog_max), (32, 10_000));
    assert_eq!((config.answer.max_history_turns, config.answer.max_history_tokens), (10, 4000));
    assert_eq!(config.answer.max_output_tokens, 1024);
    assert_eq!((config.answer.first_token_timeout_s, config.answer.timeout_s), (30, 120));
    assert!(!config.answer.system_prompt.is_empty());
    assert_eq!(config.knowledge.passages, 3);
    assert!((config.delivery.chat_per_s - 1.0).abs() < f64::EPSILON);
    assert_eq!((config.delivery.chat_burst, config.delivery.overall_per_s), (3, 30));
    assert_eq!((config.delivery.group_per_min, config.delivery.give_up_after_h), (20, 24));
    assert_eq!(config.lifecycle.grace_s, 20);
    assert_eq!((config.watch.every_s, config.watch.poll_stalled_s), (5, 75));
    assert_eq!((config.watch.rss_warn_mb, config.watch.rss_stop_mb), (256, 512));
    assert_eq!((config.log.level, config.log.format), (Level::Info, Format::Auto));
}

#[test]
fn environment_beats_alias_beats_file_beats_default() {
    let file = "[bot]\nowners = [7]\n[log]\nlevel = \"debug\"\n";
    let loaded = with_file(file, &[]).expect("valid");
    assert_eq!(loaded.config.log.level, Level::Debug);
    assert!(matches!(&loaded.origins["log.level"], Origin::File { line: 4, .. }));
    assert_eq!(loaded.origins["log.format"], Origin::Default);

    let loaded = with_file(file, &[("LOG_LEVEL", "WARNING")]).expect("valid");
    assert_eq!(loaded.config.log.level, Level::Warn);
    assert_eq!(loaded.origins["log.level"], Origin::Env("LOG_LEVEL".to_owned()));

    let both = [("LOG_LEVEL", "WARNING"), ("KATANA_LOG_LEVEL", "Trace"), ("KATANA_BOT_OWNERS", "")];
    let loaded = with_file(file, &both).expect("valid");
    assert_eq!(loaded.config.log.level, Level::Trace);
    assert_eq!(loaded.config.bot.owners, [7], "an empty variable counts as unset");
}

#[test]
fn an_empty_text_of_several_lines_means_none() {
    let prompt = |env: &[(&str, &str)]| with(env).expect("valid").config.answer.system_prompt;
    assert!(prompt(&[]).contains("helpful"));
    assert_eq!(prompt(&[("KATANA_ANSWER_SYSTEM_PROMPT", "")]), "");
    assert_eq!(prompt(&[("KATANA_ANSWER_SYSTEM_PROMPT", " \n")]), "");
    let loaded =
        with_file("[answer]\nsystem_prompt = \"x\"\n", &[("KATANA_ANSWER_SYSTEM_PROMPT", "")]);
    assert_eq!(loaded.expect("valid").config.answer.system_prompt, "", "it wins over the file");
}

/// Another valid value than the default, as the environment writes it.
fn another(key: &Key) -> String {
    let default = key.default_toml();
    match key.kind {
        // It may hold `{path}`, which an address may not.
        Kind::Word if key.name() == "base_url" => "https://docs.example/{path}".to_owned(),
        Kind::Word | Kind::Prose => "other".to_owned(),
        Kind::Choice(words) => words[words.len() - 1].to_owned(),
        Kind::Flag => (default == "false").to_string(),
        Kind::Whole(_, high) if default == high.to_string() => (high - 1).to_string(),
        Kind::Whole(..) => (default.parse::<u64>().expect("a number") + 1).to_string(),
        Kind::Number(_, high) if high < 1.5 => "0.25".to_owned(),
        Kind::Number(..) => "1.5".to_owned(),
        Kind::Usd(_) => "1.25".to_owned(),
        Kind::Ids { .. } => "5,6".to_owned(),
        Kind::Words => "one,two".to_owned(),
        Kind::Names(_) => "ollama,offline".to_owned(),
        Kind::Path => "/somewhere".to_owned(),
        Kind::Url => "http://127.0.0.1:9/x".to_owned(),
        Kind::Listen => "127.0.0.1:9".to_owned(),
        Kind::Secret => "98765:zyxwvutsrqponmlk".to_owned(),
    }
}

fn loaded(key: &Key, result: Result<Loaded, Problems>) -> Config {
    result.unwrap_or_else(|problems| panic!("{}: {problems}", key.path())).config
}

#[test]
fn every_key_reaches_its_field_from_environment_and_file() {
    let base = [("AI_PROVIDER", "openai"), ("OPENAI_API_KEY", "k")];
    let before = format!("{:?}", with(&base).expect("valid").config);
    for key in keys().iter().filter(|key| !key.is_secret()) {
        let key = &key.table().map_or_else(|| key.clone(), |_| key.named("own"));
        let (name, value) = (key.variable(), another(key));
        // Nothing else of such a table counts without it.
        let dir = ("KATANA_KNOWLEDGE_SOURCES_OWN_DIR", "/elsewhere");
        let dir = Some(dir).filter(|_| key.section() == "knowledge.sources.own");
        let dir: Vec<_> = dir.into_iter().filter(|(variable, _)| *variable != name).collect();
        let env = [&base[..], &dir, &[(name.as_str(), value.as_str())]].concat();
        let config = loaded(key, with(&env));
        assert_ne!(format!("{config:?}"), before, "{}", key.path());

        let typed = match key.kind {
            Kind::Flag | Kind::Whole(..) | Kind::Number(..) | Kind::Usd(_) => value,
            Kind::Ids { .. } => format!("[{value}]"),
            Kind::Words | Kind::Names(_) => format!("[\"{}\"]", value.replace(',', "\", \"")),
            _ => format!("\"{value}\""),
        };
        // Without the alias AI_PROVIDER, which would win over the file.
        let toml = format!("[{}]\n{} = {typed}\n", key.section(), key.name());
        let from_file =
            loaded(key, with_file(&toml, &[&[("AI_PROVIDER", ""), base[1]], &dir[..]].concat()));
        assert_eq!(format!("{config:?}"), format!("{from_file:?}"), "{}", key.path());
    }
}

#[test]
fn every_alias_counts() {
    for key in keys().iter().filter(|key| !key.is_secret()) {
        for alias in key.aliases {
            let value = another(key);
            let env = [("OPENAI_API_KEY", "k"), (*alias, value.as_str())];
            let loaded = with(&env).expect(alias);
            let shown = loaded.origins[key.path()].to_string();
            assert!(shown.contains(alias), "{alias}: {shown}");
        }
    }
    for alias in ["KATANA_TELEGRAM_TOKEN", "TELEGRAM_BOT_TOKEN", "TELEGRAM_TOKEN"] {
        let loaded = with(&[("TELEGRAM_TOKEN", ""), (alias, TOKEN)]).expect(alias);
        assert_eq!(loaded.config.telegram.token.bot_id(), Some(123_456_789));
        assert_eq!(loaded.origins["telegram.token"], Origin::Env(alias.to_owned()));
    }
}

#[test]
fn a_secret_is_found_in_credential_then_file_then_environment() {
    let dir = tempfile::tempdir().expect("a folder");
    let token = |id: u32| format!("{id}:abcdefghijklmnop");
    written(dir.path(), "telegram-token", &format!("{}\n", token(11111)));
    let file = written(dir.path(), "token-file", &format!("{}\r\n", token(22222)));
    let env = token(33333);
    let mut all = sources(&[
        ("TELEGRAM_BOT_TOKEN_FILE", &file.to_string_lossy()),
        ("KATANA_TELEGRAM_TOKEN", &env),
    ]);
    all.credentials_dir = Some(dir.path().to_owned());
    let found = |sources: &Sources| {
        let loaded = Config::load(sources).expect("valid");
        let id = loaded.config.telegram.token.bot_id();
        (id, loaded.origins["telegram.token"].to_string())
    };
    assert_eq!(found(&all), (Some(11111), "credential telegram-token".to_owned()));
    all.credentials_dir = Some(dir.path().join("nothing-there"));
    assert_eq!(found(&all), (Some(22222), "file named by TELEGRAM_BOT_TOKEN_FILE".to_owned()));
    all.env.remove("TELEGRAM_BOT_TOKEN_FILE");
    assert_eq!(found(&all), (Some(33333), "environment KATANA_TELEGRAM_TOKEN".to_owned()));
}

#[test]
fn the_database_finds_its_place() {
    let path = |env: &[(&str, &str)]| with(env).expect("valid").config.store.path;
    let state = ("STATE_DIRECTORY", "/var/lib/katana-bot:/var/lib/other");
    assert_eq!(path(&[state]), PathBuf::from("/var/lib/katana-bot/katana.db"));
    let xdg = ("XDG_STATE_HOME", "/x");
    assert_eq!(path(&[xdg]), PathBuf::from("/x/katana-bot/katana.db"));
    assert_eq!(path(&[("XDG_STATE_HOME", "relative")]), path(&[]));
    assert_eq!(path(&[state, ("KATANA_STORE_PATH", "/d/k.db")]), PathBuf::from("/d/k.db"));
}

#[test]
fn a_slow_model_does_not_make_the_inbox_old() {
    let age = |env: &[(&str, &str)]| with(env).expect("valid").config.watch.inbox_age_s;
    let slow = ("KATANA_ANSWER_TIMEOUT_S", "600");
    assert_eq!((age(&[]), age(&[slow])), (120, 600));
    assert_eq!(age(&[slow, ("KATANA_WATCH_INBOX_AGE_S", "60")]), 60);
}

#[test]
fn the_heartbeat_finds_its_place() {
    let path = |env: &[(&str, &str)]| with(env).expect("valid").config.watch.heartbeat_path;
    let state = ("STATE_DIRECTORY", "/var/lib/katana-bot");
    assert_eq!(path(&[state]), PathBuf::from("/var/lib/katana-bot/heartbeat"));
    let run = ("RUNTIME_DIRECTORY", "/run/katana-bot:/run/other");
    assert_eq!(path(&[state, run]), PathBuf::from("/run/katana-bot/heartbeat"));
    assert_eq!(path(&[run, ("KATANA_WATCH_HEARTBEAT_PATH", "/h")]), PathBuf::from("/h"));
}

#[test]
fn a_whole_timeout_pulls_the_first_one_down() {
    let answer = with(&[("HTTP_TIMEOUT", "15.0")]).expect("valid").config.answer;
    assert_eq!((answer.timeout_s, answer.first_token_timeout_s), (15, 15));
}

#[test]
fn what_is_printed_loads_again_to_the_same() {
    let google = [("AI_PROVIDER", "auto"), ("GOOGLE_API_KEY", "abcdefghijklmnop")];
    let prompt = [("KATANA_ANSWER_SYSTEM_PROMPT", "two\nlines, \"quoted\" \\"), BASE[0]];
    let many = [("KATANA_BOT_ALLOW_CHATS", "-5,6"), ("KATANA_DELIVERY_CHAT_PER_S", "2")];
    for env in [&google[..], &prompt[..], &many[..]] {
        let loaded = with(env).expect("valid");
        let secrets = ["TELEGRAM_TOKEN", "GOOGLE_API_KEY"];
        let mut again = sources(env);
        again.env.retain(|name, _| secrets.contains(&name.as_str()));
        let dir = tempfile::tempdir().expect("a folder");
        again.files = vec![written(dir.path(), "printed.toml", &loaded.print(false))];
        let reloaded = Config::load(&again).expect("valid");
        assert_eq!(format!("{:#?}", reloaded.config), format!("{:#?}", loaded.config));
    }
    assert_eq!(with(&[]).expect("valid").config.first().name, "echo");
}

#[test]
fn the_print_names_every_key_and_origin() {
    let shown = with(&[
        ("KATANA_LIFECYCLE_GRACE_S", "5"),
        ("KATANA_PROVIDERS_OWN_MODEL", "m"),
        ("KATANA_KNOWLEDGE_SOURCES_OWN_DIR", "/srv/handbook"),
    ]);
    let shown = shown.expect("valid").print(false);
    assert!(shown.contains("grace_s = 5 # environment KATANA_LIFECYCLE_GRACE_S\n"), "{shown}");
    assert!(shown.contains("# token = 123…:…XYZ (from environment TELEGRAM_TOKEN)\n"), "{shown}");
    assert!(shown.contains("# dir is not set\n"), "{shown}");
    for key in keys() {
        assert!(shown.contains(key.name()), "{}", key.path());
    }
    assert!(with(&[]).expect("valid").print(true).contains("\u{1b}[1m[bot]\u{1b}[0m"));
}
