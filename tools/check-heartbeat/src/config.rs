//! The configuration file: what to watch, which channels there are, how often to remind.
//!
//! Read leniently: a mistake costs the key that it is in and not the check. Every mistake is kept
//! with its key and what to write instead. No message quotes a value, because it may be a secret.

mod values;

use std::io::Read;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

use crate::channel::ChannelConfig;
use crate::incident::Mode;
use crate::watch::{AlertOn, Watch};

pub(crate) use self::values::{Time, checks, line, threshold, url};

/// Where the packaged configuration lies. It need not exist.
pub const DEFAULT_CONFIG: &str = "/etc/katana-bot/check-heartbeat.toml";

/// Time between reminders unless configured.
pub const DEFAULT_REMINDER: Duration = Duration::from_secs(4 * 3600);

/// Largest configuration file in bytes.
const MAX_BYTES: u64 = 256 * 1024;

/// Most watches, and most channels.
const MAX_ENTRIES: usize = 50;

/// What a `[[watch]]` takes from the top of the file unless it has its own.
const INHERITED: [&str; 3] = ["failures_needed", "good_checks_needed", "ping_url"];

/// A mistake in the configuration. Holds no secret, and no value that could be one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Such as `watch[1].threshold`; empty when it is about the file as a whole.
    pub key: String,
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

/// One `[[channel]]`.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its name, else its type.
    pub name: String,
    /// `None` when the table has a mistake.
    pub settings: Option<ChannelConfig>,
}

/// The configuration, as far as it makes sense.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The name of this machine; empty for the kernel's.
    #[serde(deserialize_with = "line")]
    pub host: String,
    /// Time between reminders; zero for none.
    #[serde(deserialize_with = "values::reminder")]
    pub reminder: Duration,
    #[serde(deserialize_with = "checks")]
    failures_needed: u32,
    #[serde(deserialize_with = "checks")]
    good_checks_needed: u32,
    #[serde(deserialize_with = "values::alert_on")]
    pub alert_on: AlertOn,
    pub mode: Mode,
    #[serde(deserialize_with = "url")]
    ping_url: Option<String>,
    /// The tables as they are written.
    watch: Option<Vec<Table>>,
    channel: Option<Vec<Table>>,
    /// What to watch; empty when nothing is named.
    #[serde(skip)]
    pub watches: Vec<Watch>,
    /// Whether `watches` are the configured ones. When they cannot be read, what is checked is a
    /// guess, and its alarms would be false.
    #[serde(skip)]
    pub watches_known: bool,
    #[serde(skip)]
    pub channels: Vec<Entry>,
    /// Whether `channels` are all there are: not so when the file cannot be read.
    #[serde(skip)]
    pub complete: bool,
    #[serde(skip)]
    pub problems: Vec<Problem>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            host: String::new(),
            reminder: DEFAULT_REMINDER,
            failures_needed: 1,
            good_checks_needed: 1,
            alert_on: AlertOn { failing: true, degraded: true },
            mode: Mode::All,
            ping_url: None,
            watch: None,
            channel: None,
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
        let named = |key| table.contains_key(key);
        let (watches_named, channels_named) = (named("watch"), named("channel"));
        let mut problems = Vec::new();
        let (mut config, good) = lenient::<Self>(table, "", &mut problems);
        config.problems = problems;
        // A list that is named but missing was dropped for its mistake.
        config.watches_known = config.watch.is_some() || !watches_named;
        config.complete = config.channel.is_some() || !channels_named;
        for (number, mut table) in config.entries("watch", config.watch.clone()) {
            for key in INHERITED.iter().filter_map(|key| good.get_key_value(*key)) {
                table.entry(key.0).or_insert(key.1.clone());
            }
            config.add_watch(&format!("watch[{number}]."), table);
        }
        for (number, table) in config.entries("channel", config.channel.clone()) {
            config.add_channel(&format!("channel[{number}]"), table);
        }
        config
    }

    /// The tables of a list with their numbers.
    fn entries(&mut self, key: &str, list: Option<Vec<Table>>) -> Vec<(usize, Table)> {
        let list = list.unwrap_or_default();
        if list.len() > MAX_ENTRIES {
            let hint = "at most 50 count; run a second check for the rest";
            self.problems.push(Problem::new(key, "are too many", hint));
        }
        (1..=MAX_ENTRIES).zip(list).collect()
    }

    fn add_watch(&mut self, prefix: &str, table: Table) {
        let (mut watch, _) = lenient::<Watch>(table, prefix, &mut self.problems);
        if watch.name.is_empty() {
            watch.name = Watch::name_for(&watch.file);
        }
        let mut problem = |key, message, hint| {
            self.problems.push(Problem::new(&format!("{prefix}{key}"), message, hint));
        };
        if !watch.file.is_absolute() {
            problem("file", "is not an absolute path", "cron starts in another folder");
        }
        if self.watches.iter().any(|other| other.name == watch.name) {
            return problem("name", "is used twice", "give each watch a name of its own");
        }
        self.watches.push(watch);
    }

    fn add_channel(&mut self, key: &str, table: Table) {
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

    /// The watch of a file that the configuration does not name.
    pub fn watch_of(&self, file: &Path) -> Watch {
        Watch {
            name: Watch::name_for(file),
            file: file.to_owned(),
            failures_needed: self.failures_needed,
            good_checks_needed: self.good_checks_needed,
            ping_url: self.ping_url.clone(),
            ..Watch::default()
        }
    }
}

/// Reads the keys of a table one by one, so that a mistake costs no other. All are optional. Returns
/// those without a mistake as well.
fn lenient<T>(table: Table, prefix: &str, problems: &mut Vec<Problem>) -> (T, Table)
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
    (good.clone().try_into().unwrap_or_default(), good)
}

fn read(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    std::fs::File::open(path)?.take(MAX_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(std::io::Error::other("it is too large"));
    }
    Ok(text)
}
