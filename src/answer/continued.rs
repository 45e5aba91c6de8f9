//! An answer that was cut goes on.

use super::answered::{Answered, note};
use super::call::Call;
use super::citations::{Checked, Given};
use super::engine::AnswerEngine;
use super::error::AnswerError;
use super::failover::Ended;
use super::joint;
use super::question::{Question, said};
use super::stream::Collected;
use crate::model::cited::KeptPassage;
use crate::model::class::AnswerClass;
use crate::model::conversation::{AnswerMetadata, Role};
use crate::model::effect::Continued;
use crate::model::ids::{InboxSeq, UserId};
use crate::model::reply::Reply;
use crate::store::{CutAnswer, StoreError};

/// The instruction for the model. It is not kept: the exchange has one question and one answer.
pub(super) const GO_ON: &str = "Your answer was cut at its length limit. Go on exactly where it \
                                stopped. Repeat nothing, and write no introduction.";

/// What a person hears when the question and the answer so far fill what the model can read.
const NO_ROOM: &str = "The question and its answer fill all that the model can read, so it cannot go \
                       on. Please ask for the rest in a new question.";

/// What a person hears when the provider of the answer is no longer in the list.
const NO_WRITER: &str = "The model that wrote this answer is no longer asked here. Please ask for the rest \
                         in a new question.";

impl AnswerEngine {
    pub(super) async fn go_on(
        &self,
        cut: &CutAnswer,
        user: UserId,
        asked_by: InboxSeq,
        call: Call<'_>,
    ) -> Result<Answered, StoreError> {
        // Two models' texts are never joined.
        let wrote = self.endpoints.iter().position(|endpoint| endpoint.name == cut.provider);
        let Some(wrote) = wrote else {
            return Ok(Answered::Answer { reply: Reply::plain(NO_WRITER), turn: None });
        };
        let mut plan = self.plan_to_go_on(cut, GO_ON).await?;
        if wrote > 0 {
            // A model that was chosen is the first one's.
            plan.base.model = None;
        }
        let question = Question::plain(cut.conversation, user, GO_ON);
        let Ended { at, plan, record, collected, duration_ms } =
            self.put(question, plan, call, Some(wrote)).await;
        let (text, finished) = match collected {
            Collected::Cancelled => return Ok(Answered::Cancelled),
            Collected::Failed { error: AnswerError::OverBudget(over), .. } => {
                return Ok(Answered::OverBudget(over));
            }
            Collected::Failed { error, .. } => {
                let reply = match error.class() {
                    AnswerClass::TooLong => Reply::plain(NO_ROOM),
                    _ => error.reply(self.chosen(&record)),
                };
                return Ok(Answered::Failed { reply, class: error.class() });
            }
            Collected::Whole { text, finished, .. } => (text, finished),
        };
        let before = cut.text();
        let asked = cut.turn.messages.iter().filter(|message| message.role == Role::User);
        let given = Given {
            question: &said(asked),
            before: &before,
            passages: &plan.passages,
            cited: &cited(&cut.passages),
        };
        let text = self.settings.redactor.clean(text);
        let checked = self.check(at, joint::added(&before, &text), &given);
        let whole = format!("{before}{}", checked.text);
        // A secret may stand across the joint.
        let whole = joint::bounded(self.settings.redactor.clean(whole));
        let (kept, added) = whole.split_at(common(&before, &whole));
        let shown = joint::shown(kept, added);
        let passages = checked.kept_with(&plan.passages);
        let reply = if shown.trim().is_empty() {
            Reply::plain("There is nothing to add: the answer was complete.")
        } else {
            let checked = Checked { text: shown, ..checked };
            self.reply(at, note(finished.reason), &checked, &plan.passages)
        };
        let more = AnswerMetadata {
            usage: finished.usage,
            cost: finished.cost,
            stop_reason: finished.reason,
            duration_ms,
            passages,
            ..AnswerMetadata::default()
        };
        let reply = joint::with_way_on(reply, finished.reason, asked_by, whole.len());
        let continued = Continued { answer: cut.answer, text: whole, more };
        Ok(Answered::Continued { reply, continued })
    }
}

/// What an answer has cited so far.
fn cited(passages: &[KeptPassage]) -> Vec<KeptPassage> {
    passages.iter().filter(|passage| passage.number > 0).cloned().collect()
}

/// How many bytes two texts begin alike with.
fn common(one: &str, other: &str) -> usize {
    let alike = one.chars().zip(other.chars()).take_while(|(one, other)| one == other);
    alike.map(|(char, _)| char.len_utf8()).sum()
}
