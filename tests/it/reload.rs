//! Settings that change while the bot works: each new value is seen to be in effect, and no message
//! is lost or doubled meanwhile.

use std::sync::Arc;
use std::time::Duration;

use botapi_sim::{Fault, Hold, HoldAt, ModelFault};
use katana::app::reload::Reloaded;
use katana::model::conversation::ConversationId;
use katana::model::ids::ChatId;
use katana::observe::clock::Clock;
use katana::observe::finding::Kind;
use katana::pipeline::{Polling, Retention};
use serde_json::{Value, json};

use crate::harness::{OWNER, SOON, Stage, eventually, eventually_in};

/// Changes settings and reloads; these keys must have changed, and nothing may need a restart.
async fn change(stage: &mut Stage, settings: &[(&str, &str)], keys: &[&str]) {
    for (key, value) in settings {
        stage.set(key, value);
    }
    match stage.app().reload(&stage.sources()).await {
        Reloaded::Applied { changed, needs_restart } => {
            assert_eq!(changed, keys);
            assert!(needs_restart.is_empty(), "{needs_restart:?}");
        }
        Reloaded::Rejected(why) => panic!("rejected: {why}"),
    }
}

/// The menu in a person's private chat.
fn menu(stage: &Stage, chat: i64) -> Vec<Value> {
    stage.sim.commands(&json!({"type": "chat", "chat_id": chat}).to_string())
}

/// How many polls of this patience have ended.
fn polls(stage: &Stage, timeout_s: u64) -> usize {
    let log = stage.sim.log();
    let polls = log.iter().filter(|r| r.method == "getUpdates");
    polls.filter(|r| r.params["timeout"] == json!(timeout_s)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn access_and_owners_change_with_the_menus() {
    let mut stage = Stage::new().await;
    for user in [OWNER, 2000] {
        stage.sim.say(user, "hello");
    }
    stage.start().await.idle().await;
    assert!(eventually(|| !menu(&stage, OWNER).is_empty()).await, "the owner has a menu");
    assert_eq!(stage.ask(5, "may I?").await, "echo: may I?");
    let (access, owners) = (("KATANA_BOT_ACCESS", "closed"), ("KATANA_BOT_OWNERS", "2000"));
    change(&mut stage, &[access, owners], &["bot.access", "bot.owners"]).await;
    assert!(stage.ask(2000, "/users").await.contains("owner"));
    assert!(stage.ask(5, "may I still?").await.contains("pairing code"));
    assert!(stage.texts(2000, 3).await[2].contains("would like to chat"));
    let of_old_owner = stage.ask(OWNER, "/users").await;
    assert!(!of_old_owner.contains("Who may chat"), "{of_old_owner}");
    let moved = || !menu(&stage, 2000).is_empty() && menu(&stage, OWNER).is_empty();
    assert!(eventually(moved).await, "the menu goes with the ownership");
    let allow = ("KATANA_BOT_ALLOW_USERS", "5");
    change(&mut stage, &[allow], &["bot.allow_users"]).await;
    assert_eq!(stage.ask(5, "and now?").await, "echo: and now?");
    change(&mut stage, &[("KATANA_BOT_ALLOW_CHATS", "-700")], &["bot.allow_chats"]).await;
    stage.sim.say_in(-700, 6, "@katana_sim_bot hello");
    stage.texts(-700, 1).await;
    // Without any owner, someone has to be able to become one.
    change(&mut stage, &[("KATANA_BOT_OWNERS", "")], &["bot.owners"]).await;
    assert!(stage.store().settings().await.expect("settings").claim_code.is_some());
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn provider_prompt_and_model_change_and_a_running_answer_finishes_as_it_began() {
    let mut stage = Stage::with_model(&[]).await;
    let old_key = stage.settings().iter().find(|(k, _)| k == "OPENAI_API_KEY").cloned();
    stage.sim.model().set_key(old_key.as_ref().map(|(_, key)| key.as_str()));
    stage.sim.model().set_pace(Duration::from_millis(700), Duration::ZERO);
    stage.sim.say(5, "slow");
    assert!(stage.sim.model().wait_calls(1, SOON).await);
    let prompt = ("KATANA_ANSWER_SYSTEM_PROMPT", "Be a pirate.");
    let model = ("KATANA_OPENAI_MODEL", "another-model");
    change(&mut stage, &[prompt, model], &["answer.system_prompt", "openai.model"]).await;
    assert_eq!(stage.texts(5, 1).await, ["echo: slow"]);
    stage.sim.model().set_pace(Duration::ZERO, Duration::ZERO);
    assert_eq!(stage.ask(5, "quick").await, "echo: quick");
    let asked = stage.sim.model().requests().pop().expect("a request");
    assert_eq!(asked.model, "another-model");
    assert!(asked.system_text().starts_with("Be a pirate."), "{}", asked.system_text());
    assert!(stage.ask(OWNER, "/status").await.contains("another-model"));
    let key = "sk-another-key-0123456789";
    stage.sim.model().set_key(Some(key));
    change(&mut stage, &[("OPENAI_API_KEY", key)], &["openai.api_key"]).await;
    assert_eq!(stage.ask(5, "with the new key").await, "echo: with the new key");
    let calls = stage.sim.model().calls();
    // Where no model is asked, questions have no limits.
    let keys = [
        "answer.provider",
        "limits.user_questions_per_minute",
        "limits.chat_questions_per_minute",
        "limits.user_parallel_answers",
    ];
    change(&mut stage, &[("KATANA_ANSWER_PROVIDER", "echo")], &keys).await;
    assert_eq!(stage.ask(5, "without a model").await, "echo: without a model");
    assert_eq!(stage.sim.model().calls(), calls);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_knowledge_folder_is_read_again_and_can_be_another_one() {
    let mut stage = Stage::new().await;
    let base = stage.dir.path().to_owned();
    let folder = |name: &str, page: &str| {
        let dir = base.join(name);
        std::fs::create_dir_all(&dir).expect("a folder");
        std::fs::write(dir.join("opening.md"), format!("# Opening hours\n\n{page}\n")).expect("it");
        dir.display().to_string()
    };
    let one = folder("one", "The museum opening hours are from nine to five.");
    let two = folder("two", "The museum opening hours are from ten to six.");
    stage.set("KATANA_ANSWER_PROVIDER", "offline").set("KATANA_KNOWLEDGE_DIR", &one);
    stage.start().await;
    const ASK: &str = "What are the museum opening hours?";
    assert!(stage.ask(5, ASK).await.contains("nine to five"));
    folder("one", "The museum opening hours are from noon to midnight.");
    change(&mut stage, &[], &[]).await;
    assert!(stage.ask(5, ASK).await.contains("noon to midnight"));
    change(&mut stage, &[("KATANA_KNOWLEDGE_DIR", &two)], &["knowledge.dir"]).await;
    assert!(stage.ask(5, ASK).await.contains("ten to six"));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn polls_and_previews_follow_the_new_settings() {
    let mut stage = Stage::with_model(&[("KATANA_TELEGRAM_PREVIEWS", "false")]).await;
    stage.sim.model().set_pace(Duration::ZERO, Duration::from_millis(200));
    assert_eq!(stage.ask(5, "one two three four").await, "echo: one two three four");
    assert_eq!(stage.sim.calls("sendMessageDraft"), 0);
    let timeout = ("KATANA_TELEGRAM_POLL_TIMEOUT_S", "7");
    let previews = ("KATANA_TELEGRAM_PREVIEWS", "true");
    let keys = ["telegram.poll_timeout_s", "telegram.previews"];
    change(&mut stage, &[timeout, previews], &keys).await;
    // The poll that was waiting is not waited for: the next one that ends is a new one.
    let patient = polls(&stage, 50);
    assert!(eventually(|| polls(&stage, 0) > 1 && stage.sim.polling()).await);
    assert_eq!(stage.ask(5, "one two three four").await, "echo: one two three four");
    assert!(stage.sim.calls("sendMessageDraft") > 0);
    assert!(polls(&stage, 7) > 0 && polls(&stage, 50) <= patient + 1, "{:?}", stage.sim.log());
    assert_eq!(*stage.app().polling().borrow(), Polling::Listening);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pace_changes_for_those_who_wait_already() {
    let mut stage = Stage::running(&[]).await;
    let slow = [
        ("KATANA_DELIVERY_PACE", "true"),
        ("KATANA_DELIVERY_CHAT_PER_S", "0.05"),
        ("KATANA_DELIVERY_CHAT_BURST", "1"),
    ];
    let keys = ["delivery.pace", "delivery.chat_per_s", "delivery.chat_burst"];
    change(&mut stage, &slow, &keys).await;
    for text in ["one", "two", "three"] {
        stage.sim.say(5, text);
    }
    stage.texts(5, 1).await;
    let store = stage.store();
    let waiting = || async { store.outbox_depth().await.expect("the outbox can be counted").0 };
    assert!(eventually_in(|| async { waiting().await == 2 }).await, "two wait for their turn");
    let begun = std::time::Instant::now();
    change(&mut stage, &[("KATANA_DELIVERY_PACE", "false")], &["delivery.pace"]).await;
    assert_eq!(stage.texts(5, 3).await, ["echo: one", "echo: two", "echo: three"]);
    assert!(begun.elapsed() < Duration::from_secs(15), "a turn would have taken 20 s");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_backlog_bound_moves_both_ways() {
    let mut stage = Stage::with_model(&[("KATANA_PIPELINE_ANSWERS_AT_ONCE", "1")]).await;
    stage.sim.model().set_pace(Duration::from_secs(600), Duration::ZERO);
    for chat in 0..150 {
        stage.sim.say(5000 + chat, "hello");
    }
    let signals = Arc::clone(&stage.app().pipeline().signals);
    let taken = || signals.backlog.load(std::sync::atomic::Ordering::SeqCst) == 150;
    assert!(eventually(taken).await);
    let low = ("KATANA_PIPELINE_BACKLOG_MAX", "100");
    change(&mut stage, &[low], &["pipeline.backlog_max"]).await;
    stage.app().report_hub().ask_restart();
    stage.polling_becomes(Polling::Full).await;
    let high = ("KATANA_PIPELINE_BACKLOG_MAX", "1000");
    change(&mut stage, &[high], &["pipeline.backlog_max"]).await;
    stage.polling_becomes(Polling::Listening).await;
    // One question is asked and waits for its words; the others find room beside it.
    stage.sim.model().set_pace(Duration::ZERO, Duration::ZERO);
    let room = ("KATANA_PIPELINE_ANSWERS_AT_ONCE", "8");
    change(&mut stage, &[room], &["pipeline.answers_at_once"]).await;
    let all = stage.sim.wait_until(SOON, |sim| sim.bot_message_count() >= 149).await;
    assert!(all, "{} of 149", stage.sim.bot_message_count());
    // Gives up on the first one.
    stage.sim.say(5000, "/cancel");
    stage.idle().await;
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_follows_the_new_days() {
    let mut stage = Stage::new().await;
    stage.clock = Clock::manual(1_800_000_000_000);
    stage.start().await;
    assert_eq!(stage.ask(5, "remember").await, "echo: remember");
    stage.idle().await;
    stage.clock.advance(3 * 24 * 3600 * 1000);
    let retention = Retention::new(stage.app().pipeline());
    let store = stage.store();
    let kept = || async {
        store.history(ConversationId { chat: ChatId(5), topic: 0 }, 5).await.expect("history").len()
    };
    retention.step().await;
    assert_eq!(kept().await, 1, "question and answer");
    let days = ("KATANA_STORE_KEEP_HISTORY_DAYS", "2");
    change(&mut stage, &[days], &["store.keep_history_days"]).await;
    retention.step().await;
    assert_eq!(kept().await, 0);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn findings_open_and_close_with_their_thresholds() {
    let mut stage = Stage::running(&[("KATANA_WATCH_PATIENCE", "0")]).await;
    let open = |stage: &Stage| {
        let report = stage.app().report_hub().report();
        report.verdict.findings.iter().any(|f| f.kind == Kind::RssHigh)
    };
    assert!(!open(&stage));
    for (mb, expected) in [("1", true), ("500", false)] {
        change(&mut stage, &[("KATANA_WATCH_RSS_WARN_MB", mb)], &["watch.rss_warn_mb"]).await;
        assert!(eventually(|| open(&stage) == expected).await, "{mb} MiB");
    }
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_token_changes() {
    let mut stage = Stage::running(&[]).await;
    let url = format!("http://{}/bot/restart", stage.app().web_address().expect("it listens"));
    let post = |token: &'static str| {
        let request = reqwest::Client::new().post(&url).bearer_auth(token);
        async move { request.send().await.expect("an answer").status().is_success() }
    };
    for token in ["one-admin-token-000", "another-admin-token"] {
        assert!(!post(token).await, "not yet");
        let key = "web.admin_token";
        change(&mut stage, &[("KATANA_WEB_ADMIN_TOKEN", token)], &[key]).await;
        // The endpoint hears of it a moment later.
        let heard = async { while !post(token).await {} };
        tokio::time::timeout(SOON, heard).await.expect("the new token opens");
    }
    assert!(!post("one-admin-token-000").await);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_change_is_named_and_stays_as_it_is() {
    let mut stage = Stage::running(&[]).await;
    let elsewhere = stage.dir.path().join("elsewhere.db").display().to_string();
    stage.set("KATANA_STORE_PATH", &elsewhere).set("KATANA_BOT_ENVIRONMENT", "staging");
    stage.set("KATANA_TELEGRAM_TOKEN", "987654321:another-bot-AAAAAAAAAAAAAAAAAA");
    stage.set("KATANA_LOG_FORMAT", "text");
    // The index lies beside the state unless another place is set.
    let named =
        ["bot.environment", "telegram.token", "store.path", "knowledge.index_path", "log.format"];
    // Also when it is read once more: until the restart, it is still so.
    for _ in 0..2 {
        let Reloaded::Applied { changed, needs_restart } =
            stage.app().reload(&stage.sources()).await
        else {
            panic!("taken");
        };
        assert!(changed.is_empty(), "{changed:?}");
        assert_eq!(needs_restart, named);
    }
    assert_eq!(stage.app().reloader().loaded().config.bot.environment, "production");
    assert_eq!(stage.ask(5, "still here?").await, "echo: still here?");
    assert!(!std::path::Path::new(&elsewhere).exists());
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_configuration_changes_nothing_and_says_why() {
    let mut stage = Stage::running(&[]).await;
    stage.set("KATANA_TELEGRAM_POLL_TIMEOUT_S", "99").set("KATANA_BOT_ACCESS", "closed");
    let Reloaded::Rejected(why) = stage.app().reload(&stage.sources()).await else {
        panic!("99 s are out of bounds");
    };
    assert!(why.starts_with("telegram.poll_timeout_s: ") && !why.contains('\n'), "{why}");
    assert_eq!(stage.app().report_hub().config_rejected(), Some(why));
    assert_eq!(stage.ask(5, "open as before").await, "echo: open as before");
    // A provider that cannot be built is found before anything changes, too.
    let dir = stage.dir.path().join("gone").display().to_string();
    stage.set("KATANA_TELEGRAM_POLL_TIMEOUT_S", "").set("KATANA_ANSWER_PROVIDER", "offline");
    stage.set("KATANA_KNOWLEDGE_DIR", &dir);
    assert!(matches!(stage.app().reload(&stage.sources()).await, Reloaded::Rejected(_)));
    assert_eq!(stage.ask(5, "once more").await, "echo: once more");
    stage.set("KATANA_ANSWER_PROVIDER", "echo").set("KATANA_KNOWLEDGE_DIR", "");
    change(&mut stage, &[("KATANA_BOT_ACCESS", "open")], &[]).await;
    assert_eq!(stage.app().report_hub().config_rejected(), None);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_message_is_lost_or_doubled_by_fifty_reloads() {
    const CHATS: i64 = 20;
    const EACH: usize = 10;
    let mut stage = Stage::with_model(&[]).await;
    stage.sim.model().set_pace(Duration::from_millis(20), Duration::from_millis(2));
    for round in 0..50 {
        for i in 0..4 {
            let n = round * 4 + i;
            stage.sim.say(100 + n % CHATS, &format!("message {}", n / CHATS));
        }
        let odd = round % 2 == 1;
        stage
            .set("KATANA_TELEGRAM_POLL_TIMEOUT_S", if odd { "40" } else { "50" })
            .set("KATANA_OPENAI_MODEL", if odd { "one-model" } else { "sim-model" })
            .set("KATANA_PIPELINE_ANSWERS_AT_ONCE", if odd { "3" } else { "32" })
            .set("KATANA_BOT_OWNERS", if odd { "1000,1001" } else { "1000" })
            .set("KATANA_DELIVERY_PACE", if odd { "true" } else { "false" })
            .set("KATANA_DELIVERY_CHAT_BURST", "100");
        let done = stage.app().reload(&stage.sources()).await;
        assert!(matches!(done, Reloaded::Applied { .. }), "{done:?}");
    }
    stage.set("KATANA_DELIVERY_PACE", "false");
    stage.app().reload(&stage.sources()).await;
    stage.idle().await;
    for chat in 100..100 + CHATS {
        let expected: Vec<_> = (0..EACH).map(|n| format!("echo: message {n}")).collect();
        assert_eq!(stage.texts(chat, EACH).await, expected, "chat {chat}");
    }
    assert_eq!(stage.sim.bot_message_count(), CHATS as u64 * EACH as u64);
    let vitals = &stage.app().pipeline().base.vitals;
    assert_eq!(vitals.possible_duplicates.get(), 0);
    assert_eq!(*stage.app().polling().borrow(), Polling::Listening);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_of_the_intake_loses_nothing_and_raises_no_false_alarm() {
    let stage = Stage::running(&[]).await;
    let mut polling = stage.app().polling();
    let alarms = tokio::spawn(async move {
        let alarm = |p: &Polling| !matches!(p, Polling::Listening | Polling::Full);
        polling.wait_for(alarm).await.map(|p| *p).ok()
    });
    for n in 0..10 {
        stage.sim.say(5, &format!("message {n}"));
        let polls = stage.sim.calls("getUpdates");
        stage.app().report_hub().ask_restart();
        assert!(stage.sim.wait_until(SOON, |sim| sim.calls("getUpdates") > polls + 1).await);
    }
    let expected: Vec<_> = (0..10).map(|n| format!("echo: message {n}")).collect();
    assert_eq!(stage.texts(5, 10).await, expected);
    // A poll that never comes back is what people restart for.
    stage.sim.fault_next("getUpdates", Fault::BlackHole);
    let polls = stage.sim.calls("getUpdates");
    stage.app().report_hub().ask_restart();
    assert!(stage.sim.wait_until(SOON, |sim| sim.calls("getUpdates") > polls).await);
    stage.app().report_hub().ask_restart();
    assert_eq!(stage.ask(5, "awake?").await, "echo: awake?");
    assert!(!alarms.is_finished(), "no alarm by our own doing: {:?}", alarms.await);
    alarms.abort();
    stage.end().await;
}

/// Another program polls once, and so cuts off the bot's poll with a 409.
async fn poll_from_outside(stage: &Stage) {
    assert!(stage.sim.wait_until(SOON, botapi_sim::Sim::polling).await);
    let before = stage.app().pipeline().base.vitals.conflicts.get();
    let url = format!("{}/bot{}/getUpdates", stage.sim.api_url(), stage.sim.token());
    reqwest::get(url).await.expect("an answer");
    let vitals = &stage.app().pipeline().base.vitals;
    assert!(eventually(|| vitals.conflicts.get() > before).await, "a 409");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_conflict_after_each_restart_of_the_intake_raises_no_alarm() {
    let stage = Stage::running(&[]).await;
    let polling = || *stage.app().polling().borrow();
    poll_from_outside(&stage).await;
    let polls = stage.sim.calls("getUpdates");
    stage.app().report_hub().ask_restart();
    assert!(stage.sim.wait_until(SOON, |sim| sim.calls("getUpdates") > polls).await);
    poll_from_outside(&stage).await;
    assert_eq!(polling(), Polling::Listening, "the second in the process, the first since");
    poll_from_outside(&stage).await;
    stage.polling_becomes(Polling::Conflict).await;
    assert_eq!(stage.ask(5, "still there?").await, "echo: still there?");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_send_on_its_way_finishes_on_its_old_connection() {
    let mut stage = Stage::running(&[]).await;
    let hold = stage.sim.hold(Hold::Method("sendMessage"), HoldAt::AfterEffect);
    stage.sim.say(5, "on its way");
    assert!(hold.wait_held(1, SOON).await);
    let token = stage.sim.reissue_token();
    change(&mut stage, &[("KATANA_TELEGRAM_TOKEN", &token)], &["telegram.token"]).await;
    hold.release();
    assert_eq!(stage.ask(5, "the next").await, "echo: the next");
    assert_eq!(stage.sim.bot_message_count(), 2);
    assert_eq!(stage.sim.calls("editMessageText"), 0, "it did not have to be looked for");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_hang_are_bounded_by_the_new_patience() {
    let mut stage = Stage::with_model(&[]).await;
    let patience = [
        ("KATANA_ANSWER_FIRST_TOKEN_TIMEOUT_S", "1"),
        ("KATANA_LIFECYCLE_GRACE_S", "3"),
        ("KATANA_TELEGRAM_POLL_BACKOFF_MAX_S", "2"),
        ("KATANA_DELIVERY_GIVE_UP_AFTER_H", "2"),
    ];
    let keys = [
        "telegram.poll_backoff_max_s",
        "answer.first_token_timeout_s",
        "delivery.give_up_after_h",
        "lifecycle.grace_s",
    ];
    change(&mut stage, &patience, &keys).await;
    stage.sim.model().fault_next(ModelFault::Hang);
    assert!(stage.ask(5, "hello?").await.contains("took too long"));
    let settings = stage.app().pipeline().settings();
    assert_eq!(stage.app().poll().settings().backoff_max, Duration::from_secs(2));
    assert_eq!(settings.give_up_after, Duration::from_secs(2 * 3600));
    stage.end().await;
}
