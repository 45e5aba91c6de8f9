//! What models and gateways send beside an answer: thoughts, signs of life, refusals of instructions,
//! redirects.

use futures_util::StreamExt;

use super::*;
use crate::model::conversation::Event;

#[tokio::test]
async fn thoughts_in_the_text_are_separated_in_both_dialects() {
    let said = "<think>hm</think>\n\nYes.";
    let openai_chunk = serde_json::json!({"choices": [{"delta": {"content": said}}]}).to_string();
    let stop = r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#;
    let server = Fake::answering(events(&[&openai_chunk, stop])).await;
    assert_eq!(told(openai(&server).answer(ask())).await, "(hm)Yes.|End");
    let block = serde_json::json!({"type": "text_delta", "text": said});
    let block = serde_json::json!({"type": "content_block_delta", "delta": block}).to_string();
    let end = r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"}}"#;
    let server = Fake::answering(events(&[&block, end])).await;
    assert_eq!(told(anthropic(&server).answer(ask())).await, "(hm)Yes.|End");
}

#[tokio::test]
async fn every_byte_is_a_sign_of_life() {
    let hi = r#"{"choices":[{"delta":{"content":"Hi"},"finish_reason":"stop"}]}"#;
    let whole = r#"{"choices":[{"message":{"content":"Hi"},"finish_reason":"stop"}]}"#;
    for body in [format!(": OPENROUTER PROCESSING\n\ndata: {hi}\n\n"), format!("\n\n\n{whole}")] {
        let server = Fake::answering(bytewise(&body, true)).await;
        let pieces: Vec<_> = openai(&server).answer(ask()).collect().await;
        assert!(matches!(pieces.first(), Some(Ok(Event::Alive))), "{pieces:?}");
        assert!(matches!(pieces.last(), Some(Ok(Event::Done(_)))), "{pieces:?}");
    }
}

#[tokio::test]
async fn events_that_say_nothing_are_signs_of_life_too() {
    let hi = r#"{"choices":[{"delta":{"content":"Hi"},"finish_reason":"stop"}]}"#;
    let empty = r#"{"choices":[{"delta":{"role":"assistant","content":""}}]}"#;
    let half = r#"{"choices":[{"delta":{"content":"<thi"}}]}"#;
    let signs = async |answering: Answering| {
        let pieces: Vec<_> = answering.collect().await;
        pieces.iter().filter(|piece| matches!(piece, Ok(Event::Alive))).count()
    };
    let server = Fake::answering(events(&[empty, empty, empty, half, hi])).await;
    assert!(signs(openai(&server).answer(ask())).await >= 4);
    let ping = r#"{"type":"ping"}"#;
    let text = r#"{"type":"content_block_delta","delta":{"type":"text_delta","text":"Hi"}}"#;
    let end = r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"}}"#;
    let server = Fake::answering(events(&[ping, ping, ping, text, end])).await;
    assert!(signs(anthropic(&server).answer(ask())).await >= 3);
}

#[tokio::test]
async fn what_says_nothing_is_read_for_a_while_and_not_for_ever() {
    let padding = "x".repeat(300);
    let blank = format!(r#"{{"id":"{padding}","choices":[{{"delta":{{"content":" "}}}}]}}"#);
    let empty = format!(r#"{{"id":"{padding}","choices":[{{"delta":{{}}}}]}}"#);
    let many = |line: &str| line.repeat(12 * 1024 * 1024 / line.len());
    for (what, body) in [
        ("a stream without end", many("\n")),
        ("a stream without end", many(": wait\n")),
        ("a stream without end", many("event: ping\n\n")),
        ("empty events without end", many(&format!("data: {blank}\n\n"))),
        ("empty events without end", many(&format!("data: {empty}\n\n"))),
    ] {
        let begin = ": wait\n\n";
        let server = Fake::answering(response(200, "", &format!("{begin}{body}"))).await;
        let mut last = None;
        let mut pieces = openai(&server).answer(ask());
        while let Some(piece) = pieces.next().await {
            last = Some(piece);
        }
        let Some(Err(ProviderError::Garbage { what: found })) = last else { panic!("{last:?}") };
        assert_eq!(found, what);
    }
}

#[tokio::test]
async fn instructions_that_a_template_refuses_go_into_the_persons_turn_and_that_is_learnt() {
    let hi = r#"{"choices":[{"delta":{"content":"Hi"},"finish_reason":"stop"}]}"#;
    let refusal = r#"{"error":{"message":"System role not supported"}}"#;
    let ask = || ChatRequest { system: "Be brief.".to_owned(), ..ask() };
    for refused in [response(400, "", refusal), response(500, "", refusal), events(&[refusal])] {
        let server = Fake::start(vec![Reply::Raw(refused), Reply::Raw(events(&[hi]))]).await;
        let provider = openai(&server);
        assert_eq!(told(provider.answer(ask())).await, "Hi|End");
        assert_eq!(told(provider.answer(ask())).await, "Hi|End");
        assert_eq!(server.requests().len(), 3, "learnt once");
        let roles = |n: usize| server.body(n)["messages"].as_array().unwrap().len();
        assert_eq!((roles(0), roles(1), roles(2)), (2, 1, 1));
        let turn = server.body(2)["messages"][0].clone();
        assert_eq!(turn["role"], "user");
        assert_eq!(turn["content"], format!("Be brief.\n\n{QUESTION}"));
    }
    let server = Fake::answering(response(400, "", refusal)).await;
    assert_eq!(told(openai(&server).answer(ask())).await, "|bad_request", "not for ever");
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn what_one_question_learns_helps_those_that_were_asked_at_the_same_time() {
    let hi = r#"{"choices":[{"delta":{"content":"Hi"},"finish_reason":"stop"}]}"#;
    let refusal = response(400, "", r#"{"error":{"message":"System role not supported"}}"#);
    let [first, second] = [refusal.clone(), refusal].map(Reply::Raw);
    let server = Fake::start(vec![first, second, Reply::Raw(events(&[hi]))]).await;
    let provider = openai(&server);
    let ask = || ChatRequest { system: "Be brief.".to_owned(), ..ask() };
    let both = tokio::join!(told(provider.answer(ask())), told(provider.answer(ask())));
    assert_eq!(both, ("Hi|End".to_owned(), "Hi|End".to_owned()));
    assert_eq!(server.requests().len(), 4);
}

#[tokio::test]
async fn a_redirect_is_refused_and_the_hint_names_the_address_to_configure() {
    let location = "location: https://u:pw@new.example/v1/chat/completions?x=1\r\n";
    for status in [301, 302, 307, 308] {
        let server = Fake::answering(response(status, location, "")).await;
        let error = read(openai(&server).answer(ask())).await.1.unwrap_err().to_string();
        assert!(error.ends_with("set base_url to https://new.example/v1"), "{error}");
        assert_eq!(server.requests().len(), 1, "not followed");
    }
}
