//! The ledger inside a transaction: what a call may cost, what it did cost, and the sums.
//!
//! Invariants: a call is in the ledger, with all that it can cost, before it is made; the check against the
//! limits and that entry are one transaction; the sums in `spent` change in the transaction that changes `calls`.

use rusqlite::{Connection, OptionalExtension, params};

use super::riders::Riders;
use crate::model::budget::{
    self, BudgetNotice, Budgets, OverBudget, Period, Purpose, Scope, Spender,
};
use crate::model::conversation::Usage;
use crate::model::ids::{ChatId, UserId};
use crate::model::money::MicroUsd;
use crate::store::failure::StoreError;
use crate::store::spending::{CallId, NewCall, Reserved, Settlement};

/// `calls.state`: the cost is the most that it can be.
const RESERVED: i64 = 0;
/// `calls.state`: the cost is final.
const SETTLED: i64 = 1;

/// The most that one call is taken to cost: a thousand million dollars, so that sums stay far from their end.
const DEAREST_CALL: MicroUsd = MicroUsd::dollars(1_000_000_000);

/// From this part of the total on, the owners hear that it runs out: four fifths.
const LOW: (i64, i64) = (4, 5);

/// What rides with the next commit.
#[derive(Clone, Debug)]
pub(super) enum Entry {
    /// A call that was reserved has ended.
    Settled(CallId, Settlement),
    /// A call that costs nothing has ended.
    Free(NewCall, Settlement, i64),
}

/// Ends of calls that are not stored yet.
pub(super) type Settlements = Riders<Entry>;

impl Settlements {
    /// Stores all that wait inside the running transaction.
    pub(super) fn store(&self, tx: &Connection, bot: i64) -> Result<(), StoreError> {
        for entry in self.to_commit() {
            match entry {
                Entry::Settled(call, settlement) => settle(tx, call, settlement)?,
                Entry::Free(call, settlement, now) => {
                    let id = insert(tx, bot, now, &call, MicroUsd::ZERO)?;
                    settle(tx, id, settlement)?;
                }
            }
        }
        Ok(())
    }
}

/// `spent.scope`.
pub(super) fn number(scope: Scope) -> i64 {
    match scope {
        Scope::Total => 0,
        Scope::User => 1,
        Scope::Chat => 2,
        Scope::Canary => 3,
    }
}

/// `budget_notices.about`, and its `owner_id`.
pub(super) fn key(notice: BudgetNotice) -> (i64, i64) {
    match notice {
        BudgetNotice::Refused(user) => (0, user),
        BudgetNotice::Exhausted(scope) => (1, number(scope)),
        BudgetNotice::Low => (2, 0),
    }
}

/// What a scope has spent in the month of a day, and in that day.
fn costs(
    tx: &Connection,
    bot: i64,
    scope: Scope,
    of: i64,
    day: i64,
) -> Result<[MicroUsd; 2], StoreError> {
    let mut find = tx.prepare_cached(
        "SELECT coalesce(sum(cost), 0), coalesce(sum(CASE WHEN day = ?5 THEN cost END), 0) FROM spent
         WHERE bot_id = ?1 AND scope = ?2 AND owner_id = ?3 AND day BETWEEN ?4 AND ?5",
    )?;
    let first = Period::Month.first_day(day);
    let key = params![bot, number(scope), of, first, day];
    Ok(find.query_row(key, |r| Ok([MicroUsd(r.get(1)?), MicroUsd(r.get(0)?)]))?)
}

/// Checks a call against the limits, and writes it down if it fits.
pub(super) fn reserve(
    tx: &Connection,
    bot: i64,
    now: i64,
    call: &NewCall,
    budgets: &Budgets,
) -> Result<Reserved, StoreError> {
    let day = budget::day_of(now);
    let (mut room, mut refused): (_, Option<OverBudget>) = (call.wanted.min(DEAREST_CALL), None);
    let mut low = None;
    for (scope, of) in call.spender.scopes() {
        let limits = budgets.of(scope);
        if !limits.is_set() {
            continue;
        }
        let spent = costs(tx, bot, scope, of, day)?;
        for (period, spent) in Period::ALL.into_iter().zip(spent) {
            let Some(limit) = limits.of(period) else { continue };
            let (left, opens_ms) = (limit.less(spent), period.ends_ms(day));
            // What opens last is what has to be waited for.
            if left < call.least && refused.is_none_or(|other| other.opens_ms < opens_ms) {
                refused = Some(OverBudget { scope, period, limit, spent, opens_ms });
            }
            room = room.min(left);
            let is_low =
                i128::from(spent.0) * i128::from(LOW.1) >= i128::from(limit.0) * i128::from(LOW.0);
            if scope == Scope::Total && is_low {
                low = Some((period, opens_ms));
            }
        }
    }
    if let Some(over) = refused {
        return Ok(Reserved::Refused(over));
    }
    let is_low = match low {
        Some((_, until_ms)) if is_noticed(tx, bot, key(BudgetNotice::Low).0, 0, until_ms)? => None,
        low => low,
    };
    let id = insert(tx, bot, now, call, room)?;
    Ok(Reserved::Granted { call: id, amount: room, is_low })
}

/// Writes a call down, and what it may cost into all sums.
fn insert(
    tx: &Connection,
    bot: i64,
    now: i64,
    call: &NewCall,
    cost: MicroUsd,
) -> Result<CallId, StoreError> {
    let day = budget::day_of(now);
    let Spender { user, chat, .. } = call.spender;
    let of_person = call.purpose() == Purpose::Question;
    tx.prepare_cached(
        "INSERT INTO calls (bot_id, day, at_ms, user_id, chat_id, provider, model, purpose, state, cost)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?
    .execute(params![
        bot,
        day,
        now,
        of_person.then_some(user.0),
        of_person.then_some(chat.0),
        call.provider,
        call.model,
        call.purpose().as_str(),
        RESERVED,
        cost.0
    ])?;
    let id = CallId(tx.last_insert_rowid());
    let mut add = tx.prepare_cached(
        "INSERT INTO spent (bot_id, scope, owner_id, day, cost, calls) VALUES (?1, ?2, ?3, ?4, ?5, 1)
         ON CONFLICT (bot_id, scope, owner_id, day) DO UPDATE SET
           cost = cost + excluded.cost, calls = calls + 1",
    )?;
    for (scope, of) in call.spender.scopes() {
        add.execute(params![bot, number(scope), of, day, cost.0])?;
    }
    Ok(id)
}

/// Replaces what a call may cost by what it did cost, once.
fn settle(tx: &Connection, call: CallId, settlement: Settlement) -> Result<(), StoreError> {
    let (cost, usage) = match settlement {
        Settlement::Reported { usage, cost } => (Some(cost.min(DEAREST_CALL)), usage),
        Settlement::NotMade => (Some(MicroUsd::ZERO), Usage::default()),
        Settlement::Assumed => (None, Usage::default()),
    };
    let mut find = tx.prepare_cached(
        "SELECT bot_id, day, user_id, chat_id, purpose, cost FROM calls WHERE id = ?1 AND state = ?2",
    )?;
    let open = find.query_row(params![call.0, RESERVED], |r| {
        let user = r.get::<_, Option<i64>>(2)?;
        let chat = r.get::<_, Option<i64>>(3)?;
        let purpose: String = r.get(4)?;
        Ok((r.get::<_, i64>(0)?, r.get::<_, i64>(1)?, user, chat, purpose, MicroUsd(r.get(5)?)))
    });
    let Some((bot, day, user, chat, purpose, reserved)) = open.optional()? else { return Ok(()) };
    let cost = cost.unwrap_or(reserved);
    let count = |tokens: u64| i64::try_from(tokens).unwrap_or(i64::MAX).min(1 << 40);
    let tokens = [
        count(usage.input_tokens),
        count(usage.cached_tokens),
        count(usage.output_tokens),
        count(usage.reasoning_tokens),
    ];
    let [input, cached, output, reasoning] = tokens;
    let is_made = settlement != Settlement::NotMade;
    if is_made {
        tx.prepare_cached(
            "UPDATE calls SET state = ?2, cost = ?3, input_tokens = ?4, cached_tokens = ?5,
               output_tokens = ?6, reasoning_tokens = ?7 WHERE id = ?1",
        )?
        .execute(params![call.0, SETTLED, cost.0, input, cached, output, reasoning])?;
    } else {
        // An outage with its many tries leaves nothing behind.
        tx.prepare_cached("DELETE FROM calls WHERE id = ?1")?.execute([call.0])?;
    }
    let mut add = tx.prepare_cached(
        "UPDATE spent SET cost = cost + ?5, input_tokens = input_tokens + ?6,
           cached_tokens = cached_tokens + ?7, output_tokens = output_tokens + ?8,
           reasoning_tokens = reasoning_tokens + ?9, calls = calls - ?10
         WHERE bot_id = ?1 AND scope = ?2 AND owner_id = ?3 AND day = ?4",
    )?;
    let of_canary = purpose == Purpose::Canary.as_str();
    let scopes = [
        (Scope::Total, Some(0)),
        (Scope::User, user),
        (Scope::Chat, chat),
        (Scope::Canary, of_canary.then_some(0)),
    ];
    for (scope, of) in scopes {
        let Some(of) = of else { continue };
        let more = (cost - reserved).0;
        add.execute(params![
            bot,
            number(scope),
            of,
            day,
            more,
            input,
            cached,
            output,
            reasoning,
            i64::from(!is_made)
        ])?;
    }
    Ok(())
}

/// Whether people have heard something already that holds for at least so long.
pub(super) fn is_noticed(
    conn: &Connection,
    bot: i64,
    about: i64,
    of: i64,
    until_ms: i64,
) -> Result<bool, StoreError> {
    let mut find = conn.prepare_cached(
        "SELECT 1 FROM budget_notices
         WHERE bot_id = ?1 AND about = ?2 AND owner_id = ?3 AND until_ms >= ?4",
    )?;
    Ok(find.exists(params![bot, about, of, until_ms])?)
}

/// Remembers that people have heard something.
pub(super) fn told(
    tx: &Connection,
    bot: i64,
    notice: BudgetNotice,
    until_ms: i64,
) -> Result<(), StoreError> {
    let (about, of) = key(notice);
    tx.prepare_cached(
        "INSERT INTO budget_notices (bot_id, about, owner_id, until_ms) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (bot_id, about, owner_id) DO UPDATE SET until_ms = excluded.until_ms",
    )?
    .execute(params![bot, about, of, until_ms])?;
    Ok(())
}

/// Takes a person out of the ledger; the sums stay. What they spent this month stays under their number until
/// the month ends, so that no one can reset a limit.
pub(super) fn forget(tx: &Connection, bot: i64, now: i64, user: UserId) -> Result<(), StoreError> {
    let mut days = tx.prepare_cached(
        "SELECT day FROM spent WHERE bot_id = ?1 AND scope = ?2 AND owner_id = ?3",
    )?;
    let key = params![bot, number(Scope::User), user.0];
    let days: Vec<i64> = days.query_map(key, |r| r.get(0))?.collect::<Result<_, _>>()?;
    let mut hide = tx.prepare_cached(
        "UPDATE calls SET user_id = NULL, chat_id = nullif(chat_id, ?3)
         WHERE bot_id = ?1 AND day = ?2 AND user_id = ?3",
    )?;
    for day in days {
        hide.execute(params![bot, day, user.0])?;
    }
    let first = Period::Month.first_day(budget::day_of(now));
    let mut remove = tx.prepare_cached(
        "DELETE FROM spent WHERE bot_id = ?1 AND scope = ?2 AND owner_id = ?3 AND day < ?4",
    )?;
    for scope in [Scope::User, Scope::Chat] {
        remove.execute(params![bot, number(scope), user.0, first])?;
    }
    let (about, of) = self::key(BudgetNotice::Refused(user.0));
    let sql = "DELETE FROM budget_notices WHERE bot_id = ?1 AND about = ?2 AND owner_id = ?3";
    tx.prepare_cached(sql)?.execute([bot, about, of])?;
    Ok(())
}

/// A group that has another number takes what it spent along.
pub(super) fn move_chat(
    tx: &Connection,
    bot: i64,
    from: ChatId,
    to: ChatId,
) -> Result<(), StoreError> {
    let scope = number(Scope::Chat);
    tx.prepare_cached(
        "INSERT INTO spent (bot_id, scope, owner_id, day, cost, calls, input_tokens, cached_tokens,
                            output_tokens, reasoning_tokens)
         SELECT bot_id, scope, ?4, day, cost, calls, input_tokens, cached_tokens, output_tokens,
                reasoning_tokens
         FROM spent WHERE bot_id = ?1 AND scope = ?2 AND owner_id = ?3
         ON CONFLICT (bot_id, scope, owner_id, day) DO UPDATE SET
           cost = cost + excluded.cost, calls = calls + excluded.calls,
           input_tokens = input_tokens + excluded.input_tokens,
           cached_tokens = cached_tokens + excluded.cached_tokens,
           output_tokens = output_tokens + excluded.output_tokens,
           reasoning_tokens = reasoning_tokens + excluded.reasoning_tokens",
    )?
    .execute(params![bot, scope, from.0, to.0])?;
    tx.prepare_cached("DELETE FROM spent WHERE bot_id = ?1 AND scope = ?2 AND owner_id = ?3")?
        .execute(params![bot, scope, from.0])?;
    Ok(())
}

/// Removes what is older than a day, and notices that no longer matter, a few rows at a time.
pub(super) fn sweep(
    tx: &Connection,
    before: i64,
    now: i64,
    most: usize,
) -> Result<usize, StoreError> {
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let bots: Vec<i64> = tx
        .prepare_cached("SELECT bot_id FROM bots")?
        .query_map([], |r| r.get(0))?
        .collect::<Result<_, _>>()?;
    let mut removed = 0;
    for bot in bots {
        let mut remove = tx.prepare_cached(
            "DELETE FROM calls WHERE id IN
               (SELECT id FROM calls WHERE bot_id = ?1 AND day < ?2 ORDER BY day LIMIT ?3)",
        )?;
        removed += remove.execute([bot, before, most])?;
        let about = key(BudgetNotice::Refused(0)).0;
        let sql = "DELETE FROM budget_notices WHERE bot_id = ?1 AND about = ?2 AND until_ms < ?3";
        tx.prepare_cached(sql)?.execute([bot, about, now])?;
    }
    let mut find = tx.prepare_cached(
        "SELECT bot_id, scope, owner_id, day FROM spent WHERE day < ?1 ORDER BY day LIMIT ?2",
    )?;
    let row = |r: &rusqlite::Row<'_>| Ok([r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?]);
    // The sums of earlier months decide nothing.
    let before = Period::Month.first_day(budget::day_of(now));
    let old: Vec<[i64; 4]> = find.query_map([before, most], row)?.collect::<Result<_, _>>()?;
    let sql = "DELETE FROM spent WHERE bot_id = ?1 AND scope = ?2 AND owner_id = ?3 AND day = ?4";
    for key in old {
        tx.prepare_cached(sql)?.execute(key)?;
    }
    Ok(removed)
}
