//! A silence and an acknowledgement: what they hold back, and what they never do.

use heartbeat::{Severity, Verdict};

use crate::place::Place;

const DISK: (&str, Severity, &str) = ("disk_full", Severity::Degraded, "95 %");

fn place() -> Place {
    let place = Place::new();
    place.configure(&format!("reminder = \"1m\"\n\n{}", place.command_channel("a")));
    place
}

/// Lets an hour pass: the state is what it was an hour earlier.
fn later(place: &Place) {
    let file = place.path("state").join("incidents.json");
    let mut log: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    fn earlier(value: &mut serde_json::Value) {
        match value {
            serde_json::Value::Object(map) => {
                for (key, value) in map.iter_mut() {
                    match (key.as_str(), value.as_i64()) {
                        ("time_ms", Some(ms)) => *value = (ms - 3_600_000).into(),
                        // By the wall clock alone.
                        ("boot_ms", Some(_)) => *value = serde_json::Value::Null,
                        _ => earlier(value),
                    }
                }
            }
            serde_json::Value::Array(list) => list.iter_mut().for_each(earlier),
            _ => {}
        }
    }
    earlier(&mut log);
    std::fs::write(file, log.to_string()).unwrap();
}

#[test]
fn planned_work_alerts_no_one_and_a_second_cause_does() {
    let place = place();
    place.good();
    let ran = place.run(&["silence", "2h", "--reason", "move to a new disk"]);
    assert_eq!((ran.status, ran.err.as_str()), (0, ""));
    assert!(ran.out.contains("Silence: until ") && ran.out.contains("2 h more"), "{ran:?}");
    assert!(ran.out.contains("move to a new disk"), "{ran:?}");
    place.stale();
    let ran = place.run(&[]);
    assert_eq!(ran.status, 1, "the state stays what it is");
    assert!(ran.out.contains("Silence: until "), "{ran:?}");
    place.run(&[]);
    assert!(place.kinds("a").is_empty());
    // Something else goes wrong.
    place.beat(Verdict::Failing, 1, &[("store_failing", Severity::Failing, "io")]);
    place.run(&[]);
    assert_eq!(place.kinds("a"), ["down"]);
    assert!(place.told("a")[0]["summary"].to_string().contains("store_failing"));
    place.good();
    place.run(&[]);
    assert_eq!(place.kinds("a"), ["down", "recovered"]);
}

#[test]
fn a_silence_drops_what_came_and_went_and_sends_what_stays_at_its_end() {
    let place = place();
    place.good();
    place.run(&["silence", "30m"]);
    place.stale();
    place.run(&[]);
    place.good();
    place.run(&[]);
    // The same once more is not a second cause.
    place.stale();
    place.run(&[]);
    place.good();
    place.run(&[]);
    assert!(place.kinds("a").is_empty(), "{:?}", place.told("a"));
    // A new silence takes its cause again.
    place.run(&["silence", "30m"]);
    place.stale();
    place.run(&[]);
    assert!(place.kinds("a").is_empty());
    later(&place);
    place.run(&[]);
    assert_eq!(place.kinds("a"), ["down"]);
    let ran = place.run(&["status"]);
    assert!(ran.out.contains("DOWN: bot: ") && !ran.out.contains("Silence"), "{ran:?}");
    // Who has DOWN hears of the end, also in a silence.
    place.run(&["silence", "30m"]);
    place.good();
    place.run(&[]);
    assert_eq!(place.kinds("a"), ["down", "recovered"]);
    let ran = place.run(&["silence", "--end"]);
    assert!(ran.out.starts_with("The silence has ended"), "{ran:?}");
    assert!(!place.remembers());
}

#[test]
fn a_silence_during_an_incident_is_about_that_one() {
    let place = place();
    place.beat(Verdict::Degraded, 1, &[DISK]);
    place.run(&[]);
    place.run(&["silence", "3h"]);
    later(&place);
    place.run(&[]);
    assert_eq!(place.kinds("a"), ["down"], "no reminder");
    let cpu = ("cpu_high", Severity::Degraded, "99 %");
    place.beat(Verdict::Degraded, 1, &[DISK, cpu]);
    place.run(&[]);
    assert_eq!(place.kinds("a"), ["down", "down"]);
    assert_eq!(place.told("a")[1]["finding"], "cpu_high");
    place.run(&["silence", "3h", "--everything"]);
    place.stale();
    place.run(&[]);
    assert_eq!(place.kinds("a").len(), 2, "asked for by name");
    assert!(place.run(&["status"]).out.contains("held back by the silence"));
    place.run(&["silence", "--end"]);
    place.run(&[]);
    assert_eq!(place.kinds("a").last().map(String::as_str), Some("down"));
}

#[test]
fn an_acknowledgement_ends_reminders_and_hides_no_second_cause() {
    let place = place();
    assert_eq!(place.run(&["ack"]).out, "No incident goes on.\n");
    place.stale();
    place.run(&[]);
    let ran = place.run(&["ack", "--reason", "on it"]);
    assert!(ran.out.contains("acknowledged by ") && ran.out.contains("on it"), "{ran:?}");
    later(&place);
    place.run(&[]);
    assert_eq!(place.kinds("a"), ["down"], "no reminder");
    place.beat(Verdict::Failing, 1, &[("conflict", Severity::Failing, "x")]);
    place.run(&[]);
    assert_eq!(place.kinds("a"), ["down", "changed"]);
    assert!(place.told("a")[1]["details"].to_string().contains("Acknowledged by "));
    // Who took the first cause on has not taken on the second.
    later(&place);
    place.run(&[]);
    assert_eq!(place.kinds("a"), ["down", "changed", "reminder"]);
    place.good();
    place.run(&[]);
    place.stale();
    place.run(&[]);
    assert_eq!(place.kinds("a")[3..], ["recovered", "down"], "the next one is a new one");
}

#[test]
fn silences_have_an_end_in_the_future() {
    let place = place();
    for args in
        [&["silence"][..], &["silence", "0"], &["silence", "31d"], &["silence", "--until", "soon"]]
    {
        let ran = place.run(args);
        assert_eq!(ran.status, 64, "{args:?}: {ran:?}");
        assert!(!ran.err.is_empty() && !place.remembers(), "{args:?}");
    }
    let ran = place.run(&["silence", "--until", "23:59:59", "--reason", "x\u{1b}[2J\ny"]);
    assert!(ran.status == 0 && ran.out.contains("x [2J y"), "{ran:?}");
}

/// An outage of so many days ago was noted, so there were checks then.
fn observed_for_days(place: &Place, days: i64) {
    let file = place.path("state/outages.json");
    let known = std::fs::read_to_string(&file).unwrap_or("[]".to_owned());
    let mut known: Vec<serde_json::Value> = serde_json::from_str(&known).unwrap();
    let ms = heartbeat::Now::read().time_ms - days * 86_400_000;
    known.push(serde_json::json!({"id": "x", "watch": "bot", "from_ms": ms, "until_ms": ms}));
    std::fs::write(file, serde_json::to_string(&known).unwrap()).unwrap();
}

#[test]
fn a_dead_bot_is_not_available_where_no_check_has_seen_it() {
    let place = Place::new();
    std::fs::write(&place.heartbeat, "1970-01-02T00:00:00Z\n").unwrap();
    let file = place.heartbeat.to_str().unwrap();
    let ran = place.run(&["--file", file, "status"]);
    let dead = format!("Availability of {file}: 0 % since 20");
    assert!(ran.out.contains("DOWN: ") && ran.out.contains(&dead), "{ran:?}");
    let metrics = place.run(&["--file", file, "status", "--metrics"]).out;
    assert!(metrics.contains("window=\"7d\"} 0.000000\n"), "{metrics}");
    assert!(metrics.contains("check_heartbeat_observed_since_timestamp_seconds "), "{metrics}");
    assert!(!place.remembers(), "a look saves nothing");
    // A bot that works again was down nevertheless, also where there is no channel.
    place.configure("");
    place.stale();
    place.run(&[]);
    assert!(place.remembers());
    place.good();
    place.run(&[]);
    assert!(!place.remembers());
    observed_for_days(&place, 31);
    let ran = place.run(&["status"]);
    assert!(ran.out.contains("Availability of bot: 99."), "{ran:?}");
}

#[test]
fn how_much_of_the_time_all_was_well_is_known_after_everyone_has_heard_of_an_outage() {
    let place = place();
    place.good();
    place.run(&[]);
    let whole = "Availability of bot: 100 % since 20";
    assert!(place.run(&["status"]).out.contains(whole));
    observed_for_days(&place, 31);
    let whole = "Availability of bot: 100 % over 7 days, 100 % over 30 days, target 99.9 %";
    assert!(place.run(&["status"]).out.contains(whole));
    place.stale();
    place.run(&[]);
    let during = place.run(&["status"]).out;
    assert!(
        during.contains("DOWN: bot") && during.contains("Availability of bot: 99."),
        "{during}"
    );
    place.good();
    place.run(&[]);
    assert_eq!(place.kinds("a"), ["down", "recovered"]);
    assert!(!place.path("state/incidents.json").exists(), "all was sent");
    observed_for_days(&place, 31);
    let after = place.run(&["status"]).out;
    assert!(after.starts_with("No incident goes on."), "{after}");
    assert!(after.contains("Availability of bot: 99."), "{after}");
    let metrics = place.run(&["status", "--metrics"]).out;
    for window in ["7d", "30d"] {
        let line =
            format!("check_heartbeat_availability_ratio{{watch=\"bot\",window=\"{window}\"}} 0.99");
        assert!(metrics.contains(&line), "{metrics}");
    }
    // Warnings do not count as outages.
    let known = std::fs::read_to_string(place.path("state/outages.json")).unwrap();
    place.beat(Verdict::Degraded, 1, &[("cpu_high", Severity::Degraded, "busy")]);
    place.run(&[]);
    place.good();
    place.run(&[]);
    assert_eq!(std::fs::read_to_string(place.path("state/outages.json")).unwrap(), known);
}
