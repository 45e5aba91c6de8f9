//! `[web]`: the small HTTP endpoint for health, metrics and status.

use std::net::{Ipv4Addr, SocketAddr};

use crate::config::credential;
use crate::config::key::Part;
use crate::config::listen;
use crate::config::resolved::Resolved;
use crate::config::rule::{self, count, optional_secret};
use crate::config::secret::Secret;
use crate::config::section::section;
use crate::config::source::Origin;
use crate::config::value::Value;

/// Fewest characters of an admin token: it opens everything and restarts the intake, and nothing
/// slows down someone who guesses.
const TOKEN_CHARS: usize = 16;

/// The port when only `HOST` is given.
const PORT: u16 = 8080;

section! {
    /// The section `[web]`: the small HTTP endpoint for health, metrics and status.
    pub struct Web in "web", checked by check {
        /// Address and port of the HTTP endpoint: health, metrics, status. `off` means none. If
        /// another program uses the default port and this key is not set, the bot runs without the
        /// endpoint and logs that; if a configured address is not available, the bot does not
        /// start. The variables `HOST` and `PORT`, which hosting platforms set, work too: `PORT`
        /// alone listens on all addresses (0.0.0.0), `HOST` alone on port 8080. On an address that
        /// other machines can reach, only `/health`, `/live` and `/ready` answer without `web.admin_token`.
        listen: Option<SocketAddr> = rule::listen("127.0.0.1:8080")
            .when("To give another machine or a platform access; also set `web.admin_token`.")
            .restart("the address is bound before anything is answered"),

        /// Gives full access to the HTTP endpoint to anyone who sends it as
        /// `Authorization: Bearer …`. At least 16 characters, for example from
        /// `openssl rand -hex 24`. Without it, `POST /bot/restart` is off.
        admin_token: Option<Secret> = optional_secret("admin-token")
            .when("To restart the intake over HTTP, or to read more than the health from another \
            machine.")
            .live(Part::Watch),

        /// How many connections one client may have at a time, on an address that other machines can
        /// reach; 0 stands for any number. Behind a reverse proxy, all clients have the proxy's
        /// address.
        connections_per_client: u32 = count(0..=64, 16)
            .when("Raise it when a proxy or a monitoring server in front of it is refused.")
            .restart("the limit belongs to the listener"),
    }
}

fn check(resolved: &mut Resolved<'_>) {
    const TOKEN: &str = "web.admin_token";
    platform(resolved);
    let token: Option<Secret> = resolved.get(TOKEN);
    if token.as_ref().is_some_and(|token| token.expose().len() < TOKEN_CHARS) {
        resolved.problems.push(
            TOKEN,
            format!("the {} has fewer than {TOKEN_CHARS} characters", resolved.origin(TOKEN)),
            "create one with `openssl rand -hex 24`",
        );
    }
    let address: Option<SocketAddr> = resolved.get("web.listen");
    let open = address.is_some_and(|address| !address.ip().to_canonical().is_loopback());
    if open && !resolved.is_meant(TOKEN) {
        let places = credential::places(resolved.key(TOKEN));
        resolved.warn(
            "web.listen",
            "other machines can reach this address, and there is no web.admin_token: only \
             /health and /ready will answer",
            &format!("{places}; or listen on 127.0.0.1"),
        );
    }
}

/// Lets `HOST` and `PORT` reach `web.listen`, unless its own variable is set: hosting platforms
/// tell a program in this way where it has to listen.
fn platform(resolved: &mut Resolved<'_>) {
    let sources = resolved.sources;
    const PATH: &str = "web.listen";
    if sources.env.variable(&resolved.key(PATH).variable()).is_some() {
        return;
    }
    let (host, port) = (sources.env.variable("HOST"), sources.env.variable("PORT"));
    let port_number = port.map(|port| port.trim().parse::<u16>());
    if matches!(port_number, Some(Err(_))) {
        resolved.problems.push(
            PATH,
            "the value is not a valid port (environment PORT)",
            "write a number up to 65535, or unset PORT",
        );
        return;
    }
    let port_number = port_number.and_then(Result::ok);
    let ip = host.map(|host| listen::ip(host.trim()));
    let (address, names) = match (ip, port_number) {
        (None, None) => return,
        (None, Some(port)) => (SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)), "PORT"),
        (Some(Some(ip)), Some(port)) => (SocketAddr::from((ip, port)), "HOST and PORT"),
        (Some(Some(ip)), None) => (SocketAddr::from((ip, PORT)), "HOST"),
        (Some(None), Some(_)) => {
            resolved.problems.push(
                PATH,
                "the value is not a valid address (environment HOST)",
                "write an address such as 0.0.0.0 or 127.0.0.1, or unset HOST",
            );
            return;
        }
        // Shells and build environments use the name for something else.
        (Some(None), None) => {
            resolved.warn(
                PATH,
                "the variable HOST is set, is not an address, and is not used",
                "unset HOST, or set web.listen to the address that you want",
            );
            return;
        }
    };
    let text = Value::Text(address.to_string());
    resolved.set(PATH, text, Origin::Env(names.to_owned()));
}

#[cfg(test)]
mod tests {
    use crate::config::tests::with as load;

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
        let loaded = load(&secrets).expect("valid");
        assert!(loaded.secrets().any(|s| s.expose() == "0123456789abcdef"));
    }
}
