//! Money of all requests of the process: what is under way, what estimates have learned, what was said about
//! budgets; and what a stream shows of its cost.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::StreamExt;
use tokio::sync::Notify;

use super::error::AnswerError;
use super::stream::Collected;
use crate::model::budget::{BudgetNotice, OverBudget, Period, Scope, Spender, moment};
use crate::model::conversation::{Event, Usage};
use crate::model::limits;
use crate::model::money::{MicroUsd, Price};
use crate::provider::{Answering, ProviderError};
use crate::store::Settlement;

/// How far off an estimate is known to be at most. Tokenizers disagree up to 6.6 times.
const FARTHEST: f64 = 8.0;

/// What all requests of the process have in common.
#[derive(Default)]
pub struct Budgeting {
    pub(super) factors: Factors,
    under_way: Mutex<Vec<UnderWay>>,
    /// A call that held money has ended.
    pub(super) ended: Notify,
    told: Mutex<HashMap<BudgetNotice, i64>>,
    pub(super) low: Mutex<Option<(Period, i64)>>,
}

/// How much more tokens a prompt has than its bytes show, by model. Learned from what providers report: at once
/// when it is more, slowly when it is less.
#[derive(Default)]
pub(super) struct Factors(Mutex<HashMap<String, f64>>);

/// A call that holds money.
struct UnderWay {
    number: u64,
    scopes: Vec<(Scope, i64)>,
    /// It has its money; before, it only asks for it.
    is_granted: bool,
}

/// Counts a call as under way until it is dropped.
pub(super) struct Held<'a> {
    budgeting: &'a Budgeting,
    number: u64,
}

/// What was seen of a stream.
#[derive(Default)]
pub(super) struct Seen {
    began: bool,
    usage: Option<Usage>,
    has_text: bool,
}

impl Budgeting {
    /// Whether this is the first to tell it in this process; then that holds until that moment (Unix milliseconds).
    pub fn is_first_to_tell(&self, notice: BudgetNotice, until_ms: i64) -> bool {
        let mut told = lock(&self.told);
        if told.len() >= limits::NOTICES {
            told.clear();
        }
        let known = told.entry(notice).or_insert(i64::MIN);
        let is_news = *known < until_ms;
        *known = until_ms.max(*known);
        is_news
    }

    /// The total budget that runs low, and until when, if the owners have to hear of it.
    pub fn take_low(&self) -> Option<(Period, i64)> {
        lock(&self.low).take()
    }

    /// Counts a call as one that asks for money.
    pub(super) fn hold(&self, spender: &Spender) -> Held<'_> {
        let mut under_way = lock(&self.under_way);
        let number = under_way.last().map_or(0, |last| last.number + 1);
        under_way.push(UnderWay { number, scopes: spender.scopes(), is_granted: false });
        Held { budgeting: self, number }
    }

    /// Whether another call holds money of the same scope, which may come back, and whether one asks for it.
    pub(super) fn others(&self, scope: Scope, spender: &Spender) -> (bool, bool) {
        let ours = spender.scopes().into_iter().find(|(one, _)| *one == scope);
        let under_way = lock(&self.under_way);
        let others =
            under_way.iter().filter(|one| ours.is_some_and(|ours| one.scopes.contains(&ours)));
        others.fold((false, false), |(holds, asks), one| {
            (holds | one.is_granted, asks | !one.is_granted)
        })
    }
}

impl Held<'_> {
    /// It has its money.
    pub(super) fn grant(&self) {
        let mut under_way = lock(&self.budgeting.under_way);
        if let Some(one) = under_way.iter_mut().find(|one| one.number == self.number) {
            one.is_granted = true;
        }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let mut under_way = lock(&self.budgeting.under_way);
        let at = under_way.iter().position(|one| one.number == self.number);
        // One that was refused held nothing that another could wait for. Those who find it gone were woken.
        if at.is_some_and(|at| under_way.remove(at).is_granted) {
            self.budgeting.ended.notify_waiters();
        }
    }
}

impl Factors {
    pub(super) fn of(&self, model: &str) -> f64 {
        lock(&self.0).get(model).copied().unwrap_or(1.0)
    }

    pub(super) fn learn(&self, model: &str, estimate: u64, reported: u64) {
        if estimate == 0 || reported == 0 {
            return;
        }
        let seen = reported as f64 / estimate as f64;
        let mut factors = lock(&self.0);
        if factors.len() >= limits::METRIC_LABELS && !factors.contains_key(model) {
            factors.clear();
        }
        let known = factors.entry(model.to_owned()).or_insert(1.0);
        let next = if seen > *known { seen } else { *known * 0.9 + seen * 0.1 };
        *known = next.clamp(1.0, FARTHEST);
    }
}

impl Seen {
    /// The same stream, of which this is noted.
    pub(super) fn watch(seen: &Arc<Mutex<Self>>, pieces: Answering) -> Answering {
        let seen = Arc::clone(seen);
        let note = move |piece: &Result<Event, ProviderError>| {
            let Ok(event) = piece else { return };
            let mut seen = lock(&seen);
            // Headers alone do not show that the model works.
            seen.began |= !matches!(event, Event::RateLeft(_));
            match event {
                Event::Done(finished) => seen.usage = finished.usage,
                Event::Text(_) | Event::Reasoning(_) => seen.has_text = true,
                _ => {}
            }
        };
        pieces.inspect(note).boxed()
    }

    pub(super) fn settlement(
        &self,
        price: &Price,
        names_cost: bool,
        collected: &Collected,
    ) -> Settlement {
        // A server that counts nothing for something did not count.
        let counted =
            |usage: &Usage| usage.input_tokens > 0 && (usage.output_tokens > 0 || !self.has_text);
        if let Some(usage) = self.usage.filter(counted) {
            let named = usage.cost.and_then(|cost| i64::try_from(cost).ok()).filter(|_| names_cost);
            let cost = named.map_or_else(|| price.cost(usage), MicroUsd);
            return Settlement::Reported { usage, cost };
        }
        let refused = match collected {
            Collected::Failed { error: AnswerError::Provider(error), .. } => {
                matches!(
                    error,
                    ProviderError::Unreachable { .. }
                        | ProviderError::Status { .. }
                        | ProviderError::Unusable { .. }
                        | ProviderError::Filtered
                ) && !is_late(error)
            }
            _ => false,
        };
        // Vendors bill no request that they refuse.
        if refused && !self.began { Settlement::NotMade } else { Settlement::Assumed }
    }
}

/// Whether a gateway stopped waiting for a server that may go on, and bill it.
fn is_late(error: &ProviderError) -> bool {
    matches!(error, ProviderError::Status { status: 408 | 504 | 524, .. })
}

/// What a person hears whose question has no answer because of a budget. `is_first`: they have not heard it
/// in this time.
pub fn refusal(over: &OverBudget, is_first: bool) -> String {
    let opens = moment(over.opens_ms);
    if !is_first {
        return format!("Nothing is left to spend until {opens}.");
    }
    let whose = match over.scope {
        Scope::User => "You have used up what your answers may cost",
        Scope::Chat => "This chat has used up what its answers may cost",
        Scope::Total | Scope::Canary => "I have used up what my answers may cost",
    };
    let when = match over.period {
        Period::Day => "today",
        Period::Month => "this month",
    };
    format!(
        "{whose} {when}. I answer questions again from {opens} on; commands work meanwhile, and /usage \
         shows what was used."
    )
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
