//! Addresses to listen on: `address:port`, or `off`. Names are not looked up: what listens must not
//! depend on DNS.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// The word for not listening at all.
pub(super) const OFF: &str = "off";

/// Reads an address with a port, or `off` (`None`). The error continues a sentence about the value.
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

/// An address without port.
pub(super) fn ip(host: &str) -> Option<IpAddr> {
    if host.eq_ignore_ascii_case("localhost") {
        return Some(Ipv4Addr::LOCALHOST.into());
    }
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
