//! What an alert says beside what was found: who feels it, whether the process still runs, what to do
//! first, and where to read on.

use std::path::Path;

use heartbeat::{Finding, Heartbeat, LastExit, Manager, Reason, Severity};
use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

use crate::watch::Checked;

/// Where the package puts the runbook; its headings are findings and reasons.
const RUNBOOK: &str = "/usr/share/doc/katana-bot/runbook.md";

/// What an outage means for people.
const NO_ANSWERS: &str = "no one gets answers; messages wait at Telegram for 24 hours, and are answered \
                          after the start";
/// What it means that there is nothing to judge.
const UNKNOWN: &str = "not known: the bot may work, but its heartbeat does not say so";

/// What it means that another machine gives no answer, or none that can be understood.
const ELSEWHERE: &str = "not known from here: people may be served all the same";

/// Impact, first step and where to read on for what was found about Katana: about a `finding`, or about the
/// program as a whole.
pub fn lines(checked: &Checked, finding: Option<&Finding>) -> Vec<String> {
    let (file, judgement) = (&checked.watch.file, &checked.judgement);
    if checked.watch.url.is_some() {
        return elsewhere(judgement.reason, finding);
    }
    let unit = unit(file);
    // Only Katana's own heartbeat, or its place, says that this is Katana.
    let is_named = crate::watch::Watch::name_for(file).starts_with("katana-bot");
    if judgement.heartbeat.is_none() && !is_named {
        return Vec::new();
    }
    let unit = unit.unwrap_or("katana-bot");
    let alive = judgement.heartbeat.as_ref().and_then(|beat| is_alive(beat, file));
    let (topic, impact, first) = match finding {
        Some(finding) => {
            (finding.name.as_str(), finding.impact.clone(), finding.first_step.clone())
        }
        None => (judgement.reason.word(), impact(judgement.reason), first_step(checked, alive)),
    };
    let mut lines = Vec::new();
    if !impact.is_empty() {
        lines.push(format!("Impact: {impact}"));
    }
    if let Some((beat, alive)) = judgement.heartbeat.as_ref().zip(alive) {
        let state = match (alive, judgement.reason) {
            (false, _) => "no longer runs",
            (true, Reason::Stale) => "still runs, but hangs or cannot write its heartbeat",
            (true, _) => "runs",
        };
        lines.push(format!("Process: {} {state}", beat.pid));
    }
    let look = "`katana-bot status`".to_owned();
    let manager = Manager::of(judgement.heartbeat.as_ref(), file);
    let first = if first.is_empty() { &look } else { &first };
    lines.push(format!("Do: {}", manager.advise(unit, first)));
    lines.push(runbook(topic));
    lines
}

/// The same for a bot on another machine: nothing that is done here helps it.
fn elsewhere(reason: Reason, finding: Option<&Finding>) -> Vec<String> {
    let look = "on the bot's machine: `katana-bot status`";
    let (impact, first) = match reason {
        Reason::Unreachable | Reason::Garbled => {
            let first =
                format!("look from both sides: ask the address from here with `curl`; {look}");
            (ELSEWHERE.to_owned(), first)
        }
        Reason::Failing => (NO_ANSWERS.to_owned(), look.to_owned()),
        reason => (impact(reason), look.to_owned()),
    };
    let topic = finding.map_or(reason.word(), |finding| finding.name.as_str());
    vec![format!("Impact: {impact}"), format!("Do: {first}"), runbook(topic)]
}

fn runbook(topic: &str) -> String {
    let page = if Path::new(RUNBOOK).exists() { RUNBOOK } else { "docs/runbook.md" };
    format!("Runbook: {page}#{topic}")
}

/// The finding that a failing program names first, the worst.
pub fn worst<'a>(findings: &[&'a Finding]) -> Option<&'a Finding> {
    findings.iter().copied().find(|finding| finding.severity == Severity::Failing)
}

fn impact(reason: Reason) -> String {
    let words = match reason {
        Reason::Empty | Reason::Garbled | Reason::Unreadable | Reason::Future => UNKNOWN,
        Reason::Degraded => "people are served, but badly",
        _ => NO_ANSWERS,
    };
    words.to_owned()
}

fn first_step(checked: &Checked, alive: Option<bool>) -> String {
    let restart = "`systemctl restart --no-block katana-bot`";
    // About a signal there is nothing at the priority "err".
    let ended = "`journalctl -u katana-bot -p notice -n 30` says why it ended";
    match checked.judgement.reason {
        Reason::Missing | Reason::StoppedLong => "`systemctl start --no-block katana-bot`".into(),
        Reason::PreviousBoot => "`systemctl enable --now --no-block katana-bot`".into(),
        Reason::Empty | Reason::Garbled => {
            format!("see what else writes the file, and `df -h /run`; then {restart}")
        }
        Reason::Unreadable => "let the user of the check read the file and its folders".into(),
        Reason::Future => "set the clock right: `timedatectl`".into(),
        Reason::Stale if alive == Some(true) => {
            format!("keep `journalctl -u katana-bot -n 200` for a report; then {restart}")
        }
        Reason::Stale => format!("{ended}; then {restart}"),
        // Any other end is followed by a start.
        Reason::Ended if !checked.exit.as_ref().is_some_and(LastExit::is_final) => {
            format!("{ended}; if it is not back in a minute: {restart}")
        }
        Reason::Ended if checked.exit.as_ref().is_some_and(LastExit::is_misuse) => {
            format!(
                "correct `ExecStart=` in the drop-in that `systemctl cat katana-bot` names; then `systemctl daemon-reload`, then {restart}"
            )
        }
        Reason::Failing | Reason::Degraded => String::new(),
        _ => format!("fix what it names; then `katana-bot check-config`, then {restart}"),
    }
}

/// The unit whose heartbeat lies there: `/run/katana-bot@staging/heartbeat`.
pub fn unit(file: &Path) -> Option<&str> {
    let (folder, name) = (file.parent()?, file.file_name()?);
    let unit = folder.strip_prefix("/run").ok()?.to_str()?;
    let ours = unit == "katana-bot" || unit.starts_with("katana-bot@");
    (ours && name == "heartbeat" && !unit.contains('/')).then_some(unit)
}

/// Whether the process that wrote the heartbeat is there; `None` where that cannot be seen. The packaged
/// check sees no processes of others, but the kernel still says whether one may be signalled.
fn is_alive(beat: &Heartbeat, file: &Path) -> Option<bool> {
    let number = i32::try_from(beat.pid).ok().filter(|pid| *pid > 2)?;
    if let Ok(name) = std::fs::read_to_string(format!("/proc/{number}/comm")) {
        return Some(name.trim() == "katana-bot");
    }
    // In a container beside the bot's, its number means another process, or none.
    if unit(file).is_none() || !Path::new("/run/systemd/system").exists() {
        return None;
    }
    Some(test_kill_process(Pid::from_raw(number)?) != Err(Errno::SRCH))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_known_by_the_place_of_its_heartbeat() {
        let unit = |path: &str| unit(Path::new(path)).map(str::to_owned);
        assert_eq!(unit("/run/katana-bot/heartbeat").as_deref(), Some("katana-bot"));
        let staging = unit("/run/katana-bot@staging/heartbeat");
        assert_eq!(staging.as_deref(), Some("katana-bot@staging"));
        for other in ["/run/katana-bot/beat", "/run/other/heartbeat", "/run/katana-bot/a/heartbeat"]
        {
            assert_eq!(unit(other), None, "{other}");
        }
    }
}
