//! What goes along with a question: passages, history, and less of both when the model has no room.

use botapi_sim::{ModelFault, ModelRequest};

use crate::harness::Stage;

/// The words of a server whose context has so many tokens.
fn too_long(context: usize) -> ModelFault {
    let message = format!(
        "This model's maximum context length is {context} tokens. Please reduce the length of the \
         messages."
    );
    ModelFault::status(400, &format!(r#"{{"error":{{"message":"{message}","code":400}}}}"#))
}

fn last(stage: &Stage) -> ModelRequest {
    stage.sim.model().requests().pop().expect("a request")
}

/// A bot with a model and documents about a lighthouse.
async fn with_documents() -> Stage {
    let mut stage = Stage::new().await;
    let dir = stage.dir.path().join("knowledge");
    std::fs::create_dir(&dir).expect("a folder");
    let page = "# Lighthouse\n\n## Keeper\n\nThe lighthouse keeper paints the tower every spring.\n\n\
                ## Lamp\n\nThe lamp of the lighthouse is cleaned by the keeper on Mondays.\n";
    std::fs::write(dir.join("lighthouse.md"), page).expect("a page");
    let harbour = "# Harbour\n\n## Crane\n\nThe crane of the harbour lifts twelve tons.\n";
    std::fs::write(dir.join("harbour.md"), harbour).expect("a page");
    let dir = dir.display().to_string();
    stage.openai().set("KATANA_KNOWLEDGE_DIR", &dir).start().await;
    stage
}

#[tokio::test(flavor = "multi_thread")]
async fn sources_are_named_by_the_program_below_an_answer_that_rests_on_them() {
    let stage = with_documents().await;
    stage.sim.model().push("Every spring.\n\n```\npaint");
    let answer = stage.ask(5, "When does the keeper paint the lighthouse tower?").await;
    let source = "Source: lighthouse.md › Lighthouse";
    assert!(answer.starts_with(&format!("Every spring.\n\npaint\n\n{source}")), "{answer}");
    let message = stage.sim.bot_messages(5).remove(0);
    let last_entity = message.entities.last().expect("entities");
    let start = botapi_sim::utf16_len("Every spring.\n\npaint\n\n");
    assert_eq!(
        (last_entity["type"].as_str(), last_entity["offset"].as_u64()),
        (Some("expandable_blockquote"), Some(start as u64))
    );
    let asked = last(&stage).last_user_text();
    assert!(asked.starts_with("Documents found") && asked.ends_with("tower?"), "{asked}");
    assert!(!asked.to_lowercase().contains("source:"), "the model is not asked for it: {asked}");
    let sources = stage.ask(5, "/sources").await;
    assert!(
        sources.contains("cites nothing") && sources.contains("paints the tower every"),
        "{sources}"
    );
    stage.sim.model().push("Sorry, I do not know.");
    assert_eq!(stage.ask(5, "How tall is the lighthouse?").await, "Sorry, I do not know.");
    let history = last(&stage).params["messages"].to_string();
    assert!(!history.contains("Source: "), "never in the history: {history}");
    assert_eq!(history.matches("<document ").count(), history.matches("</document>").count());
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follow_up_is_searched_for_with_what_was_said_before() {
    let stage = with_documents().await;
    stage.ask(5, "Who cleans the lamp of the lighthouse?").await;
    stage.ask(5, "And when?").await;
    let asked = last(&stage).last_user_text();
    assert!(asked.contains("on Mondays") && asked.ends_with("And when?"), "{asked}");
    stage.ask(5, "/new").await;
    stage.ask(5, "And when?").await;
    let asked = last(&stage).last_user_text();
    assert!(
        asked.ends_with("And when?") && !asked.contains("Mondays"),
        "no context any more: {asked}"
    );
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_of_ones_own_says_how_much_fits_before_anything_is_refused() {
    let stage = Stage::with_model(&[("KATANA_ANSWER_MAX_OUTPUT_TOKENS", "1500")]).await;
    stage.sim.model().set_context(2000);
    stage.ask(5, "hi").await;
    assert_eq!(last(&stage).params["max_tokens"], 1500, "that fits everywhere");
    let long = format!("why? {}", "plum pear ".repeat(240));
    for _ in 0..3 {
        stage.sim.model().push("because");
        stage.ask(5, &long).await;
        let asked = last(&stage);
        assert_eq!(asked.params["max_tokens"], 1000, "an answer leaves room for the question");
        let size = asked.params["messages"].to_string().len() / 4;
        assert!(size < 1000, "{size} tokens: the history gives way");
    }
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_beginning_of_a_prompt_stays_the_same_until_a_third_goes_at_once() {
    let stage = Stage::with_model(&[("KATANA_ANSWER_MAX_HISTORY_TURNS", "6")]).await;
    let mut changes = 0;
    let mut before: Vec<serde_json::Value> = Vec::new();
    for n in 0..16 {
        stage.ask(5, &format!("question {n}")).await;
        let now = last(&stage).messages;
        let is_continued = now.len() >= before.len() && now[..before.len()] == before[..];
        changes += usize::from(!is_continued);
        before = now;
    }
    assert_eq!(changes, 3, "ten, if one exchange went at a time");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_larger_than_the_context_is_shortened_and_the_size_is_learned() {
    let stage = Stage::with_model(&[("KATANA_ANSWER_MAX_OUTPUT_TOKENS", "100")]).await;
    stage.sim.model().respond_with(|_: &ModelRequest| "word ".repeat(80));
    for n in 0..8 {
        stage.ask(5, &format!("question {n}")).await;
    }
    stage.sim.model().fault_next(too_long(600));
    assert!(stage.ask(5, "and now?").await.starts_with("word word"));
    let all = stage.sim.model().requests();
    let (refused, taken) = (&all[all.len() - 2], &all[all.len() - 1]);
    assert!(taken.messages.len() < refused.messages.len() && taken.messages.len() > 2);
    assert_eq!(taken.last_user_text(), "and now?");
    // From now on it fits at once.
    let before = stage.sim.model().calls();
    stage.ask(5, "and then?").await;
    assert_eq!(stage.sim.model().calls(), before + 1);
    assert!(last(&stage).messages.len() <= taken.messages.len() + 2);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn passages_go_when_the_history_is_gone_and_a_message_that_is_too_long_alone_says_so() {
    let stage = with_documents().await;
    stage.ask(5, "Who is the keeper of the lighthouse?").await;
    let no_figures = || {
        ModelFault::status(400, r#"{"error":{"code":"context_length_exceeded","message":"no"}}"#)
    };
    for _ in 0..2 {
        stage.sim.model().fault_next(no_figures());
    }
    stage.ask(5, "Does the keeper clean the lamp of the lighthouse?").await;
    let asked = last(&stage);
    assert_eq!(asked.messages.iter().filter(|m| m["role"] == "user").count(), 1);
    assert_eq!(asked.last_user_text(), "Does the keeper clean the lamp of the lighthouse?");
    for _ in 0..3 {
        stage.sim.model().fault_next(too_long(2048));
    }
    let said = stage.ask(6, "What is the lighthouse?").await;
    assert!(said.starts_with("This message alone is too long for the model."), "{said}");
    assert!(said.contains("words") && !said.contains('/'), "no command can help: {said}");
    let message = stage.sim.bot_messages(6).remove(0);
    assert_eq!(message.reply_markup, None, "trying again cannot help either");
    assert!(stage.ask(6, "What is a lighthouse?").await.contains("What is a lighthouse?"));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_note_below_a_cut_answer_is_never_in_its_code_block_and_never_in_the_history() {
    let stage = Stage::with_model(&[]).await;
    stage.sim.model().fault_next(ModelFault::FinishReason("length".into()));
    stage.sim.model().push("1. So:\n\n   ```sh\n   apt install kata");
    let text = stage.ask(5, "how?").await;
    assert!(
        text.ends_with("apt install kata\n\n(The answer reached its length limit and was cut.)"),
        "{text}"
    );
    let message = stage.sim.bot_messages(5).remove(0);
    let note = message.entities.iter().find(|e| e["type"] == "italic").expect("the note");
    let pre = message.entities.iter().find(|e| e["type"] == "pre").expect("the block");
    let end =
        |e: &serde_json::Value| e["offset"].as_u64().zip(e["length"].as_u64()).map(|(a, b)| a + b);
    assert!(end(pre) < note["offset"].as_u64(), "{:?}", message.entities);
    stage.ask(5, "and then?").await;
    let history = last(&stage).params["messages"].to_string();
    assert!(history.contains("apt install kata") && !history.contains("was cut"), "{history}");
    stage.end().await;
}

/// The button below the bot's last message in a chat.
fn button(stage: &Stage, chat: i64) -> (i64, String, String) {
    let message = stage.sim.bot_messages(chat).pop().expect("a message");
    let markup = message.reply_markup.expect("a button");
    let text =
        |field: &str| markup["inline_keyboard"][0][0][field].as_str().expect("a text").to_owned();
    (message.message_id, text("text"), text("callback_data"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_answer_goes_on_exactly_where_it_stopped_as_one_exchange() {
    let stage = Stage::with_model(&[]).await;
    let cut = || stage.sim.model().fault_next(ModelFault::FinishReason("length".into()));
    cut();
    stage.sim.model().push("Run this:\n\n```sh\napt inst");
    stage.ask(5, "how?").await;
    let (first, label, data) = button(&stage, 5);
    assert_eq!(label, "Continue");
    cut();
    stage.sim.model().push("```sh\napt install katana\nkatana se");
    stage.sim.press(5, first, 5, &data);
    assert!(stage.texts(5, 2).await[1].starts_with("all katana\nkatana se"));
    let code = stage.sim.bot_messages(5)[1].entities[0].clone();
    assert_eq!((code["type"].as_str(), code["offset"].as_u64()), (Some("pre"), Some(0)));
    let asked = last(&stage);
    assert!(
        asked.messages.iter().any(|m| m["content"] == "Run this:\n\n```sh\napt inst"),
        "{asked:?}"
    );
    // Each place is gone on from once, by those whom the answer is for.
    stage.sim.press(5, first, 5, &data);
    stage.sim.press(6, first, 6, &data);
    let two = |sim: &botapi_sim::Sim| sim.callback_answers().len() >= 3;
    assert!(stage.sim.wait_until(crate::harness::SOON, two).await);
    let (second, _, data) = button(&stage, 5);
    stage.sim.model().push("tup\n```\nDone.");
    stage.sim.press(5, second, 5, &data);
    assert_eq!(stage.texts(5, 3).await[2], "tup\n\nDone.");
    assert_eq!(stage.sim.bot_messages(5)[2].reply_markup, None);
    stage.idle().await;
    let totals = stage.store().totals().await.expect("figures");
    assert_eq!(totals.turns, 1, "one exchange");
    stage.ask(5, "thanks").await;
    let whole = "Run this:\n\n```sh\napt install katana\nkatana setup\n```\nDone.";
    let said = last(&stage).messages;
    assert!(said.iter().any(|m| m["content"] == whole), "{said:?}");
    assert!(!format!("{said:?}").contains("Go on exactly"), "{said:?}");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_provider_that_wrote_an_answer_goes_on_with_it() {
    let mut stage = Stage::with_model(&[]).await;
    stage.sim.model().fault_next(ModelFault::FinishReason("length".into()));
    stage.sim.model().push("half of the");
    stage.ask(5, "how?").await;
    let (message, _, data) = button(&stage, 5);
    let url = stage.sim.openai_url();
    for (key, value) in [
        ("KATANA_ANSWER_PROVIDER", "another"),
        ("KATANA_PROVIDERS_ANOTHER_KIND", "openai"),
        ("KATANA_PROVIDERS_ANOTHER_BASE_URL", &url),
        ("KATANA_PROVIDERS_ANOTHER_MODEL", "another-model"),
        ("KATANA_PROVIDERS_ANOTHER_API_KEY", crate::harness::MODEL_KEY),
    ] {
        stage.set(key, value);
    }
    let reloaded = stage.app().reload(&stage.sources()).await;
    assert!(matches!(reloaded, katana::app::reload::Reloaded::Applied { .. }), "{reloaded:?}");
    stage.sim.press(5, message, 5, &data);
    let said = stage.texts(5, 2).await.remove(1);
    assert!(said.contains("no longer asked here"), "{said}");
    assert_eq!(stage.sim.model().calls(), 1, "two models' texts are never joined");
    stage.end().await;
}
