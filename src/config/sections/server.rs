//! Checks that every server's address and key share.

use crate::config::resolved::Resolved;
use hygiene::url;

use crate::config::credential;
use crate::provider::{servers, services};

/// Warns of an address that sends secrets and messages unencrypted to another machine.
pub(super) fn warn_if_plain(resolved: &mut Resolved<'_>, path: &str) {
    let Ok(url) = url::parse(&resolved.get::<String>(path)) else { return };
    if !url.origin.tls && !url.origin.is_loopback() {
        resolved.warn(
            path,
            "keys and messages are sent to another machine unencrypted",
            "use an https:// address, unless the network between is private",
        );
    }
}

/// Asks for the key of a service that cannot work without one.
pub(super) fn require_key(resolved: &mut Resolved<'_>, url_path: &str, key_path: &str) {
    let Ok(url) = url::parse(&resolved.get::<String>(url_path)) else { return };
    if resolved.is_meant(key_path) || !needs_key(&url.origin.host) {
        return;
    }
    let places = credential::places(resolved.key(key_path));
    resolved.problems.push(
        key_path,
        format!("there is no API key, and {} needs one", url.origin.host),
        format!("{places}; or choose another answer.provider"),
    );
}

/// Whether a service at this host refuses every call without a key.
fn needs_key(host: &str) -> bool {
    let others =
        servers().filter(|(_, server)| server.needs_key).map(|(_, server)| server.base_url);
    let mut all = services().map(|(_, service)| service.base_url).chain(others);
    all.any(|base_url| url::parse(base_url).is_ok_and(|url| url.origin.host == host))
}
