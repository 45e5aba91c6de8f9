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
    assert_eq!(kinds("mail"), [Late, Down, Recovered]);

    let mail = world.accepted("mail");
    let minute = |n: i64| began + n * 60_000;
    assert_eq!((mail[0].started_ms, mail[0].ended_ms), (minute(11), Some(minute(802))));
    assert_eq!(mail[0].details.len(), 3, "{:?}", mail[0].details);
    assert_eq!(mail[0].duration_s, Some((3 + 600 + 1) * 60));
    assert!(mail[0].summary.starts_with("3 incidents came and went"), "{}", mail[0].summary);
    for notice in world.accepted("phone").iter().filter(|n| n.kind == Recovered).take(3) {
        let listed = mail[0].details.iter().filter(|d| d.contains(&notice.incident)).count();
        assert_eq!(listed, 1, "{} in {:?}", notice.incident, mail[0].details);
    }
    assert_eq!((mail[1].started_ms, mail[1].at_ms), (minute(1_431), minute(1_431)));
    assert_eq!(mail[2].duration_s, Some(11 * 60));
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
    assert_eq!(told[1].duration_s, Some(360), "by the wall clock");
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
    let told = world.accepted("a");
    assert_eq!(told.len(), 1);
    assert!(told[0].summary.starts_with("300 incidents came and went"), "{}", told[0].summary);
    assert!(told[0].text().len() < 10_000, "{}", told[0].text().len());
    assert!(!world.remembers());
    assert!(world.folder().exists());
}
