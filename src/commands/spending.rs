//! /usage and /costs: what answers cost.

use std::fmt::Write as _;
use std::sync::atomic::Ordering::Relaxed;

use super::{CommandContext, CommandRequest, Outcome, wording};
use crate::model::budget::{Budgets, Period, Scope, day_of, moment};
use crate::model::ids::UserId;
use crate::model::message::Place;
use crate::store::{Spending, Spent, SpentBy, SpentRow, StoreError};

/// Lines of each table that fit a telephone.
const ROWS: usize = 5;

pub(super) async fn usage(
    context: &CommandContext,
    asked: &CommandRequest<'_>,
) -> Result<Outcome, StoreError> {
    let mut text = of_scope(context, "You", Scope::User, asked.from.id.0).await?;
    if asked.place == Place::Group {
        text.push_str("\n\n");
        text.push_str(&of_scope(context, "This chat", Scope::Chat, asked.chat.0).await?);
    }
    if let Some(until) = used_up(context).await? {
        let _ = write!(text, "\n\nThe budget of all together is used up until {until}.");
    }
    Ok(asked.say(text))
}

pub(super) async fn costs(
    context: &CommandContext,
    asked: &CommandRequest<'_>,
) -> Result<Outcome, StoreError> {
    let mut text = of_scope(context, "All together", Scope::Total, 0).await?;
    let today = day_of(context.clock.now_ms());
    let first = Period::Month.first_day(today);
    for (title, by) in
        [("By model", SpentBy::Model), ("By person", SpentBy::User), ("By chat", SpentBy::Chat)]
    {
        let rows = context.store.spent_between(first, today, by).await?;
        if rows.is_empty() {
            continue;
        }
        let _ = write!(text, "\n\n**{title}, this month**\n");
        for row in rows.iter().take(ROWS) {
            let name = name(context, row, by).await?;
            let _ = write!(text, "\n- {name}: {}", in_words(&row.spent));
        }
        if rows.len() > ROWS {
            let more = wording::number((rows.len() - ROWS) as u64);
            let _ = write!(text, "\n- {more} more; `katana-bot usage` on my machine shows all");
        }
    }
    Ok(asked.say(text))
}

/// What one scope spent, and what it has left.
async fn of_scope(
    context: &CommandContext,
    title: &str,
    scope: Scope,
    of: i64,
) -> Result<String, StoreError> {
    let spending = context.store.spending(scope, of).await?;
    let budgets = **context.vitals.money.budgets.load();
    let mut text = format!("**{title}**\n");
    for (period, when) in [(Period::Day, "Today"), (Period::Month, "This month")] {
        let _ = write!(text, "\n- {when}: {}", in_words(spending.of(period)));
        text.push_str(&left(&spending, &budgets, scope, period, context.clock.now_ms()));
    }
    Ok(text)
}

/// When the budget of all opens again, where questions are refused because of it, or nothing is left of it.
async fn used_up(context: &CommandContext) -> Result<Option<String>, StoreError> {
    let (money, now_ms) = (&context.vitals.money, context.clock.now_ms());
    let limits = money.budgets.load().of(Scope::Total);
    let spending = context.store.spending(Scope::Total, 0).await?;
    let is_used_up = |period: &Period| {
        limits.of(*period).is_some_and(|limit| spending.of(*period).cost >= limit)
    };
    let ends = Period::ALL.into_iter().filter(is_used_up).map(|one| one.ends_ms(day_of(now_ms)));
    let refused = Some(money.refuses_until_ms.load(Relaxed)).filter(|until| *until > now_ms);
    Ok(ends.chain(refused).max().map(moment))
}

/// What is left of a limit; begins with a semicolon. Nothing where there is no limit.
fn left(
    spending: &Spending,
    budgets: &Budgets,
    scope: Scope,
    period: Period,
    now_ms: i64,
) -> String {
    let Some(limit) = budgets.of(scope).of(period) else { return String::new() };
    let left = limit.less(spending.of(period).cost);
    let from = moment(period.ends_ms(day_of(now_ms)));
    format!("; {left} of {limit} left until {from}")
}

fn in_words(spent: &Spent) -> String {
    format!(
        "{} for {} ({} tokens read, {} written)",
        spent.cost,
        wording::count(spent.calls, "call"),
        wording::number(spent.input_tokens),
        wording::number(spent.output_tokens)
    )
}

/// How an owner knows the one whom a line is about.
async fn name(context: &CommandContext, row: &SpentRow, by: SpentBy) -> Result<String, StoreError> {
    let id = row.key.parse().ok();
    Ok(match (by, id) {
        (SpentBy::User, Some(id)) => match context.store.user(UserId(id)).await? {
            Some(known) => wording::person(&known.person),
            None => format!("Person {id}"),
        },
        (SpentBy::Chat, Some(id)) if id < 0 => format!("Group {}", wording::escape(&row.key)),
        (SpentBy::Chat, Some(id)) => format!("Private chat {id}"),
        (SpentBy::User | SpentBy::Chat, None) => "Others".to_owned(),
        _ => wording::escape(&row.key),
    })
}
