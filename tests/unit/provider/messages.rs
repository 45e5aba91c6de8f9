//! What is more than text: reasoning, calls of tools, their results, files.

use serde_json::{Value, json};

use super::{anthropic, openai, told};
use crate::model::conversation::{
    Attachment, ChatRequest, Content, Message, Role, Tool, ToolCall, ToolResult,
};
use crate::provider::Provider;
use crate::provider::fake::{Fake, events, read, response};

/// A question about a picture and a document, the work of a tool, and a second question.
fn conversation() -> ChatRequest {
    let file = |media_type: &str, data: Option<&[u8]>| Attachment {
        file_id: "f".to_owned(),
        media_type: media_type.to_owned(),
        name: Some("x.bin".to_owned()),
        data: data.map(Into::into),
    };
    let call = |id: &str, arguments: &str| {
        let (id, name, arguments) = (id.to_owned(), "look".to_owned(), arguments.to_owned());
        Content::ToolCall(ToolCall { id, name, arguments })
    };
    let result = |id: &str, is_error| {
        let (call_id, content) = (id.to_owned(), "7".to_owned());
        Content::ToolResult(ToolResult { call_id, content, is_error })
    };
    let said = |role, content: &[Content]| Message { role, content: content.to_vec() };
    let text = |text: &str| Content::Text { text: text.to_owned() };
    let tool = Tool {
        name: "look".to_owned(),
        description: "Looks.".to_owned(),
        parameters: json!({"type": "object"}),
    };
    let asked = [
        text("What is this?"),
        Content::Image(file("image/png", Some(b"abc"))),
        Content::Image(file("image/png", None)),
        Content::Document(file("application/pdf", Some(b"abc"))),
        Content::Document(file("text/plain", Some(b"words"))),
        Content::Document(file("text/plain", Some(b"\xff"))),
    ];
    let messages = vec![
        said(Role::User, &asked),
        said(Role::Assistant, &[text("Let me see."), call("c:1", "{\"x\":1}"), call("c2", "{")]),
        said(Role::Tool, &[result("c:1", false)]),
        said(Role::Tool, &[result("c2", true)]),
        Message::assistant("Seven."),
        Message::user("Sure?"),
    ];
    ChatRequest { messages, tools: vec![tool], ..ChatRequest::default() }
}

#[tokio::test]
async fn files_calls_and_results_are_sent_as_the_vendors_document() {
    let server = Fake::answering(events(&[])).await;
    read(openai(&server).answer(conversation())).await.1.unwrap_err();
    read(anthropic(&server).answer(conversation())).await.1.unwrap_err();

    let gone = "(a file that is no longer at hand: x.bin, image/png)";
    let odd = "(a file that cannot be read here: x.bin, text/plain)";
    let text = |text: &str| json!({"type": "text", "text": text});
    let body = server.body(0);
    let parts = json!([
        text("What is this?"),
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,YWJj"}},
        text(gone),
        {"type": "file",
         "file": {"file_data": "data:application/pdf;base64,YWJj", "filename": "x.bin"}},
        text("x.bin:\n\nwords"),
        text(odd),
    ]);
    let call = |id, arguments| {
        let function = json!({"name": "look", "arguments": arguments});
        json!({"id": id, "type": "function", "function": function})
    };
    let expected = json!([
        {"role": "user", "content": parts},
        {"role": "assistant", "content": "Let me see.",
         "tool_calls": [call("c:1", "{\"x\":1}"), call("c2", "{")]},
        {"role": "tool", "tool_call_id": "c:1", "content": "7"},
        {"role": "tool", "tool_call_id": "c2", "content": "Error: 7"},
        {"role": "assistant", "content": "Seven."},
        {"role": "user", "content": "Sure?"},
    ]);
    assert_eq!(without_nulls(&body["messages"]), expected);
    let function =
        json!({"name": "look", "description": "Looks.", "parameters": {"type": "object"}});
    assert_eq!(body["tools"], json!([{"type": "function", "function": function}]));

    let body = server.body(1);
    let base64 = |media_type| json!({"type": "base64", "media_type": media_type, "data": "YWJj"});
    let expected = json!([
        {"role": "user", "content": [
            text("What is this?"),
            {"type": "image", "source": base64("image/png")},
            text(gone),
            {"type": "document", "source": base64("application/pdf"), "title": "x.bin"},
            text("x.bin:\n\nwords"),
            text(odd),
        ]},
        {"role": "assistant", "content": [
            text("Let me see."),
            {"type": "tool_use", "id": "c_1", "name": "look", "input": {"x": 1}},
            {"type": "tool_use", "id": "c2", "name": "look", "input": {"INVALID_JSON": "{"}},
        ]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "c_1", "content": "7", "is_error": false},
            {"type": "tool_result", "tool_use_id": "c2", "content": "7", "is_error": true},
        ]},
        {"role": "assistant", "content": "Seven."},
        {"role": "user", "content": "Sure?"},
    ]);
    assert_eq!(body["messages"], expected);
    let schema = json!({"type": "object"});
    let tool = json!({"name": "look", "description": "Looks.", "input_schema": schema});
    assert_eq!(body["tools"], json!([tool]));
}

/// `null` and a field that is left out mean the same to the vendor.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.iter().filter(|(_, value)| !value.is_null());
            kept.map(|(name, value)| (name.clone(), without_nulls(value))).collect()
        }
        Value::Array(list) => list.iter().map(without_nulls).collect(),
        value => value.clone(),
    }
}

#[tokio::test]
async fn openai_streams_reasoning_and_calls() {
    let delta = |delta: &str| format!(r#"{{"choices":[{{"delta":{delta}}}]}}"#);
    let call = |call: &str| delta(&format!(r#"{{"tool_calls":[{call}]}}"#));
    let ends = |word: &str| format!(r#"{{"choices":[{{"delta":{{}},"finish_reason":"{word}"}}]}}"#);
    let hi = delta(r#"{"content":"Hi"}"#);
    let look = r#""function":{"name":"look","arguments":"{}"}"#;
    let table = [
        (
            "(hm)(so)Hi|End",
            vec![
                delta(r#"{"reasoning_content":"hm","content":null}"#),
                delta(r#"{"reasoning":"so","reasoning_details":[{"text":"so"}]}"#),
                hi.clone(),
                ends("stop"),
            ],
        ),
        (
            "(hm)Hi|End",
            vec![
                delta(
                    r#"{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]}]}"#,
                ),
                hi.clone(),
                ends("stop"),
            ],
        ),
        (
            "Hi[a look {\"x\":1}][b look {}]|ToolCalls",
            vec![
                hi.clone(),
                call(
                    r#"{"index":0,"id":"a","type":"function","function":{"name":"look","arguments":""}}"#,
                ),
                call(r#"{"index":0,"function":{"arguments":"{\"x\""}}"#),
                call(r#"{"index":0,"function":{"arguments":":1}"}}"#),
                call(&format!(r#"{{"index":0,"id":"b",{look}}}"#)),
                ends("tool_calls"),
            ],
        ),
        (
            "[a look {\"x\":1}]|ToolCalls",
            vec![
                call(r#"{"id":"a","function":{"name":"look","arguments":{"x":1}}}"#),
                ends("stop"),
            ],
        ),
        ("Hi|cut", vec![hi.clone(), call(&format!(r#"{{"index":0,"id":"a",{look}}}"#))]),
        (
            "{delta}{event}{tool_call}Hi|End",
            vec![
                delta(r#"{"hologram":"x","tool_calls":[]}"#),
                r#"{"object":"weather.report"}"#.to_owned(),
                call(r#"{"index":0,"id":"a","custom":{"name":"x"}}"#),
                hi.clone(),
                ends("stop"),
            ],
        ),
    ];
    for (expected, chunks) in table {
        let chunks: Vec<&str> = chunks.iter().map(String::as_str).collect();
        let server = Fake::answering(events(&chunks)).await;
        let answer = told(openai(&server).answer(conversation())).await;
        assert_eq!(answer, expected, "{chunks:?}");
    }
    let whole = format!(
        r#"{{"choices":[{{"message":{{"reasoning":"hm","content":"Hi","tool_calls":[{{"id":"a",{look}}}]}},"finish_reason":"tool_calls"}}]}}"#
    );
    let server = Fake::answering(response(200, "", &whole)).await;
    let answer = told(openai(&server).answer(conversation())).await;
    assert_eq!(answer, "(hm)Hi[a look {}]|ToolCalls");
}

#[tokio::test]
async fn anthropic_streams_reasoning_and_calls() {
    let begin = |index: u32, block: &str| {
        format!(r#"{{"type":"content_block_start","index":{index},"content_block":{block}}}"#)
    };
    let delta = |index: u32, delta: &str| {
        format!(r#"{{"type":"content_block_delta","index":{index},"delta":{delta}}}"#)
    };
    let end = r#"{"type":"message_delta","delta":{"stop_reason":"tool_use"}}"#.to_owned();
    let tool =
        |id: &str| format!(r#"{{"type":"tool_use","id":"{id}","name":"look","input":{{}}}}"#);
    let json = |text: &str| json!({"type": "input_json_delta", "partial_json": text}).to_string();
    let chunks = [
        begin(0, r#"{"type":"thinking","thinking":"","signature":""}"#),
        delta(0, r#"{"type":"thinking_delta","thinking":"hm"}"#),
        delta(0, r#"{"type":"signature_delta","signature":"EqQB"}"#),
        begin(1, r#"{"type":"redacted_thinking","data":"x"}"#),
        begin(2, r#"{"type":"hologram"}"#),
        begin(3, &tool("a")),
        begin(4, &tool("b")),
        delta(3, &json("")),
        delta(3, &json("{\"x\"")),
        delta(3, &json(":1}")),
        r#"{"type":"content_block_stop","index":3}"#.to_owned(),
        end,
    ];
    let chunks: Vec<&str> = chunks.iter().map(String::as_str).collect();
    let server = Fake::answering(events(&chunks)).await;
    let answer = told(anthropic(&server).answer(conversation())).await;
    assert_eq!(answer, "(hm){content}[a look {\"x\":1}][b look {}]|ToolCalls");
    let whole = r#"{"type":"message","stop_reason":"tool_use","content":[{"type":"text","text":"Hi"},{"type":"tool_use","id":"a","name":"look","input":{"x":1}}]}"#;
    let server = Fake::answering(response(200, "", whole)).await;
    let answer = told(anthropic(&server).answer(conversation())).await;
    assert_eq!(answer, "Hi[a look {\"x\":1}]|ToolCalls");
}
