//! What may be kept of a text that came from outside, before it goes into an error.
//!
//! Servers quote keys and questions in their complaints, whole or in part; logs must not.

use std::sync::Arc;

use hygiene::Redactor;
use hygiene::line::one_line;

use super::failure::DETAIL_CHARS;
use crate::model::conversation::{ChatRequest, Content};

/// Characters of a foreign text that are looked at: more than are kept, since scrubbing shortens.
const READ_CHARS: usize = 2000;
/// This many consecutive characters of a user's text are a quotation, not a coincidence.
const SAID_RUN: usize = 16;
/// A short question is hidden when all of it is quoted; below this it would be part of any text.
const SAID_WHOLE: usize = 4;

/// Knows what must not be shown.
#[derive(Clone)]
pub(super) struct Scrubber {
    /// Knows keys and passwords.
    pub redactor: Redactor,
    /// What was said in this conversation, and the instructions.
    pub said: Arc<ChatRequest>,
}

impl Scrubber {
    /// One line without secrets and without anything that was said, at most [`DETAIL_CHARS`].
    pub(super) fn clean(&self, text: &str) -> String {
        let mut text = self.redactor.clean(one_line(text, READ_CHARS));
        let pieces = self.said.messages.iter().flat_map(|message| &message.content);
        let words = pieces.filter_map(|piece| match piece {
            Content::Text { text } => Some(text),
            Content::Speaker { name } => Some(name),
            Content::Quote(quote) => Some(&quote.text),
            Content::ToolCall(call) => Some(&call.arguments),
            Content::ToolResult(result) => Some(&result.content),
            Content::Image(file) | Content::Document(file) => file.name.as_ref(),
        });
        for said in words.chain([&self.said.system]) {
            text = hide(&text, &one_line(said, said.len()), SAID_RUN, SAID_WHOLE, "[text]");
        }
        one_line(&text, DETAIL_CHARS)
    }
}

/// Replaces every run of at least `run` characters that also stands in `hidden`; of a shorter
/// `hidden` only the whole, if it has `whole` characters.
fn hide(text: &str, hidden: &str, run: usize, whole: usize, mark: &str) -> String {
    let length = hidden.chars().count();
    if length < whole {
        return text.to_owned();
    }
    let run = run.min(length);
    let borders: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
    let last = borders.len() - 1;
    let mut kept = String::with_capacity(text.len());
    let mut at = 0;
    while at < last {
        let mut end = at + run;
        if end <= last && hidden.contains(&text[borders[at]..borders[end]]) {
            while end < last && hidden.contains(&text[borders[at]..borders[end + 1]]) {
                end += 1;
            }
            kept.push_str(mark);
            at = end;
        } else {
            kept.push_str(&text[borders[at]..borders[at + 1]]);
            at += 1;
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::conversation::Message;

    fn clean(text: &str) -> String {
        let redactor = Redactor::new(["sk-proj-a1B2c3D4e5"]);
        let messages = ["my password is\nswordfish and no one knows", "hi"].map(Message::user);
        let (system, messages) = ("pin1".to_owned(), messages.to_vec());
        let said = Arc::new(ChatRequest { system, messages, ..ChatRequest::default() });
        Scrubber { redactor, said }.clean(text)
    }

    #[test]
    fn keys_are_hidden_whole_in_part_and_masked() {
        for (text, want) in [
            ("bad key sk-proj-a1B2c3D4e5.", "bad key [secret]."),
            ("bad key sk-proj-a1B2… given", "bad key [secret]… given"),
            ("bad key sk-proj… given", "bad key sk-proj… given"),
            ("bad key abcd****D4e5 given", "bad key abcd****[secret] given"),
            ("bad key c2stcHJvai1hMUIyYzNENGU1 given", "bad key [secret] given"),
            ("bad key %73%6b%2d%70%72oj-a1B2c3D4 given", "bad key [secret] given"),
            ("bad key sk%2Dproj%2Da1B2c3D4 given", "bad key [secret] given"),
        ] {
            assert_eq!(clean(text), want);
        }
    }

    #[test]
    fn what_was_said_is_hidden_even_in_part() {
        assert_eq!(clean("cannot read 'password is swordfish and'"), "cannot read '[text]'");
        assert_eq!(clean("this has pin1 in it"), "this has [text] in it");
        assert_eq!(clean("this is said to no one"), "this is said to no one");
    }

    #[test]
    fn the_line_is_bounded_and_has_no_control_characters() {
        let line = clean(&"a\u{0}\r\n字 ".repeat(5000));
        assert_eq!(line.chars().count(), DETAIL_CHARS);
        assert!(!line.chars().any(char::is_control) && line.ends_with('…'));
        assert_eq!(clean(""), "");
    }
}
