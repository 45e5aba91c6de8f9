//! Why the daemon ended, for those who cannot read its journal: written beside its heartbeat, removed when
//! it serves again.
//!
//! Invariant: no secret and no value of a setting is written. What cannot be written is left out, because
//! the exit status and the journal say it as well.

use std::env::var;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use heartbeat::LastExit;

use super::exit;
use crate::config::{Config, Examined, Loaded, Problems, Sources};

/// Where systemd has the runtime directory of the unit (systemd.exec(5)).
const RUNTIME_DIRECTORY: &str = "RUNTIME_DIRECTORY";

/// The configuration is refused.
pub(super) fn refused(examined: &Examined) {
    let Problems(problems) = &examined.problems;
    let Some(first) = problems.first() else { return };
    let more = match problems.len() {
        1 => String::new(),
        2 => " (and 1 more problem)".to_owned(),
        n => format!(" (and {} more problems)", n - 1),
    };
    let (key, message, place) = first.apart();
    let place = place.or_else(|| examined.loaded.place(&first.key));
    let (file, line) = place.map(|(file, line)| (file.display().to_string(), line)).unzip();
    let exit = LastExit {
        key: key.map(str::to_owned),
        file,
        line,
        ..LastExit::now(Some(exit::CONFIG), format!("{message}{more}"))
    };
    write(&examined.loaded, exit);
}

/// The daemon ends with this status, for this reason.
pub(super) fn ended(loaded: &Loaded, code: u8, reason: &str) {
    write(loaded, LastExit::now(Some(code), reason));
}

/// Whether it lies in the folder of the state file, as without a unit.
pub(super) fn is_beside_state(loaded: &Loaded) -> bool {
    let config = &loaded.config;
    config.watch.heartbeat_path.parent() == config.store.path.parent()
}

/// The command line is wrong, so the configuration is not known. Only a unit has a place for it.
pub(super) fn misused() {
    if let Ok(folder) = var(RUNTIME_DIRECTORY) {
        let reason = "the command line is not valid; look at ExecStart of the unit";
        let exit = LastExit::now(Some(exit::USAGE), reason);
        let _ = exit.write(&Path::new(&folder).join("heartbeat"));
    }
}

/// The daemon serves.
pub(super) fn clear(loaded: &Loaded) {
    let _ = LastExit::remove(&loaded.config.watch.heartbeat_path);
}

/// `ExecStopPost=` of the unit: what systemd knows of an end that the daemon could not write down
/// itself, because it was killed, or never ran.
pub(super) fn record(file: Option<PathBuf>) -> ExitCode {
    let of = |name| var(name).unwrap_or_default();
    let (result, code, status) = (of("SERVICE_RESULT"), of("EXIT_CODE"), of("EXIT_STATUS"));
    let loaded = Config::examine(&Sources::from_process(file)).loaded;
    let known = LastExit::read(&loaded.config.watch.heartbeat_path);
    if let Some(exit) = by_systemd(&result, &code, &status, known.as_ref()) {
        write(&loaded, exit);
    }
    ExitCode::SUCCESS
}

/// The end in systemd's words (systemd.exec(5), `$SERVICE_RESULT`); `None` if it ended well, or wrote
/// down more than systemd knows.
fn by_systemd(
    result: &str,
    code: &str,
    status: &str,
    known: Option<&LastExit>,
) -> Option<LastExit> {
    let exit_code = status.parse().ok().filter(|_| code == "exited");
    let signal = (code != "exited" && !status.is_empty()).then(|| status.to_owned());
    let reason = match result {
        "" | "success" => return None,
        "watchdog" => "it hung, and systemd's watchdog killed it",
        "oom-kill" => "the machine ran out of memory, and the kernel killed it",
        "timeout" => "it did not start or stop in time, and systemd killed it",
        "signal" => "a signal from outside the bot killed it",
        "core-dump" => "it crashed",
        "exit-code" if known.is_some_and(|known| known.exit_code == exit_code) => return None,
        "exit-code" => "it could not be started, or ended without saying why",
        _ => "systemd ended it",
    };
    Some(LastExit { signal, result: Some(result.to_owned()), ..LastExit::now(exit_code, reason) })
}

fn write(loaded: &Loaded, exit: LastExit) {
    let environment = loaded.config.bot.environment.clone();
    let redactor = loaded.redactor();
    let reason = redactor.clean(exit.reason);
    let _ = LastExit { environment, reason, ..exit }.write(&loaded.config.watch.heartbeat_path);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn systemd_says_who_killed_it_and_the_daemon_why_it_ended() {
        let own = LastExit::now(Some(70), "a task failed");
        let of = |result, code, status, known| by_systemd(result, code, status, known);
        assert_eq!(of("success", "exited", "0", None), None);
        assert_eq!(of("exit-code", "exited", "70", Some(&own)), None);
        let started = of("exit-code", "exited", "203", Some(&own)).unwrap();
        assert_eq!((started.exit_code, started.how().as_str()), (Some(203), "exit status 203"));
        let hung = of("watchdog", "killed", "ABRT", Some(&own)).unwrap();
        assert_eq!((hung.exit_code, hung.how().as_str()), (None, "SIGABRT"));
        assert!(hung.reason.contains("watchdog") && hung.result.as_deref() == Some("watchdog"));
    }
}
