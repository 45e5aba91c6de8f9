//! Who may see what, decided by the address of the listener and the admin token.
//!
//! The address of the other side decides nothing: behind a proxy everybody comes from the loopback.

use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::answer::refusal;

/// What answers to everybody, though not in full: the probes' routes.
const PUBLIC: &[&str] = &["/health", "/ready"];

/// Whom the listener can be reached by, and the token that opens it.
pub(super) struct Guard {
    loopback: bool,
    token: Arc<ArcSwap<Option<SecretString>>>,
}

impl Guard {
    pub(super) fn new(address: SocketAddr, token: Arc<ArcSwap<Option<SecretString>>>) -> Self {
        Self { loopback: address.ip().to_canonical().is_loopback(), token }
    }

    /// Whether these headers carry the admin token.
    fn knows(&self, headers: &HeaderMap) -> bool {
        let sent = headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
        let Some((scheme, token)) = sent.and_then(|sent| sent.split_at_checked(7)) else {
            return false;
        };
        let wanted = self.token.load();
        let Some(wanted) = wanted.as_ref() else { return false };
        // Digests have one length, so that the time does not reveal the token's length either.
        let token: [u8; 32] = Sha256::digest(token.trim_ascii()).into();
        let wanted: [u8; 32] = Sha256::digest(wanted.expose_secret()).into();
        scheme.eq_ignore_ascii_case(b"bearer ") && bool::from(token.ct_eq(&wanted))
    }

    /// Whether the client may see everything.
    pub(super) fn sees_all(&self, headers: &HeaderMap) -> bool {
        self.loopback || self.knows(headers)
    }

    /// Whether the client may read this path.
    pub(super) fn refuses_to_show(
        &self,
        path: &str,
        headers: &HeaderMap,
    ) -> Option<Response<Body>> {
        if PUBLIC.contains(&path) || self.sees_all(headers) {
            return None;
        }
        Some(match **self.token.load() {
            Some(_) => unauthorized(),
            None => refusal(
                StatusCode::FORBIDDEN,
                "other machines can reach this address, so only /health and /ready answer",
                "set web.admin_token (KATANA_WEB_ADMIN_TOKEN) and send it as Authorization: \
                 Bearer …, or let web.listen be 127.0.0.1",
            ),
        })
    }

    /// Whether the client may change something: only with the token, from anywhere.
    pub(super) fn refuses_to_act(&self, headers: &HeaderMap) -> Option<Response<Body>> {
        if self.knows(headers) {
            return None;
        }
        Some(match **self.token.load() {
            Some(_) => unauthorized(),
            None => refusal(
                StatusCode::FORBIDDEN,
                "restarting over HTTP is off, because there is no admin token",
                "set web.admin_token (KATANA_WEB_ADMIN_TOKEN) and send it as Authorization: Bearer …",
            ),
        })
    }
}

fn unauthorized() -> Response<Body> {
    let mut response = refusal(
        StatusCode::UNAUTHORIZED,
        "the admin token is missing or wrong",
        "send web.admin_token as Authorization: Bearer …",
    );
    let challenge = HeaderValue::from_static("Bearer realm=\"katana-bot\"");
    response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    response
}
