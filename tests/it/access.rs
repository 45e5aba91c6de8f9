//! Access: closed until an owner opens it, from the chat, by a button, or on the machine.

use std::time::Duration;

use botapi_sim::Message;
use katana::observe::clock::Clock;

use crate::harness::{OWNER, SOON, Stage};
use crate::process::{self, Daemon, run};

/// The pairing code in the reply to a stranger.
fn code_in(text: &str) -> String {
    let (_, rest) = text.split_once("pairing code is ").expect("a pairing code");
    rest.chars().take(9).collect()
}

/// The data of the button with this label.
fn button(message: &Message, label: &str) -> String {
    let rows = message.reply_markup.as_ref().expect("buttons")["inline_keyboard"].clone();
    let keys = rows.as_array().expect("rows").iter().flat_map(|r| r.as_array().expect("a row"));
    let key = keys.into_iter().find(|k| k["text"] == label);
    key.unwrap_or_else(|| panic!("no button {label}"))["callback_data"]
        .as_str()
        .expect("data")
        .to_owned()
}

/// A closed bot with an owner who has spoken to it: before that, it may not write to them.
async fn closed() -> Stage {
    let stage = Stage::running(&[("KATANA_BOT_ACCESS", "closed")]).await;
    assert!(stage.ask(OWNER, "/start").await.contains("You are my owner"));
    stage
}

#[tokio::test(flavor = "multi_thread")]
async fn the_claim_code_makes_its_sender_the_owner_once() {
    let mut stage = Stage::new().await;
    stage.set("KATANA_BOT_ACCESS", "").set("KATANA_BOT_OWNERS", "").start().await;
    let code = stage.app().claim_code().expect("this bot has no owner").to_owned();
    let texts = stage.ask(5, "hello").await;
    assert!(texts.starts_with("Hello! I am new here and have no owner yet."), "{texts}");
    assert!(!texts.contains(&code));
    assert!(stage.ask(5, "/claim AAAA-2222").await.starts_with("That is not the code."));
    let typed = code.to_lowercase().replace('-', " ");
    assert!(
        stage.ask(5, &format!("/claim {typed}")).await.starts_with("Welcome: you are my owner")
    );
    assert_eq!(stage.ask(5, "hello").await, "echo: hello");
    let second = stage.ask(6, &format!("/claim {code}")).await;
    assert_eq!(second, "This bot already has an owner.");
    stage.idle().await;
    assert!(stage.stop().await);
    stage.start().await;
    assert_eq!(stage.app().claim_code(), None, "after a restart, too");
    assert!(stage.ask(5, "/users").await.contains("owner"));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_claim_code_is_worthless_and_a_new_one_is_made_only_on_request() {
    let mut stage = Stage::new().await;
    let (now, half_an_hour) = (Clock::system().now_ms(), 31 * 60 * 1000);
    stage.clock = Clock::manual(now - half_an_hour);
    stage.set("KATANA_BOT_ACCESS", "closed").set("KATANA_BOT_OWNERS", "").start().await;
    let old = stage.app().claim_code().expect("this bot has no owner").to_owned();
    assert!(stage.stop().await);

    // Someone reads the old log. No start, and nothing in the chat, makes a new code.
    for person in [5, 6] {
        let mut daemon = Daemon::start(&stage);
        daemon.says("its claim code has expired; `katana-bot users claim`").await;
        stage.sim.say(person, &format!("/claim {old}"));
        let texts = stage.texts(person, 1).await;
        assert!(texts[0].starts_with("My claim code has expired. katana-bot users claim on"));
        assert!(!daemon.log().contains("become the owner: /claim"), "{}", daemon.log());
        daemon.signal("TERM");
        assert!(daemon.ended().await.success());
    }

    let daemon = Daemon::start(&stage);
    daemon.says("its claim code has expired").await;
    let made = run(&stage, &["users", "claim"]).await;
    assert_eq!(made.code, Some(0), "{made:?}");
    assert!(made.stdout.contains("Send this message to your bot, in a private chat"), "{made:?}");
    let line = made.stdout.lines().find(|line| line.starts_with("  /claim ")).expect("a code");
    let code = line.trim_start_matches("  /claim ");
    assert_ne!(code, old);
    // A second request makes the first worthless, and the log never shows either.
    let again = run(&stage, &["users", "claim"]).await.stdout;
    let newest = again.lines().find(|line| line.starts_with("  /claim ")).expect("a code").trim();
    stage.sim.say(7, line.trim());
    assert!(stage.texts(7, 1).await[0].starts_with("That is not the code."));
    stage.sim.say(8, newest);
    assert!(stage.texts(8, 1).await[0].starts_with("Welcome: you are my owner now"));
    assert!(!daemon.log().contains(code) && !daemon.log().contains(newest), "{}", daemon.log());

    let owned = run(&stage, &["users", "claim"]).await;
    assert_eq!(owned.code, Some(64), "{owned:?}");
    assert!(owned.stdout.is_empty() && owned.stderr.contains("the bot has an owner"), "{owned:?}");
    stage.set("KATANA_BOT_OWNERS", "9");
    let owned = run(&stage, &["users", "claim"]).await;
    assert!(owned.stderr.contains("the bot has an owner by bot.owners"), "{owned:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_all_who_send_the_code_at_once_one_hears_that_they_own_the_bot() {
    let mut stage = Stage::new().await;
    stage.set("KATANA_BOT_ACCESS", "").set("KATANA_BOT_OWNERS", "").start().await;
    let code = stage.app().claim_code().expect("this bot has no owner").to_owned();
    for person in 5..25 {
        stage.sim.say(person, &format!("/claim {code}"));
    }
    stage.idle().await;
    let mut owners = Vec::new();
    for person in 5..25 {
        let texts = stage.texts(person, 1).await;
        match texts[0].starts_with("Welcome: you are my owner") {
            true => owners.push(person),
            false => assert_eq!(texts[0], "This bot already has an owner."),
        }
    }
    assert_eq!(owners.len(), 1, "{owners:?}");
    assert!(stage.ask(owners[0], "/users").await.contains("owner"));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_gets_one_reply_with_a_code_and_then_silence() {
    let stage = closed().await;
    for text in ["hello", "are you there?", "/help", "/status", "/unknown", "hello?"] {
        stage.sim.say(5, text);
    }
    stage.sim.photo(5, 5, "");
    stage.idle().await;
    let texts = stage.texts(5, 1).await;
    assert_eq!(texts.len(), 1, "{texts:?}");
    let code = code_in(&texts[0]);
    let told = stage.texts(OWNER, 2).await;
    assert_eq!(told.len(), 2, "the owner is notified once: {told:?}");
    assert!(told[1].contains(&code) && told[1].contains("User 5"), "{told:?}");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_lets_someone_in_with_a_button() {
    let stage = closed().await;
    stage.sim.user(5, "Ann", Some("ann"));
    stage.sim.say(5, "hello");
    stage.texts(OWNER, 2).await;
    let knock = stage.sim.bot_messages(OWNER).swap_remove(1);
    let data = button(&knock, "Approve");
    // No one else may press it, whatever their device sends.
    stage.sim.press(5, knock.message_id, 5, &data);
    assert!(stage.sim.wait_until(SOON, |sim| !sim.callback_answers().is_empty()).await);
    stage.idle().await;
    assert_eq!(stage.sim.callback_answers()[0]["text"], "Only my owner can decide that.");
    assert_eq!(stage.sim.bot_messages(5).len(), 1);
    stage.sim.press(OWNER, knock.message_id, OWNER, &data);
    assert_eq!(stage.texts(OWNER, 3).await[2], "Ann (@ann) may chat with me now.");
    assert!(stage.texts(5, 2).await[1].starts_with("Good news: you may chat with me now."));
    assert_eq!(stage.ask(5, "hello").await, "echo: hello");
    // A button works once.
    stage.sim.press(OWNER, knock.message_id, OWNER, &data);
    let answered = |sim: &botapi_sim::Sim| sim.callback_answers().len() >= 3;
    assert!(stage.sim.wait_until(SOON, answered).await);
    let last = stage.sim.callback_answers().pop().expect("an answer");
    assert_eq!(last["text"], "Decided already, or the code is too old. See /users.");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_under_way_is_dropped_when_its_asker_is_removed() {
    let stage = Stage::with_model(&[("KATANA_BOT_ACCESS", "closed")]).await;
    assert!(stage.ask(OWNER, "/start").await.contains("You are my owner"));
    let code = code_in(&stage.ask(5, "hello").await);
    stage.texts(OWNER, 2).await;
    stage.ask(OWNER, &format!("/approve {code}")).await;
    stage.texts(5, 2).await;
    stage.sim.model().set_pace(Duration::ZERO, Duration::from_secs(3));
    stage.sim.say(5, "a long story");
    assert!(stage.sim.model().wait_calls(1, SOON).await);
    assert!(stage.ask(OWNER, "/remove 5").await.contains("is off my list"));
    stage.idle().await;
    let texts = stage.texts(5, 2).await;
    assert_eq!(texts.len(), 2, "{texts:?}");
    stage.sim.model().set_pace(Duration::ZERO, Duration::ZERO);
    assert!(stage.ask(OWNER, "and now?").await.len() > 1, "others are answered");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_answer_is_cancelled_when_its_asker_is_removed_in_the_chat_or_on_the_machine() {
    let stage = Stage::with_model(&[("KATANA_BOT_ACCESS", "closed")]).await;
    assert!(stage.ask(OWNER, "/start").await.contains("You are my owner"));
    let story: Vec<_> = (0..150).map(|i| format!("word{i}")).collect();
    stage.sim.model().set_pace(Duration::ZERO, Duration::from_millis(100));
    for (member, in_chat) in [(5, true), (6, false)] {
        let approve = ["users", "approve", &member.to_string()];
        assert_eq!(process::run(&stage, &approve).await.code, Some(0));
        stage.sim.model().push(story.join(" ").as_str());
        stage.sim.say(member, "a long story");
        assert!(stage.sim.wait_until(SOON, |sim| sim.drafts(member).len() > 1).await);
        if in_chat {
            assert!(stage.ask(OWNER, "/remove 5").await.contains("is off my list"));
        } else {
            assert_eq!(process::run(&stage, &["users", "remove", "6"]).await.code, Some(0));
        }
        // One draft may be on its way, and the machine is asked once a second.
        tokio::time::sleep(Duration::from_millis(1500)).await;
        let (drafts, open) = (stage.sim.drafts(member), stage.store().inbox_depth().await);
        assert_eq!(open.expect("the inbox can be counted").0, 0, "{in_chat}: it is written on");
        tokio::time::sleep(Duration::from_millis(1500)).await;
        assert_eq!(stage.sim.drafts(member), drafts, "{in_chat}: it is read on");
        assert_eq!(stage.sim.bot_messages(member).len(), 0, "{in_chat}");
    }
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ignored_person_hears_nothing_more() {
    let stage = closed().await;
    stage.sim.say(5, "hello");
    stage.texts(OWNER, 2).await;
    let knock = stage.sim.bot_messages(OWNER).swap_remove(1);
    stage.sim.press(OWNER, knock.message_id, OWNER, &button(&knock, "Ignore"));
    stage.idle().await;
    stage.sim.say(5, "hello?");
    stage.idle().await;
    assert_eq!(stage.sim.bot_messages(5).len(), 1);
    assert!(stage.ask(OWNER, "/users").await.contains("ignored User 5"));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_lets_someone_in_and_out_with_commands() {
    let stage = closed().await;
    stage.sim.user(5, "Ann", Some("ann"));
    let code = code_in(&stage.ask(5, "hello").await);
    stage.texts(OWNER, 2).await;
    let users = stage.ask(OWNER, "/users").await;
    assert!(users.contains(&format!("waiting Ann (@ann), id 5, code {code}")), "{users}");
    let wrong = stage.ask(OWNER, "/approve AAAA-2222").await;
    assert!(wrong.starts_with("No one is waiting with that code."), "{wrong}");
    assert_eq!(
        stage.ask(OWNER, &format!("/approve {code}")).await,
        "Ann (@ann) may chat with me now."
    );
    stage.texts(5, 2).await;
    let not_theirs = stage.ask(5, "/approve AAAA-2222").await;
    assert_eq!(not_theirs, "Only my owner can use /approve.");
    let removed = stage.ask(OWNER, "/remove @ann").await;
    assert!(removed.starts_with("Ann (@ann), id 5 is off my list."), "{removed}");
    let again = stage.ask(5, "hello").await;
    assert!(again.contains("pairing code is"), "{again}");
    assert_ne!(code_in(&again), code, "an old code is worth nothing");
    stage.texts(OWNER, 6).await;
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_codes_are_limited() {
    let mut stage = Stage::new().await;
    stage.set("KATANA_BOT_ACCESS", "closed").set("KATANA_BOT_OWNERS", "").start().await;
    let code = stage.app().claim_code().expect("a claim code").to_owned();
    for _ in 0..5 {
        assert!(stage.ask(5, "/claim AAAA-2222").await.starts_with("That is not the code."));
    }
    let sixth = stage.ask(5, "/claim AAAA-2223").await;
    assert_eq!(sixth, "Too many tries. I will not look at codes from you for an hour.");
    stage.sim.say(5, &format!("/claim {code}"));
    stage.idle().await;
    assert_eq!(stage.sim.bot_messages(5).len(), 6, "the right code is not looked at either");
    assert!(stage.ask(6, &format!("/claim {code}")).await.starts_with("Welcome"));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn allow_lists_and_open_access_let_in_without_codes() {
    let mut stage = closed().await;
    assert!(stage.stop().await);
    stage.set("KATANA_BOT_ALLOW_USERS", "5, 6").start().await;
    assert_eq!(stage.ask(5, "hello").await, "echo: hello");
    assert!(stage.ask(7, "hello").await.contains("pairing code"));
    stage.texts(OWNER, 2).await;
    assert!(stage.stop().await);
    stage.set("KATANA_BOT_ACCESS", "open").start().await;
    assert_eq!(stage.ask(7, "hello").await, "echo: hello");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_lists_approves_and_removes_while_the_bot_runs() {
    let stage = closed().await;
    stage.sim.user(5, "Ann\u{1b}[31m", Some("ann"));
    let code = code_in(&stage.ask(5, "hello").await);
    stage.texts(OWNER, 2).await;
    let list = process::run(&stage, &["users", "list"]).await;
    assert!(list.code == Some(0));
    assert!(list.stdout.contains(&code) && list.stdout.contains("waiting"), "{}", list.stdout);
    assert!(!list.stdout.contains('\u{1b}'), "names cannot colour the terminal");
    let wrong = process::run(&stage, &["users", "approve", "AAAA-2222"]).await;
    assert_eq!(wrong.code, Some(64), "{}", wrong.stderr);
    assert!(wrong.stderr.contains("no open request has this code"), "{}", wrong.stderr);
    let approved = process::run(&stage, &["users", "approve", &code.to_lowercase()]).await;
    assert_eq!(
        approved.stdout,
        "5 may chat now. This does not notify them; ask them to write again.\n"
    );
    assert_eq!(stage.ask(5, "hello").await, "echo: hello");
    let json = process::run(&stage, &["users", "list", "--json"]).await.stdout;
    let rows: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!((&rows[0]["id"], &rows[0]["role"]), (&OWNER.into(), &"owner".into()));
    assert_eq!((&rows[1]["id"], &rows[1]["role"]), (&5.into(), &"member".into()));
    let removed = process::run(&stage, &["users", "remove", "@ANN"]).await;
    assert_eq!(removed.stdout, "5 may no longer chat.\n");
    assert!(stage.ask(5, "hello").await.contains("pairing code"));
    stage.texts(OWNER, 3).await;
    assert_eq!(process::run(&stage, &["users", "remove", "4711"]).await.code, Some(64));
    // By id, before the person ever wrote.
    assert_eq!(
        process::run(&stage, &["users", "approve", "6"]).await.stdout,
        "6 may chat now. This does not notify them; ask them to write again.\n"
    );
    assert_eq!(stage.ask(6, "hello").await, "echo: hello");
    stage.end().await;
}
