//! The channels of the checker's configuration, as all its files together have them.
//!
//! `check-heartbeat` reads the files by the same rules: a channel with the name of an earlier file's changes
//! the keys of that one, unless it is of another type, or in setup's own file: these replace it.

use std::path::{Path, PathBuf};

use hygiene::drop_ins::SETUP;
use toml::{Table, Value};

use super::problem::{Problem, Problems};

/// The list of the channels.
pub(super) const CHANNEL: &str = "channel";

/// A channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Channel {
    table: Table,
    /// The last file that says something about it.
    pub file: PathBuf,
}

impl Channel {
    /// How people and other files call it.
    pub fn name(&self) -> &str {
        name(&self.table)
    }

    /// Such as `telegram`.
    pub fn kind(&self) -> &str {
        word(&self.table, "type")
    }

    /// Whether it says all that this text of a `[[channel]]` does.
    fn says(&self, wanted: &Table) -> bool {
        wanted.iter().all(|(key, value)| self.table.get(key) == Some(value))
    }
}

/// The channels of these files, which are in their order.
///
/// # Errors
/// When one of them is broken.
pub fn channels(texts: &[(PathBuf, String)]) -> Result<Vec<Channel>, Problems> {
    let mut channels: Vec<Channel> = Vec::new();
    for (file, text) in texts {
        let earlier = channels.len();
        for table in all(&parsed(file, text)?) {
            let same = |there: &&mut Channel| there.name() == name(&table);
            match channels[..earlier].iter_mut().find(same) {
                Some(there) => {
                    there.file.clone_from(file);
                    let kind = table.get("type");
                    let fits = kind.is_none_or(|kind| there.table.get("type") == Some(kind));
                    if file.ends_with(SETUP) || !fits {
                        there.table = table;
                    } else {
                        there.table.extend(table);
                    }
                }
                None => channels.push(Channel { table, file: file.clone() }),
            }
        }
    }
    Ok(channels)
}

/// Whether one of these says all that this text of a `[[channel]]` does.
pub fn has_channel(channels: &[Channel], channel: &str) -> bool {
    let wanted = only(channel);
    channels.iter().any(|there| there.says(&wanted))
}

/// The one that has the name of this text of a `[[channel]]`.
pub fn named_like<'a>(channels: &'a [Channel], channel: &str) -> Option<&'a Channel> {
    let wanted = only(channel);
    channels.iter().find(|there| there.name() == name(&wanted))
}

/// A configuration of this channel alone, as the files have it if they do, with the name of this machine from
/// the first.
///
/// # Errors
/// When one of them is broken.
pub fn channel_alone(texts: &[(PathBuf, String)], channel: &str) -> Result<String, Problems> {
    let main = texts.first().map(|(file, text)| parsed(file, text)).transpose()?;
    let mut alone = Table::new();
    if let Some(host) = main.and_then(|mut table| table.remove("host")) {
        alone.insert("host".to_owned(), host);
    }
    let wanted = only(channel);
    let there = channels(texts)?.into_iter().find(|there| there.says(&wanted));
    let channel = there.map_or(wanted, |there| there.table);
    alone.insert(CHANNEL.to_owned(), Value::Array(vec![Value::Table(channel)]));
    Ok(alone.to_string())
}

/// The table of a file. Its path is named in errors.
pub(super) fn parsed(file: &Path, text: &str) -> Result<Table, Problems> {
    text.parse().map_err(|e: toml::de::Error| {
        let at = e.span().map_or(0, |span| span.start);
        let line = text.get(..at).unwrap_or(text).matches('\n').count() + 1;
        let message = format!("cannot read line {line} as TOML");
        let hint = "fix it first; setup's own file may also be removed, to give all answers again";
        Problems(vec![Problem::new(file.display().to_string(), message, hint)])
    })
}

/// The tables of the channels.
fn all(table: &Table) -> Vec<Table> {
    let list = table.get(CHANNEL).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_table).cloned().collect()
}

/// The one channel of a text that was made here.
pub(super) fn only(channel: &str) -> Table {
    all(&channel.parse().unwrap_or_default()).pop().unwrap_or_default()
}

/// The name of a channel: its type, unless it has another.
pub(super) fn name(table: &Table) -> &str {
    match word(table, "name") {
        "" => word(table, "type"),
        name => name,
    }
}

fn word<'a>(table: &'a Table, key: &str) -> &'a str {
    table.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// A few words about a channel, such as `telegram: chat_id = 5`.
pub(super) fn described(table: &Table) -> String {
    let key = ["chat_id", "to", "url"].into_iter().find_map(|key| Some((key, table.get(key)?)));
    let more = key.map(|(key, value)| format!(": {key} = {value}")).unwrap_or_default();
    format!("{}{more}", name(table))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn telegram(id: i64) -> String {
        format!("[[channel]]\ntype = \"telegram\"\nchat_id = {id}\n")
    }

    const MAIL: &str = "[[channel]]\ntype = \"smtp\"\nhost = \"mx\"\n";

    fn texts(files: &[(&str, &str)]) -> Vec<(PathBuf, String)> {
        files.iter().map(|(file, text)| (PathBuf::from(file), (*text).to_owned())).collect()
    }

    #[test]
    fn what_is_tried_is_what_the_files_have() {
        let main = "host = \"h\"\n";
        for theirs in [MAIL.to_owned(), format!("{MAIL}ca_file = \"/ca\"\n")] {
            let text = format!("{main}{theirs}");
            let texts = texts(&[("a", &text), ("b", &telegram(5))]);
            let alone = channel_alone(&texts, MAIL).unwrap().parse::<Table>().unwrap();
            assert_eq!(alone, text.parse::<Table>().unwrap());
        }
        let alone = channel_alone(&texts(&[("a", main)]), MAIL).unwrap().parse::<Table>().unwrap();
        assert_eq!(alone, format!("{main}{MAIL}").parse::<Table>().unwrap());
    }

    #[test]
    fn a_later_file_counts() {
        let own = "d/50-setup.toml";
        for (files, wanted, file) in [
            (vec![("a", telegram(5))], true, "a"),
            (vec![("a", telegram(5)), ("d/60-b.toml", telegram(6))], false, "d/60-b.toml"),
            (vec![(own, telegram(5)), ("d/60-b.toml", telegram(6))], false, "d/60-b.toml"),
            (vec![("a", telegram(6)), (own, telegram(5))], true, own),
            // By its name; of another type.
            (
                vec![
                    (own, telegram(5)),
                    ("d/60-b.toml", "[[channel]]\nname = \"telegram\"\nchat_id = 6\n".to_owned()),
                ],
                false,
                "d/60-b.toml",
            ),
            (
                vec![
                    (own, telegram(5)),
                    (
                        "d/60-b.toml",
                        "[[channel]]\ntype = \"command\"\nname = \"telegram\"\n".to_owned(),
                    ),
                ],
                false,
                "d/60-b.toml",
            ),
            // Another key, and another channel, hide nothing.
            (
                vec![
                    (own, telegram(5)),
                    (
                        "d/60-b.toml",
                        format!("{MAIL}[[channel]]\nname = \"telegram\"\nthread_id = 2\n"),
                    ),
                ],
                true,
                "d/60-b.toml",
            ),
        ] {
            let files: Vec<_> = files.iter().map(|(file, text)| (*file, text.as_str())).collect();
            let found = channels(&texts(&files)).unwrap();
            assert_eq!(has_channel(&found, &telegram(5)), wanted, "{files:?}");
            let there = named_like(&found, &telegram(5)).expect("there is one");
            assert_eq!(there.file, Path::new(file), "{files:?}");
        }
    }
}
