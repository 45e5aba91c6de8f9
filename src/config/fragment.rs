//! The file of `katana-bot setup` among the drop-ins of a configuration, for the bot or its checker.
//!
//! It belongs to setup, which writes it as a whole: no other file is edited, so that packages can
//! replace theirs, and what setup wrote can be changed by setup.

use std::collections::BTreeSet;
use std::path::Path;

use toml::{Table, Value};

use super::channels::{CHANNEL, described, name, only, parsed};
use super::kind::from_text;
use super::problem::{Problem, Problems};
use super::sections::find;

/// Its name.
pub const FRAGMENT: &str = hygiene::drop_ins::SETUP;

const HEAD: &str = "\
# Written by `katana-bot setup`, which replaces this file. To change a setting, run it again, or write
# the setting into a file of your own with a later name, such as 60-mine.toml.

";

/// What is in the file.
#[derive(Clone, Debug, Default)]
pub struct Fragment(Table);

impl Fragment {
    /// Reads its text, which may be empty. `file` is named in errors.
    ///
    /// # Errors
    /// When a person broke it.
    pub fn read(file: &Path, text: &str) -> Result<Self, Problems> {
        parsed(file, text).map(Self)
    }

    /// Sets a key such as `answer.provider` to a value as the environment would have it, or removes it.
    ///
    /// # Errors
    /// When the value does not fit.
    pub fn set(&mut self, path: &str, value: Option<&str>) -> Result<(), Problem> {
        let key = find(path).ok_or_else(|| Problem::new(path, "there is no such key", ""))?;
        let Some(value) = value else {
            if let Some(section) = self.0.get_mut(key.section()).and_then(Value::as_table_mut) {
                section.remove(key.name());
                if section.is_empty() {
                    self.0.remove(key.section());
                }
            }
            return Ok(());
        };
        let problem = |why: String| Problem::new(path, why, "see katana-bot.toml(5)");
        let value =
            from_text(key.kind, value).map_err(|why| problem(format!("the value {why}")))?;
        let line = format!("{} = {}", key.name(), value.to_toml());
        let set = line.parse::<Table>().map_err(|_| problem("it cannot be written".to_owned()))?;
        let section = self.0.entry(key.section()).or_insert_with(|| Value::Table(Table::new()));
        if let Some(section) = section.as_table_mut() {
            section.extend(set);
        }
        Ok(())
    }

    /// Whether it has this key.
    pub fn has(&self, path: &str) -> bool {
        let key = find(path);
        key.is_some_and(|key| {
            self.0.get(key.section()).is_some_and(|t| t.get(key.name()).is_some())
        })
    }

    /// Adds a channel, the text of a `[[channel]]`, in place of one of its type.
    pub fn set_channel(&mut self, channel: &str) {
        let channel = only(channel);
        let list = self.0.entry(CHANNEL).or_insert_with(|| Value::Array(Vec::new()));
        if let Some(list) = list.as_array_mut() {
            list.retain(|there| there.get("type") != channel.get("type"));
            list.push(Value::Table(channel));
        }
    }

    /// The channels: the name of each, and a few words about it.
    pub fn channels(&self) -> Vec<(String, String)> {
        let list = self.0.get(CHANNEL).and_then(Value::as_array);
        let tables = list.into_iter().flatten().filter_map(Value::as_table);
        tables.map(|table| (name(table).to_owned(), described(table))).collect()
    }

    /// Takes away the channels of this name.
    pub fn drop_channel(&mut self, named: &str) {
        if let Some(list) = self.0.get_mut(CHANNEL).and_then(Value::as_array_mut) {
            list.retain(|there| there.as_table().map(name) != Some(named));
            if list.is_empty() {
                self.0.remove(CHANNEL);
            }
        }
    }

    /// The text to write.
    pub fn text(&self) -> String {
        if self.0.is_empty() { String::new() } else { format!("{HEAD}{}", self.0) }
    }

    /// Its settings, a line each, to show what changes.
    pub fn lines(&self) -> BTreeSet<String> {
        let mut lines = BTreeSet::new();
        for (section, value) in &self.0 {
            match value {
                Value::Array(list) => {
                    for table in list {
                        let kind = table.get("type").and_then(Value::as_str).unwrap_or_default();
                        add(&mut lines, &format!("{section} {kind}: "), table);
                    }
                }
                value => add(&mut lines, &format!("{section}."), value),
            }
        }
        lines
    }
}

fn add(lines: &mut BTreeSet<String>, before: &str, value: &Value) {
    for (key, value) in value.as_table().into_iter().flatten() {
        lines.insert(format!("{before}{key} = {value}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Fragment {
        Fragment::read(Path::new("50-setup.toml"), text).unwrap()
    }

    #[test]
    fn keys_are_set_changed_and_removed() {
        let mut fragment = Fragment::default();
        assert_eq!(fragment.text(), "");
        fragment.set("answer.provider", Some("openai")).unwrap();
        fragment.set("openai.model", Some("a \"b\"")).unwrap();
        let text = fragment.text();
        assert!(text.starts_with("# Written by `katana-bot setup`"), "{text}");
        assert!(text.contains("[openai]\nmodel = 'a \"b\"'\n"), "{text}");
        let mut again = read(&text);
        assert_eq!(again.text(), text, "what is read is written");
        again.set("answer.provider", Some("anthropic")).unwrap();
        assert!(again.has("openai.model") && !again.has("openai.base_url"));
        again.set("openai.model", None).unwrap();
        let lines: Vec<_> = again.lines().into_iter().collect();
        assert_eq!(lines, ["answer.provider = \"anthropic\""]);
        assert!(again.set("answer.provider", Some("no-such-provider")).is_err());
        assert!(again.set("answer.nothing", Some("1")).is_err());
        let broken = Fragment::read(Path::new("a.toml"), "host = 1\n[[channel\n").unwrap_err();
        assert!(broken.print(false).starts_with("a.toml: cannot read line 2 "), "{broken}");
    }

    #[test]
    fn a_channel_replaces_the_one_of_its_type() {
        let telegram = |id| format!("[[channel]]\ntype = \"telegram\"\nchat_id = {id}\n");
        let mail = "[[channel]]\ntype = \"smtp\"\nhost = \"mx\"\n";
        let mut fragment = Fragment::default();
        fragment.set_channel(&telegram(5));
        fragment.set_channel(mail);
        fragment.set_channel(&telegram(6));
        let text = fragment.text();
        assert!(text.matches("[[channel]]").count() == 2 && !text.contains("= 5"), "{text}");
        assert!(fragment.lines().contains("channel telegram: chat_id = 6"));
        let described: Vec<_> = fragment.channels().into_iter().map(|(_, words)| words).collect();
        assert_eq!(described, ["smtp", "telegram: chat_id = 6"]);
        fragment.drop_channel("telegram");
        assert_eq!(fragment.channels(), [("smtp".to_owned(), "smtp".to_owned())]);
        fragment.drop_channel("smtp");
        assert_eq!(fragment.text(), "");
    }
}
