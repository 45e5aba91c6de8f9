//! What may be kept of a text that came from outside, before it goes into an error.
//!
//! Servers quote keys and questions in their complaints, whole or in part; logs must not.

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};

use super::failure::DETAIL_CHARS;
use crate::model::conversation::{ChatRequest, Content};
use crate::model::encoded_forms::encoded_forms;

/// Characters of a foreign text that are looked at: more than are kept, since scrubbing shortens.
const READ_CHARS: usize = 2000;
/// So many characters in a row of a key give it away: vendors quote its first few.
const SECRET_RUN: usize = 6;
/// The same for a key in percent-encoding or base64.
const DISGUISED_RUN: usize = 9;
/// So many characters in a row of what somebody wrote are a quotation and no coincidence.
const SAID_RUN: usize = 16;
/// A short question is hidden when all of it is quoted; below this it would be part of any text.
const SAID_WHOLE: usize = 4;

/// Knows what must not be told.
#[derive(Clone)]
pub(super) struct Scrubber {
    /// Keys and passwords.
    pub secrets: Arc<[SecretString]>,
    /// What was said in this conversation, and the instructions.
    pub said: Arc<ChatRequest>,
}

impl Scrubber {
    /// One line without secrets and without anything that was said, at most [`DETAIL_CHARS`].
    pub(super) fn clean(&self, text: &str) -> String {
        let bounded: String = text.chars().take(READ_CHARS).collect();
        let mut text = one_line(&bounded);
        for secret in self.secrets.iter() {
            let secret = secret.expose_secret().trim();
            text = hide(&text, secret, SECRET_RUN, 1, "[key]");
            for disguise in encoded_forms(secret) {
                text = hide(&text, &disguise, DISGUISED_RUN, DISGUISED_RUN, "[key]");
            }
        }
        let pieces = self.said.messages.iter().flat_map(|message| &message.content);
        let words = pieces.filter_map(|piece| match piece {
            Content::Text { text } => Some(text),
            Content::ToolCall(call) => Some(&call.arguments),
            Content::ToolResult(result) => Some(&result.content),
            Content::Image(file) | Content::Document(file) => file.name.as_ref(),
        });
        for said in words.chain([&self.said.system]) {
            text = hide(&text, &one_line(said), SAID_RUN, SAID_WHOLE, "[text]");
        }
        // Vendors mask keys as `sk-***abcd`, which still tells their end.
        let words = text.split(' ').map(|word| if word.contains("**") { "[key]" } else { word });
        let text = words.collect::<Vec<_>>().join(" ");
        if text.chars().count() <= DETAIL_CHARS {
            return text;
        }
        text.chars().take(DETAIL_CHARS - 1).chain(['…']).collect()
    }
}

fn one_line(text: &str) -> String {
    let visible: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    visible.split_whitespace().collect::<Vec<_>>().join(" ")
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
        let secrets = Arc::from([SecretString::from("sk-proj-0123456789")]);
        let messages = ["my password is\nswordfish and nobody knows", "hi"].map(Message::user);
        let (system, messages) = ("pin1".to_owned(), messages.to_vec());
        let said = Arc::new(ChatRequest { system, messages, ..ChatRequest::default() });
        Scrubber { secrets, said }.clean(text)
    }

    #[test]
    fn keys_are_hidden_whole_in_part_and_masked() {
        assert_eq!(clean("bad key sk-proj-0123456789."), "bad key [key].");
        assert_eq!(clean("bad key sk-proj… given"), "bad key [key]… given");
        assert_eq!(clean("bad key abcd****6789 given"), "bad key [key] given");
        assert_eq!(clean("bad key c2stcHJvai0wMTIzNDU2Nzg5 given"), "bad key [key] given");
        assert_eq!(clean("bad key %73%6b%2d%70%72 given"), "bad key [key] given");
        assert_eq!(clean("bad key sk%2Dproj%2D01234567 given"), "bad key [key][key] given");
    }

    #[test]
    fn what_was_said_is_hidden_even_in_part() {
        assert_eq!(clean("cannot read 'password is swordfish and'"), "cannot read '[text]'");
        assert_eq!(clean("this has pin1 in it"), "this has [text] in it");
        assert_eq!(clean("this is said to nobody"), "this is said to nobody");
    }

    #[test]
    fn the_line_is_bounded_and_has_no_control_characters() {
        let line = clean(&"a\u{0}\r\n字 ".repeat(5000));
        assert_eq!(line.chars().count(), DETAIL_CHARS);
        assert!(!line.chars().any(char::is_control) && line.ends_with('…'));
        assert_eq!(clean(""), "");
    }
}
