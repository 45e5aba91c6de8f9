//! Money: what a call may cost, what it did cost, and what was spent by whom.

use crate::model::budget::{OverBudget, Period, Purpose, Spender};
use crate::model::conversation::Usage;
use crate::model::money::MicroUsd;

/// The number of a call of a provider in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub i64);

/// A call that is about to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCall {
    /// For whom.
    pub spender: Spender,
    /// The configured name of the provider.
    pub provider: String,
    /// The model that is asked.
    pub model: String,
    /// The most that it can cost as it is wanted.
    pub wanted: MicroUsd,
    /// The most that it can cost with the shortest answer that makes sense.
    pub least: MicroUsd,
}

/// Whether a call may be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reserved {
    /// It may cost this much, and that is spent until it is settled.
    Granted {
        /// Its number.
        call: CallId,
        /// Between `least` and `wanted`.
        amount: MicroUsd,
        /// The total budget is used up by four fifths, and the owner has not heard that: of this period,
        /// until then (Unix milliseconds).
        is_low: Option<(Period, i64)>,
    },
    /// It does not fit into this limit.
    Refused(OverBudget),
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// The provider said what it used, and this is what that costs.
    Reported {
        /// Tokens.
        usage: Usage,
        /// What they cost.
        cost: MicroUsd,
    },
    /// It did not say, so the call cost all that was reserved.
    Assumed,
    /// No provider took the request, so it cost nothing.
    NotMade,
}

/// What was spent by one scope in one time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// Money, calls that are under way with all that they can cost.
    pub cost: MicroUsd,
    /// Calls of a provider.
    pub calls: u64,
    /// Tokens of prompts.
    pub input_tokens: u64,
    /// Of these, those that were read from a vendor's cache.
    pub cached_tokens: u64,
    /// Tokens of answers.
    pub output_tokens: u64,
    /// Of these, those of thoughts.
    pub reasoning_tokens: u64,
}

/// What was spent by one scope today and this month.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spending {
    /// Since the day began in UTC.
    pub day: Spent,
    /// Since the month began in UTC.
    pub month: Spent,
}

/// By what a report of the ledger is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpentBy {
    /// By day.
    Day,
    /// By person.
    User,
    /// By chat.
    Chat,
    /// By provider and model.
    Model,
}

/// A line of such a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpentRow {
    /// The day as `2026-11-29`, the number of a person or chat, or `provider/model`; empty for people who
    /// asked to be forgotten, and for questions of our own.
    pub key: String,
    /// What was spent.
    pub spent: Spent,
}

impl Spending {
    /// That of a period.
    pub fn of(&self, period: Period) -> &Spent {
        match period {
            Period::Day => &self.day,
            Period::Month => &self.month,
        }
    }
}

impl std::ops::AddAssign for Spent {
    fn add_assign(&mut self, other: Self) {
        self.cost += other.cost;
        self.calls = self.calls.saturating_add(other.calls);
        self.input_tokens = self.input_tokens.saturating_add(other.input_tokens);
        self.cached_tokens = self.cached_tokens.saturating_add(other.cached_tokens);
        self.output_tokens = self.output_tokens.saturating_add(other.output_tokens);
        self.reasoning_tokens = self.reasoning_tokens.saturating_add(other.reasoning_tokens);
    }
}

impl NewCall {
    /// One that costs nothing.
    pub fn free(spender: Spender, provider: String, model: String) -> Self {
        Self { spender, provider, model, wanted: MicroUsd::ZERO, least: MicroUsd::ZERO }
    }

    /// What for.
    pub fn purpose(&self) -> Purpose {
        self.spender.purpose
    }
}
