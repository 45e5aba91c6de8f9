//! Money: reservations, settlements, sums.

use super::*;
use crate::model::budget::{BudgetNotice, Budgets, Limits, Period, Purpose, Scope, Spender};
use crate::model::money::MicroUsd;

const DAY_MS: i64 = 24 * 3600 * 1000;

/// 2026-11-29, noon.
const NOON: i64 = 20_786 * DAY_MS + DAY_MS / 2;

fn by(user: i64, chat: i64) -> Spender {
    Spender { user: UserId(user), chat: ChatId(chat), purpose: Purpose::Question }
}

fn call(spender: Spender, wanted: i64, least: i64) -> NewCall {
    let [wanted, least] = [wanted, least].map(MicroUsd);
    NewCall { wanted, least, ..NewCall::free(spender, "openai".into(), "gpt-5".into()) }
}

fn a_day(limit: i64) -> Limits {
    Limits { day: Some(MicroUsd(limit)), month: None }
}

fn total(limit: i64) -> Budgets {
    Budgets { total: a_day(limit), ..Budgets::default() }
}

/// The number of a call that was granted, and how much it may cost.
fn granted(reserved: Reserved) -> (CallId, i64) {
    match reserved {
        Reserved::Granted { call, amount, .. } => (call, amount.0),
        Reserved::Refused(over) => panic!("{over:?}"),
    }
}

fn refused(reserved: Reserved) -> crate::model::budget::OverBudget {
    match reserved {
        Reserved::Refused(over) => over,
        granted => panic!("{granted:?}"),
    }
}

fn reported(input_tokens: u64, output_tokens: u64, cost: i64) -> Settlement {
    let usage = Usage { input_tokens, output_tokens, ..Usage::default() };
    Settlement::Reported { usage, cost: MicroUsd(cost) }
}

async fn today(store: &Store, scope: Scope, of: i64) -> Spent {
    store.spending(scope, of).await.unwrap().day
}

pub async fn a_call_is_spent_before_it_is_made_and_settled_once(place: &impl Place) {
    let store = place.open(BOT, Clock::manual(NOON));
    let (call_id, amount) =
        granted(store.reserve(call(by(5, -9), 900, 100), total(1_000)).await.unwrap());
    assert_eq!(amount, 900);
    for (scope, of) in [(Scope::Total, 0), (Scope::User, 5), (Scope::Chat, -9)] {
        let spent = today(&store, scope, of).await;
        assert_eq!((spent.cost.0, spent.calls, spent.input_tokens), (900, 1, 0), "{scope:?}");
    }
    // What is under way counts, and the next one gets what is left.
    assert_eq!(
        granted(store.reserve(call(by(6, 6), 900, 100), total(1_000)).await.unwrap()).1,
        100
    );
    let over = refused(store.reserve(call(by(6, 6), 900, 100), total(1_000)).await.unwrap());
    assert_eq!((over.scope, over.spent.0, over.limit.0), (Scope::Total, 1_000, 1_000));
    assert_eq!(over.opens_ms, NOON + DAY_MS / 2, "the next midnight in UTC");
    store.settle(call_id, reported(10, 3, 250)).await.unwrap();
    store.settle(call_id, reported(10, 3, 0)).await.unwrap();
    store.flush().await.unwrap();
    for (scope, of) in [(Scope::Total, 0), (Scope::User, 5), (Scope::Chat, -9)] {
        let spent = today(&store, scope, of).await;
        assert_eq!(spent.cost.0, if scope == Scope::Total { 350 } else { 250 }, "{scope:?}");
        assert_eq!((spent.input_tokens, spent.output_tokens), (10, 3));
    }
    store.close().await;
    let store = place.open(BOT, Clock::manual(NOON));
    assert_eq!(today(&store, Scope::Total, 0).await.cost.0, 350);
    let day = |ms: i64| ms / DAY_MS;
    let models = store.spent_between(day(NOON), day(NOON), SpentBy::Model).await.unwrap();
    assert_eq!((models[0].key.as_str(), models[0].spent.cost.0), ("openai/gpt-5", 350));
    let users = store.spent_between(day(NOON), day(NOON), SpentBy::User).await.unwrap();
    let users: Vec<_> = users.iter().map(|row| (row.key.as_str(), row.spent.cost.0)).collect();
    assert_eq!(users, [("5", 250), ("6", 100)], "the dearest first");
    let days = store.spent_between(0, day(NOON) - 1, SpentBy::Day).await.unwrap();
    assert!(days.is_empty());
}

pub async fn a_call_that_reports_nothing_costs_all_that_it_can(place: &impl Place) {
    let store = place.open(BOT, Clock::manual(NOON));
    let budgets = total(1_000);
    let cut = granted(store.reserve(call(by(5, 5), 300, 1), budgets).await.unwrap()).0;
    let refused = granted(store.reserve(call(by(5, 5), 300, 1), budgets).await.unwrap()).0;
    let _lost = granted(store.reserve(call(by(5, 5), 300, 1), budgets).await.unwrap());
    store.settle(cut, Settlement::Assumed).await.unwrap();
    store.settle(refused, Settlement::NotMade).await.unwrap();
    store.settle(cut, reported(1, 1, 1)).await.unwrap();
    // The process ends before the third call does.
    store.close().await;
    let store = place.open(BOT, Clock::manual(NOON));
    assert_eq!(today(&store, Scope::Total, 0).await.cost.0, 600);
    // A question that is thought about again is another call.
    granted(store.reserve(call(by(5, 5), 300, 1), budgets).await.unwrap());
    assert_eq!(today(&store, Scope::Total, 0).await.cost.0, 900);
}

pub async fn a_hundred_first_calls_at_once_stay_within_the_limit(place: &impl Place) {
    let store = place.open(BOT, Clock::manual(NOON));
    let budgets = Budgets { user: a_day(500), ..total(5_000) };
    let calls = (0..100_i64).map(|n| store.reserve(call(by(n % 20, -1), 100, 60), budgets));
    let all = futures_util::future::join_all(calls).await;
    let amounts = all.into_iter().filter_map(|one| match one.unwrap() {
        Reserved::Granted { amount, .. } => Some(amount.0),
        Reserved::Refused(_) => None,
    });
    let (count, sum) = amounts.fold((0, 0), |(count, sum), amount| (count + 1, sum + amount));
    assert_eq!((count, sum), (50, 5_000));
    assert_eq!(today(&store, Scope::Total, 0).await.cost.0, 5_000);
}

pub async fn each_limit_holds_in_its_own_time(place: &impl Place) {
    let clock = Clock::manual(NOON);
    let store = place.open(BOT, clock.clone());
    let limit = |day, month| Limits { day: Some(MicroUsd(day)), month: Some(MicroUsd(month)) };
    let budgets = Budgets { user: limit(100, 150), chat: limit(400, 1_000), ..Budgets::default() };
    let ask = |user, chat| store.reserve(call(by(user, chat), 100, 100), budgets);
    granted(ask(1, -1).await.unwrap());
    let over = refused(ask(1, -2).await.unwrap());
    assert_eq!((over.scope, over.period), (Scope::User, Period::Month), "it opens last");
    granted(ask(2, -1).await.unwrap());
    granted(ask(3, -1).await.unwrap());
    granted(ask(4, -1).await.unwrap());
    let over = refused(ask(5, -1).await.unwrap());
    assert_eq!((over.scope, over.period), (Scope::Chat, Period::Day));
    granted(ask(5, -2).await.unwrap());
    // The next day is still in the month; the day after begins another.
    clock.advance(DAY_MS);
    let over = refused(ask(1, -1).await.unwrap());
    assert_eq!((over.period, over.spent.0), (Period::Month, 100));
    let over_less = store.reserve(call(by(1, -1), 100, 50), budgets).await.unwrap();
    assert_eq!(granted(over_less).1, 50, "what is left of the month");
    assert_eq!(store.spending(Scope::User, 1).await.unwrap().month.cost.0, 150);
    clock.advance(DAY_MS);
    granted(ask(1, -1).await.unwrap());
    assert_eq!(store.spending(Scope::User, 1).await.unwrap().month.cost.0, 100);
}

pub async fn questions_of_our_own_have_their_own_budget(place: &impl Place) {
    let store = place.open(BOT, Clock::manual(NOON));
    let budgets = Budgets { canary: a_day(50), user: a_day(1), chat: a_day(1), ..total(1_000) };
    let canary = Spender { purpose: Purpose::Canary, ..by(0, 0) };
    granted(store.reserve(call(canary, 50, 50), budgets).await.unwrap());
    let over = refused(store.reserve(call(canary, 50, 50), budgets).await.unwrap());
    assert_eq!(over.scope, Scope::Canary);
    assert_eq!(today(&store, Scope::Total, 0).await.cost.0, 50);
    assert_eq!(today(&store, Scope::User, 0).await.cost.0, 0);
}

pub async fn free_calls_count_their_tokens(place: &impl Place) {
    let store = place.open(BOT, Clock::manual(NOON));
    let call = NewCall::free(by(5, 5), "ollama".into(), "llama3".into());
    store.record_free_call(call, reported(100, 20, 0)).await.unwrap();
    store.flush().await.unwrap();
    let spent = today(&store, Scope::User, 5).await;
    assert_eq!(
        (spent.cost.0, spent.calls, spent.input_tokens, spent.output_tokens),
        (0, 1, 100, 20)
    );
}

pub async fn the_ledger_forgets_people_and_keeps_sums(place: &impl Place) {
    let clock = Clock::manual(NOON - 30 * DAY_MS);
    let store = place.open(BOT, clock.clone());
    granted(store.reserve(call(by(5, 5), 100, 100), total(1_000)).await.unwrap());
    clock.advance(30 * DAY_MS);
    granted(store.reserve(call(by(5, 5), 200, 200), total(1_000)).await.unwrap());
    granted(store.reserve(call(by(5, -9), 10, 10), total(1_000)).await.unwrap());
    let notice = BudgetNotice::Refused(5);
    store.apply(vec![Effect::Told { notice, until_ms: NOON + 1 }]).await.unwrap();
    assert!(store.is_noticed(notice, NOON + 1).await.unwrap());
    assert!(!store.is_noticed(notice, NOON + 2).await.unwrap());
    store.apply(vec![Effect::Forget(UserId(5))]).await.unwrap();
    let day = NOON / DAY_MS;
    for by in [SpentBy::User, SpentBy::Chat] {
        let rows = store.spent_between(0, day, by).await.unwrap();
        assert!(rows.iter().all(|row| row.key != "5"), "{rows:?}");
        assert_eq!(rows.iter().map(|row| row.spent.cost.0).sum::<i64>(), 310);
    }
    assert!(!store.is_noticed(notice, 0).await.unwrap());
    // No one resets a limit so: this month's sum stays.
    assert_eq!(store.spending(Scope::User, 5).await.unwrap().month.cost.0, 210);
    assert_eq!(store.spending(Scope::Total, 0).await.unwrap().month.cost.0, 210);
    clock.advance(-30 * DAY_MS);
    assert_eq!(store.spending(Scope::User, 5).await.unwrap().month.cost.0, 0, "of October");
    assert_eq!(store.spending(Scope::Total, 0).await.unwrap().month.cost.0, 100);
    clock.advance(30 * DAY_MS);
    // A group takes its sums along.
    store.apply(vec![Effect::MoveChat { from: ChatId(-9), to: ChatId(-100) }]).await.unwrap();
    assert_eq!(today(&store, Scope::Chat, -100).await.cost.0, 10);
    assert_eq!(today(&store, Scope::Chat, -9).await.cost.0, 0);
    // Once the month is over, its sums go.
    clock.advance(31 * DAY_MS);
    let keep = Keep { history_days: 0, done_days: 1_000 };
    assert_eq!(store.sweep(keep).await.unwrap().calls, 0);
    clock.advance(-31 * DAY_MS);
    assert_eq!(store.spending(Scope::User, 5).await.unwrap().month.cost.0, 0);
    clock.advance(401 * DAY_MS);
    let swept = store.sweep(Keep { history_days: 0, done_days: 1_000 }).await.unwrap();
    assert_eq!(swept.calls, 3, "after 400 days");
}

pub async fn the_owner_hears_once_that_a_budget_runs_low(place: &impl Place) {
    let store = place.open(BOT, Clock::manual(NOON));
    let low = async || match store.reserve(call(by(5, 5), 100, 1), total(1_000)).await.unwrap() {
        Reserved::Granted { is_low, .. } => is_low,
        Reserved::Refused(over) => panic!("{over:?}"),
    };
    for _ in 0..8 {
        assert_eq!(low().await, None);
    }
    let Some((Period::Day, until_ms)) = low().await else { panic!("800 of 1000 are spent") };
    store.apply(vec![Effect::Told { notice: BudgetNotice::Low, until_ms }]).await.unwrap();
    assert_eq!(low().await, None);
}
