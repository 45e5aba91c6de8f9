//! A plugin answers whatever happens: also when the check itself breaks.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output};

use crate::place::Place;
use crate::world::skipped;

/// A library that makes the clock of the process fail from a call on, on which the standard library
/// panics.
const NO_CLOCK: &str = r#"
#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
static int calls;
int clock_gettime(clockid_t clock, struct timespec *time) {
    const char *last = getenv("LAST_CALL");
    if (last && clock == CLOCK_MONOTONIC && __atomic_add_fetch(&calls, 1, __ATOMIC_SEQ_CST) > atoi(last)) {
        errno = ENOSYS;
        return -1;
    }
    return syscall(SYS_clock_gettime, clock, time);
}
"#;

/// The word that the status of a plugin stands for.
fn word(output: &Output) -> &'static str {
    let code = output.status.code().unwrap_or_else(|| panic!("ended by a signal: {output:?}"));
    ["OK", "WARNING", "CRITICAL", "UNKNOWN"][usize::try_from(code).unwrap()]
}

#[test]
fn a_panic_is_unknown_on_standard_output() {
    let place = Place::new();
    let (source, library) = (place.path("clock.c"), place.path("clock.so"));
    std::fs::write(&source, NO_CLOCK).unwrap();
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source);
    if !compiler.status().is_ok_and(|status| status.success()) {
        return skipped("no panic without a C compiler: apt install gcc libc6-dev");
    }
    let run = |args: &[&str], last: u32| {
        let mut command = place.command(args);
        command.env("LD_PRELOAD", &library).env("LAST_CALL", last.to_string());
        command.output().unwrap()
    };
    place.good();
    place.configure("");
    assert_eq!(run(&[], 0).status.signal().or(run(&[], 0).status.code()), Some(101), "it panics");
    let broken = run(&["--nagios"], 0);
    let said = String::from_utf8_lossy(&broken.stdout).into_owned();
    assert_eq!(broken.status.code(), Some(3), "{broken:?}");
    assert!(said.starts_with("HEARTBEAT UNKNOWN - the check itself has failed, at "), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    // Wherever it breaks, the first line and the status agree.
    place.configure(&place.command_channel("a"));
    let mut words = std::collections::BTreeSet::new();
    for stale in [false, true] {
        if stale {
            place.stale()
        } else {
            place.good()
        }
        for last in 0..40 {
            let output = run(&["--nagios"], last);
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            let word = word(&output);
            words.insert(word);
            assert!(said.starts_with(&format!("HEARTBEAT {word} - ")), "{last}: {output:?}");
            let _ = std::fs::remove_dir_all(place.path("state"));
        }
    }
    assert_eq!(words.into_iter().collect::<Vec<_>>(), ["CRITICAL", "OK", "UNKNOWN"]);
}

#[test]
fn root_that_cannot_become_the_user_is_unknown() {
    let place = Place::new();
    place.good();
    std::fs::create_dir(place.path("state")).unwrap();
    let other = Command::new("chown").arg("12345:12345").arg(place.path("state")).status().unwrap();
    if !other.success() || std::path::Path::new("/run/systemd/system").exists() {
        return skipped("only root becomes another user, and systemd does so in a unit");
    }
    // That user may not even see the program.
    let program = place.path("check-heartbeat");
    std::fs::copy(env!("CARGO_BIN_EXE_check-heartbeat"), &program).unwrap();
    std::fs::set_permissions(place.folder.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    let run = |args: &[&str]| {
        let mut command = Command::new(&program);
        command.args(args).arg("--file").arg(&place.heartbeat);
        command.arg("--state-dir").arg(place.path("state")).output().unwrap()
    };
    let plugin = run(&["--nagios"]);
    let said = String::from_utf8_lossy(&plugin.stdout).into_owned();
    assert_eq!(plugin.status.code(), Some(3), "{plugin:?}");
    assert!(said.starts_with("HEARTBEAT UNKNOWN - cannot become the user 12345: "), "{said}");
    assert_eq!(run(&[]).status.code(), Some(77));
    // Where it can, its answer is passed on as it is.
    std::fs::set_permissions(place.folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let plugin = run(&["--nagios"]);
    let said = String::from_utf8_lossy(&plugin.stdout).into_owned();
    assert_eq!(plugin.status.code(), Some(0), "{plugin:?}");
    assert!(said.starts_with("HEARTBEAT OK - ") && said.ends_with(";0\n"), "{said}");
}
