//! Money around one request for vectors.
//!
//! Invariants: what costs something is in the ledger before it is asked for; what is not known to be less costs
//! all that was reserved.

use super::Embedder;
use super::error::EmbedError;
use crate::model::budget::{Purpose, Spender};
use crate::model::conversation::Usage;
use crate::model::ids::{ChatId, UserId};
use crate::model::money::{MicroUsd, Price};
use crate::provider::{Embedded, EmbeddingsError, Priced, ProviderError};
use crate::store::{CallId, NewCall, Reserved, Settlement, StoreError};

/// The name of the calls in the ledger.
const NAME: &str = "embeddings";

/// Bytes of a token at least, as for answers; and tokens around each text.
const TOKEN_BYTES: usize = 3;
const AROUND: usize = 8;

impl Embedder {
    /// Reserves what a request can cost at most.
    pub(super) async fn reserve(
        &self,
        texts: &[String],
    ) -> Result<(NewCall, Option<CallId>), EmbedError> {
        let price = self.priced.price();
        if let Priced::Dearest(_) = &self.priced {
            if self.settings.budgets.refuses_unknown {
                return Err(EmbedError::UnknownPrice);
            }
            self.vitals.money.unpriced(NAME, self.server.model());
        }
        let spender = Spender { user: UserId(0), chat: ChatId(0), purpose: Purpose::Embedding };
        let model = self.server.model().to_owned();
        let mut booked = NewCall::free(spender, NAME.to_owned(), model);
        if price.is_free() {
            return Ok((booked, None));
        }
        let most = price.worst(estimate(texts), 0);
        (booked.wanted, booked.least) = (most, most);
        let Some(ledger) = &self.ledger else {
            return Err(EmbedError::Ledger("there is no state file".to_owned()));
        };
        match ledger.reserve(booked.clone(), self.settings.budgets).await {
            Ok(Reserved::Granted { call, .. }) => Ok((booked, Some(call))),
            Ok(Reserved::Refused(over)) => {
                self.vitals.increment("budget_refused", over.scope.as_str());
                Err(EmbedError::OverBudget(over))
            }
            Err(error) => Err(unwritten(&error)),
        }
    }

    /// Books what a request did cost. A question that is given up meanwhile stays at all that was reserved.
    pub(super) async fn settle(
        &self,
        booked: NewCall,
        call: Option<CallId>,
        texts: &[String],
        answer: &Result<Embedded, EmbeddingsError>,
    ) {
        let price = self.priced.price();
        let settlement = settlement(answer, &price, texts);
        let cost = match settlement {
            Settlement::Reported { cost, .. } => cost,
            Settlement::Assumed => booked.wanted,
            Settlement::NotMade => MicroUsd::ZERO,
        };
        self.vitals.money.cost(&booked.provider, &booked.model, cost);
        let Some(ledger) = &self.ledger else { return };
        let written = match call {
            Some(call) => ledger.settle(call, settlement).await,
            None if settlement == Settlement::NotMade => Ok(()),
            None => ledger.record_free_call(booked, settlement).await,
        };
        if let Err(error) = written {
            tracing::warn!(%error, "what embeddings cost is not booked; all that was reserved counts");
        }
    }
}

fn settlement(
    answer: &Result<Embedded, EmbeddingsError>,
    price: &Price,
    texts: &[String],
) -> Settlement {
    match answer {
        Ok(embedded) => {
            let input_tokens = match embedded.tokens {
                Some(tokens) => tokens,
                // Without a figure of the server, a call that is paid for costs all that was reserved.
                None if !price.is_free() => return Settlement::Assumed,
                None => estimate(texts),
            };
            let usage = Usage { input_tokens, ..Usage::default() };
            Settlement::Reported { usage, cost: price.cost(usage) }
        }
        Err(EmbeddingsError::Call(
            ProviderError::Unreachable { .. }
            | ProviderError::Status { .. }
            | ProviderError::Unusable { .. }
            | ProviderError::Filtered,
        )) => Settlement::NotMade,
        Err(_) => Settlement::Assumed,
    }
}

/// How many tokens texts may have, by their bytes.
fn estimate(texts: &[String]) -> u64 {
    let tokens = texts.iter().map(|text| text.len().div_ceil(TOKEN_BYTES) + AROUND).sum::<usize>();
    u64::try_from(tokens).unwrap_or(u64::MAX)
}

fn unwritten(error: &StoreError) -> EmbedError {
    EmbedError::Ledger(error.to_string())
}
