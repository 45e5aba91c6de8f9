//! Each state of a heartbeat, as the real program reports it.

use heartbeat::{Now, Severity, Verdict, rfc3339};

use crate::place::{Place, Ran, beat};
use crate::world::skipped;

fn critical(ran: &Ran, reason: &str) {
    assert_eq!(ran.status, 1, "{ran:?}");
    assert_eq!(ran.out, "", "{ran:?}");
    assert!(ran.err.starts_with("CRITICAL: "), "{ran:?}");
    assert!(ran.err.contains(reason), "{reason}: {ran:?}");
    assert_eq!(ran.err.lines().count(), 1, "{ran:?}");
}

fn ok(ran: &Ran, text: &str) {
    assert_eq!((ran.status, ran.err.as_str()), (0, ""), "{ran:?}");
    assert!(ran.out.starts_with("OK: "), "{ran:?}");
    assert!(ran.out.contains(text), "{text}: {ran:?}");
    assert_eq!(ran.out.lines().count(), 1, "{ran:?}");
}

#[test]
fn a_fresh_heartbeat_is_ok() {
    let place = Place::new();
    place.beat(Verdict::Ok, 5, &[]);
    ok(&place.check(&[]), "heartbeat is 5 s old");
    ok(&place.check(&["--threshold", "2m"]), "(testing)");
    assert!(!place.path("state").exists(), "nothing is written when there is no one to alert");
}

#[test]
fn what_is_not_there_or_not_readable_is_critical() {
    let place = Place::new();
    critical(&place.check(&[]), "does not exist");
    std::fs::write(&place.heartbeat, "").unwrap();
    critical(&place.check(&[]), "is empty");
    std::fs::write(&place.heartbeat, "\n \n").unwrap();
    critical(&place.check(&[]), "is empty");
    std::fs::write(&place.heartbeat, b"\xff\x00\xfe").unwrap();
    critical(&place.check(&[]), "is not text");
    std::fs::write(&place.heartbeat, "all is well\n").unwrap();
    critical(&place.check(&[]), "does not begin with a time");
    std::fs::remove_file(&place.heartbeat).unwrap();
    std::fs::create_dir(&place.heartbeat).unwrap();
    critical(&place.check(&[]), "is not a regular file");
    let below = place.path("config.toml").join("heartbeat");
    critical(&place.run(&["--file", below.to_str().unwrap()]), "cannot be read");
}

#[test]
fn each_cut_of_a_heartbeat_has_a_reason() {
    let place = Place::new();
    let whole = beat(Verdict::Failing, 1, &[("disk", Severity::Failing, "full")]).render();
    for end in (25..whole.len()).step_by(9) {
        std::fs::write(&place.heartbeat, &whole[..end]).unwrap();
        let ran = place.check(&[]);
        // A cut right after the first line leaves a plain time; that is the only one that can pass.
        if end > whole.find("boot_id").unwrap() {
            assert_eq!(ran.status, 1, "{end}: {ran:?}");
        }
    }
}

#[test]
fn an_old_heartbeat_is_critical() {
    let place = Place::new();
    place.beat(Verdict::Ok, 125, &[]);
    critical(&place.check(&[]), "the heartbeat is 2 min 5 s old, more than 2 min");
    ok(&place.check(&["--threshold", "3m"]), "2 min 5 s old");
    ok(&place.check(&["--threshold", "130"]), "2 min 5 s old");
    critical(&place.check(&["--threshold", "1m"]), "more than 1 min");
}

#[test]
fn the_future_and_the_past_boot_are_critical() {
    let place = Place::new();
    let mut ahead = beat(Verdict::Ok, 0, &[]);
    ahead.boot_ms += 3_600_000;
    heartbeat::write(&place.heartbeat, &ahead).unwrap();
    critical(&place.check(&[]), "in the future");
    let mut earlier = beat(Verdict::Ok, 0, &[]);
    earlier.boot_id = "00000000-0000-0000-0000-000000000000".to_owned();
    heartbeat::write(&place.heartbeat, &earlier).unwrap();
    // The uptime of the machine that runs this is longer than a second.
    critical(&place.check(&["--threshold", "1"]), "from before the last boot");
}

#[test]
fn a_clock_that_was_set_changes_nothing() {
    let place = Place::new();
    for days in [-1, 1] {
        let mut beat = beat(Verdict::Ok, 2, &[]);
        beat.time_ms += days * 86_400_000;
        heartbeat::write(&place.heartbeat, &beat).unwrap();
        ok(&place.check(&[]), "heartbeat is 2 s old");
    }
}

#[test]
fn a_machine_that_slept_raises_no_alarm() {
    // A time namespace shifts the clock that counts suspend, as a suspend does, and no other.
    let asleep = ["-T", "--boottime", "3600"];
    let permitted = std::process::Command::new("unshare").args(asleep).arg("true").status();
    if !permitted.is_ok_and(|status| status.success()) {
        return skipped("a suspend cannot be simulated: unshare --time is not permitted here");
    }
    let place = Place::new();
    let check = |age_s| {
        place.beat(Verdict::Ok, age_s, &[]);
        let output = std::process::Command::new("unshare")
            .args(asleep)
            .arg(env!("CARGO_BIN_EXE_check-heartbeat"))
            .args(["--no-alert", "--file"])
            .arg(&place.heartbeat)
            .output()
            .expect("unshare runs");
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&said).into_owned())
    };
    let (status, said) = check(3);
    assert!(status == Some(0) && said.contains("3 s old, not counting 1 h of sleep"), "{said}");
    // Past the threshold, the next check after the resume is awaited; a dead program is found after it.
    assert_eq!(check(150).0, Some(0));
    let (status, said) = check(200);
    assert!(status == Some(1) && said.contains("more than 3 min"), "{said}");
}

#[test]
fn the_verdict_counts() {
    let place = Place::new();
    let full = [("disk", Severity::Failing, "97 % used"), ("cpu", Severity::Degraded, "")];
    place.beat(Verdict::Failing, 1, &full);
    critical(&place.check(&[]), "failing: disk: 97 % used; cpu");
    place.beat(Verdict::Degraded, 1, &[("cpu", Severity::Degraded, "91 %")]);
    let ran = place.check(&[]);
    assert_eq!((ran.status, ran.err.as_str()), (0, ""));
    assert!(ran.out.starts_with("WARNING: ") && ran.out.contains("cpu: 91 %"), "{ran:?}");
    assert_eq!(place.check(&["--warn-exit"]).status, 1);
    place.beat(Verdict::Stopped, 12, &[]);
    ok(&place.check(&[]), "stopped cleanly 12 s ago");
    place.beat(Verdict::Stopped, 300, &[]);
    critical(&place.check(&[]), "stopped cleanly 5 min ago and not started again");
    place.configure("");
    let file = std::fs::read_to_string(place.path("config.toml")).unwrap();
    std::fs::write(place.path("config.toml"), format!("{file}stopped_ok = true\n")).unwrap();
    ok(&place.run(&[]), "stopped cleanly 5 min ago");
}

#[test]
fn stopped_ok_ends_with_a_boot() {
    let place = Place::new();
    let file = place.heartbeat.display();
    let config = format!("[[watch]]\nfile = \"{file}\"\nstopped_ok = true\n");
    std::fs::write(place.path("config.toml"), config).unwrap();
    // A shutdown stops the program as cleanly as its admin does.
    let mut stopped = beat(Verdict::Stopped, 0, &[]);
    stopped.boot_id = "00000000-0000-0000-0000-000000000000".to_owned();
    heartbeat::write(&place.heartbeat, &stopped).unwrap();
    critical(&place.run(&["--threshold", "1"]), "stopped_ok counts until a boot");
    std::fs::remove_file(&place.heartbeat).unwrap();
    critical(&place.run(&["--threshold", "1"]), "does not exist");
}

#[test]
fn any_programs_time_can_be_watched() {
    let place = Place::new();
    let now = Now::read().time_ms;
    let forms = |ms: i64| {
        let utc = rfc3339::format(ms);
        let east = rfc3339::format(ms + 7_200_000).replace('Z', "+02:00");
        [format!("{}\n", ms / 1000), format!("{ms}"), format!("{utc}\n"), east]
    };
    for text in forms(now - 60_000) {
        std::fs::write(&place.heartbeat, &text).unwrap();
        ok(&place.check(&[]), "1 min");
        critical(&place.check(&["--threshold", "30"]), "more than 30 s");
    }
    for text in forms(now + 60_000) {
        std::fs::write(&place.heartbeat, &text).unwrap();
        critical(&place.check(&[]), "in the future");
    }
}

#[test]
fn a_newer_heartbeat_is_still_understood() {
    let place = Place::new();
    let newer = beat(Verdict::Ok, 3, &[]).render().replace("format: 1", "format: 9\nmoon: full");
    std::fs::write(&place.heartbeat, newer).unwrap();
    ok(&place.check(&[]), "heartbeat is 3 s old");
}

#[test]
fn a_pipe_does_not_hold_the_check_up() {
    let place = Place::new();
    let made = std::process::Command::new("mkfifo").arg(&place.heartbeat).status();
    assert!(made.is_ok_and(|status| status.success()), "mkfifo of coreutils is needed");
    critical(&place.check(&[]), "is not a regular file");
}
