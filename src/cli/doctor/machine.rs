//! What runs on this machine: the daemon's signs of life, its unit, time synchronisation.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use heartbeat::{Judgement, Reason, State};

use super::check::Check;
use crate::cli::{endpoint, status};
use crate::config::Loaded;

/// Longest time for a question to systemd: its bus can hang.
const TOOL: Duration = Duration::from_secs(5);

/// Exists if systemd runs the machine (sd_booted(3)).
pub(in crate::cli) const BOOTED: &str = "/run/systemd/system";

/// Heartbeat and endpoint.
pub(super) fn watching(loaded: &Loaded) -> Vec<Check> {
    let path = status::heartbeat_file(loaded);
    let judgement = status::judged(&path);
    let endpoint = match endpoint::address(loaded) {
        Some(listen) => listening(loaded, listen, is_alive(&judgement)),
        None => Check::good("endpoint", "off"),
    };
    vec![heartbeat(&judgement, &path), endpoint]
}

fn is_alive(judgement: &Judgement) -> bool {
    matches!(judgement.reason, Reason::Fresh | Reason::Degraded | Reason::Failing)
}

fn heartbeat(judgement: &Judgement, path: &Path) -> Check {
    const NAME: &str = "heartbeat";
    let text = status::in_words(path, judgement);
    match (judgement.reason, judgement.state) {
        (Reason::Missing | Reason::Stopped | Reason::StoppedLong | Reason::PreviousBoot, _) => {
            Check::note(NAME, format!("{text}: the bot does not run"), "start the bot")
        }
        (_, State::Ok) => Check::good(NAME, text),
        (_, State::Warning) => Check::note(NAME, text, "`katana-bot status` says more"),
        (_, State::Critical) => {
            let advice =
                "`katana-bot status` says more; so does /usr/share/doc/katana-bot/runbook.md";
            Check::bad(NAME, text, advice)
        }
    }
}

/// Whether the address is free, or ours.
fn listening(loaded: &Loaded, listen: SocketAddr, lives: bool) -> Check {
    const NAME: &str = "endpoint";
    let error = match TcpListener::bind(listen) {
        Ok(_) if lives => {
            let text = format!("the bot runs, but does not listen on {listen}");
            return Check::note(NAME, text, "restart it; it may run with another configuration");
        }
        Ok(_) => return Check::good(NAME, format!("{listen} is free")),
        Err(error) => error,
    };
    if error.kind() != std::io::ErrorKind::AddrInUse {
        let text = format!("cannot listen on {listen}: {}", error.kind());
        return Check::bad(NAME, text, "set web.listen to an address of this machine").config();
    }
    let health = endpoint::get(listen, "/health", None).ok().and_then(|answer| answer.json);
    match health.filter(|health| health["checks"]["telegram"].is_array()) {
        Some(health) => {
            let word = health["status"].as_str().unwrap_or("unknown");
            Check::good(NAME, format!("katana-bot answers on {listen}: {word}"))
        }
        None => {
            let text = format!("another program has {listen}");
            if loaded.origins.get("web.listen") == Some(&crate::config::Origin::Default) {
                let text = format!("{text}; the bot runs without its endpoint");
                return Check::note(NAME, text, "set web.listen to another port, or to off");
            }
            Check::bad(NAME, text, "stop it, or set web.listen to another port").config()
        }
    }
}

/// The unit, where systemd runs the machine; `name` is without `.service`.
pub(super) async fn unit(name: &str) -> Check {
    const NAME: &str = "unit";
    if !Path::new(BOOTED).exists() {
        return Check::good(NAME, "systemd does not run this machine");
    }
    let wanted = "--property=LoadState,UnitFileState,ActiveState,SubState,NRestarts";
    let Some(said) = tool("systemctl", &["show", &format!("{name}.service"), wanted]).await else {
        return Check::note(NAME, "systemd does not answer", "run `systemctl status` by hand");
    };
    judged(name, &said)
}

/// What `systemctl show` says about the unit.
fn judged(unit: &str, said: &str) -> Check {
    const NAME: &str = "unit";
    let said: BTreeMap<&str, &str> = said.lines().filter_map(|l| l.split_once('=')).collect();
    let of = |name| said.get(name).copied().unwrap_or_default();
    if of("LoadState") != "loaded" {
        let text = format!("there is no {unit}.service");
        return Check::note(
            NAME,
            text,
            "install the package, or see docs/operations.md in the sources",
        );
    }
    let (active, sub, enabled) = (of("ActiveState"), of("SubState"), of("UnitFileState"));
    let restarts = match of("NRestarts") {
        "" | "0" => String::new(),
        n => format!(", restarted {n} times by systemd"),
    };
    let text = format!("{unit}.service is {active} ({sub}), {enabled}{restarts}");
    match active {
        "failed" => Check::bad(NAME, text, format!("`journalctl -u {unit} -n 50` says why")),
        "activating" if sub.contains("restart") => {
            Check::bad(NAME, text, format!("`journalctl -u {unit} -n 50` says why it exits"))
        }
        "active" | "activating" | "reloading" if enabled.starts_with("enabled") => {
            Check::good(NAME, text)
        }
        "active" | "activating" | "reloading" => Check::note(
            NAME,
            text,
            format!(
                "`systemctl enable {unit}`; otherwise it does not \
            start after a reboot"
            ),
        ),
        _ => Check::note(NAME, text, format!("`systemctl enable --now {unit}`")),
    }
}

/// Whether the clock is synchronised; `None` if that is unknown.
pub(super) async fn is_time_kept() -> Option<bool> {
    if !Path::new(BOOTED).exists() {
        return None;
    }
    let said = tool("timedatectl", &["show", "--property=NTPSynchronized", "--value"]).await?;
    match said.trim() {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}

/// Standard output of a program that succeeded in time.
pub(in crate::cli) async fn tool(program: &str, arguments: &[&str]) -> Option<String> {
    within(TOOL, program, arguments).await
}

/// The same with its own timeout: a command takes longer than a query.
pub(in crate::cli) async fn within(
    limit: Duration,
    program: &str,
    arguments: &[&str],
) -> Option<String> {
    let mut command = tokio::process::Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(limit, command.output()).await.ok()?.ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::style::Mark;

    #[test]
    fn a_unit_is_judged_by_what_systemd_says() {
        let said = |active: &str, sub: &str, enabled: &str| {
            let text = format!(
                "LoadState=loaded\nUnitFileState={enabled}\nActiveState={active}\nSubState={sub}\n\
                 NRestarts=2\n"
            );
            judged("katana-bot", &text).mark
        };
        assert_eq!(said("active", "running", "enabled"), Mark::Good);
        assert_eq!(said("active", "running", "disabled"), Mark::Note);
        assert_eq!(said("inactive", "dead", "enabled"), Mark::Note);
        assert_eq!(said("failed", "failed", "enabled"), Mark::Bad);
        assert_eq!(said("activating", "auto-restart", "enabled"), Mark::Bad);
        assert_eq!(judged("katana-bot", "LoadState=not-found\n").mark, Mark::Note);
    }
}
