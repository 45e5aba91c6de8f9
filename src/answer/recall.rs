//! A question is answered from what is kept, or by a model.

use std::time::Duration;

use hygiene::duration::in_words as span;

use super::Answerer;
use super::answered::Answered;
use super::asker::Purpose;
use super::cache::{CachedAnswer, Slot};
use super::call::Call;
use super::engine::AnswerEngine;
use super::plan::Plan;
use super::question::{Asked, Question};
use crate::model::conversation::{AnswerMetadata, DocumentUse, Message, StopReason};
use crate::model::ids::{InboxSeq, UserId};
use crate::model::reply::Reply;
use crate::observe::documents::DocumentsState;
use crate::store::{NewTurn, StoreError};

/// The provider of an answer that was kept.
const CACHE: &str = "cache";

/// What a person reads when only documents answer, and they say nothing about the question.
const NOT_IN_DOCUMENTS: &str = "I found nothing about that in my documents, and I answer from them only. \
                                Other words may help: the name of a command, a setting or a message.";

/// The same while there are none.
const NO_DOCUMENTS: &str =
    "I answer from documents only, and I have none yet. My owner can send me some with /learn.";

/// The same while they cannot be read.
const UNREADABLE: &str = "I answer from documents only, and I cannot read them at the moment. Please ask again later; \
                          my owner can see the reason in the log.";

impl Answerer {
    /// Forgets the answers that are kept for this person.
    pub fn forget(&self, user: UserId) {
        self.engine.load().cache.forget(user);
    }
}

impl AnswerEngine {
    /// Answers, and says whether it was by the configured model.
    pub(super) async fn recall_or_answer(
        &self,
        question: Question<'_>,
        asked_by: InboxSeq,
        call: Call<'_>,
    ) -> Result<(Answered, bool), StoreError> {
        let (plan, asked) = self.plan(question).await?;
        if self.is_not_in_documents(&plan, call.asker.purpose) {
            self.vitals.increment("retrieval", "none");
            let has_any = self.knowledge.as_ref().is_some_and(|knowledge| knowledge.size().0 > 0);
            let said = match **self.vitals.documents.load() {
                _ if has_any => NOT_IN_DOCUMENTS,
                DocumentsState::Unreadable => UNREADABLE,
                _ => NO_DOCUMENTS,
            };
            let reply = Reply::markdown(said);
            return Ok((Answered::Answer { reply, turn: None }, false));
        }
        let slot = self.slot(&question, &plan, call.asker.purpose).await;
        if let Some(slot) = &slot {
            let found = if question.is_fresh { None } else { self.cache.find(slot) };
            let outcome = match &found {
                _ if question.is_fresh => "fresh",
                Some(_) => "hit",
                None => "miss",
            };
            self.vitals.increment("answer_cache", outcome);
            if let Some((answer, age)) = found {
                return Ok((self.again(question, asked, asked_by, answer, age), false));
            }
        }
        let (answered, is_configured) =
            self.answer(question, (plan, asked), asked_by, call).await?;
        if let (Some(slot), Answered::Answer { reply, turn: Some(turn) }) = (slot, &answered)
            && turn.answer.stop_reason == StopReason::End
            && self.is_of_model(&turn.answer.provider)
        {
            let text = turn.messages.last().map(Message::joined).unwrap_or_default();
            let (reply, metadata) = (reply.clone(), turn.answer.clone());
            self.cache.keep(slot, CachedAnswer { reply, text, metadata });
        }
        Ok((answered, is_configured))
    }

    /// Whether there is no answer, because only documents have one and nothing was found in them.
    fn is_not_in_documents(&self, plan: &Plan, purpose: Purpose) -> bool {
        let is_only = plan.base.documents == DocumentUse::Only && plan.passages.is_empty();
        is_only && purpose == Purpose::Question && self.has_context()
    }

    /// Whether this endpoint is a model: what documents said while it was out of reach is not its answer.
    fn is_of_model(&self, name: &str) -> bool {
        let mut endpoints = self.endpoints.iter();
        endpoints.any(|endpoint| endpoint.name == name && endpoint.provider.has_context())
    }

    /// Only a model's answer is worth keeping, and the bot's own question is asked to hear the model.
    async fn slot(&self, question: &Question<'_>, plan: &Plan, purpose: Purpose) -> Option<Slot> {
        let is_model = self.first().provider.has_context();
        if !is_model || purpose != Purpose::Question || self.settings.cache.life.is_zero() {
            return None;
        }
        // What goes along counts, and not what is left out.
        let mut plan = plan.clone();
        self.fit(0, &mut plan).await;
        self.cache.slot(question, &plan)
    }

    /// The same answer once more.
    fn again(
        &self,
        question: Question<'_>,
        asked: Asked,
        asked_by: InboxSeq,
        answer: CachedAnswer,
        age: Duration,
    ) -> Answered {
        let CachedAnswer { reply, text, metadata } = answer;
        let age_ms = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        let chat_id = question.conversation.chat.0;
        tracing::info!(chat_id, age_ms, "answered with a kept answer");
        let note =
            format!("_(I gave this answer {} ago; /fresh asks the model again.)_", span(age_ms));
        let footer = reply.footer.iter().cloned().chain([note]).collect::<Vec<_>>().join("\n\n");
        // A secret may have become known since.
        let text = self.settings.redactor.clean(text);
        let turn = NewTurn {
            conversation: question.conversation,
            asked_by,
            sender: question.user,
            quoted: asked.quoted,
            messages: vec![asked.message, Message::assistant(text)],
            // It cost no token, no money and no time.
            answer: AnswerMetadata {
                provider: CACHE.to_owned(),
                model: metadata.model,
                stop_reason: metadata.stop_reason,
                sources: metadata.sources,
                passages: metadata.passages,
                cost: Some(0),
                ..AnswerMetadata::default()
            },
        };
        let reply = Reply { footer: Some(footer), ..reply };
        Answered::Answer { reply, turn: Some(turn) }
    }
}
