//! Channels in the text of `check-heartbeat.toml`: found, added, and taken out for a test.
//!
//! Invariant: what comes out says the same as what went in, plus the new channel; else
//! the error says what to write by hand, and nothing comes out.

use std::path::Path;

use toml::de::{DeTable, DeValue};
use toml::{Table, Value};

use super::problem::{Problem, Problems};

const KEY: &str = "channel";

/// The text with this channel, the text of a `[[channel]]`. `file` is named in errors.
///
/// # Errors
/// When it has to be written by hand, with what to write.
pub fn with_channel(file: &Path, text: &str, channel: &str) -> Result<String, Problems> {
    let mut table = parsed(file, text)?;
    let wanted = only(channel);
    let channels = all(&table);
    if channels.iter().any(|there| holds(there, &wanted)) {
        return Ok(text.to_owned());
    }
    let kind = |table: &Table| table.get("type").cloned();
    if let Some(at) = channels.iter().position(|there| kind(there) == kind(&wanted)) {
        return Err(taken(file, text, (at, channels[at]), &wanted));
    }
    let gap = if text.is_empty() || text.ends_with("\n\n") { "" } else { "\n" };
    let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    let new = format!("{text}{end}{gap}{channel}");
    let list = table.entry(KEY).or_insert_with(|| Value::Array(Vec::new()));
    if let Some(list) = list.as_array_mut() {
        list.push(Value::Table(wanted));
        if new.parse::<Table>().is_ok_and(|new| new == table) {
            return Ok(new);
        }
    }
    let why = "it has a layout that cannot be extended";
    Err(problem(file, why, format!("add the channel by hand:\n{}", channel.trim_end())))
}

/// A configuration of this channel alone, as it stands in the text; `None` when it does not.
pub fn channel_alone(text: &str, channel: &str) -> Option<String> {
    let (table, wanted) = (text.parse::<Table>().ok()?, only(channel));
    let channel = all(&table).into_iter().find(|there| holds(there, &wanted))?.clone();
    let mut alone = Table::new();
    if let Some(host) = table.get("host") {
        alone.insert("host".to_owned(), host.clone());
    }
    alone.insert(KEY.to_owned(), Value::Array(vec![Value::Table(channel)]));
    Some(alone.to_string())
}

fn problem(file: &Path, why: &str, hint: String) -> Problems {
    Problems(vec![Problem::new(file.display().to_string(), why, hint)])
}

fn parsed(file: &Path, text: &str) -> Result<Table, Problems> {
    text.parse().map_err(|e: toml::de::Error| {
        let line = line(text, e.span().map_or(0, |span| span.start));
        let hint = "fix it first: until then it is ignored as a whole, and no alert is sent";
        problem(file, &format!("cannot read line {line} as TOML"), hint.to_owned())
    })
}

fn line(text: &str, at: usize) -> usize {
    text.get(..at).unwrap_or(text).matches('\n').count() + 1
}

fn all(table: &Table) -> Vec<&Table> {
    let list = table.get(KEY).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_table).collect()
}

/// The one channel of a text that was made here.
fn only(channel: &str) -> Table {
    let table: Table = channel.parse().unwrap_or_default();
    all(&table).first().map(|only| (*only).clone()).unwrap_or_default()
}

/// Whether a channel says all that is wanted; it may say more.
fn holds(there: &Table, wanted: &Table) -> bool {
    !wanted.is_empty() && wanted.iter().all(|(key, value)| there.get(key) == Some(value))
}

/// Another channel of this type is there already: which lines would change.
fn taken(file: &Path, text: &str, (at, there): (usize, &Table), wanted: &Table) -> Problems {
    let kind = wanted.get("type").and_then(Value::as_str).unwrap_or_default();
    let lines: Vec<String> = wanted
        .iter()
        .filter(|(key, value)| there.get(*key) != Some(value))
        .map(|(key, value)| match key_line(text, at, key) {
            Some(n) => format!("change line {n} to: {key} = {value}"),
            None => {
                let n = key_line(text, at, "type").unwrap_or(1);
                format!("add below line {n}: {key} = {value}")
            }
        })
        .collect();
    let why = format!("there is another channel with type = \"{kind}\" already");
    problem(file, &why, format!("if you want the new one, then there:\n{}", lines.join("\n")))
}

/// The line of a key of the channel at this place.
fn key_line(text: &str, at: usize, wanted: &str) -> Option<usize> {
    let table = DeTable::parse(text).ok()?;
    let DeValue::Array(list) = table.get_ref().get(KEY)?.get_ref() else { return None };
    let mut tables = list.iter().filter_map(|value| match value.get_ref() {
        DeValue::Table(table) => Some(table),
        _ => None,
    });
    let key = tables.nth(at)?.iter().find(|(key, _)| key.get_ref() == wanted)?.0;
    Some(line(text, key.span().start))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANNEL: &str = "[[channel]]\ntype = \"telegram\"\nchat_id = 5\n";

    fn add(text: &str) -> Result<String, String> {
        with_channel(Path::new("a.toml"), text, CHANNEL).map_err(|e| e.print(false))
    }

    #[test]
    fn what_is_there_stays_and_a_channel_is_added_once() {
        for text in ["", "host = \"h\"", "[[channel]]\ntype = \"command\"\ncommand = [\"x\"]\n"] {
            let new = add(text).unwrap();
            assert!(new.starts_with(text) && new.ends_with(CHANNEL), "{new}");
            assert_eq!(add(&new).unwrap(), new);
        }
        let more = "[[channel]]\ntype=\"telegram\"\nname='us'\nchat_id=5\n";
        assert_eq!(add(more).unwrap(), more);
        let alone =
            channel_alone(&format!("host = \"h\"\nmode = \"all\"\n{more}"), CHANNEL).unwrap();
        let wanted = "host = \"h\"\n[[channel]]\ntype = \"telegram\"\nname = \"us\"\nchat_id = 5";
        assert_eq!(alone.parse::<Table>().unwrap(), wanted.parse::<Table>().unwrap());
    }

    #[test]
    fn a_file_that_would_break_is_left_alone() {
        let inline = add("channel = [ { type = \"command\", command = [\"x\"] } ]\n").unwrap_err();
        assert!(inline.contains("by hand"), "{inline}");
        let broken = add("host = \"h\"\n[[channel\n").unwrap_err();
        assert!(broken.starts_with("a.toml: cannot read line 2 "), "{broken}");
        assert!(add("channel = 5\n").is_err());
    }

    #[test]
    fn another_of_its_type_is_named_by_its_lines() {
        let text = "[[channel]]\ntype = \"smtp\"\n\n[[channel]]\ntype=\"telegram\" # ours\n";
        let none = add(text).unwrap_err();
        assert!(none.contains("then there:\nadd below line 5: chat_id = 5"), "{none}");
        let other = add(&format!("{text}chat_id = 6\n")).unwrap_err();
        assert!(other.contains("type = \"telegram\" already"), "{other}");
        assert!(other.ends_with("then there:\nchange line 6 to: chat_id = 5\n"), "{other}");
    }
}
