//! The files of one configuration as one table: the main file, then its drop-ins in the order of their
//! names.
//!
//! A later value replaces an earlier one. A `[[channel]]` or `[[watch]]` with the name of an earlier
//! file's changes the keys of that one, unless it is a channel of another type, or one that setup wrote and
//! tried as it is: these replace it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use hygiene::drop_ins::SETUP;
use toml::de::{DeTable, DeValue};
use toml::{Table, Value};

use crate::problem::Problem;
use crate::watch::Watch;

/// The lists of tables, whose entries have names.
const LISTS: [&str; 2] = ["watch", "channel"];

/// A file that was read: its path, which is empty for a text without one, and its text.
pub type Text = (PathBuf, String);

/// All files together.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    /// What they say together.
    pub table: Table,
    texts: Vec<Text>,
    /// The places of each entry of a list: which text, and which entry of its list.
    entries: BTreeMap<(&'static str, usize), Vec<(usize, usize)>>,
}

impl Layers {
    /// Adds the next file.
    ///
    /// # Errors
    /// When it is not TOML; it then counts for nothing.
    pub fn add(&mut self, text: Text) -> Result<(), Problem> {
        let table = text.1.parse::<Table>().map_err(|error| refused(&text, &error))?;
        let number = self.texts.len();
        self.texts.push(text);
        for (key, value) in table {
            match LISTS.into_iter().find(|list| *list == key).zip(tables(&value)) {
                Some((list, tables)) => self.extend(list, tables, number),
                None => drop(self.table.insert(key, value)),
            }
        }
        Ok(())
    }

    fn extend(&mut self, list: &'static str, tables: Vec<Table>, text: usize) {
        let there = self.table.entry(list).or_insert_with(|| Value::Array(Vec::new()));
        // Another kind of value is a mistake of an earlier file, which this one replaces.
        if tables_of(there).is_none() {
            *there = Value::Array(Vec::new());
        }
        let Some(there) = there.as_array_mut() else { return };
        let of_setup = |(path, _): &Text| list == "channel" && path.ends_with(SETUP);
        let replaces = self.texts.get(text).is_some_and(of_setup);
        let earlier = there.len();
        for (own, table) in tables.into_iter().enumerate() {
            let own_name = name(list, &table);
            let same = |old: &Value| old.as_table().is_some_and(|old| name(list, old) == own_name);
            let place = there[..earlier].iter().position(same);
            let at = place.unwrap_or(there.len());
            match there.get_mut(at).and_then(Value::as_table_mut) {
                Some(old) if replaces || !fits(old, &table) => *old = table,
                Some(old) => old.extend(table),
                None => there.push(Value::Table(table)),
            }
            self.entries.entry((list, at)).or_default().push((text, own));
        }
    }

    /// The problem with the file and line of its key, if they are known.
    pub fn located(&self, mut problem: Problem) -> Problem {
        if let Some(place) = self.place(&problem.key) {
            problem.message.push_str(&format!(" ({place})"));
        }
        problem
    }

    /// File and line of what a problem is about, such as `channel[2].chat_id`.
    fn place(&self, key: &str) -> Option<String> {
        let (top, rest) = key.split_once('.').unwrap_or((key, ""));
        let rest = rest.split(['.', ' ']).next().unwrap_or_default();
        let Some((list, number)) = top.strip_suffix(']').and_then(|top| top.split_once('[')) else {
            let texts = self.texts.iter().rev();
            return texts.filter_map(|text| line(text, |table| at(table, top))).next();
        };
        let list = LISTS.into_iter().find(|known| *known == list)?;
        let places = self.entries.get(&(list, number.parse::<usize>().ok()?.checked_sub(1)?))?;
        let find = |name: &str| {
            let mut lines = places.iter().rev().filter_map(|(text, own)| {
                line(self.texts.get(*text)?, |table| at(entry(table, list, *own)?, name))
            });
            lines.next()
        };
        // A key that is missing belongs to its table.
        find(rest).or_else(|| find("type")).or_else(|| find("name")).or_else(|| find("file"))
    }
}

/// Whether the later table is not of another type.
fn fits(old: &Table, new: &Table) -> bool {
    new.get("type").is_none_or(|kind| old.get("type") == Some(kind))
}

/// The name of an entry, as the configuration has it in the end.
fn name(list: &str, table: &Table) -> Option<String> {
    let word = |key| table.get(key).and_then(Value::as_str).map(str::to_owned);
    match list {
        "channel" => word("name").or_else(|| word("type")),
        _ => word("name").or_else(|| {
            if let Some(url) = word("url") {
                return Some(Watch::name_for_url(&url));
            }
            let file = word("file").map_or_else(|| Watch::default().file, PathBuf::from);
            Some(Watch::name_for(&file))
        }),
    }
}

fn tables(value: &Value) -> Option<Vec<Table>> {
    value.as_array()?.iter().map(|value| value.as_table().cloned()).collect()
}

fn tables_of(value: &Value) -> Option<()> {
    value.as_array()?.iter().all(Value::is_table).then_some(())
}

fn refused((path, text): &Text, error: &toml::de::Error) -> Problem {
    let at = error.span().map_or(0, |span| span.start);
    let line = text.get(..at).map_or(1, |before| before.matches('\n').count() + 1);
    let message = format!("line {line} is not TOML: {}", Problem::of("", error).message);
    let file = path.display().to_string();
    Problem::new(&file, message, "nothing in the file counts until it is fixed")
}

/// File and line of a byte that `find` finds in the table of this text.
fn line((path, text): &Text, find: impl Fn(&DeTable<'_>) -> Option<usize>) -> Option<String> {
    let table = DeTable::parse(text).ok()?;
    let before = text.get(..find(table.get_ref())?)?;
    Some(format!("{}:{}", path.display(), before.matches('\n').count() + 1))
}

fn at(table: &DeTable<'_>, key: &str) -> Option<usize> {
    table.iter().find(|(there, _)| there.get_ref() == key).map(|(there, _)| there.span().start)
}

fn entry<'a, 'b>(table: &'a DeTable<'b>, list: &str, number: usize) -> Option<&'a DeTable<'b>> {
    let DeValue::Array(list) = table.get(list)?.get_ref() else { return None };
    match list.get(number)?.get_ref() {
        DeValue::Table(table) => Some(table),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layers(texts: &[(&str, &str)]) -> Layers {
        let mut layers = Layers::default();
        for (path, text) in texts {
            layers.add((PathBuf::from(path), (*text).to_owned())).unwrap();
        }
        layers
    }

    #[test]
    fn names_merge_and_everything_else_is_replaced() {
        let layers = layers(&[
            (
                "main",
                "host = \"a\"\nalert_on = [\"failing\"]\n[[channel]]\ntype = \"telegram\"\nchat_id = 1\n\
                 thread_id = 2\n[[channel]]\ntype = \"smtp\"\nname = \"m\"\nhost = \"mx\"\n[[watch]]\n",
            ),
            (
                "late",
                "alert_on = [\"degraded\"]\n[[channel]]\ntype = \"telegram\"\nchat_id = 5\n\
                 [[channel]]\ntype = \"command\"\nname = \"m\"\nprogram = \"/p\"\n\
                 [[watch]]\nfile = \"/run/katana-bot/heartbeat\"\nthreshold = \"5m\"\n\
                 [[watch]]\nname = \"other\"\n",
            ),
        ]);
        let wanted = "host = \"a\"\nalert_on = [\"degraded\"]\n\
            [[channel]]\ntype = \"telegram\"\nchat_id = 5\nthread_id = 2\n\
            [[channel]]\ntype = \"command\"\nname = \"m\"\nprogram = \"/p\"\n\
            [[watch]]\nfile = \"/run/katana-bot/heartbeat\"\nthreshold = \"5m\"\n\
            [[watch]]\nname = \"other\"\n";
        assert_eq!(layers.table, wanted.parse::<Table>().unwrap());
        for (key, place) in [
            ("host", Some("main:1")),
            ("alert_on", Some("late:1")),
            ("channel[1].chat_id", Some("late:4")),
            ("channel[1].thread_id", Some("main:6")),
            ("channel[2].args", Some("late:6")),
            ("watch[2].threshold", Some("late:13")),
            ("watch[9].file", None),
            ("nothing", None),
        ] {
            assert_eq!(layers.place(key).as_deref(), place, "{key}");
        }
    }

    #[test]
    fn what_setup_wrote_is_what_it_tried() {
        let theirs = "[[channel]]\ntype = \"smtp\"\nhost = \"old\"\nuser = \"a\"\n";
        let setup = "[[channel]]\ntype = \"smtp\"\nhost = \"mx\"\n";
        let (mine, place) = ("[[channel]]\nname = \"smtp\"\nport = 1\n", "/etc/x.d/50-setup.toml");
        let together = layers(&[("main", theirs), (place, setup), ("60-mine.toml", mine)]).table;
        let wanted = format!("{setup}name = \"smtp\"\nport = 1\n");
        assert_eq!(together, wanted.parse::<Table>().unwrap());
    }

    #[test]
    fn a_bot_elsewhere_is_another_watch_than_the_one_here() {
        let here = "[[watch]]\nthreshold = \"5m\"\n";
        let there = "[[watch]]\nurl = \"https://bot.example.org/health\"\n";
        let layers = layers(&[("main", here), ("late", there), ("later", there)]);
        assert_eq!(layers.table, format!("{here}{there}").parse::<Table>().unwrap());
    }

    #[test]
    fn two_of_one_name_in_one_file_stay_two() {
        let twice = "[[channel]]\ntype = \"smtp\"\n".repeat(2);
        let layers = layers(&[("main", &twice)]);
        assert_eq!(layers.table["channel"].as_array().map(Vec::len), Some(2));
        assert_eq!(layers.place("channel[2].name").as_deref(), Some("main:4"));
    }
}
