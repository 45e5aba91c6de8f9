//! A thousand checks with outages of the program and of the channels, kills of the checker, and
//! clocks that are set by a day: each channel hears of each incident once, and of its end once.

use std::collections::{BTreeMap, BTreeSet};

use check_heartbeat::incident::Mode;
use check_heartbeat::notification::{Kind, Notification};
use heartbeat::Verdict;

use crate::world::{Kill, World};

const CHECKS: usize = 1_000;

/// What really happened.
#[derive(Default)]
struct Truth {
    /// Durations of incidents that are over, in seconds.
    over: Vec<u64>,
    /// When the present one began, in milliseconds since boot.
    began: Option<u64>,
    kills: usize,
}

impl Truth {
    fn check(&mut self, bad: bool, boot_ms: u64) {
        match (bad, self.began) {
            (true, None) => self.began = Some(boot_ms),
            (false, Some(began)) => {
                self.over.push((boot_ms - began) / 1000);
                self.began = None;
            }
            _ => {}
        }
    }
}

/// Plays the thousand checks, then lets everything come to rest.
fn play(seed: u64, mode: Mode, names: &[&str]) -> (World, Truth) {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut world = World::new(names);
    world.mode = mode;
    let mut truth = Truth::default();
    let (mut bad, mut beats) = (false, true);
    // For how many more checks a channel is away.
    let mut down_for = vec![0; names.len()];
    for _ in 0..CHECKS {
        world.pass(random.u64(30..180));
        if random.u8(..) < 20 {
            world.jump(if random.bool() { 86_400 } else { -86_400 });
        }
        if random.u8(..) < if bad { 60 } else { 25 } {
            bad = !bad;
            // A program that is down is hung, or says itself that it fails.
            beats = random.bool();
        }
        match (bad, beats) {
            (false, _) => world.beat(Verdict::Ok),
            (true, true) => world.beat(Verdict::Failing),
            (true, false) => {
                world.beat(Verdict::Ok);
                world.pass(121);
            }
        }
        for (name, down_for) in names.iter().zip(&mut down_for) {
            *down_for = match *down_for {
                0 if random.u8(..) < 6 => random.u32(1..80),
                left => left.saturating_sub(1),
            };
            world.network(name, *down_for == 0);
        }
        // A second run at the same time does nothing; a run that dies early neither.
        if random.u8(..) < 12 {
            continue;
        }
        let kill = (random.u8(..) < 50)
            .then(|| (random.u32(0..3), if random.bool() { Kill::Before } else { Kill::After }));
        // What hangs was last seen alive before that.
        let silent_ms = if bad && !beats { 121_000 } else { 0 };
        truth.check(bad, world.now.boot_ms.unwrap() - silent_ms);
        truth.kills += usize::from(world.check(kill));
    }
    for name in names {
        world.network(name, true);
    }
    for _ in 0..5 {
        world.pass(60);
        world.beat(Verdict::Ok);
        truth.check(false, world.now.boot_ms.unwrap());
        world.check(None);
    }
    (world, truth)
}

/// What one receiver has, after throwing away what it had already.
struct Heard {
    notices: Vec<Notification>,
    doubled: usize,
}

fn heard(world: &World, name: &str) -> Heard {
    let mut seen = BTreeMap::new();
    let (mut notices, mut doubled) = (Vec::new(), 0);
    for notice in world.accepted(name) {
        match seen.insert((notice.incident.clone(), notice.number), notice.kind) {
            None => notices.push(notice),
            Some(kind) => {
                assert_eq!(kind, notice.kind, "a number stands for one notice only");
                doubled += 1;
            }
        }
    }
    Heard { notices, doubled }
}

/// For each incident: how often its beginning, and how often its end was reported.
fn tally(notices: &[Notification]) -> BTreeMap<String, (usize, usize)> {
    let mut tally: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let mut open = BTreeSet::new();
    for notice in notices {
        let id = &notice.incident;
        match notice.kind {
            Kind::Down => {
                tally.entry(id.clone()).or_default().0 += 1;
                open.insert(id.clone());
            }
            Kind::Reminder | Kind::Changed => {
                assert!(open.contains(id), "a reminder of what was never told");
            }
            Kind::Recovered => {
                assert!(open.remove(id), "RECOVERED without DOWN: {notice:?}");
                tally.entry(id.clone()).or_default().1 += 1;
            }
            Kind::Late => {
                open.remove(id);
                tally.entry(id.clone()).or_default().1 += 1;
            }
            Kind::Test => panic!("a test was not requested"),
        }
    }
    assert!(open.is_empty(), "never told that it is over: {open:?}");
    tally
}

/// LATE notices that tell the end of what an earlier notice had told of.
fn repeats(notices: &[Notification]) -> usize {
    let (mut known, mut again) = (BTreeSet::new(), 0);
    for notice in notices {
        let is_new = known.insert(notice.incident.clone());
        again += usize::from(notice.kind == Kind::Late && !is_new);
    }
    again
}

fn seeds() -> std::ops::Range<u64> {
    let more = std::env::var("KATANA_TEST_SEEDS").ok().and_then(|n| n.parse().ok());
    0..more.unwrap_or(4)
}

#[test]
fn each_channel_hears_of_each_incident_once() {
    let (mut kills, mut repeated, mut told) = (0, 0, 0);
    for seed in seeds() {
        let (world, truth) = play(seed, Mode::All, &["mail", "phone", "page"]);
        kills += truth.kills;
        assert!(!world.remembers(), "seed {seed}: all is reported and over");
        assert!(truth.over.len() > 20, "seed {seed}: enough happened");
        for name in ["mail", "phone", "page"] {
            let heard = heard(&world, name);
            let tally = tally(&heard.notices);
            assert_eq!(tally.len(), truth.over.len(), "seed {seed}, {name}: incidents");
            assert!(heard.doubled <= truth.kills, "seed {seed}, {name}: doubled");
            for (id, (begins, ends)) in &tally {
                assert!(*begins <= 1, "seed {seed}, {name}, {id}: {begins} DOWN");
                assert!(*ends >= 1, "seed {seed}, {name}, {id}: its end was lost");
            }
            // Only what was accepted in the moment of a kill can be reported in another way again.
            let again = repeats(&heard.notices);
            assert!(again <= truth.kills, "seed {seed}, {name}: {again} repeats");
            repeated += again + heard.doubled;
            told += tally.len();
            let recovered = heard.notices.iter().filter(|n| n.kind == Kind::Recovered);
            for notice in recovered {
                let duration = notice.duration_s.unwrap();
                assert!(truth.over.contains(&duration), "seed {seed}: {duration} s");
                let distance = notice.ended_ms.unwrap() - notice.started_ms;
                assert_eq!(u64::try_from(distance / 1000), Ok(duration), "seed {seed}");
            }
        }
    }
    println!("{kills} kills, {told} incidents told, {repeated} notices repeated");
    assert!(kills > 20, "the checker was killed {kills} times only");
}

#[test]
fn without_kills_nothing_comes_twice() {
    for seed in seeds() {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut world = World::new(&["a", "b"]);
        let mut truth = Truth::default();
        for _ in 0..CHECKS {
            world.pass(60);
            let bad = random.u8(..) < 70;
            world.beat(if bad { Verdict::Failing } else { Verdict::Ok });
            for name in ["a", "b"] {
                world.network(name, random.u8(..) < 200);
            }
            truth.check(bad, world.now.boot_ms.unwrap());
            world.check(None);
        }
        for name in ["a", "b"] {
            world.network(name, true);
        }
        world.pass(60);
        world.beat(Verdict::Ok);
        truth.check(false, world.now.boot_ms.unwrap());
        world.check(None);
        for name in ["a", "b"] {
            let heard = heard(&world, name);
            assert_eq!(heard.doubled, 0);
            let tally = tally(&heard.notices);
            assert_eq!(tally.len(), truth.over.len());
            assert!(tally.values().all(|(begins, ends)| *begins <= 1 && *ends == 1), "{tally:?}");
            let told = |kind| heard.notices.iter().filter(|n| n.kind == kind).count();
            assert_eq!(told(Kind::Down), told(Kind::Recovered));
        }
        assert!(!world.remembers());
    }
}

#[test]
fn where_the_first_is_enough_one_channel_hears_all_of_an_incident() {
    for seed in seeds() {
        let (world, truth) = play(100 + seed, Mode::First, &["a", "b", "c"]);
        assert!(!world.remembers(), "seed {seed}");
        let mut all: BTreeMap<String, (usize, usize)> = BTreeMap::new();
        for name in ["a", "b", "c"] {
            for (id, (begins, ends)) in tally_first(&heard(&world, name).notices) {
                let entry = all.entry(id).or_default();
                entry.0 += begins;
                entry.1 += ends;
            }
        }
        assert_eq!(all.len(), truth.over.len(), "seed {seed}");
        for (id, (begins, ends)) in all {
            assert!(ends >= 1, "seed {seed}, {id}: its end was lost");
            let twice = begins > 1 || ends > 1;
            assert!(!twice || truth.kills > 0, "seed {seed}, {id}: {begins} and {ends}");
        }
    }
}

/// As [`tally`], but after a kill another channel may have told the end.
fn tally_first(notices: &[Notification]) -> BTreeMap<String, (usize, usize)> {
    let mut tally: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for notice in notices {
        match notice.kind {
            Kind::Down => tally.entry(notice.incident.clone()).or_default().0 += 1,
            Kind::Recovered => {
                let entry = tally.entry(notice.incident.clone()).or_default();
                assert_eq!(entry.0, 1, "RECOVERED without DOWN: {notice:?}");
                entry.1 += 1;
            }
            Kind::Late => tally.entry(notice.incident.clone()).or_default().1 += 1,
            Kind::Reminder | Kind::Changed | Kind::Test => {}
        }
    }
    tally
}
