//! Commands, each through the chat, and the menus that Telegram shows for them.

use botapi_sim::Sim;
use serde_json::json;

use crate::harness::{OWNER, SOON, Stage, eventually, eventually_in};

/// The names in a published menu.
fn menu(sim: &Sim, scope: &serde_json::Value) -> Vec<String> {
    let commands = sim.commands(&scope.to_string());
    commands.iter().filter_map(|c| Some(c["command"].as_str()?.to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_menu_is_published_for_each_scope() {
    let mut stage = Stage::new().await;
    // The owner's own menu can be set once Telegram knows their chat.
    stage.sim.say(OWNER, "hello");
    stage.start().await;
    let owner = json!({"type": "chat", "chat_id": OWNER});
    let there = stage.sim.wait_until(SOON, |sim| !menu(sim, &owner).is_empty()).await;
    assert!(there, "{:?}", stage.sim.outcomes());
    let private = menu(&stage.sim, &json!({"type": "all_private_chats"}));
    assert_eq!(
        private,
        [
            "start", "help", "new", "fresh", "sources", "cancel", "status", "whoami", "model",
            "forget", "usage"
        ]
    );
    assert_eq!(menu(&stage.sim, &json!({"type": "all_group_chats"})), private);
    let extra = [
        "costs", "users", "approve", "remove", "pause", "resume", "learn", "learned", "unlearn",
        "stats",
    ];
    assert_eq!(menu(&stage.sim, &owner), [&private[..], &extra.map(str::to_owned)].concat());
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn menus_that_telegram_refuses_at_first_are_published_in_the_end() {
    let mut stage = Stage::new().await;
    stage.sim.fault_next("setMyCommands", botapi_sim::Fault::ServerError);
    stage.sim.fault_next("setMyCommands", botapi_sim::Fault::Reset);
    stage.start().await;
    let groups = json!({"type": "all_group_chats"});
    assert!(stage.sim.wait_until(SOON, |sim| !menu(sim, &groups).is_empty()).await);
    assert!(!menu(&stage.sim, &json!({"type": "all_private_chats"})).is_empty());
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_gets_a_greeting_help_and_the_status() {
    let stage = Stage::running(&[]).await;
    let start = stage.ask(5, "/start").await;
    assert!(start.starts_with("Hello, I am Katana. Ask me anything in plain words."), "{start}");
    let help = stage.ask(5, "/help").await;
    assert!(help.contains("/forget – Delete what you have said to me"), "{help}");
    assert!(!help.contains("/pause"), "owner's commands are not shown: {help}");
    assert!(stage.ask(OWNER, "/help").await.contains("/pause – Stop answering for a while"));
    let new = stage.ask(5, "/help new").await;
    assert!(new.starts_with("Start a new conversation"), "{new}");
    let status = stage.ask(5, "/status").await;
    assert!(status.starts_with("I am running."), "{status}");
    assert!(status.contains("Messages waiting: 0"), "{status}");
    let who = stage.ask(5, "/whoami").await;
    assert!(who.contains("Telegram id: 5") && who.contains("Role: member"), "{who}");
    assert!(who.contains("I have stored nothing of our conversation."), "{who}");
    let model = stage.ask(5, "/model").await;
    assert!(model.starts_with("There is no model to choose"), "{model}");
    let cancel = stage.ask(5, "/cancel").await;
    assert_eq!(cancel, "There is nothing to stop: I am not writing an answer here.");
    stage.ask(5, "a question").await;
    let stats = stage.ask(OWNER, "/stats").await;
    assert!(stats.contains("Questions answered: 1"), "{stats}");
    assert!(stats.contains("1 question in 1 chat"), "{stats}");
    assert_eq!(stage.ask(5, "/stats").await, "Only my owner can use /stats.");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_command_is_met_with_a_suggestion() {
    let stage = Stage::running(&[]).await;
    assert_eq!(stage.ask(5, "/hlep").await, "I do not know /hlep. Did you mean /help?");
    let far = stage.ask(5, "/weather").await;
    assert_eq!(far, "I do not know /weather. /help lists what I understand.");
    assert_eq!(stage.ask(5, "/usres").await, "I do not know /usres. Did you mean /sources?");
    assert_eq!(stage.ask(OWNER, "/usres").await, "I do not know /usres. Did you mean /users?");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn forget_deletes_for_good() {
    let mut stage = Stage::running(&[]).await;
    let secret = "xylophone-4711-zebra";
    stage.ask(5, &format!("remember {secret}")).await;
    stage.ask(6, "keep quince-0815-marmalade").await;
    let path = stage.dir.path().to_owned();
    let holds = |words: &str| {
        let files =
            std::fs::read_dir(&path).expect("the folder").map(|f| f.expect("a file").path());
        let mut found = files.filter(|f| {
            f.file_name().is_some_and(|n| n.to_string_lossy().starts_with("katana.db"))
        });
        found.any(|f| {
            let bytes = std::fs::read(f).expect("it can be read");
            bytes.windows(words.len()).any(|w| w == words.as_bytes())
        })
    };
    assert!(holds(secret), "the history is kept until then");
    let asked = stage.ask(5, "/forget").await;
    assert!(asked.starts_with("I have stored 1 question of yours with my answers."), "{asked}");
    let question = stage.sim.bot_messages(5).pop().expect("the question");
    // Another person's press does nothing.
    stage.sim.press(5, question.message_id, 6, "forget:yes:5");
    assert!(stage.sim.wait_until(SOON, |sim| sim.callback_answers().len() == 1).await);
    assert_eq!(stage.sim.callback_answers()[0]["text"], "This question is for someone else.");
    assert!(holds(secret));
    stage.sim.press(5, question.message_id, 5, "forget:yes:5");
    let texts = stage.texts(5, 3).await;
    assert!(texts[2].starts_with("Done. What you said to me and what I answered is deleted"));
    assert!(eventually(|| !holds(secret)).await, "it is gone while the bot runs, too");
    assert!(stage.ask(5, "/whoami").await.contains("I have stored nothing"));
    stage.idle().await;
    assert!(stage.stop().await);
    assert!(!holds(secret), "no byte of it is left in the closed file");
    assert!(holds("quince-0815-marmalade"), "what others said stays");
    stage.start().await;
    assert!(stage.ask(6, "/forget yes").await.starts_with("Done."));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pause_keeps_questions_over_a_restart_and_resume_answers_them_in_order() {
    let mut stage = Stage::running(&[]).await;
    let paused = stage.ask(OWNER, "/pause").await;
    assert!(paused.starts_with("Paused. I keep every question"), "{paused}");
    assert!(stage.ask(OWNER, "/pause").await.starts_with("I am paused already."));
    for i in 0..40 {
        stage.sim.say(5 + i % 2, &format!("{i}"));
    }
    assert!(stage.ask(5, "/status").await.contains("I am paused"));
    let store = &stage.store();
    let waiting = || async move { store.inbox_depth().await.unwrap().0 == 40 };
    assert!(eventually_in(waiting).await);
    assert_eq!(stage.sim.bot_messages(6).len(), 0);
    assert!(stage.stop().await);
    stage.sim.say(6, "while it was down");
    stage.start().await;
    assert_eq!(stage.sim.bot_messages(6).len(), 0, "still paused after a restart");
    assert!(stage.ask(OWNER, "/resume").await.starts_with("I answer again"));
    let odd = (0..20).map(|i| format!("echo: {}", 2 * i + 1));
    let expected: Vec<_> = odd.chain(["echo: while it was down".to_owned()]).collect();
    assert_eq!(stage.texts(6, 21).await, expected);
    assert_eq!(stage.texts(5, 21).await[20], "echo: 38");
    assert_eq!(stage.ask(OWNER, "/resume").await, "I am not paused.");
    stage.end().await;
}
