//! Disks that give no answer, runs that never end, and places that are not what they seem.

use crate::world::skipped;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use check_heartbeat::state_dir;

use crate::place::{Place, Ran, ran};

/// Removes the spare place of a test, which lies outside of its folder.
struct Spare(std::path::PathBuf);

impl Spare {
    fn of(place: &Place) -> Self {
        Self(state_dir::in_memory(&place.path("state")))
    }
}

impl Drop for Spare {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn down_and_recovered(place: &Place, spare: &Spare, problem: &str) {
    place.stale();
    for _ in 0..2 {
        let begun = Instant::now();
        let ran = place.run(&[]);
        assert_eq!(ran.status, 1, "{ran:?}");
        assert!(ran.err.contains(problem), "{ran:?}");
        assert!(ran.err.contains(spare.0.to_str().unwrap()), "where it is remembered: {ran:?}");
        assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    }
    assert_eq!(place.kinds("a"), ["down"]);
    place.good();
    assert_eq!(place.run(&[]).status, 0);
    assert_eq!(place.kinds("a"), ["down", "recovered"]);
}

#[test]
fn a_disk_that_cannot_be_read_silences_no_one() {
    let place = Place::new();
    place.configure(&place.command_channel("a"));
    std::fs::create_dir(place.path("state")).unwrap();
    std::fs::write(place.path("state/incidents.json"), "{}").unwrap();
    let spare = Spare::of(&place);
    place.stale();
    let Some(ran) = delayed(&place, "read", 8, &["state/incidents.json"]) else { return };
    assert_eq!(ran.status, 1, "{ran:?}");
    assert!(ran.err.contains("gave no answer"), "{ran:?}");
    assert_eq!(place.kinds("a"), ["down"]);
    assert!(spare.0.join("incidents.json").exists(), "kept in memory");
}

#[test]
fn a_run_that_never_ends_silences_no_other() {
    let place = Place::new();
    place.configure(&place.command_channel("a"));
    let state = place.path("state");
    std::fs::create_dir(&state).unwrap();
    // It had sent the DOWN before it hung, and its log can still be read.
    place.stale();
    assert_eq!(place.run(&[]).status, 1);
    assert_eq!(place.kinds("a"), ["down"]);
    // This process plays the run that hangs in the kernel: it has had the lock for ten minutes.
    let lock = std::fs::File::options().write(true).open(state.join("lock")).unwrap();
    lock.lock().unwrap();
    let since = std::time::SystemTime::now() - Duration::from_secs(601);
    lock.set_modified(since).unwrap();
    let spare = Spare::of(&place);
    down_and_recovered(&place, &spare, "lock for 10 min");
    assert!(place.remembers(), "what the other run has is left alone");
    // It ends at last, and all is as before.
    drop(lock);
    assert_eq!(place.run(&[]).status, 0);
    assert!(!spare.0.join("incidents.json").exists(), "nothing is left in memory");
    place.stale();
    let ran = place.run(&[]);
    assert!(!ran.err.contains("reboot"), "{ran:?}");
    assert!(place.remembers());
    place.good();
    place.run(&[]);
    assert_eq!(place.kinds("a"), ["down", "recovered", "down", "recovered"]);
}

/// A run whose calls of this kind on these files take so long; `None` where that cannot be played.
fn delayed(place: &Place, call: &str, seconds: u32, files: &[&str]) -> Option<Ran> {
    let inner = place.command(&[]);
    let mut traced = Command::new("strace");
    traced.env_clear().env("PATH", "/usr/bin:/bin").stdin(Stdio::null());
    traced
        .args(["-f", "-q", "-e", &format!("trace={call},preadv2"), "-o"])
        .arg(place.path("trace"));
    traced.args(["-e", &format!("inject={call}:delay_enter={seconds}s")]);
    // What a disk has still to bring is not in memory.
    traced.args(["-e", "inject=preadv2:error=EAGAIN"]);
    for name in files {
        traced.arg("-P").arg(place.path(name));
    }
    traced.arg(inner.get_program()).args(inner.get_args());
    if Command::new("strace").arg("-V").stdout(Stdio::null()).status().is_err() {
        skipped("strace is not installed (apt install strace)");
        return None;
    }
    let ran = ran(traced);
    if std::fs::metadata(place.path("trace")).map_or(0, |found| found.len()) == 0 {
        skipped(&format!("strace may not trace here: {ran:?}"));
        return None;
    }
    Some(ran)
}

#[test]
fn a_disk_that_never_syncs_silences_no_one() {
    let place = Place::new();
    place.configure(&place.command_channel("a"));
    let spare = Spare::of(&place);
    place.stale();
    let files = ["state", "state/incidents.json.tmp"];
    let Some(ran) = delayed(&place, "fsync", 8, &files) else { return };
    assert_eq!(ran.status, 1, "{ran:?}");
    assert!(ran.err.contains("gave no answer") && ran.err.contains("reboot"), "{ran:?}");
    assert_eq!(place.kinds("a"), ["down"]);
    assert!(spare.0.join("incidents.json").exists());
}

#[test]
fn a_heartbeat_that_cannot_be_read_hides_no_other() {
    let place = Place::new();
    let other = place.path("other");
    let watch = format!("[[watch]]\nname = \"other\"\nfile = \"{}\"\n", other.display());
    place.configure(&format!("{}{watch}", place.command_channel("a")));
    place.good();
    let now = heartbeat::Now::read().time_ms;
    std::fs::write(&other, format!("{now}\n")).unwrap();
    let Some(ran) = delayed(&place, "read", 14, &["heartbeat"]) else { return };
    assert_eq!(ran.status, 1, "{ran:?}");
    assert!(ran.err.contains("bot: ") && ran.err.contains("no answer within 10 s"), "{ran:?}");
    assert!(ran.out.starts_with("OK: other: "), "{ran:?}");
    assert_eq!(place.kinds("a"), ["down"]);
}

#[test]
fn a_folder_that_everybody_can_change_is_refused_with_a_hint() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    place.configure(&place.command_channel("a"));
    std::fs::create_dir(place.path("state")).unwrap();
    std::fs::set_permissions(place.path("state"), PermissionsExt::from_mode(0o777)).unwrap();
    std::fs::write(place.path("victim"), "precious").unwrap();
    for name in ["lock", "incidents.json.tmp", "incidents.json"] {
        let planted = place.path("state").join(name);
        std::os::unix::fs::symlink(place.path("victim"), planted).unwrap();
    }
    let spare = Spare::of(&place);
    down_and_recovered(&place, &spare, "everybody may write there (chmod o-w)");
    assert_eq!(std::fs::read_to_string(place.path("victim")).unwrap(), "precious");
}

/// A configuration that never arrives: nothing is known when the run has to be ended.
#[test]
fn the_whole_run_ends_in_time_whatever_hangs() {
    if std::env::var_os("KATANA_TEST_REAL_TIMES").is_none() {
        skipped("it takes 50 s (KATANA_TEST_REAL_TIMES=1)");
        return;
    }
    let place = Place::new();
    for (args, status) in [(&[][..], 1), (&["--nagios"], 3)] {
        let begun = Instant::now();
        // The other end of the pipe stays open until the run has ended.
        let (config, _writer) = std::io::pipe().unwrap();
        let mut command = place.command(&[&["--config", "/dev/stdin"], args].concat());
        command.stdin(config);
        let ran = ran(command);
        let took = begun.elapsed();
        assert_eq!(ran.status, status, "{ran:?}");
        assert!(format!("{ran:?}").contains("was ended after 49 s"), "{ran:?}");
        assert!((Duration::from_secs(48)..Duration::from_secs(51)).contains(&took), "{took:?}");
    }
}

/// The threads and processes that a run starts.
fn started(place: &Place, config: &str, more: &[&str]) -> Option<(i32, usize)> {
    let trace = place.path("started");
    let mut traced = Command::new("strace");
    traced.env_clear().env("PATH", "/usr/bin:/bin").stdin(Stdio::null());
    traced.args(["-f", "-q", "-e", "trace=clone,clone3,fork,vfork", "-e", "signal=none", "-o"]);
    traced.arg(&trace).arg(env!("CARGO_BIN_EXE_check-heartbeat"));
    traced
        .arg("--config")
        .arg(place.path(config))
        .arg("--state-dir")
        .arg(place.path("state"))
        .args(more);
    if Command::new("strace").arg("-V").stdout(Stdio::null()).status().is_err() {
        skipped("strace is not installed (apt install strace)");
        return None;
    }
    let ran = ran(traced);
    let calls = std::fs::read_to_string(&trace).unwrap_or_default();
    if ran.err.contains("ptrace") || ran.err.contains("PTRACE") {
        skipped(&format!("strace may not trace here: {ran:?}"));
        return None;
    }
    Some((ran.status, calls.matches("clone").count() + calls.matches("fork").count()))
}

#[test]
fn a_run_in_which_all_is_well_starts_no_thread() {
    let place = Place::new();
    std::fs::write(place.path("token"), "1234567890:AAExampleExampleExampleExampleExampl").unwrap();
    let telegram = format!(
        "[[channel]]\ntype = \"telegram\"\nchat_id = 1\ntoken_file = \"{}\"\n",
        place.path("token").display()
    );
    place.configure(&format!("{}{telegram}", place.command_channel("a")));
    place.good();
    for more in [&[][..], &["--verbose"], &["--json"], &["--nagios"], &["--no-alert"]] {
        let Some(found) = started(&place, "config.toml", more) else { return };
        assert_eq!(found, (0, 0), "{more:?}");
    }
    // The trace sees what is started where something is wrong.
    place.stale();
    let Some((status, threads)) = started(&place, "config.toml", &[]) else { return };
    assert!(status == 1 && threads > 0, "{status} {threads}");
}
