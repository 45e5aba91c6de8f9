//! The unit and the process of the daemon, as systemd and the kernel see them, and how advice names them.

use std::collections::BTreeMap;
use std::path::Path;

use super::tool::{BOOTED, tool};

/// What is asked about.
const PROPERTIES: &str = "--property=LoadState,UnitFileState,ActiveState,SubState,NRestarts,MainPID,ExecMainPID,Result,\
                          ExecMainStatus,ConditionResult,ConditionTimestampMonotonic,StatusText,ExecMainStartTimestampMonotonic";

/// What systemd says about the unit.
#[derive(Clone, Debug, Default)]
pub(super) struct Unit {
    said: BTreeMap<String, String>,
}

impl Unit {
    /// Asks systemd, for at most 5 s. `Ok(None)` if it does not run the machine.
    ///
    /// # Errors
    /// When it does not answer.
    pub(super) async fn ask(name: &str) -> Result<Option<Self>, ()> {
        if !Path::new(BOOTED).exists() {
            return Ok(None);
        }
        let said = tool("systemctl", &["show", &format!("{name}.service"), PROPERTIES]).await;
        Ok(Some(Self::of(&said.ok_or(())?)))
    }

    /// From what `systemctl show` prints.
    pub(super) fn of(said: &str) -> Self {
        let pairs = said.lines().filter_map(|line| line.split_once('='));
        Self { said: pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect() }
    }

    /// A property; empty if systemd does not name it.
    pub(super) fn get(&self, name: &str) -> &str {
        self.said.get(name).map_or("", String::as_str)
    }

    /// Whether there is such a unit.
    pub(super) fn is_installed(&self) -> bool {
        self.get("LoadState") == "loaded"
    }

    /// Whether it did not start for want of its token. A unit that was not started since the boot has a
    /// condition that is unmet, too.
    pub(super) fn waits_for_token(&self) -> bool {
        let was_tried = !matches!(self.get("ConditionTimestampMonotonic"), "" | "0");
        let is_unmet = self.get("ConditionResult") == "no" && was_tried;
        is_unmet && self.get("ActiveState") == "inactive"
    }

    /// The main process, if there is one.
    pub(super) fn main_pid(&self) -> Option<u32> {
        self.get("MainPID").parse().ok().filter(|pid| *pid != 0)
    }

    /// Whether this is the main process, or was the last one, since the machine or the container booted.
    pub(super) fn is_its_process(&self, pid: u32) -> bool {
        self.get("ExecMainPID").parse() == Ok(pid)
    }

    /// How long the main process has been there, in milliseconds that the machine was awake.
    pub(super) fn main_age_ms(&self) -> Option<u64> {
        let started_us: u64 = self.get("ExecMainStartTimestampMonotonic").parse().ok()?;
        (started_us > 0).then(|| hygiene::uptime::awake_ms().saturating_sub(started_us / 1000))
    }
}

/// A process, as the kernel shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Process {
    /// It runs or waits.
    Lives,
    /// A signal (SIGSTOP) or a tracer has stopped it.
    IsStopped,
    Gone,
    /// A mount option may hide it (proc(5), `hidepid`).
    Unknown,
}

impl Process {
    /// The state of the process with this id.
    pub(super) fn of(pid: u32) -> Self {
        let stat = |pid: u32| std::fs::read_to_string(format!("/proc/{pid}/stat")).ok();
        match stat(pid) {
            // The state stands behind the name, which may have brackets and blanks in it.
            Some(text) => match text.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next()) {
                Some('T' | 't') => Self::IsStopped,
                Some('Z' | 'X' | 'x') => Self::Gone,
                _ => Self::Lives,
            },
            None if stat(1).is_some() => Self::Gone,
            None => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_found_stopped_and_missed() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let pid = child.id();
        assert_eq!(Process::of(pid), Process::Lives);
        let stop = std::process::Command::new("kill").args(["-STOP", &pid.to_string()]).status();
        assert!(stop.unwrap().success());
        let begun = std::time::Instant::now();
        while Process::of(pid) != Process::IsStopped && begun.elapsed().as_secs() < 10 {}
        assert_eq!(Process::of(pid), Process::IsStopped);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(Process::of(pid), Process::Gone);
    }

    #[test]
    fn what_systemd_says_is_read() {
        let unit = Unit::of("LoadState=loaded\nMainPID=0\nStatusText=a=b\n");
        assert!(unit.is_installed() && unit.main_pid().is_none());
        assert_eq!((unit.get("StatusText"), unit.get("Result")), ("a=b", ""));
    }

    #[test]
    fn a_unit_that_was_not_started_does_not_wait_for_a_token() {
        for (tried, active, wanted) in [
            ("ConditionTimestampMonotonic=81000000", "inactive", true),
            ("ConditionTimestampMonotonic=81000000", "active", false),
            ("ConditionTimestampMonotonic=0", "inactive", false),
            ("", "inactive", false),
        ] {
            let said = format!("ActiveState={active}\nConditionResult=no\n{tried}\n");
            assert_eq!(Unit::of(&said).waits_for_token(), wanted, "{said}");
        }
    }
}
