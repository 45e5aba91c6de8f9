//! What a model gets: instructions, documents, the conversation so far, the question.
//!
//! Invariants: a conversation begins with the person and ends with the person or with results of
//! tools; people's messages and others alternate, none is empty, and every earlier turn is whole
//! (the Messages API refuses anything else). Documents and words of others are marked as material, so
//! that text in them is not obeyed.

use super::marking;
use crate::model::conversation::{ChatRequest, Content, Message, Role, turns};

/// Puts a request into the form that models expect. Passages stand beside the question, so that what
/// comes before it is the same in the next request: servers need not read that again.
pub fn compose(mut request: ChatRequest) -> ChatRequest {
    request.system = request.system.trim().to_owned();
    request.messages = tidied(request.messages);
    for message in request.messages.iter_mut().filter(|message| message.role == Role::User) {
        message.content = marking::marked(std::mem::take(&mut message.content));
    }
    let asked = request.messages.iter_mut().rfind(|message| message.role == Role::User);
    let documents = marking::documents(&request.passages, request.documents);
    if let (Some(asked), Some(text)) = (asked, documents) {
        asked.content.insert(0, Content::Text { text });
    }
    request.passages.clear();
    request
}

fn tidied(messages: Vec<Message>) -> Vec<Message> {
    let last = turns(&messages).count().saturating_sub(1);
    let keeps = |(index, turn)| is_whole(turn) || (index == last && is_asked(turn));
    let plan: Vec<(usize, bool)> =
        turns(&messages).enumerate().map(|(i, turn)| (turn.len(), keeps((i, turn)))).collect();
    let mut tidy: Vec<Message> = Vec::with_capacity(messages.len());
    let mut rest = messages.into_iter();
    for (length, kept) in plan {
        for Message { role, mut content } in rest.by_ref().take(length).filter(|_| kept) {
            content.retain(says);
            match tidy.last_mut() {
                Some(before) if before.role == role && role != Role::Assistant => {
                    before.content.append(&mut content);
                }
                _ if content.is_empty() => {}
                _ => tidy.push(Message { role, content }),
            }
        }
    }
    if tidy.last().is_none_or(|message| message.role == Role::Assistant) {
        tidy.push(Message::user("(no text)"));
    }
    tidy
}

/// Whether anything would be left of it at a vendor.
fn says(content: &Content) -> bool {
    !matches!(content, Content::Text { text } if text.trim().is_empty())
}

fn is_asked(turn: &[Message]) -> bool {
    let asks = |message: &Message| message.role == Role::User && message.content.iter().any(says);
    turn.iter().take_while(|message| message.role == Role::User).any(asks)
}

/// Whether a turn was asked, answered, and has a result for each call.
fn is_whole(turn: &[Message]) -> bool {
    let said = turn.iter().flat_map(|message| &message.content);
    let is_answered = |id: &str| {
        said.clone().any(|c| matches!(c, Content::ToolResult(result) if result.call_id == id))
    };
    let mut calls = said.clone().filter_map(|content| match content {
        Content::ToolCall(call) => Some(call.id.as_str()),
        _ => None,
    });
    let ends = turn
        .last()
        .is_some_and(|message| message.role == Role::Assistant && message.content.iter().any(says));
    ends && is_asked(turn) && calls.all(is_answered)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::conversation::{Passage, ToolCall, ToolResult};
    use crate::model::text::tokens;

    fn composed(messages: Vec<Message>) -> Vec<Message> {
        compose(ChatRequest { messages, ..ChatRequest::default() }).messages
    }

    #[test]
    fn turns_alternate_whatever_the_history_holds() {
        let (user, model) = (Message::user, Message::assistant);
        let history = [model("x"), user("a"), model("b"), user("c"), model(" "), user(" ")];
        let texts = |messages: &[Message]| -> Vec<String> {
            messages.iter().map(Message::joined).collect()
        };
        assert_eq!(texts(&composed(history.to_vec())), ["a", "b", "(no text)"]);
        assert_eq!(texts(&composed(Vec::new())), ["(no text)"]);
        assert_eq!(texts(&composed(vec![user("a"), model("b")])), ["a", "b", "(no text)"]);
        let two = composed(vec![user("a"), user("b")]);
        assert_eq!((two.len(), texts(&two)), (1, vec!["a\n\nb".to_owned()]));
    }

    #[test]
    fn calls_without_results_stay_only_where_they_are_asked_for_now() {
        let call = ToolCall { id: "c".into(), name: "look".into(), arguments: "{}".into() };
        let result = ToolResult { call_id: "c".into(), content: "7".into(), is_error: false };
        let calls = Message { role: Role::Assistant, content: vec![Content::ToolCall(call)] };
        let results = Message { role: Role::Tool, content: vec![Content::ToolResult(result)] };
        let whole = [Message::user("a"), calls.clone(), results.clone(), Message::assistant("b")];
        let open = vec![Message::user("c"), calls.clone(), results];
        let all = [whole.to_vec(), open.clone()].concat();
        assert_eq!(composed(all.clone()), all, "the work of a turn goes along");
        let half = vec![Message::user("a"), calls, Message::assistant("b")];
        assert_eq!(composed([half, open.clone()].concat()), open);
    }

    #[test]
    fn documents_stand_beside_the_question_and_the_beginning_stays_the_same() {
        let passage = |text: &str| Passage {
            source: "a.md".to_owned(),
            title: String::new(),
            text: text.to_owned(),
            score: 1.0,
            ..Passage::default()
        };
        let ask = |messages: Vec<Message>, found: &str| {
            let (system, passages) = ("Be brief. ".to_owned(), vec![passage(found)]);
            compose(ChatRequest { system, messages, passages, ..ChatRequest::default() })
        };
        let one = ask(vec![Message::user("one")], "moths");
        let said = [Message::user("one"), Message::assistant("1"), Message::user("two")];
        let two = ask(said.to_vec(), "newts");
        assert_eq!((one.system.as_str(), two.system.as_str()), ("Be brief.", "Be brief."));
        assert_eq!(two.messages[..2], said[..2], "what was found before is not given again");
        let asked = two.messages[2].joined();
        assert!(
            asked.starts_with("Documents found") && asked.ends_with("</document>\n\ntwo"),
            "{asked}"
        );
        assert!(asked.contains("newts") && !asked.contains("moths"), "{asked}");
    }

    #[test]
    fn tokens_are_about_right() {
        assert_eq!(tokens(""), 0);
        assert_eq!(tokens("word"), 1);
        assert_eq!(tokens("abcdefgh"), 2);
        assert_eq!(tokens("привет"), 3);
        assert_eq!(tokens("你好"), 2);
    }
}
