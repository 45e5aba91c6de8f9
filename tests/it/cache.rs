//! `[cache]`: the same question has the same answer, as long as nothing that it depends on has changed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use botapi_sim::{ChatKind, ModelFault};
use katana::model::conversation::ConversationId;
use katana::model::ids::ChatId;

use crate::harness::{SOON, Stage};

const GROUP: i64 = -700;

/// A bot that keeps answers, and a model that never says the same twice.
async fn stage(changes: &[(&str, &str)]) -> Stage {
    let mut stage = Stage::new().await;
    let count = AtomicU64::new(0);
    stage.sim.model().respond_with(move |request| {
        let number = count.fetch_add(1, Ordering::SeqCst) + 1;
        format!(
            "answer {number} to {}",
            request.last_user_text().lines().last().unwrap_or_default()
        )
    });
    stage.openai().set("KATANA_CACHE_TTL_S", "600").set("KATANA_ANSWER_MAX_HISTORY_TURNS", "0");
    for (key, value) in changes {
        stage.set(key, value);
    }
    stage.start().await;
    stage
}

/// The number of the answer to this question.
async fn answer(stage: &Stage, user: i64, text: &str) -> u64 {
    let said = stage.ask(user, text).await;
    let number = said.strip_prefix("answer ").and_then(|rest| rest.split(' ').next());
    number.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("{said}"))
}

async fn reload(stage: &mut Stage, key: &str, value: &str) {
    stage.set(key, value);
    stage.app().reload(&stage.sources()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_question_of_a_person_has_the_same_answer_and_fresh_asks_again() {
    let stage = stage(&[]).await;
    assert_eq!(answer(&stage, 5, "why is  it?").await, 1);
    let again = stage.ask(5, " why is it? ").await;
    assert!(again.starts_with("answer 1 to") && again.contains("/fresh asks the model"), "{again}");
    assert_eq!(answer(&stage, 5, "Why is it?").await, 2, "another question");
    assert_eq!(answer(&stage, 6, "why is it?").await, 3, "another person");
    assert_eq!(answer(&stage, 5, "/fresh why is it?").await, 4);
    assert_eq!(answer(&stage, 5, "why is it?").await, 4, "the new answer is kept");
    assert!(stage.ask(5, "/fresh").await.contains("/fresh QUESTION"));
    stage.idle().await;
    let counts = ["hit", "miss", "fresh"].map(|outcome| stage.counter("answer_cache", outcome));
    assert_eq!((counts, stage.sim.model().calls()), ([2, 3, 1], 4));
    // The history has its turns, and says where they came from.
    let here = ConversationId { chat: ChatId(5), topic: 0 };
    let kept = stage.store().history(here, 10).await.expect("it can be read");
    let texts: Vec<_> = kept.iter().map(|turn| turn.messages[1].joined()).collect();
    assert_eq!(texts.len(), 5);
    assert_eq!(texts[1], "answer 1 to why is  it?", "without the footer");
    assert_eq!(kept[4].messages[0].joined(), "why is it?");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_depends_on_more_than_its_words_is_never_answered_so() {
    let stage = stage(&[
        ("KATANA_ANSWER_MAX_HISTORY_TURNS", "10"),
        ("KATANA_ANSWER_MODELS", "other"),
        ("KATANA_BOT_ALLOW_CHATS", "-700"),
        ("KATANA_CACHE_SHARED", "true"),
    ])
    .await;
    let sim = &stage.sim;
    assert_eq!(answer(&stage, 5, "why?").await, 1);
    assert_eq!(answer(&stage, 5, "why?").await, 2, "there is a history now");
    stage.ask(5, "/new").await;
    assert_eq!(answer(&stage, 5, "why?").await, 1);
    assert_eq!(answer(&stage, 6, "why?").await, 1, "answers are shared");
    stage.ask(7, "/model other").await;
    assert_eq!(answer(&stage, 7, "why?").await, 3, "another model");

    let before = sim.bot_messages(8).len();
    sim.photo(8, 8, "why?");
    assert!(stage.texts(8, before + 1).await[before].starts_with("answer 4"), "a picture");

    sim.group(GROUP, "Friends", ChatKind::Group);
    for (user, number) in [(8, 5), (9, 6)] {
        sim.say_in(GROUP, user, "@katana_sim_bot how?");
        let texts = stage.texts(GROUP, number - 4).await;
        assert!(texts[number - 5].starts_with(&format!("answer {number}")), "{texts:?}");
    }
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_documents_time_and_restarts_end_what_is_kept() {
    let dir = tempfile::tempdir().expect("a folder");
    let page = dir.path().join("page.md");
    std::fs::write(&page, "# Heron\n\nThe heron stands on one leg.\n").expect("written");
    let folder = dir.path().display().to_string();
    let mut stage = stage(&[("KATANA_KNOWLEDGE_DIR", &folder)]).await;
    assert_eq!(answer(&stage, 5, "heron?").await, 1);
    assert_eq!(answer(&stage, 5, "heron?").await, 1);
    std::fs::write(&page, "# Heron\n\nThe heron stands on two legs.\n").expect("written");
    stage.app().reload(&stage.sources()).await;
    assert_eq!(answer(&stage, 5, "heron?").await, 2, "another document");
    for (key, value) in [
        ("KATANA_ANSWER_SYSTEM_PROMPT", "Be brief."),
        ("KATANA_OPENAI_MODEL", "another-model"),
        ("KATANA_ANSWER_MAX_OUTPUT_TOKENS", "99"),
        ("KATANA_CACHE_SHARED", "true"),
    ] {
        let before = answer(&stage, 5, "heron?").await;
        reload(&mut stage, key, value).await;
        assert_eq!(answer(&stage, 5, "heron?").await, before + 1, "{key}");
    }
    let before = answer(&stage, 5, "heron?").await;
    stage.stop().await;
    stage.start().await;
    assert_eq!(answer(&stage, 5, "heron?").await, before + 1, "a restart");
    reload(&mut stage, "KATANA_CACHE_TTL_S", "1").await;
    let before = answer(&stage, 5, "heron?").await;
    assert_eq!(answer(&stage, 5, "heron?").await, before);
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(answer(&stage, 5, "heron?").await, before + 1, "too old");
    reload(&mut stage, "KATANA_CACHE_TTL_S", "0").await;
    assert_eq!(answer(&stage, 5, "heron?").await, before + 2);
    assert_eq!(answer(&stage, 5, "heron?").await, before + 3);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_whole_answers_are_kept_and_forget_takes_them_back() {
    let stage = stage(&[("KATANA_CACHE_SHARED", "true")]).await;
    let (sim, model) = (&stage.sim, stage.sim.model());
    for fault in [
        ModelFault::FinishReason("length".to_owned()),
        ModelFault::NoReason,
        ModelFault::CutAfter(1),
        ModelFault::status(400, "{}"),
    ] {
        let calls = model.calls();
        model.fault_next(fault);
        stage.ask(5, "why?").await;
        assert_eq!(model.calls(), calls + 1);
    }
    let kept = answer(&stage, 5, "why?").await;
    assert_eq!(answer(&stage, 6, "why?").await, kept);
    stage.ask(5, "/forget yes").await;
    assert_eq!(answer(&stage, 6, "why?").await, kept + 1);

    // Who asks while the same is being answered gets an answer of their own.
    model.set_pace(Duration::from_millis(500), Duration::ZERO);
    let calls = model.calls();
    for user in 10..13 {
        sim.say(user, "at once?");
    }
    assert!(sim.wait_until(SOON, |sim| (10..13).all(|u| !sim.bot_messages(u).is_empty())).await);
    assert_eq!(model.calls(), calls + 3);
    model.set_pace(Duration::ZERO, Duration::ZERO);
    answer(&stage, 13, "at once?").await;
    assert_eq!(model.calls(), calls + 3);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_documents_said_while_the_model_was_down_is_not_kept() {
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::write(dir.path().join("page.md"), "# Heron\n\nThe heron stands on one leg.\n")
        .expect("written");
    let folder = dir.path().display().to_string();
    let list = [("KATANA_ANSWER_PROVIDER", "openai,offline"), ("KATANA_KNOWLEDGE_DIR", &folder)];
    let stage = stage(&list).await;
    stage.sim.model().fault_always(Some(ModelFault::status(503, "{}")));
    let said = stage.ask(5, "heron?").await;
    assert!(said.contains("one leg") && !said.starts_with("answer"), "{said}");
    stage.sim.model().fault_always(None);
    let first = answer(&stage, 5, "heron?").await;
    assert_eq!(answer(&stage, 5, "heron?").await, first);
    stage.end().await;
}
