//! The command line of `check-heartbeat`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

/// What was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Args {
    /// The one file to check.
    pub file: Option<PathBuf>,
    /// The age past which a beat is stale.
    pub threshold: Option<Duration>,
    /// The configuration file.
    pub config: Option<PathBuf>,
    /// Where incidents are remembered.
    pub state_dir: Option<PathBuf>,
    /// Judge and print only.
    pub no_alert: bool,
    /// Try every channel.
    pub test_alert: bool,
    /// Output and exit codes for Nagios.
    pub nagios: bool,
    /// Say nothing when nothing is critical.
    pub quiet: bool,
    /// Exit with 1 also on a warning.
    pub warn_exit: bool,
    /// Output for programs.
    pub json: bool,
    /// Say what else happens.
    pub verbose: bool,
}

const AFTER: &str = "\
Exit status: 0 ok, or a warning; 1 critical (with --warn-exit also a warning); 64 wrong arguments;
78 not critical, but the configuration has a mistake. With --nagios: 0, 1, 2, and 3 for mistakes.

Without a configuration file, TELEGRAM_ALERT_BOT_TOKEN and TELEGRAM_ALERT_CHAT_ID in the
environment are enough to be told.";

/// The command line, as clap describes it; the man page is made from it.
pub fn command() -> Command {
    let flag = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
    };
    let path = |name: &'static str, value: &'static str, help: &'static str| {
        let parser = value_parser!(PathBuf);
        Arg::new(name).long(name).value_name(value).value_parser(parser).help(help)
    };
    Command::new("check-heartbeat")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Check heartbeat files, and tell people once when one is not good")
        .after_help(AFTER)
        .arg(path("file", "PATH", "The heartbeat file to check [default: those of the configuration, else /run/katana-bot/heartbeat]"))
        .arg(
            Arg::new("threshold")
                .long("threshold")
                .value_name("TIME")
                .value_parser(time)
                .help("Oldest heartbeat that is fresh, in seconds or like 2m [default: 120]"),
        )
        .arg(path("config", "PATH", "The configuration [default: /etc/katana-bot/check-heartbeat.toml, if it exists]"))
        .arg(path("state-dir", "DIR", "Where incidents are remembered [default: $STATE_DIRECTORY, else /var/lib/katana-check for root, else ~/.local/state/check-heartbeat]"))
        .arg(flag("no-alert", "Only check and print: tell nobody, remember nothing, fetch no ping_url"))
        .arg(flag("test-alert", "Send a test through every channel, and say what came of it").conflicts_with("no-alert"))
        .arg(flag("nagios", "Output and exit status of a Nagios plugin"))
        .arg(flag("quiet", "Print nothing unless something is critical").short('q'))
        .arg(flag("warn-exit", "Exit with 1 also when the worst is a warning"))
        .arg(flag("json", "Print one JSON object with everything that was found and done").conflicts_with("nagios"))
        .arg(flag("verbose", "Say also what was told to whom").short('v').conflicts_with("quiet"))
}

/// Reads plain arguments, such as a crontab has, without clap, whose code is most of what a check
/// would otherwise load. `None` for all that is not plain: clap decides then, and says what is wrong.
/// What this accepts, clap accepts with the same meaning; a test compares the two.
pub fn plain(words: impl IntoIterator<Item = OsString>) -> Option<Args> {
    let mut args = Args::default();
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        let flag = match word.to_str()? {
            "--no-alert" => &mut args.no_alert,
            "--test-alert" => &mut args.test_alert,
            "--nagios" => &mut args.nagios,
            "--quiet" | "-q" => &mut args.quiet,
            "--warn-exit" => &mut args.warn_exit,
            "--json" => &mut args.json,
            "--verbose" | "-v" => &mut args.verbose,
            option => {
                let value = words.next()?.into_string().ok()?;
                if value.is_empty() || value.starts_with('-') {
                    return None;
                }
                let path = match option {
                    "--file" => &mut args.file,
                    "--config" => &mut args.config,
                    "--state-dir" => &mut args.state_dir,
                    "--threshold" if args.threshold.is_none() => {
                        args.threshold = Some(time(&value).ok()?);
                        continue;
                    }
                    _ => return None,
                };
                if path.replace(value.into()).is_some() {
                    return None;
                }
                continue;
            }
        };
        if std::mem::replace(flag, true) {
            return None;
        }
    }
    let conflict =
        args.no_alert && args.test_alert || args.json && args.nagios || args.quiet && args.verbose;
    (!conflict).then_some(args)
}

/// Reads the arguments that clap has accepted.
pub fn args(matches: &ArgMatches) -> Args {
    Args {
        file: matches.get_one("file").cloned(),
        threshold: matches.get_one("threshold").copied(),
        config: matches.get_one("config").cloned(),
        state_dir: matches.get_one("state-dir").cloned(),
        no_alert: matches.get_flag("no-alert"),
        test_alert: matches.get_flag("test-alert"),
        nagios: matches.get_flag("nagios"),
        quiet: matches.get_flag("quiet"),
        warn_exit: matches.get_flag("warn-exit"),
        json: matches.get_flag("json"),
        verbose: matches.get_flag("verbose"),
    }
}

/// A time: whole seconds, or a number with `ms`, `s`, `m` (or `min`), `h` or `d`.
///
/// # Errors
/// What a time looks like.
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
    let wanted = || "write seconds such as 120, or a time such as 90s, 2m, 4h or 1d".to_owned();
    ms.map(Duration::from_millis).ok_or_else(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn plain_arguments_mean_the_same_to_clap() {
        let words = [
            "--file",
            "--config",
            "--state-dir",
            "--threshold",
            "--no-alert",
            "--test-alert",
            "--nagios",
            "--quiet",
            "-q",
            "--warn-exit",
            "--json",
            "--verbose",
            "-v",
            "--help",
            "-V",
            "/run/x",
            "2m",
            "120",
            "soon",
            "-5",
            "",
            "--",
            "-qv",
            "--file=/run/x",
            "--threshold=5",
        ];
        let mut random = fastrand::Rng::with_seed(7);
        let (mut accepted, mut left) = (0, 0);
        for _ in 0..20_000 {
            let count = random.usize(0..5);
            let line: Vec<&str> = (0..count).map(|_| words[random.usize(..words.len())]).collect();
            let plain = plain(line.iter().map(OsString::from));
            let clap = command().try_get_matches_from([&["check-heartbeat"], &line[..]].concat());
            match (plain, clap) {
                (Some(plain), Ok(matches)) => {
                    assert_eq!(plain, args(&matches), "{line:?}");
                    accepted += 1;
                }
                (Some(_), Err(error)) => panic!("clap refuses {line:?}: {error}"),
                (None, _) => left += 1,
            }
        }
        assert!(accepted > 1_000 && left > 1_000, "{accepted} {left}");
    }

    #[test]
    fn spans_have_units() {
        for (text, seconds) in [
            ("120", 120),
            ("0", 0),
            ("90s", 90),
            ("2m", 120),
            ("2 min", 120),
            ("4h", 14_400),
            ("1d", 86_400),
        ] {
            assert_eq!(time(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for odd in ["", "-1", "m", "1.5", "2w", "1h30m", "99999999999999999999", "9999999999d"] {
            assert!(time(odd).is_err(), "{odd}");
        }
    }
}
