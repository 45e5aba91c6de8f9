//! The real program, killed at random moments, two at once, with channels that come and go.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::place::Place;

const CHECKS: usize = 150;

#[test]
fn killed_at_any_moment_it_reports_each_incident_once() {
    let place = Place::new();
    place.configure(&format!("{}{}", place.command_channel("a"), place.command_channel("b")));
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut kills = 0;
    for _ in 0..CHECKS {
        if random.u8(..) < 90 {
            place.stale()
        } else {
            place.good()
        }
        for name in ["a", "b"] {
            let down = place.path(&format!("{name}.down"));
            match random.u8(..) {
                0..50 => std::fs::write(down, "").unwrap(),
                50..150 => std::fs::remove_file(down).unwrap_or_default(),
                _ => {}
            }
        }
        let mut first = place.start(&[]);
        let mut second = (random.u8(..) < 60).then(|| place.start(&[]));
        if random.u8(..) < 120 {
            let moment = Instant::now() + Duration::from_micros(random.u64(0..12_000));
            while Instant::now() < moment {
                std::thread::yield_now();
            }
            first.kill().unwrap();
            kills += 1;
        }
        first.wait().unwrap();
        if let Some(second) = &mut second {
            second.wait().unwrap();
        }
    }
    for name in ["a", "b"] {
        std::fs::remove_file(place.path(&format!("{name}.down"))).unwrap_or_default();
    }
    place.good();
    let begun = Instant::now();
    while place.remembers() {
        assert!(begun.elapsed() < Duration::from_secs(60), "seed {seed}: never at rest");
        place.run(&[]);
    }
    assert!(kills > 20);
    for name in ["a", "b"] {
        judge(&place, name, seed);
    }
}

fn judge(place: &Place, name: &str, seed: u64) {
    let mut numbers = BTreeMap::new();
    let mut told: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for notice in place.told(name) {
        let word = |key: &str| notice[key].as_str().unwrap().to_owned();
        let (incident, kind) = (word("incident"), word("kind"));
        let number = notice["number"].as_u64().unwrap();
        match numbers.insert((incident.clone(), number), kind.clone()) {
            // A receiver throws the second one away.
            Some(before) => assert_eq!(before, kind, "seed {seed}: one number, two notices"),
            None => told.entry(incident).or_default().push(kind),
        }
    }
    assert!(told.len() > 5, "seed {seed}: enough happened");
    for (incident, mut kinds) in told {
        // A program that was started outlives the killed checker, and may end after the next run.
        kinds.sort();
        let kinds: Vec<&str> = kinds.iter().map(String::as_str).collect();
        let fine = matches!(
            kinds[..],
            // All but the first two only after a kill between acceptance and mark.
            ["down", "recovered"]
                | ["late"]
                | ["down", "late"]
                | ["late", "late"]
                | ["down", "late", "late"]
        );
        assert!(fine, "seed {seed}, {name}, {incident}: {kinds:?}");
    }
}
