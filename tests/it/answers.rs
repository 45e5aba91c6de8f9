//! Answers: what the model is asked, and what people hear when it fails.

use std::time::Duration;

use botapi_sim::{Message, ModelFault, Vendor};
use serde_json::json;

use crate::harness::{MODEL_KEY, OWNER, SOON, Stage};

/// A running bot that asks the simulated Anthropic server.
async fn anthropic() -> Stage {
    let mut stage = Stage::new().await;
    let url = stage.sim.anthropic_url();
    stage
        .set("KATANA_ANSWER_PROVIDER", "anthropic")
        .set("ANTHROPIC_API_KEY", MODEL_KEY)
        .set("KATANA_ANTHROPIC_BASE_URL", &url)
        .set("KATANA_ANTHROPIC_MODEL", "sim-model")
        .set("KATANA_ANSWER_FIRST_TOKEN_TIMEOUT_S", "1")
        .set("KATANA_ANSWER_TIMEOUT_S", "5")
        .set("KATANA_ANSWER_SYSTEM_PROMPT", "Be a pirate.");
    stage.start().await;
    stage
}

async fn openai() -> Stage {
    Stage::with_model(&[
        ("KATANA_ANSWER_FIRST_TOKEN_TIMEOUT_S", "1"),
        ("KATANA_ANSWER_TIMEOUT_S", "5"),
        ("KATANA_ANSWER_SYSTEM_PROMPT", "Be a pirate."),
        ("KATANA_ANSWER_MAX_HISTORY_TURNS", "2"),
    ])
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_note_below_a_cut_answer_is_for_people_only() {
    for (stage, reason) in [(openai().await, "length"), (anthropic().await, "max_tokens")] {
        stage.sim.model().fault_next(ModelFault::FinishReason(reason.to_owned()));
        let shown = stage.ask(5, "one").await;
        assert!(shown.ends_with("(The answer reached its length limit and was cut.)"), "{shown}");
        stage.ask(5, "two").await;
        let asked = stage.sim.model().requests().pop().expect("a request");
        let sent = serde_json::to_string(&asked.params).expect("JSON");
        assert!(sent.contains("echo: one") && !sent.contains("limit"), "{sent}");
        stage.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_may_think_for_longer_than_its_first_words_may_take() {
    for stage in [openai().await, anthropic().await] {
        let half = Duration::from_millis(500);
        stage.sim.model().set_pace(half, half);
        stage.sim.model().fault_next(ModelFault::Thinks(3));
        assert_eq!(stage.ask(5, "one").await, "echo: one");
        let unused = stage.app().pipeline().base.vitals.counters("provider_event_unused");
        assert_eq!(unused, [("event".to_owned(), 1)]);
        stage.end().await;
    }
}

/// The data of the only button of a message.
fn retry(message: &Message) -> String {
    let rows = &message.reply_markup.as_ref().expect("a button")["inline_keyboard"];
    assert_eq!(rows[0][0]["text"], "Try again");
    rows[0][0]["callback_data"].as_str().expect("data").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_model_hears_the_prompt_and_the_last_turns_of_this_chat_only() {
    let stage = openai().await;
    stage.sim.model().set_key(Some(MODEL_KEY));
    stage.ask(6, "of another chat").await;
    for text in ["one", "two", "three", "four"] {
        assert_eq!(stage.ask(5, text).await, format!("echo: {text}"));
    }
    let last = stage.sim.model().requests().pop().expect("a request");
    assert_eq!((last.vendor, last.stream), (Vendor::OpenAi, true));
    assert_eq!(last.model, "sim-model");
    assert!(last.system_text().starts_with("Be a pirate."), "{}", last.system_text());
    let turns: Vec<_> = last.messages.iter().filter(|m| m["role"] != "system").cloned().collect();
    let expected = [
        ("user", "two"),
        ("assistant", "echo: two"),
        ("user", "three"),
        ("assistant", "echo: three"),
        ("user", "four"),
    ];
    let expected = expected.map(|(role, content)| json!({"role": role, "content": content}));
    assert_eq!(turns, expected);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn anthropic_streams_with_prompt_and_history_too() {
    let stage = anthropic().await;
    stage.sim.model().set_key(Some(MODEL_KEY));
    assert_eq!(stage.ask(5, "one").await, "echo: one");
    stage.sim.model().push("**bold** and `code`");
    assert_eq!(stage.ask(5, "two").await, "bold and code");
    let kinds: Vec<_> =
        stage.sim.bot_messages(5)[1].entities.iter().map(|e| e["type"].clone()).collect();
    assert_eq!(kinds, ["bold", "code"]);
    let last = stage.sim.model().requests().pop().expect("a request");
    assert_eq!((last.vendor, last.stream), (Vendor::Anthropic, true));
    assert!(last.system_text().starts_with("Be a pirate."), "{}", last.system_text());
    assert_eq!(last.messages.len(), 3);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn new_begins_afresh_and_model_chooses_per_chat() {
    let mut stage = Stage::new().await;
    stage.openai().set("KATANA_ANSWER_MODELS", "big-one").start().await;
    stage.ask(5, "old").await;
    let said = stage.ask(5, "/new").await;
    assert!(said.starts_with("A new conversation"), "{said}");
    stage.ask(5, "fresh").await;
    let last = stage.sim.model().requests().pop().expect("a request");
    assert!(!last.params.to_string().contains("old"), "{}", last.params);
    assert!(stage.ask(5, "/model").await.starts_with("In this chat sim-model answers."));
    assert!(stage.ask(5, "/model big-one").await.starts_with("From now on big-one answers"));
    stage.ask(5, "with the big one").await;
    stage.ask(6, "with the usual one").await;
    let models: Vec<_> = stage.sim.model().requests().into_iter().map(|r| r.model).collect();
    assert_eq!(models, ["sim-model", "sim-model", "big-one", "sim-model"]);
    assert!(stage.ask(5, "/model default").await.starts_with("Back to sim-model"));
    assert!(stage.ask(5, "/model nosuch").await.starts_with("nosuch is not offered here"));
    assert!(stage.ask(5, "/model no such name").await.starts_with("That does not look like"));
    stage.end().await;
}

/// Every failure becomes a short honest reply with a button that works.
async fn failures(stage: Stage) {
    let words_401 = r#"{"error":{"message":"Incorrect API key provided: sk-x","type":"auth"}}"#;
    let faults = [
        (ModelFault::status(401, words_401), "the operator of this bot has to fix that"),
        (ModelFault::rate_limited("200"), "busy"),
        (ModelFault::status(500, "oops"), ""),
        (ModelFault::Html, "could not reach the model"),
        (ModelFault::Garbage, "could not reach the model"),
        (ModelFault::CutAfter(2), "broke off"),
        (ModelFault::EndAfter(2), "broke off"),
        (ModelFault::ErrorAfter(2), ""),
        (ModelFault::Closed, "could not reach the model"),
        (ModelFault::Hang, "took too long"),
        (ModelFault::StallAfter(0), "took too long"),
    ];
    let mut said = 0;
    for (i, (fault, words)) in faults.into_iter().enumerate() {
        let question = format!("question number {i}");
        let name = format!("{fault:?}");
        stage.sim.model().fault_always(Some(fault));
        let sorry = stage.ask(5, &question).await;
        stage.sim.model().fault_always(None);
        assert!(sorry.contains(words), "{name}: {sorry}");
        assert!(sorry.ends_with("Your question is kept; nothing was lost."), "{name}: {sorry}");
        for raw in ["sk-", "oops", "<", "{", "error", "401", "500"] {
            assert!(!sorry.contains(raw), "{name}: the provider's own words in {sorry}");
        }
        let message = stage.sim.bot_messages(5).pop().expect("a message");
        said += 2;
        stage.sim.press(5, message.message_id, 5, &retry(&message));
        assert_eq!(stage.texts(5, said).await[said - 1], format!("echo: {question}"), "{name}");
    }
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_openai_does_becomes_an_honest_reply_and_another_try() {
    failures(openai().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_anthropic_does_becomes_an_honest_reply_and_another_try() {
    failures(anthropic().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_asker_may_try_again_in_a_group_and_no_one_in_another_chat() {
    let mut stage = Stage::new().await;
    stage.openai().set("KATANA_BOT_ALLOW_CHATS", "-700").start().await;
    stage.sim.model().fault_next(ModelFault::status(401, "{}"));
    stage.sim.say_in(-700, 5, "@katana_sim_bot hello");
    stage.texts(-700, 1).await;
    let message = stage.sim.bot_messages(-700).remove(0);
    let data = retry(&message);
    stage.ask(6, "hello").await;
    let elsewhere = stage.sim.bot_messages(6).remove(0);
    stage.sim.press(6, elsewhere.message_id, 6, &data);
    stage.sim.press(-700, message.message_id, 6, &data);
    let two = |sim: &botapi_sim::Sim| sim.callback_answers().len() >= 2;
    assert!(stage.sim.wait_until(SOON, two).await);
    let mut answers: Vec<_> =
        stage.sim.callback_answers().iter().map(|a| a["text"].to_string()).collect();
    answers.sort();
    assert!(answers[0].contains("Only the person who asked"), "{answers:?}");
    assert!(answers[1].contains("no longer kept"), "{answers:?}");
    stage.sim.press(-700, message.message_id, 5, &data);
    let again = stage.texts(-700, 2).await.swap_remove(1);
    assert_eq!(again, "echo: <said by=\"User 5\">\nhello\n</said>");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_stops_another_try_too() {
    let stage = openai().await;
    stage.sim.model().fault_next(ModelFault::status(401, "{}"));
    stage.ask(5, "hello").await;
    let message = stage.sim.bot_messages(5).remove(0);
    stage.sim.model().set_pace(Duration::ZERO, Duration::from_secs(30));
    stage.sim.press(5, message.message_id, 5, &retry(&message));
    assert!(stage.sim.model().wait_calls(2, SOON).await);
    assert_eq!(stage.ask(5, "/cancel").await, "Stopped.");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_offline_provider_quotes_with_its_source_or_says_that_it_found_nothing() {
    let mut stage = Stage::new().await;
    let dir = stage.dir.path().join("knowledge");
    std::fs::create_dir(&dir).expect("a folder");
    let page =
        "# Lighthouse\n\n## Keeper\n\nThe lighthouse keeper paints the tower every spring.\n";
    std::fs::write(dir.join("lighthouse.md"), page).expect("a page");
    stage
        .set("KATANA_ANSWER_PROVIDER", "offline")
        .set("KATANA_KNOWLEDGE_DIR", &dir.display().to_string())
        .start()
        .await;
    let found = stage.ask(5, "When does the lighthouse keeper paint the tower?").await;
    assert!(found.contains("paints the tower every spring"), "{found}");
    assert!(found.contains("lighthouse.md"), "the source is named: {found}");
    let nothing = stage.ask(5, "zygote quasar").await;
    assert!(!nothing.contains("lighthouse.md"), "{nothing}");
    assert!(!nothing.contains("tower"), "{nothing}");
    assert!(stage.ask(OWNER, "/model").await.contains("from documents"));
    stage.end().await;
}
