//! What is asked: a person's words, with what they refer to.

use crate::model::conversation::{Content, ConversationId, Message, Role};
use crate::model::ids::{MessageId, UserId};
use crate::model::limits;
use crate::model::quote::{Author, Context, Quote, QuoteKind, Referred};
use crate::model::reply::Reply;

/// What the bot itself is called as the author of a message that is answered.
const OURSELVES: &str = "you, the assistant";

/// A message of the bot is known by so many of its letters: the history has it in Markdown.
const KNOWN_BY: usize = 60;

/// A question.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Where it was asked.
    pub conversation: ConversationId,
    /// Who asked.
    pub user: UserId,
    /// How people see who asked, where several people speak.
    pub speaker: Option<&'a str>,
    /// What; empty where a bare mention answers someone's message.
    pub text: &'a str,
    /// What it refers to, and who wrote it if it was forwarded.
    pub context: Option<&'a Context>,
    /// The person wants the model to be asked, also where an answer is kept.
    pub is_fresh: bool,
    /// What else the message holds, as the Bot API names it; the text is its caption then.
    pub media: Option<&'a str>,
}

/// A question as messages of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// Words of other people that it refers to, with their numbers, so that `/forget` finds them.
    pub(super) quoted: Vec<(UserId, Message)>,
    /// The question.
    pub(super) message: Message,
}

impl<'a> Question<'a> {
    /// One that refers to nothing.
    pub fn plain(conversation: ConversationId, user: UserId, text: &'a str) -> Self {
        let (speaker, context, is_fresh, media) = (None, None, false, None);
        Self { conversation, user, speaker, text, context, is_fresh, media }
    }
}

impl Question<'_> {
    /// All that is said, in bytes.
    pub(super) fn size(&self) -> usize {
        let context = self.context.map_or(0, |context| {
            let reply = context.reply.as_ref().map_or(0, |reply| reply.text.len());
            reply + context.selected.as_ref().map_or(0, String::len)
        });
        self.text.len() + context
    }

    /// The question as messages; `history` is what was said before, `last_sent` the last message of the bot
    /// in the chat.
    pub(super) fn asked(&self, history: &[Message], last_sent: Option<MessageId>) -> Asked {
        let mut asked = Asked { quoted: Vec::new(), message: Message::user("") };
        asked.message.content.clear();
        let context = self.context;
        if let Some(reply) = context.and_then(|context| context.reply.as_ref()) {
            let selected = context.and_then(|context| context.selected.as_deref());
            let of_bot = Author { name: OURSELVES.to_owned(), id: None };
            let author = if reply.by_bot { &of_bot } else { &reply.author };
            let mut add = |kind, text: &str| {
                let (author_name, text) = (author.name.clone(), text.to_owned());
                let media = reply.media.clone().filter(|_| kind == QuoteKind::Reply);
                let quote = Quote { kind, author: author_name, text, media };
                self.add(&mut asked, author.id, quote);
            };
            let said_last = reply.by_bot && is_last(history, reply, last_sent);
            let is_empty = reply.text.is_empty() && reply.media.is_none();
            if !(said_last || is_empty) {
                add(QuoteKind::Reply, &reply.text);
            }
            if let Some(selected) = selected {
                add(QuoteKind::Selection, selected);
            }
        }
        if let Some(name) = self.speaker {
            asked.message.content.push(Content::Speaker { name: name.to_owned() });
        }
        match context.and_then(|context| context.forwarded.as_ref()) {
            Some(author) => {
                let (name, text) = (author.name.clone(), self.text.to_owned());
                let quote = Quote { kind: QuoteKind::Forward, author: name, text, media: None };
                self.add(&mut asked, author.id, quote);
            }
            None if self.text.is_empty() => {}
            None => asked.message.content.push(Content::Text { text: self.text.to_owned() }),
        }
        if let Some(media) = self.media {
            let media = media.replace('_', " ");
            let text =
                format!("(The message holds content of the kind {media}, which you cannot see.)");
            asked.message.content.push(Content::Text { text });
        }
        asked
    }

    fn add(&self, asked: &mut Asked, author: Option<UserId>, quote: Quote) {
        let quote = Content::Quote(quote);
        match author.filter(|author| *author != self.user) {
            None => asked.message.content.push(quote),
            Some(author) => match asked.quoted.last_mut() {
                Some((last, message)) if *last == author => message.content.push(quote),
                _ => {
                    let message = Message { role: Role::User, content: vec![quote] };
                    asked.quoted.push((author, message));
                }
            },
        }
    }
}

impl Asked {
    /// All its messages, in order.
    pub(super) fn messages(&self) -> Vec<Message> {
        let quoted = self.quoted.iter().map(|(_, message)| message.clone());
        quoted.chain([self.message.clone()]).collect()
    }

    /// All that is said in it, to search for.
    pub(super) fn words(&self) -> String {
        said(self.messages().iter())
    }
}

/// What people say in these messages, quotes included.
pub(super) fn said<'a>(messages: impl Iterator<Item = &'a Message>) -> String {
    messages.flat_map(Message::texts).collect::<Vec<_>>().join("\n")
}

/// Whether the conversation ends with this message of the bot, so that it need not be quoted. A short text may
/// stand in many answers, so it is one's last only by its number (or where that is unknown, if it is all
/// of the answer).
fn is_last(history: &[Message], reply: &Referred, last_sent: Option<MessageId>) -> bool {
    let letters = |text: &str| -> String { text.chars().filter(|c| c.is_alphanumeric()).collect() };
    let shown = letters(&reply.text);
    let known: String = shown.chars().take(KNOWN_BY).collect();
    let Some(last) = history.iter().rfind(|message| message.role == Role::Assistant) else {
        return false;
    };
    let said = letters(&last.joined());
    let is_short = known.len() == shown.len();
    !known.is_empty()
        && match (reply.message_id, last_sent) {
            (Some(id), Some(last)) if id == last => said.contains(&known),
            (Some(_), Some(_)) => !is_short && said.contains(&known),
            _ => {
                if is_short {
                    said == shown
                } else {
                    said.contains(&known)
                }
            }
        }
}

/// What a person reads whose question is longer than [`limits::QUESTION_BYTES`].
pub(super) fn too_long() -> Reply {
    let most = limits::QUESTION_BYTES / 1024;
    Reply::plain(format!(
        "That is more than I can read at once (over {most} kB). Please send a shorter part of it."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::ChatId;

    fn question(context: Option<&Context>) -> Question<'_> {
        let conversation = ConversationId { chat: ChatId(-1), topic: 0 };
        Question {
            conversation,
            user: UserId(5),
            speaker: Some("Cy"),
            text: "why?",
            context,
            media: None,
            is_fresh: false,
        }
    }

    fn reply(id: i64, by_bot: bool, text: &str) -> Context {
        let author = Author { name: "Ann".to_owned(), id: Some(UserId(id)) };
        let reply = Referred { author, text: text.to_owned(), by_bot, ..Referred::default() };
        Context { reply: Some(reply), ..Context::default() }
    }

    #[test]
    fn words_of_others_are_kept_under_their_own_numbers() {
        let context = Context { selected: Some("part".to_owned()), ..reply(6, false, "a part") };
        let asked = question(Some(&context)).asked(&[], None);
        assert_eq!(asked.quoted.len(), 1);
        assert_eq!((asked.quoted[0].0, asked.quoted[0].1.content.len()), (UserId(6), 2));
        assert_eq!(asked.message.content.len(), 2, "the speaker and the words");
        let own = reply(5, false, "mine");
        let asked = question(Some(&own)).asked(&[], None);
        assert!(asked.quoted.is_empty() && asked.message.content.len() == 3);
        assert_eq!(asked.words(), "mine\nwhy?");
    }

    #[test]
    fn the_bots_last_words_are_not_quoted_again() {
        let history = [Message::user("x"), Message::assistant("**Old** answer")];
        let asked = |text: &str| question(Some(&reply(9, true, text))).asked(&history, None);
        assert_eq!(asked("Old answer").message.content.len(), 2);
        let older = asked("Another answer");
        let Content::Quote(quote) = &older.message.content[0] else { panic!("{older:?}") };
        assert_eq!((quote.author.as_str(), older.quoted.len()), (OURSELVES, 0));
    }

    #[test]
    fn a_short_old_answer_is_not_taken_for_the_last_one() {
        let long = "Yes, plums are what you want, and many of them, as ripe as they can be today, or tomorrow.";
        let history = [Message::user("x"), Message::assistant(long)];
        let is_quoted = |text: &str, id: Option<i64>| {
            let mut context = reply(9, true, text);
            context.reply.as_mut().unwrap().message_id = id.map(MessageId);
            let asked = question(Some(&context)).asked(&history, id.map(|_| MessageId(8)));
            asked.message.content.len() == 3
        };
        assert!(is_quoted("Yes", Some(4)) && is_quoted("Yes", None), "an older message");
        assert!(!is_quoted("Yes", Some(8)), "the last part of the last answer");
        assert!(is_quoted("No", Some(8)), "the answer to a command");
        assert!(!is_quoted(long, Some(4)) && !is_quoted(long, None), "the first part of it");
    }

    #[test]
    fn what_was_forwarded_stays_its_authors() {
        let author = Author { name: "News".to_owned(), id: None };
        let context = Context { forwarded: Some(author), ..Context::default() };
        let asked = question(Some(&context)).asked(&[], None);
        let Content::Quote(quote) = &asked.message.content[1] else { panic!("{asked:?}") };
        assert_eq!((quote.kind, quote.text.as_str()), (QuoteKind::Forward, "why?"));
    }
}
