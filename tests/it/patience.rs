//! Slow, busy and small models: what is waited for, and what people see meanwhile.

use std::collections::BTreeSet;
use std::time::Duration;

use botapi_sim::{ModelFault, Sim};

use crate::harness::{SOON, Stage};

const SECOND: Duration = Duration::from_secs(1);

/// The drafts in a chat, each once.
fn drafts(sim: &Sim, chat: i64) -> BTreeSet<String> {
    sim.drafts(chat).into_iter().collect()
}

/// A local server with one slot: a second at work for each answer, silent for at most three.
async fn one_slot(chats: i64) -> Stage {
    let stage = Stage::with_model(&[("KATANA_ANSWER_FIRST_TOKEN_TIMEOUT_S", "3")]).await;
    stage.sim.model().set_slots(1);
    stage.sim.model().set_pace(Duration::from_millis(700), Duration::from_millis(100));
    for chat in 1..=chats {
        stage.sim.say(chat, "a b");
    }
    stage
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_chats_at_once_on_a_server_with_one_slot_are_all_answered_in_order() {
    let stage = one_slot(20).await;
    let all = |sim: &Sim| (1..=20).all(|chat| !sim.bot_messages(chat).is_empty());
    assert!(stage.sim.wait_until(SOON * 3, all).await);
    for chat in 1..=20 {
        let texts: Vec<_> = stage.sim.bot_messages(chat).into_iter().map(|m| m.text).collect();
        assert_eq!(texts, ["echo: a b"], "chat {chat}");
    }
    let last = drafts(&stage.sim, 20);
    assert!(last.iter().any(|text| text.contains("questions are before yours")), "{last:?}");
    assert!(last.iter().any(|text| text.contains("Your question is next")), "{last:?}");
    let thinks = |chat| drafts(&stage.sim, chat).iter().any(|text| text.contains("is thinking"));
    assert!((1..=20).any(thinks), "a turn that has come is shown, too");
    let shown = stage.sim.drafts(20);
    assert!(shown.windows(2).all(|pair| pair[0] != pair[1]), "nothing is shown twice: {shown:?}");
    let first = drafts(&stage.sim, 1);
    assert!(!first.iter().any(|text| text.contains("before yours")), "{first:?}");
    let ids: Vec<_> = (1..=20).map(|chat| stage.sim.bot_messages(chat)[0].message_id).collect();
    // Two at a time, so neighbours may change places.
    assert!(ids.iter().zip(&ids[2..]).all(|(one, later)| one < later), "{ids:?}");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_slower_than_expected_gets_fewer_questions_and_answers_all() {
    let stage = Stage::with_model(&[("KATANA_ANSWER_FIRST_TOKEN_TIMEOUT_S", "2")]).await;
    stage.sim.model().set_slots(1);
    // Two at once are one too many: the second is silent for longer than allowed.
    stage.sim.model().set_pace(SECOND, SECOND + Duration::from_millis(500));
    for chat in 1..=4 {
        stage.sim.say(chat, "a");
    }
    for chat in 1..=4 {
        assert_eq!(stage.texts(chat, 1).await, ["echo: a"]);
    }
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_reaches_who_waits_in_the_queue() {
    let stage = one_slot(4).await;
    assert!(stage.sim.model().wait_calls(1, SOON).await);
    assert_eq!(stage.ask(4, "/cancel").await, "Stopped.");
    for chat in 1..=3 {
        assert_eq!(stage.texts(chat, 1).await, ["echo: a b"]);
    }
    assert_eq!(stage.sim.model().calls(), 3);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_passes_is_waited_for_and_the_draft_says_so() {
    let loading = r#"{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}"#;
    let faults = [
        (ModelFault::rate_limited("2"), "too many questions"),
        (ModelFault::status(503, loading), "still loading"),
        (ModelFault::status(500, r#"{"error":{"message":"Loading model"}}"#), "still loading"),
        (ModelFault::Closed, "cannot be reached"),
        (ModelFault::status(502, "<html>Bad Gateway</html>"), "cannot be reached"),
        (ModelFault::CutAfter(0), "cannot be reached"),
    ];
    for (fault, words) in faults {
        let stage = Stage::with_model(&[]).await;
        let name = format!("{fault:?}");
        stage.sim.model().fault_next(fault);
        assert_eq!(stage.ask(5, "hello").await, "echo: hello", "{name}");
        assert_eq!(stage.sim.model().calls(), 2, "{name}");
        let shown = drafts(&stage.sim, 5);
        assert!(shown.iter().any(|text| text.contains(words)), "{name}: {shown:?}");
        assert!(shown.iter().any(|text| text.contains("I will try again in")), "{shown:?}");
        let health = stage.app().pipeline().base.vitals.provider.read();
        assert_eq!(health.failures, 0, "{name}: a wait is not a failure");
        stage.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_until_the_server_is_asked_again_delays_no_one_else() {
    let stage = Stage::with_model(&[("KATANA_PIPELINE_ANSWERS_AT_ONCE", "1")]).await;
    let slow = r#"{"error":{"code":429,"message":"slow","details":[{"retryDelay":"3s"}]}}"#;
    stage.sim.model().fault_next(ModelFault::status(429, slow));
    stage.sim.say(5, "one");
    assert!(stage.sim.model().wait_calls(1, SOON).await);
    let asked = std::time::Instant::now();
    assert_eq!(stage.ask(6, "two").await, "echo: two");
    assert!(asked.elapsed() < SECOND * 2, "{:?}", asked.elapsed());
    assert_eq!(stage.texts(5, 1).await, ["echo: one"]);
    assert!(asked.elapsed() > SECOND * 2, "the server asked for a pause of 3 s");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_waited_for_beyond_the_time_of_an_answer_or_after_the_first_word() {
    let stage = Stage::with_model(&[("KATANA_ANSWER_TIMEOUT_S", "3")]).await;
    stage.sim.model().fault_next(ModelFault::rate_limited("60"));
    assert!(stage.ask(5, "one").await.contains("busy"));
    assert_eq!(stage.sim.model().calls(), 1, "asked once");
    stage.sim.model().fault_next(ModelFault::CutAfter(1));
    assert!(stage.ask(5, "two words").await.contains("broke off"));
    assert_eq!(stage.sim.model().calls(), 2, "words were there");
    stage.sim.model().fault_always(Some(ModelFault::status(503, "{}")));
    let asked = std::time::Instant::now();
    assert!(stage.ask(6, "three").await.contains("busy"));
    assert!(asked.elapsed() < SECOND * 6, "{:?}", asked.elapsed());
    stage.sim.model().fault_always(None);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reasoning_and_comments_are_not_silence_and_the_draft_says_that_the_model_thinks() {
    for fault in [ModelFault::Thinks(8), ModelFault::Comments(8)] {
        let stage = Stage::with_model(&[("KATANA_ANSWER_FIRST_TOKEN_TIMEOUT_S", "1")]).await;
        let half = Duration::from_millis(500);
        stage.sim.model().set_pace(half, half);
        stage.sim.model().fault_next(fault);
        assert_eq!(stage.ask(5, "one").await, "echo: one");
        let shown = drafts(&stage.sim, 5);
        assert!(shown.iter().any(|text| text.contains("The model is thinking")), "{shown:?}");
        assert!(shown.iter().all(|text| !text.contains("hm")), "{shown:?}");
        stage.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn thoughts_in_the_text_are_neither_shown_nor_kept() {
    let stage = Stage::with_model(&[]).await;
    stage.sim.model().set_pace(Duration::ZERO, Duration::from_millis(150));
    for text in [
        "<think>\na secret thought of several words in a row\n</think>\n\nThe answer is here now.",
        "a secret thought of several words\n</think>\n\nThe answer is here now.",
        "a secret thought once more, now expected\n</think>\n\nThe answer is here now.",
    ] {
        let before = stage.sim.drafts(5).len();
        stage.sim.model().push(text);
        assert_eq!(stage.ask(5, "go").await, "The answer is here now.");
        let shown = stage.sim.drafts(5).split_off(before);
        // Without its first mark a thought looks like an answer, until a model has shown that once.
        if !text.starts_with("a secret thought of") {
            assert!(shown.iter().all(|text| !text.contains("secret")), "{shown:?}");
        }
    }
    stage.ask(5, "and then?").await;
    let asked = stage.sim.model().requests().pop().expect("a request").params.to_string();
    assert!(asked.contains("The answer is here now.") && !asked.contains("secret"), "{asked}");
    stage.sim.model().push("<think>\nthinking without an end");
    let sorry = stage.ask(5, "endless").await;
    assert!(sorry.contains("empty answer"), "{sorry}");
    let mention = "Write `<think>` before and `</think>` after it.";
    stage.sim.model().push(mention);
    assert_eq!(stage.ask(5, "how?").await, mention.replace('`', ""));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_without_a_reason_is_delivered_and_marked() {
    let stage = Stage::with_model(&[]).await;
    stage.sim.model().fault_next(ModelFault::NoReason);
    let text = stage.ask(5, "one").await;
    assert!(text.starts_with("echo: one\n\n(The model's server did not say whether"), "{text}");
    stage.ask(5, "two").await;
    let asked = stage.sim.model().requests().pop().expect("a request").params.to_string();
    assert!(asked.contains("echo: one") && !asked.contains("did not say"), "{asked}");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reasoning_that_ate_the_tokens_is_named_to_people_and_counted() {
    let stage = Stage::with_model(&[]).await;
    stage.sim.model().push("");
    stage.sim.model().fault_next(ModelFault::FinishReason("length".to_owned()));
    let sorry = stage.ask(5, "hard").await;
    assert!(sorry.contains("used up its room for thinking"), "{sorry}");
    assert_eq!(stage.counter("answer_failed", "tokens_used_up"), 1);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn drafts_and_typing_signs_keep_to_the_rate_of_all_calls() {
    let pace = [("KATANA_DELIVERY_PACE", "true"), ("KATANA_DELIVERY_OVERALL_PER_S", "10")];
    let stage = Stage::with_model(&pace).await;
    stage.sim.model().set_slots(1);
    stage.sim.model().set_pace(Duration::from_millis(300), Duration::from_millis(50));
    for chat in 1..=30 {
        stage.sim.say(chat, "a b c");
    }
    // All wait, and the places of all change: far more than ten drafts a second are wanted.
    assert!(stage.sim.model().wait_calls(1, SOON).await);
    let calls = |sim: &Sim| {
        sim.calls("sendMessageDraft") + sim.calls("sendChatAction") + sim.calls("sendMessage")
    };
    let before = calls(&stage.sim);
    tokio::time::sleep(SECOND * 4).await;
    let made = calls(&stage.sim) - before;
    assert!((10..=44).contains(&made), "{made} calls in 4 s at ten a second");
    let all = |sim: &Sim| (1..=30).all(|chat| !sim.bot_messages(chat).is_empty());
    assert!(stage.sim.wait_until(SOON * 2, all).await);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_person_chose_can_fail_that_person_only() {
    let stage = Stage::with_model(&[("KATANA_ANSWER_MODELS", "sim-large, gone")]).await;
    stage.ask(5, "/model").await;
    let message = stage.sim.bot_messages(5).pop().expect("a message");
    let rows = message.reply_markup.expect("buttons")["inline_keyboard"].clone();
    let labels: Vec<_> = (0..3).map(|row| rows[row][0]["text"].clone()).collect();
    assert_eq!(labels, ["✓ sim-model", "sim-large", "gone"]);
    stage.sim.press(5, message.message_id, 5, rows[2][0]["callback_data"].as_str().expect("data"));
    assert!(stage.texts(5, 2).await[1].starts_with("From now on gone answers in this chat."));
    let refusal = r#"{"error":{"message":"The model `gone` does not exist","code":"not_found"}}"#;
    for _ in 0..4 {
        stage.sim.model().fault_next(ModelFault::status(404, refusal));
        let sorry = stage.ask(5, "hello").await;
        assert!(sorry.contains("I cannot use the model that was chosen here."), "{sorry}");
        assert!(sorry.contains("/model default goes back"), "{sorry}");
    }
    let vitals = &stage.app().pipeline().base.vitals;
    assert_eq!(vitals.provider.read().failures, 0);
    let (failed, chosen) = (vitals.answers_failed.get(), vitals.chosen_failed.get());
    assert_eq!((failed, chosen), (4, 4), "the share of errors does not count them");
    let series = vitals.observed(katana::observe::vitals::Timing::Provider);
    let labels: Vec<_> = series.iter().map(|(a, b, _)| (a.as_str(), b.as_str())).collect();
    assert_eq!(labels, [("gone", "not_found")], "the model that was asked");
    assert_eq!(stage.ask(6, "hello").await, "echo: hello", "others have the configured one");
    stage.ask(5, "/model default").await;
    assert_eq!(stage.ask(5, "hello").await, "echo: hello");
    stage.end().await;
}
