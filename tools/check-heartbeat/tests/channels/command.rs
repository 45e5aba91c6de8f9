//! Commands: real programs that take, refuse, hang, flood and leave things behind.

use std::path::Path;
use std::time::{Duration, Instant};

use check_heartbeat::channel::Channel;
use check_heartbeat::notification::Kind;

use crate::{fails, later, notice, open, within, words};

const SOON: Duration = Duration::from_secs(5);
const ENV: &[(&str, &str)] = &[
    ("PATH", "/usr/local/bin:/usr/bin:/bin"),
    ("HOME", "/nonexistent"),
    ("LANG", "C.UTF-8"),
    ("TELEGRAM_ALERT_BOT_TOKEN", "1:hunter2hunter2"),
    ("SMTP_ALERT_PASSWORD", "hunter2"),
];

/// A channel that runs a shell script; the shell is the tests' choice, not the channel's.
fn script(script: &str, more: &str) -> Box<dyn Channel> {
    let table = format!("type = 'command'\nprogram = 'sh'\nargs = ['-c', '''{script}''']\n{more}");
    open(&table, ENV).unwrap_or_else(|p| panic!("{table}: {p:?}"))
}

#[test]
fn the_notice_comes_as_json_and_as_variables() {
    let dir = tempfile::tempdir().expect("a directory");
    let at = dir.path().display();
    let channel = script(&format!("cat > {at}/json; env -0 > {at}/env"), "");
    assert_eq!(channel.name(), "command");
    let recovered = notice(3, Kind::Recovered);
    channel.deliver(&recovered, later()).expect("accepted");
    let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).expect(name);
    assert_eq!(read("json").trim_end(), recovered.json().to_string());
    let env = read("env");
    let all: std::collections::BTreeMap<&str, &str> =
        env.split('\0').filter_map(|pair| pair.split_once('=')).collect();
    let text = recovered.text();
    for (name, value) in [
        ("KIND", "recovered"),
        ("LEVEL", "critical"),
        ("WATCH", "katana-bot"),
        ("SUBJECT", recovered.subject().as_str()),
        ("TEXT", text.as_str()),
        ("INCIDENT", "katana-bot-19aa2b3c4d5"),
        ("NUMBER", "3"),
        ("STARTED", "2026-11-21T07:24:35.000Z"),
        ("ENDED", "2026-11-21T07:29:35.000Z"),
        ("DURATION_S", "300"),
        ("FINDING", ""),
        ("HOST", "host-1.example"),
        ("ENVIRONMENT", "production"),
    ] {
        assert_eq!(all.get(format!("KATANA_ALERT_{name}").as_str()), Some(&value), "{name}");
    }
    // What sh sets for itself apart, there is nothing else.
    let ours = ["PATH", "HOME", "LANG", "PWD", "SHLVL", "_", "OLDPWD"];
    let other = all.keys().find(|name| !name.starts_with("KATANA_ALERT_") && !ours.contains(name));
    assert_eq!(other, None);
    assert!(!env.contains("hunter2"));
}

#[test]
fn no_shell_reads_the_arguments() {
    let dir = tempfile::tempdir().expect("a directory");
    let mark = dir.path().join("mark");
    let table = format!(
        "type = 'command'\nprogram = 'printf'\nargs = ['%s', '$(touch {0}); touch {0} `touch {0}`']",
        mark.display()
    );
    let channel = open(&table, ENV).expect("opens");
    let mut hostile = notice(1, Kind::Down);
    hostile.summary = format!("$(touch {})\0;", mark.display());
    channel.deliver(&hostile, later()).expect("accepted");
    assert!(!mark.exists());
}

#[test]
fn a_program_need_not_read_its_input() {
    let mut large = notice(1, Kind::Down);
    large.details = vec!["x".repeat(60_000)];
    script("exit 0", "").deliver(&large, later()).expect("accepted");
}

#[test]
fn a_failure_shows_its_status_and_the_end_of_its_words() {
    let failure = fails(&*script("echo out; echo cannot page >&2; exit 3", ""), later(), SOON);
    assert_eq!(failure.message, "sh ended with status 3: cannot page");
    assert!(!failure.permanent);
    let failure = fails(&*script("echo only this; exit 1", ""), later(), SOON);
    assert_eq!(failure.message, "sh ended with status 1: only this");
    let failure = fails(&*script("kill -9 $$", ""), later(), SOON);
    assert_eq!(failure.message, "sh was ended by signal 9: it said nothing");
    let failure =
        fails(&*script("printf \"\\033[31mred\\007\\nend\" >&2; exit 1", ""), later(), SOON);
    assert_eq!(failure.message, "sh ended with status 1: [31mred end");
}

#[test]
fn what_cannot_start_is_a_matter_of_configuration() {
    for (program, said) in
        [("/nonexistent/page", "No such file"), ("/etc/passwd", "Permission denied")]
    {
        let channel =
            open(&format!("type = 'command'\nprogram = '{program}'"), ENV).expect("opens");
        let failure = fails(&*channel, later(), SOON);
        assert!(failure.permanent && failure.hint.is_some(), "{failure:?}");
        assert!(failure.message.contains(said) && failure.message.contains(program), "{failure:?}");
    }
}

#[test]
fn a_hanging_program_is_killed_with_its_children() {
    let dir = tempfile::tempdir().expect("a directory");
    let pids = dir.path().join("pids");
    let hang = format!(
        "echo waiting >&2; sleep 300 & echo $! > {0}; (trap \"\" TERM HUP; sleep 301) & echo $! >> {0}; \
         echo $$ >> {0}; wait",
        pids.display()
    );
    let failure =
        fails(&*script(&hang, "timeout = '700ms'"), later(), Duration::from_millis(1_500));
    assert!(failure.message.starts_with("sh was killed after 7"), "{failure:?}");
    assert!(failure.message.ends_with("ms: waiting"), "{failure:?}");
    all_gone(&pids, 3);

    let by_deadline = script("sleep 300", "");
    fails(&*by_deadline, within(Duration::from_millis(400)), Duration::from_secs(1));
}

/// Fails unless all processes of the file end at once.
fn all_gone(pids: &Path, count: usize) {
    let pids = std::fs::read_to_string(pids).expect("pids");
    assert_eq!(pids.lines().count(), count);
    let runs = |pid: &str| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // A zombie waits for its parent only: it does not run.
        stat.rsplit(')').next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with(" Z"))
    };
    let until = Instant::now() + SOON;
    while pids.lines().any(runs) {
        assert!(Instant::now() < until, "still there: {pids:?}");
        std::thread::yield_now();
    }
}

#[test]
fn floods_of_output_cost_neither_memory_nor_time() {
    let flood = "head -c 50000000 /dev/zero | tr '\\000' x";
    script(flood, "").deliver(&notice(1, Kind::Down), later()).expect("accepted");
    let failure =
        fails(&*script(&format!("{flood} >&2; echo the end >&2; exit 1"), ""), later(), SOON);
    assert!(failure.message.ends_with("xxthe end"), "{failure:?}");
    assert!(words(&failure).len() < 2_000);
    let endless = fails(&*script("yes >&2", "timeout = '500ms'"), later(), Duration::from_secs(2));
    assert!(words(&endless).len() < 2_000, "{endless:?}");
}

#[test]
fn something_left_behind_does_not_hold_the_call() {
    let dir = tempfile::tempdir().expect("a directory");
    let pid = dir.path().join("pid");
    let left = format!("sleep 300 & echo $! > {}; echo said >&2; ", pid.display());
    let begun = Instant::now();
    script(&format!("{left} exit 0"), "")
        .deliver(&notice(1, Kind::Down), later())
        .expect("accepted");
    end(&pid);
    let failure = fails(&*script(&format!("{left} exit 1"), ""), later(), SOON);
    assert_eq!(failure.message, "sh ended with status 1: said");
    end(&pid);
    assert!(begun.elapsed() < SOON);
}

/// Ends what the test left behind itself.
fn end(pid: &Path) {
    let pid = std::fs::read_to_string(pid).expect("a pid");
    let status = std::process::Command::new("kill").arg(pid.trim()).status().expect("kill starts");
    assert!(status.success(), "it was still there");
}
