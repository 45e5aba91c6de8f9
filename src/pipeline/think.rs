//! Think: one update becomes replies and effects, and is finished in one commit.
//!
//! Invariant: an update that did not finish changed nothing, except that `/forget` may have deleted a part;
//! it is thought about again.

mod access;
mod admission;
mod at_once;
mod edited;
mod effects;
mod finish;
mod given_up;
mod latest;
mod learn;
mod limited;
mod over_budget;
mod parts;
mod press;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio_util::sync::CancellationToken;

pub use self::at_once::AtOnce;
pub(super) use self::latest::mark;
pub(super) use self::parts::ThinkParts;
use super::deliver::{Delivery, Leaving};
use super::preview::Spot;
use super::route::{Nothing, Route, is_command, route};
use crate::answer::{Answered, AskedBy, Progress, Purpose, Question, refusal};
use crate::commands::{CommandRequest, FollowUp, Outcome, OutgoingReply};
use crate::model::class::AnswerClass;
use crate::model::effect::Effect;
use crate::model::ids::{ChatId, InboxSeq};
use crate::model::message::{Body, Incoming, Place, Update, UpdateEvent};
use crate::model::reply::{Button, Reply};
use crate::model::work::WorkKind;
use crate::store::{Queued, StoreError, UpdateOutcome};

/// Works on one update.
pub(super) struct Worker {
    pub(super) parts: Arc<ThinkParts>,
    pub(super) delivery: Delivery,
    /// Cancelled by `/cancel`.
    pub(super) cancel: CancellationToken,
    /// What the dispatcher knows of the update.
    pub(super) info: DispatchInfo,
}

/// What the dispatcher knows of an update.
#[derive(Default)]
pub(super) struct DispatchInfo {
    /// For a `/cancel`: how many questions it stopped.
    pub(super) stopped: usize,
    /// An earlier update of the chat waits for `/resume`, so a question waits behind it.
    pub(super) behind_held: bool,
    /// It has waited long enough for its group to turn out to be one that is allowed.
    pub(super) has_waited: bool,
    /// A worker has looked at it before, and it had to wait.
    pub(super) was_seen: bool,
    /// For an edit: the question before it has no answer and gets none.
    pub(super) replaces: bool,
}

/// How far a worker came.
pub(super) enum Worked {
    /// The update is done, and its first part may leave now.
    Done(Option<Leaving>),
    /// It waits for `/resume`.
    Held,
    /// It is looked at again soon: its group may turn out to be one that is allowed.
    Deferred,
    /// The process stops; the update is still new.
    Interrupted,
}

/// What thinking came to, before it is stored.
#[derive(Default)]
struct Thought {
    outcome: UpdateOutcome,
    replies: Vec<OutgoingReply>,
    effects: Vec<Effect>,
    turn: Option<crate::store::NewTurn>,
    keep_body: bool,
    /// What came in pieces, kept in the place of the update.
    whole: Option<Box<UpdateEvent>>,
    /// Notice for a pressed button, and which.
    press: Option<(String, Option<String>)>,
    /// Forum topic that the replies to this chat belong to.
    thread: Option<i64>,
}

impl Thought {
    fn nothing(outcome: UpdateOutcome) -> Self {
        Self { outcome, ..Self::default() }
    }

    fn of(outcome: UpdateOutcome, commands: Outcome) -> Self {
        Self { outcome, replies: commands.replies, effects: commands.effects, ..Self::default() }
    }
}

/// Where a question comes from.
struct Source<'a> {
    /// The update that asked, as the button *Try again* names it.
    seq: InboxSeq,
    /// Its place among the questions that wait: that of the update that asks now.
    order: InboxSeq,
    message: &'a Incoming,
    /// A kept answer will not do.
    is_fresh: bool,
}

impl Worker {
    /// Thinks and finishes.
    pub(super) async fn work(&self, queued: &Queued) -> Worked {
        let halt = self.parts.base.tasks.halt();
        let mut whole = None;
        if queued.is_edit() {
            let find = || self.with_its_pieces(queued);
            let found = self.parts.base.retry_until_stored("read what an edit is about", find);
            let Some(found) = found.await else { return Worked::Interrupted };
            whole = found;
        }
        let queued = whole.as_ref().unwrap_or(queued);
        let is_claim = is_command(&queued.update, &self.parts.me.username, "claim");
        let _turn = if is_claim { Some(self.parts.claims.lock().await) } else { None };
        let thought = tokio::select! {
            thought = self.parts.base.retry_until_stored("handle an update", || self.think(queued)) => thought,
            () = halt.cancelled() => None,
        };
        let Some(thought) = thought else { return Worked::Interrupted };
        let Some(mut thought) = thought else { return Worked::Held };
        thought.thread = thought.thread.or(queued.update.thread());
        if thought.outcome == UpdateOutcome::Refused
            && !self.info.has_waited
            && queued.update.chat().is_some_and(ChatId::is_supergroup)
        {
            return Worked::Deferred;
        }
        self.finish(queued, thought).await
    }

    async fn think(&self, queued: &Queued) -> Result<Option<Thought>, StoreError> {
        let parts = &*self.parts;
        Ok(Some(match route(&queued.update, &parts.me.username) {
            Route::Nothing(why) => {
                let (update_id, kind) = (queued.update.id.0, why.as_str());
                parts.base.vitals.increment("ignored", kind);
                if matches!(why, Nothing::Undecodable(_)) {
                    tracing::warn!(update_id, kind, "an update cannot be read ({kind})");
                }
                tracing::debug!(update_id, kind, "update ignored");
                Thought::nothing(UpdateOutcome::Ignored)
            }
            Route::Moved { from, to } => {
                tracing::info!(chat_id = from.0, new_chat_id = to.0, "group has a new id");
                let mut thought = Thought::nothing(UpdateOutcome::Moved);
                thought.effects.push(Effect::MoveChat { from, to });
                thought
            }
            Route::Membership { chat, present } => {
                tracing::info!(chat_id = chat.0, present, "membership changed");
                let mut thought = Thought::nothing(UpdateOutcome::Membership);
                thought.effects.push(Effect::Presence { chat, present });
                thought
            }
            Route::Press(press) => return self.press(queued, press).await,
            Route::Command { message, word, args } => {
                heard(&queued.update, message, WorkKind::Command.as_str(), word.len() + args.len());
                self.command(queued.seq, message, &word, &args).await?
            }
            Route::Hint { message, hint } => {
                heard(&queued.update, message, "hint", 0);
                self.explain(message, parts.context.hint(hint)).await?
            }
            Route::Unsupported { message, kind } => {
                heard(&queued.update, message, kind.as_str(), 0);
                self.explain(message, parts.context.unsupported(kind)).await?
            }
            Route::Question { message, text, is_fresh } => {
                if !self.info.was_seen {
                    heard(&queued.update, message, WorkKind::Question.as_str(), text.len());
                }
                match self.access(message).await? {
                    Err(refused) => refused,
                    Ok(_) if self.cancel.is_cancelled() => {
                        Thought::nothing(UpdateOutcome::Cancelled)
                    }
                    Ok(_) if self.has_to_wait() => return Ok(None),
                    Ok(role) => {
                        if let Some(thought) =
                            self.instead_of_answer(queued, message, &text).await?
                        {
                            return Ok(Some(thought));
                        }
                        let _place = match self.admit(queued, message, role) {
                            Ok(place) => place,
                            Err(limited) => return Ok(Some(*limited)),
                        };
                        let (seq, order) = (queued.seq, queued.seq);
                        let source = Source { seq, order, message, is_fresh };
                        // Boxed, because commands need no room for it.
                        Box::pin(self.answer(&source, &text)).await?
                    }
                }
            }
        }))
    }

    /// Whether questions wait for `/resume`.
    fn has_to_wait(&self) -> bool {
        self.info.behind_held || self.parts.signals.paused.load(Ordering::SeqCst)
    }

    async fn command(
        &self,
        seq: InboxSeq,
        message: &Incoming,
        word: &str,
        args: &str,
    ) -> Result<Thought, StoreError> {
        let context = &self.parts.context;
        let asked = CommandRequest {
            seq,
            chat: message.chat,
            topic: message.conversation().topic,
            place: message.place,
            from: &message.from,
            role: self.role(message).await?,
            message_id: Some(message.message_id),
            word,
            args,
            addressed: true,
            files: &message.files(),
            cancelled: self.info.stopped,
            reply_to: message.attached_to(),
        };
        let outcome = context.run(&asked).await?;
        self.parts.base.vitals.commands.add_one();
        tracing::info!(chat_id = message.chat.0, command = word, "command done: /{word}");
        if let FollowUp::Learn(files) = &outcome.follow_up {
            return self.learn(message, files).await;
        }
        Ok(Thought::of(UpdateOutcome::Command, outcome))
    }

    async fn answer(&self, source: &Source<'_>, text: &str) -> Result<Thought, StoreError> {
        let parts = &self.parts;
        let m = source.message;
        let speaker = speaker(m);
        let question = question(source, text, speaker.as_deref());
        let (progress, seen) = tokio::sync::watch::channel(Progress::Begun);
        let shown = parts.previews.show(Spot::of(m, &self.delivery), seen);
        let asked = AskedBy { update: source.seq, order: source.order, purpose: Purpose::Question };
        let answered = tokio::select! {
            answered = parts.answerer.answer(question, asked, &progress, &self.cancel) => answered?,
            never = shown => match never {},
            never = self.cancel_once(|| self.has_lost_access(m)) => match never {},
        };
        if matches!(answered, Answered::Cancelled) || self.has_lost_access(m).await? {
            return Ok(Thought::nothing(UpdateOutcome::Cancelled));
        }
        if let Answered::OverBudget(over) = answered {
            return self.over_budget(m.chat, m.from.id, m.attached_to(), &over).await;
        }
        let thought = self.answered(source, text, answered);
        self.with_low_budget(thought).await
    }

    fn answered(&self, source: &Source<'_>, text: &str, answered: Answered) -> Thought {
        let (parts, m) = (&self.parts, source.message);
        if !matches!(answered, Answered::Cancelled) {
            parts.latest_questions.note(m, text);
        }
        let again = Button::new("Try again", format!("retry:{}", source.seq));
        let (mut thought, reply) = self.outcome(answered, again);
        // Another try of what is too long would be too long again.
        thought.keep_body = thought.outcome == UpdateOutcome::Failed && !reply.buttons.is_empty();
        if thought.outcome == UpdateOutcome::Cancelled {
            return thought;
        }
        let reply_to = m.attached_to();
        thought.replies.push(OutgoingReply { to: m.chat, reply: Reply { reply_to, ..reply } });
        thought
    }

    /// What an answer leads to, and the reply. `again`: the button below a failure that another try may
    /// help.
    fn outcome(&self, answered: Answered, again: Button) -> (Thought, Reply) {
        let vitals = &self.parts.base.vitals;
        let mut thought = Thought::nothing(UpdateOutcome::Answered);
        let reply = match answered {
            Answered::Cancelled => {
                return (Thought::nothing(UpdateOutcome::Cancelled), Reply::plain(""));
            }
            Answered::Answer { reply, turn } => {
                thought.turn = turn;
                reply
            }
            Answered::Continued { reply, continued } => {
                thought.effects.push(Effect::Continue(continued));
                reply
            }
            Answered::OverBudget(over) => {
                thought.outcome = UpdateOutcome::Failed;
                return (thought, Reply::plain(refusal(&over, true)));
            }
            Answered::Failed { reply, class } => {
                vitals.answers_failed.add_one();
                vitals.increment("answer_failed", class.as_str());
                thought.outcome = UpdateOutcome::Failed;
                // Another try of what is too long would be too long again.
                let helps = class != AnswerClass::TooLong;
                return (thought, if helps { reply.with_row(vec![again]) } else { reply });
            }
        };
        vitals.answers.add_one();
        (thought, reply)
    }
}

fn speaker(message: &Incoming) -> Option<String> {
    (message.place == Place::Group).then(|| message.from.shown())
}

fn question<'a>(source: &Source<'a>, text: &'a str, speaker: Option<&'a str>) -> Question<'a> {
    let message = source.message;
    Question {
        conversation: message.conversation(),
        user: message.from.id,
        speaker,
        text,
        context: message.context.as_deref(),
        is_fresh: source.is_fresh,
        media: match message.body {
            Body::Text(_) => None,
            Body::Unsupported(kind) => Some(kind.as_str()),
        },
    }
}

fn heard(update: &Update, message: &Incoming, kind: &str, length: usize) {
    tracing::info!(
        update_id = update.id.0,
        chat_id = message.chat.0,
        user_id = message.from.id.0,
        kind,
        length,
        "message received"
    );
}
