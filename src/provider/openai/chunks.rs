//! The answer: `chat.completion.chunk`, and `chat.completion` from servers that do not stream.
//!
//! Read leniently, because hardly a server sends just what the vendor's types promise.

use serde_json::Value;

use crate::model::conversation::{Event, Finished, StopReason, Usage};
use crate::provider::ProviderError;
use crate::provider::error_body::{ErrorBody, notice};
use crate::provider::scrub::Scrubber;
use crate::provider::stream::{Dialect, Next, count, json, text};
use crate::provider::tool_calls::{Piece, ToolCalls, arguments};

/// Names in a delta or message that are read, or that say nothing new: `reasoning_details` repeats
/// `reasoning`, and the others are about the message as a whole.
const KNOWN: [&str; 13] = [
    "role",
    "content",
    "refusal",
    "reasoning",
    "reasoning_content",
    "reasoning_details",
    "tool_calls",
    "function_call",
    "name",
    "annotations",
    "provider_specific_fields",
    "extra_content",
    "token_ids",
];

/// What was read so far.
pub(super) struct Chunks {
    scrubber: Scrubber,
    reason: Option<StopReason>,
    refused: bool,
    calls: ToolCalls,
    usage: Option<Usage>,
    model: Option<String>,
    /// A sentence that belongs to no answer.
    notice: Option<ErrorBody>,
    /// Some part of an answer came.
    has_answered: bool,
}

impl Chunks {
    pub(super) fn new(scrubber: Scrubber) -> Self {
        let calls = ToolCalls::default();
        let (reason, usage, model, notice) = (None, None, None, None);
        let (refused, has_answered) = (false, false);
        Self { scrubber, reason, refused, calls, usage, model, notice, has_answered }
    }

    /// Reads a `delta`, or the `message` of an answer that was not streamed.
    fn said(&mut self, said: &Value, events: &mut Vec<Event>) -> Result<(), ProviderError> {
        let reasoning = said.get("reasoning_content").or_else(|| said.get("reasoning"));
        events.extend(text(reasoning).map(Event::Reasoning));
        if let Some(value) = said.get("content") {
            content(value, events);
        }
        if let Some(refusal) = text(said.get("refusal")) {
            self.refused = true;
            events.push(Event::Text(refusal));
        }
        for call in said.get("tool_calls").and_then(Value::as_array).into_iter().flatten() {
            self.call(call, call.get("function"), events)?;
        }
        // The name of tool calls before there could be more than one.
        if let Some(function) = said.get("function_call").filter(|call| call.is_object()) {
            self.call(&Value::Null, Some(function), events)?;
        }
        let is_said = |value: &Value| match value {
            Value::Null => false,
            Value::String(text) => !text.is_empty(),
            Value::Array(list) => !list.is_empty(),
            _ => true,
        };
        let mut fields = said.as_object().into_iter().flatten();
        if fields.any(|(name, value)| is_said(value) && !KNOWN.contains(&name.as_str())) {
            events.push(Event::Unknown("delta"));
        }
        Ok(())
    }

    fn call(
        &mut self,
        call: &Value,
        function: Option<&Value>,
        events: &mut Vec<Event>,
    ) -> Result<(), ProviderError> {
        let Some(function) = function.filter(|function| function.is_object()) else {
            events.push(Event::Unknown("tool_call"));
            return Ok(());
        };
        let word =
            |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
        let (id, name) = (word(call.get("id")), word(function.get("name")));
        let arguments = arguments(function.get("arguments"));
        let index = call.get("index").and_then(Value::as_u64);
        self.calls.add(Piece { index, id: &id, name: &name, arguments: &arguments })
    }
}

impl Dialect for Chunks {
    fn event(&mut self, data: &str, events: &mut Vec<Event>) -> Result<Next, ProviderError> {
        if data.trim() == "[DONE]" {
            return Ok(Next::Over);
        }
        let chunk = json(data)?;
        if let Some(error_body) = ErrorBody::within(&chunk) {
            return Err(error_body.in_stream(&self.scrubber));
        }
        if !chunk.is_object() {
            return Err(ProviderError::Garbage { what: "an event that is not a completion" });
        }
        if let Some(model) = chunk.get("model").and_then(Value::as_str) {
            self.model.get_or_insert_with(|| model.to_owned());
        }
        // Also in a chunk with words; counts are cumulative, so the last ones hold.
        let usage = chunk.get("usage").filter(|usage| usage.is_object());
        self.usage = usage.and_then(used).or(self.usage);
        let Some(choices) = chunk.get("choices") else {
            if usage.is_none() {
                self.notice = notice(&chunk).or(self.notice.take());
                events.push(Event::Unknown("event"));
            }
            return Ok(Next::More);
        };
        self.has_answered = true;
        let Some(choice) = choices.get(0) else { return Ok(Next::More) };
        if let Some(said) = choice.get("delta").or_else(|| choice.get("message")) {
            self.said(said, events)?;
        }
        match choice.get("finish_reason").and_then(Value::as_str) {
            None | Some("") => {}
            // OpenRouter, when the server behind it failed.
            Some("error") => return Err(ErrorBody::default().in_stream(&self.scrubber)),
            Some(reason) => self.reason = Some(stop_reason(reason)),
        }
        Ok(Next::More)
    }

    fn reason(&self) -> Option<StopReason> {
        Some(match self.reason? {
            StopReason::End if self.refused => StopReason::Filtered,
            // Some servers say `stop` here, too.
            StopReason::End if !self.calls.is_empty() => StopReason::ToolCalls,
            reason => reason,
        })
    }

    fn known(&self) -> Finished {
        let (usage, model) = (self.usage, self.model.clone());
        Finished { usage, model, ..Finished::default() }
    }

    fn objection(&self) -> Option<ProviderError> {
        let notice = self.notice.as_ref().filter(|_| !self.has_answered)?;
        Some(notice.in_stream(&self.scrubber))
    }

    fn calls(&mut self) -> &mut ToolCalls {
        &mut self.calls
    }
}

/// The counts of a `usage`; `None` where it has none, as in chunks before the last.
fn used(usage: &Value) -> Option<Usage> {
    let of = |holder: &Value, name| count(holder.get(name)).unwrap_or_default();
    let (prompt, answer) = (&usage["prompt_tokens_details"], &usage["completion_tokens_details"]);
    let input_tokens = of(usage, "prompt_tokens");
    // Gemini and xAI count thoughts in the sum only, and bill them as the answer.
    let rest = of(usage, "total_tokens").saturating_sub(input_tokens);
    let output_tokens = of(usage, "completion_tokens").max(rest);
    let cached = of(prompt, "cached_tokens");
    let used = Usage {
        input_tokens,
        output_tokens,
        // The other name is DeepSeek's.
        cached_tokens: cached.max(of(usage, "prompt_cache_hit_tokens")).min(input_tokens),
        cache_write_tokens: of(prompt, "cache_write_tokens"),
        reasoning_tokens: of(answer, "reasoning_tokens").min(output_tokens),
        cost: usage["cost"].as_f64().filter(|usd| (0.0..1e6).contains(usd)).map(micro),
    };
    (input_tokens > 0 || output_tokens > 0).then_some(used)
}

/// Dollars in millionths, rounded up.
fn micro(usd: f64) -> u64 {
    // A little less, because a binary fraction may lie just above 0.0001.
    (usd * 1e6 - 1e-6).ceil() as u64
}

/// A `content`: a string, null, or parts of which some are text.
fn content(value: &Value, events: &mut Vec<Event>) {
    match value {
        Value::Array(parts) => parts.iter().for_each(|part| content(part, events)),
        Value::Object(part) => match part.get("type").and_then(Value::as_str) {
            None | Some("text" | "output_text") => {
                events.extend(text(part.get("text")).map(Event::Text));
            }
            // Mistral: a list of parts again.
            Some("thinking") => {
                let mut thoughts = Vec::new();
                content(part.get("thinking").unwrap_or(&Value::Null), &mut thoughts);
                events.extend(thoughts.into_iter().map(|thought| match thought {
                    Event::Text(text) => Event::Reasoning(text),
                    other => other,
                }));
            }
            Some(_) => events.push(Event::Unknown("content")),
        },
        value => events.extend(text(Some(value)).map(Event::Text)),
    }
}

fn stop_reason(word: &str) -> StopReason {
    let word = word.to_ascii_lowercase();
    match word.as_str() {
        "stop" | "eos" | "eos_token" | "stop_sequence" | "end_turn" => StopReason::End,
        "length" | "max_tokens" | "model_length" => StopReason::Length,
        "tool_calls" | "function_call" => StopReason::ToolCalls,
        // Gemini adds what was found: `content_filter: PROHIBITED_CONTENT`.
        _ if word.starts_with("content_filter") || word == "safety" => StopReason::Filtered,
        _ => StopReason::Other,
    }
}
