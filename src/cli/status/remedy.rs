//! What to do about a daemon that does not run, or hangs. Findings have first steps of their own.

use super::findings::{Findings, Overall};
use crate::cli::exit;

/// What to do, in this order; commands name the right unit.
pub(in crate::cli) fn remedies(found: &Findings) -> Vec<String> {
    let lines = match found.overall {
        Overall::Stopped | Overall::NotRunning => not_running(found),
        Overall::Hangs => hangs(found),
        Overall::Stale => vec!["`journalctl -u katana-bot -n 50` shows its last lines".to_owned()],
        _ => Vec::new(),
    };
    lines.iter().map(|line| heartbeat::advice_for(&found.unit_name, line)).collect()
}

fn not_running(found: &Findings) -> Vec<String> {
    let unit = found.unit.as_ref();
    let of = |name| unit.map_or("", |unit| unit.get(name));
    let line = match found.exit.as_ref().map(|exit| exit.exit_code) {
        Some(Some(exit::CONFIG)) => {
            "fix it and check it with `katana-bot check-config`, then `systemctl restart katana-bot`"
        }
        Some(Some(exit::USAGE)) => {
            "fix ExecStart (`systemctl cat katana-bot`), then `systemctl daemon-reload` and \
             `systemctl restart katana-bot`"
        }
        _ if of("ActiveState") == "failed" || of("SubState") == "auto-restart" => {
            "`journalctl -u katana-bot -n 50` says why; then `systemctl restart katana-bot`"
        }
        Some(_) => "`journalctl -u katana-bot -n 50` has its last lines",
        None if of("ConditionResult") == "no" && of("ActiveState") == "inactive" => {
            "`sudo katana-bot setup` asks for the token, and starts the bot"
        }
        None if unit.is_some() && of("UnitFileState") == "disabled" => {
            "`systemctl enable --now katana-bot`"
        }
        None if unit.is_some() => "`systemctl start katana-bot`",
        None => "start it, as it was started before; `katana-bot run` does so in this terminal",
    };
    vec![line.to_owned()]
}

fn hangs(found: &Findings) -> Vec<String> {
    let pid = found.pid.unwrap_or_default();
    let restart = match found.unit {
        Some(_) => "`systemctl restart katana-bot`".to_owned(),
        None => format!("`kill -KILL {pid}`, and start it again"),
    };
    let log = match found.unit {
        Some(_) => "journalctl -u katana-bot -n 200; ",
        None => "",
    };
    vec![
        format!(
            "for a report, first: `({log}head -n 99 /proc/{pid}/status /proc/{pid}/task/*/stat) \
             > katana-hang.txt`"
        ),
        format!("then {restart}"),
    ]
}
