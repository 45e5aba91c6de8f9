//! The configuration: what to watch, which channels there are, how often to remind.
//!
//! Read leniently: a mistake costs the key that it is in and not the check. Every mistake is kept
//! with its key and what to write instead. No message quotes a value, because it may be a secret.

use std::io::{Read, read_to_string, stdin};
use std::path::{Path, PathBuf};
use std::time::Duration;

use hygiene::{drop_ins, quick, text};
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer};
use toml::{Table, Value};

use crate::channel::ChannelConfig;
use crate::cli::Args;
use crate::incident::Mode;
use crate::layers::Layers;
pub use crate::problem::Problem;
use crate::problem::{Time, checks, fitting, line, url};
use crate::watch::{AlertOn, Watch};

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
    #[serde(deserialize_with = "reminder")]
    pub reminder: Duration,
    #[serde(deserialize_with = "checks")]
    failures_needed: u32,
    #[serde(deserialize_with = "checks")]
    good_checks_needed: u32,
    pub alert_on: Vec<AlertOn>,
    pub mode: Mode,
    #[serde(deserialize_with = "url")]
    ping_url: Option<String>,
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
    /// Where it all stands.
    #[serde(skip)]
    pub(crate) layers: Layers,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            host: String::new(),
            reminder: DEFAULT_REMINDER,
            failures_needed: 1,
            good_checks_needed: 1,
            alert_on: vec![AlertOn::Failing, AlertOn::Degraded],
            mode: Mode::All,
            ping_url: None,
            watches: Vec::new(),
            watches_known: true,
            channels: Vec::new(),
            complete: true,
            problems: Vec::new(),
            layers: Layers::default(),
        }
    }
}

impl Config {
    /// Reads the file that was named, else the default one if it exists, and then the drop-ins beside
    /// it. What cannot be read is a problem, and costs that file.
    pub fn load(named: Option<&Path>) -> Self {
        let path = named.unwrap_or(Path::new(DEFAULT_CONFIG));
        let mut paths = Vec::new();
        if named.is_some() || !matches!(path.try_exists(), Ok(false)) {
            paths.push(path.to_owned());
        }
        let (mut unread, mut ignored) = (Vec::new(), Vec::new());
        if let Some(folder) = drop_ins::folder(path) {
            match drop_ins::list(&folder) {
                Ok(found) => {
                    paths.extend(found.files);
                    ignored = found.ignored;
                }
                Err(why) => unread.push(unreadable(&folder, &why)),
            }
        }
        let mut layers = Layers::default();
        for path in paths {
            let read = read(&path).map_err(|why| unreadable(&path, &why));
            unread.extend(read.and_then(|text| layers.add((path, text))).err());
        }
        let mut config = Self::of(layers.table.clone());
        let problems = config.problems.into_iter();
        config.problems = problems.map(|problem| layers.located(problem)).collect();
        config.problems.extend(ignored.iter().map(|path| {
            let (message, hint) = drop_ins::why_ignored(path);
            Problem::new(&path.display().to_string(), message, hint)
        }));
        config.layers = layers;
        if !unread.is_empty() {
            (config.watches_known, config.complete) = (false, false);
            config.problems.splice(..0, unread);
        }
        config
    }

    /// Reads the text of a file.
    pub fn parse(text: &str) -> Self {
        let mut layers = Layers::default();
        match layers.add((PathBuf::new(), text.to_owned())) {
            Ok(()) => Self::of(layers.table),
            Err(problem) => Self {
                complete: false,
                watches_known: false,
                problems: vec![problem],
                ..Self::default()
            },
        }
    }

    fn of(mut table: Table) -> Self {
        let mut problems = Vec::new();
        let watches = tables(&mut table, "watch", &mut problems);
        let channels = tables(&mut table, "channel", &mut problems);
        let (mut config, good) = lenient::<Self>(table, "", &mut problems);
        config.problems = problems;
        (config.watches_known, config.complete) = (watches.is_some(), channels.is_some());
        for (number, mut table) in (1..).zip(watches.into_iter().flatten()) {
            for (key, value) in good.iter().filter(|(key, _)| INHERITED.contains(&key.as_str())) {
                table.entry(key).or_insert(value.clone());
            }
            config.add_watch(&format!("watch[{number}]."), table);
        }
        for (number, table) in (1..).zip(channels.into_iter().flatten()) {
            config.add_channel(&format!("channel[{number}]"), table);
        }
        config
    }

    fn add_watch(&mut self, prefix: &str, table: Table) {
        let (mut watch, _) = lenient::<Watch>(table, prefix, &mut self.problems);
        if watch.name.is_empty() {
            let of_file = || Watch::name_for(&watch.file);
            watch.name = watch.url.as_deref().map_or_else(of_file, Watch::name_for_url);
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
            let hint = "write type = \"telegram\", \"smtp\", \"webhook\" or \"command\"";
            return self.problems.push(Problem::new(&format!("{key}.type"), "is missing", hint));
        };
        if self.channels.iter().any(|other| other.name == name) {
            let is_free = |new: &String| self.channels.iter().all(|other| other.name != *new);
            let mut names = (self.channels.len() + 1..).map(|number| format!("channel-{number}"));
            let free = names.find(is_free).unwrap_or_default();
            let place =
                if table.contains_key("name") { "in place of its name" } else { "below its type" };
            let hint = format!("write name = \"{free}\" {place}");
            return self.problems.push(Problem::new(&format!("{key}.name"), "is used twice", hint));
        }
        let settings = table.try_into();
        let settings = settings.map_err(|error| self.problems.push(Problem::of(key, &error)));
        self.channels.push(Entry { name, settings: settings.ok() });
    }

    /// What to check: the one file that was named, else what is configured, else the packaged file.
    pub fn watches_of(&self, args: &Args) -> Vec<Watch> {
        let packaged = Path::new(heartbeat::DEFAULT_PATH);
        let mut watches = self.watches.clone();
        let instance =
            args.instance.as_ref().map(|name| format!("/run/katana-bot@{name}/heartbeat"));
        let file = args.file.clone().or(instance.map(PathBuf::from));
        if let Some(file) = &file {
            watches.retain(|watch| watch.url.is_none() && watch.file == *file);
            watches.truncate(1);
        }
        if let Some(url) = &args.url {
            watches.retain(|watch| watch.url.as_ref() == Some(url));
            watches.truncate(1);
        }
        if watches.is_empty() {
            let watch = self.watch_of(file.as_deref().unwrap_or(packaged));
            watches.push(args.url.as_ref().map_or(watch.clone(), |url| watch.at_url(url)));
        }
        for watch in &mut watches {
            watch.threshold.0 = args.threshold.unwrap_or(watch.threshold.0);
            watch.warning = args.warning.map(Time).or(watch.warning);
            watch.mtime |= args.mtime;
        }
        watches
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

fn unreadable(path: &Path, why: &str) -> Problem {
    let why = why.trim_start_matches("cannot be read: ");
    let message = format!("cannot read {}: {why}", path.display());
    Problem::new("", message, "name a file that the user of the check may read")
}

fn read(path: &Path) -> Result<String, String> {
    match path.to_str() {
        // What the run itself was given may come through a pipe.
        Some("/dev/stdin") => {
            quick::waiting();
            read_to_string(stdin().take(MAX_BYTES)).map_err(|e| e.to_string())
        }
        _ => text::read(path, MAX_BYTES),
    }
}

/// Takes the tables below a key; `None` when they cannot be read.
fn tables(table: &mut Table, key: &str, problems: &mut Vec<Problem>) -> Option<Vec<Table>> {
    let Some(value) = table.remove(key) else { return Some(Vec::new()) };
    let mut tables = value.try_into::<Vec<Table>>().ok();
    if tables.as_ref().is_none_or(|tables| tables.len() > MAX_ENTRIES) {
        let hint = format!("write [[{key}]] above its keys; the first {MAX_ENTRIES} count");
        problems.push(Problem::new(key, "is not a list of tables, or too long", hint));
    }
    tables.iter_mut().for_each(|tables| tables.truncate(MAX_ENTRIES));
    tables
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

fn reminder<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    let fits = |time: &Time| time.0.is_zero() || time.0.as_secs() >= 60;
    fitting(from, fits, "is too short; write 1m or more, or 0 for never").map(|time| time.0)
}
