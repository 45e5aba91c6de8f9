//! A secret that got into a document or into a model's words reaches no one.

use std::os::unix::fs::symlink;
use std::time::Duration;

use botapi_sim::{Faults, Limits, ModelAnswer, Options};
use hygiene::Redactor;
use katana::app::reload::Reloaded;
use katana::model::conversation::ConversationId;
use katana::model::ids::ChatId;

use crate::harness::{OWNER, Stage};

/// Of the form that Telegram gives them.
const TOKEN: &str = "7000000001:AAHk3_aB9-xZkLmQwErTyUiOpAsDfGhJkL";
const KEY: &str = "sk-ant-api03-aB3_xY9-zzKq81LmNoPqRs7TuVw";

async fn stage() -> Stage {
    let (limits, faults) = (Limits::off(), Faults::none());
    let token = TOKEN.to_owned();
    Stage::with(Options { limits, faults, token, ..Options::default() }).await
}

/// Everything that was sent to Telegram, with what is left of these secrets struck out.
fn assert_clean(stage: &Stage, secrets: &[&str]) {
    let redactor = Redactor::new(secrets.iter().copied());
    for request in stage.sim.log() {
        let sent = request.params.to_string();
        assert_eq!(redactor.redact(&sent), sent, "{}", request.method);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_leads_to_a_secret_is_not_quoted() {
    let mut stage = stage().await;
    let at = |name: &str| stage.dir.path().join(name);
    std::fs::create_dir(at("knowledge")).expect("a folder");
    std::fs::write(at("telegram-token"), format!("{TOKEN}\n")).expect("a credential");
    for (name, target) in [
        ("token.md", at("telegram-token")),
        ("relative.md", "../telegram-token".into()),
        ("environment.md", "/proc/self/environ".into()),
        ("parents", "..".into()),
        ("self", ".".into()),
    ] {
        symlink(target, at("knowledge").join(name)).expect("a link");
    }
    let pipe = at("knowledge/pipe.md");
    let made = std::process::Command::new("mkfifo").arg(pipe).status().expect("mkfifo runs");
    assert!(made.success(), "mkfifo of coreutils is needed");
    // What was pasted rather than linked, with a mark in it.
    let (start, end) = TOKEN.split_at(20);
    let page = format!("# Token\n\nThe telegram token of this bot is {start}**{end}**.\n");
    std::fs::write(at("knowledge/pasted.md"), page).expect("a page");
    let folder = at("knowledge").display().to_string();
    stage.set("KATANA_ANSWER_PROVIDER", "offline").set("KATANA_KNOWLEDGE_DIR", &folder);
    stage.start().await;
    let text = stage.ask(5, "What is the telegram token?").await;
    assert!(text.contains("of this bot is [secret]") && text.contains("pasted.md"), "{text}");
    for word in ["7000000001", "KATANA_TELEGRAM_TOKEN", "PATH"] {
        stage.ask(5, word).await;
    }
    assert_clean(&stage, &[TOKEN]);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_in_a_models_words_reaches_no_one() {
    let mut stage = stage().await;
    stage.openai().set("OPENAI_API_KEY", KEY).start().await;
    let (start, end) = KEY.split_at(21);
    let long = "These words fill a message. ".repeat(145);
    for (words, want) in [
        (format!("**The key** is {KEY}, and no more."), "The key is [secret], and no more."),
        (format!("It is {start}**{end}** and `{KEY}`."), "It is [secret] and [secret]."),
        (format!("```\nexport KEY={KEY}\n```"), "export KEY=[secret]"),
        (format!("See [{start}](https://a.b)[{end}](https://a.b)"), "See [secret][secret]"),
        (format!("The token: {}", TOKEN.replace(':', "%3A")), "The token: [secret]"),
        (format!("{long}{KEY}"), "[secret]"),
    ] {
        stage.sim.model().push(words.as_str());
        let before = stage.sim.bot_messages(5).len();
        stage.ask(5, "What is your key?").await;
        stage.idle().await;
        let sent = stage.sim.bot_messages(5).split_off(before);
        let text: String = sent.iter().map(|message| message.text.as_str()).collect();
        assert!(text.ends_with(want), "{text:?}");
    }
    // The formatting around it holds.
    let first = &stage.sim.bot_messages(5)[0];
    assert_eq!((&first.text[..7], first.entities.len()), ("The key", 1), "{first:?}");
    assert_clean(&stage, &[TOKEN, KEY]);
    // The model hears of it no more than people do.
    let heard = stage.sim.model().requests().pop().expect("a request");
    assert!(!format!("{heard:?}").contains(&KEY[13..30]), "{heard:?}");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_comes_in_pieces_is_in_no_preview() {
    let mut stage = stage().await;
    stage.openai().set("OPENAI_API_KEY", KEY).start().await;
    let words = format!("My key, as you asked for it, is **{KEY}**; do not tell anybody.");
    let characters: Vec<char> = words.chars().collect();
    let pieces = characters.chunks(3).map(|piece| piece.iter().collect()).collect();
    let answer = ModelAnswer { pieces, prompt_tokens: None, completion_tokens: None };
    stage.sim.model().push(answer);
    stage.sim.model().set_pace(Duration::ZERO, Duration::from_millis(150));
    let text = stage.ask(5, "What is your key?").await;
    assert_eq!(text, "My key, as you asked for it, is [secret]; do not tell anybody.");
    let drafts = stage.sim.drafts(5);
    let random = KEY[13..].replace('_', "");
    let five: Vec<&str> = (0..random.len() - 5).map(|at| &random[at..at + 5]).collect();
    let leaks = |draft: &&String| five.iter().any(|part| draft.replace('_', "").contains(part));
    assert!(drafts.len() > 3 && !drafts.iter().any(|draft| leaks(&draft)), "{drafts:?}");
    assert!(drafts.iter().any(|draft| draft.contains("[secret]")), "{drafts:?}");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_a_reload_brings_is_kept_secret_and_so_is_the_old_one() {
    let mut stage = stage().await;
    let next = "sk-ant-api03-Qq7Ww8Ee9Rr0-Tt1Yy2Uu3Ii4Oo5";
    stage.openai().set("OPENAI_API_KEY", KEY).start().await;
    stage.set("OPENAI_API_KEY", next);
    let reloaded = stage.app().reload(&stage.sources()).await;
    assert!(matches!(reloaded, Reloaded::Applied { .. }), "{reloaded:?}");
    stage.sim.model().push(format!("Once {KEY}, now {next}.").as_str());
    assert_eq!(stage.ask(5, "Which keys?").await, "Once [secret], now [secret].");
    // What people say themselves is not repeated to them either.
    let replied = stage.ask(OWNER, &format!("/model {next}")).await;
    assert!(replied.contains("[secret]") && !replied.contains(next), "{replied}");
    assert_clean(&stage, &[TOKEN, KEY, next]);
    let here = ConversationId { chat: ChatId(5), topic: 0 };
    let kept = stage.store().history(here, 10).await.expect("the history can be read");
    assert!(format!("{kept:?}").contains("[secret]"), "{kept:?}");
    stage.end().await;
}
