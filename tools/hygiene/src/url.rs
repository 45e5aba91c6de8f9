//! Addresses of servers: a strict subset of RFC 3986, because a base URL needs no more, and every
//! part that could carry a secret is refused.

/// The server that an address leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// What of the address may be shown: scheme, host, and the port if one was written.
    pub shown: String,
    /// The host, in lower case, without port.
    pub host: String,
    /// Whether the connection is encrypted.
    pub tls: bool,
}

impl Origin {
    /// That of any address.
    ///
    /// # Errors
    /// What is wrong with the address, without repeating it.
    pub fn of(url: &str) -> Result<Self, &'static str> {
        let (scheme, rest) =
            url.split_once("://").ok_or("is not an address such as https://host")?;
        let scheme = scheme.to_ascii_lowercase();
        if scheme != "https" && scheme != "http" {
            return Err("must begin with https:// or http://");
        }
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let place = authority.rsplit_once('@').map_or(authority, |(_, place)| place);
        let (host, port) = split_port(place);
        if !is_host(host) {
            return Err("has no valid host name");
        }
        if port.is_some_and(|port| port.parse::<u16>().map_or(true, |port| port == 0)) {
            return Err("has no valid port number");
        }
        let (shown, tls) = (format!("{scheme}://{place}"), scheme == "https");
        Ok(Self { shown, host: host.to_ascii_lowercase(), tls })
    }

    /// Whether the host is this machine.
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.host)
    }
}

/// Whether a host, by name or address, is this machine.
pub fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    let address = host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
    address || host == "localhost" || host.ends_with(".localhost")
}

/// A base URL that passed the check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl {
    /// The address without trailing slashes.
    pub text: String,
    /// The server.
    pub origin: Origin,
}

/// Checks a base URL.
///
/// # Errors
/// What is wrong with it, without repeating it.
pub fn parse(text: &str) -> Result<BaseUrl, &'static str> {
    let origin = Origin::of(text)?;
    let (_, rest) = text.split_once("://").unwrap_or_default();
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    if authority.contains('@') {
        return Err("must not contain a user name or password");
    }
    if text.contains(['?', '#']) {
        return Err("must not contain a query or fragment");
    }
    if path.split('/').any(|part| part.contains(':')) {
        return Err("must not contain a token");
    }
    let fit = |b: u8| b.is_ascii_alphanumeric() || b"/-._~%".contains(&b);
    if !path.bytes().all(fit) {
        return Err("has a character in its path that needs escaping");
    }
    let text = format!("{}{path}", origin.shown).trim_end_matches('/').to_owned();
    Ok(BaseUrl { text, origin })
}

/// Splits `host:port`, leaving the colons of `[::1]` alone.
fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rfind(':') {
        Some(at) if !authority[at..].contains(']') => {
            (&authority[..at], Some(&authority[at + 1..]))
        }
        _ => (authority, None),
    }
}

fn is_host(host: &str) -> bool {
    if let Some(inner) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        return inner.parse::<std::net::Ipv6Addr>().is_ok();
    }
    let fit = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
    !host.is_empty() && host.len() <= 253 && host.bytes().all(fit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_addresses_lose_their_trailing_slash() {
        for (text, kept, loopback) in [
            ("https://api.telegram.org/", "https://api.telegram.org", false),
            ("HTTP://127.0.0.1:8081", "http://127.0.0.1:8081", true),
            ("http://[::1]:80/v1//", "http://[::1]:80/v1", true),
            ("http://localhost:11434/v1", "http://localhost:11434/v1", true),
            ("http://127.evil.example", "http://127.evil.example", false),
        ] {
            let url = parse(text).expect(text);
            assert_eq!((url.text.as_str(), url.origin.is_loopback()), (kept, loopback), "{text}");
        }
    }

    #[test]
    fn only_the_server_of_an_address_is_shown() {
        for (url, shown) in [
            ("https://hc-ping.com/6f1c?x=1", "https://hc-ping.com"),
            ("HTTPS://user:secret@Host.example:8443#x", "https://Host.example:8443"),
            ("http://host?secret@x", "http://host"),
        ] {
            assert_eq!(Origin::of(url).map(|origin| origin.shown), Ok(shown.to_owned()), "{url}");
        }
        for (host, ours) in
            [("::1", true), ("[::1]", true), ("127.0.0.2", true), ("10.0.0.1", false)]
        {
            assert_eq!(is_loopback(host), ours, "{host}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "",
            "api.telegram.org",
            "ftp://host",
            "https://",
            "https:///path",
            "https://user:pass@host",
            "https://host?key=1",
            "https://host#x",
            "https://host:0",
            "https://host:port",
            "https://host:99999",
            "https://ho st",
            "https://host\\@evil",
            "https://[::g]",
            "https://host/bot123:AAA",
            "https://host/a b",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
