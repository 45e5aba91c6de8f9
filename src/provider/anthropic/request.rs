//! A request of the Messages API.

use serde::Serialize;
use serde_json::{Value, json};

use crate::model::conversation::{self, ChatRequest, Content, Role};
use crate::provider::files::{Given, given};

/// The whole body.
#[derive(Serialize)]
pub(super) struct Request<'a> {
    model: &'a str,
    max_tokens: u32,
    stream: bool,
    #[serde(skip_serializing_if = "str::is_empty")]
    system: &'a str,
    messages: Vec<Message<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tool<'a>>,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: Blocks<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Blocks<'a> {
    Text(String),
    Blocks(Vec<Block<'a>>),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block<'a> {
    Text { text: String },
    Image { source: Source<'a> },
    Document { source: Source<'a>, title: &'a str },
    ToolUse { id: String, name: &'a str, input: Value },
    ToolResult { tool_use_id: String, content: &'a str, is_error: bool },
}

#[derive(Serialize)]
struct Source<'a> {
    r#type: &'static str,
    media_type: &'a str,
    data: String,
}

#[derive(Serialize)]
struct Tool<'a> {
    name: &'a str,
    description: &'a str,
    input_schema: &'a Value,
}

/// The request that asks `model`.
pub(super) fn request<'a>(asked: &'a ChatRequest, model: &'a str) -> Request<'a> {
    let tools = asked.tools.iter().map(|tool| Tool {
        name: &tool.name,
        description: &tool.description,
        input_schema: &tool.parameters,
    });
    Request {
        model,
        max_tokens: asked.max_output_tokens.max(1),
        stream: true,
        system: &asked.system,
        messages: asked.messages.iter().map(message).collect(),
        tools: tools.collect(),
    }
}

fn message(message: &conversation::Message) -> Message<'_> {
    // Results of tools are the person's side of the conversation.
    let role = if message.role == Role::Assistant { "assistant" } else { "user" };
    let content = if message.content.iter().all(|c| matches!(c, Content::Text { .. })) {
        // An answer that ends in a blank is refused where it comes last, and never needed.
        Blocks::Text(message.joined().trim().to_owned())
    } else {
        Blocks::Blocks(message.content.iter().filter_map(block).collect())
    };
    Message { role, content }
}

fn block(content: &Content) -> Option<Block<'_>> {
    Some(match content {
        Content::ToolCall(call) => {
            Block::ToolUse { id: id(&call.id), name: &call.name, input: input(&call.arguments) }
        }
        Content::ToolResult(result) => Block::ToolResult {
            tool_use_id: id(&result.call_id),
            content: &result.content,
            is_error: result.is_error,
        },
        said => match given(said)? {
            Given::Text(text) => Block::Text { text: text.trim().to_owned() },
            Given::Picture { media_type, base64 } => {
                Block::Image { source: Source { r#type: "base64", media_type, data: base64 } }
            }
            Given::Pdf { name, base64 } => {
                let media_type = "application/pdf";
                let source = Source { r#type: "base64", media_type, data: base64 };
                Block::Document { source, title: name }
            }
        },
    })
}

/// Another vendor's ids may hold characters that this one refuses.
fn id(id: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    id.chars().map(|c| if allowed(c) { c } else { '_' }).collect()
}

/// The vendor takes an object only; its documentation names this way to return broken JSON.
fn input(arguments: &str) -> Value {
    match serde_json::from_str(arguments) {
        Ok(input @ Value::Object(_)) => input,
        _ => json!({ "INVALID_JSON": arguments }),
    }
}
