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
    let Some(variable) = key_variable(&url.origin.host) else { return };
    if resolved.is_meant(key_path) {
        return;
    }
    let places = credential::places(resolved.key(key_path));
    resolved.problems.push(
        key_path,
        format!("there is no API key, and {} needs one", url.origin.host),
        format!("{places} or {variable}; or choose another answer.provider"),
    );
}

/// The usual variable for the key of a service at this host, if it refuses every call without one.
fn key_variable(host: &str) -> Option<&'static str> {
    let others = servers().filter(|(_, server)| server.needs_key);
    let others = others.map(|(_, server)| (server.base_url, server.key_variables));
    let vendors = services().map(|(_, service)| (service.base_url, service.key_variables));
    let is_there = |base_url: &str| url::parse(base_url).is_ok_and(|url| url.origin.host == host);
    let (_, variables) = vendors.chain(others).find(|(base_url, _)| is_there(base_url))?;
    variables.first().copied()
}
