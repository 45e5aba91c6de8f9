//! Addresses of servers: a strict subset of RFC 3986, because a base URL needs no more, and every
//! part that could carry a secret is refused.

/// A base URL that passed the check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BaseUrl {
    /// The address without trailing slashes.
    pub text: String,
    /// The host, in lower case, without port.
    pub host: String,
    /// Whether the connection is encrypted.
    pub tls: bool,
}

impl BaseUrl {
    /// Whether the host is this machine.
    pub fn is_loopback(&self) -> bool {
        let host = self.host.as_str();
        let four = host.parse::<std::net::Ipv4Addr>().is_ok_and(|ip| ip.is_loopback());
        host == "localhost" || host.ends_with(".localhost") || host == "[::1]" || four
    }
}

/// Checks a base URL; the error says what is wrong with it without repeating it.
pub(super) fn parse(text: &str) -> Result<BaseUrl, &'static str> {
    let (scheme, rest) = text.split_once("://").ok_or("is not an address such as https://host")?;
    let tls = match scheme.to_ascii_lowercase().as_str() {
        "https" => true,
        "http" => false,
        _ => return Err("must begin with https:// or http://"),
    };
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
    let (host, port) = split_port(authority);
    if !is_host(host) {
        return Err("has no valid host name");
    }
    if port.is_some_and(|port| port.parse::<u16>().map_or(true, |port| port == 0)) {
        return Err("has no valid port number");
    }
    let fit = |b: u8| b.is_ascii_alphanumeric() || b"/-._~%".contains(&b);
    if !path.bytes().all(fit) {
        return Err("has a character in its path that needs escaping");
    }
    Ok(BaseUrl {
        text: format!("{}://{}{}", scheme.to_ascii_lowercase(), authority, path)
            .trim_end_matches('/')
            .to_owned(),
        host: host.to_ascii_lowercase(),
        tls,
    })
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
            assert_eq!((url.text.as_str(), url.is_loopback()), (kept, loopback), "{text}");
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
