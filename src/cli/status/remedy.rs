//! What to do about a daemon that does not run, or hangs. Findings have first steps of their own.

use std::path::Path;

use heartbeat::Manager;

use super::findings::{Findings, Overall};
use crate::cli::exit;
use crate::cli::unit::Unit;
use crate::config::Problem;

/// What to do where nothing is known of what starts it.
const BY_HAND: &str =
    "start it, as it was started before; `katana-bot run` does so in this terminal";

/// What to do, in this order; commands name the right unit.
pub(in crate::cli) fn remedies(found: &Findings) -> Vec<String> {
    let manager = manager(found);
    let is_managed = found.unit.is_some() || matches!(manager, Manager::Supervisor(_));
    let is_started_by_other = is_managed || manager == Manager::Container;
    let code = found.exit.as_ref().map(|exit| exit.exit_code);
    let own = |line: &String| heartbeat::advice_for(&found.unit_name, line);
    let mut lines: Vec<String> =
        found.config.iter().map(|p| own(&configuration(found, p))).collect();
    let steps = match found.overall {
        Overall::Stopped | Overall::NotRunning if !lines.is_empty() => Vec::new(),
        Overall::Stopped | Overall::NotRunning => {
            vec![match (not_running(found.unit.as_ref(), code), is_started_by_other) {
                (BY_HAND, true) => "`systemctl start katana-bot`".to_owned(),
                (step, _) => step.to_owned(),
            }]
        }
        Overall::Hangs => hangs(found, &manager, is_managed),
        Overall::Stale => vec!["`journalctl -u katana-bot -n 50` shows its last lines".to_owned()],
        _ => Vec::new(),
    };
    lines.extend(steps.iter().map(|line| manager.advise(&found.unit_name, line)));
    lines
}

/// What starts the bot.
pub(super) fn manager(found: &Findings) -> Manager {
    Manager::of(found.judgement.heartbeat.as_ref(), &found.path)
}

/// What to do about a configuration that was named.
fn configuration(found: &Findings, problem: &Problem) -> String {
    match found.unit_name.contains('@') {
        true if Path::new(&problem.key).is_absolute() && !Path::new(&problem.key).exists() => {
            "check the name; `sudo katana-bot setup` sets up a bot with this name".to_owned()
        }
        true => "`katana-bot check-config` names each mistake; fix them".to_owned(),
        false => problem.hint.clone(),
    }
}

/// For a unit that has ended by itself, whatever it does at this moment.
const WHY_AND_RESTART: &str =
    "`journalctl -u katana-bot -n 50` says why; then `systemctl restart katana-bot`";

/// `code`: the exit status, if it is known how the bot ended.
fn not_running(unit: Option<&Unit>, code: Option<Option<u8>>) -> &'static str {
    let of = |name| unit.map_or("", |unit| unit.get(name));
    match code {
        Some(Some(exit::CONFIG)) => {
            "fix it and check it with `katana-bot check-config`, then `systemctl restart katana-bot`"
        }
        Some(Some(exit::USAGE)) => {
            "correct `ExecStart=` in the drop-in that `systemctl cat katana-bot` names, then \
             `systemctl daemon-reload` and `systemctl restart katana-bot`"
        }
        Some(_) if unit.is_some() => WHY_AND_RESTART,
        _ if of("ActiveState") == "failed" || of("SubState") == "auto-restart" => WHY_AND_RESTART,
        Some(_) => "`journalctl -u katana-bot -n 50` has its last lines",
        None if unit.is_some_and(Unit::waits_for_token) => {
            "`sudo katana-bot setup` asks for the token, and starts the bot"
        }
        None if unit.is_some() && of("UnitFileState") == "disabled" => {
            "`systemctl enable --now katana-bot`"
        }
        None if unit.is_some() => "`systemctl start katana-bot`",
        None => BY_HAND,
    }
}

fn hangs(found: &Findings, manager: &Manager, is_managed: bool) -> Vec<String> {
    let pid = found.pid.unwrap_or_default();
    let restart = match is_managed {
        true => "`systemctl restart katana-bot`".to_owned(),
        false => format!("`kill -KILL {pid}`, and start it again"),
    };
    let log = match (&found.unit, manager) {
        (Some(_), Manager::Systemd) => "journalctl -u katana-bot -n 200; ",
        _ => "",
    };
    vec![
        format!(
            "for a report, first: `({log}head -n 99 /proc/{pid}/status /proc/{pid}/task/*/stat) \
             > katana-hang.txt`"
        ),
        format!("then {restart}"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disabled_bot_is_enabled_and_one_without_a_token_set_up() {
        for (tried, enabled, wanted) in [
            (
                "81000000",
                "enabled",
                "`sudo katana-bot setup` asks for the token, and starts the bot",
            ),
            ("0", "disabled", "`systemctl enable --now katana-bot`"),
            ("0", "enabled", "`systemctl start katana-bot`"),
        ] {
            let said = format!(
                "ActiveState=inactive\nConditionResult=no\nConditionTimestampMonotonic={tried}\n\
                 UnitFileState={enabled}\n"
            );
            assert_eq!(not_running(Some(&Unit::of(&said)), None), wanted, "{said}");
        }
    }
}
