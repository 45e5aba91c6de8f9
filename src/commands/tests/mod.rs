//! Every command for every role, on a real store: the house that the tests live in.

mod access;
mod pages;
mod press;
mod talk;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use super::*;
use crate::model::access::Role;
use crate::model::conversation::{AnswerMetadata, ConversationId, Message};
use crate::model::effect::Effect;
use crate::model::ids::{BotId, ChatId, InboxSeq, MessageId, UpdateId, UserId};
use crate::model::message::{Body, Incoming, Person, Place, Press, Update, UpdateEvent};
use crate::observe::clock::Clock;
use crate::store::{Finish, NewTurn, Pieces, Store, UpdateOutcome};

const OWNER: UserId = UserId(1);
const MEMBER: UserId = UserId(2);
const STRANGER: UserId = UserId(3);
const GROUP: ChatId = ChatId(-100);
const CLAIM: &str = "K7QM-2XWD";

struct House {
    context: CommandContext,
    clock: Clock,
    dir: tempfile::TempDir,
    /// The update of the next command.
    asked: AtomicI64,
}

impl House {
    /// A bot without an owner.
    fn new(access: Rules) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::manual(1_700_000_000_000);
        let context = context(&dir, &clock, access);
        Self { context, clock, dir, asked: AtomicI64::new(1) }
    }

    /// A bot with an owner and a member.
    async fn lived_in(access: Rules) -> Self {
        let house = Self::new(access);
        let effects = vec![Effect::Claim(named(OWNER)), Effect::Approve(MEMBER)];
        house.context.store.apply(effects).await.unwrap();
        house
    }

    /// Runs a command and stores what it led to, as the pipeline does.
    async fn ask_in(&self, chat: ChatId, from: UserId, text: &str) -> Outcome {
        let from = named(from);
        let parsed = is_command(text, "KatanaBot").unwrap();
        let outcome = self
            .context
            .run(&CommandRequest {
                seq: InboxSeq(self.asked.fetch_add(1, Ordering::Relaxed)),
                chat,
                topic: 0,
                place: if chat.is_shared() { Place::Group } else { Place::Private },
                from: &from,
                role: self.context.role(&from.id).await.unwrap(),
                message_id: Some(MessageId(77)),
                word: parsed.word,
                args: parsed.args,
                addressed: parsed.addressed == Some(true),
                files: &[],
                cancelled: 0,
                reply_to: None,
            })
            .await
            .unwrap();
        self.context.store.apply(outcome.effects.clone()).await.unwrap();
        outcome
    }

    async fn ask(&self, from: UserId, text: &str) -> Outcome {
        self.ask_in(ChatId(from.0), from, text).await
    }

    async fn press_in(&self, chat: ChatId, from: UserId, data: &str) -> Outcome {
        let press = Press {
            callback_id: "1".into(),
            chat,
            place: if chat.is_shared() { Place::Group } else { Place::Private },
            from: named(from),
            message_id: MessageId(78),
            thread: None,
            data: data.into(),
        };
        let role = self.context.role(&from).await.unwrap();
        let outcome = self.context.press(&press, role).await.unwrap();
        self.context.store.apply(outcome.effects.clone()).await.unwrap();
        outcome
    }

    async fn press(&self, from: UserId, data: &str) -> Outcome {
        self.press_in(ChatId(from.0), from, data).await
    }

    /// A stranger writes something that is not a command.
    async fn knock(&self, from: &Person) -> Outcome {
        let outcome = self.context.stranger(from, ChatId(from.id.0), Place::Private).await.unwrap();
        self.context.store.apply(outcome.effects.clone()).await.unwrap();
        outcome
    }

    async fn code_of(&self, user: UserId) -> String {
        self.context.store.user(user).await.unwrap().unwrap().code.unwrap()
    }

    async fn said(&self, chat: ChatId, user: UserId) {
        let asked = question(chat, user, self.clock.now_ms());
        self.context.store.accept(vec![asked], Some(0)).await.unwrap();
        let seq = self.context.store.new_updates(InboxSeq(0), 1).await.unwrap()[0].seq;
        let turn = NewTurn {
            conversation: ConversationId { chat, topic: 0 },
            asked_by: seq,
            sender: user,
            quoted: Vec::new(),
            messages: vec![Message::user("q"), Message::assistant("a")],
            answer: AnswerMetadata::default(),
        };
        self.context.store.finish(finish(seq, false, Some(turn))).await.unwrap();
    }

    /// A question whose provider failed, kept for another try.
    async fn kept(&self, chat: ChatId, user: UserId) -> InboxSeq {
        let asked = question(chat, user, self.clock.now_ms() + 1);
        self.context.store.accept(vec![asked], Some(0)).await.unwrap();
        let seq = self.context.store.new_updates(InboxSeq(0), 1).await.unwrap()[0].seq;
        self.context.store.finish(finish(seq, true, None)).await.unwrap();
        seq
    }
}

fn context(dir: &tempfile::TempDir, clock: &Clock, access: Rules) -> CommandContext {
    let store = Store::open(&dir.path().join("katana.db"), BotId(9), clock.clone()).unwrap();
    let about = About {
        username: "KatanaBot".into(),
        version: "0.1.0",
        environment: "test".into(),
        provider: "openai".into(),
        answers_from: AnswerSource::Model,
        model: "gpt-x".into(),
        models: vec!["meta/llama:70b".into(), "x".into()],
        started_ms: clock.now_ms() - 3_720_000,
    };
    CommandContext::new(store, clock.clone(), Arc::default(), access, about)
}

fn named(id: UserId) -> Person {
    Person { id, name: format!("P{id}"), username: Some(format!("user_{id}")) }
}

fn question(chat: ChatId, user: UserId, id: i64) -> Update {
    let event = UpdateEvent::Message(Incoming {
        chat,
        place: if chat.is_shared() { Place::Group } else { Place::Private },
        from: named(user),
        message_id: MessageId(5),
        date_s: 1,
        body: Body::Text("why?".into()),
        ..Incoming::default()
    });
    Update { id: UpdateId(id + chat.0 + user.0), event }
}

fn finish(seq: InboxSeq, keep_body: bool, turn: Option<NewTurn>) -> Finish {
    let (effects, parts) = (Vec::new(), Vec::new());
    Finish {
        seq,
        outcome: UpdateOutcome::Answered,
        keep_body,
        pieces: Pieces::default(),
        effects,
        turn,
        parts,
        first_attempt: None,
    }
}

fn text(outcome: &Outcome) -> &str {
    outcome.replies.first().map_or("", |say| say.reply.text())
}

fn toast(outcome: &Outcome) -> &str {
    match &outcome.follow_up {
        FollowUp::ClosePress(text) => text,
        _ => "",
    }
}

fn is_silent(outcome: &Outcome) -> bool {
    *outcome == Outcome::default()
}
