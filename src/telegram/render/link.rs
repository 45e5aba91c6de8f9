//! Which addresses may become links.
//!
//! Telegram refuses a whole message for one address that it cannot read ("URL … is invalid"), so
//! the rules of TDLib's `LinkManager::check_link` and `parse_url` are applied here first.

/// Longest address sent as a link, in bytes; longer ones are shown as text. Browsers and servers
/// rarely take more.
const ADDRESS_BYTES: usize = 2048;

/// The address as it goes to Telegram, if Telegram takes it as a link: http, https and tg.
///
/// `mailto:` is not among them: Telegram would read it as a web address with a user name. It makes
/// a visible mail address clickable by itself.
pub(super) fn target(address: &str) -> Option<String> {
    let address = address.trim();
    if address.len() > ADDRESS_BYTES || address.chars().any(|c| c.is_whitespace() || c.is_control())
    {
        return None;
    }
    if address.chars().any(|c| super::clean::fate(c) != super::clean::CharAction::Keep) {
        return None;
    }
    let (scheme, rest) = address.split_once("://")?;
    let host_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let host = &rest[..host_end];
    let good = match scheme.to_ascii_lowercase().as_str() {
        "http" | "https" => is_web_host(host),
        "tg" => is_tg_host(host),
        _ => false,
    };
    good.then(|| address.to_owned())
}

/// The address to show behind a text that cannot be linked; `None` if it says nothing more.
pub(super) fn shown<'a>(address: &'a str, text: &str) -> Option<&'a str> {
    let address = address.trim();
    let bare = address.strip_prefix("mailto:").unwrap_or(address);
    let says_more = !bare.is_empty() && bare != text.trim() && address != text.trim();
    says_more.then_some(bare)
}

/// `[user[:password]@]host[:port]`, with a dot in the host, as Telegram demands.
fn is_web_host(authority: &str) -> bool {
    let (user, host_port) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (host, port) = match host_port.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (host_port, None),
    };
    // Telegram's reader takes "0" and an empty port for an error too.
    let port_is_good = port.is_none_or(|p| {
        p.bytes().all(|b| b.is_ascii_digit()) && p.parse::<u16>().is_ok_and(|p| p > 0)
    });
    let host_is_good = match host.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
        Some(inner) => inner.parse::<std::net::Ipv6Addr>().is_ok(),
        None => host.contains('.') && host != "." && is_plain(host, false),
    };
    port_is_good && host_is_good && is_plain(user, true)
}

/// Only characters that `parse_url` allows in a host or a user name, or any beyond ASCII.
fn is_plain(part: &str, colon: bool) -> bool {
    let mut bytes = part.bytes();
    while let Some(b) = bytes.next() {
        let good = match b {
            b'%' => [bytes.next(), bytes.next()]
                .iter()
                .all(|hex| hex.is_some_and(|h| h.is_ascii_hexdigit())),
            b':' => colon,
            _ => b >= 128 || b.is_ascii_alphanumeric() || b".-_!$,~*'();&+=".contains(&b),
        };
        if !good {
            return false;
        }
    }
    true
}

/// `tg://user?id=…` is left out: it mentions a person, and Telegram refuses the message when the
/// bot has never met them.
fn is_tg_host(host: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    !host.is_empty() && host.bytes().all(word) && !host.eq_ignore_ascii_case("user")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_that_telegram_takes_become_links() {
        for good in [
            "https://example.com",
            "HTTP://Example.com:8080/a?b=c#d",
            "https://en.wikipedia.org/wiki/Rust_(language)",
            "https://пример.рф/путь",
            "https://user:pw@example.com/",
            "https://[2001:db8::1]:8443/x",
            "http://10.0.0.1/",
            "tg://resolve?domain=telegram",
        ] {
            assert_eq!(target(good).as_deref(), Some(good));
        }
        for bad in [
            "",
            "#top",
            "/docs/a.md",
            "docs/a.md",
            "javascript:alert(1)",
            "file:///etc/passwd",
            "ftp://example.com",
            "http://localhost:3000",
            "https://",
            "https://.",
            "https://exa mple.com",
            "https://example.com/a b",
            "https://example.com:0/",
            "https://example.com:99999/",
            "https://example.com:/",
            "https://exa\"mple.com",
            "https://ex%zzample.com",
            "https://[::zz]/",
            "https://evil\u{202E}.com",
            "tg://user?id=1",
            "tg://",
            "mailto:a@b.c",
        ] {
            assert_eq!(target(bad), None, "{bad}");
        }
        assert_eq!(target(&format!("https://a.b/{}", "x".repeat(3000))), None);
    }

    #[test]
    fn an_address_is_shown_when_it_says_more_than_the_text() {
        assert_eq!(shown("docs/a.md", "the docs"), Some("docs/a.md"));
        assert_eq!(shown("docs/a.md", "docs/a.md"), None);
        assert_eq!(shown("mailto:a@b.c", "write us"), Some("a@b.c"));
        assert_eq!(shown("mailto:a@b.c", "a@b.c"), None);
        assert_eq!(shown("", "x"), None);
    }
}
