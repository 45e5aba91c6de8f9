//! An answer that was cut goes on.

use super::answered::{Answered, note};
use super::call::Call;
use super::engine::AnswerEngine;
use super::error::AnswerError;
use super::failover::Ended;
use super::joint;
use super::question::Question;
use super::stream::Collected;
use crate::model::class::AnswerClass;
use crate::model::conversation::AnswerMetadata;
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
        let whole = format!("{before}{}", joint::added(&before, &text));
        // A secret may stand across the joint.
        let whole = joint::bounded(self.settings.redactor.clean(whole));
        let (kept, added) = whole.split_at(common(&before, &whole));
        let shown = joint::shown(kept, added);
        let reply = if shown.trim().is_empty() {
            Reply::plain("There is nothing to add: the answer was complete.")
        } else {
            self.reply(at, shown, note(finished.reason), &plan.passages)
        };
        let more = AnswerMetadata {
            usage: finished.usage,
            cost: finished.cost,
            stop_reason: finished.reason,
            duration_ms,
            ..AnswerMetadata::default()
        };
        let reply = joint::with_way_on(reply, finished.reason, asked_by, whole.len());
        let continued = Continued { answer: cut.answer, text: whole, more };
        Ok(Answered::Continued { reply, continued })
    }
}

/// How many bytes two texts begin alike with.
fn common(one: &str, other: &str) -> usize {
    let alike = one.chars().zip(other.chars()).take_while(|(one, other)| one == other);
    alike.map(|(char, _)| char.len_utf8()).sum()
}
