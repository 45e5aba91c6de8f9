//! Several providers, as the operator names them: by file and by variables, changed while the bot works, looked at
//! by `doctor` and refused by `check-config`; always the real binary.

use std::path::PathBuf;

use serde_json::Value;

use crate::harness::{MODEL_KEY, Stage, eventually};
use crate::process::{self, Daemon};

const READY: &str = "ready: Telegram answered the first poll";

/// A stage whose daemon has its providers from this file.
async fn with_file(text: &str) -> (Stage, PathBuf) {
    let mut stage = Stage::new().await;
    let file = stage.dir.path().join("katana-bot.toml");
    std::fs::write(&file, text).expect("the file");
    stage.set("KATANA_ANSWER_PROVIDER", "").set("KATANA_CONFIG", &file.display().to_string());
    stage.sim.model().set_key(Some(MODEL_KEY));
    for name in ["ONE", "TWO"] {
        stage.set(&format!("KATANA_PROVIDERS_{name}_API_KEY"), MODEL_KEY);
    }
    (stage, file)
}

/// A list, and its tables `one` and `two` at the simulated model.
fn listed(stage: &Stage, list: &str) -> String {
    let url = stage.sim.openai_url();
    let table = |name: &str, model: &str| {
        format!(
            "[providers.{name}]\nkind = \"openai\"\nbase_url = \"{url}\"\nmodel = \"{model}\"\n"
        )
    };
    let (one, two) = (table("one", "model-one"), table("two", "model-two"));
    format!("[answer]\nprovider = {list}\n{one}{two}")
}

/// The models that were asked, in their order.
fn asked(stage: &Stage) -> Vec<String> {
    stage.sim.model().requests().into_iter().map(|request| request.model).collect()
}

async fn ended(mut daemon: Daemon) -> String {
    daemon.signal("TERM");
    assert_eq!(daemon.ended().await.code(), Some(0), "{}", daemon.log());
    daemon.log()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_in_variables_alone_answers_by_its_first_name() {
    let mut stage = Stage::new().await;
    stage.sim.model().set_key(Some(MODEL_KEY));
    let url = stage.sim.openai_url();
    for (key, value) in [
        ("KATANA_ANSWER_PROVIDER", "own,ollama,offline"),
        ("KATANA_PROVIDERS_OWN_KIND", "openai"),
        ("KATANA_PROVIDERS_OWN_BASE_URL", &url),
        ("KATANA_PROVIDERS_OWN_MODEL", "model-own"),
        ("KATANA_PROVIDERS_OWN_API_KEY", MODEL_KEY),
    ] {
        stage.set(key, value);
    }
    let daemon = Daemon::start(&stage);
    daemon.says(READY).await;
    assert_eq!(stage.ask(5, "hello").await, "echo: hello");
    assert_eq!(asked(&stage), ["model-own"]);
    let status = stage.ask(crate::harness::OWNER, "/status").await;
    assert!(status.contains("own") && status.contains("model-own"), "{status}");
    daemon.says("provider=\"own\"").await;
    let log = ended(daemon).await;
    assert!(!log.contains(MODEL_KEY), "{log}");
    let printed = process::run(&stage, &["print-config"]).await.stdout;
    for line in [
        "provider = [\"own\", \"ollama\", \"offline\"] # environment KATANA_ANSWER_PROVIDER",
        "[providers.ollama]",
        "kind = \"ollama\" # usual for ollama",
        "# api_key = *** (from environment KATANA_PROVIDERS_OWN_API_KEY)",
    ] {
        assert!(printed.contains(line), "{line}: {printed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_swaps_the_list_and_loses_no_message() {
    let (stage, file) = with_file("").await;
    let write = |list: &str| std::fs::write(&file, listed(&stage, list)).expect("written");
    write("\"one\"");
    let daemon = Daemon::start(&stage);
    daemon.says(READY).await;
    for (n, list) in ["[\"two\", \"one\"]", "[\"one\", \"two\"]", "\"two\""].into_iter().enumerate()
    {
        for user in 0..8 {
            stage.sim.say(100 + user, &format!("question {n}"));
        }
        write(list);
        daemon.signal("HUP");
        let reloads = || daemon.log().matches("changed: answer.provider; the new value").count();
        assert!(eventually(|| reloads() == n + 1).await, "{}", daemon.log());
        let expected = if list.starts_with("[\"one") { "model-one" } else { "model-two" };
        stage.ask(5, "and now?").await;
        assert_eq!(asked(&stage).last().map(String::as_str), Some(expected), "{list}");
    }
    for user in 0..8 {
        let texts = stage.texts(100 + user, 3).await;
        let expected: Vec<_> = (0..3).map(|n| format!("echo: question {n}")).collect();
        assert_eq!(texts, expected);
    }
    // What is wrong changes nothing.
    write("[\"two\", \"tree\"]");
    daemon.signal("HUP");
    daemon.says("entry 2 of the list is neither a provider nor the name of a table").await;
    assert_eq!(stage.ask(5, "still there?").await, "echo: still there?");
    assert_eq!(asked(&stage).last().map(String::as_str), Some("model-two"));
    ended(daemon).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_looks_at_each_provider_by_its_name() {
    let (stage, file) = with_file("").await;
    let dead = "[providers.dead]\nkind = \"openai\"\nbase_url = \"http://127.0.0.1:1/v1\"\nmodel = \"m\"\n";
    let text = listed(&stage, "[\"one\", \"dead\", \"two\", \"offline\"]");
    std::fs::write(&file, text + dead).expect("written");
    let out = process::run(&stage, &["doctor", "--json", "--ask-provider"]).await;
    assert_eq!(out.code, Some(69), "{}", out.stdout);
    let said: Value = serde_json::from_str(&out.stdout).expect("JSON");
    let checks = said["checks"].as_array().expect("checks").iter();
    let providers: Vec<_> = checks
        .filter(|check| check["check"] == "provider")
        .map(|check| format!("{} {}", check["state"].as_str().unwrap_or_default(), check["text"]))
        .collect();
    assert_eq!(providers.len(), 4, "{providers:?}");
    for (line, expected) in providers.iter().zip([
        "ok \"one, model-one, with a key: answers, after",
        "bad \"dead, m, without a key: ",
        "ok \"two, model-two, with a key: answers, after",
        "ok \"offline: it quotes pages",
    ]) {
        assert!(line.starts_with(expected), "{expected}: {line}");
    }
    assert_eq!(asked(&stage).len(), 2);
    let lists = "models";
    let named = said["checks"].as_array().expect("checks").iter().filter(|c| c["check"] == lists);
    let named: Vec<_> = named.map(|check| check["text"].to_string()).collect();
    assert!(named.iter().any(|text| text.starts_with("\"one: ")), "{named:?}");
    assert!(named.iter().any(|text| text.starts_with("\"two: ")), "{named:?}");
    assert!(!out.stdout.contains(MODEL_KEY), "{}", out.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_mistake_is_reported_at_once_and_the_bot_does_not_start() {
    let (stage, file) = with_file("").await;
    let wrong = "[answer]\nprovider = [\"openai\", \"grok\", \"two\"]\n\
                 [openai]\nparallel = -1\n\
                 [providers.two]\nbase_url = \"http://127.0.0.1:9/v1\"\n\
                 [providers.echo]\nmodel = \"m\"\n\
                 [providers.Bad-Name]\nmodel = \"m\"\n";
    std::fs::write(&file, wrong).expect("written");
    for command in ["check-config", "run"] {
        let out = process::run(&stage, &[command]).await;
        assert_eq!(out.code, Some(78), "{out:?}");
        for words in [
            "answer.provider: entry 2 of the list is neither a provider nor the name of a table",
            "did you mean groq?",
            "openai.parallel: the value is too small: -1",
            "openai.api_key: there is no API key, and api.openai.com needs one",
            "providers.two.kind: there is no kind",
            "providers.echo: this name means something else already",
            "providers: the name of a table is not valid",
        ] {
            assert!(out.stderr.contains(words), "{words}: {}", out.stderr);
        }
        assert!(!out.stderr.contains("grok") && !out.stderr.contains("Bad-Name"), "{}", out.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn setup_leaves_a_list_as_it_is() {
    let (mut stage, file) = with_file("").await;
    let url = stage.sim.openai_url();
    let openai = format!("[openai]\nbase_url = \"{url}\"\nmodel = \"model-own\"\n");
    let before = listed(&stage, "[\"openai\", \"two\"]") + &openai;
    std::fs::write(&file, &before).expect("written");
    let at = |name: &str| stage.dir.path().join(name).display().to_string();
    let (token, key) = (at("token"), at("key"));
    std::fs::write(&token, stage.sim.token()).expect("written");
    std::fs::write(&key, MODEL_KEY).expect("written");
    let (config, store, units) = (file.display().to_string(), at("credstore"), at("units"));
    let own = stage.dir.path().join("katana-bot.d/50-setup.toml");
    stage.set("KATANA_CONFIG", "").set("OPENAI_API_KEY", MODEL_KEY);
    let to = ["--config", &config, "setup", "--credentials-dir", &store, "--units-dir", &units];
    let with = ["--token-file", &token, "--alert", "none", "--no-start"];
    let first = ["--provider", "openai", "--key-file", &key];
    for more in [&[][..], &first] {
        let out = process::run(&stage, &[&to[..], &with, more].concat()).await;
        assert_eq!(out.code, Some(0), "{out:?}");
        assert_eq!(std::fs::read_to_string(&file).expect("read"), before);
        let written = std::fs::read_to_string(&own).unwrap_or_default();
        assert!(!written.contains("provider"), "{written}");
        let stays = out.stderr.contains("The list of providers stays: openai, then two.");
        assert_eq!(stays, !more.is_empty(), "{}", out.stderr);
    }
    let stored = std::fs::read_to_string(format!("{store}/katana-bot.openai-api-key"));
    assert_eq!(stored.expect("the key").trim(), MODEL_KEY);
    assert_eq!(asked(&stage), ["model-own"], "the new key was tried");
    // Another choice is another answer, and shown before.
    let another = ["--provider", "offline"];
    let out = process::run(&stage, &[&to[..], &with, &another].concat()).await;
    assert_eq!(out.code, Some(64), "{out:?}");
    let line = "provider = [\"openai\", \"two\"]";
    assert!(std::fs::read_to_string(&file).expect("read").contains(line), "{out:?}");
    assert!(out.stderr.contains("answer.provider = "), "{out:?}");
    let printed = process::run(&stage, &["--config", &config, "print-config"]).await.stdout;
    assert!(printed.contains(line), "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_without_secrets_asks_for_no_key_of_a_table() {
    let (mut stage, file) = with_file("").await;
    // Two accounts at one server, and a service that needs a key.
    let url = stage.sim.openai_url();
    let table = |name| {
        format!("[providers.{name}]\nkind = \"openai\"\nbase_url = \"{url}\"\nmodel = \"m\"\n")
    };
    let list = "[answer]\nprovider = [\"one\", \"two\", \"groq\"]\n";
    std::fs::write(&file, format!("{list}{}{}", table("one"), table("two"))).expect("written");
    stage.set("KATANA_PROVIDERS_ONE_API_KEY", "").set("KATANA_PROVIDERS_TWO_API_KEY", "");
    let settings = process::run(&stage, &["check-config", "--without-secrets"]).await;
    assert_eq!(settings.code, Some(0), "{settings:?}");
    let all = process::run(&stage, &["check-config"]).await;
    assert_eq!(all.code, Some(78), "{all:?}");
    for words in [
        "providers.two.api_key: one and two are the same: one address, model and key",
        "providers.groq.api_key: there is no API key, and api.groq.com needs one",
        "or into KATANA_PROVIDERS_GROQ_API_KEY or GROQ_API_KEY",
    ] {
        assert!(all.stderr.contains(words), "{words}: {}", all.stderr);
    }
    stage.set("KATANA_PROVIDERS_ONE_API_KEY", "account-1").set("GROQ_API_KEY", "k");
    let all = process::run(&stage, &["check-config"]).await;
    assert_eq!(all.code, Some(0), "{all:?}");
}
