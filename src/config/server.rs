//! Checks that every server's address and key share.

use super::credential;
use super::key::find;
use super::settled::Settled;
use super::url;

/// Services that refuse every call without a key.
const NEED_A_KEY: &[&str] =
    &["api.openai.com", "api.anthropic.com", "generativelanguage.googleapis.com", "openrouter.ai"];

/// Warns of an address that sends secrets and messages unencrypted to another machine.
pub(super) fn warn_if_plain(settled: &mut Settled, path: &'static str) {
    let Ok(url) = url::parse(&settled.text(path)) else { return };
    if !url.tls && !url.is_loopback() {
        settled.warn(
            path,
            "keys and messages go to another machine unencrypted",
            "use an https:// address, unless the network between is yours alone",
        );
    }
}

/// Asks for the key of a service that cannot work without one.
pub(super) fn require_key(settled: &mut Settled, url_path: &str, key_path: &'static str) {
    let Ok(url) = url::parse(&settled.text(url_path)) else { return };
    let there = settled.secret(key_path).is_some() || settled.problems.about(key_path);
    if there || !NEED_A_KEY.contains(&url.host.as_str()) {
        return;
    }
    let places = find(key_path).map(credential::places).unwrap_or_default();
    settled.problems.push(
        key_path,
        format!("there is no API key, and {} needs one", url.host),
        format!("{places}; or choose another answer.provider"),
    );
}
