//! Calls of tools, put together from the pieces that a stream brings.
//!
//! Seen: an id only in the first piece; an id of its own in every piece; no ids; index 0 for all
//! calls; a whole call in one piece; a call that is sent again as a whole at the end; arguments as
//! an object instead of text; no arguments. So a piece belongs to the call with its id, else to the
//! last one with its index, unless its name says that it begins another.
//!
//! Invariants: each call has a name, an id that no other one has, and arguments; all together hold
//! at most `ANSWER_BYTES`.

use serde_json::Value;

use super::failure::ProviderError;
use crate::model::conversation::{Event, ToolCall};
use crate::model::limits::ANSWER_BYTES;

/// Calls in one answer at most; more is a model that repeats itself.
const CALLS: usize = 64;

/// Calls that are still being written.
#[derive(Default)]
pub(super) struct ToolCalls {
    calls: Vec<(Option<u64>, ToolCall)>,
    bytes: usize,
}

/// One piece of a call; what it does not say is empty.
#[derive(Clone, Copy, Default)]
pub(super) struct Piece<'a> {
    pub index: Option<u64>,
    pub id: &'a str,
    pub name: &'a str,
    pub arguments: &'a str,
}

impl ToolCalls {
    pub(super) fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    pub(super) fn add(&mut self, piece: Piece<'_>) -> Result<(), ProviderError> {
        self.bytes += piece.id.len() + piece.name.len() + piece.arguments.len();
        let endless = ProviderError::Garbage { what: "tool calls without end" };
        if self.bytes > ANSWER_BYTES {
            return Err(endless);
        }
        if let Some((_, call)) = self.continued(&piece) {
            if call.id.is_empty() {
                piece.id.clone_into(&mut call.id);
            }
            if call.name.is_empty() {
                piece.name.clone_into(&mut call.name);
            }
            // Some servers send the whole call again when it is complete.
            if !(is_complete(&call.arguments) && call.arguments == piece.arguments) {
                call.arguments.push_str(piece.arguments);
            }
            return Ok(());
        }
        if self.calls.len() == CALLS {
            return Err(endless);
        }
        let [id, name, arguments] = [piece.id, piece.name, piece.arguments].map(str::to_owned);
        self.calls.push((piece.index, ToolCall { id, name, arguments }));
        Ok(())
    }

    /// The call that this piece belongs to, if it has begun.
    fn continued(&mut self, piece: &Piece<'_>) -> Option<&mut (Option<u64>, ToolCall)> {
        let fits = |call: &ToolCall| piece.name.is_empty() || piece.name == call.name;
        let by_id = self
            .calls
            .iter()
            .rposition(|(_, call)| !piece.id.is_empty() && call.id == piece.id && fits(call));
        let at = by_id.or_else(|| {
            let same =
                |(index, _): &(Option<u64>, _)| piece.index.is_none() || *index == piece.index;
            let at = self.calls.iter().rposition(same)?;
            let (_, call) = &self.calls[at];
            let begins_another = if piece.id.is_empty() || call.id.is_empty() {
                !piece.name.is_empty() && (!fits(call) || is_complete(&call.arguments))
            } else {
                !piece.name.is_empty()
            };
            (!begins_another).then_some(at)
        })?;
        self.calls.get_mut(at)
    }

    /// All calls, complete.
    pub(super) fn take(&mut self) -> impl Iterator<Item = Event> + use<> {
        let calls = std::mem::take(&mut self.calls);
        let mut ids: Vec<String> = Vec::with_capacity(calls.len());
        calls.into_iter().map(move |(_, mut call)| {
            if call.name.is_empty() {
                return Event::Unknown("tool_call");
            }
            if call.id.is_empty() || ids.contains(&call.id) {
                call.id = format!("call_{:016x}", fastrand::u64(..));
            }
            ids.push(call.id.clone());
            if call.arguments.trim().is_empty() {
                "{}".clone_into(&mut call.arguments);
            }
            Event::ToolCall(call)
        })
    }
}

/// Arguments as text, also where a server sends them as the object that they are.
pub(super) fn arguments(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(object) => object.to_string(),
    }
}

fn is_complete(arguments: &str) -> bool {
    serde_json::from_str::<Value>(arguments).is_ok_and(|value| value.is_object())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Adds pieces of index, id, name and arguments, and shows the calls.
    fn calls(pieces: &[(u64, &str, &str, &str)]) -> Vec<String> {
        let mut calls = ToolCalls::default();
        for (index, id, name, arguments) in pieces.iter().copied() {
            calls.add(Piece { index: Some(index), id, name, arguments }).unwrap();
        }
        let shown = |event| match event {
            Event::ToolCall(ToolCall { id, name, arguments }) => {
                let id = if id.starts_with("call_") { "?".to_owned() } else { id };
                format!("{id} {name} {arguments}")
            }
            other => format!("{other:?}"),
        };
        calls.take().map(shown).collect()
    }

    #[test]
    fn every_way_of_sending_calls_is_understood() {
        let usual =
            [(0, "a", "f", ""), (0, "", "", "{\"x\""), (0, "", "", ":1}"), (1, "b", "g", "{}")];
        assert_eq!(calls(&usual), ["a f {\"x\":1}", "b g {}"]);
        let all_zero =
            [(0, "a", "f", ""), (0, "", "", "{}"), (0, "b", "f", "{\"x\""), (0, "", "", ":1}")];
        assert_eq!(calls(&all_zero), ["a f {}", "b f {\"x\":1}"]);
        let mixed =
            [(0, "a", "f", ""), (0, "b", "g", ""), (0, "a", "", "{1}"), (0, "b", "", "{2}")];
        assert_eq!(calls(&mixed), ["a f {1}", "b g {2}"]);
        let no_ids = [(0, "", "f", "{}"), (0, "", "f", "{}"), (0, "", "g", "")];
        assert_eq!(calls(&no_ids), ["? f {}", "? f {}", "? g {}"]);
        let same_ids = [(0, "a", "f", "{}"), (0, "a", "g", "{}")];
        assert_eq!(calls(&same_ids), ["a f {}", "? g {}"]);
        let new_id_each = [(0, "a", "f", ""), (0, "b", "", "{\"x\""), (0, "c", "", ":1}")];
        assert_eq!(calls(&new_id_each), ["a f {\"x\":1}"]);
        let name_repeated = [(0, "", "f", "{\"x\""), (0, "", "f", ":1}")];
        assert_eq!(calls(&name_repeated), ["? f {\"x\":1}"]);
        let sent_again = [(0, "a", "f", "{\"x\":1}"), (0, "a", "f", "{\"x\":1}")];
        assert_eq!(calls(&sent_again), ["a f {\"x\":1}"]);
        let broken = [(0, "a", "f", "not json")];
        assert_eq!(calls(&broken), ["a f not json"]);
        assert_eq!(calls(&[(0, "a", "", "{}")]), ["Unknown(\"tool_call\")"]);
    }

    #[test]
    fn calls_are_bounded() {
        let mut calls = ToolCalls::default();
        let piece = Piece { name: "f", arguments: "{}", ..Piece::default() };
        let most = (0..=CALLS).map(|_| calls.add(piece)).take_while(Result::is_ok).count();
        assert_eq!(most, CALLS);
        let long = "x".repeat(ANSWER_BYTES);
        assert!(ToolCalls::default().add(Piece { arguments: &long, ..piece }).is_err());
    }
}
