//! `katana-bot status`: how the daemon is, from its heartbeat file and its HTTP endpoint.
//!
//! Needs no token and no valid configuration, because people run it when something is wrong.
//! Invariant: the heartbeat decides whether the daemon runs; the endpoint is newer and has more
//! details, but counts only if its process is the one that the heartbeat names.

mod findings;
mod words;

pub(super) use self::findings::in_words;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use heartbeat::{Heartbeat, Judgement, LastExit, Now, Reason, State, Verdict};
use serde_json::Value;

use self::findings::{Findings, Overall};
use super::endpoint;
use super::style::{Mark, Style, say};
use crate::config::{Config, Loaded};
use crate::observe::finding::Status;
use crate::supervise::Phase;

/// If a process is gone and its heartbeat is older than this, it is not just being replaced.
const GONE_AFTER_MS: u64 = 15_000;

/// The text for an endpoint without a listener.
const NO_LISTENER: &str = "nothing listens there";

/// Exit status if people are not served, or if that is unknown.
const BAD: u8 = 1;

/// Runs the command.
pub(super) fn status(config: Option<PathBuf>, file: Option<PathBuf>, json: bool) -> ExitCode {
    let loaded = Config::examine(&endpoint::sources(config)).loaded;
    let found = look(&loaded, file);
    if json {
        say(&format!("{}\n", found.json()));
    } else {
        say(&words::page(&found, Style::of(&std::io::stdout())));
    }
    match found.overall.mark() {
        Mark::Bad => ExitCode::from(BAD),
        _ => ExitCode::SUCCESS,
    }
}

/// Where the daemon of this configuration writes its heartbeat.
pub(super) fn heartbeat_file(loaded: &Loaded) -> PathBuf {
    loaded.config.watch.heartbeat_path.clone()
}

/// Reads and judges a heartbeat, as `check-heartbeat` does by default.
pub(super) fn judged(path: &Path) -> Judgement {
    let threshold = Duration::from_secs(heartbeat::DEFAULT_THRESHOLD_S);
    let (read, now) = (heartbeat::read(path), Now::read());
    let judged = heartbeat::judge(read.as_deref(), &now, threshold);
    judged.with_exit(LastExit::read(path).as_ref(), &now)
}

fn look(loaded: &Loaded, file: Option<PathBuf>) -> Findings {
    let path = file.unwrap_or_else(|| heartbeat_file(loaded));
    let judgement = judged(&path);
    let listen = endpoint::address(loaded);
    let pid = judgement.heartbeat.as_ref().map(|beat| beat.pid);
    let answer = match listen {
        Some(listen) => ask(listen, loaded, pid),
        None => Err("the endpoint is off".to_owned()),
    };
    let overall = overall(&judgement, &answer);
    let endpoint = listen.map(|listen| format!("http://{}", endpoint::reachable(listen)));
    let exit = LastExit::read(&path).filter(|_| judgement.reason == Reason::Ended);
    Findings { path, judgement, exit, endpoint, answer, overall }
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
        std::io::ErrorKind::TimedOut | std::io::ErrorKind::WouldBlock => {
            "it does not answer in time".to_owned()
        }
        _ => e.to_string(),
    })?;
    let said = match answer.code {
        200 => answer.json.filter(|said| said["status"].is_string()),
        401 | 403 => return Err("it requires the admin token for this".to_owned()),
        code => return Err(format!("it answers {code}")),
    };
    let said = said.ok_or("something else answers there")?;
    match (pid, said["about"]["pid"].as_u64()) {
        (Some(mine), Some(other)) if u64::from(mine) != other => {
            Err(format!("another katana-bot answers there (process {other})"))
        }
        _ => Ok(said),
    }
}

/// What `/bot/status` calls it; a status that this version does not know is taken for the worst.
fn by_verdict(status: &Value) -> Overall {
    match status.as_str().and_then(Status::named).unwrap_or(Status::Failing) {
        Status::Ok => Overall::Ok,
        Status::Degraded => Overall::Degraded,
        Status::Failing => Overall::Failing,
    }
}

fn overall(judgement: &Judgement, answer: &Result<Value, String>) -> Overall {
    if let Ok(said) = answer {
        if said["report"]["stale"] == true {
            return Overall::Stale;
        }
        // Its heartbeat may be missing or old; people are alerted then, so this must say it too.
        return match (by_verdict(&said["status"]), judgement.reason) {
            (_, Reason::Stale) => Overall::Stale,
            (Overall::Ok, _) if judgement.state == State::Critical => Overall::Degraded,
            (verdict, _) if said["phase"] == Phase::Starting.name() => verdict.max_starting(),
            (verdict, _) => verdict,
        };
    }
    let refused = answer.as_ref().is_err_and(|why| why == NO_LISTENER);
    match (judgement.reason, &judgement.heartbeat) {
        (Reason::Stopped | Reason::StoppedLong, _) => Overall::Stopped,
        (_, Some(beat)) if is_gone(beat, judgement, refused) => Overall::NotRunning,
        (Reason::Starting, _) => Overall::Starting,
        (Reason::Fresh, _) => Overall::Ok,
        (Reason::Degraded, _) => Overall::Degraded,
        (Reason::Failing, _) => Overall::Failing,
        (Reason::Missing | Reason::PreviousBoot | Reason::Ended, _) => Overall::NotRunning,
        _ => Overall::Stale,
    }
}

/// Whether the process that wrote the heartbeat is gone: it is not in the process list, and its endpoint
/// is `refused`, or its heartbeat is old. Only reported if process 1 is visible, because a mount option
/// can hide the processes of others (proc(5), `hidepid`).
fn is_gone(beat: &Heartbeat, judgement: &Judgement, refused: bool) -> bool {
    let exists = |pid: u32| Path::new("/proc").join(pid.to_string()).exists();
    let old = refused || judgement.age_ms.is_none_or(|age| age > GONE_AFTER_MS);
    old && beat.verdict != Verdict::Stopped && exists(1) && !exists(beat.pid)
}
