//! Money around one request: what it can cost at most is reserved before the provider is asked, and settled to
//! what the provider reports.
//!
//! Invariants: no request leaves before its reservation is on disk; a ledger that cannot be written refuses it;
//! what is not known to be less costs all that was reserved.

use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::pin;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::budget::{Budgeting, Held, Seen, lock};
use super::call::Call;
use super::endpoint::Endpoint;
use super::engine::AnswerEngine;
use super::error::AnswerError;
use super::stream::Collected;
use crate::model::budget::{Budgets, OverBudget, Scope, Spender, parse_day};
use crate::model::conversation::{ChatRequest, Message};
use crate::model::money::{MicroUsd, Price};
use crate::observe::vitals::Vitals;
use crate::provider::{Priced, ProviderError, priced, prices_made_on, prompt};
use crate::store::{CallId, NewCall, Reserved, Settlement};

/// No answer has room for fewer tokens than this: rather than a shorter one there is none.
const LEAST_TOKENS: u32 = 256;

/// Bytes of a token at least, in most scripts and tokenizers; models teach how many others have.
const TOKEN_BYTES: usize = 3;

/// Tokens that stand around each message, and around all of them.
const AROUND: usize = 8;

/// While other calls hold what this one needs, it looks again at least this often.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// The gateway that bills what it says in each answer.
const NAMES_COST: &str = "openrouter.ai";

/// Until who was granted money in a commit knows it.
const SAME_COMMIT: Duration = Duration::from_millis(20);

/// A request that may be made.
pub(super) struct Ticket<'a> {
    budgeting: &'a Budgeting,
    held: Option<Held<'a>>,
    call: Option<CallId>,
    booked: NewCall,
    /// What was reserved.
    amount: MicroUsd,
    price: Price,
    /// Its server says what a call costs, and is believed: it charges for models of many vendors, at prices that
    /// no table has.
    names_cost: bool,
    /// Tokens of the prompt by its bytes alone.
    estimate: u64,
    /// How long the answer may be.
    pub(super) max_output_tokens: u32,
}

impl AnswerEngine {
    /// Reserves what a request can cost at most. Where that does not fit but a shorter answer does, the answer
    /// is bounded. Until `deadline` it waits for what other calls may give back, if one is given.
    pub(super) async fn reserve<'e>(
        &'e self,
        endpoint: &Endpoint,
        request: &ChatRequest,
        call: &Call<'_>,
        deadline: Option<Instant>,
    ) -> Result<Ticket<'e>, AnswerError> {
        let model = request.model.as_deref().unwrap_or_else(|| endpoint.model());
        let price = self.price(endpoint, model)?;
        let asker = &call.asker;
        let spender = Spender { user: asker.user, chat: asker.chat, purpose: asker.purpose };
        let estimate = estimate(request);
        let mut ticket = Ticket {
            budgeting: &self.budgeting,
            held: None,
            call: None,
            booked: NewCall::free(spender, endpoint.name.clone(), model.to_owned()),
            amount: MicroUsd::ZERO,
            estimate,
            max_output_tokens: request.max_output_tokens,
            names_cost: endpoint.provider.host() == Some(NAMES_COST),
            price,
        };
        if ticket.price.is_free() {
            return Ok(ticket);
        }
        let input = (estimate as f64 * self.budgeting.factors.of(model)).ceil() as u64;
        let most = request.max_output_tokens;
        ticket.booked.wanted = ticket.price.worst(input, most.into());
        ticket.booked.least = ticket.price.worst(input, most.min(LEAST_TOKENS).into());
        loop {
            let ended = self.budgeting.ended.notified();
            pin!(ended);
            let held = self.budgeting.hold(&spender);
            let reserved = self.ledger.reserve(ticket.booked.clone(), self.settings.budgets).await;
            match reserved.map_err(AnswerError::Ledger)? {
                Reserved::Granted { call, amount, is_low } => {
                    held.grant();
                    if is_low.is_some() {
                        *lock(&self.budgeting.low) = is_low;
                    }
                    let tokens = ticket.price.affordable(input, amount).min(most.into());
                    ticket.max_output_tokens = u32::try_from(tokens).unwrap_or(most);
                    (ticket.call, ticket.held, ticket.amount) = (Some(call), Some(held), amount);
                    return Ok(ticket);
                }
                Reserved::Refused(over) => {
                    drop(held);
                    let until = deadline.filter(|deadline| Instant::now() < *deadline);
                    let Some(until) = until else {
                        self.note_refused(&over, deadline.is_some());
                        return Err(AnswerError::OverBudget(over));
                    };
                    // The last holder may have ended since the ledger was asked.
                    if !self.is_held(&over, &spender).await && !ended.as_mut().enable() {
                        self.note_refused(&over, true);
                        return Err(AnswerError::OverBudget(over));
                    }
                    tokio::select! {
                        _ = timeout(LOOK_AGAIN, ended) => {}
                        () = sleep_until(until) => {}
                        () = call.cancel.cancelled() => return Err(AnswerError::OverBudget(over)),
                    }
                }
            }
        }
    }

    /// Whether calls that are under way may give back some of what this one needs: they hold all that they can
    /// cost, and cost less.
    async fn is_held(&self, over: &OverBudget, spender: &Spender) -> bool {
        // What was granted in the same commit may not know it yet.
        if self.budgeting.others(over.scope, spender) == (false, true) {
            sleep(SAME_COMMIT).await;
        }
        self.budgeting.others(over.scope, spender).0
    }

    /// `is_final`: no other provider is asked now.
    fn note_refused(&self, over: &OverBudget, is_final: bool) {
        self.vitals.increment("budget_refused", over.scope.as_str());
        if is_final && over.scope == Scope::Total {
            self.vitals.money.refuses_until_ms.store(over.opens_ms, Ordering::Relaxed);
        }
    }

    /// What a model costs.
    fn price(&self, endpoint: &Endpoint, model: &str) -> Result<Price, AnswerError> {
        let found = priced(&*endpoint.provider, model, endpoint.price.unwrap_or_default());
        if let Priced::Dearest(_) = &found {
            if self.vitals.money.unpriced(&endpoint.name, model) {
                tracing::warn!(
                    finding = "price_unknown",
                    provider = endpoint.name,
                    model,
                    "the price of {model} is not known; it counts as the dearest, or is not asked"
                );
            }
            if self.settings.budgets.refuses_unknown {
                return Err(AnswerError::Provider(ProviderError::Unusable {
                    setting: "the model",
                    problem: "its price is not known, and budget.unknown_price is refuse",
                }));
            }
        }
        Ok(found.price())
    }

    /// Books how a request ended. What is not committed with the next write of any kind stays at all that was
    /// reserved.
    /// Answers what it cost.
    pub(super) async fn settle(
        &self,
        ticket: Ticket<'_>,
        seen: &Mutex<Seen>,
        collected: &Collected,
    ) -> MicroUsd {
        let settlement = lock(seen).settlement(&ticket.price, ticket.names_cost, collected);
        let NewCall { provider, model, .. } = &ticket.booked;
        if let Settlement::Reported { usage, .. } = settlement {
            ticket.budgeting.factors.learn(model, ticket.estimate, usage.input_tokens);
        }
        let booked = match (ticket.call, settlement) {
            (Some(call), _) => self.ledger.settle(call, settlement).await,
            (None, Settlement::NotMade) => Ok(()),
            (None, _) => self.ledger.record_free_call(ticket.booked.clone(), settlement).await,
        };
        if let Err(error) = booked {
            tracing::warn!(%error, "what an answer cost is not booked; all that was reserved counts");
        }
        let cost = match settlement {
            Settlement::Reported { cost, .. } => cost,
            Settlement::NotMade => MicroUsd::ZERO,
            Settlement::Assumed => ticket.amount,
        };
        self.vitals.money.cost(provider, model, cost);
        drop(ticket.held);
        cost
    }
}

/// How many tokens a prompt may have, by its bytes.
fn estimate(request: &ChatRequest) -> u64 {
    let composed = prompt::compose(request.clone());
    let of = |bytes: usize| bytes.div_ceil(TOKEN_BYTES) + AROUND;
    let size = |message: &Message| message.texts().map(str::len).sum::<usize>();
    let messages = composed.messages.iter().map(|message| of(size(message))).sum::<usize>();
    u64::try_from(of(composed.system.len()) + messages + AROUND).unwrap_or(u64::MAX)
}

/// What holds from now on, for those who watch.
pub(super) fn show(vitals: &Vitals, budgets: Budgets, endpoints: &[Endpoint]) {
    let set = |endpoint: &Endpoint| endpoint.price.unwrap_or_default();
    let from_table = |endpoint: &Endpoint| {
        let both = set(endpoint).input.is_some() && set(endpoint).output.is_some();
        let priced = priced(&*endpoint.provider, endpoint.model(), set(endpoint));
        !both && !priced.price().is_free()
    };
    let day = parse_day(prices_made_on()).unwrap_or_default();
    vitals.money.renew(budgets, endpoints.iter().any(from_table), day);
}

#[cfg(test)]
#[path = "../../tests/unit/booking.rs"]
mod tests;
