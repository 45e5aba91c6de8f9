//! What people get, through channels that are real programs.

use crate::world::skipped;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use heartbeat::{Severity, Verdict};

use crate::place::Place;

#[test]
fn one_down_and_one_recovered() {
    let place = Place::new();
    place.configure(&place.command_channel("page"));
    place.good();
    assert_eq!(place.run(&[]).status, 0);
    assert!(!place.remembers());
    place.stale();
    for _ in 0..3 {
        assert_eq!(place.run(&[]).status, 1);
    }
    assert_eq!(place.kinds("page"), ["down"]);
    place.good();
    for _ in 0..3 {
        assert_eq!(place.run(&[]).status, 0);
    }
    let told = place.told("page");
    assert_eq!(place.kinds("page"), ["down", "recovered"]);
    assert_eq!(told[0]["incident"], told[1]["incident"]);
    assert_eq!((&told[0]["number"], &told[1]["number"]), (&1.into(), &2.into()));
    assert_eq!(told[0]["started"], told[1]["started"]);
    assert_eq!(told[0]["environment"], "testing");
    assert!(told[0]["summary"].as_str().unwrap().contains("more than 2 min"), "{told:?}");
    assert!(told[1]["ended"].is_string() && told[1]["duration_s"].is_number());
    assert!(!place.remembers(), "what is over and told is forgotten");
}

#[test]
fn what_cannot_be_delivered_waits() {
    let place = Place::new();
    place.configure(&format!("{}{}", place.command_channel("a"), place.command_channel("b")));
    std::fs::write(place.path("a.down"), "").unwrap();
    place.stale();
    let ran = place.run(&[]);
    assert_eq!(ran.status, 1);
    assert!(ran.err.contains("channel a: "), "{ran:?}");
    place.good();
    let ran = place.run(&[]);
    assert_eq!(ran.status, 0, "the state counts: {ran:?}");
    assert_eq!(place.kinds("b"), ["down", "recovered"]);
    assert!(place.kinds("a").is_empty() && place.remembers());
    std::fs::remove_file(place.path("a.down")).unwrap();
    for _ in 0..2 {
        place.run(&[]);
    }
    let told = place.told("a");
    assert_eq!(place.kinds("a"), ["late"]);
    assert_eq!(told[0]["started"], place.told("b")[0]["started"]);
    assert_eq!(told[0]["ended"], place.told("b")[1]["ended"]);
    assert!(told[0]["summary"].as_str().unwrap().starts_with("was down from "), "{told:?}");
    assert_eq!(place.kinds("b"), ["down", "recovered"]);
    assert!(!place.remembers());
}

#[test]
fn a_down_that_comes_late_is_still_a_down() {
    let place = Place::new();
    place.configure(&place.command_channel("a"));
    std::fs::write(place.path("a.down"), "").unwrap();
    place.stale();
    place.run(&[]);
    place.run(&[]);
    std::fs::remove_file(place.path("a.down")).unwrap();
    place.run(&[]);
    place.good();
    place.run(&[]);
    assert_eq!(place.kinds("a"), ["down", "recovered"]);
    assert_eq!(place.told("a")[0]["number"], 1, "trying again keeps the number");
}

#[test]
fn the_first_that_accepts_is_enough_where_asked_for() {
    let place = Place::new();
    let channels = format!("{}{}", place.command_channel("a"), place.command_channel("b"));
    place.configure(&format!("mode = \"first\"\n\n{channels}"));
    place.stale();
    place.run(&[]);
    place.good();
    place.run(&[]);
    assert_eq!(place.kinds("a"), ["down", "recovered"]);
    assert!(place.kinds("b").is_empty());
    std::fs::write(place.path("a.down"), "").unwrap();
    place.stale();
    place.run(&[]);
    assert_eq!(place.kinds("b"), ["down"]);
    std::fs::remove_file(place.path("a.down")).unwrap();
    place.run(&[]);
    place.good();
    place.run(&[]);
    assert_eq!(place.kinds("b"), ["down", "recovered"], "only who got the DOWN");
    assert_eq!(place.kinds("a"), ["down", "recovered"]);
    assert!(!place.remembers());
}

#[test]
fn findings_are_incidents_of_their_own_unless_the_whole_is_down() {
    let place = Place::new();
    place.configure(&place.command_channel("a"));
    let (cpu, disk) = (("cpu", Severity::Degraded, "91 %"), ("disk", Severity::Degraded, "92 %"));
    place.beat(Verdict::Degraded, 1, &[cpu]);
    place.run(&[]);
    place.beat(Verdict::Degraded, 1, &[cpu, disk]);
    place.run(&[]);
    place.beat(Verdict::Degraded, 1, &[disk]);
    place.run(&[]);
    let told = place.told("a");
    let seen: Vec<_> = told.iter().map(|n| (n["kind"].as_str(), n["finding"].as_str())).collect();
    let wanted = [("down", "cpu"), ("down", "disk"), ("recovered", "cpu")];
    assert_eq!(seen, wanted.map(|(kind, finding)| (Some(kind), Some(finding))));
    assert!(told.iter().all(|n| n["level"] == "warning"));
    // Failing names the findings itself.
    place.beat(Verdict::Failing, 1, &[disk, ("poll_stalled", Severity::Failing, "no poll")]);
    place.run(&[]);
    place.good();
    place.run(&[]);
    let told = place.told("a");
    let seen: Vec<_> =
        told[3..].iter().map(|n| (n["kind"].as_str(), n["finding"].as_str())).collect();
    assert_eq!(seen[0], (Some("down"), None));
    assert_eq!(seen.len(), 3, "{told:?}");
    assert!(seen.contains(&(Some("recovered"), None)));
    assert!(seen.contains(&(Some("recovered"), Some("disk"))));
    assert!(told[3]["details"].to_string().contains("poll_stalled (failing): no poll"), "{told:?}");
    // Each names the heading of the runbook that explains most.
    for (notice, heading) in [(0, "cpu"), (1, "disk"), (3, "poll_stalled")] {
        let read_on = format!("/runbook.md#{heading}\"");
        assert!(told[notice]["details"].to_string().contains(&read_on), "{told:?}");
    }
    assert!(!place.remembers());
}

#[test]
fn findings_can_be_left_out() {
    let place = Place::new();
    place.configure(&format!("alert_on = [\"failing\"]\n\n{}", place.command_channel("a")));
    place.beat(Verdict::Degraded, 1, &[("cpu", Severity::Degraded, "91 %")]);
    assert!(place.run(&[]).out.starts_with("WARNING: "));
    assert!(place.kinds("a").is_empty());
    place.beat(Verdict::Failing, 1, &[]);
    place.run(&[]);
    assert_eq!(place.kinds("a"), ["down"]);
}

#[test]
fn a_clean_stop_and_start_sends_no_alert() {
    let place = Place::new();
    place.configure(&place.command_channel("a"));
    place.beat(Verdict::Failing, 1, &[]);
    place.run(&[]);
    place.beat(Verdict::Stopped, 5, &[]);
    assert_eq!(place.run(&[]).status, 0);
    place.beat(Verdict::Failing, 1, &[]);
    place.run(&[]);
    assert_eq!(place.kinds("a"), ["down"], "a stop is not a recovery");
}

#[test]
fn patience_is_configurable() {
    let place = Place::new();
    let channel = place.command_channel("a");
    place.configure(&format!("failures_needed = 3\ngood_checks_needed = 2\n\n{channel}"));
    let mut told = Vec::new();
    for good in [false, false, true, false, false, false, true, false, true, true, true] {
        if good {
            place.good()
        } else {
            place.stale()
        }
        place.run(&[]);
        told.push(place.kinds("a").len());
    }
    assert_eq!(told, [0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2]);
    assert!(!place.remembers());
}

#[test]
fn no_alert_means_none() {
    let place = Place::new();
    place.configure(&place.command_channel("a"));
    place.stale();
    assert_eq!(place.run(&["--no-alert"]).status, 1);
    assert!(place.kinds("a").is_empty() && !place.path("state").exists());
}

#[test]
fn a_test_goes_through_every_channel() {
    let place = Place::new();
    place.configure(&format!(
        "mode = \"first\"\n\n{}{}",
        place.command_channel("a"),
        place.command_channel("b")
    ));
    let ran = place.run(&["--test-alert"]);
    assert_eq!((ran.status, ran.err.as_str()), (0, ""));
    assert!(ran.out.contains("channel a: accepted") && ran.out.contains("channel b: accepted"));
    assert_eq!((place.kinds("a"), place.kinds("b")), (vec!["test".into()], vec!["test".into()]));
    std::fs::write(place.path("b.down"), "").unwrap();
    let ran = place.run(&["--test-alert"]);
    assert_eq!(ran.status, 1);
    assert!(ran.out.contains("channel a: accepted") && ran.err.contains("channel b: "), "{ran:?}");
    assert!(!place.remembers());
    place.configure("");
    let ran = place.run(&["--test-alert"]);
    assert_eq!(ran.status, 78);
    assert!(ran.err.contains("no channel is configured"), "{ran:?}");
}

#[test]
fn a_second_run_alerts_no_one() {
    let place = Place::new();
    place.configure(
        "[[channel]]\ntype = \"command\"\nname = \"slow\"\nprogram = \"/bin/sh\"\n\
         args = [\"-c\", \"while [ -e $0 ]; do sleep 0.01; done\", \"HOLD\"]\n",
    );
    let hold = place.path("hold");
    let config = std::fs::read_to_string(place.path("config.toml")).unwrap();
    std::fs::write(place.path("config.toml"), config.replace("HOLD", hold.to_str().unwrap()))
        .unwrap();
    std::fs::write(&hold, "").unwrap();
    place.stale();
    let mut first = place.start(&[]);
    let begun = Instant::now();
    while !place.remembers() {
        assert!(begun.elapsed() < Duration::from_secs(20), "the first run never began");
        std::thread::yield_now();
    }
    let second = place.run(&["--verbose"]);
    assert_eq!(second.status, 1);
    assert!(
        second.err.starts_with("CRITICAL: ") && second.out.contains("another check"),
        "{second:?}"
    );
    let json: serde_json::Value = serde_json::from_str(&place.run(&["--json"]).out).unwrap();
    assert_eq!(json["busy"], true);
    std::fs::remove_file(&hold).unwrap();
    assert_eq!(first.wait().unwrap().code(), Some(1));
    place.good();
    let third = place.run(&["--verbose"]);
    assert!(third.out.contains("sent through slow: recovered"), "{third:?}");
}

#[test]
fn a_damaged_memory_is_put_aside_and_said() {
    let place = Place::new();
    place.configure(&place.command_channel("a"));
    std::fs::create_dir(place.path("state")).unwrap();
    std::fs::write(place.path("state").join("incidents.json"), "{\"incidents\": [").unwrap();
    place.stale();
    let ran = place.run(&[]);
    assert!(ran.err.contains("incidents.damaged"), "{ran:?}");
    assert_eq!(place.kinds("a"), ["down"]);
    assert!(place.path("state").join("incidents.damaged").exists());
}

#[test]
fn a_state_directory_that_cannot_be_used_is_replaced() {
    let place = Place::new();
    place.configure(&place.command_channel("a"));
    // A file where the folder should be: also the superuser cannot write there.
    std::fs::write(place.path("state"), "").unwrap();
    place.stale();
    for _ in 0..3 {
        assert_eq!(place.run(&[]).status, 1);
    }
    place.good();
    assert_eq!(place.run(&[]).status, 0);
    assert_eq!(place.kinds("a"), ["down", "recovered"], "remembered in the spare place");
    let spare = check_heartbeat::state_dir::in_memory(&place.path("state"));
    std::fs::remove_dir_all(spare).unwrap();
}

#[test]
fn a_typo_in_the_configuration_raises_no_false_alarm() {
    if std::path::Path::new(heartbeat::DEFAULT_PATH).exists() {
        skipped("the packaged daemon runs on this machine, and would be looked at");
        return;
    }
    let place = Place::new();
    place.configure(&place.command_channel("a"));
    let config = std::fs::read_to_string(place.path("config.toml")).unwrap();
    let config = config.replace("[[channel]]", "threshold = \"10m\"\n[[channel]]");
    place.stale();
    // While it cannot be read, the packaged file is looked at, which is not there, and the named
    // one with an unwanted threshold.
    for (broken, args) in [
        (format!("{config}\nreminder = \n"), &[][..]),
        (format!("{config}\nreminder = \n"), &["--file", place.heartbeat.to_str().unwrap()]),
        (format!("watch = 3\n{}", place.command_channel("a")), &[]),
    ] {
        std::fs::write(place.path("config.toml"), broken).unwrap();
        let ran = place.run(args);
        assert_eq!(ran.status, 1, "{ran:?}");
        assert!(ran.err.contains("CRITICAL: ") && ran.err.contains("configuration: "), "{ran:?}");
        assert!(!place.remembers(), "a guess is nothing to remember");
    }
    std::fs::write(place.path("config.toml"), &config).unwrap();
    assert_eq!(place.run(&[]).status, 0);
    assert!(place.kinds("a").is_empty(), "{:?}", place.told("a"));
}

#[test]
fn an_incident_outlasts_a_typo() {
    let place = Place::new();
    place.configure(&place.command_channel("a"));
    let config = std::fs::read_to_string(place.path("config.toml")).unwrap();
    place.stale();
    place.run(&[]);
    std::fs::write(place.path("config.toml"), format!("{config}\nreminder = \n")).unwrap();
    place.run(&[]);
    std::fs::write(place.path("config.toml"), &config).unwrap();
    place.run(&[]);
    place.good();
    place.run(&[]);
    assert_eq!(place.kinds("a"), ["down", "recovered"]);
}

#[test]
fn a_channel_that_was_fixed_and_tested_gets_its_alert_at_once() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    let script = place.path("pager");
    let log = place.path("pager.log");
    std::fs::write(&script, format!("#!/bin/sh\ncat >> {}\n", log.display())).unwrap();
    let mode = |mode| std::fs::set_permissions(&script, PermissionsExt::from_mode(mode)).unwrap();
    mode(0o644);
    place.configure(&format!(
        "[[channel]]\ntype = \"command\"\nname = \"pager\"\nprogram = \"{}\"\n",
        script.display()
    ));
    place.stale();
    place.check(&[]);
    assert!(!log.exists(), "it cannot be run yet");
    // Fixed; but it refused permanently, so it is left alone for a while, and that is said.
    mode(0o755);
    let held = place.check(&[]);
    assert!(held.err.contains("pager refused for a lasting reason"), "{}", held.err);
    assert!(!log.exists());
    let tried = place.run(&["--test-alert"]);
    assert_eq!(tried.status, 0, "{}", tried.err);
    let told = place.check(&[]);
    assert!(!told.err.contains("refused"), "{}", told.err);
    let said = std::fs::read_to_string(&log).unwrap();
    assert!(said.contains(r#""kind":"down""#), "{said}");
}

/// A service that accepts requests of at most so many bytes, and none that names this watch.
fn service(most: usize, never: &'static str) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let taken = Arc::new(Mutex::new(Vec::new()));
    let took = Arc::clone(&taken);
    std::thread::spawn(move || {
        for mut connection in listener.incoming().flatten() {
            let (mut text, mut buffer) = (String::new(), [0; 65_536]);
            // The head says how long the body is.
            let is_whole = |text: &str| {
                let (head, body) = text.split_once("\r\n\r\n")?;
                let line =
                    head.lines().find(|l| l.to_lowercase().starts_with("content-length:"))?;
                Some(body.len() >= line.split(": ").nth(1)?.parse().ok()?)
            };
            while is_whole(&text) != Some(true) {
                let read = connection.read(&mut buffer).unwrap();
                text.push_str(&String::from_utf8_lossy(&buffer[..read]));
            }
            let body = text.split_once("\r\n\r\n").unwrap().1.to_owned();
            let fits = body.len() <= most && !body.contains(never);
            let answer = if fits { "200 OK" } else { "413 Content Too Large" };
            let _ = write!(
                connection,
                "HTTP/1.1 {answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            );
            if fits {
                took.lock().unwrap().push(body);
            }
        }
    });
    (port, taken)
}

#[test]
fn an_alert_that_a_service_refuses_blocks_no_later_one() {
    let place = Place::new();
    let (port, taken) = service(1_500, "poison");
    let other = place.path("poison");
    let rest = format!(
        "[[watch]]\nname = \"poison\"\nfile = \"{}\"\n[[channel]]\ntype = \"webhook\"\n\
         url = \"http://127.0.0.1:{port}/\"\n{}",
        other.display(),
        place.command_channel("mail")
    );
    place.configure(&rest);
    // The older one is refused however short it is.
    place.good();
    let ran = place.run(&[]);
    assert!(ran.err.contains("channel webhook: http://127.0.0.1:"), "{ran:?}");
    assert!(ran.err.contains("413") && ran.err.contains("even a short text"), "{ran:?}");
    assert_eq!(place.kinds("mail"), ["down"], "the other channel has it");
    let long = "x".repeat(180);
    let failing: Vec<_> = (0..12).map(|_| ("poll_failing", Severity::Failing, &*long)).collect();
    place.beat(Verdict::Failing, 1, &failing);
    let ran = place.run(&[]);
    assert!(ran.err.contains("took it only shortened"), "{ran:?}");
    let bodies = taken.lock().unwrap().clone();
    assert_eq!(bodies.len(), 1, "{bodies:?}");
    assert!(bodies[0].contains("poll_failing") && bodies[0].contains("Shortened"), "{bodies:?}");
    // What is over and was never accepted is dropped, and that is printed.
    place.good();
    std::fs::copy(&place.heartbeat, &other).unwrap();
    let ran = place.run(&["--test-alert"]);
    assert_eq!(ran.status, 0, "{ran:?}");
    let ran = place.run(&[]);
    assert!(ran.err.contains("was never accepted, and is dropped"), "{ran:?}");
    assert!(!place.remembers(), "{ran:?}");
    assert_eq!(place.kinds("mail").iter().filter(|kind| *kind == "recovered").count(), 2);
}
