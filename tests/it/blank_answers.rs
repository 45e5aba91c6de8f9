//! An answer that shows nothing has failed, whatever it is made of.

use botapi_sim::ModelFault;

use crate::harness::Stage;

/// What models send that leaves people with nothing to see.
const BLANK: [&str; 31] = [
    " \n\t",
    "\u{200b}\u{2060}\u{feff}",
    "\u{3164}",
    "\u{ffa0}\u{2800}",
    "\u{1d159}\u{1bca0}",
    "&nbsp;",
    "&#8203;&shy;&zwnj;",
    "```\n```",
    "```python\n\n```",
    "~~~\n\u{200b}\n~~~",
    "[docs]: https://example.org/docs \"Docs\"",
    "<b></b><i> </i>",
    "<br><br/>",
    "<details>\n<summary></summary>\n\n</details>",
    "> \n> ",
    "\u{202e}\u{200f}",
    "**&nbsp;**",
    "\u{fdd0}\u{fdd1}",
    // Structure without words.
    "- ",
    "- \n- \n  - ",
    "1. ",
    "2. \n3. ",
    "- [ ] ",
    "- [x] \n- [ ] ",
    "> 1. ",
    "> [!NOTE]\n> ",
    "| | |\n|---|---|\n| | |",
    "[^1]: ",
    "---",
    "<!-- hi -->",
    "<!-- one\ntwo -->\n\n---\n<!-- three -->",
];

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_shows_nothing_is_a_failed_one() {
    let stage = Stage::with_model(&[]).await;
    for (i, blank) in BLANK.into_iter().enumerate() {
        stage.sim.model().push(blank);
        let said = stage.ask(5, "hello?").await;
        assert!(said.starts_with("The model returned an empty answer."), "{blank:?}: {said:?}");
        let failed = stage.sim.bot_messages(5).pop().expect("a message");
        let buttons = failed.reply_markup.expect("a button");
        assert_eq!(buttons["inline_keyboard"][0][0]["text"], "Try again", "{blank:?}");
        let vitals = &stage.app().pipeline().base.vitals;
        assert_eq!(vitals.counters("answer_failed"), [("empty".to_owned(), i as u64 + 1)]);
        assert_eq!(vitals.counters("update"), [("failed".to_owned(), i as u64 + 1)]);
    }
    // Nothing of it is in the history, and nothing that a filter stopped counts as empty.
    stage.sim.model().fault_next(ModelFault::FinishReason("content_filter".into()));
    stage.sim.model().push("\u{200b}");
    let filtered = stage.ask(5, "hello?").await;
    assert!(filtered.starts_with("The provider's filter refused"), "{filtered}");
    assert_eq!(stage.ask(5, "anyone?").await, "echo: anyone?");
    let last = stage.sim.model().requests().pop().expect("a request");
    let turns = last.messages.iter().filter(|m| m["role"] != "system").count();
    assert_eq!(turns, 1, "{:?}", last.messages);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_shows_something_small_is_one() {
    let stage = Stage::with_model(&[]).await;
    for (answer, shown) in [
        ("1.", "1."),
        ("```\n0\n```", "0"),
        ("\u{200b}.\u{200b}", "\u{200b}.\u{200b}"),
        ("<sup>2</sup>", "²"),
        ("<div></div>", "<div></div>"),
        ("4.\n", "4."),
        ("- 4", "• 4"),
        ("<!-- 4 --> 5", "<!-- 4 --> 5"),
        ("<!-- 4", "<!-- 4"),
        ("<https://example.org>", "https://example.org"),
        ("![](https://example.org/a.png)", "https://example.org/a.png"),
        ("| |\n|---|\n| 4 |", "-\n4"),
        ("- `<b>`", "• <b>"),
    ] {
        stage.sim.model().push(answer);
        assert_eq!(stage.ask(5, "hello?").await, shown, "{answer:?}");
    }
    stage.end().await;
}
