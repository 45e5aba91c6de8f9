//! Who may see what, decided by the address of the listener and the admin token.
//!
//! The address of the other side decides nothing: behind a proxy everybody comes from the loopback.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::body::Body;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, Version, header};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::answer::refusal;

/// What answers to everybody, though not in full: the probes' routes.
const PUBLIC: &[&str] = &["/health", "/live", "/ready"];

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

    /// Whether the client may see everything. A web page elsewhere can have its own name point to this
    /// machine, and a browser here would let it read the answers (DNS rebinding): being on the loopback
    /// counts only under a name of the loopback.
    pub(super) fn sees_all(&self, headers: &HeaderMap) -> bool {
        (self.loopback && is_asked_locally(headers)) || self.knows(headers)
    }

    /// What is wrong with how the request names this server (RFC 9112, section 3.2).
    pub(super) fn refuses_host(
        &self,
        version: Version,
        path: &str,
        headers: &HeaderMap,
    ) -> Option<Response<Body>> {
        let count = headers.get_all(header::HOST).iter().count();
        let is_simple_probe = version < Version::HTTP_11 && PUBLIC.contains(&path);
        match count {
            1 => None,
            0 if is_simple_probe => None,
            0 => Some(refusal(
                StatusCode::BAD_REQUEST,
                "the request has no Host header",
                "send one; only /health, /live and /ready answer HTTP/1.0 without it",
            )),
            _ => Some(refusal(
                StatusCode::BAD_REQUEST,
                "the request has several Host headers",
                "send one; look for a proxy that adds its own",
            )),
        }
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
        if self.loopback {
            return Some(refusal(
                StatusCode::FORBIDDEN,
                "the request names this server by a name that is not of the loopback, so only /health and \
                 /ready answer",
                "ask for 127.0.0.1 or localhost; let a proxy send that as Host, or the admin token",
            ));
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

/// Whether the client asked for this machine itself: by an address, or as `localhost`.
fn is_asked_locally(headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let Some(Ok(authority)) = host.map(str::parse::<Authority>) else { return false };
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let name = host.to_ascii_lowercase();
    host.parse::<IpAddr>().is_ok() || name == "localhost" || name.ends_with(".localhost")
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
