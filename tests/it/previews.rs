//! Previews and long answers: what people see while an answer is written, and when it is done.

use std::time::Duration;

use botapi_sim::Faults;

use crate::harness::{SOON, Stage};

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_answer_is_shown_while_it_grows_and_then_sent_once() {
    let stage = Stage::with_model(&[]).await;
    let words: Vec<_> = (0..12).map(|i| format!("word{i}")).collect();
    stage.sim.model().push(words.join(" ").as_str());
    stage.sim.model().set_pace(Duration::ZERO, Duration::from_millis(200));
    assert_eq!(stage.ask(5, "tell me").await, words.join(" "));
    let drafts = stage.sim.drafts(5);
    assert!(drafts.len() >= 2, "{drafts:?}");
    for pair in drafts.windows(2) {
        assert!(pair[1].len() > pair[0].len(), "the latest text wins: {drafts:?}");
    }
    for draft in &drafts {
        let shown = draft.trim_end_matches(['…', ' ', '▌']);
        assert!(words.join(" ").starts_with(shown), "{draft:?}");
    }
    assert_eq!(stage.sim.bot_messages(5).len(), 1);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_drafts_is_asked_once_and_answers_still_come() {
    let mut stage = Stage::new().await;
    stage.sim.set_faults(Faults::none().without_drafts());
    stage.openai().start().await;
    stage.sim.model().set_pace(Duration::ZERO, Duration::from_millis(200));
    for text in ["one two three four five six", "a b c d e f g h"] {
        assert_eq!(stage.ask(5, text).await, format!("echo: {text}"));
    }
    assert_eq!(stage.sim.calls("sendMessageDraft"), 1);
    assert!(stage.sim.actions(5) > 0, "a typing sign instead");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_group_a_slow_answer_is_announced_by_a_typing_sign() {
    let stage = Stage::with_model(&[("KATANA_BOT_ALLOW_CHATS", "-700")]).await;
    stage.sim.model().set_pace(Duration::from_millis(900), Duration::ZERO);
    stage.sim.model().push("hello to all");
    stage.sim.say_in(-700, 5, "@katana_sim_bot hello");
    assert!(stage.sim.wait_until(SOON, |sim| sim.actions(-700) > 0).await);
    assert_eq!(stage.texts(-700, 1).await, ["hello to all"]);
    assert_eq!(stage.sim.calls("sendMessageDraft"), 0);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn previews_can_be_turned_off() {
    let stage = Stage::with_model(&[("KATANA_TELEGRAM_PREVIEWS", "false")]).await;
    stage.sim.model().set_pace(Duration::ZERO, Duration::from_millis(200));
    assert_eq!(stage.ask(5, "one two three four").await, "echo: one two three four");
    assert_eq!(stage.sim.calls("sendMessageDraft"), 0);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_answer_comes_in_parts_in_order_attached_to_the_question() {
    let stage = Stage::with_model(&[("KATANA_BOT_ALLOW_CHATS", "-700")]).await;
    let lines: Vec<_> = (0..900).map(|i| format!("This is line number {i}.")).collect();
    stage.sim.model().push(lines.join("\n\n").as_str());
    let asked = stage.sim.say_in(-700, 5, "@katana_sim_bot tell me all");
    let last = |sim: &botapi_sim::Sim| {
        sim.bot_messages(-700).last().is_some_and(|m| m.text.contains("number 899."))
    };
    assert!(stage.sim.wait_until(SOON, last).await);
    let parts = stage.sim.bot_messages(-700);
    assert!(parts.len() >= 5, "{} parts", parts.len());
    assert!(parts.iter().all(|p| botapi_sim::utf16_len(&p.text) <= 4096));
    let asked = Some(asked.message_id);
    assert!(parts.iter().all(|p| p.reply_to == asked), "each part stays with its question");
    let said: Vec<_> =
        parts.iter().flat_map(|p| p.text.lines()).filter(|l| !l.is_empty()).collect();
    assert_eq!(said, lines);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_text_arrives_whole() {
    let stage = Stage::with_model(&[]).await;
    // An emoji of several code points right at the border between two parts, and text that runs
    // from right to left.
    let family = "👩‍👩‍👧‍👦";
    let long = format!("{}{}", "x".repeat(4090), family.repeat(3));
    let rtl = "שלום \u{202e}abc\u{202c} مرحبا";
    for text in [long.as_str(), rtl] {
        stage.sim.model().push(text);
    }
    stage.sim.say(5, "border");
    let texts = stage.texts(5, 2).await;
    assert_eq!(texts.concat(), long);
    assert_eq!(texts[0], "x".repeat(4090), "no emoji is torn apart");
    let right_to_left = stage.ask(5, rtl).await;
    assert!(right_to_left.contains("שלום") && right_to_left.contains("مرحبا"), "{right_to_left:?}");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_megabyte_is_refused_politely_and_control_characters_do_no_harm() {
    let stage = Stage::with_model(&[]).await;
    let huge = "x".repeat(1 << 20);
    let text = stage.ask(5, &huge).await;
    assert!(text.starts_with("That is more than I can read at once"), "{text}");
    assert_eq!(stage.sim.model().calls(), 0);
    let odd = "a\u{0}b\u{1b}[31mc\u{7}\u{85}d\u{fffe}";
    let echoed = stage.ask(5, odd).await;
    assert!(echoed.starts_with("echo: a"), "{echoed:?}");
    stage.end().await;
}
