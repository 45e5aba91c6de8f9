//! The command line of `check-heartbeat`.

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
