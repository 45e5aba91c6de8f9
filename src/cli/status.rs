//! `katana-bot status`: how the daemon is, from its heartbeat file and its HTTP endpoint.
//!
//! Needs no token and no valid configuration, because people run it when something is wrong.
//! Invariants: the endpoint is newer and has more details than the heartbeat, but counts only if its process
//! is the one that the heartbeat names. Where the endpoint does not answer, the unit and the process say
//! whether there is a daemon; a boot id alone never says that there is none, because containers hide it.

mod checker;
mod findings;
mod lines;
mod remedy;

mod words;

pub(super) use self::findings::{Findings, Overall, in_words};
pub(super) use self::remedy::remedies;
pub(super) use self::words::story;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use heartbeat::{Judgement, LastExit, Now, Reason, State, Verdict};
use serde_json::Value;

use self::findings::ANOTHER;
use super::endpoint;
use super::style::{Mark, Style, say, say_json};
use super::unit::{Process, Unit};
use crate::config::{Config, Examined, Loaded};
use crate::observe::finding::Status;
use crate::supervise::Phase;

/// If a process is gone and its heartbeat is older than this, it is not just being replaced.
const GONE_AFTER_MS: u64 = 15_000;

/// The text for an endpoint without a listener.
const NO_LISTENER: &str = "nothing listens there";

/// The text for an endpoint that takes a connection and says nothing.
const NO_ANSWER: &str = "it does not answer in time";

/// A start takes this long at most; a machine that has just booted is slow.
const START_GRACE_MS: u64 = heartbeat::DEFAULT_THRESHOLD_S * 1000;

/// Exit status if people are not served, or if that is unknown.
const BAD: u8 = 1;

/// Runs the command.
///
/// # Errors
/// When the runtime cannot be made.
pub(super) fn status(
    config: Option<PathBuf>,
    file: Option<PathBuf>,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let is_named = config.is_some();
    let sources = endpoint::sources(config);
    let unit = endpoint::unit(sources.file());
    let Examined { loaded, problems } = Config::examine(&sources);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let mut found = runtime.block_on(look(&loaded, file, &unit));
    // Without the file that was named, the defaults would describe another bot.
    found.config = problems.0.into_iter().find(|p| is_named && p.apart().2.is_some());
    if json {
        say_json(&found.json(&remedies(&found)));
    } else {
        say(&words::page(&found, Style::of(&std::io::stdout())));
    }
    Ok(match found.mark() {
        Mark::Bad => ExitCode::from(BAD),
        _ => ExitCode::SUCCESS,
    })
}

/// Where the daemon of this configuration writes its heartbeat.
fn heartbeat_file(loaded: &Loaded) -> PathBuf {
    loaded.config.watch.heartbeat_path.clone()
}

/// Reads and judges a heartbeat, as `check-heartbeat` does by default.
fn judged(path: &Path, now: &Now) -> Judgement {
    let threshold = Duration::from_secs(heartbeat::DEFAULT_THRESHOLD_S);
    let read = heartbeat::read(path);
    let judged = heartbeat::judge(read.as_deref(), now, threshold);
    let exit = LastExit::read(path);
    let mut judged = judged.with_exit(exit.as_ref(), now);
    // People look at once: after a clean stop, a start that failed explains more than the stop.
    let stop = judged.heartbeat.as_ref().map(|beat| beat.time_ms);
    let exit = exit.filter(|exit| judged.reason == Reason::Stopped && exit.is_after(stop));
    if let Some(exit) = exit {
        let ago_ms = exit.time_ms().map_or(0, |at| now.time_ms.saturating_sub(at));
        let ago = heartbeat::span(u64::try_from(ago_ms).unwrap_or(0));
        judged.text = format!("it ended {ago} ago with {}: {}", exit.how(), exit.why());
        (judged.state, judged.reason) = (State::Critical, Reason::Ended);
    }
    judged
}

/// Finds out everything about the daemon of this configuration. `file`: its heartbeat, if it is elsewhere;
/// `unit`: its unit's name, without `.service`.
pub(super) async fn look(loaded: &Loaded, file: Option<PathBuf>, unit: &str) -> Findings {
    let path = file.unwrap_or_else(|| heartbeat_file(loaded));
    let now = Now::read();
    let mut judgement = judged(&path, &now);
    let listen = endpoint::address(loaded);
    let alive = judgement.heartbeat.as_ref().filter(|beat| beat.verdict != Verdict::Stopped);
    let named = alive.map(|beat| beat.pid);
    let wrote = judgement.heartbeat.as_ref().map(|beat| beat.pid);
    let mut answer = match listen {
        Some(listen) => ask(listen, loaded, wrote),
        None => Err("the endpoint is off".to_owned()),
    };
    let unit_name = unit.to_owned();
    // Only the packaged unit is known to write this heartbeat.
    let is_packaged = path == Path::new("/run").join(unit).join("heartbeat");
    let is_unsure = wrote.is_none() && (is_packaged || unit.contains('@'));
    let mut unit = match is_unsure || is_packaged && answer.is_err() {
        true => Unit::ask(unit).await.ok().flatten().filter(Unit::is_installed),
        false => None,
    };
    if is_unsure {
        answer = answer.and_then(|said| of_unit(said, &unit_name, unit.as_ref()));
    }
    unit = unit.filter(|_| answer.is_err() && is_packaged);
    let pid = unit.as_ref().map_or(named, Unit::main_pid);
    let process = match pid {
        Some(pid) => Some(Process::of(pid)),
        None => unit.as_ref().map(|_| Process::Gone),
    };
    let is_of_unit =
        unit.as_ref().zip(wrote).is_some_and(|(unit, wrote)| unit.is_its_process(wrote));
    let is_its_own = answer.is_ok() || is_of_unit;
    let hides_boot = judgement.reason == Reason::PreviousBoot && is_its_own;
    if hides_boot {
        judgement = judged(&path, &Now { boot_id: None, boot_ms: None, awake_ms: None, ..now });
    }
    let exit = LastExit::read(&path).filter(|_| judgement.reason == Reason::Ended);
    let endpoint = listen.map(|listen| format!("http://{}", endpoint::reachable(listen)));
    let late_ms = loaded.config.watch.every_s * 3_000 + 5_000;
    let mut found = Findings {
        path,
        judgement,
        exit,
        endpoint,
        answer,
        unit_name,
        config: None,
        unit,
        pid,
        process,
        hides_boot,
        late_ms,
        overall: Overall::Ok,
    };
    found.overall = overall(&found);
    found
}

/// `/bot/status` of the process with this id, or of any when no id is known.
fn ask(listen: std::net::SocketAddr, loaded: &Loaded, pid: Option<u32>) -> Result<Value, String> {
    // On the loopback it needs no token, and another program on that port would get it. Elsewhere
    // the token is sent only while the bot is alive, because then the port is its own.
    let wanted = !listen.ip().is_loopback() && pid.is_some();
    let token = loaded.secret("web.admin_token").filter(|_| wanted);
    let token = token.map(crate::config::Secret::expose);
    let answer = endpoint::get(listen, "/bot/status", token).map_err(|e| match e.kind() {
        std::io::ErrorKind::ConnectionRefused => NO_LISTENER.to_owned(),
        std::io::ErrorKind::TimedOut | std::io::ErrorKind::WouldBlock => NO_ANSWER.to_owned(),
        _ => e.to_string(),
    })?;
    let said = match answer.code {
        200 => answer.json.filter(|said| said["status"].is_string()),
        401 | 403 => return Err("it requires the admin token for this".to_owned()),
        code => return Err(format!("it answers {code}")),
    };
    let said = said.ok_or("something else answers there")?;
    match (pid, said["about"]["pid"].as_u64()) {
        (Some(mine), Some(other)) if u64::from(mine) != other => Err(another(other)),
        _ => Ok(said),
    }
}

fn another(pid: u64) -> String {
    format!("{ANOTHER} answers there (process {pid})")
}

/// The answer, if it comes from this unit, where no heartbeat names the process: any bot of the machine may
/// have the port. Without systemd, the name of the environment says whose it is.
fn of_unit(said: Value, name: &str, unit: Option<&Unit>) -> Result<Value, String> {
    let about = &said["about"];
    let pid = about["pid"].as_u64().unwrap_or_default();
    let is_its_own = match (unit, name.split_once('@')) {
        (Some(unit), _) => unit.main_pid().map(u64::from) == Some(pid),
        (None, Some((_, instance))) => about["environment"] == instance,
        (None, None) => true,
    };
    if is_its_own { Ok(said) } else { Err(another(pid)) }
}

/// What `/bot/status` calls it; a status that this version does not know is taken for the worst.
fn by_verdict(status: &Value) -> Overall {
    match status.as_str().and_then(Status::named).unwrap_or(Status::Failing) {
        Status::Ok => Overall::Ok,
        Status::Degraded => Overall::Degraded,
        Status::Failing => Overall::Failing,
    }
}

fn overall(found: &Findings) -> Overall {
    let judgement = &found.judgement;
    if let Ok(said) = &found.answer {
        return by_answer(said, judgement);
    }
    let is_old = is_refused(found) || judgement.age_ms.is_none_or(|age| age > GONE_AFTER_MS);
    let is_stopped = matches!(judgement.reason, Reason::Stopped | Reason::StoppedLong);
    match found.process {
        Some(Process::IsStopped) => Overall::Hangs,
        Some(Process::Lives) => of_living(found),
        Some(Process::Gone) if is_stopped => Overall::Stopped,
        Some(Process::Gone) if is_old || found.unit.is_some() => Overall::NotRunning,
        _ => by_heartbeat(judgement),
    }
}

fn by_answer(said: &Value, judgement: &Judgement) -> Overall {
    if said["report"]["stale"] == true {
        return Overall::Stale;
    }
    let is_new =
        said["about"]["uptime_s"].as_f64().is_none_or(|s| s * 1000.0 < START_GRACE_MS as f64);
    // Its heartbeat may be missing or old; people are alerted then, so this must say it too.
    match (by_verdict(&said["status"]), judgement.reason) {
        (_, Reason::Stale) => Overall::Stale,
        (Overall::Ok, _) if judgement.state == State::Critical => Overall::Degraded,
        (verdict, _) if said["phase"] == Phase::Starting.name() => match verdict {
            Overall::Ok if is_new => Overall::Starting,
            Overall::Ok => Overall::Failing,
            worse => worse,
        },
        (verdict, _) => verdict,
    }
}

/// There is a process, and its endpoint does not answer.
fn of_living(found: &Findings) -> Overall {
    let judgement = &found.judgement;
    let main_age_ms = found.unit.as_ref().and_then(Unit::main_age_ms);
    let is_new = main_age_ms.is_some_and(|age| age < START_GRACE_MS);
    let wrote = judgement
        .heartbeat
        .as_ref()
        .is_some_and(|beat| Some(beat.pid) == found.pid && beat.verdict != Verdict::Stopped);
    let is_silent = found.answer.as_ref().is_err_and(|why| why == NO_ANSWER);
    match wrote {
        false if is_new => Overall::Starting,
        false if is_silent => Overall::Hangs,
        false => Overall::Stale,
        true if judgement.age_ms.is_some_and(|age| age > found.late_ms) => Overall::Hangs,
        true => match by_heartbeat(judgement) {
            Overall::Ok if is_silent => Overall::Degraded,
            verdict => verdict,
        },
    }
}

fn by_heartbeat(judgement: &Judgement) -> Overall {
    match judgement.reason {
        Reason::Stopped | Reason::StoppedLong => Overall::Stopped,
        Reason::Starting => Overall::Starting,
        Reason::Fresh => Overall::Ok,
        Reason::Degraded => Overall::Degraded,
        Reason::Failing => Overall::Failing,
        Reason::Missing | Reason::PreviousBoot | Reason::Ended => Overall::NotRunning,
        _ => Overall::Stale,
    }
}

fn is_refused(found: &Findings) -> bool {
    found.answer.as_ref().is_err_and(|why| why == NO_LISTENER)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn without_a_heartbeat_an_answer_counts_only_from_the_unit_itself() {
        let said = json!({"status": "ok", "about": {"pid": 7, "environment": "staging"}});
        let unit = |pid: &str| Some(Unit::of(&format!("LoadState=loaded\nMainPID={pid}\n")));
        for (name, unit, wanted) in [
            ("katana-bot@staging", unit("7"), true),
            ("katana-bot@staging", unit("8"), false),
            ("katana-bot@staging", unit("0"), false),
            ("katana-bot@staging", None, true),
            ("katana-bot@testing", None, false),
            ("katana-bot", unit("8"), false),
            ("katana-bot", None, true),
        ] {
            let found = of_unit(said.clone(), name, unit.as_ref());
            assert_eq!(found.is_ok(), wanted, "{name}: {found:?}");
            assert!(found.is_ok() || found.is_err_and(|why| why.starts_with(ANOTHER)));
        }
    }
}
