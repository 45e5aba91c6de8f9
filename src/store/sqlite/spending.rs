//! The verbs about money.

use std::collections::BTreeMap;

use rusqlite::{Row, params};

use super::db::Sqlite;
use super::ledger::{self, Entry, is_noticed, key, number};
use crate::model::budget::{self, BudgetNotice, Budgets, Period, Scope};
use crate::model::money::MicroUsd;
use crate::store::failure::StoreError;
use crate::store::spending::{
    CallId, NewCall, Reserved, Settlement, Spending, Spent, SpentBy, SpentRow,
};

impl Sqlite {
    pub(in crate::store) async fn reserve(
        &self,
        call: NewCall,
        budgets: Budgets,
    ) -> Result<Reserved, StoreError> {
        let (bot, now) = (self.bot(), self.now_ms());
        self.write(move |tx| ledger::reserve(tx, bot, now, &call, &budgets)).await
    }

    pub(in crate::store) async fn settle(
        &self,
        call: CallId,
        settlement: Settlement,
    ) -> Result<(), StoreError> {
        self.riding.settlements.add(Entry::Settled(call, settlement));
        Ok(())
    }

    pub(in crate::store) async fn record_free_call(
        &self,
        call: NewCall,
        settlement: Settlement,
    ) -> Result<(), StoreError> {
        self.riding.settlements.add(Entry::Free(call, settlement, self.now_ms()));
        Ok(())
    }

    pub(in crate::store) async fn spending(
        &self,
        scope: Scope,
        of: i64,
    ) -> Result<Spending, StoreError> {
        let (bot, day) = (self.bot(), budget::day_of(self.now_ms()));
        self.look_up(move |conn| {
            let mut spending = Spending::default();
            let mut find = conn.prepare_cached(
                "SELECT day, cost, calls, input_tokens, cached_tokens, output_tokens, reasoning_tokens
                 FROM spent WHERE bot_id = ?1 AND scope = ?2 AND owner_id = ?3
                   AND day BETWEEN ?4 AND ?5",
            )?;
            let first = Period::Month.first_day(day);
            let mut rows = find.query(params![bot, number(scope), of, first, day])?;
            while let Some(row) = rows.next()? {
                let spent = spent(row, 1)?;
                spending.month += spent;
                if row.get::<_, i64>(0)? == day {
                    spending.day = spent;
                }
            }
            Ok(spending)
        })
        .await
    }

    pub(in crate::store) async fn spent_between(
        &self,
        first: i64,
        last: i64,
        by: SpentBy,
    ) -> Result<Vec<SpentRow>, StoreError> {
        let bot = self.bot();
        self.read(move |conn| {
            let mut find = conn.prepare_cached(
                "SELECT day, user_id, chat_id, provider, model, cost, input_tokens, cached_tokens,
                        output_tokens, reasoning_tokens
                 FROM calls WHERE bot_id = ?1 AND day BETWEEN ?2 AND ?3",
            )?;
            let mut rows = find.query(params![bot, first, last])?;
            let mut sums: BTreeMap<String, Spent> = BTreeMap::new();
            while let Some(row) = rows.next()? {
                let id = |place| row.get::<_, Option<i64>>(place);
                let key = match by {
                    SpentBy::Day => budget::day_name(row.get(0)?),
                    SpentBy::User => id(1)?.map(|id| id.to_string()).unwrap_or_default(),
                    SpentBy::Chat => id(2)?.map(|id| id.to_string()).unwrap_or_default(),
                    SpentBy::Model => {
                        format!("{}/{}", row.get::<_, String>(3)?, row.get::<_, String>(4)?)
                    }
                };
                *sums.entry(key).or_default() += Spent {
                    cost: MicroUsd(row.get(5)?),
                    calls: 1,
                    input_tokens: row.get(6)?,
                    cached_tokens: row.get(7)?,
                    output_tokens: row.get(8)?,
                    reasoning_tokens: row.get(9)?,
                };
            }
            let mut all: Vec<_> =
                sums.into_iter().map(|(key, spent)| SpentRow { key, spent }).collect();
            if by != SpentBy::Day {
                all.sort_by_key(|row| std::cmp::Reverse(row.spent.cost));
            }
            Ok(all)
        })
        .await
    }

    pub(in crate::store) async fn is_noticed(
        &self,
        notice: BudgetNotice,
        until_ms: i64,
    ) -> Result<bool, StoreError> {
        let (bot, (about, of)) = (self.bot(), key(notice));
        self.look_up(move |conn| is_noticed(conn, bot, about, of, until_ms)).await
    }
}

fn spent(row: &Row<'_>, first: usize) -> rusqlite::Result<Spent> {
    Ok(Spent {
        cost: MicroUsd(row.get(first)?),
        calls: row.get(first + 1)?,
        input_tokens: row.get(first + 2)?,
        cached_tokens: row.get(first + 3)?,
        output_tokens: row.get(first + 4)?,
        reasoning_tokens: row.get(first + 5)?,
    })
}
