//! The state file and the disk under it.

use std::path::Path;

use hygiene::ownership::is_open_to_all;

use super::check::Check;
use crate::app::thresholds;
use crate::config::Config;
use crate::model::failure::chain;
use crate::observe::clock::Clock;
use crate::observe::finding::Kind;
use crate::store::{Inspection, OlderCopy, file};
use crate::supervise::{self, Machine, System, span};

/// Larger files are not checked completely, because that would take too long.
const CHECK_BYTES: u64 = 512 * 1024 * 1024;

/// The file, who can read it, and the free space.
pub(super) fn checks(path: &Path, disk_ratio: f64) -> Vec<Check> {
    let mut checks = vec![file(path)];
    if is_open_to_all(path) {
        let text = "everyone on this machine can read the conversations in it";
        let advice = format!("`chmod 600 {}*`", path.display());
        checks.push(Check::bad("state file", text, advice).config());
    }
    checks.extend(file::older_copies(path).iter().map(older_copy));
    checks.extend(disk(path, disk_ratio));
    checks
}

/// The backups that rotate.
pub(super) fn backups(config: &Config, unit: &str) -> Option<Check> {
    const NAME: &str = "backups";
    let now_ms = Clock::system().now_ms();
    let (state, dir) = (&config.store.path, &config.backup.dir);
    let found = file::backups(state, dir, now_ms)?;
    let advice = |line| heartbeat::advice_for(unit, line);
    if let Some(missing) = supervise::missing_backup(&found, now_ms, &thresholds(config)) {
        let first_step = advice(Kind::BackupMissing.facts().first_step);
        return Some(Check::note(NAME, missing, first_step));
    }
    let shown = dir.display();
    Some(match found.newest_ms {
        Some(at_ms) => {
            let age = span(u64::try_from(now_ms - at_ms).unwrap_or(0));
            Check::good(NAME, format!("{} in {shown}, the newest is {age} old", found.count))
        }
        None => {
            let each_night = "`systemctl enable --now katana-bot-backup.timer`";
            let text = format!("none in {shown}; each night by {}", advice(each_night));
            Check::skipped(NAME, text)
        }
    })
}

/// What was forgotten since is still in it.
fn older_copy(copy: &OlderCopy) -> Check {
    let shown = copy.path.display();
    match copy.until_ms.and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok()) {
        Some(at) => {
            let day = at.strftime("%Y-%m-%d");
            Check::good(
                "older copy",
                format!("{shown} stays until {day}; /forget does not reach it"),
            )
        }
        None => {
            let text = format!("{shown} stays; what people have forgotten since is still in it");
            Check::note("older copy", text, format!("when you no longer need it: `rm {shown}*`"))
        }
    }
}

fn file(path: &Path) -> Check {
    const NAME: &str = "state file";
    let shown = path.display();
    if !path.exists() {
        return Check::skipped(
            NAME,
            format!("{shown} does not exist yet; the first run creates it"),
        );
    }
    match file::inspect(path, CHECK_BYTES) {
        Ok(found) => judged(path, &found),
        Err(e) => {
            let text = format!("{shown}: {}", chain(&e));
            Check::bad(NAME, text, e.hint())
        }
    }
}

fn judged(path: &Path, found: &Inspection) -> Check {
    const NAME: &str = "state file";
    let shown = path.display();
    if let Some(damage) = &found.damage {
        let advice = "stop the bot, check the disk, restore a backup: store_corrupt in \
                      /usr/share/doc/katana-bot/runbook.md";
        return Check::bad(NAME, format!("{shown} is damaged: {damage}"), advice);
    }
    let (version, known) = (found.schema, file::newest_schema());
    if !found.can_work {
        let text = format!("{shown} was written by a newer version (schema {version} of {known})");
        let advice = "install that version, or restore a backup made before the upgrade";
        return Check::bad(NAME, text, advice).config();
    }
    let size = match found.bytes {
        n if n < 10 * 1024 * 1024 => format!("{} KiB", n / 1024),
        n => format!("{} MiB", n / (1024 * 1024)),
    };
    let whole = if found.is_checked { "intact" } else { "too large to be checked here" };
    let schema = match version {
        v if v < known => format!("schema {v}, the next start migrates it to {known}"),
        v if v > known => format!("schema {v} of a newer version, which this one can work on"),
        v => format!("schema {v}"),
    };
    let text = format!("{shown}: {size}, {whole}, {schema}");
    if found.is_checked { Check::good(NAME, text) } else { Check::skipped(NAME, text) }
}

/// Free space where the state is, or will be.
fn disk(path: &Path, ratio: f64) -> Option<Check> {
    const NAME: &str = "disk";
    let folder = path.ancestors().skip(1).find(|folder| folder.is_dir())?;
    let mut system = System::default();
    Machine::new().disk(&mut system, folder);
    if system.disk_total_bytes == 0 {
        return None;
    }
    let used = 1.0 - system.disk_free_bytes as f64 / system.disk_total_bytes as f64;
    let gib = system.disk_free_bytes as f64 / (1024.0 * 1024.0 * 1024.0);
    let text = format!("{:.0} % full, {gib:.1} GiB free", used * 100.0);
    let full = used >= ratio;
    Some(match full {
        true if gib < 0.1 => Check::bad(
            NAME,
            text,
            "free some space: without it the bot accepts \
        nothing",
        ),
        true => Check::note(NAME, text, "free some space before it is full"),
        false => Check::good(NAME, text),
    })
}
