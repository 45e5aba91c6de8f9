//! Budgets: what may be spent, by whom and in which time.
//!
//! Days and months are those of UTC, so that a budget opens again at the same moment for everyone, also where
//! clocks change.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::ids::{ChatId, UserId};
use super::money::MicroUsd;

const DAY_MS: i64 = 24 * 3600 * 1000;

/// What a provider is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// A person's question.
    Question,
    /// A question of our own, whose answer is known.
    Canary,
    /// Vectors of documents and of questions.
    Embedding,
}

/// Whose spending a limit bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// All of it.
    Total,
    /// That of one person.
    User,
    /// That in one chat.
    Chat,
    /// That for questions of our own.
    Canary,
}

/// Within which time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Period {
    /// A day of UTC.
    Day,
    /// A calendar month of UTC.
    Month,
}

/// What one scope may spend; `None` is any amount.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// In a day.
    pub day: Option<MicroUsd>,
    /// In a month.
    pub month: Option<MicroUsd>,
}

/// What everyone may spend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Budgets {
    /// All together.
    pub total: Limits,
    /// Each person.
    pub user: Limits,
    /// Each chat.
    pub chat: Limits,
    /// Questions of our own.
    pub canary: Limits,
    /// A model whose price is unknown is not asked.
    pub refuses_unknown: bool,
}

/// For whom money is spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spender {
    /// Who asked.
    pub user: UserId,
    /// Where it was asked.
    pub chat: ChatId,
    /// What for.
    pub purpose: Purpose,
}

/// A limit that a call does not fit into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OverBudget {
    /// Whose limit.
    pub scope: Scope,
    /// Within which time.
    pub period: Period,
    /// The limit.
    pub limit: MicroUsd,
    /// What counts against it already, calls that are under way with all that they can cost.
    pub spent: MicroUsd,
    /// When it opens again, Unix milliseconds.
    pub opens_ms: i64,
}

/// What people hear about a budget once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BudgetNotice {
    /// A person heard why they have no answer; their number.
    Refused(i64),
    /// The owners heard that a budget of this kind is used up.
    Exhausted(Scope),
    /// The owners heard that four fifths of the total are used up.
    Low,
}

impl Purpose {
    /// The word on disk and in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Question => "question",
            Self::Canary => "canary",
            Self::Embedding => "embedding",
        }
    }
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Total, Self::User, Self::Chat, Self::Canary];

    /// The word in metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Total => "total",
            Self::User => "user",
            Self::Chat => "chat",
            Self::Canary => "canary",
        }
    }
}

impl Period {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Day, Self::Month];

    /// The word in metrics and for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Month => "month",
        }
    }

    /// Its first day, for one of its days (days since 1970-01-01).
    pub fn first_day(self, day: i64) -> i64 {
        match self {
            Self::Day => day,
            Self::Month => date(day).map_or(day, |date| day - i64::from(date.day()) + 1),
        }
    }

    /// When it ends, for one of its days: Unix milliseconds.
    pub fn ends_ms(self, day: i64) -> i64 {
        let next = match self {
            Self::Day => day + 1,
            Self::Month => date(day)
                .map_or(day + 1, |date| self.first_day(day) + i64::from(date.days_in_month())),
        };
        next.saturating_mul(DAY_MS)
    }
}

impl Limits {
    /// The limit of a period.
    pub fn of(self, period: Period) -> Option<MicroUsd> {
        match period {
            Period::Day => self.day,
            Period::Month => self.month,
        }
    }

    /// Whether any is set.
    pub fn is_set(self) -> bool {
        self.day.is_some() || self.month.is_some()
    }
}

impl Budgets {
    /// The limits of a scope.
    pub fn of(&self, scope: Scope) -> Limits {
        match scope {
            Scope::Total => self.total,
            Scope::User => self.user,
            Scope::Chat => self.chat,
            Scope::Canary => self.canary,
        }
    }
}

impl Spender {
    /// Which limits hold, and under which number each scope is counted.
    pub fn scopes(&self) -> Vec<(Scope, i64)> {
        match self.purpose {
            Purpose::Question => {
                vec![(Scope::Total, 0), (Scope::User, self.user.0), (Scope::Chat, self.chat.0)]
            }
            Purpose::Canary => vec![(Scope::Total, 0), (Scope::Canary, 0)],
            // They serve everyone, so no one person's or chat's budget is charged.
            Purpose::Embedding => vec![(Scope::Total, 0)],
        }
    }
}

/// The day of a moment in Unix milliseconds, as days since 1970-01-01.
pub fn day_of(ms: i64) -> i64 {
    ms.div_euclid(DAY_MS)
}

/// A day as `2026-11-29`.
pub fn day_name(day: i64) -> String {
    date(day).map(|date| date.to_string()).unwrap_or_default()
}

/// The day that is written as `2026-11-29`.
pub fn parse_day(text: &str) -> Option<i64> {
    let date: Date = text.parse().ok()?;
    let start = date.to_zoned(TimeZone::UTC).ok()?;
    Some(day_of(start.timestamp().as_millisecond()))
}

fn date(day: i64) -> Option<Date> {
    let start = Date::constant(1970, 1, 1);
    start.checked_add(i32::try_from(day).ok()?.days()).ok()
}

/// A moment in Unix milliseconds as people read it: `2026-11-30 00:00 UTC`.
pub fn moment(ms: i64) -> String {
    let Ok(at) = Timestamp::from_millisecond(ms) else { return String::new() };
    let at = at.to_zoned(TimeZone::UTC).datetime();
    format!("{} {:02}:{:02} UTC", at.date(), at.hour(), at.minute())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_months_are_those_of_utc() {
        let day = parse_day("2026-11-29").unwrap();
        assert_eq!((day, &*day_name(day)), (20_786, "2026-11-29"));
        let at = day * DAY_MS + 23 * 3600 * 1000;
        assert_eq!(day_of(at), day);
        assert_eq!(day_of(-1), -1, "before 1970, on a machine without a clock");
        assert_eq!(Period::Day.first_day(day), day);
        assert_eq!(day_name(Period::Month.first_day(day)), "2026-11-01");
        assert_eq!(moment(Period::Day.ends_ms(day)), "2026-11-30 00:00 UTC");
        assert_eq!(moment(Period::Month.ends_ms(day)), "2026-12-01 00:00 UTC");
        let leap = parse_day("2028-02-10").unwrap();
        assert_eq!(moment(Period::Month.ends_ms(leap)), "2028-03-01 00:00 UTC");
        assert_eq!(
            moment(Period::Month.ends_ms(parse_day("2026-12-31").unwrap())),
            "2027-01-01 00:00 UTC"
        );
        assert_eq!(parse_day("2026-02-30"), None);
        assert_eq!(parse_day("yesterday"), None);
    }
}
