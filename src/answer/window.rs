//! The conversation window: how much of the history goes along with a question.

use crate::model::conversation::{Content, Message, turns};
use crate::provider::tokens;

/// The latest turns whose sizes together stay within `max_tokens`, oldest first. A turn stays or
/// goes as a whole, with the work of its tools.
pub(super) fn fit(mut kept: Vec<Message>, max_tokens: usize) -> Vec<Message> {
    let mut left = max_tokens;
    let mut first = kept.len();
    for turn in turns(&kept).rev() {
        let size: usize = turn.iter().flat_map(|message| &message.content).map(size).sum();
        if size > left {
            break;
        }
        left -= size;
        first -= turn.len();
    }
    kept.drain(..first);
    kept
}

/// Roughly how many tokens a piece takes.
fn size(content: &Content) -> usize {
    /// What vendors charge for a picture of usual size; a document of some pages costs as much.
    const FILE: usize = 1500;
    match content {
        Content::Text { text } => tokens(text),
        Content::Speaker { name } => tokens(name),
        Content::Quote(quote) => tokens(&quote.author) + tokens(&quote.text),
        Content::Image(_) | Content::Document(_) => FILE,
        Content::ToolCall(call) => tokens(&call.name) + tokens(&call.arguments),
        Content::ToolResult(result) => tokens(&result.content),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::conversation::{Role, ToolResult};

    #[test]
    fn the_latest_turns_stay() {
        let turn =
            |n: usize| [Message::user(format!("q{n}")), Message::assistant("word ".repeat(40))];
        let all: Vec<_> = (0..10).flat_map(turn).collect();
        let size: usize = all[..2].iter().flat_map(|m| &m.content).map(size).sum();
        assert_eq!(fit(all.clone(), size * 3), all[14..]);
        assert!(fit(all.clone(), size - 1).is_empty(), "one that does not fit is not cut");
        assert_eq!(fit(all.clone(), usize::MAX), all);
    }

    #[test]
    fn the_work_of_tools_goes_with_its_turn() {
        let content = "word ".repeat(40);
        let result = ToolResult { call_id: "c".into(), content, is_error: false };
        let results = Message { role: Role::Tool, content: vec![Content::ToolResult(result)] };
        let first = [Message::user("a"), results, Message::assistant("b")];
        let all = [first.as_slice(), &[Message::user("c"), Message::assistant("d")]].concat();
        assert_eq!(fit(all.clone(), 20), all[3..], "never a turn without its beginning");
        assert_eq!(fit(all.clone(), 200), all);
    }
}
