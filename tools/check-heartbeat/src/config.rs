//! The configuration file: what to watch, which channels there are, how often to remind.
//!
//! Read leniently: a mistake costs the key that it is in and not the check. Every mistake is kept
//! with its key and what to write instead. No message quotes a value, because it may be a secret.

mod section;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::{Table, Value};

use self::section::{Section, plain};
use crate::channel::ChannelConfig;
use crate::incident::{Debounce, Mode};
use crate::watch::{AlertOn, Watch};

pub(crate) use self::section::time_of;

/// Where the packaged configuration lies. It need not exist.
pub const DEFAULT_CONFIG: &str = "/etc/katana-bot/check-heartbeat.toml";

/// Time between reminders unless configured.
pub const DEFAULT_REMINDER: Duration = Duration::from_secs(4 * 3600);

/// Least time between reminders: an alarm that comes more often is not read.
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

/// A mistake in the configuration. Holds no secret, and no value that could be one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The key, such as `watch[1].threshold`; empty when it is about the file as a whole.
    pub key: String,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub hint: String,
}

impl Problem {
    pub(crate) fn new(
        key: impl Into<String>,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self { key: key.into(), message: message.into(), hint: hint.into() }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let colon = if self.key.is_empty() { "" } else { ": " };
        write!(f, "{}{colon}{} ({})", self.key, self.message, self.hint)
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
    /// Which verdicts of a daemon are incidents.
    pub alert_on: AlertOn,
    /// Which channels get a notification.
    pub mode: Mode,
    /// How many equal checks begin or end an incident, unless the watch has its own.
    pub debounce: Debounce,
    /// Fetched after each good check, unless the watch has its own.
    pub ping_url: Option<String>,
    /// What to watch; empty when nothing is named.
    pub watches: Vec<Watch>,
    /// Whether `watches` are the configured ones. When they cannot be read, what is checked is a
    /// guess, and its alarms would be false.
    pub watches_known: bool,
    /// The channels.
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
            debounce: Debounce { failures: 1, goods: 1 },
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
    /// Reads the file that was named, else the default one if it exists. What cannot be read is a
    /// problem in an otherwise empty configuration.
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
        let problems = vec![Problem::new("", message, hint)];
        Self { complete: false, watches_known: false, problems, ..Self::default() }
    }

    /// Reads the text of a file.
    pub fn parse(text: &str) -> Self {
        let table: Table = match text.parse::<Table>() {
            Ok(table) => table,
            Err(error) => {
                let at = error.span().map_or(0, |span| span.start);
                let line = text.get(..at).map_or(1, |before| before.matches('\n').count() + 1);
                let message = format!("line {line} is not TOML: {}", plain(error.message()));
                return Self::unreadable(message, "nothing in the file counts until it is fixed");
            }
        };
        let mut config = Self::default();
        let mut top = Section::new(table, String::new());
        config.host = top.text("host");
        match top.time("reminder") {
            Some(time) if !time.is_zero() && time < LEAST_REMINDER => {
                top.problem("reminder", "is too short", "write 1m or more, or 0 for never");
            }
            Some(time) => config.reminder = time,
            None => {}
        }
        config.debounce = top.debounce(config.debounce);
        config.ping_url = top.url("ping_url");
        config.mode = top.take("mode", "write \"all\" or \"first\"").unwrap_or_default();
        config.alert_on = top.alert_on().unwrap_or(config.alert_on);
        let (watches, channels) = (top.tables("watch"), top.tables("channel"));
        (config.watches_known, config.complete) = (watches.is_some(), channels.is_some());
        config.problems = top.finish(KEYS);
        for (index, table) in watches.into_iter().flatten().enumerate() {
            config.watch(index + 1, table);
        }
        for (index, table) in channels.into_iter().flatten().enumerate() {
            config.channel(index + 1, table);
        }
        config
    }

    fn watch(&mut self, number: usize, table: Table) {
        let mut section = Section::new(table, format!("watch[{number}]."));
        let file: Option<PathBuf> = section.take("file", "write the path of a heartbeat file");
        let file = file.unwrap_or_else(|| heartbeat::DEFAULT_PATH.into());
        let name = section.text("name").unwrap_or_else(|| Watch::name_for(&file));
        let default = Duration::from_secs(heartbeat::DEFAULT_THRESHOLD_S);
        let watch = Watch {
            threshold: section.time("threshold").unwrap_or(default),
            stopped_ok: section.take("stopped_ok", "write true or false").unwrap_or(false),
            ping_url: section.url("ping_url").or_else(|| self.ping_url.clone()),
            debounce: section.debounce(self.debounce),
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
        self.problems.append(&mut section.finish(WATCH_KEYS));
    }

    fn channel(&mut self, number: usize, table: Table) {
        let key = format!("channel[{number}]");
        let word = |key| table.get(key).and_then(Value::as_str).map(str::to_owned);
        let Some(name) = word("name").or_else(|| word("type")) else {
            self.complete = false;
            let hint = "write type = \"telegram\", \"smtp\" or \"command\"";
            self.problems.push(Problem::new(format!("{key}.type"), "is missing", hint));
            return;
        };
        if self.channels.iter().any(|other| other.name == name) {
            let hint = "give each channel a name of its own";
            self.problems.push(Problem::new(format!("{key}.name"), "is used twice", hint));
            return;
        }
        let settings = table.try_into::<ChannelConfig>().map_err(|error| {
            let hint = "check-heartbeat.toml(5) lists the keys of each type";
            self.problems.push(Problem::new(key, plain(error.message()), hint));
        });
        self.channels.push(Entry { name, settings: settings.ok() });
    }
}

fn read(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    std::fs::File::open(path)?.take(MAX_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(std::io::Error::other("it is too large"));
    }
    Ok(text)
}
