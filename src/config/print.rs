//! The effective configuration as text: valid TOML, each line with its origin, secrets masked.

use super::key::{Key, Kind, keys};
use super::value::Value;
use super::{Loaded, Origin};

impl Loaded {
    /// The effective configuration as TOML. Loaded again, it gives the same values; secrets appear
    /// in comments only, and masked. `colour` adds ANSI colours.
    pub fn print(&self, colour: bool) -> String {
        let (bold, dim, off) =
            if colour { ("\x1b[1m", "\x1b[2m", "\x1b[0m") } else { ("", "", "") };
        let mut text = String::new();
        let mut section = "";
        for key in keys() {
            let Some((value, origin)) = self.rows.get(key.path) else { continue };
            if key.section() != section {
                let gap = if section.is_empty() { "" } else { "\n" };
                section = key.section();
                text.push_str(&format!("{gap}{bold}[{section}]{off}\n"));
            }
            let (setting, comment) = line(key, value, origin);
            let gap = if setting.is_empty() { "" } else { " " };
            text.push_str(&format!("{setting}{gap}{dim}# {comment}{off}\n"));
        }
        text
    }
}

/// A setting and its comment.
fn line(key: &Key, value: &Value, origin: &Origin) -> (String, String) {
    let name = key.name();
    match value {
        Value::Unset => (String::new(), format!("{name} is not set")),
        Value::Secret(secret) => {
            let token = key.kind == Kind::Secret("telegram-token");
            let mask = if token { secret.masked_token() } else { secret.to_string() };
            (String::new(), format!("{name} = {mask} (from {origin})"))
        }
        value => (format!("{name} = {}", value.to_toml()), origin.to_string()),
    }
}
