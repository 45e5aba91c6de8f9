//! `katana-bot setup` tries the answers, asks again, and changes what it wrote.

use botapi_sim::{Options, Sim};

use crate::backup::{at, names};
use crate::harness::{Stage, eventually};
use crate::setup::{KEY, OWN, args, bare, scripted, secret};
use crate::terminal::Terminal;

/// Where nothing listens.
const NOWHERE: &str = "http://127.0.0.1:9/v1";

fn own(stage: &Stage) -> String {
    std::fs::read_to_string(at(stage, OWN)).unwrap_or_default()
}

fn token(stage: &Stage) -> String {
    format!("{}\n", stage.sim.token())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_does_not_work_is_not_stored() {
    let stage = bare().await;
    stage.sim.model().set_key(Some(KEY));
    let url = stage.sim.openai_url();
    let flags = ["--token-file", "-", "--no-start", "--provider", "openai", "--key-file", "-"];
    let with = |url: &str, more: &[&str]| {
        let base = ["--base-url", url, "--model", "m"];
        let flags: Vec<_> = flags.iter().chain(&base).chain(more).copied().collect();
        let input = format!("{}sk-not-the-one\n", token(&stage));
        scripted(&stage, &input, &flags)
    };
    let out = with(&url, &[]);
    assert!(out.code == Some(78) && out.stderr.contains("the key is wrong"), "{out:?}");
    let out = with(NOWHERE, &[]);
    assert!(out.code == Some(69) && out.stderr.contains("--no-verify"), "{out:?}");
    assert!(names(&stage, "credstore").is_empty() && own(&stage).is_empty());
    let calls = stage.sim.model().calls();
    let out = with(&url, &["--no-verify"]);
    assert_eq!((out.code, stage.sim.model().calls()), (Some(0), calls), "{out:?}");
    assert!(!out.stderr.contains("Telegram knows"), "{out:?}");
    assert_eq!(secret(&stage, "katana-bot.openai-api-key").as_deref(), Some("sk-not-the-one"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_can_be_changed() {
    let stage = bare().await;
    let url = stage.sim.openai_url();
    let flags = ["--token-file", "-", "--no-start", "--provider", "offline"];
    assert_eq!(scripted(&stage, &token(&stage), &flags).code, Some(0));
    // A model after "no model": what changes is shown, and needs a yes.
    let flags = ["--no-start", "--provider", "openai", "--base-url", &url, "--model", "m"];
    let out = scripted(&stage, "", &flags);
    assert!(out.code == Some(64) && out.stderr.contains("--yes is missing"), "{out:?}");
    for line in ["- answer.provider = \"offline\"", "+ answer.provider = \"openai\""] {
        assert!(out.stderr.contains(line), "{out:?}");
    }
    assert!(own(&stage).contains("offline"));
    let out = scripted(&stage, "", &[&flags[..], &["--yes"]].concat());
    assert!(out.code == Some(0) && out.stderr.contains("The model answers."), "{out:?}");
    assert!(own(&stage).contains(&url) && !own(&stage).contains("offline"), "{}", own(&stage));
    // The vendor's own server again, at which no other address may stay.
    let mut terminal = Terminal::open(&stage, &args(&stage, &["--no-start", "--no-verify"]));
    let Some(terminal) = &mut terminal else { return };
    terminal.answer("Enter keeps 700…:…", "\r").await;
    terminal.answer("1 to 4, or Enter", "1\r").await;
    terminal.answer("Its key (hidden):", &format!("{KEY}\r")).await;
    terminal.answer("together cost in a month?", "much\r").await;
    terminal.answer("is not a number of dollars", "200\r").await;
    terminal.answer("1 or 2, or Enter", "\r").await;
    terminal.answer("Change it? [Y/n]", "\r").await;
    let gone = || !own(&stage).contains("base_url");
    assert!(eventually(gone).await, "{}\n{}", own(&stage), terminal.shown());
    assert!(terminal.shown().contains("- openai.base_url = "), "{}", terminal.shown());
    let budget = own(&stage);
    assert!(
        budget.contains("total_usd_per_month = 200") && budget.contains("per_day = 20.0"),
        "{budget}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_vendors_own_server_is_written_where_another_file_names_one() {
    let stage = bare().await;
    std::fs::write(at(&stage, "katana-bot.toml"), format!("[openai]\nbase_url = \"{NOWHERE}\"\n"))
        .expect("written");
    let flags = ["--no-start", "--no-verify", "--yes", "--provider", "openai", "--key-file", "-"];
    let with = |more: &[&str], input: &str| {
        let out = scripted(&stage, input, &[&flags[..], more].concat());
        assert_eq!(out.code, Some(0), "{out:?}");
    };
    let another = ["--base-url", "http://127.0.0.1:9/v2", "--model", "m", "--token-file", "-"];
    with(&another, &format!("{}{KEY}\n", token(&stage)));
    assert!(own(&stage).contains("127.0.0.1:9/v2"), "{}", own(&stage));
    with(&["--base-url", ""], &format!("{KEY}\n"));
    let usual = "base_url = \"https://api.openai.com/v1\"\n";
    assert!(own(&stage).contains(usual) && !own(&stage).contains("model"), "{}", own(&stage));
    // When a person chooses, the empty flag stands for none, too.
    let choose = async |answers: &[(&str, &str)]| {
        let more = ["--no-start", "--no-verify", "--yes", "--base-url="];
        let mut terminal = Terminal::open(&stage, &args(&stage, &more))?;
        terminal.answer("Enter keeps 700…:…", "\r").await;
        for (question, answer) in answers {
            terminal.answer(question, answer).await;
        }
        terminal.answer("Enter keeps the one that is set", "\r").await;
        // Only the vendor's own server costs something.
        if answers.len() == 1 {
            terminal.answer("together cost in a month?", "\r").await;
        }
        terminal.answer("1 or 2, or Enter", "\r").await;
        let (code, screen) = terminal.ended().await;
        assert_eq!(code, Some(0), "{screen}");
        Some(())
    };
    let other = [
        ("1 to 4, or Enter", "3\r"),
        ("Its address, such as", "\r"),
        ("is not an address", "http://127.0.0.1:9/v3\r"),
        ("Its model, such as", "m\r"),
    ];
    if choose(&other).await.is_none() {
        return;
    }
    assert!(own(&stage).contains("127.0.0.1:9/v3"), "{}", own(&stage));
    choose(&[("1 to 4, or Enter", "1\r")]).await;
    assert!(own(&stage).contains(usual), "{}", own(&stage));
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_are_asked_for_and_a_no_changes_nothing() {
    let stage = bare().await;
    let folder = at(&stage, "documents");
    std::fs::create_dir(&folder).expect("a folder");
    std::fs::write(folder.join("a.md"), "# A\n\nText.\n").expect("written");
    let Some(mut terminal) = Terminal::open(&stage, &args(&stage, &["--no-start"])) else { return };
    terminal
        .answer("Bot token from @BotFather (hidden):", &token(&stage).replace('\n', "\r"))
        .await;
    terminal.answer("1 to 4, or Enter", "4\r").await;
    terminal.answer("Folder with your documents", "documents\r").await;
    terminal.answer("is not a folder", &format!("{}\r", folder.display())).await;
    terminal.answer("1 or 2, or Enter", "\r").await;
    let (code, screen) = terminal.ended().await;
    assert_eq!(code, Some(0), "{screen}");
    assert!(own(&stage).contains(&format!("dir = \"{}\"", folder.display())), "{}", own(&stage));
    let before = own(&stage);
    let more = ["--no-start", "--documents", "/srv"];
    let mut terminal = Terminal::open(&stage, &args(&stage, &more)).expect("script runs");
    terminal.answer("Enter keeps 700…:…", "\r").await;
    terminal.answer("1 to 4, or Enter", "\r").await;
    terminal.answer("1 or 2, or Enter", "\r").await;
    terminal.answer("Change it? [Y/n]", "n\r").await;
    let (code, screen) = terminal.ended().await;
    assert!(code == Some(64) && screen.contains("nothing was changed"), "{screen}");
    assert_eq!(own(&stage), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_network_a_person_decides_and_a_script_stops() {
    let mut stage = bare().await;
    stage.set("KATANA_TELEGRAM_API_URL", "");
    let api = ["--api-url", "http://127.0.0.1:9"];
    let flags = [&api[..], &["--no-start", "--token-file", "-"]].concat();
    let out = scripted(&stage, &token(&stage), &flags);
    assert!(out.code == Some(69) && out.stderr.contains("--no-verify"), "{out:?}");
    assert!(names(&stage, "credstore").is_empty());
    let Some(mut terminal) =
        Terminal::open(&stage, &args(&stage, &[&api[..], &["--no-start"]].concat()))
    else {
        return;
    };
    terminal
        .answer("Bot token from @BotFather (hidden):", "123456789:another-token-of-a-bot\r")
        .await;
    terminal.answer("to go on without trying it:", "back\r").await;
    let again = || terminal.shown().matches("Bot token from @BotFather (hidden):").count() == 2;
    assert!(eventually(again).await, "{}", terminal.shown());
    terminal.answer("answer again", &token(&stage).replace('\n', "\r")).await;
    let twice = || terminal.shown().matches("to go on without trying it:").count() == 2;
    assert!(eventually(twice).await, "{}", terminal.shown());
    terminal.answer("to go on without trying it:", "skip\r").await;
    terminal.answer("1 to 4, or Enter", "\r").await;
    terminal.answer("1 or 2, or Enter", "\r").await;
    let (code, screen) = terminal.ended().await;
    assert_eq!(code, Some(0), "{screen}");
    assert_eq!(secret(&stage, "katana-bot.telegram-token").as_deref(), Some(stage.sim.token()));
    assert!(own(&stage).contains("api_url = \"http://127.0.0.1:9\""), "{}", own(&stage));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_local_bot_api_server_is_asked_and_kept() {
    let mut stage = bare().await;
    stage.set("KATANA_TELEGRAM_API_URL", "");
    let local = Sim::start(Options::default()).await.expect("it starts");
    let flags = ["--token-file", "-", "--no-start", "--api-url", &local.api_url()];
    let out = scripted(&stage, &format!("{}\n", local.token()), &flags);
    assert!(out.code == Some(0) && out.stderr.contains("Telegram knows"), "{out:?}");
    assert!(own(&stage).contains(&format!("api_url = \"{}\"", local.api_url())), "{}", own(&stage));
    let out = scripted(&stage, "", &["--no-start", "--api-url", "ftp://x"]);
    assert!(out.code == Some(78) && out.stderr.contains("telegram.api_url"), "{out:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_starts_the_bot_later_also_starts_it_at_each_boot() {
    let stage = bare().await;
    let flags = ["--instance", "staging", "--token-file", "-", "--no-start"];
    let out = scripted(&stage, &token(&stage), &flags);
    let units = "katana-bot@staging katana-bot-check@staging.timer";
    let order = format!("\n  systemctl enable {units} && systemctl restart {units}\n");
    assert!(out.code == Some(0) && out.stdout.contains(&order), "{out:?}");
}
