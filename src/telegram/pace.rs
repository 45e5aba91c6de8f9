//! Telegram's limits on sending, kept by ourselves so that 429 stays rare.
//!
//! One leaky bucket (GCRA) over all, one per chat, one more per group. They are asked together:
//! either all have room and are charged, or none is. A library's limiter charges one at a time.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::model::ids::ChatId;

/// Chats remembered; those with empty buckets are forgotten first.
const CHATS: usize = 10_000;

/// How fast to send.
#[derive(Clone, Copy, Debug)]
pub struct Rates {
    /// Messages per second in one chat, in the long run.
    pub chat_per_s: f64,
    /// Messages that one chat may get at once.
    pub chat_burst: u32,
    /// Messages per second over all chats.
    pub overall_per_s: f64,
    /// Messages per minute in one group.
    pub group_per_min: f64,
}

/// Decides when a message may leave.
#[derive(Debug)]
pub struct Pacer {
    rates: Option<Rates>,
    overall: Bucket,
    chats: HashMap<ChatId, (Bucket, Bucket)>,
}

/// What holds a message back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// The limit over all chats, until then.
    Overall(Instant),
    /// A limit of this chat, until then.
    Chat(Instant),
}

/// One GCRA bucket: the time at which it is empty.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket(Option<Instant>);

impl Bucket {
    /// When a message may pass: `burst` messages at once, then one each `every`.
    fn ready_at(self, now: Instant, every: Duration, burst: u32) -> Instant {
        let slack = every.saturating_mul(burst.saturating_sub(1));
        match self.0 {
            Some(empty) => empty.checked_sub(slack).map_or(now, |at| at.max(now)),
            None => now,
        }
    }

    fn charge(&mut self, now: Instant, every: Duration) {
        self.0 = Some(self.0.map_or(now, |empty| empty.max(now)) + every);
    }
}

impl Pacer {
    /// A pacer with these rates; with none, everything may leave at once (local servers).
    pub fn new(rates: Option<Rates>) -> Self {
        Self { rates, overall: Bucket::default(), chats: HashMap::new() }
    }

    /// Other rates from now on. What the buckets hold stays, so that a change gives no room twice.
    pub fn set_rates(&mut self, rates: Option<Rates>) {
        self.rates = rates;
    }

    /// Takes room for one message to `chat`, or says what to wait for.
    ///
    /// # Errors
    /// When there is no room; nothing is charged then.
    pub fn take(&mut self, chat: ChatId, now: Instant) -> Result<(), Wait> {
        let Some(rates) = self.rates else { return Ok(()) };
        self.has_room(now).map_err(Wait::Overall)?;
        if self.chats.len() >= CHATS && !self.chats.contains_key(&chat) {
            self.chats.retain(|_, (a, b)| a.0.max(b.0).is_some_and(|empty| empty > now));
        }
        let (second, minute) = self.chats.entry(chat).or_default();
        let chat_every = per(1.0, rates.chat_per_s);
        let group_every = per(60.0, rates.group_per_min);
        let group_burst = rates.group_per_min.clamp(1.0, 1e6) as u32;
        let mut ready = second.ready_at(now, chat_every, rates.chat_burst);
        if chat.is_shared() {
            ready = ready.max(minute.ready_at(now, group_every, group_burst));
        }
        if ready > now {
            return Err(Wait::Chat(ready));
        }
        self.overall.charge(now, rates.overall_every());
        second.charge(now, chat_every);
        if chat.is_shared() {
            minute.charge(now, group_every);
        }
        Ok(())
    }

    /// Takes room that no message needs now, for what may as well be left out. Messages may pass
    /// while it is taken: they have a burst, and this has none.
    pub fn take_spare(&mut self, now: Instant) -> bool {
        let Some(rates) = self.rates else { return true };
        let is_spare = self.overall.ready_at(now, rates.overall_every(), 1) <= now;
        if is_spare {
            self.overall.charge(now, rates.overall_every());
        }
        is_spare
    }

    /// Takes room for `count` edits, or says when there is room. They count over all chats; a chat
    /// in which a message is looked for gets nothing else meanwhile.
    ///
    /// # Errors
    /// When there is no room; nothing is charged then.
    pub fn take_edits(&mut self, count: usize, now: Instant) -> Result<(), Instant> {
        let Some(rates) = self.rates else { return Ok(()) };
        self.has_room(now)?;
        (0..count).for_each(|_| self.overall.charge(now, rates.overall_every()));
        Ok(())
    }

    /// Whether the limit over all chats has room, or when.
    fn has_room(&self, now: Instant) -> Result<(), Instant> {
        let Some(rates) = self.rates else { return Ok(()) };
        // A tenth of a second's worth may leave together.
        let burst = (rates.overall_per_s / 10.0).clamp(1.0, 1e6) as u32;
        let ready = self.overall.ready_at(now, rates.overall_every(), burst);
        if ready > now { Err(ready) } else { Ok(()) }
    }
}

impl Rates {
    fn overall_every(&self) -> Duration {
        per(1.0, self.overall_per_s)
    }
}

fn per(seconds: f64, count: f64) -> Duration {
    Duration::from_secs_f64((seconds / count.max(0.001)).min(86_400.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATES: Rates =
        Rates { chat_per_s: 1.0, chat_burst: 3, overall_per_s: 30.0, group_per_min: 20.0 };

    /// Messages that leave within `seconds` when `chats` are always eager.
    fn leave(chats: &[i64], seconds: u64) -> usize {
        let mut pacer = Pacer::new(Some(RATES));
        let start = Instant::now();
        let mut count = 0;
        for ms in 0..seconds * 1000 {
            let now = start + Duration::from_millis(ms);
            count += chats.iter().filter(|c| pacer.take(ChatId(**c), now).is_ok()).count();
        }
        count
    }

    #[test]
    fn each_limit_holds() {
        assert_eq!(leave(&[1], 10), 3 + 9, "a burst of three, then one a second");
        let many: Vec<i64> = (1..=200).collect();
        let sent = leave(&many, 5);
        assert!((145..=155).contains(&sent), "{sent} in 5 s over all");
        let group = leave(&[-5], 60);
        assert!((20..=41).contains(&group), "{group} in a group's first minute");
    }

    #[test]
    fn what_may_be_left_out_gives_way_to_messages() {
        let mut pacer = Pacer::new(Some(RATES));
        let start = Instant::now();
        let (mut spare, mut sent) = (0, 0);
        for ms in 0..5000_i64 {
            let now = start + Duration::from_millis(ms.unsigned_abs());
            // All the time someone wants to show a draft; from the third second on there are
            // messages to 200 chats as well.
            spare += usize::from(ms < 2000 && pacer.take_spare(now));
            sent += usize::from(ms >= 2000 && pacer.take(ChatId(ms % 200), now).is_ok());
            assert!(ms < 2100 || !pacer.take_spare(now), "messages fill the room");
        }
        assert!((55..=62).contains(&spare), "{spare} drafts in 2 s");
        assert!((88..=95).contains(&sent), "{sent} messages in 3 s");
        assert!(Pacer::new(None).take_spare(start));
    }

    #[test]
    fn other_rates_give_no_room_twice() {
        let mut pacer = Pacer::new(Some(RATES));
        let now = Instant::now();
        while pacer.take(ChatId(1), now).is_ok() {}
        pacer.set_rates(Some(Rates { chat_per_s: 2.0, ..RATES }));
        assert!(pacer.take(ChatId(1), now).is_err(), "the burst was spent before");
        let soon = now + Duration::from_secs(3);
        let left = (0..9).filter(|_| pacer.take(ChatId(1), soon).is_ok()).count();
        assert_eq!(left, 3, "a burst of three, as before");
        pacer.set_rates(None);
        assert!(pacer.take(ChatId(1), soon).is_ok());
    }

    #[test]
    fn a_refusal_charges_nothing() {
        let mut pacer = Pacer::new(Some(RATES));
        let now = Instant::now();
        for _ in 0..3 {
            pacer.take(ChatId(1), now).unwrap();
        }
        let first = pacer.take(ChatId(1), now);
        assert!(matches!(first, Err(Wait::Overall(_) | Wait::Chat(_))));
        assert_eq!(pacer.take(ChatId(1), now), first);
    }

    #[test]
    fn switched_off_it_holds_nothing() {
        let mut pacer = Pacer::new(None);
        let now = Instant::now();
        assert!((0..10_000).all(|_| pacer.take(ChatId(-1), now).is_ok()));
    }
}
