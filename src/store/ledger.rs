//! What thinking may write: what its calls cost.

use super::spending::{CallId, NewCall, Reserved, Settlement};
use super::{Store, StoreError};
use crate::model::budget::Budgets;

/// The ledger alone: all that thinking may write, because a call has to be in it before it is made.
#[derive(Clone)]
pub struct Ledger(Store);

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ledger")
    }
}

impl Store {
    /// The ledger of this state.
    pub fn ledger(&self) -> Ledger {
        Ledger(self.clone())
    }
}

impl Ledger {
    /// As [`Store::reserve`].
    pub async fn reserve(&self, call: NewCall, budgets: Budgets) -> Result<Reserved, StoreError> {
        self.0.reserve(call, budgets).await
    }

    /// As [`Store::settle`].
    pub async fn settle(&self, call: CallId, settlement: Settlement) -> Result<(), StoreError> {
        self.0.settle(call, settlement).await
    }

    /// As [`Store::record_free_call`].
    pub async fn record_free_call(
        &self,
        call: NewCall,
        settlement: Settlement,
    ) -> Result<(), StoreError> {
        self.0.record_free_call(call, settlement).await
    }
}
