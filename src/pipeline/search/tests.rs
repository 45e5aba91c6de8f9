//! Searches over what a simulated Telegram holds, with their probes counted.

use super::choice::MARGIN;
use super::*;
use crate::pipeline::message_ids::{MessageIdTracker, Reconcile};

/// What Telegram holds: the chat of each id, where it is a part's.
struct Telegram {
    last: i64,
    chats: HashMap<i64, ChatId>,
    known: MessageIdTracker,
    now: Instant,
    probes: usize,
}

/// Chats whose messages were on their way at the crash.
const CHATS: usize = 200;

/// A chat whose part has been in doubt for very long.
const LONG_AGO: ChatId = ChatId(99);

/// Edits that Telegram allows in a minute.
const A_MINUTE: usize = 30 * 60;

fn chat(rank: usize) -> ChatId {
    ChatId(100 + rank as i64)
}

/// Sends that came in the order of `ranks`, and are all in doubt; after each of them someone
/// else may have written, heard or not.
fn crashed(ranks: &[usize], lost: &[usize], others: impl Fn(usize) -> Option<bool>) -> Telegram {
    let now = Instant::now();
    let (chats, known) = (HashMap::new(), MessageIdTracker::default());
    let mut telegram = Telegram { last: 1000, chats, known, now, probes: 0 };
    telegram.known.heard(ChatId(1), MessageId(1000));
    for rank in ranks.iter().filter(|r| !lost.contains(r)) {
        telegram.last += 1;
        telegram.chats.insert(telegram.last, chat(*rank));
        if let Some(heard) = others(*rank) {
            telegram.last += 1;
            if heard {
                telegram.known.heard(ChatId(1), MessageId(telegram.last));
            }
        }
    }
    (0..CHATS).for_each(|r| telegram.known.in_doubt(chat(r), MessageId(1000), now, now));
    telegram.known.caught_up(now + Duration::from_millis(1));
    telegram
}

/// Ranks in the order in which two workers send them that take runs of parts in turn.
fn two_workers(dice: &mut fastrand::Rng) -> Vec<usize> {
    let mut queues = [Vec::new(), Vec::new()];
    let mut rank = 0;
    while rank < CHATS {
        let end = (rank + dice.usize(5..60)).min(CHATS);
        queues[dice.usize(0..2)].extend(rank..end);
        rank = end;
    }
    let mut ranks = Vec::new();
    while queues.iter().any(|q| !q.is_empty()) {
        let queue = &mut queues[dice.usize(0..2)];
        let run = dice.usize(1..15).min(queue.len());
        ranks.extend(queue.drain(..run));
    }
    ranks
}

impl Telegram {
    /// Looks for all parts, some probes at a time; answers who was found and who was not.
    fn search(&mut self) -> (usize, usize) {
        let (mut found, mut lost) = (0, 0);
        loop {
            let mut asked = Vec::new();
            self.now += Duration::from_millis(100);
            while let Reconcile::Step(chat, step) = self.known.reconcile(self.now) {
                self.known.started(chat, &step, self.now);
                asked.push((chat, step));
                if asked.len() == 8 {
                    break;
                }
            }
            if asked.is_empty() {
                return (found, lost);
            }
            for (chat, step) in asked {
                match step {
                    Step::Ask(ids) => {
                        self.probes += ids.len();
                        let (here, elsewhere): (Vec<_>, Vec<_>) =
                            ids.iter().partition(|id| self.chats.get(&id.0) == Some(&chat));
                        self.known.not_at(chat, &elsewhere);
                        match here.first() {
                            Some(id) => {
                                self.known.found(chat, *id);
                                self.known.resolved(chat);
                                found += 1;
                            }
                            None => self.known.go_on(chat),
                        }
                    }
                    Step::Conclude(Verdict::Unclear) if chat == LONG_AGO => {
                        self.known.resolved(chat);
                    }
                    Step::Conclude(verdict) => {
                        assert_eq!(verdict, Verdict::Lost);
                        let there = self.chats.iter().find(|(_, c)| **c == chat);
                        assert_eq!(there, None, "said to be lost");
                        self.known.resolved(chat);
                        lost += 1;
                        // It is sent again, and its new id shows the counter's highest id.
                        self.last += 1;
                        self.known.sent(chat, MessageId(self.last), self.now);
                    }
                }
            }
        }
    }
}

#[test]
fn all_parts_in_doubt_are_found_or_surely_lost_within_a_minute_of_edits() {
    let mut dice = fastrand::Rng::with_seed(5);
    let in_order: Vec<_> = (0..CHATS).collect();
    let mut shuffled = |by: usize| {
        let mut keyed: Vec<_> = (0..CHATS).map(|r| (r + dice.usize(0..=by), r)).collect();
        keyed.sort_unstable();
        keyed.into_iter().map(|(_, r)| r).collect::<Vec<_>>()
    };
    let (nearly, mixed) = (shuffled(5), shuffled(20));
    let in_runs = two_workers(&mut dice);
    let some: Vec<_> = (0..CHATS).filter(|r| r % 9 == 4).collect();
    let no_one = |_| None;
    type Others<'a> = &'a dyn Fn(usize) -> Option<bool>;
    type Row<'a> = (&'a str, &'a [usize], &'a [usize], Others<'a>, usize);
    let table: [Row<'_>; 10] = [
        ("in order", &in_order, &[], &no_one, CHATS),
        ("nearly in order", &nearly, &[], &no_one, 3 * CHATS),
        ("mixed", &mixed, &[], &no_one, A_MINUTE),
        ("in runs", &in_runs, &[], &no_one, A_MINUTE),
        ("one lost", &nearly, &[50], &no_one, 3 * CHATS),
        ("some lost", &nearly, &some, &no_one, A_MINUTE),
        ("the last lost", &nearly, &in_order[120..], &no_one, 4 * CHATS),
        ("none arrived", &in_order, &in_order, &no_one, 3 * CHATS),
        ("others heard", &nearly, &[], &|r| (r % 2 == 0).then_some(true), A_MINUTE),
        ("others unheard", &nearly, &[], &|r| (r % 19 == 7).then_some(false), A_MINUTE),
    ];
    for (name, ranks, lost, others, most) in table {
        let mut telegram = crashed(ranks, lost, others);
        assert_eq!(telegram.search(), (CHATS - lost.len(), lost.len()), "{name}");
        eprintln!("{name}: {} probes", telegram.probes);
        assert!(telegram.probes <= most, "{name}: {} probes", telegram.probes);
    }
}

#[test]
fn a_part_in_doubt_for_very_long_takes_no_more_than_its_probes_and_little_time() {
    let mut telegram = crashed(&[], &[], |_| None);
    (telegram.known, telegram.last) = (MessageIdTracker::default(), 1_000_000_000);
    let now = telegram.now;
    telegram.known.heard(ChatId(1), MessageId(1000));
    telegram.known.in_doubt(LONG_AGO, MessageId(1000), now, now);
    telegram.known.heard(ChatId(1), MessageId(telegram.last));
    for rank in 0..CHATS {
        telegram.known.in_doubt(chat(rank), MessageId(1_000_000_000), now, now);
        telegram.last += 1;
        telegram.chats.insert(telegram.last, chat(rank));
    }
    telegram.known.caught_up(now + Duration::from_millis(1));
    let begun = std::time::Instant::now();
    assert_eq!(telegram.search(), (CHATS, 0));
    eprintln!("{} probes, {:?}", telegram.probes, begun.elapsed());
    assert!(telegram.probes <= limits::PROBES + 2 * CHATS, "{} probes", telegram.probes);
}

#[test]
fn in_a_supergroup_nothing_is_surely_lost() {
    let group = ChatId(-1_000_000_000_005);
    let (mut known, now) = (MessageIdTracker::default(), Instant::now());
    known.heard(group, MessageId(10));
    known.caught_up(now + Duration::from_millis(1));
    known.in_doubt(group, MessageId(10), now, now);
    let mut asked = Vec::new();
    loop {
        match known.reconcile(now) {
            Reconcile::Step(chat, Step::Ask(ids)) => {
                asked.extend(ids.iter().map(|id| id.0));
                known.not_at(chat, &ids);
            }
            end => {
                let unclear = Step::Conclude(Verdict::Unclear);
                assert_eq!(end, Reconcile::Step(group, unclear));
                break;
            }
        }
    }
    assert_eq!(asked, (11..=11 + MARGIN).collect::<Vec<_>>());
}

#[test]
fn nothing_is_said_to_be_lost_before_polls_have_caught_up() {
    let (mut known, now) = (MessageIdTracker::default(), Instant::now());
    known.heard(chat(0), MessageId(10));
    known.in_doubt(chat(0), MessageId(10), now, now);
    assert_eq!(known.reconcile(now), Reconcile::CatchUp);
    assert!(matches!(known.reconcile(now), Reconcile::Wait(Some(_))), "once a second");
    let later = now + PATIENCE;
    while let Reconcile::Step(chat, Step::Ask(ids)) = known.reconcile(later) {
        known.not_at(chat, &ids);
    }
    let too_early = Step::Conclude(Verdict::TooEarly);
    assert_eq!(known.reconcile(later), Reconcile::Step(chat(0), too_early));
}

#[test]
fn after_a_restart_the_first_own_id_is_the_nearest_bound() {
    let group = ChatId(-1_000_000_000_005);
    let (mut known, now) = (MessageIdTracker::default(), Instant::now());
    known.heard(group, MessageId(100));
    known.caught_up(now + Duration::from_millis(1));
    known.in_doubt(group, MessageId(100), now, now);
    known.sent(group, MessageId(5002), now);
    let mut asked = Vec::new();
    while asked.len() < 4
        && let Reconcile::Step(chat, Step::Ask(ids)) = known.reconcile(now)
    {
        asked.extend(ids.iter().map(|id| id.0));
        known.not_at(chat, &ids);
    }
    assert_eq!(asked, [101, 5001, 102, 5000]);
    for step in 0.. {
        match known.reconcile(now) {
            Reconcile::Step(chat, Step::Ask(ids)) => known.not_at(chat, &ids),
            end => {
                assert!(step < limits::PROBES, "a gap of 5,000 is not probed whole");
                let unclear = Step::Conclude(Verdict::Unclear);
                assert_eq!(end, Reconcile::Step(group, unclear));
                break;
            }
        }
    }
}

#[test]
fn a_part_in_doubt_for_very_long_hides_no_newer_one() {
    for bounded in [false, true] {
        let (mut known, now) = (MessageIdTracker::default(), Instant::now());
        known.heard(ChatId(1), MessageId(1000));
        known.in_doubt(chat(0), MessageId(1000), now, now);
        // Of what lies between, this process knows nothing.
        known.heard(ChatId(1), MessageId(20_000));
        for rank in 1..=5 {
            known.in_doubt(chat(rank), MessageId(20_000), now, now);
        }
        known.caught_up(now + Duration::from_millis(1));
        if bounded {
            known.sent(ChatId(2), MessageId(20_010), now);
        }
        let mut verdicts = HashMap::new();
        let mut asked: HashMap<ChatId, Vec<i64>> = HashMap::new();
        while let Reconcile::Step(of, step) = known.reconcile(now) {
            known.started(of, &step, now);
            match step {
                // The fourth arrived, the others did not.
                Step::Ask(ids) if of == chat(4) && ids.contains(&MessageId(20_002)) => {
                    known.found(of, MessageId(20_002));
                    known.resolved(of);
                }
                Step::Ask(ids) => {
                    asked.entry(of).or_default().extend(ids.iter().map(|id| id.0));
                    known.not_at(of, &ids);
                    known.go_on(of);
                }
                Step::Conclude(verdict) => {
                    verdicts.insert(of, verdict);
                    known.resolved(of);
                }
            }
        }
        assert_eq!(verdicts.remove(&chat(4)), None, "it was there");
        assert_eq!(verdicts.remove(&chat(0)), Some(Verdict::Unclear), "19,000 ids were possible");
        assert_eq!(asked[&chat(0)].len(), limits::PROBES);
        for rank in [1, 2, 3, 5] {
            assert_eq!(verdicts[&chat(rank)], Verdict::Lost);
            let ids: BTreeSet<_> = asked[&chat(rank)].iter().copied().collect();
            let first_10 = (20_001..20_010).filter(|id| *id != 20_002);
            assert!(first_10.into_iter().all(|id| ids.contains(&id)), "{ids:?}");
        }
    }
}
