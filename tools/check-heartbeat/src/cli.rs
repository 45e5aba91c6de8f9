//! The command line of `check-heartbeat`.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

use clap::{CommandFactory, Parser, Subcommand};

const AFTER: &str = "\
Exit status: 0 ok, or a warning; 1 critical (with --warn-exit also a warning); 64 wrong arguments;
77 only for root; 78 not critical, but the configuration has a mistake. With --nagios: 0, 1, 2, and 3 for
mistakes.

Without a configuration file, TELEGRAM_ALERT_BOT_TOKEN and TELEGRAM_ALERT_CHAT_ID in the
environment are enough to get alerts.";

/// What was asked for. The descriptions are those of `--help` and the man page.
#[derive(Debug, Clone, Default, Parser)]
#[command(name = "check-heartbeat", version, after_help = AFTER)]
#[command(about = "Check heartbeat files, and alert people once when one is not good")]
pub struct Args {
    /// The heartbeat file to check [default: those of the configuration, else /run/katana-bot/heartbeat]
    #[arg(long, value_name = "PATH")]
    pub file: Option<PathBuf>,
    /// Oldest heartbeat that is fresh, in seconds or like 2m [default: 120]
    #[arg(long, short = 'c', visible_alias = "critical", value_name = "TIME", value_parser = time)]
    pub threshold: Option<Duration>,
    /// Age from which a fresh heartbeat is a warning [default: none]
    #[arg(long, short, value_name = "TIME", value_parser = time)]
    pub warning: Option<Duration>,
    /// Judge when the file was last changed, not what is in it
    #[arg(long)]
    pub mtime: bool,
    /// Ask the /health of a bot on another machine, in place of a file
    #[arg(long, value_name = "URL", conflicts_with_all = ["file", "instance", "mtime"])]
    pub url: Option<String>,
    /// Check one of several bots: its heartbeat, its incidents, its unit's user and secrets
    #[arg(long, value_name = "NAME", value_parser = instance, global = true)]
    pub instance: Option<String>,
    /// Repeat the check at this interval until SIGTERM; for containers without cron
    #[arg(long, value_name = "TIME", value_parser = interval)]
    pub every: Option<Duration>,
    /// The configuration [default: /etc/katana-bot/check-heartbeat.toml, if it exists]
    #[arg(long, value_name = "PATH", global = true)]
    pub config: Option<PathBuf>,
    /// Where incidents are remembered [default: $STATE_DIRECTORY, else /var/lib/katana-check for root and its owner, else ~/.local/state/check-heartbeat]
    #[arg(long, value_name = "DIR", global = true)]
    pub state_dir: Option<PathBuf>,
    /// Check and print only: send nothing, remember nothing, fetch no ping_url
    #[arg(long)]
    pub no_alert: bool,
    /// Send a test through every channel, and print each answer
    #[arg(long, conflicts_with = "no_alert")]
    pub test_alert: bool,
    /// Output and exit status of a Nagios plugin
    #[arg(long)]
    pub nagios: bool,
    /// Print nothing unless something is critical and no channel has accepted it
    #[arg(long, short)]
    pub quiet: bool,
    /// Exit with 1 also when the worst is a warning
    #[arg(long)]
    pub warn_exit: bool,
    /// Print one JSON object with everything that was found and done
    #[arg(long, conflicts_with = "nagios")]
    pub json: bool,
    /// Also print what was sent to which channel
    #[arg(long, short, conflicts_with = "quiet")]
    pub verbose: bool,
    #[command(subcommand)]
    pub action: Option<Action>,
}

/// What root and the checker's user may do about incidents.
#[derive(Debug, Clone, Subcommand)]
pub enum Action {
    /// Send no alert about what goes on, or about the first cause that comes, for some time
    Silence {
        /// For how long, such as 2h
        #[arg(value_name = "TIME", value_parser = time, required_unless_present_any = ["until", "end"])]
        time: Option<Duration>,
        /// Until when, such as 18:30 or "2026-11-21 18:30"
        #[arg(long, value_name = "WHEN", conflicts_with = "time")]
        until: Option<String>,
        /// Shown in alerts and by status
        #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
        reason: String,
        /// Hold back second causes as well
        #[arg(long)]
        everything: bool,
        /// End the silence now
        #[arg(long, conflicts_with_all = ["time", "until", "everything"])]
        end: bool,
    },
    /// Send no reminders about what goes on now
    Ack {
        /// Shown in what is sent later
        #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
        reason: String,
    },
    /// Show what goes on, what is acknowledged, the silence, and how much of the time all was well
    Status {
        /// Print the availability in the text format of Prometheus, and nothing else
        #[arg(long)]
        metrics: bool,
    },
}

impl Args {
    /// Reads the usual forms of a command line without clap, which takes longer than all else in a run
    /// where all is well. `None` for anything else; clap reads that, and says what is wrong with it.
    pub fn quick(mut arguments: impl Iterator<Item = OsString>) -> Option<Self> {
        let mut args = Self::default();
        let mut seen = 0;
        while let Some(argument) = arguments.next() {
            let mut value =
                || arguments.next().filter(|value| !is_flag(value) && !value.is_empty());
            let number = match argument.to_str()? {
                "--file" => set(&mut args.file, Some(value()?.into()), 0),
                "--config" => set(&mut args.config, Some(value()?.into()), 1),
                "--state-dir" => set(&mut args.state_dir, Some(value()?.into()), 2),
                "--threshold" => set(&mut args.threshold, time(value()?.to_str()?).ok(), 3),
                "--no-alert" => set(&mut args.no_alert, true, 4),
                "--nagios" => set(&mut args.nagios, true, 5),
                "--quiet" | "-q" => set(&mut args.quiet, true, 6),
                "--warn-exit" => set(&mut args.warn_exit, true, 7),
                "--json" => set(&mut args.json, true, 8),
                "--verbose" | "-v" => set(&mut args.verbose, true, 9),
                "--instance" => {
                    set(&mut args.instance, Some(instance(value()?.to_str()?).ok()?), 10)
                }
                _ => return None,
            };
            // What stands twice, or excludes another, is for clap to refuse.
            if seen & (1 << number) != 0 {
                return None;
            }
            seen |= 1 << number;
        }
        let timed = args.threshold.is_some() || seen & (1 << 3) == 0;
        let fits = timed && !(args.json && args.nagios || args.verbose && args.quiet);
        fits.then_some(args)
    }
}

/// The name of one of several bots, as systemd takes it.
fn instance(text: &str) -> Result<String, String> {
    let fit = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let good =
        !text.is_empty() && text.len() <= 60 && !text.starts_with('.') && text.chars().all(fit);
    let wanted = "write the part after the @ of its unit, such as staging";
    good.then(|| text.to_owned()).ok_or_else(|| wanted.to_owned())
}

/// The time between two checks.
fn interval(text: &str) -> Result<Duration, String> {
    let time = time(text).ok().filter(|time| (1..=86_400).contains(&time.as_secs()));
    time.ok_or_else(|| "write a time from 1s to 1d, such as 60s".to_owned())
}

fn set<T>(place: &mut T, value: T, number: u32) -> u32 {
    *place = value;
    number
}

fn is_flag(value: &OsStr) -> bool {
    value.as_encoded_bytes().starts_with(b"-")
}

/// The command line, as clap describes it; man page and completions are made from it.
pub fn command() -> clap::Command {
    Args::command()
}

/// A time: whole seconds, or a number with `ms`, `s`, `m` (or `min`), `h` or `d`. The error says
/// what to write.
pub fn time(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let factor = match unit.trim() {
        "ms" => Some(1),
        "" | "s" => Some(1_000),
        "m" | "min" => Some(60_000),
        "h" => Some(3_600_000),
        "d" => Some(86_400_000),
        _ => None,
    };
    let ms = factor.and_then(|factor| number.parse::<u64>().ok()?.checked_mul(factor));
    // Ten years: more is a slip, and would overflow somewhere.
    let ms = ms.filter(|ms| *ms <= 315_360_000_000);
    let wanted = "write seconds such as 120, or a time such as 90s, 2m, 4h or 1d";
    ms.map(Duration::from_millis).ok_or_else(|| wanted.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quick_reading_is_that_of_clap_or_none() {
        let words = [
            "--file",
            "--config",
            "--state-dir",
            "--threshold",
            "--no-alert",
            "--nagios",
            "--quiet",
            "-q",
            "--warn-exit",
            "--json",
            "--verbose",
            "-v",
            "--test-alert",
            "--instance",
            "silence",
            "status",
            "--help",
            "x",
            "2m",
            "",
            "--file=x",
            "-",
            "--",
            "-qv",
        ];
        let mut read = 0;
        // All command lines of up to three words.
        for first in words {
            for second in words {
                for third in words {
                    let line = [first, second, third];
                    let Some(quick) = Args::quick(line.iter().map(OsString::from)) else {
                        continue;
                    };
                    read += 1;
                    let clap = Args::try_parse_from([&["check-heartbeat"], &line[..]].concat());
                    let clap = clap.unwrap_or_else(|e| panic!("{line:?}: {e}"));
                    assert_eq!(format!("{quick:?}"), format!("{clap:?}"), "{line:?}");
                }
            }
        }
        assert!(read > 100, "{read}");
        assert!(Args::quick(std::iter::empty()).is_some());
    }
}
