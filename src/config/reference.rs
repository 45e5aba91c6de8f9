//! The reference of all keys, written from their declarations: `docs/configuration.md`, the
//! packaged file and the page on reloads hold these texts, and `tests/docs.rs` compares them.

use super::credential;
use super::key::{Key, NAME, Reload};
use super::kind::{expected, from_text};
use super::sections::{ANOTHER_BOT, keys};

/// Width of the comments in the packaged file.
const WIDTH: usize = 96;

/// The name of a table in the packaged file.
const EXAMPLE: &str = "backup";

/// Opens the packaged file.
const HEADER: &str = "\
# Katana's configuration: each setting with its default, as a comment. Write your own settings into
# a file of the folder katana-bot.d beside this one, such as katana-bot.d/60-own.toml: updates never
# touch those files, and ask about this one if it was changed. They are read after it, in the order
# of their names; a later one wins. `katana-bot setup` writes 50-setup.toml there.
#
# Every key can also be set in the environment, which wins: KATANA_<SECTION>_<KEY>.
# Secrets are never read from this file; its readers need not be trusted.
# katana-bot.toml(5) says more, and when to change each.
#
#   katana-bot check-config    reports everything that is wrong with it
#   katana-bot print-config    shows each value that counts, and where it came from
";

/// The chapters of `docs/configuration.md` on each section and key, as Markdown.
pub fn markdown() -> String {
    let mut text = String::new();
    let mut section = "";
    for key in keys() {
        if key.section() != section {
            section = key.section();
            text.push_str(&format!("### `[{section}]`\n\n"));
        }
        text.push_str(&entry(key));
    }
    text
}

fn entry(key: &Key) -> String {
    let mut text = format!("#### `{}`\n\n{}\n\n", key.path(), key.doc);
    match (key.credential(), key.default_toml().as_str()) {
        (Some(name), _) => {
            text.push_str(&format!("* Secret; its systemd credential is `{name}`.\n"));
        }
        (None, "") => text.push_str(&format!("* Takes {}.\n", expected(key.kind))),
        (None, default) => {
            let (default, takes) = (code(default), expected(key.kind));
            text.push_str(&format!("* Default: {default}. Takes {takes}.\n"));
        }
    }
    let mut names: Vec<String> = key.variables().collect();
    if key.credential().is_some() {
        // In the order in which they are looked at.
        let files: Vec<String> = names.iter().map(|name| format!("{name}_FILE")).collect();
        names.splice(0..0, files);
    }
    let names: Vec<String> = names.iter().map(|name| code(name)).collect();
    text.push_str(&format!("* Environment: {}.\n", names.join(", ")));
    if !key.shared.is_empty() {
        let shared: Vec<String> = key.shared.iter().map(|name| code(name)).collect();
        let shared = shared.join(", ");
        text.push_str(&format!("* Also, when its provider is the chosen one: {shared}.\n"));
    }
    if !key.when.is_empty() {
        text.push_str(&format!("* When to change it: {}\n", key.when));
    }
    text.push('\n');
    text
}

fn code(text: &str) -> String {
    format!("`{text}`")
}

/// The keys that need a restart, and why, as a table in Markdown.
pub fn restart_markdown() -> String {
    let mut text = String::from("| key | why it needs a restart |\n|---|---|\n");
    for key in keys() {
        if let Reload::Restart(why) = key.reload {
            text.push_str(&format!("| `{}` | {why} |\n", key.path()));
        }
    }
    text.push_str(&format!("| `telegram.token` of another bot | {ANOTHER_BOT} |\n"));
    text
}

/// The packaged configuration file: every key, as a comment with its default.
pub fn template() -> String {
    let mut text = HEADER.to_owned();
    let mut section = "";
    for key in keys() {
        text.push('\n');
        if key.section() != section {
            section = key.section();
            // A table with a name is one only when someone writes it.
            let off = if key.table().is_some() { "# " } else { "" };
            text.push_str(&format!("{off}[{}]\n\n", section.replace(NAME, EXAMPLE)));
        }
        let words = match key.credential() {
            Some(_) => {
                let places = credential::places(&key.named(EXAMPLE));
                format!("{}: a secret, so not here; {places}.", key.name())
            }
            None => key.doc.replace('`', ""),
        };
        text.push_str(&comment(&words));
        if key.credential().is_none() {
            text.push_str(&format!("# {} = {}\n", key.name(), shown(key)));
        }
    }
    text
}

/// The default, or the example where there is none.
fn shown(key: &Key) -> String {
    let default = key.default_toml();
    if !default.is_empty() {
        return default;
    }
    from_text(key.kind, key.example).map(|value| value.to_toml()).unwrap_or_default()
}

/// Breaks a text into comment lines. Two signs mark it, so that one sign marks a setting.
fn comment(words: &str) -> String {
    let mut text = String::new();
    let mut line = "##".to_owned();
    for word in words.split_whitespace() {
        if line.len() + 1 + word.len() > WIDTH {
            text.push_str(&line);
            text.push('\n');
            line = "##".to_owned();
        }
        line.push(' ');
        line.push_str(word);
    }
    text.push_str(&line);
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Sources};

    #[test]
    fn the_template_holds_the_defaults() {
        let template = template();
        // All that is in a table with a name is an example.
        let without = |template: String, table: &str| {
            let (before, table) = template.split_once(table).expect("the table");
            format!("{before}{}", &table[table.find("\n[").expect("more sections")..])
        };
        let tables = ["# [providers.backup]", "# [knowledge.sources.backup]"];
        let uncommented: String = tables
            .into_iter()
            .fold(template, without)
            .lines()
            .skip_while(|line| !line.starts_with('['))
            .filter(|line| !line.starts_with("##"))
            .map(|line| format!("{}\n", line.strip_prefix("# ").unwrap_or(line)))
            .collect();
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("katana-bot.toml");
        let env = [("TELEGRAM_TOKEN", "42:abcdefgh"), ("OPENAI_API_KEY", "k"), ("HOME", "/h")];
        let mut sources = Sources::from_env(env);
        let defaults = Config::load(&sources).expect("valid").config;
        std::fs::write(&path, &uncommented).expect("written");
        sources.files = vec![path];
        let mut config = Config::load(&sources).expect("valid").config;
        // These have no default but an example.
        config.store.path = defaults.store.path.clone();
        config.watch.heartbeat_path = defaults.watch.heartbeat_path.clone();
        config.backup.dir = defaults.backup.dir.clone();
        config.knowledge = defaults.knowledge.clone();
        config.embeddings = defaults.embeddings.clone();
        config.qdrant.url = String::new();
        assert_eq!(format!("{config:#?}"), format!("{defaults:#?}"));
    }

    #[test]
    fn every_key_is_in_both() {
        let (markdown, template) = (markdown(), template());
        for key in keys() {
            assert!(markdown.contains(&format!("#### `{}`", key.path())), "{}", key.path());
            let secret = format!("## {}: a secret", key.name());
            let setting = format!("\n# {} = ", key.name());
            assert!(template.contains(&secret) || template.contains(&setting), "{}", key.path());
        }
    }
}
