//! What a question led to, and how people read it.

use super::call::Call;
use super::citations::Given;
use super::engine::AnswerEngine;
use super::error::{AnswerError, way_back};
use super::failover::Ended;
use super::joint;
use super::plan::Plan;
use super::question::{Asked, Question};
use super::stream::Collected;
use crate::model::budget::OverBudget;
use crate::model::class::AnswerClass;
use crate::model::conversation::{AnswerMetadata, Message, StopReason};
use crate::model::effect::Continued;
use crate::model::ids::InboxSeq;
use crate::model::reply::Reply;
use crate::store::{NewTurn, StoreError};

/// The outcome of a question.
#[derive(Debug)]
pub enum Answered {
    /// An answer, with what the history keeps of it.
    Answer {
        /// For the chat.
        reply: Reply,
        /// For the history.
        turn: Option<NewTurn>,
    },
    /// No answer; the reply says so and a new try makes sense.
    Failed {
        /// For the chat.
        reply: Reply,
        /// For counting.
        class: AnswerClass,
    },
    /// An answer that had been cut went on.
    Continued {
        /// For the chat.
        reply: Reply,
        /// For the history.
        continued: Continued,
    },
    /// There is no answer until a budget opens again.
    OverBudget(OverBudget),
    /// A person sent `/cancel`.
    Cancelled,
}

impl AnswerEngine {
    /// Answers, and says whether it was by the configured model.
    pub(super) async fn answer(
        &self,
        question: Question<'_>,
        (plan, asked): (Plan, Asked),
        asked_by: InboxSeq,
        call: Call<'_>,
    ) -> Result<(Answered, bool), StoreError> {
        let Ended { at, plan, record, collected, duration_ms } =
            self.put(question, plan, call, None).await;
        let mut known = self.known(at, &plan);
        self.note_retrieval(&record);
        let is_configured = self.chosen(&record).is_none();
        let answered = match collected {
            Collected::Cancelled => Answered::Cancelled,
            Collected::Failed { error: AnswerError::OverBudget(over), .. } => {
                Answered::OverBudget(over)
            }
            Collected::Failed { error, text } if text.is_empty() => {
                let reply = self.refusal((at, &plan), &error, self.chosen(&record));
                Answered::Failed { reply, class: error.class() }
            }
            // What people have seen stays, and says that it is not all.
            Collected::Failed { error, text } => {
                let text = self.settings.redactor.clean(text);
                let note = format!("{BROKE_OFF}{}{KEPT}", way_back(self.chosen(&record)));
                let checked = self.check(at, &text, &Given::first(question.text, &plan));
                let reply = self.reply(at, Some(&note), &checked, &plan.passages);
                Answered::Failed { reply, class: error.class() }
            }
            Collected::Whole { text, finished, .. } => {
                let text = self.settings.redactor.clean(text);
                let checked = self.check(at, &text, &Given::first(question.text, &plan));
                self.note_sources(at, &checked, &plan.passages);
                let reply = self.reply(at, note(finished.reason), &checked, &plan.passages);
                known.passages = checked.kept_with(&plan.passages);
                known.model = finished.model.unwrap_or(known.model);
                (known.usage, known.cost) = (finished.usage, finished.cost);
                known.stop_reason = finished.reason;
                known.duration_ms = duration_ms;
                // The history keeps the model's words as they were shown; why they end is kept beside
                // them.
                let turn = NewTurn {
                    conversation: question.conversation,
                    asked_by,
                    sender: question.user,
                    quoted: asked.quoted,
                    messages: vec![asked.message, Message::assistant(checked.text.as_str())],
                    answer: known,
                };
                let length = checked.text.len();
                let reply = joint::with_way_on(reply, finished.reason, asked_by, length);
                Answered::Answer { reply, turn: Some(turn) }
            }
        };
        Ok((answered, is_configured))
    }

    /// What is known of an answer before it is there.
    fn known(&self, at: usize, plan: &Plan) -> AnswerMetadata {
        let mut sources: Vec<String> = Vec::new();
        for passage in &plan.passages {
            if !sources.contains(&passage.source) {
                sources.push(passage.source.clone());
            }
        }
        let model =
            plan.base.model.clone().unwrap_or_else(|| self.endpoints[at].model().to_owned());
        let provider = self.endpoints[at].name.clone();
        AnswerMetadata { provider, model, sources, ..AnswerMetadata::default() }
    }
}

/// What a person reads below an answer that broke off.
const BROKE_OFF: &str = "_(The answer broke off here and is not complete.)_";

/// What follows that, and what may be said in between.
const KEPT: &str = " Your question is kept; nothing was lost.";

/// What a person reads below an answer that was cut.
pub(super) fn note(reason: StopReason) -> Option<&'static str> {
    match reason {
        StopReason::Length => Some("_(The answer reached its length limit and was cut.)_"),
        StopReason::Filtered => Some("_(The provider's filter stopped this answer.)_"),
        StopReason::Unsaid => {
            Some("_(The model's server did not say whether this answer is complete.)_")
        }
        StopReason::End | StopReason::ToolCalls | StopReason::Other => None,
    }
}
