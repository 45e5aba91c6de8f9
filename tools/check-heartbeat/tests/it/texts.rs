//! What an alert says: since when, whom it hurts, what to do; and that one cause is one alert.

use heartbeat::{Heartbeat, LastExit, Manager, Severity, Verdict};
use serde_json::Value;

use crate::place::{Place, beat};

const FAILING: Severity = Severity::Failing;
const DEGRADED: Severity = Severity::Degraded;

fn details(notice: &Value) -> String {
    let lines = notice["details"].as_array().unwrap().iter().filter_map(Value::as_str);
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn an_outage_is_counted_from_the_last_sign_of_life_to_the_first_good_answer() {
    let place = Place::new();
    place.configure(&place.command_channel("a"));
    place.beat(Verdict::Ok, 200, &[]);
    place.run(&[]);
    // The new process has served for 40 s by its own account.
    let mut back = beat(Verdict::Ok, 2, &[]);
    back.ages.push((heartbeat::SERVING.to_owned(), 40_000));
    heartbeat::write(&place.heartbeat, &back).unwrap();
    place.run(&[]);
    let told = place.told("a");
    let ms = |at: &Value| heartbeat::rfc3339::parse(at.as_str().unwrap()).unwrap();
    let silent = ms(&told[1]["ended"]) - ms(&told[1]["started"]);
    assert!((157_000..160_500).contains(&silent), "200 s less 42 s: {silent}");
    let lasted = told[1]["duration_s"].as_u64().unwrap();
    assert!((157..=160).contains(&lasted), "{told:?}");
    assert!(told[0]["duration_s"].as_u64().unwrap() >= 200, "so far: {told:?}");
}

#[test]
fn an_alert_names_impact_first_step_and_the_place_in_the_runbook() {
    let place = Place::new();
    place.configure(&place.command_channel("a"));
    place.stale();
    place.run(&[]);
    let said = details(&place.told("a")[0]);
    assert!(said.contains("Impact: no one gets answers"), "{said}");
    assert!(said.contains("Do: ") && said.contains("systemctl restart"), "{said}");
    assert!(said.contains("/runbook.md#stale"), "{said}");
    place.good();
    place.run(&[]);
    place.beat(Verdict::Failing, 1, &[("conflict", FAILING, "another poller")]);
    place.run(&[]);
    let told = place.told("a");
    let said = details(&told[2]);
    // The heartbeat's own words, not ours.
    assert!(said.contains("Impact: conflict is felt\n"), "{said}");
    assert!(said.contains("Do: see conflict: `journalctl -u katana-bot`\n"), "{said}");
    assert!(said.contains("/runbook.md#conflict\n"), "{said}");
}

#[test]
fn the_first_step_is_one_that_works_where_the_bot_runs() {
    let place = Place::new();
    place.configure(&place.command_channel("a"));
    let step = |manager: Manager| {
        let stale = Heartbeat { manager: Some(manager), ..beat(Verdict::Ok, 300, &[]) };
        heartbeat::write(&place.heartbeat, &stale).unwrap();
        place.run(&[]);
        let said = details(place.told("a").last().unwrap());
        place.good();
        place.run(&[]);
        said.lines().find(|line| line.starts_with("Do: ")).unwrap().to_owned()
    };
    let of_supervisor = step(Manager::Supervisor("bots:support".to_owned()));
    assert!(of_supervisor.contains("`supervisorctl tail -9999 bots:support`"), "{of_supervisor}");
    assert!(of_supervisor.contains("`supervisorctl restart bots:support`"), "{of_supervisor}");
    for manager in [Manager::Container, Manager::Other] {
        let step = step(manager);
        assert!(!step.contains("systemctl") && !step.contains("journalctl"), "{step}");
    }
}

#[test]
fn an_alert_names_the_bot_and_not_the_path_of_its_heartbeat() {
    for (folder, name) in [
        ("katana-bot", "katana-bot"),
        ("katana-bot@staging", "katana-bot@staging"),
        ("katana-run", "katana-bot"),
        ("katana-run-staging", "katana-bot-staging"),
    ] {
        let place = Place::new();
        std::fs::create_dir(place.path(folder)).unwrap();
        let file = place.path(folder).join("heartbeat");
        heartbeat::write(&file, &beat(Verdict::Ok, 300, &[])).unwrap();
        std::fs::write(place.path("config.toml"), place.command_channel("a")).unwrap();
        place.run(&["--file", file.to_str().unwrap()]);
        let subject = place.told("a")[0]["subject"].as_str().unwrap().to_owned();
        assert!(subject.starts_with(&format!("DOWN: {name} on ")), "{subject}");
        // What was never there is named as well, with a first step.
        std::fs::remove_file(&file).unwrap();
        std::fs::remove_dir_all(place.path("state")).unwrap();
        place.run(&["--file", file.to_str().unwrap()]);
        let told = place.told("a");
        let last = told.last().unwrap();
        assert!(last["subject"].as_str().unwrap().starts_with(&format!("DOWN: {name} on ")));
        assert!(details(last).contains("Do: "), "{last}");
    }
}

#[test]
fn a_bot_that_is_back_and_not_well_says_so() {
    let place = Place::new();
    place.configure(&place.command_channel("a"));
    place.stale();
    place.run(&[]);
    place.beat(Verdict::Degraded, 1, &[("disk_full", DEGRADED, "95 % used")]);
    place.run(&[]);
    let told = place.told("a");
    let recovered = told.iter().find(|notice| notice["kind"] == "recovered").unwrap();
    let words = "running again, but: disk_full: 95 % used (heartbeat is 1 s old)";
    assert_eq!(recovered["summary"], words, "{told:?}");
    place.good();
    place.run(&[]);
    assert_eq!(
        place.told("a").last().unwrap()["summary"],
        "no longer reported; heartbeat is 1 s old"
    );
}

#[test]
fn times_are_those_of_the_machine_with_its_zone() {
    let place = Place::new();
    let page = place.path("page");
    let script = format!("printf %s \"$KATANA_ALERT_TEXT\" > {}", page.display());
    place.configure(&format!(
        "[[channel]]\ntype = \"command\"\nprogram = \"/bin/sh\"\nargs = ['-c', '{script}']\n"
    ));
    place.stale();
    let mut command = place.command(&[]);
    command.env("TZ", "<+0530>-5:30");
    crate::place::ran(command);
    let text = std::fs::read_to_string(page).unwrap();
    let start = text.lines().find_map(|line| line.strip_prefix("Start: ")).unwrap();
    let (local, utc) = start.split_once(" +0530 (").expect(start);
    let parse = |text: &str| heartbeat::rfc3339::parse(&format!("{}Z", text.trim())).unwrap();
    let utc = utc.trim_end_matches(" UTC)");
    let utc = if utc.len() < 10 { format!("{} {utc}", &local[..10]) } else { utc.to_owned() };
    assert_eq!(parse(local) - parse(&utc), 5 * 3_600_000 + 1_800_000, "{start}");
}

#[test]
fn one_cause_is_one_alert() {
    let place = Place::new();
    place.configure(&place.command_channel("a"));
    let provider = ("provider_failing", DEGRADED, "10 questions in a row");
    let ratio = ("error_ratio", DEGRADED, "60 % failed");
    place.beat(Verdict::Degraded, 1, &[provider, ratio]);
    place.run(&[]);
    let told = place.told("a");
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0]["finding"], "provider_failing");
    assert!(details(&told[0]).contains("Also: error_ratio: 60 % failed"), "{told:?}");
    // The average needs minutes more; that is nothing new.
    place.beat(Verdict::Degraded, 1, &[ratio]);
    place.run(&[]);
    place.good();
    place.run(&[]);
    assert_eq!(place.kinds("a"), ["down", "recovered"]);
    assert!(!place.remembers());
    // By itself it is an incident.
    place.beat(Verdict::Degraded, 1, &[ratio]);
    place.run(&[]);
    assert_eq!(place.told("a")[2]["finding"], "error_ratio");
    // And what does not follow from it has its own alert.
    place.beat(Verdict::Degraded, 1, &[ratio, ("disk_full", DEGRADED, "95 %")]);
    place.run(&[]);
    assert_eq!(place.told("a")[3]["finding"], "disk_full");
}

#[test]
fn a_restart_after_an_outage_is_its_end_and_no_second_alert() {
    let place = Place::new();
    place.configure(&place.command_channel("a"));
    place.stale();
    place.run(&[]);
    let unclean = ("unclean_start", DEGRADED, "the last process was killed");
    for _ in 0..2 {
        place.beat(Verdict::Degraded, 1, &[unclean]);
        place.run(&[]);
    }
    assert_eq!(place.kinds("a"), ["down", "recovered"]);
    assert!(place.told("a")[1]["summary"].to_string().contains("unclean_start"), "it is named");
    place.good();
    place.run(&[]);
    assert!(!place.remembers());
    // Without an outage it is an alert, and a second one is another.
    place.beat(Verdict::Degraded, 1, &[unclean]);
    place.run(&[]);
    let mut again = beat(Verdict::Degraded, 1, &[unclean]);
    again.pid += 1;
    heartbeat::write(&place.heartbeat, &again).unwrap();
    place.run(&[]);
    assert_eq!(place.kinds("a")[2..], ["down", "changed"]);
}

#[test]
fn a_second_crash_soon_after_an_outage_is_an_alert_and_those_of_a_loop_are_not() {
    let place = Place::new();
    place.configure(&place.command_channel("a"));
    let (unclean, crashes) =
        (("unclean_start", DEGRADED, "it was killed"), ("crash_loop", DEGRADED, "again and again"));
    let heard = |pid: u32, findings: &[(&str, Severity, &str)]| {
        let beat = Heartbeat { pid, ..beat(Verdict::Degraded, 1, findings) };
        heartbeat::write(&place.heartbeat, &beat).unwrap();
        place.run(&[]);
        place.kinds("a").len()
    };
    place.stale();
    place.run(&[]);
    assert_eq!((heard(1, &[unclean]), heard(1, &[unclean])), (2, 2), "the outage and its end");
    // Another process has crashed since, too fast for an outage.
    assert_eq!((heard(2, &[unclean]), heard(2, &[unclean])), (3, 3));
    assert_eq!(place.told("a")[2]["finding"], "unclean_start");
    assert_eq!(heard(3, &[unclean]), 4);
    // One alert for a loop, whichever process it is in, also after the loop.
    assert_eq!(heard(4, &[crashes, unclean]), 5);
    assert_eq!(place.told("a")[4]["finding"], "crash_loop");
    assert_eq!((heard(5, &[crashes, unclean]), heard(6, &[crashes, unclean])), (5, 5));
    heard(6, &[unclean]);
    assert_eq!(place.kinds("a")[5..], ["recovered"], "of the loop");
    assert_eq!(heard(7, &[unclean]), 7);
    assert_eq!(place.kinds("a")[6], "changed");
}

#[test]
fn another_cause_inside_an_incident_is_sent_once() {
    let place = Place::new();
    place.configure(&place.command_channel("a"));
    let disk = ("store_failing", FAILING, "disk_full");
    let poll = ("poll_failing", FAILING, "connect");
    let heard = |findings: &[(&str, Severity, &str)]| {
        place.beat(Verdict::Failing, 1, findings);
        place.run(&[]);
        place.kinds("a").len()
    };
    assert_eq!((heard(&[poll]), heard(&[poll]), heard(&[disk, poll])), (1, 1, 2));
    // What was sent already, alone or together, is nothing new.
    assert_eq!((heard(&[disk]), heard(&[poll]), heard(&[disk, poll])), (2, 2, 2));
    place.stale();
    place.run(&[]);
    std::fs::remove_file(&place.heartbeat).unwrap();
    place.run(&[]);
    let told = place.told("a");
    assert_eq!(place.kinds("a"), ["down", "changed", "changed"]);
    assert_eq!(told[1]["subject"].as_str().unwrap().split(':').next(), Some("NEW CAUSE"));
    assert!(told[1]["summary"].to_string().contains("store_failing: disk_full"), "{told:?}");
    assert!(
        details(&told[1]).contains("It began with: failing: poll_failing: connect"),
        "{told:?}"
    );
    assert!(told[2]["summary"].to_string().contains("heartbeat is 5 min old"), "{told:?}");
    place.good();
    place.run(&[]);
    assert_eq!(place.kinds("a").last().map(String::as_str), Some("recovered"));
}

#[test]
fn an_end_with_an_error_has_its_key_line_and_environment() {
    let place = Place::new();
    place.configure(&place.command_channel("a"));
    let exit = LastExit {
        key: Some("bot.acces".to_owned()),
        file: Some("/etc/katana-bot/katana-bot.toml".to_owned()),
        line: Some(12),
        environment: "production".to_owned(),
        ..LastExit::now(Some(78), "there is no such key")
    };
    exit.write(&place.heartbeat).unwrap();
    let words =
        "exit status 78: bot.acces: there is no such key (/etc/katana-bot/katana-bot.toml:12)";
    let ran = place.run(&["--nagios"]);
    assert_eq!(ran.status, 2);
    assert!(ran.out.starts_with("HEARTBEAT CRITICAL - bot (production): "), "{ran:?}");
    assert!(ran.out.contains(words), "{ran:?}");
    let told = place.told("a");
    assert!(told[0]["summary"].to_string().contains(words), "{told:?}");
    assert_eq!(told[0]["environment"], "production");
    // Another mistake is news, the same one is not.
    place.run(&[]);
    LastExit { line: Some(13), ..exit }.write(&place.heartbeat).unwrap();
    place.run(&[]);
    assert_eq!(place.kinds("a"), ["down", "changed"]);
}

#[test]
fn the_first_step_after_an_end_is_that_of_its_kind() {
    let place = Place::new();
    place.configure(&place.command_channel("a"));
    let step = |exit: LastExit| {
        place.beat(Verdict::Ok, 300, &[]);
        exit.write(&place.heartbeat).unwrap();
        place.run(&[]);
        let said = details(place.told("a").last().unwrap());
        place.good();
        LastExit::remove(&place.heartbeat).unwrap();
        place.run(&[]);
        said.lines().find(|line| line.starts_with("Do: ")).unwrap().to_owned()
    };
    let killed = LastExit { signal: Some("KILL".to_owned()), ..LastExit::now(None, "killed") };
    let oom = LastExit { result: Some("oom-kill".to_owned()), ..killed.clone() };
    for exit in [killed, oom, LastExit::now(Some(69), "x"), LastExit::now(Some(70), "x")] {
        let step = step(exit);
        // At the priority "err" there is nothing about a signal.
        assert!(step.contains("`journalctl -u katana-bot -p notice -n 30`"), "{step}");
        assert!(!step.contains("check-config"), "{step}");
    }
    for (code, first) in [(64, "`systemctl cat katana-bot`"), (78, "`katana-bot check-config`")] {
        let step = step(LastExit::now(Some(code), "x"));
        assert!(step.contains(first), "{step}");
    }
}

#[test]
fn what_a_file_holds_reaches_no_terminal_as_it_is() {
    let place = Place::new();
    place.configure(&place.command_channel("a"));
    let odd = beat(Verdict::Failing, 1, &[("cpu", FAILING, "x")]).render();
    let odd = odd.replace("cpu failing x", "c\u{1b}[2Jpu failing \u{202e}bad\u{7}");
    let odd = odd.replace("environment: testing", "environment: pro\u{1b}]0;x\u{7}d");
    std::fs::write(&place.heartbeat, odd).unwrap();
    let ran = place.run(&[]);
    let told = place.told("a")[0].to_string();
    let json = place.run(&["--json"]).out;
    for text in [ran.out + &ran.err, told, json, place.run(&["--nagios"]).out] {
        assert!(!text.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{text:?}");
        assert!(!text.contains("\\u001b") && text.contains("bad"), "{text:?}");
    }
    std::fs::write(&place.heartbeat, "root:$6$secret:0:0\nformat: 1\n").unwrap();
    let ran = place.run(&[]);
    assert!(!(ran.err + &place.told("a").last().unwrap().to_string()).contains("secret"));
}
