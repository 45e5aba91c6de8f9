//! Two configurations compared, key by key.

use super::Loaded;
use super::key::keys;

impl Loaded {
    /// Keys whose values differ, in the order of the table. Where a value came from does not
    /// count.
    pub fn changed_keys(&self, other: &Self) -> Vec<&'static str> {
        let value = |loaded: &Self, key: &str| loaded.rows.get(key).map(|(value, _)| value.clone());
        let all = keys().iter().map(|key| key.path);
        all.filter(|key| value(self, key) != value(other, key)).collect()
    }

    /// Shows the key as `other` has it. The field of [`super::Config`] is the caller's business.
    pub(crate) fn keep_row(&mut self, path: &'static str, other: &Self) {
        if let Some((value, origin)) = other.rows.get(path) {
            self.origins.insert(path, origin.clone());
            self.rows.insert(path, (value.clone(), origin.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Config, Sources};
    use super::*;

    const ENV: &[(&str, &str)] = &[
        ("TELEGRAM_TOKEN", "123456789:AAbbCCddEEffGGhhIIjjKKllMMnnOOppXYZ"),
        ("HOME", "/home/k"),
        ("AI_PROVIDER", "echo"),
    ];

    fn with(more: &[(&str, &str)]) -> Loaded {
        Config::load(&Sources::from_env(ENV.iter().chain(more).copied())).unwrap()
    }

    #[test]
    fn values_count_and_origins_do_not() {
        let old = with(&[]);
        assert!(old.changed_keys(&with(&[("KATANA_LOG_LEVEL", "info")])).is_empty());
        let new = with(&[("BOT_OWNERS", "x"), ("KATANA_BOT_OWNERS", "7"), ("LOG_LEVEL", "debug")]);
        assert_eq!(old.changed_keys(&new), ["bot.owners", "log.level"]);
    }

    #[test]
    fn a_changed_secret_is_named_and_not_shown() {
        let old = with(&[]);
        let token = "123456789:ZZbbCCddEEffGGhhIIjjKKllMMnnOOppXYZ";
        let mut new = with(&[("TELEGRAM_TOKEN", token)]);
        assert_eq!(old.changed_keys(&new), ["telegram.token"]);
        assert!(!format!("{new:?}").contains("ZZbbCC"));
        new.keep_row("telegram.token", &old);
        assert!(old.changed_keys(&new).is_empty());
    }
}
