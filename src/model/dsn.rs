//! The address of a project at a Sentry-compatible server (a DSN), such as `https://KEY@sentry.example/42`.

/// Where reports of a project go, and with which key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dsn {
    /// The address for envelopes.
    pub endpoint: String,
    /// The public key.
    pub key: String,
}

impl Dsn {
    /// What is secret in the text of a DSN: its keys. `None` when it is not one.
    pub fn key_in(text: &str) -> Option<&str> {
        Self::parse(text)?;
        Some(text.split_once("://")?.1.split_once('@')?.0)
    }

    /// Reads a DSN; `None` when it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.trim().split_once("://")?;
        let (keys, rest) = rest.split_once('@')?;
        // Old ones have a secret key as well, which is not needed any longer.
        let key = keys.split(':').next()?;
        let (server, project) = rest.trim_end_matches('/').rsplit_once('/')?;
        let is_key = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric());
        let is_project = !project.is_empty() && project.bytes().all(|b| b.is_ascii_digit());
        let fits = |b: u8| b.is_ascii_alphanumeric() || b"/-._:[]".contains(&b);
        let is_server = !server.is_empty() && !server.starts_with('/') && server.bytes().all(fits);
        (["http", "https"].contains(&scheme) && is_key && is_project && is_server).then(|| Self {
            endpoint: format!("{scheme}://{server}/api/{project}/envelope/"),
            key: key.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn projects_have_an_address_and_a_key() {
        for (text, endpoint) in [
            ("https://abc0@o1.ingest.sentry.io/42", "https://o1.ingest.sentry.io/api/42/envelope/"),
            ("http://abc0:old@[::1]:9000/7/", "http://[::1]:9000/api/7/envelope/"),
            ("https://abc0@host/sentry/7", "https://host/sentry/api/7/envelope/"),
        ] {
            let dsn = Dsn { endpoint: endpoint.to_owned(), key: "abc0".to_owned() };
            assert_eq!(Dsn::parse(text), Some(dsn), "{text}");
            assert!(Dsn::key_in(text).is_some_and(|key| key.starts_with("abc0")), "{text}");
        }
        for text in [
            "",
            "your-sentry-dsn",
            "https://host/42",
            "https://a@host",
            "https://a@host/x",
            "https://@host/1",
            "ftp://a@host/1",
            "https://a@/1",
            "https://a@ho st/1",
        ] {
            assert_eq!(Dsn::parse(text), None, "{text}");
        }
    }
}
