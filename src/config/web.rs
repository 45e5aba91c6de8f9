//! `[web]`: the small HTTP endpoint for health, metrics and status.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::credential;
use super::key::{Key, Kind, find};
use super::secret::Secret;
use super::settled::Settled;
use super::source::{Origin, Sources};
use super::value::Value;

/// Fewest characters of an admin token: whoever has it may see everything and restart the intake,
/// and nothing slows down somebody who guesses.
const TOKEN_CHARS: usize = 16;

/// What `web.listen` says when there is to be no endpoint.
pub(super) const OFF: &str = "off";

/// The port when only `HOST` is given.
const PORT: u16 = 8080;

/// The section `[web]`.
#[derive(Clone, Debug)]
pub struct Web {
    /// Where to listen; `None` when the endpoint is off.
    pub listen: Option<SocketAddr>,
    /// What opens everything; without it some of the endpoint is closed.
    pub admin_token: Option<Secret>,
}

pub(super) const KEYS: &[Key] = &[
    Key::new("web.listen", Kind::Listen, "127.0.0.1:8080").doc(
        "Address and port of the HTTP endpoint: health, metrics, status. `off` means none. When another program has the default port and nobody set this key, the bot goes on without the endpoint and says so in the log; an address that was asked for and cannot be had stops the start. The variables `HOST` and `PORT`, which hosting platforms set, reach it too: `PORT` alone listens on all addresses (0.0.0.0), `HOST` alone on port 8080. On an address that other machines can reach, only `/health` and `/ready` answer without `web.admin_token`.",
        "To let another machine or a platform ask; set `web.admin_token` then.",
    ),
    Key::new("web.admin_token", Kind::Secret("admin-token"), "").doc(
        "Opens everything on the HTTP endpoint to whoever sends it as `Authorization: Bearer …`: at least 16 characters, such as those of `openssl rand -hex 24`. Without it `POST /bot/restart` is off.",
        "To restart the intake over HTTP, or to ask from another machine for more than health.",
    ),
];

impl Web {
    pub(super) fn read(settled: &mut Settled, sources: &Sources) -> Self {
        platform(settled, sources);
        let listen = address(&settled.text("web.listen")).unwrap_or_default();
        let admin_token = settled.secret("web.admin_token");
        if admin_token.as_ref().is_some_and(|token| token.expose().len() < TOKEN_CHARS) {
            settled.problems.push(
                "web.admin_token",
                format!(
                    "the {} has fewer than {TOKEN_CHARS} characters",
                    settled.origin("web.admin_token")
                ),
                "make one with `openssl rand -hex 24`",
            );
        }
        let open = listen.is_some_and(|address| !address.ip().to_canonical().is_loopback());
        let closed = admin_token.is_none() && !settled.problems.about("web.admin_token");
        if open && closed {
            let places = find("web.admin_token").map(credential::places).unwrap_or_default();
            settled.warn(
                "web.listen",
                "other machines can reach this address, and there is no web.admin_token: only \
                 /health and /ready will answer",
                &format!("{places}; or listen on 127.0.0.1"),
            );
        }
        Self { listen, admin_token }
    }
}

/// Lets `HOST` and `PORT` reach `web.listen`, unless its own variable is set: hosting platforms
/// tell a program in this way where it has to listen.
fn platform(settled: &mut Settled, sources: &Sources) {
    const PATH: &str = "web.listen";
    let own = find(PATH).map(Key::variable).unwrap_or_default();
    if sources.variable(&own).is_some() {
        return;
    }
    let (host, port) = (sources.variable("HOST"), sources.variable("PORT"));
    let port_number = port.map(|port| port.trim().parse::<u16>());
    if matches!(port_number, Some(Err(_))) {
        settled.problems.push(
            PATH,
            "the value is no port (environment PORT)",
            "write a number up to 65535, or unset PORT",
        );
        return;
    }
    let port_number = port_number.and_then(Result::ok);
    let ip = host.map(|host| ip(host.trim()));
    let (address, names) = match (ip, port_number) {
        (None, None) => return,
        (None, Some(port)) => (SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)), "PORT"),
        (Some(Some(ip)), Some(port)) => (SocketAddr::from((ip, port)), "HOST and PORT"),
        (Some(Some(ip)), None) => (SocketAddr::from((ip, PORT)), "HOST"),
        (Some(None), Some(_)) => {
            settled.problems.push(
                PATH,
                "the value is no address (environment HOST)",
                "write an address such as 0.0.0.0 or 127.0.0.1, or unset HOST",
            );
            return;
        }
        // Shells and build environments use the name for something else.
        (Some(None), None) => {
            settled.warn(
                PATH,
                "the variable HOST is set, is no address, and is not used",
                "unset HOST, or set web.listen to what you want",
            );
            return;
        }
    };
    let text = Value::Text(address.to_string());
    settled.set(PATH, text, Origin::Env(names.to_owned()));
}

/// Reads `web.listen`: an address with a port, or `off`. The error continues a sentence about the
/// value.
pub(super) fn address(text: &str) -> Result<Option<SocketAddr>, &'static str> {
    let text = text.trim();
    if text.is_empty() || text.eq_ignore_ascii_case(OFF) {
        return Ok(None);
    }
    if let Ok(address) = text.parse() {
        return Ok(Some(address));
    }
    let (host, port) = text.rsplit_once(':').ok_or("has no port")?;
    let port = port.parse().map_err(|_| "has no valid port")?;
    ip(host)
        .map(|ip| Some(SocketAddr::from((ip, port))))
        .ok_or("has no address, which is made of numbers (or localhost)")
}

/// An address without port. Names are not looked up: what listens must not depend on DNS.
fn ip(host: &str) -> Option<IpAddr> {
    if host.eq_ignore_ascii_case("localhost") {
        return Some(Ipv4Addr::LOCALHOST.into());
    }
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Loaded, Problems};

    const BASE: &[(&str, &str)] =
        &[("TELEGRAM_TOKEN", "42:abcdefgh"), ("HOME", "/h"), ("AI_PROVIDER", "echo")];

    fn load(env: &[(&str, &str)]) -> Result<Loaded, Problems> {
        Config::load(&Sources::from_env(BASE.iter().chain(env).copied()))
    }

    #[test]
    fn addresses_are_numbers_with_a_port() {
        for (text, wanted) in [
            ("127.0.0.1:8080", Some("127.0.0.1:8080")),
            (" localhost:80 ", Some("127.0.0.1:80")),
            ("[::]:0", Some("[::]:0")),
            ("OFF", None),
            ("", None),
        ] {
            let wanted = wanted.map(|w| w.parse().expect("an address"));
            assert_eq!(address(text), Ok(wanted), "{text}");
        }
        for text in ["8080", "127.0.0.1", "example.org:80", "127.0.0.1:99999", "::1"] {
            assert!(address(text).is_err(), "{text}");
        }
    }

    #[test]
    fn host_and_port_of_a_platform_are_honoured() {
        let own = "KATANA_WEB_LISTEN";
        for (env, listen, origin) in [
            (&[][..], "127.0.0.1:8080", "default"),
            (&[("PORT", "3000")], "0.0.0.0:3000", "environment PORT"),
            (&[("HOST", "0.0.0.0")], "0.0.0.0:8080", "environment HOST"),
            (&[("HOST", "::1"), ("PORT", "3000")], "[::1]:3000", "environment HOST and PORT"),
            (&[("HOST", "x86_64-linux-gnu")], "127.0.0.1:8080", "default"),
            (
                &[(own, "127.0.0.1:1"), ("PORT", "3000")],
                "127.0.0.1:1",
                "environment KATANA_WEB_LISTEN",
            ),
            (&[(own, "off"), ("HOST", "?"), ("PORT", "?")], "", "environment KATANA_WEB_LISTEN"),
        ] {
            let loaded = load(env).expect("valid");
            let found = loaded.config.web.listen.map(|a| a.to_string()).unwrap_or_default();
            assert_eq!(found, listen, "{env:?}");
            assert_eq!(loaded.origins["web.listen"].to_string(), origin, "{env:?}");
        }
        for env in [&[("PORT", "http")][..], &[("PORT", "70000")], &[("HOST", "x"), ("PORT", "1")]]
        {
            let problems = load(env).expect_err("a problem").0;
            assert_eq!((problems.len(), problems[0].key.as_str()), (1, "web.listen"), "{env:?}");
        }
    }

    #[test]
    fn an_open_address_without_a_token_is_a_warning() {
        let warned = |env: &[(&str, &str)]| {
            load(env).expect("valid").warnings.iter().any(|w| w.key == "web.listen")
        };
        let token = ("KATANA_WEB_ADMIN_TOKEN", "0123456789abcdef");
        assert!(warned(&[("PORT", "3000")]));
        assert!(warned(&[("HOST", "build-machine")]), "and so is a name that is not used");
        assert!(!warned(&[("PORT", "3000"), token]));
        assert!(!warned(&[("KATANA_WEB_LISTEN", "[::ffff:127.0.0.1]:80")]));
        assert!(!warned(&[("KATANA_WEB_LISTEN", "off")]));
    }

    #[test]
    fn a_short_admin_token_is_refused_and_not_shown() {
        let problems = load(&[("KATANA_WEB_ADMIN_TOKEN", "zzz9zzz9")]).expect_err("short");
        let shown = problems.print(false);
        assert!(shown.contains("web.admin_token") && shown.contains("16"), "{shown}");
        assert!(!shown.contains("zzz9"), "{shown}");
        let secrets = [("KATANA_WEB_ADMIN_TOKEN", "0123456789abcdef")];
        let config = load(&secrets).expect("valid").config;
        assert!(config.secrets().any(|s| s.expose() == "0123456789abcdef"));
    }
}
