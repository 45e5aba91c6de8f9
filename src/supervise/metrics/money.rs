//! What answers cost, and what they may cost.

use super::known::{Names, counted};
use crate::model::budget::{Period, Scope};
use crate::model::money::MicroUsd;
use crate::observe::vitals::Vitals;
use crate::supervise::exposition::Family;
use crate::supervise::report::Report;

/// All families of this file.
pub(super) fn families(names: &Names<'_>, vitals: &Vitals, report: &Report) -> Vec<Family> {
    let costs = Family::counter(
        "katana_cost_usd_total",
        &["provider", "model"],
        "What calls of a provider cost in US dollars, since the start of the process.",
    );
    let known = (names.provider.to_owned(), names.model.to_owned());
    let mut rows = vitals.money.costs();
    if rows.iter().all(|(key, _)| *key != known) {
        rows.push((known, MicroUsd::ZERO));
    }
    let costs = rows.into_iter().fold(costs, |family, ((provider, model), cost)| {
        family.with(&[&provider, &model], cost.as_f64())
    });
    let mut limit = Family::gauge(
        "katana_budget_limit_usd",
        &["scope", "period"],
        "What may be spent in US dollars by all together, one person, one chat, or canary questions.",
    );
    let mut spent = Family::gauge(
        "katana_budget_spent_usd",
        &["period"],
        "What was spent in US dollars in this day and month of UTC, calls under way at their most.",
    );
    let money = &report.reading.money;
    for period in Period::ALL {
        for scope in Scope::ALL {
            if let Some(usd) = money.budgets.of(scope).of(period) {
                limit = limit.with(&[scope.as_str(), period.as_str()], usd.as_f64());
            }
        }
        let cost = money.spent.map(|spent| spent.of(period).cost.as_f64());
        spent = spent.with_some(&[period.as_str()], cost);
    }
    let refusals = Family::counter(
        "katana_budget_refusals_total",
        &["scope"],
        "Questions that were not asked because of a budget, by whose it is.",
    );
    let scopes = Scope::ALL.map(Scope::as_str);
    vec![costs, limit, spent, counted(refusals, vitals, "budget_refused", &scopes)]
}
