//! What runs on this machine: the daemon's signs of life, its unit, time synchronisation.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use heartbeat::State;

use super::check::Check;
use crate::cli::status::{Findings, Overall};
use crate::cli::tool::{BOOTED, tool};
use crate::cli::unit::Unit;
use crate::cli::{endpoint, status};
use crate::config::Loaded;

/// The timer of the packaged checker.
const CHECKER: &str = "katana-bot-check.timer";

/// What runs the checker where an administrator prefers cron.
const CRON: &str = "/etc/cron.d/katana-bot-check";

/// The daemon by its heartbeat, its process and its endpoint: in the words of `katana-bot status`.
pub(super) async fn watching(loaded: &Loaded, unit: &str) -> Vec<Check> {
    let found = status::look(loaded, None, unit).await;
    let endpoint = match endpoint::address(loaded) {
        Some(listen) => listening(loaded, listen, &found),
        None => Check::skipped("endpoint", "off"),
    };
    vec![heartbeat(&found, unit), endpoint]
}

fn heartbeat(found: &Findings, unit: &str) -> Check {
    const NAME: &str = "heartbeat";
    let text = status::in_words(&found.path, &found.judgement);
    let remedies = status::remedies(found);
    match (found.overall, found.judgement.state) {
        (Overall::Hangs, _) => Check::bad(NAME, status::story(found), "").advised(remedies),
        (Overall::Stopped | Overall::NotRunning, _) if found.exit.is_some() => {
            Check::bad(NAME, text, "").advised(remedies)
        }
        (Overall::Stopped | Overall::NotRunning, _) => {
            Check::note(NAME, format!("{text}: the bot does not run"), "").advised(remedies)
        }
        (_, State::Ok) => Check::good(NAME, text),
        (_, state) => {
            let more = heartbeat::advice_for(unit, "`katana-bot status` says more");
            match state {
                State::Critical => {
                    let more = format!("{more}; so does /usr/share/doc/katana-bot/runbook.md");
                    Check::bad(NAME, text, more)
                }
                _ => Check::note(NAME, text, more),
            }
        }
    }
}

/// Whether the address is free, or ours.
fn listening(loaded: &Loaded, listen: SocketAddr, found: &Findings) -> Check {
    const NAME: &str = "endpoint";
    let bot = found.overall;
    let lives = matches!(bot, Overall::Ok | Overall::Degraded | Overall::Failing);
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
        Some(_) if found.is_another() => {
            let text = format!("another katana-bot answers on {listen}");
            Check::bad(NAME, text, "set web.listen to another port").config()
        }
        Some(health) => {
            let word = health["status"].as_str().unwrap_or("unknown");
            Check::good(NAME, format!("katana-bot answers on {listen}: {word}"))
        }
        None if matches!(bot, Overall::Hangs | Overall::Starting) => {
            let text = format!("{listen} is in use, and the bot does not answer there");
            Check::note(NAME, text, "see heartbeat")
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
    match Unit::ask(name).await {
        Ok(Some(unit)) => judged(name, &unit),
        Ok(None) => Check::skipped(NAME, "systemd does not run this machine"),
        Err(()) => Check::note(NAME, "systemd does not answer", "run `systemctl status` by hand"),
    }
}

/// What `systemctl show` says about the unit.
fn judged(unit: &str, said: &Unit) -> Check {
    const NAME: &str = "unit";
    let of = |name| said.get(name);
    if !said.is_installed() {
        let text = format!("there is no {unit}.service");
        return Check::note(
            NAME,
            text,
            "install the package, or see docs/by-hand.md in the sources",
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
        _ if said.waits_for_token() => {
            let lines = [
                "`sudo katana-bot setup` asks for the token, and starts the bot",
                "or store it yourself, as /usr/share/doc/katana-bot/install.md shows; then \
                 `systemctl enable --now katana-bot`",
            ];
            let lines = lines.map(|line| heartbeat::advice_for(unit, line));
            let text = format!("{text}; it waits for its token");
            Check::note(NAME, text, "").advised(lines.to_vec())
        }
        _ => Check::note(NAME, text, format!("`systemctl enable --now {unit}`")),
    }
}

/// Whether people are alerted: by the packaged timer of this bot's checker, or by cron.
pub(super) async fn checker(unit: &str) -> Option<Check> {
    const NAME: &str = "checker";
    if !Path::new(BOOTED).exists() || Path::new(CRON).exists() {
        return None;
    }
    let is_active = async |timer: &str| {
        let said = tool("systemctl", &["show", timer, "--property=LoadState,ActiveState"]).await?;
        let said = Unit::of(&said);
        said.is_installed().then(|| said.get("ActiveState") == "active")
    };
    let timer = heartbeat::advice_for(unit, &format!("`{CHECKER}`")).replace('`', "");
    if is_active(&timer).await? {
        return Some(Check::good(NAME, format!("{timer} checks each minute")));
    }
    if timer != CHECKER && is_active(CHECKER).await? {
        let text = format!("{timer} does not run; {CHECKER} may watch several bots");
        return Some(Check::skipped(NAME, text));
    }
    let text = format!("{timer} does not run: no one is alerted when the bot fails");
    Some(Check::note(NAME, text, format!("`systemctl enable --now {timer}`")))
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
            judged("katana-bot", &Unit::of(&text)).mark
        };
        assert_eq!(said("active", "running", "enabled"), Mark::Good);
        assert_eq!(said("active", "running", "disabled"), Mark::Note);
        assert_eq!(said("inactive", "dead", "enabled"), Mark::Note);
        assert_eq!(said("failed", "failed", "enabled"), Mark::Bad);
        assert_eq!(said("activating", "auto-restart", "enabled"), Mark::Bad);
        assert_eq!(judged("katana-bot", &Unit::of("LoadState=not-found\n")).mark, Mark::Note);
    }

    #[test]
    fn a_unit_that_waits_for_its_token_is_set_up() {
        let said = "LoadState=loaded\nUnitFileState=enabled\nActiveState=inactive\nSubState=dead\n\
                    ConditionResult=no\nConditionTimestampMonotonic=";
        let advice = |unit, tried| judged(unit, &Unit::of(&format!("{said}{tried}\n"))).advice;
        assert!(advice("katana-bot", "7")[0].contains("`sudo katana-bot setup`"));
        let of_staging = advice("katana-bot@staging", "7");
        assert!(of_staging[0].contains("`sudo katana-bot --instance staging setup`"));
        assert!(of_staging[1].contains("`systemctl enable --now katana-bot@staging`"));
        assert_eq!(advice("katana-bot", "0"), ["`systemctl enable --now katana-bot`"]);
    }
}
