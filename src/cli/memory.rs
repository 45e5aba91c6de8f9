//! Whether systemd's limit on memory leaves room for the bot's own.
//!
//! At `watch.rss_stop_mb` the bot finishes its work and exits. At `MemoryMax=` of its unit the kernel kills
//! it, so that one must be the higher.

use std::path::Path;

use super::tool::{BOOTED, tool};
use crate::config::{Config, Problem};

/// `MemoryMax=` of the packaged units, for a machine whose systemd cannot be asked, in MiB.
const PACKAGED_MB: u64 = 1024;

/// Warns if the unit `name` (without `.service`) has a limit that is not above the bot's.
pub(super) async fn warning(config: &Config, name: &str) -> Option<Problem> {
    let unit = format!("{name}.service");
    let said = match Path::new(BOOTED).exists() {
        true => tool("systemctl", &["show", &unit, "--property=LoadState,MemoryMax"]).await,
        false => None,
    };
    let (limit_mb, whose) = match said {
        Some(said) => (of_unit(&said)?, "its unit"),
        None => (PACKAGED_MB, "the packaged unit"),
    };
    judged(config.watch.rss_stop_mb, limit_mb, whose)
}

/// The limit of a unit in MiB by `systemctl show`, with its drop-ins; `None` if it has none.
fn of_unit(said: &str) -> Option<u64> {
    let of = |key| said.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    let bytes: u64 = of("MemoryMax")?.parse().ok()?;
    (of("LoadState") == Some("loaded") && bytes < u64::MAX).then_some(bytes >> 20)
}

fn judged(stop_mb: u64, limit_mb: u64, whose: &str) -> Option<Problem> {
    // 0 is a decision: this machine, or the unit alone, limits the bot.
    (stop_mb > 0 && stop_mb >= limit_mb).then(|| {
        let message = format!(
            "the kernel kills the bot at {limit_mb} MiB (MemoryMax= of {whose}) before it can \
             finish its work at {stop_mb} MiB"
        );
        let hint = format!(
            "write less than {limit_mb}, or raise MemoryMax= in a drop-in (systemctl edit)"
        );
        Problem::new("watch.rss_stop_mb", message, hint)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bots_limit_must_stay_below_the_units() {
        for (said, limit) in [
            ("LoadState=loaded\nMemoryMax=1073741824\n", Some(1024)),
            ("MemoryMax=1073741824\nLoadState=loaded\n", Some(1024)),
            ("LoadState=loaded\nMemoryMax=infinity\n", None),
            ("LoadState=loaded\nMemoryMax=18446744073709551615\n", None),
            ("LoadState=not-found\nMemoryMax=1073741824\n", None),
            ("LoadState=loaded\n", None),
        ] {
            assert_eq!(of_unit(said), limit, "{said}");
        }
        for (stop, limit, warned) in
            [(512, 1024, false), (1023, 1024, false), (1024, 1024, true), (0, 1024, false)]
        {
            assert_eq!(judged(stop, limit, "its unit").is_some(), warned, "{stop} of {limit}");
        }
    }

    #[test]
    fn the_limit_of_the_package_is_known() {
        for unit in [
            include_str!("../../packaging/systemd/katana-bot.service"),
            include_str!("../../packaging/systemd/katana-bot@.service"),
        ] {
            assert!(unit.contains(&format!("\nMemoryMax={}G\n", PACKAGED_MB >> 10)));
            assert!(unit.contains("\nMemorySwapMax=0\n"));
        }
    }
}
