//! A channel that is away for a day, reminders, and clocks that are set meanwhile.

use check_heartbeat::notification::Kind;
use heartbeat::Verdict;

use crate::world::World;

const DAY: u64 = 86_400;

/// One check a minute; from and to are minutes in which the program fails.
fn day(world: &mut World, outages: &[(u64, u64)]) {
    for minute in 0..DAY / 60 {
        world.pass(60);
        let fails = outages.iter().any(|(from, to)| (*from..*to).contains(&minute));
        world.beat(if fails { Verdict::Failing } else { Verdict::Ok });
        world.check(None);
    }
}

#[test]
fn nothing_is_lost_while_a_channel_is_away_for_a_day() {
    let mut world = World::new(&["mail", "phone"]);
    world.network("mail", false);
    let began = world.now.time_ms;
    // The last one goes on when the channel comes back.
    day(&mut world, &[(10, 13), (100, 700), (800, 801), (1_430, 1_440)]);
    assert!(world.accepted("mail").is_empty());
    world.network("mail", true);
    world.pass(60);
    world.beat(Verdict::Failing);
    world.check(None);
    world.pass(60);
    world.beat(Verdict::Ok);
    world.check(None);
    world.check(None);
    assert!(!world.remembers());

    let kinds = |name: &str| world.accepted(name).iter().map(|n| n.kind).collect::<Vec<_>>();
    use Kind::{Down, Late, Recovered, Reminder};
    let phone =
        [Down, Recovered, Down, Reminder, Reminder, Recovered, Down, Recovered, Down, Recovered];
    assert_eq!(kinds("phone"), phone);
    assert_eq!(kinds("mail"), [Late, Late, Late, Down, Recovered]);

    let mail = world.accepted("mail");
    let minute = |n: i64| began + n * 60_000;
    for (late, (from, to)) in mail.iter().zip([(11, 14), (101, 701), (801, 802)]) {
        assert_eq!((late.started_ms, late.ended_ms), (minute(from), Some(minute(to))));
        assert_eq!(late.duration_s, Some(u64::try_from(to - from).unwrap() * 60));
        assert!(late.summary.starts_with("was down from 2026-11-"), "{}", late.summary);
    }
    let phone = world.accepted("phone");
    let recovered = phone.iter().filter(|n| n.kind == Recovered).map(|n| &n.incident);
    assert!(recovered.eq(mail.iter().filter(|n| n.kind != Down).map(|n| &n.incident)));
    assert_eq!((mail[3].started_ms, mail[3].at_ms), (minute(1_431), minute(1_431)));
    assert_eq!(mail[4].duration_s, Some(11 * 60));
}

#[test]
fn the_clock_may_be_set_during_an_incident() {
    for jump in [-86_400, 86_400] {
        let mut world = World::new(&["a"]);
        world.beat(Verdict::Failing);
        world.check(None);
        world.jump(jump);
        for _ in 0..3 {
            world.pass(60);
            world.beat(Verdict::Failing);
            world.check(None);
        }
        world.pass(60);
        world.beat(Verdict::Ok);
        world.check(None);
        let told = world.accepted("a");
        let kinds: Vec<Kind> = told.iter().map(|n| n.kind).collect();
        assert_eq!(kinds, [Kind::Down, Kind::Recovered], "no reminder for the jump of {jump} s");
        assert_eq!(told[1].duration_s, Some(240));
        assert_eq!(told[1].ended_ms, Some(world.now.time_ms));
        assert_eq!(told[1].started_ms, world.now.time_ms - 240_000);
    }
}

#[test]
fn an_incident_lasts_over_a_boot() {
    let mut world = World::new(&["a"]);
    world.beat(Verdict::Ok);
    world.pass(300);
    world.check(None);
    world.pass(300);
    world.boot("boot-2");
    world.check(None);
    world.pass(60);
    world.beat(Verdict::Ok);
    world.check(None);
    let told = world.accepted("a");
    let kinds: Vec<Kind> = told.iter().map(|n| n.kind).collect();
    assert_eq!(kinds, [Kind::Down, Kind::Recovered]);
    assert_eq!(told[1].duration_s, Some(660), "from the last sign of life, by the wall clock");
}

#[test]
fn many_incidents_stay_bounded() {
    let mut world = World::new(&["a"]);
    world.network("a", false);
    for _ in 0..300 {
        for verdict in [Verdict::Failing, Verdict::Ok] {
            world.pass(60);
            world.beat(verdict);
            world.check(None);
        }
    }
    let size = std::fs::metadata(world.state().join("incidents.json")).unwrap().len();
    assert!(size < 500_000, "{size} bytes");
    world.network("a", true);
    world.check(None);
    assert_eq!(world.accepted("a").len(), 20, "not all at once");
    for _ in 0..9 {
        world.check(None);
    }
    let told = world.accepted("a");
    assert_eq!(told.len(), 200, "the newest are kept");
    assert!(told.iter().all(|n| n.kind == Kind::Late));
    assert!(!world.remembers());
    assert!(world.folder().exists());
}

#[test]
fn over_a_boot_a_duration_is_never_negative_and_small_drift_is_not_shown() {
    let mut world = World::new(&["a"]);
    world.beat(Verdict::Failing);
    world.check(None);
    let began = world.now.time_ms;
    // The two clocks drift apart by 4 s in a minute, which is not shown as another start.
    world.pass(60);
    world.jump(4);
    world.beat(Verdict::Ok);
    world.check(None);
    let told = world.accepted("a");
    assert_eq!((told[1].started_ms, told[1].duration_s), (began, Some(60)));
    // A boot with the clock set back behind the start.
    world.beat(Verdict::Failing);
    world.check(None);
    world.boot("boot-2");
    world.jump(-600);
    world.beat(Verdict::Ok);
    world.check(None);
    let told = world.accepted("a");
    assert_eq!(told[3].duration_s, Some(0));
    assert_eq!(
        (told[3].started_ms, told[3].ended_ms),
        (world.now.time_ms, Some(world.now.time_ms))
    );
}

#[test]
fn a_watch_that_was_removed_is_closed_after_a_week() {
    let mut world = World::new(&["a"]);
    world.beat(Verdict::Failing);
    world.check(None);
    let began = world.now.time_ms;
    for (seconds, recovered) in [(7 * DAY - 60, 0), (120, 1)] {
        world.pass(seconds);
        world.check_nothing();
        assert_eq!(world.accepted("a").len(), 1 + recovered);
    }
    let told = world.accepted("a");
    assert_eq!((told[1].summary.as_str(), told[1].ended_ms), ("no longer watched", Some(began)));
    assert!(!world.remembers());
}

#[test]
fn an_incident_concerns_the_channels_of_its_time() {
    let mut world = World::new(&["x"]);
    world.beat(Verdict::Failing);
    world.check(None);
    world.names.push("y".to_owned());
    world.check(None);
    assert_eq!(world.accepted("y").len(), 1, "a new channel gets what goes on");
    world.network("y", false);
    world.beat(Verdict::Ok);
    world.check(None);
    assert_eq!(world.accepted("x").len(), 2);
    world.names.push("z".to_owned());
    world.check(None);
    assert!(world.accepted("z").is_empty(), "what is over does not concern a new channel");
    assert!(world.remembers(), "y has to get its RECOVERED");
    world.names.retain(|name| name != "y");
    world.check(None);
    assert!(!world.remembers(), "y was removed");
}

#[test]
fn what_has_no_channel_yet_waits_for_the_fixed_configuration() {
    let mut world = World::new(&[]);
    world.complete = false;
    world.beat(Verdict::Failing);
    world.check(None);
    world.pass(60);
    world.beat(Verdict::Ok);
    world.check(None);
    world.names.push("x".to_owned());
    world.complete = true;
    world.check(None);
    let kinds: Vec<Kind> = world.accepted("x").iter().map(|n| n.kind).collect();
    assert_eq!(kinds, [Kind::Late]);
    assert!(!world.remembers());
}
