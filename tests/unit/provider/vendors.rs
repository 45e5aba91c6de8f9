//! Both vendors against a server that misbehaves in every way seen so far.

mod messages;
mod oddities;
mod servers;
mod usage;

use std::time::Duration;

use secrecy::SecretString;

use super::anthropic::Anthropic;
use super::fake::{Fake, Reply, bytewise, events, read, response, told};
use super::openai::OpenAi;
use super::*;
use crate::model::class::AnswerClass;
use crate::model::conversation::{ChatRequest, Finished, Message, Passage, StopReason, Usage};
use crate::model::failure::{Blame, Classify, RetryPolicy, chain};

const KEY: &str = "sk-secret-0123456789abcdef";
const QUESTION: &str = "my cat is called Mittens the Third";

fn openai_with(base_url: String, key: Option<&str>) -> OpenAi {
    let settings = ProviderSettings {
        api_key: key.map(SecretString::from),
        base_url,
        model: "m1".to_owned(),
        read_timeout: Duration::from_secs(3),
        ..ProviderSettings::default()
    };
    OpenAi::new(settings).unwrap()
}

fn openai(server: &Fake) -> OpenAi {
    openai_with(format!("{}/v1/", server.url), Some(KEY))
}

fn anthropic(server: &Fake) -> Anthropic {
    let settings = ProviderSettings {
        api_key: Some(SecretString::from(KEY)),
        base_url: server.url.clone(),
        model: "m1".to_owned(),
        read_timeout: Duration::from_secs(3),
        ..ProviderSettings::default()
    };
    Anthropic::new(settings).unwrap()
}

fn ask() -> ChatRequest {
    ChatRequest { max_output_tokens: 50, ..ChatRequest::of(QUESTION) }
}

/// Every way in which any HTTP server can fail; both vendors must tell them alike.
#[tokio::test]
async fn failures_of_http_are_named_alike() {
    let json = "content-type: application/json\r\n";
    let table: Vec<(&str, Vec<u8>)> = vec![
        ("|garbage", response(200, "content-type: text/html\r\n", "\n<!doctype html><p>Hi")),
        ("|garbage", response(200, "content-type: text/event-stream\r\n", "<html>")),
        ("|garbage", response(200, "", "Hello, I am a proxy")),
        ("|cut", response(200, "", "data: {\"half\n\ndata: x\n\n")),
        ("|garbage", response(200, "", "data: nonsense\n\n")),
        ("|garbage", response(200, json, "[1, 2]")),
        ("|garbage", response(200, json, "{\"a\": nonsense}")),
        ("|garbage", [response(200, "", "data: \""), vec![0xff; 40]].concat()),
        ("|garbage", response(200, "", &format!("data: {}", "x".repeat(2_000_000)))),
        ("|cut", response(200, "", "")),
        ("|cut", response(200, "content-length: 10\r\n", "")),
        ("|cut", response(200, "", " \n \n")),
        ("|cut", response(200, "", ": keep waiting\n\n")),
        ("|cut", response(200, json, "{\"choices\": [{\"message\"")),
        ("|cut", Vec::new()),
        ("|cut", b"not http at all\r\n\r\n".to_vec()),
        ("|server", response(502, "content-type: text/html\r\n", "<html>Bad Gateway</html>")),
        ("|server", response(500, "", "")),
        ("|overloaded", response(503, json, r#"{"error":{"code":503,"message":"Loading model"}}"#)),
        ("|auth", response(401, json, r#"{"error":{"message":"bad key","code":401}}"#)),
        ("|rate_limit", response(429, "retry-after: 7\r\n", "slow down")),
        ("|bad_request", response(400, json, r#"{"error":{"code":400,"message":"no"}}"#)),
        ("|bad_request", response(400, json, r#"[{"error":{"code":400,"message":"no"}}]"#)),
        ("|bad_request", response(307, "location: http://127.0.0.1:1/\r\n", "")),
        ("|not_found", response(404, json, r#"{"error":"model 'm1' not found"}"#)),
        ("|server", response(200, json, r#"{"error":{"message":"boom"}}"#)),
        ("|rate_limit", response(200, json, r#"[{"error":{"code":429,"message":"no"}}]"#)),
        ("|overloaded", events(&[r#"{"error":{"code":503,"message":"no"}}"#])),
    ];
    for (expected, bytes) in table {
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(120)]).into_owned();
        let server = Fake::answering(bytes).await;
        assert_eq!(told(openai(&server).answer(ask())).await, expected, "openai: {shown}");
        assert_eq!(told(anthropic(&server).answer(ask())).await, expected, "anthropic: {shown}");
        assert_eq!(server.requests().len(), 2, "nothing is retried or followed: {shown}");
    }
}

#[tokio::test]
async fn openai_answers_in_every_spelling() {
    let ok = |data: &[&str]| events(data);
    let hi = r#"{"choices":[{"delta":{"content":"Hi"}}]}"#;
    let stop = r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#;
    let finish = |word: &str| {
        let chunk = format!(r#"{{"choices":[{{"delta":{{}},"finish_reason":"{word}"}}]}}"#);
        ok(&[hi, &chunk])
    };
    let table: Vec<(&str, Vec<u8>)> = vec![
        ("Hi|End", ok(&[hi, stop, "[DONE]"])),
        ("Hi|End", ok(&[hi, stop])),
        ("Hi|End", ok(&[hi, stop, r#"{"error":"too late to matter"}"#])),
        (
            "Hi|End",
            ok(&[r#"{"choices":[{"delta":{"role":"assistant","content":null}}]}"#, hi, stop]),
        ),
        (
            "Hi|End",
            ok(&[r#"{"choices":[{"delta":null}],"error":null}"#, r#"{"choices":[]}"#, hi, stop]),
        ),
        (
            "Hi you{content}|End",
            ok(&[
                hi,
                r#"{"choices":[{"delta":{"content":[{"type":"text","text":" you"},{"type":"image"}]}}]}"#,
                stop,
            ]),
        ),
        ("|End", ok(&[stop, "[DONE]"])),
        ("Hi|Other", finish("some_new_reason")),
        ("Hi|Length", finish("length")),
        ("Hi|Filtered", finish("content_filter: PROHIBITED_CONTENT")),
        ("Hi|server", finish("error")),
        ("No.|Filtered", ok(&[r#"{"choices":[{"delta":{"refusal":"No."}}]}"#, stop])),
        ("Hi|cut", ok(&[hi])),
        ("Hi|Unsaid", ok(&[hi, "[DONE]"])),
        ("Hi|Unsaid", ok(&[hi, r#"{"choices":[{"delta":{},"finish_reason":null}]}"#, "[DONE]"])),
        ("|Unsaid", ok(&["[DONE]"])),
        ("{event}Hi|End", ok(&[r#"{"message":"2 before you","status":"queued"}"#, hi, stop])),
        ("{event}|server", ok(&[r#"{"message":"no"}"#, "[DONE]"])),
        ("{event}|server", ok(&[r#"{"message":"2 before you"}"#])),
        ("{event}|cut", bytewise("data: {\"message\":\"2 before you\"}\n\n", false)),
        ("{event}|rate_limit", ok(&[r#"{"message":"Too many requests"}"#])),
        ("Hi|cut", ok(&[hi, r#"{"choices":[{"delta":{"cont"#])),
        ("Hi|server", ok(&[hi, r#"{"error":{"message":"CUDA out of memory","code":500}}"#])),
        ("Hi|filtered", ok(&[hi, r#"{"error":{"code":"content_filter"}}"#])),
    ];
    for (expected, bytes) in table {
        let shown = String::from_utf8_lossy(&bytes).into_owned();
        let server = Fake::answering(bytes).await;
        assert_eq!(told(openai(&server).answer(ask())).await, expected, "{shown}");
    }
}

#[tokio::test]
async fn openai_answers_in_every_framing() {
    let hi = r#"{"choices":[{"delta":{"content":"Hi"}}]}"#;
    let stop = r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#;
    let table: Vec<(&str, Vec<u8>)> = vec![
        (
            "Hi|End",
            response(
                200,
                "content-type: application/json\r\n",
                r#" {"choices":[{"message":{"content":"Hi"},"finish_reason":"stop"}]}"#,
            ),
        ),
        (
            "Hi|Unsaid",
            response(
                200,
                "content-type: application/json\r\n",
                r#"{"choices":[{"message":{"content":"Hi"},"finish_reason":null}]}"#,
            ),
        ),
        (
            "Hi|End",
            response(
                200,
                "content-type: application/json\r\n",
                &format!("data: {hi}\r\n\r\ndata:{stop}"),
            ),
        ),
        (
            "Hi|End",
            response(
                200,
                "",
                &format!("\u{feff}: hello\n\nevent: x\nid: 1\ndata: {hi}\n\n:\n\ndata: {stop}\n\n"),
            ),
        ),
        (
            "Hi|End",
            bytewise(&format!("data: {hi}\r\n\r\n: beat\r\n\r\ndata: {stop}\r\n\r\n"), true),
        ),
        ("Hi|End", bytewise(&format!("data: {hi}\n\ndata: {stop}\n\n"), false)),
        ("Hi|cut", bytewise(&format!("data: {hi}\n\n"), false)),
        (
            "żółw 🐢|End",
            bytewise(&format!("data: {}\n\ndata: {stop}\n\n", hi.replace("Hi", "żółw 🐢")), true),
        ),
    ];
    for (expected, bytes) in table {
        let shown = String::from_utf8_lossy(&bytes).into_owned();
        let server = Fake::answering(bytes).await;
        assert_eq!(told(openai(&server).answer(ask())).await, expected, "{shown}");
    }
}

#[tokio::test]
async fn anthropic_answers_in_every_spelling() {
    let start = r#"{"type":"message_start","message":{"model":"m1-x","usage":{"input_tokens":3,"output_tokens":1}}}"#;
    let hi =
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}}"#;
    let delta = |word: &str| {
        format!(
            r#"{{"type":"message_delta","delta":{{"stop_reason":"{word}"}},"usage":{{"output_tokens":9}}}}"#
        )
    };
    let (end, stop) = (delta("end_turn"), r#"{"type":"message_stop"}"#);
    let thinking =
        r#"{"type":"content_block_delta","delta":{"type":"thinking_delta","thinking":"hm"}}"#;
    let block =
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#;
    let overloaded =
        r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    let table: Vec<(&str, Vec<u8>)> = vec![
        ("Hi|End", events(&[start, block, hi, &end, stop])),
        (
            "(hm){event}Hi|End",
            events(&[start, r#"{"type":"ping"}"#, thinking, r#"{"type":"new_thing"}"#, hi, &end]),
        ),
        ("Hi|Length", events(&[start, hi, &delta("max_tokens"), stop])),
        ("Hi|Filtered", events(&[start, hi, &delta("refusal"), stop])),
        ("Hi|Other", events(&[start, hi, &delta("some_new_reason"), stop])),
        ("Hi|cut", events(&[start, hi])),
        ("Hi|Unsaid", events(&[start, hi, stop])),
        ("Hi|overloaded", events(&[start, hi, overloaded])),
        ("Hi|garbage", events(&[start, hi, r#"{"no":"type"}"#])),
        (
            "Hi|End",
            response(
                200,
                "",
                &format!("event: a\r\ndata: {hi}\r\n\r\n: beat\r\n\r\ndata: {end}\r\n\r\n"),
            ),
        ),
        ("Hi|cut", bytewise(&format!("data: {hi}\n\n"), false)),
        (
            "żółw 🐢|End",
            bytewise(&format!("data: {}\n\ndata: {end}\n\n", hi.replace("Hi", "żółw 🐢")), true),
        ),
        (
            "Hi|End",
            response(
                200,
                "",
                r#"{"type":"message","content":[{"type":"text","text":"Hi"}],"stop_reason":"end_turn"}"#,
            ),
        ),
    ];
    for (expected, bytes) in table {
        let shown = String::from_utf8_lossy(&bytes).into_owned();
        let server = Fake::answering(bytes).await;
        assert_eq!(told(anthropic(&server).answer(ask())).await, expected, "{shown}");
    }
    let server = Fake::answering(events(&[start, hi, &end, stop])).await;
    let finished = Finished {
        reason: StopReason::End,
        usage: Some(Usage { input_tokens: 3, output_tokens: 9, ..Usage::default() }),
        model: Some("m1-x".to_owned()),
        ..Finished::default()
    };
    assert_eq!(read(anthropic(&server).answer(ask())).await.1, Ok(finished));
}

#[tokio::test]
async fn the_count_of_tokens_comes_after_the_end() {
    let chunks = [
        r#"{"model":"m1-x","choices":[{"delta":{"content":"Hi"},"finish_reason":"stop"}],"usage":null}"#,
        r#"{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":9.0}}"#,
        "[DONE]",
    ];
    let server = Fake::answering(events(&chunks)).await;
    let finished = Finished {
        reason: StopReason::End,
        usage: Some(Usage { input_tokens: 3, output_tokens: 9, ..Usage::default() }),
        model: Some("m1-x".to_owned()),
        ..Finished::default()
    };
    assert_eq!(read(openai(&server).answer(ask())).await.1, Ok(finished));
}

#[tokio::test]
async fn silence_is_a_timeout_before_and_within_an_answer() {
    let hi = events(&[r#"{"choices":[{"delta":{"content":"Hi"}}]}"#]);
    let head = response(503, "", "");
    for (bytes, expected) in [(Vec::new(), "|timeout"), (hi, "Hi|timeout"), (head, "|overloaded")] {
        let server = Fake::start(vec![Reply::Hang(bytes)]).await;
        assert_eq!(told(openai(&server).answer(ask())).await, expected);
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unreachable() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://user:hunter22@{}", listener.local_addr().unwrap());
    drop(listener);
    let provider = openai_with(url, None);
    let (_, end) = read(provider.answer(ask())).await;
    let error = end.unwrap_err();
    assert_eq!((error.answer_class(), error.blame()), (AnswerClass::Unreachable, Blame::Network));
    let shown = format!("{error:?} {} {provider:?}", chain(&error));
    assert!(shown.contains("refused") && !shown.contains("hunter22"), "{shown}");
}

#[tokio::test]
async fn retry_after_is_kept() {
    let server = Fake::answering(response(429, "Retry-After: 7\r\n", "slow down")).await;
    for provider in [&openai(&server) as &dyn Provider, &anthropic(&server)] {
        let error = read(provider.answer(ask())).await.1.unwrap_err();
        assert_eq!(error.retry_policy(), RetryPolicy::After(Duration::from_secs(7)));
    }
}

#[tokio::test]
async fn neither_the_key_nor_the_question_shows_anywhere() {
    let quoting =
        format!(r#"{{"error":{{"message":"key {KEY} or sk-secret-0123**** in: {QUESTION}"}}}}"#);
    let replies = [
        response(401, "", &quoting),
        response(400, "", &format!("bad {KEY}: {QUESTION}")),
        response(200, "", &format!("{QUESTION} {KEY}")),
        events(&[&quoting]),
        events(&[&format!("{QUESTION} {KEY}")]),
    ];
    for bytes in replies {
        let server = Fake::answering(bytes).await;
        for provider in [&openai(&server) as &dyn Provider, &anthropic(&server)] {
            let error = read(provider.answer(ask())).await.1.unwrap_err();
            let shown = format!("{error} {error:?} {}", chain(&error));
            let leaks = shown.contains("0123") || shown.contains("Mittens");
            assert!(!leaks, "{shown}");
        }
        let shown = format!("{:?} {:?}", openai(&server), anthropic(&server));
        assert!(!shown.contains("sk-sec") && shown.contains("127.0.0.1"), "{shown}");
    }
}

#[tokio::test]
async fn what_is_sent_is_what_the_vendors_document() {
    let passage = Passage {
        source: "cats.md".to_owned(),
        title: "Names".to_owned(),
        text: "Cats have three names.".to_owned(),
        score: 1.0,
        ..Passage::default()
    };
    let mut messages = vec![Message::user("a"), Message::assistant("b\n")];
    messages.extend(ask().messages);
    let (system, model) = ("Be brief.".to_owned(), Some("m2".to_owned()));
    let ask = ChatRequest { system, model, messages, passages: vec![passage], ..ask() };
    let server = Fake::answering(events(&[])).await;
    read(openai(&server).answer(ask.clone())).await.1.unwrap_err();
    read(anthropic(&server).answer(ask)).await.1.unwrap_err();
    read(openai_with(server.url.clone(), Some(" \n")).answer(self::ask())).await.1.unwrap_err();

    let heads = server.requests();
    let bearer = format!("authorization: Bearer {KEY}\r\n");
    assert!(heads[0].starts_with("POST /v1/chat/completions HTTP") && heads[0].contains(&bearer));
    assert!(heads[1].starts_with("POST /v1/messages HTTP"));
    assert!(heads[1].contains("anthropic-version: 2023-06-01\r\n"));
    assert!(heads[1].contains(&format!("x-api-key: {KEY}\r\n")));
    assert!(heads[2].starts_with("POST /chat/completions") && !heads[2].contains("authorization"));

    let body = server.body(0);
    assert_eq!(body["model"], "m2");
    assert_eq!((&body["stream"], &body["max_tokens"]), (&true.into(), &50.into()));
    assert_eq!(body["stream_options"], serde_json::json!({"include_usage": true}));
    let roles = |body: &serde_json::Value| -> Vec<String> {
        let messages = body["messages"].as_array().unwrap();
        messages.iter().map(|message| message["role"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(roles(&body), ["system", "user", "assistant", "user"]);
    assert_eq!(body["messages"][0]["content"], "Be brief.");
    let asked = body["messages"][3]["content"].as_str().unwrap();
    assert!(asked.contains("source=\"cats.md\"") && asked.ends_with(QUESTION), "{asked}");

    let body = server.body(1);
    assert_eq!((&body["stream"], &body["max_tokens"]), (&true.into(), &50.into()));
    assert_eq!(roles(&body), ["user", "assistant", "user"]);
    assert_eq!(body["messages"][1]["content"], "b");
    assert_eq!(body["system"], "Be brief.");
}

#[tokio::test]
async fn what_a_server_does_not_know_is_left_out_and_remembered() {
    let refusal = |what: &str| Reply::Raw(response(400, "", &format!("unknown field `{what}`")));
    let fine =
        Reply::Raw(events(&[r#"{"choices":[{"delta":{"content":"Hi"},"finish_reason":"stop"}]}"#]));
    let replies = vec![refusal("stream_options"), refusal("use max_completion_tokens"), fine];
    let server = Fake::start(replies).await;
    let provider = openai(&server);
    for _ in 0..2 {
        assert_eq!(told(provider.answer(ask())).await, "Hi|End");
    }
    assert_eq!(server.requests().len(), 4);
    let last = server.body(3);
    assert!(last.get("stream_options").is_none() && last.get("max_tokens").is_none());
    assert_eq!(last["max_completion_tokens"], 50);
}

#[tokio::test]
async fn an_answer_has_a_bound() {
    let chunk = format!(r#"{{"choices":[{{"delta":{{"content":"{}"}}}}]}}"#, "ż".repeat(30_001));
    let server = Fake::answering(events(&[&chunk, &chunk, &chunk, &chunk])).await;
    let (text, end) = read(openai(&server).answer(ask())).await;
    assert_eq!(text.len(), crate::model::limits::ANSWER_BYTES);
    assert_eq!(end.map(|finished| finished.reason), Ok(StopReason::Length));
}
