//! `katana-bot backup` and `katana-bot restore`: the state in one file, and back.
//!
//! Invariant: neither needs more of the configuration than where the state is; a token that cannot
//! be read must not stand between an operator and their backup.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::json;

use super::sources::sources;
use super::stop::{Stop, of_store};
use super::style::{columns, say, say_json};
use super::{endpoint, exit};
use crate::config::{Config, Examined, Problems};
use crate::logging::{self, Sink};
use crate::model::ids::BotId;
use crate::observe::catalog::JournalEvent;
use crate::observe::clock::Clock;
use crate::store::{BackupError, BotContents, Contents, StoreErrorKind, file};

/// How to restore.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish {
    /// Only verify.
    pub(super) check: bool,
    /// The state of any bot.
    pub(super) other_bot: bool,
}

/// Where the state is, and whose, as far as the configuration shows.
struct Place {
    state: PathBuf,
    bot: Option<BotId>,
    /// The unit that has to be stopped and started.
    unit: String,
    /// Where backups rotate, and how many stay.
    dir: PathBuf,
    keep: usize,
}

impl Place {
    fn find(file: Option<PathBuf>) -> anyhow::Result<Self> {
        let sources = sources(file);
        let Examined { loaded, problems } = Config::examine(&sources);
        // A configuration file that cannot be read may name another state file.
        let file = sources.file().map(shown).unwrap_or_default();
        let unread = |key: &str| !file.is_empty() && key.starts_with(&file);
        let grave = |key: &str| {
            ["store", "backup"].iter().any(|section| key.starts_with(section)) || unread(key)
        };
        let grave: Vec<_> = problems.0.into_iter().filter(|p| grave(&p.key)).collect();
        if !grave.is_empty() {
            return Err(Problems(grave).into());
        }
        let bot = loaded.config.telegram.token.bot_id().map(BotId);
        let unit = endpoint::unit(sources.file());
        let Config { store, backup, .. } = loaded.config;
        let keep = usize::try_from(backup.keep).unwrap_or(usize::MAX);
        Ok(Self { state: store.path, bot, unit, dir: backup.dir, keep })
    }
}

/// Runs `katana-bot backup`; without a file, those in `backup.dir` rotate.
pub(super) fn backup(
    config: Option<PathBuf>,
    to: Option<&Path>,
    force: bool,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let place = Place::find(config)?;
    let Some(to) = to else { return rotate(&place, json) };
    let state = place.state;
    let is_piped = to == Path::new("-");
    let contents = if is_piped {
        let mut out = std::io::stdout().lock();
        if out.is_terminal() {
            let hint = "name a file, or send it on: katana-bot backup - | gzip > FILE";
            let text = "a backup is binary, so it is not written to a terminal";
            return Err(Stop::new(exit::USAGE, text, hint).into());
        }
        file::backup_to(&state, &mut out)?
    } else {
        file::backup(&state, to, force)?
    };
    let report = match json {
        true => format!("{}\n", as_json(&contents, &[("file", &shown(to))])),
        false => {
            let to = if is_piped { "standard output".to_owned() } else { shown(to) };
            format!("The state is in {to}, verified:\n{}", table(&contents))
        }
    };
    if is_piped {
        eprint!("{report}")
    } else {
        say(&report)
    }
    Ok(ExitCode::SUCCESS)
}

/// A new file in `backup.dir`, for which the oldest goes.
fn rotate(place: &Place, json: bool) -> anyhow::Result<ExitCode> {
    let done = file::rotate(&place.state, &place.dir, place.keep, &Clock::system())?;
    let deleted: Vec<String> = done.deleted.iter().map(|path| shown(path)).collect();
    if json {
        let mut report = as_json(&done.contents, &[("file", &shown(&done.path))]);
        report["deleted"] = json!(deleted);
        say_json(&report);
        return Ok(ExitCode::SUCCESS);
    }
    let mut report = format!("The state is in {}, verified:\n", shown(&done.path));
    report.push_str(&table(&done.contents));
    deleted.iter().for_each(|path| report.push_str(&format!("Deleted, as an older one: {path}\n")));
    say(&report);
    Ok(ExitCode::SUCCESS)
}

/// Runs `katana-bot restore`.
pub(super) fn restore(
    config: Option<PathBuf>,
    from: &Path,
    wish: Wish,
    json: bool,
) -> anyhow::Result<ExitCode> {
    if wish.check {
        let contents = file::examine(from)?;
        match json {
            true => say_json(&as_json(&contents, &[("file", &shown(from))])),
            false => say(&format!("{} is a valid backup:\n{}", shown(from), table(&contents))),
        }
        return Ok(ExitCode::SUCCESS);
    }
    let place = Place::find(config)?;
    let bot = place.bot.filter(|_| !wish.other_bot);
    let done = file::restore(&place.state, from, bot, &Clock::system())
        .map_err(|e| in_use(e, &place.unit))?;
    let kept = done.kept.as_deref().map(shown);
    note(&place.unit, from, kept.as_deref());
    if json {
        let places = [("file", &shown(from)), ("state", &shown(&done.path))];
        let mut report = as_json(&done.contents, &places);
        report["kept"] = json!(kept);
        say_json(&report);
        return Ok(ExitCode::SUCCESS);
    }
    let mut report = format!("{} is the state now, in {}:\n", shown(from), shown(&done.path));
    report.push_str(&table(&done.contents));
    if let Some(kept) = kept {
        report.push_str(&format!("The old state was kept as {kept}\n"));
    }
    if place.bot.is_none() {
        report.push_str(
            "The bot's token could not be read: check yourself that the backup is \
        from this bot.\n",
        );
    }
    report.push_str(&format!("Start the bot: systemctl start {}\n", place.unit));
    say(&report);
    Ok(ExitCode::SUCCESS)
}

/// Leaves an entry in the journal, where those of the daemon are: `journalctl -u` also shows what
/// root says about a unit in this field (systemd.journal-fields(7)).
fn note(unit: &str, from: &Path, kept: Option<&str>) {
    logging::begin(Sink::JournalAlone, "info", hygiene::Redactor::default(), None);
    let aside = kept.map(|path| format!("; the old one was kept as {path}"));
    tracing::warn!(
        message_id = JournalEvent::StateRestored.id(),
        object_systemd_unit = format!("{unit}.service"),
        "the state was restored from {}{}",
        from.display(),
        aside.unwrap_or_default()
    );
}

/// Here, the other process is the bot itself.
fn in_use(e: BackupError, unit: &str) -> anyhow::Error {
    match e {
        BackupError::State(e) if e.kind() == StoreErrorKind::InUse => {
            let hint = format!("stop the bot first: systemctl stop {unit}");
            Stop::new(exit::TEMPFAIL, e.to_string(), hint).into()
        }
        e => e.into(),
    }
}

/// The exit code for a failure.
pub(super) fn code(e: &BackupError) -> u8 {
    match e {
        BackupError::Exists { .. } | BackupError::Place { .. } | BackupError::Special { .. } => {
            exit::USAGE
        }
        BackupError::Busy { .. } => exit::TEMPFAIL,
        BackupError::Newer { .. } | BackupError::OtherBot { .. } => exit::CONFIG,
        BackupError::State(e) => of_store(e),
        BackupError::Read { .. }
        | BackupError::Delete { .. }
        | BackupError::Write { .. }
        | BackupError::Damaged { .. }
        | BackupError::Foreign { .. } => exit::UNAVAILABLE,
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn time(ms: i64) -> Option<jiff::Timestamp> {
    jiff::Timestamp::from_millisecond(ms).ok()
}

fn as_json(contents: &Contents, places: &[(&str, &String)]) -> serde_json::Value {
    let bots: Vec<_> = contents
        .bots
        .iter()
        .map(|b| {
            json!({
                "bot_id": b.bot.0, "people": b.people, "exchanges": b.turns,
                "waiting": b.waiting, "unsent": b.unsent,
                "newest": b.newest_ms.and_then(time).map(|t| t.to_string()),
            })
        })
        .collect();
    let mut report = json!({"bytes": contents.bytes, "schema": contents.schema, "bots": bots});
    for (name, value) in places {
        report[*name] = json!(value);
    }
    report
}

fn table(contents: &Contents) -> String {
    let newest = file::newest_schema();
    let schema = match contents.schema {
        old if old < newest => format!("{old}; the next start migrates it to {newest}"),
        same => same.to_string(),
    };
    let size = format!("{:.1} MiB", contents.bytes as f64 / 1_048_576.0);
    let mut rows = vec![("size".to_owned(), size), ("schema".to_owned(), schema)];
    rows.extend(contents.bots.iter().map(|b| (format!("bot {}", b.bot), of_bot(b))));
    columns(&rows)
}

fn of_bot(b: &BotContents) -> String {
    let newest = match b.newest_ms.and_then(time) {
        Some(at) => format!("newest message {}", at.strftime("%Y-%m-%d %H:%M:%S UTC")),
        None => "no message".to_owned(),
    };
    format!(
        "people: {}, exchanges: {}, waiting: {}, unsent: {}; {newest}",
        b.people, b.turns, b.waiting, b.unsent
    )
}
