//! The dead-man's ping: one GET after each good check, so that somebody else notices when the
//! checker itself stops.
//!
//! Invariant: whoever knows the address can fake the ping, so only its scheme and host are shown.

use std::time::Instant;

use super::http::{self, Origin};
use super::{ATTEMPT, Failure, attempt_end};

/// Fetches `url`. Any 2xx is a success; the body is not read, and redirects are not followed.
///
/// # Errors
/// When there was no such answer by `deadline`, or within 15 s.
pub fn ping(url: &str, deadline: Instant) -> Result<(), Failure> {
    let hint = "write the whole address that the service shows, such as https://hc-ping.com/…";
    let origin = Origin::of(url)
        .map_err(|why| Failure::permanent(format!("cannot ping: ping_url {why}")).hint(hint))?;
    let end = attempt_end(ATTEMPT, deadline)?;
    let response = http::agent(&origin, end).get(url).call();
    let response = response.map_err(|error| http::explain(&error, &origin))?;
    match response.status().as_u16() {
        200..=299 => Ok(()),
        status @ 300..=399 => Err(Failure::permanent(format!(
            "cannot ping {}: it redirects ({status})",
            origin.shown
        ))
        .hint("write the final address into ping_url")),
        status @ 400..=499 if status != 429 && status != 408 => {
            let shown = &origin.shown;
            Err(Failure::permanent(format!("cannot ping {shown}: it answered {status}"))
                .hint("compare ping_url with the address that the service shows"))
        }
        status => {
            Err(Failure::transient(format!("cannot ping {}: it answered {status}", origin.shown)))
        }
    }
}
