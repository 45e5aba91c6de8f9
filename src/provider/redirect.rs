//! Redirects: refused, because they would carry the key and the question elsewhere.

use reqwest::header::LOCATION;
use reqwest::{Response, Url};

use super::failure::{ProviderError, Refusal};
use super::scrub::Scrubber;

/// What is added to the addresses that people configure.
const ENDPOINTS: [&str; 4] = ["/chat/completions", "/v1/messages", "/models", "/embeddings"];

/// The error of an answer that points elsewhere; it names the address to configure instead.
pub(super) fn refused(
    asked: &Url,
    response: &Response,
    scrubber: &Scrubber,
) -> Option<ProviderError> {
    let status = response.status().as_u16();
    let location = response.headers().get(LOCATION).filter(|_| (300..400).contains(&status))?;
    let detail = match location.to_str().ok().and_then(|to| asked.join(to).ok()) {
        Some(to) => hint(&to),
        None => "it redirects to an address that cannot be read".to_owned(),
    };
    let (retry_after, refusal, detail) = (None, Refusal::BadRequest, scrubber.clean(&detail));
    Some(ProviderError::Status { status, retry_after, refusal, detail })
}

fn hint(to: &Url) -> String {
    let mut base = to.clone();
    base.set_query(None);
    base.set_fragment(None);
    // These fail only for addresses without a host, which have no credentials.
    let _ = base.set_username("");
    let _ = base.set_password(None);
    let path = base.path().trim_end_matches('/').to_owned();
    let known = ENDPOINTS.iter().find_map(|endpoint| path.strip_suffix(endpoint));
    base.set_path(known.unwrap_or(&path));
    let base = base.as_str().trim_end_matches('/');
    match known {
        Some(_) => format!("it redirects, which is not followed; set base_url to {base}"),
        None => format!("it redirects to {base}, which is not followed; check base_url"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hint_names_the_address_to_configure() {
        for (to, expected) in [
            ("https://h/v1/chat/completions", "set base_url to https://h/v1"),
            ("https://u:pw@h/v1/chat/completions/?key=1#x", "set base_url to https://h/v1"),
            ("https://api.h/v1/messages", "set base_url to https://api.h"),
            ("https://h/login", "to https://h/login, which is not followed; check base_url"),
        ] {
            let hint = hint(&Url::parse(to).unwrap());
            assert!(hint.ends_with(expected), "{hint}");
        }
    }
}
