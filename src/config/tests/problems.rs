//! Every kind of problem, and all of them at once.

use super::{only, sources, with, with_file, written};
use crate::config::{Config, Sources};

#[test]
fn each_mistake_is_one_problem_with_its_key() {
    for (name, value, start) in [
        (
            "KATANA_TELEGRAM_POLL_TIMEOUT_S",
            "51",
            "telegram.poll_timeout_s: the value is too large: 51",
        ),
        (
            "KATANA_TELEGRAM_POLL_TIMEOUT_S",
            "x",
            "telegram.poll_timeout_s: the value is not a whole",
        ),
        ("KATANA_TELEGRAM_POLL_DEADLINE_S", "50", "telegram.poll_deadline_s: every quiet poll"),
        ("KATANA_TELEGRAM_API_URL", "ftp://x", "telegram.api_url: the value must begin with"),
        ("KATANA_TELEGRAM_API_URL", "https://u:p@x", "telegram.api_url: the value must not"),
        ("KATANA_WATCH_POLL_STALLED_S", "59", "watch.poll_stalled_s: a poll that is still in time"),
        ("KATANA_WATCH_RSS_WARN_MB", "512", "watch.rss_warn_mb: the process would stop"),
        ("KATANA_WATCH_DISK_RATIO", "90", "watch.disk_ratio: the value is too large: 90"),
        (
            "KATANA_WATCH_HEARTBEAT_PATH",
            "/home/k/.local/state/katana-bot/katana.db",
            "watch.heartbeat_path: the heartbeat would overwrite",
        ),
        ("KATANA_STORE_KEEP_DONE_DAYS", "1", "store.keep_done_days: the value is too small: 1"),
        ("KATANA_STORE_PATH", "~/k.db", "store.path: the value begins with ~"),
        ("KATANA_DELIVERY_CHAT_PER_S", "inf", "delivery.chat_per_s: the value is not a finite"),
        (
            "KATANA_BOT_ACCESS",
            "opn",
            "bot.access: the value is not an allowed value; did you mean open?",
        ),
        (
            "KATANA_BOT_OWNERS",
            "-3",
            "bot.owners: the value has an entry that is not a valid id: -3",
        ),
        ("KATANA_TELEGRAM_PREVIEWS", "maybe", "telegram.previews: the value is neither"),
        (
            "LOG_LEVEL",
            "loud",
            "log.level: the value is not an allowed value (environment LOG_LEVEL)",
        ),
        (
            "ENVIRONMENT",
            "a b",
            "bot.environment: the name is not a valid label (environment ENVIRONMENT)",
        ),
        ("KATANA_ANSWER_FIRST_TOKEN_TIMEOUT_S", "121", "answer.first_token_timeout_s: the whole"),
        ("TELEGRAM_TOKEN", "", "telegram.token: there is no bot token"),
        (
            "TELEGRAM_TOKEN",
            "123",
            "telegram.token: the environment TELEGRAM_TOKEN is not a bot token",
        ),
        ("HOME", "", "store.path: there is no place"),
        ("AI_PROVIDER", "openai", "openai.api_key: there is no API key, and api.openai.com needs"),
        ("AI_PROVIDER", "anthropic", "anthropic.api_key: there is no API key"),
        ("AI_PROVIDER", "openrouter", "openai.api_key: there is no API key, and openrouter.ai"),
        ("AI_PROVIDER", "vllm", "openai.model: there is no default model for this server"),
        (
            "KATANA_TELEGRAM_TOKEN_FILE",
            "/no/such",
            "telegram.token: the file named by KATANA_TELEGRAM_TOKEN_FILE cannot be read: there is no such file",
        ),
    ] {
        let problem = only(with(&[(name, value)]));
        assert!(problem.starts_with(start), "{name}={value}: {problem}");
    }
}

#[test]
fn all_problems_come_at_once_in_the_order_of_the_table() {
    let file = "[telegram]\npoll_timeout_s = \"5\"\ntokn = 1\n[bott]\naccess = \"open\"\n\
                [log]\nlevel = 3\n";
    let env = [("TELEGRAM_TOKEN", "x"), ("KATANA_STORE_KEEP_DONE_DAYS", "0"), ("KATANA_OOPS", "1")];
    let problems = with_file(file, &env).expect_err("problems").0;
    let found: Vec<&str> = problems.iter().map(|problem| problem.key.as_str()).collect();
    assert_eq!(
        found,
        [
            "bott",
            "telegram.tokn",
            "KATANA_OOPS",
            "telegram.token",
            "telegram.poll_timeout_s",
            "store.keep_done_days",
            "log.level"
        ]
    );
    assert!(problems.iter().all(|problem| !problem.hint.is_empty()));
}

#[test]
fn unknown_keys_are_refused_with_the_nearest() {
    let hint = |toml: &str| with_file(toml, &[]).expect_err(toml).0.remove(0).hint;
    assert_eq!(hint("[bot]\nacess = \"open\"\n"), "did you mean access in section [bot]?");
    assert_eq!(hint("[store]\ngrace_s = 3\n"), "did you mean grace_s in section [lifecycle]?");
    assert_eq!(hint("access = \"open\"\n"), "did you mean access in section [bot]?");
    assert_eq!(hint("[telegran]\n"), "did you mean [telegram]?");
    assert!(hint("[zzz]\n").starts_with("the sections are bot, telegram,"));
    assert!(hint("[bot]\nzzzzzzzz = 1\n").starts_with("see katana-bot.toml(5)"));
    assert!(hint("[telegram]\ntoken = \"1\"\n").contains("systemd credential telegram-token"));
    assert!(hint("[openai]\napikey = \"1\"\n").contains("KATANA_OPENAI_API_KEY"));
    assert!(hint("[bot]\nmy_password = \"1\"\n").contains("never read from the file"));

    let hint = |name| with(&[(name, "1")]).expect_err(name).0.remove(0).hint;
    assert_eq!(hint("KATANA_LOG_LEVLE"), "did you mean KATANA_LOG_LEVEL?");
    assert_eq!(hint("KATANA_TELEGRAM_TOKEN_FIL"), "did you mean KATANA_TELEGRAM_TOKEN_FILE?");
    assert!(hint("KATANA_X").starts_with("unset it"));
    let others = ["KATANA_CONFIG", "KATANA_CRASH_KILLS", "KATANA_TEST_X", "KATANA_BENCH_X"];
    assert!(with(&others.map(|name| (name, "1"))).is_ok());
    assert!(with(&[("KATANA_X", "")]).is_ok(), "an empty variable counts as unset");
}

#[test]
fn wrong_types_name_the_line_and_the_right_form() {
    for (toml, message) in [
        ("[log]\n\nprompts = \"yes\"\n", "log.prompts: the value has the wrong type, string ("),
        ("[bot]\nowners = 5\n", "bot.owners: the value has the wrong type, integer ("),
        ("[bot]\nowners = [5, \"x\"]\n", "bot.owners: the value has an entry that is not a whole"),
        ("[bot.access]\nx = 1\n", "bot.access: the value has the wrong type, table ("),
        ("[openai]\nmodel = \"\"\n", "openai.model: the value is empty ("),
        ("[store]\nkeep_done_days = 0x1\n", "store.keep_done_days: the value is too small: 1 ("),
    ] {
        let problem = only(with_file(toml, &[]));
        assert!(problem.starts_with(message), "{problem}");
    }
    assert!(only(with_file("[log]\n\nprompts = 1\n", &[])).ends_with("katana-bot.toml:3)"));
    assert!(with_file("[answer]\nsystem_prompt = \"\"\n[delivery]\nchat_per_s = 2\n", &[]).is_ok());
}

#[test]
fn a_file_that_cannot_be_read_says_why() {
    let dir = tempfile::tempdir().expect("a folder");
    let load = |path| only(Config::load(&Sources { files: vec![path], ..sources(&[]) }));
    assert!(
        load(dir.path().join("none.toml"))
            .contains("the configuration file cannot be read: there is no")
    );
    assert!(load(dir.path().to_owned()).contains("is a directory"));
    let pipe = dir.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs");
    assert!(made.success());
    assert!(load(pipe).contains("not a regular file"), "and nothing waits for a writer");
    let big = written(dir.path(), "big", &"#".repeat(1024 * 1024 + 1));
    assert!(load(big).contains("larger than 1048576 bytes"));
    let binary = dir.path().join("binary");
    std::fs::write(&binary, [0xff, 0xfe]).expect("written");
    assert!(load(binary).contains("not UTF-8"));
    let broken = written(dir.path(), "broken", "[bot]\naccess = closed\n");
    assert!(load(broken).contains("broken:2:10: cannot read this line as TOML"));
}

#[test]
fn a_missing_knowledge_folder_matters_when_it_is_needed() {
    let missing = ("KATANA_KNOWLEDGE_DIR", "/no/such/folder");
    for offline in ["offline", "ollama,offline"] {
        assert!(only(with(&[missing, ("AI_PROVIDER", offline)])).contains("no such folder"));
    }
    let warnings = with(&[missing]).expect("valid").warnings;
    assert_eq!(warnings.len(), 1);
    assert_eq!(warnings[0].key, "knowledge.dir");
}

#[test]
fn what_is_unwise_is_a_warning() {
    let warned = |env: &[(&str, &str)]| {
        let warnings = with(env).expect("valid").warnings;
        warnings.into_iter().map(|warning| warning.key).collect::<Vec<_>>()
    };
    assert!(warned(&[]).is_empty());
    assert_eq!(warned(&[("KATANA_BOT_ACCESS", "open")]), ["bot.access"]);
    let (day, month) = ("KATANA_BUDGET_TOTAL_USD_PER_DAY", "KATANA_BUDGET_TOTAL_USD_PER_MONTH");
    assert_eq!(warned(&[(day, "60")]), ["budget.total_usd_per_day"], "a month is 50");
    assert!(warned(&[(month, "3")]).is_empty(), "5 a day is the default, and no one's mistake");
    assert!(warned(&[(day, "60"), (month, "off")]).is_empty());
    let user = "KATANA_BUDGET_USER_USD_PER_DAY";
    assert_eq!(warned(&[(user, "6")]), ["budget.user_usd_per_day"]);
    assert_eq!(warned(&[("KATANA_CACHE_SHARED", "true")]), ["cache.shared"]);
    assert!(warned(&[("KATANA_CACHE_SHARED", "true"), ("KATANA_CACHE_TTL_S", "60")]).is_empty());
    assert_eq!(warned(&[("KATANA_TELEGRAM_API_URL", "http://api:8081")]), ["telegram.api_url"]);
    assert!(warned(&[("KATANA_ANSWER_TIMEOUT_S", "121")]).is_empty());
    assert_eq!(warned(&[("KATANA_WATCH_INBOX_AGE_S", "119")]), ["watch.inbox_age_s"]);
    assert!(warned(&[("KATANA_TELEGRAM_API_URL", "http://127.0.0.1:8081")]).is_empty());
    let server = [("AI_PROVIDER", "ollama"), ("KATANA_OPENAI_BASE_URL", "http://ollama:11434/v1")];
    assert_eq!(warned(&server), ["openai.base_url"]);
}

#[test]
fn thresholds_at_their_bounds_are_fine() {
    for env in [
        &[("KATANA_WATCH_POLL_STALLED_S", "60")][..],
        &[("KATANA_WATCH_RSS_WARN_MB", "511")],
        &[("KATANA_WATCH_RSS_WARN_MB", "900"), ("KATANA_WATCH_RSS_STOP_MB", "0")],
        &[("KATANA_WATCH_RSS_WARN_MB", "0"), ("KATANA_WATCH_RSS_STOP_MB", "1")],
    ] {
        assert!(with(env).is_ok(), "{env:?}");
    }
}
