//! The answer: the events of a message, and a whole message from proxies that do not stream.

use serde_json::Value;

use crate::model::conversation::{Event, Finished, StopReason, Usage};
use crate::provider::ProviderError;
use crate::provider::error_body::ErrorBody;
use crate::provider::scrub::Scrubber;
use crate::provider::stream::{Dialect, Next, count, json, text};
use crate::provider::tool_calls::{Piece, ToolCalls, arguments};

/// What was read so far.
pub(super) struct Events {
    scrubber: Scrubber,
    reason: Option<StopReason>,
    calls: ToolCalls,
    usage: Option<Usage>,
    model: Option<String>,
}

impl Events {
    pub(super) fn new(scrubber: Scrubber) -> Self {
        let calls = ToolCalls::default();
        Self { scrubber, reason: None, calls, usage: None, model: None }
    }

    /// What is said about a message, in the event that begins it or in the message itself.
    fn about(&mut self, message: &Value) {
        if let Some(model) = message.get("model").and_then(Value::as_str) {
            self.model = Some(model.to_owned());
        }
        self.stopped(message);
        self.used(message.get("usage"));
    }

    fn stopped(&mut self, holder: &Value) {
        if let Some(word) = holder.get("stop_reason").and_then(Value::as_str) {
            self.reason = Some(stop_reason(word));
        }
    }

    /// Counts are cumulative, and an event names only some of them.
    fn used(&mut self, usage: Option<&Value>) {
        let Some(usage) = usage.filter(|usage| usage.is_object()) else { return };
        let known = self.usage.get_or_insert_default();
        // What is read from or written to a cache is part of the prompt, but counted apart.
        let tokens = |name| count(usage.get(name)).unwrap_or_default();
        let (cached, written) =
            (tokens("cache_read_input_tokens"), tokens("cache_creation_input_tokens"));
        let input = tokens("input_tokens").saturating_add(cached).saturating_add(written);
        if input > known.input_tokens {
            (known.input_tokens, known.cached_tokens) = (input, cached);
            known.cache_write_tokens = written;
        }
        known.output_tokens = known.output_tokens.max(tokens("output_tokens"));
        let thoughts = count(usage["output_tokens_details"].get("thinking_tokens"));
        known.reasoning_tokens = known.reasoning_tokens.max(thoughts.unwrap_or_default());
    }

    /// Reads a block, or a delta of one, by its type.
    fn block(
        &mut self,
        index: Option<u64>,
        block: &Value,
        events: &mut Vec<Event>,
    ) -> Result<(), ProviderError> {
        let word = |name| block.get(name).and_then(Value::as_str).unwrap_or_default();
        match word("type") {
            "text" | "text_delta" => events.extend(text(block.get("text")).map(Event::Text)),
            "thinking" | "thinking_delta" => {
                events.extend(text(block.get("thinking")).map(Event::Reasoning));
            }
            "tool_use" => {
                // In a stream the block begins with an empty object, and its deltas follow.
                let input = block
                    .get("input")
                    .filter(|input| **input != Value::Object([].into_iter().collect()));
                let arguments = arguments(input);
                let (id, name) = (word("id"), word("name"));
                self.calls.add(Piece { index, id, name, arguments: &arguments })?;
            }
            "input_json_delta" => {
                let arguments = word("partial_json");
                self.calls.add(Piece { index, arguments, ..Piece::default() })?;
            }
            // Only of use to the vendor, who signed them.
            "signature_delta" | "redacted_thinking" => {}
            _ => events.push(Event::Unknown("content")),
        }
        Ok(())
    }
}

impl Dialect for Events {
    fn event(&mut self, data: &str, events: &mut Vec<Event>) -> Result<Next, ProviderError> {
        let event = json(data)?;
        if let Some(error_body) = ErrorBody::within(&event) {
            return Err(error_body.in_stream(&self.scrubber));
        }
        let Some(kind) = event.get("type").and_then(Value::as_str) else {
            return Err(ProviderError::Garbage { what: "an event without a type" });
        };
        let index = event.get("index").and_then(Value::as_u64);
        match kind {
            "message_start" => self.about(&event["message"]),
            "content_block_start" => self.block(index, &event["content_block"], events)?,
            "content_block_delta" => self.block(index, &event["delta"], events)?,
            "message_delta" => {
                self.stopped(&event["delta"]);
                self.used(event.get("usage"));
            }
            "message" => {
                self.about(&event);
                for block in event["content"].as_array().into_iter().flatten() {
                    self.block(None, block, events)?;
                }
            }
            "message_stop" => return Ok(Next::Over),
            "ping" | "content_block_stop" => {}
            _ => events.push(Event::Unknown("event")),
        }
        Ok(Next::More)
    }

    fn reason(&self) -> Option<StopReason> {
        self.reason
    }

    fn known(&self) -> Finished {
        let (usage, model) = (self.usage, self.model.clone());
        Finished { usage, model, ..Finished::default() }
    }

    fn calls(&mut self) -> &mut ToolCalls {
        &mut self.calls
    }
}

fn stop_reason(word: &str) -> StopReason {
    match word {
        "end_turn" | "stop_sequence" => StopReason::End,
        "max_tokens" | "model_context_window_exceeded" => StopReason::Length,
        "tool_use" => StopReason::ToolCalls,
        "refusal" => StopReason::Filtered,
        _ => StopReason::Other,
    }
}
