//! `[budget]`: what answers may cost.

use crate::config::key::Part;
use crate::config::resolved::Resolved;
use crate::config::rule::{self, usd};
use crate::config::section::section;
use crate::config::source::Origin;
use crate::config::value::choice;
use crate::model::budget::{Budgets, Limits};
use crate::model::money::MicroUsd;

choice! {
    /// What a model costs whose price no table has.
    pub enum UnknownPrice {
        /// As much as the dearest model of its vendor.
        Dearest = "dearest",
        /// It is not asked.
        Refuse = "refuse",
    }
}

section! {
    /// The section `[budget]`: what answers may cost. What a question can cost at most is reserved
    /// before a provider is asked; days and months are those of UTC.
    pub struct Budget in "budget", checked by check {
        /// What all answers of a day may cost together, in US dollars; `off` for any amount. Servers of
        /// your own cost nothing.
        total_usd_per_day: Option<MicroUsd> = usd("off", "5")
            .when("To what you would not mind to lose in a day.").live(Part::Answers),

        /// What all answers of a calendar month may cost together, in US dollars; `off` for any amount.
        total_usd_per_month: Option<MicroUsd> = usd("off", "50")
            .when("To what you are ready to pay for a month.").live(Part::Answers),

        /// What the answers to one person may cost in a day, in US dollars.
        user_usd_per_day: Option<MicroUsd> = usd("off", "off")
            .when("So that no one can use up the budget of all.").live(Part::Answers),

        /// What the answers to one person may cost in a month, in US dollars.
        user_usd_per_month: Option<MicroUsd> = usd("off", "off")
            .when("So that no one can use up the budget of all.").live(Part::Answers),

        /// What the answers in one chat may cost in a day, in US dollars.
        chat_usd_per_day: Option<MicroUsd> = usd("off", "off")
            .when("So that no group can use up the budget of all.").live(Part::Answers),

        /// What the answers in one chat may cost in a month, in US dollars.
        chat_usd_per_month: Option<MicroUsd> = usd("off", "off")
            .when("So that no group can use up the budget of all.").live(Part::Answers),

        /// What the canary questions of a day may cost, in US dollars; see `canary.question`.
        canary_usd_per_day: Option<MicroUsd> = usd("off", "0.25")
            .when("For a canary question that is asked often, or of a dear model.").live(Part::Answers),

        /// A model whose price is not in the built-in table: `dearest` takes it for as dear as the dearest
        /// model of its vendor, `refuse` does not ask it. Either way, its price can be set with its
        /// provider.
        unknown_price: UnknownPrice = rule::choice(UnknownPrice::Dearest)
            .when("To be sure that each price is right.").live(Part::Answers),
    }
}

impl Budget {
    /// As the program uses it.
    pub fn of_model(&self) -> Budgets {
        let limits = |day, month| Limits { day, month };
        Budgets {
            total: limits(self.total_usd_per_day, self.total_usd_per_month),
            user: limits(self.user_usd_per_day, self.user_usd_per_month),
            chat: limits(self.chat_usd_per_day, self.chat_usd_per_month),
            canary: limits(self.canary_usd_per_day, None),
            refuses_unknown: self.unknown_price == UnknownPrice::Refuse,
        }
    }
}

/// Limits that are never reached, because the second of each pair is used up before.
const PAIRS: [(&str, &str); 7] = [
    ("budget.total_usd_per_day", "budget.total_usd_per_month"),
    ("budget.user_usd_per_day", "budget.user_usd_per_month"),
    ("budget.chat_usd_per_day", "budget.chat_usd_per_month"),
    ("budget.user_usd_per_day", "budget.total_usd_per_day"),
    ("budget.chat_usd_per_day", "budget.total_usd_per_day"),
    ("budget.user_usd_per_month", "budget.total_usd_per_month"),
    ("budget.chat_usd_per_month", "budget.total_usd_per_month"),
];

/// Warns of each limit that was set and has no effect.
fn check(resolved: &mut Resolved<'_>) {
    for (key, smaller) in PAIRS {
        if matches!(resolved.origin(key), Origin::Default) {
            continue;
        }
        let limit = |key| resolved.get::<Option<MicroUsd>>(key);
        if let (Some(amount), Some(bound)) = (limit(key), limit(smaller))
            && amount > bound
        {
            let message = format!("{amount} is never reached, because {smaller} is {bound}");
            resolved.warn(key, &message, "lower it, or raise the other");
        }
    }
}
