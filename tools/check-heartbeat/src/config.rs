//! The configuration file: what to watch, which channels there are, how often to remind.
//!
//! Read leniently: a mistake costs the key that it is in and not the check. Every mistake is kept
//! with its key and what to write instead. No message quotes a value, because it may be a secret.

mod values;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

use crate::channel::ChannelConfig;
use crate::incident::{Debounce, Mode};
use crate::watch::{AlertOn, Watch};

pub(crate) use self::values::Time;

/// Where the packaged configuration lies. It need not exist.
pub const DEFAULT_CONFIG: &str = "/etc/katana-bot/check-heartbeat.toml";

/// Time between reminders unless configured.
pub const DEFAULT_REMINDER: Duration = Duration::from_secs(4 * 3600);

/// Largest configuration file in bytes.
const MAX_BYTES: u64 = 256 * 1024;

/// Most watches, and most channels.
const MAX_ENTRIES: usize = 50;

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
    pub(crate) fn new(key: &str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { key: key.to_owned(), message: message.into(), hint: hint.into() }
    }

    /// From the reader's message, without the value that it may quote.
    fn of(key: &str, error: &toml::de::Error) -> Self {
        let message = error.message().lines().next().unwrap_or_default();
        if let Some((message, hint)) = message.split_once("; write ") {
            return Self::new(key, message, format!("write {hint}"));
        }
        let message = match message.split_once(", expected ") {
            Some((what, _)) if what.starts_with("unknown field") && !key.is_empty() => message,
            Some((_, wanted)) => &format!("is not what is expected: {wanted}"),
            None => message,
        };
        Self::new(key, message, "check-heartbeat.toml(5) lists all keys")
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let colon = if self.key.is_empty() { "" } else { ": " };
        write!(f, "{}{colon}{} ({})", self.key, self.message, self.hint)
    }
}

/// The keys of the file itself.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Top {
    #[serde(deserialize_with = "values::line")]
    host: Option<String>,
    #[serde(deserialize_with = "values::reminder")]
    reminder: Option<Duration>,
    #[serde(deserialize_with = "values::checks")]
    failures_needed: Option<u32>,
    #[serde(deserialize_with = "values::checks")]
    good_checks_needed: Option<u32>,
    #[serde(deserialize_with = "values::alert_on")]
    alert_on: Option<AlertOn>,
    mode: Mode,
    #[serde(deserialize_with = "values::url")]
    ping_url: Option<String>,
    watch: Option<Vec<Table>>,
    channel: Option<Vec<Table>>,
}

/// The keys of a `[[watch]]`.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct WatchKeys {
    #[serde(deserialize_with = "values::line")]
    name: Option<String>,
    file: Option<PathBuf>,
    threshold: Option<Time>,
    stopped_ok: bool,
    #[serde(deserialize_with = "values::checks")]
    failures_needed: Option<u32>,
    #[serde(deserialize_with = "values::checks")]
    good_checks_needed: Option<u32>,
    #[serde(deserialize_with = "values::url")]
    ping_url: Option<String>,
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
        Self::parse("")
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
            Err(error) => {
                let message = format!("cannot read {}: {error}", path.display());
                Self::unreadable(message, "name a file that the user of the check may read")
            }
        }
    }

    fn unreadable(message: String, hint: &str) -> Self {
        let problems = vec![Problem::new("", message, hint)];
        Self { complete: false, watches_known: false, problems, ..Self::default() }
    }

    /// Reads the text of a file.
    pub fn parse(text: &str) -> Self {
        let table = match text.parse::<Table>() {
            Ok(table) => table,
            Err(error) => {
                let at = error.span().map_or(0, |span| span.start);
                let line = text.get(..at).map_or(1, |before| before.matches('\n').count() + 1);
                let why = Problem::of("", &error).message;
                let message = format!("line {line} is not TOML: {why}");
                return Self::unreadable(message, "nothing in the file counts until it is fixed");
            }
        };
        let (named, mut problems) = (table.clone(), Vec::new());
        let top: Top = lenient(table, "", &mut problems);
        // A list that is named but missing was dropped for its mistake.
        let is_read = |key, list: &Option<_>| list.is_some() || !named.contains_key(key);
        let mut config = Self {
            watches_known: is_read("watch", &top.watch),
            complete: is_read("channel", &top.channel),
            host: top.host,
            reminder: top.reminder.unwrap_or(DEFAULT_REMINDER),
            alert_on: top.alert_on.unwrap_or(AlertOn { failing: true, degraded: true }),
            mode: top.mode,
            debounce: Debounce {
                failures: top.failures_needed.unwrap_or(1),
                goods: top.good_checks_needed.unwrap_or(1),
            },
            ping_url: top.ping_url,
            watches: Vec::new(),
            channels: Vec::new(),
            problems,
        };
        for (key, list) in [("watch", &top.watch), ("channel", &top.channel)] {
            if list.as_ref().is_some_and(|list| list.len() > MAX_ENTRIES) {
                let hint = "at most 50 count; run a second check for the rest";
                config.problems.push(Problem::new(key, "are too many", hint));
            }
        }
        for (number, table) in (1..=MAX_ENTRIES).zip(top.watch.into_iter().flatten()) {
            config.watch(&format!("watch[{number}]."), table);
        }
        for (number, table) in (1..=MAX_ENTRIES).zip(top.channel.into_iter().flatten()) {
            config.channel(&format!("channel[{number}]"), table);
        }
        config
    }

    fn watch(&mut self, prefix: &str, table: Table) {
        let keys: WatchKeys = lenient(table, prefix, &mut self.problems);
        let mut problem = |key, message, hint| {
            self.problems.push(Problem::new(&format!("{prefix}{key}"), message, hint));
        };
        let file = keys.file.unwrap_or_else(|| heartbeat::DEFAULT_PATH.into());
        if !file.is_absolute() {
            problem("file", "is not an absolute path", "cron starts in another folder");
        }
        let name = keys.name.unwrap_or_else(|| Watch::name_for(&file));
        if self.watches.iter().any(|other| other.name == name) {
            return problem("name", "is used twice", "give each watch a name of its own");
        }
        let default = Duration::from_secs(heartbeat::DEFAULT_THRESHOLD_S);
        self.watches.push(Watch {
            name,
            file,
            threshold: keys.threshold.map_or(default, |time| time.0),
            stopped_ok: keys.stopped_ok,
            ping_url: keys.ping_url.or_else(|| self.ping_url.clone()),
            debounce: Debounce {
                failures: keys.failures_needed.unwrap_or(self.debounce.failures),
                goods: keys.good_checks_needed.unwrap_or(self.debounce.goods),
            },
        });
    }

    fn channel(&mut self, key: &str, table: Table) {
        let word = |key| table.get(key).and_then(Value::as_str).map(str::to_owned);
        let Some(name) = word("name").or_else(|| word("type")) else {
            self.complete = false;
            let hint = "write type = \"telegram\", \"smtp\" or \"command\"";
            return self.problems.push(Problem::new(&format!("{key}.type"), "is missing", hint));
        };
        if self.channels.iter().any(|other| other.name == name) {
            let hint = "give each channel a name of its own";
            return self.problems.push(Problem::new(&format!("{key}.name"), "is used twice", hint));
        }
        let settings = table.try_into::<ChannelConfig>();
        self.problems.extend(settings.as_ref().err().map(|error| Problem::of(key, error)));
        self.channels.push(Entry { name, settings: settings.ok() });
    }
}

/// The keys of a table, each read alone so that a mistake costs no other. All of them are optional.
fn lenient<T>(table: Table, prefix: &str, problems: &mut Vec<Problem>) -> T
where
    T: DeserializeOwned + Default,
{
    let mut good = Table::new();
    for (key, value) in table {
        let alone = Table::from_iter([(key.clone(), value.clone())]);
        match alone.try_into::<T>() {
            Ok(_) => drop(good.insert(key, value)),
            Err(error) => problems.push(Problem::of(&format!("{prefix}{key}"), &error)),
        }
    }
    good.try_into().unwrap_or_default()
}

fn read(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    std::fs::File::open(path)?.take(MAX_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(std::io::Error::other("it is too large"));
    }
    Ok(text)
}
