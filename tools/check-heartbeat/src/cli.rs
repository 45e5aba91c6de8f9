//! The command line of `check-heartbeat`.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

use clap::{CommandFactory, Parser};

const AFTER: &str = "\
Exit status: 0 ok, or a warning; 1 critical (with --warn-exit also a warning); 64 wrong arguments;
78 not critical, but the configuration has a mistake. With --nagios: 0, 1, 2, and 3 for mistakes.

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
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub threshold: Option<Duration>,
    /// The configuration [default: /etc/katana-bot/check-heartbeat.toml, if it exists]
    #[arg(long, value_name = "PATH")]
    pub config: Option<PathBuf>,
    /// Where incidents are remembered [default: $STATE_DIRECTORY, else /var/lib/katana-check for root, else ~/.local/state/check-heartbeat]
    #[arg(long, value_name = "DIR")]
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
    /// Print nothing unless something is critical
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
