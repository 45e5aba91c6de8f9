//! The configuration file: what to watch, whom to tell, how often.
//!
//! Read leniently: a mistake costs the key that it is in and not the check. Every mistake is kept
//! with its key and what to write instead. No message quotes a value, because somebody may have
//! written a secret there.

mod section;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::{Table, Value};

use self::section::{Section, plain};
use crate::channel::ChannelConfig;
use crate::incident::{Mode, Patience};
use crate::watch::{AlertOn, Watch};

/// Where the packaged configuration lies. It need not exist.
pub const DEFAULT_CONFIG: &str = "/etc/katana-bot/check-heartbeat.toml";

/// Time between reminders unless told otherwise.
pub const DEFAULT_REMINDER: Duration = Duration::from_secs(4 * 3600);

/// Least time between reminders: more often is an alarm that nobody reads.
const LEAST_REMINDER: Duration = Duration::from_secs(60);

/// Largest configuration file in bytes.
const MAX_BYTES: u64 = 256 * 1024;

/// The keys of the file itself.
pub const KEYS: &[&str] = &[
    "host",
    "reminder",
    "failures_needed",
    "good_checks_needed",
    "alert_on",
    "mode",
    "ping_url",
    "watch",
    "channel",
];

/// The keys of a `[[watch]]`.
pub const WATCH_KEYS: &[&str] = &[
    "name",
    "file",
    "threshold",
    "stopped_ok",
    "failures_needed",
    "good_checks_needed",
    "ping_url",
];

/// A mistake in the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The key, such as `watch[1].threshold`; empty when it is about the file as a whole.
    pub key: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let key = if self.key.is_empty() { String::new() } else { format!("{}: ", self.key) };
        write!(f, "{key}{} ({})", self.message, self.hint)
    }
}

/// One `[[channel]]`.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its name, else its type.
    pub name: String,
    /// The table; `None` when it has a mistake.
    pub settings: Option<ChannelConfig>,
}

/// The configuration, as far as it makes sense.
#[derive(Debug, Clone)]
pub struct Config {
    /// The name of this machine, if not the kernel's.
    pub host: Option<String>,
    /// Time between reminders; zero for none.
    pub reminder: Duration,
    /// What people are told of.
    pub alert_on: AlertOn,
    /// Which channels are told.
    pub mode: Mode,
    /// How many checks it takes to change a mind, for watches that do not say.
    pub patience: Patience,
    /// Fetched after each good check, for watches that do not say.
    pub ping_url: Option<String>,
    /// What to watch; empty when nothing is named.
    pub watches: Vec<Watch>,
    /// Whether `watches` are what somebody wanted: not so when they cannot be read. What is checked
    /// then is a guess, and its alarms would be false ones.
    pub watches_known: bool,
    /// Whom to tell.
    pub channels: Vec<Entry>,
    /// Whether `channels` are all there are: not so when the file cannot be read.
    pub complete: bool,
    /// Every mistake.
    pub problems: Vec<Problem>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            host: None,
            reminder: DEFAULT_REMINDER,
            alert_on: AlertOn { failing: true, degraded: true },
            mode: Mode::All,
            patience: Patience { failures: 1, goods: 1 },
            ping_url: None,
            watches: Vec::new(),
            watches_known: true,
            channels: Vec::new(),
            complete: true,
            problems: Vec::new(),
        }
    }
}

impl Config {
    /// Reads the file that was named, or else the default one if it exists. What cannot be read is
    /// a problem in an otherwise empty configuration.
    pub fn load(named: Option<&Path>) -> Self {
        let path = named.unwrap_or(Path::new(DEFAULT_CONFIG));
        match read(path) {
            Ok(text) => Self::parse(&text),
            Err(error) if named.is_none() && error.kind() == std::io::ErrorKind::NotFound => {
                Self::default()
            }
            Err(error) => Self::unreadable(
                format!("cannot read {}: {error}", path.display()),
                "name a file that the user of the check may read",
            ),
        }
    }

    fn unreadable(message: String, hint: &str) -> Self {
        let problem = Problem { key: String::new(), message, hint: hint.to_owned() };
        Self { complete: false, watches_known: false, problems: vec![problem], ..Self::default() }
    }

    /// Reads the text of a file.
    pub fn parse(text: &str) -> Self {
        let table: Table = match text.parse() {
            Ok(table) => table,
            Err(error) => {
                let error: toml::de::Error = error;
                let at = error.span().map_or(0, |span| span.start);
                let line = text.get(..at).map_or(1, |before| before.matches('\n').count() + 1);
                let message = format!("line {line} is not TOML: {}", plain(error.message()));
                return Self::unreadable(message, "nothing of the file counts until it is mended");
            }
        };
        let mut config = Self::default();
        let mut top = Section { table, prefix: String::new(), problems: Vec::new() };
        config.host = top.text("host");
        if let Some(reminder) = top.time("reminder") {
            if reminder.is_zero() || reminder >= LEAST_REMINDER {
                config.reminder = reminder;
            } else {
                top.problem("reminder", "is too short", "write 1m or more, or 0 for never");
            }
        }
        let patience = top.patience(config.patience);
        config.patience = patience;
        config.ping_url = top.url("ping_url");
        config.mode = top.take("mode", "write \"all\" or \"first\"").unwrap_or_default();
        config.alert_on = top.alert_on().unwrap_or(config.alert_on);
        let (watches, watches_read) = top.tables("watch");
        let (channels, channels_read) = top.tables("channel");
        config.complete = channels_read;
        config.watches_known = watches_read;
        top.finish(KEYS);
        config.problems = top.problems;
        for (index, table) in watches.into_iter().enumerate() {
            config.watch(index, table);
        }
        for (index, table) in channels.into_iter().enumerate() {
            config.channel(index, table);
        }
        config
    }

    fn watch(&mut self, index: usize, table: Table) {
        let prefix = format!("watch[{}].", index + 1);
        let mut section = Section { table, prefix, problems: Vec::new() };
        let file: Option<PathBuf> = section.take("file", "write the path of a heartbeat file");
        let file = file.unwrap_or_else(|| heartbeat::DEFAULT_PATH.into());
        let name = section.text("name").unwrap_or_else(|| Watch::name_for(&file));
        let default = Duration::from_secs(heartbeat::DEFAULT_THRESHOLD_S);
        let watch = Watch {
            threshold: section.time("threshold").unwrap_or(default),
            stopped_ok: section.take("stopped_ok", "write true or false").unwrap_or(false),
            ping_url: section.url("ping_url").or_else(|| self.ping_url.clone()),
            patience: section.patience(self.patience),
            name,
            file,
        };
        if !watch.file.is_absolute() {
            section.problem("file", "is not an absolute path", "cron starts in another folder");
        }
        if self.watches.iter().any(|other| other.name == watch.name) {
            section.problem("name", "is used twice", "give each watch a name of its own");
        } else {
            self.watches.push(watch);
        }
        section.finish(WATCH_KEYS);
        self.problems.append(&mut section.problems);
    }

    fn channel(&mut self, index: usize, table: Table) {
        let prefix = format!("channel[{}]", index + 1);
        let word = |key| table.get(key).and_then(Value::as_str).map(str::to_owned);
        let Some(name) = word("name").or_else(|| word("type")) else {
            self.complete = false;
            let hint = "write type = \"telegram\", \"smtp\" or \"command\"".to_owned();
            let message = "is missing".to_owned();
            self.problems.push(Problem { key: format!("{prefix}.type"), message, hint });
            return;
        };
        let names: BTreeSet<&str> = self.channels.iter().map(|c| c.name.as_str()).collect();
        if names.contains(name.as_str()) {
            let hint = "give each channel a name of its own".to_owned();
            let message = "is used twice".to_owned();
            self.problems.push(Problem { key: format!("{prefix}.name"), message, hint });
            return;
        }
        let settings = match table.try_into() {
            Ok(settings) => Some(settings),
            Err(error) => {
                let error: toml::de::Error = error;
                let message = plain(error.message());
                let hint = "check-heartbeat.toml(5) lists the keys of each type".to_owned();
                self.problems.push(Problem { key: prefix, message, hint });
                None
            }
        };
        self.channels.push(Entry { name, settings });
    }
}

fn read(path: &Path) -> std::io::Result<String> {
    use std::io::Read;
    let mut text = String::new();
    std::fs::File::open(path)?.take(MAX_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(std::io::Error::other("it is too large"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_file_is_all_defaults() {
        let config = Config::parse("");
        assert!(config.problems.is_empty() && config.complete);
        assert_eq!(config.reminder, DEFAULT_REMINDER);
        assert!(config.watches.is_empty() && config.channels.is_empty());
    }

    #[test]
    fn everything_can_be_said() {
        let config = Config::parse(
            "host = \"h\"\nreminder = 0\nfailures_needed = 2\nalert_on = [\"failing\"]\n\
             mode = \"first\"\nping_url = \"https://ping.example/1\"\n\
             [[watch]]\n[[watch]]\nname = \"other\"\nfile = \"/run/other\"\nthreshold = \"5m\"\n\
             stopped_ok = true\ngood_checks_needed = 3\n\
             [[channel]]\ntype = \"command\"\nname = \"page\"\nprogram = \"/bin/true\"\n",
        );
        assert_eq!(config.problems, []);
        let [bot, other] = &config.watches[..] else { panic!("{:?}", config.watches) };
        assert_eq!((bot.name.as_str(), bot.threshold.as_secs()), ("katana-bot", 120));
        assert_eq!(bot.patience, Patience { failures: 2, goods: 1 });
        assert_eq!(other.patience, Patience { failures: 2, goods: 3 });
        assert_eq!((other.threshold.as_secs(), other.stopped_ok), (300, true));
        assert_eq!(other.ping_url.as_deref(), Some("https://ping.example/1"));
        assert_eq!(config.channels[0].name, "page");
        assert!(config.channels[0].settings.is_some());
        assert_eq!((config.mode, config.alert_on.degraded), (Mode::First, false));
    }

    #[test]
    fn a_mistake_costs_its_key_only() {
        let config = Config::parse(
            "reminder = \"often\"\nmod = \"all\"\nfailures_needed = 0\nping_url = 7\n\
             [[watch]]\nfile = \"relative\"\nthreshold = -1\n\
             [[watch]]\nname = \"a\"\nfile = \"/run/a\"\n\
             [[channel]]\ntype = \"pigeon\"\n[[channel]]\ntype = \"command\"\nprogram = \"x\"\n",
        );
        let keys: Vec<&str> = config.problems.iter().map(|p| p.key.as_str()).collect();
        assert_eq!(
            keys,
            [
                "reminder",
                "failures_needed",
                "ping_url",
                "mod",
                "watch[1].threshold",
                "watch[1].file",
                "channel[1]",
            ]
        );
        assert!(config.problems.iter().all(|p| !p.hint.is_empty()));
        assert_eq!(config.watches.len(), 2);
        assert_eq!(config.channels.len(), 2);
        assert!(config.channels[0].settings.is_none() && config.channels[1].settings.is_some());
        assert!(config.complete);
    }

    #[test]
    fn no_message_quotes_a_value() {
        for text in [
            "host = \"hunter2\" \"x\"",
            "[[channel]]\ntype = \"telegram\"\nthread_id = \"hunter2\"",
            "[[channel]]\ntype = \"telegram\"\ntoken = \"hunter2\"\nname = 1",
            "failures_needed = \"hunter2\"",
            "reminder = \"hunter2\"",
            "ping_url = \"hunter2\"",
            "host = \"\"\"hunter2\n\"\"\"\nmode = \"hunter2\"",
            "channel = \"hunter2\"",
        ] {
            let config = Config::parse(text);
            let told: Vec<String> = config.problems.iter().map(ToString::to_string).collect();
            assert!(!told.iter().any(|t| t.contains("hunter2")), "{told:?}");
        }
    }

    #[test]
    fn nonsense_counts_as_unknown() {
        for text in ["[[", "channel = 3", "[[channel]]\nname = 1"] {
            let config = Config::parse(text);
            assert!(!config.complete && !config.problems.is_empty(), "{text}");
        }
        for (text, known) in [("[[", false), ("watch = 3", false), ("channel = 3", true)] {
            assert_eq!(Config::parse(text).watches_known, known, "{text}");
        }
    }
}
