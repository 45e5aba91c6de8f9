//! What people hear when nothing is left to spend: the person who asked, each time; the owners, once in a day
//! or month.

use super::{Thought, Worker};
use crate::answer::refusal;
use crate::commands::OutgoingReply;
use crate::model::budget::{BudgetNotice, OverBudget, Period, Scope, moment};
use crate::model::class::AnswerClass;
use crate::model::effect::Effect;
use crate::model::ids::{ChatId, MessageId, UserId};
use crate::model::reply::Reply;
use crate::store::{StoreError, UpdateOutcome};

impl Worker {
    /// A question that is not answered because of a budget.
    pub(super) async fn over_budget(
        &self,
        chat: ChatId,
        user: UserId,
        reply_to: Option<MessageId>,
        over: &OverBudget,
    ) -> Result<Thought, StoreError> {
        let vitals = &self.parts.base.vitals;
        vitals.increment("answer_failed", AnswerClass::OverBudget.as_str());
        let mut thought = Thought::nothing(UpdateOutcome::Failed);
        let is_first =
            self.is_news(BudgetNotice::Refused(user.0), over.opens_ms, &mut thought).await?;
        let reply = Reply { reply_to, ..Reply::plain(refusal(over, is_first)) };
        thought.replies.push(OutgoingReply { to: chat, reply });
        if self.is_news(BudgetNotice::Exhausted(over.scope), over.opens_ms, &mut thought).await? {
            tracing::warn!(
                scope = over.scope.as_str(),
                period = over.period.as_str(),
                "too little is left of a budget: {} of {} are spent",
                over.spent,
                over.limit
            );
            self.tell_owners(&exhausted(over), &mut thought).await?;
        }
        Ok(thought)
    }

    /// The thought with what the owners have to hear of a total that runs low.
    pub(super) async fn with_low_budget(
        &self,
        mut thought: Thought,
    ) -> Result<Thought, StoreError> {
        let Some((period, until_ms)) = self.parts.answerer.budgeting().take_low() else {
            return Ok(thought);
        };
        if self.is_news(BudgetNotice::Low, until_ms, &mut thought).await? {
            self.tell_owners(&low(period, until_ms), &mut thought).await?;
        }
        Ok(thought)
    }

    /// Whether something about a budget is news. It is remembered with the thought.
    async fn is_news(
        &self,
        notice: BudgetNotice,
        until_ms: i64,
        thought: &mut Thought,
    ) -> Result<bool, StoreError> {
        let is_news = !self.parts.base.store.is_noticed(notice, until_ms).await?
            && self.parts.answerer.budgeting().is_first_to_tell(notice, until_ms);
        if is_news {
            thought.effects.push(Effect::Told { notice, until_ms });
        }
        Ok(is_news)
    }

    async fn tell_owners(&self, words: &str, thought: &mut Thought) -> Result<(), StoreError> {
        for owner in self.parts.context.owners().await? {
            let reply = Reply::plain(words);
            thought.replies.push(OutgoingReply { to: ChatId(owner.0), reply });
        }
        Ok(())
    }
}

/// What owners hear when a budget is used up.
fn exhausted(over: &OverBudget) -> String {
    let (whose, key) = match over.scope {
        Scope::Total => ("All answers together have", "total"),
        Scope::User => ("One person has", "user"),
        Scope::Chat => ("One chat has", "chat"),
        Scope::Canary => ("My own canary questions have", "canary"),
    };
    let (period, limit) = (over.period.as_str(), over.limit);
    let who = match over.scope {
        Scope::Total => "No one gets",
        Scope::User => "They get no more",
        Scope::Chat => "It gets no more",
        Scope::Canary => "They get no more",
    };
    format!(
        "{whose} used up the budget of this {period}, {limit}. {who} answers that cost something until {}. \
         /costs shows where the money went; the limit is budget.{key}_usd_per_{period} in my configuration.",
        moment(over.opens_ms)
    )
}

/// What owners hear when the total runs low.
fn low(period: Period, until_ms: i64) -> String {
    let period = period.as_str();
    format!(
        "More than four fifths of what answers may cost in this {period} are used up. When nothing is left, I \
         answer no questions until {}. /costs shows where the money went; the limit is \
         budget.total_usd_per_{period} in my configuration.",
        moment(until_ms)
    )
}
