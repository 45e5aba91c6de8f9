//! What about money is not as it should be, in words.

use super::report::Reading;
use crate::model::budget::Period;

/// Prices change every few months.
const PRICES_DAYS: i64 = 90;

/// The total that is used up.
pub(super) fn exhausted(r: &Reading) -> Option<String> {
    let (money, spent) = (&r.money, r.money.spent?);
    let used_up = Period::ALL.into_iter().find_map(|period| {
        let limit = money.budgets.total.of(period)?;
        let spent = spent.of(period).cost;
        (spent >= limit).then_some((period, spent, limit))
    });
    let text = match used_up {
        Some((period, spent, limit)) => {
            format!("{spent} of {limit} for this {} are spent", period.as_str())
        }
        None if money.refuses => {
            format!("too little is left for an answer; {} are spent today", spent.day.cost)
        }
        None => return None,
    };
    Some(text)
}

/// Models whose price is guessed.
pub(super) fn price_unknown(r: &Reading) -> Option<String> {
    match r.money.without_price {
        0 => None,
        1 => Some("the price of a model is not known".to_owned()),
        n => Some(format!("the prices of {n} models are not known")),
    }
}

/// Prices that may have changed.
pub(super) fn prices_old(r: &Reading) -> Option<String> {
    let days = r.money.prices_age_days.filter(|days| *days > PRICES_DAYS)?;
    Some(format!("the built-in prices of models are {days} days old"))
}
