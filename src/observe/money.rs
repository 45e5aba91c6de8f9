//! Money as the metrics and findings have it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;

use crate::model::budget::Budgets;
use crate::model::limits;
use crate::model::money::MicroUsd;

/// What answers cost since the start, and what they may cost.
#[derive(Debug, Default)]
pub struct Money {
    costs: Mutex<BTreeMap<(String, String), MicroUsd>>,
    unpriced: Mutex<BTreeMap<(String, String), u64>>,
    /// The limits that hold.
    pub budgets: ArcSwap<Budgets>,
    /// Whether a provider is configured that costs what the built-in table says.
    pub is_paid: AtomicBool,
    /// When the built-in table of prices was made, as days since 1970-01-01.
    pub prices_day: AtomicI64,
    /// Questions were refused because the total is used up, and it opens again then (Unix milliseconds).
    pub refuses_until_ms: AtomicI64,
}

impl Money {
    /// A call of this provider and model cost so much.
    pub fn cost(&self, provider: &str, model: &str, cost: MicroUsd) {
        *slot(&mut lock(&self.costs), provider, model) += cost;
    }

    /// A model was asked whose price no table has; answers whether it is the first time.
    pub fn unpriced(&self, provider: &str, model: &str) -> bool {
        let mut unpriced = lock(&self.unpriced);
        let times = slot(&mut unpriced, provider, model);
        *times += 1;
        *times == 1
    }

    /// What was spent since the start, by provider and model.
    pub fn costs(&self) -> Vec<((String, String), MicroUsd)> {
        lock(&self.costs).iter().map(|(key, cost)| (key.clone(), *cost)).collect()
    }

    /// Models whose price is guessed, as `provider/model`.
    pub fn without_price(&self) -> Vec<String> {
        lock(&self.unpriced).keys().map(|(provider, model)| format!("{provider}/{model}")).collect()
    }

    /// Other limits hold from now on, and other providers answer.
    pub fn renew(&self, budgets: Budgets, is_paid: bool, prices_day: i64) {
        self.budgets.store(std::sync::Arc::new(budgets));
        self.is_paid.store(is_paid, Ordering::Relaxed);
        self.prices_day.store(prices_day, Ordering::Relaxed);
        self.refuses_until_ms.store(0, Ordering::Relaxed);
        lock(&self.unpriced).clear();
    }
}

/// The place of a provider and model; what exceeds the bound is counted together.
fn slot<'m, T: Default>(
    map: &'m mut BTreeMap<(String, String), T>,
    provider: &str,
    model: &str,
) -> &'m mut T {
    let key = (provider.to_owned(), model.to_owned());
    let is_full = map.len() >= limits::METRIC_LABELS && !map.contains_key(&key);
    map.entry(if is_full { (provider.to_owned(), "other".to_owned()) } else { key }).or_default()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
