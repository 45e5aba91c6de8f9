//! Only the new words of a person are a command: words that are passed on have no one's authority.

use serde_json::{Value, json};

use crate::harness::{OWNER, Stage};

/// The same message with its words as text, or below a picture.
fn carriers(words: &str, fields: &Value) -> [Value; 2] {
    let with = |mut all: Value| {
        for (key, value) in fields.as_object().expect("an object") {
            all[key] = value.clone();
        }
        all
    };
    [with(json!({"text": words})), with(json!({"caption": words, "photo": [{"file_id": "p"}]}))]
}

#[tokio::test(flavor = "multi_thread")]
async fn words_of_others_command_nothing() {
    let stage = Stage::running(&[]).await;
    let sim = &stage.sim;
    stage.ask(OWNER, "something to forget").await;
    let user = json!({"id": OWNER, "is_bot": false, "first_name": "Owner"});
    let chat = json!({"id": -5, "type": "channel", "title": "News"});
    let origins = [
        json!({"forward_origin": {"type": "user", "date": 1, "sender_user": user}}),
        json!({"forward_origin": {"type": "hidden_user", "date": 1, "sender_user_name": "X"}}),
        json!({"forward_origin": {"type": "chat", "date": 1, "sender_chat": chat}}),
        json!({"forward_origin": {"type": "channel", "date": 1, "chat": chat, "message_id": 7}}),
        json!({"forward_origin": {"type": "something_new", "date": 1}}),
        json!({"forward_date": 1, "forward_from": user}),
        json!({"via_bot": {"id": 77, "is_bot": true, "first_name": "Other"}}),
    ];
    let mut count = 1;
    for command in ["/forget yes", "/pause", "/claim K7QM-2XWD", "/remove 5", " /pause"] {
        for fields in origins.iter().flat_map(|origin| carriers(command, origin)) {
            sim.say_fields(OWNER, OWNER, &fields);
            count += 1;
            let texts = stage.texts(OWNER, count).await;
            let hint = "I run only commands that you write yourself";
            assert!(texts[count - 1].starts_with(hint), "{fields}: {:?}", texts[count - 1]);
        }
    }
    // A quotation or the message that is replied to is not the sender's word either.
    let quoted = json!({"text": "and this?", "quote": {"text": "/pause", "position": 0},
        "reply_to_message": {"message_id": 1, "date": 1, "text": "/pause", "from": user,
            "chat": {"id": OWNER, "type": "private"}}});
    sim.say_fields(OWNER, OWNER, &quoted);
    let texts = stage.texts(OWNER, count + 1).await;
    assert!(texts[count].starts_with("echo: and this?"), "{texts:?}");
    // Their own caption is their word.
    sim.say_fields(OWNER, OWNER, &carriers("/whoami", &json!({}))[1]);
    assert!(stage.texts(OWNER, count + 2).await[count + 1].starts_with("You are "));
    assert!(!stage.store().settings().await.expect("settings").paused);
    let kept = stage.store().turns_of(katana::model::ids::UserId(OWNER)).await.expect("turns");
    assert_eq!(kept, 2, "nothing was forgotten");
    stage.end().await;
}
