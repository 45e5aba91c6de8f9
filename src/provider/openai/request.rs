//! A request in async-openai's types.

use async_openai::types::chat::{
    ChatCompletionMessageToolCall, ChatCompletionRequestAssistantMessage,
    ChatCompletionRequestMessage, ChatCompletionRequestMessageContentPartFile,
    ChatCompletionRequestMessageContentPartImage, ChatCompletionRequestMessageContentPartText,
    ChatCompletionRequestSystemMessage, ChatCompletionRequestToolMessage,
    ChatCompletionRequestUserMessage, ChatCompletionRequestUserMessageContent,
    ChatCompletionRequestUserMessageContentPart, ChatCompletionTool, ChatCompletionTools,
    CreateChatCompletionRequest, FileObject, FunctionCall, FunctionObject, ImageUrl,
};

use crate::model::conversation::{ChatRequest, Content, Message, Role, Tool, ToolResult};
use crate::provider::files::{Given, given};

/// The request that asks `model`, without its bound on tokens. `folds` puts the instructions into the
/// person's first message, for models whose templates know no others.
pub(super) fn request(
    asked: &ChatRequest,
    model: String,
    folds: bool,
) -> CreateChatCompletionRequest {
    let mut messages: Vec<ChatCompletionRequestMessage> = Vec::new();
    let folded = folds.then(|| folded(asked));
    let asked = folded.as_ref().unwrap_or(asked);
    if !asked.system.is_empty() {
        messages.push(ChatCompletionRequestSystemMessage::from(asked.system.as_str()).into());
    }
    for message in &asked.messages {
        match message.role {
            Role::User => messages.push(user(message).into()),
            Role::Assistant => messages.push(assistant(message).into()),
            Role::Tool => messages.extend(results(message).map(Into::into)),
        }
    }
    let tools: Vec<ChatCompletionTools> = asked.tools.iter().map(tool).collect();
    CreateChatCompletionRequest {
        model,
        messages,
        stream: Some(true),
        tools: Some(tools).filter(|tools| !tools.is_empty()),
        ..CreateChatCompletionRequest::default()
    }
}

fn folded(asked: &ChatRequest) -> ChatRequest {
    let mut folded = asked.clone();
    let text = std::mem::take(&mut folded.system);
    if let Some(first) = folded.messages.first_mut().filter(|_| !text.is_empty()) {
        first.content.insert(0, Content::Text { text });
    }
    folded
}

/// The bound on tokens, under the name that the server knows.
#[expect(deprecated, reason = "max_tokens is the only name that most servers know")]
pub(super) fn bound(request: &mut CreateChatCompletionRequest, tokens: u32, newer: bool) {
    let tokens = Some(tokens).filter(|tokens| *tokens > 0);
    (request.max_completion_tokens, request.max_tokens) =
        if newer { (tokens, None) } else { (None, tokens) };
}

fn user(message: &Message) -> ChatCompletionRequestUserMessage {
    type Part = ChatCompletionRequestUserMessageContentPart;
    // Many servers take parts only for models that see, so text alone goes as text.
    if message.content.iter().all(|content| matches!(content, Content::Text { .. })) {
        return message.joined().into();
    }
    let parts = message.content.iter().filter_map(given).map(|given| match given {
        Given::Text(text) => Part::Text(ChatCompletionRequestMessageContentPartText::from(text)),
        Given::Picture { media_type, base64 } => {
            let url = ImageUrl::from(format!("data:{media_type};base64,{base64}"));
            Part::ImageUrl(ChatCompletionRequestMessageContentPartImage::from(url))
        }
        Given::Pdf { name, base64 } => {
            let file_data = Some(format!("data:application/pdf;base64,{base64}"));
            let file = FileObject { file_data, file_id: None, filename: Some(name.to_owned()) };
            let prompt_cache_breakpoint = None;
            Part::File(ChatCompletionRequestMessageContentPartFile {
                file,
                prompt_cache_breakpoint,
            })
        }
    });
    ChatCompletionRequestUserMessageContent::from(parts.collect::<Vec<_>>()).into()
}

fn assistant(message: &Message) -> ChatCompletionRequestAssistantMessage {
    let calls = message.content.iter().filter_map(|content| match content {
        Content::ToolCall(call) => Some(ChatCompletionMessageToolCall {
            id: call.id.clone(),
            function: FunctionCall { name: call.name.clone(), arguments: call.arguments.clone() },
        }),
        _ => None,
    });
    let calls: Vec<_> = calls.map(Into::into).collect();
    ChatCompletionRequestAssistantMessage {
        content: Some(message.joined()).filter(|text| !text.is_empty()).map(Into::into),
        tool_calls: Some(calls).filter(|calls| !calls.is_empty()),
        ..ChatCompletionRequestAssistantMessage::default()
    }
}

fn results(message: &Message) -> impl Iterator<Item = ChatCompletionRequestToolMessage> {
    message.content.iter().filter_map(|content| match content {
        Content::ToolResult(ToolResult { call_id, content, is_error }) => {
            let content = if *is_error { format!("Error: {content}") } else { content.clone() };
            let tool_call_id = call_id.clone();
            Some(ChatCompletionRequestToolMessage { content: content.into(), tool_call_id })
        }
        _ => None,
    })
}

fn tool(tool: &Tool) -> ChatCompletionTools {
    ChatCompletionTools::Function(ChatCompletionTool {
        function: FunctionObject {
            name: tool.name.clone(),
            description: Some(tool.description.clone()),
            parameters: Some(tool.parameters.clone()),
            strict: None,
        },
    })
}
