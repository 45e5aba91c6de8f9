//! Whether a model's server can be reached at all, without asking the model anything.

use std::time::Duration;

use super::failure::ProviderError;
use super::http;

/// Whether an address is this machine's or its network's, so that its models cost nothing.
pub fn is_own_address(base_url: &str) -> bool {
    http::base(base_url).is_ok_and(|url| http::is_near(&url))
}

/// Asks the server at `base_url` for anything within `whole`, without the key, and answers with the
/// HTTP status: any status means that name, network and TLS are good.
///
/// # Errors
/// When there is no answer.
pub async fn reach(base_url: &str, whole: Duration) -> Result<u16, ProviderError> {
    let url = http::base(base_url)?;
    let answer = tokio::time::timeout(whole, http::client(whole)?.get(url).send()).await;
    match answer {
        Ok(Ok(answer)) => Ok(answer.status().as_u16()),
        Ok(Err(e)) => {
            let detail = crate::model::failure::chain(&e.without_url());
            Err(ProviderError::Unreachable { detail })
        }
        Err(_) => Err(ProviderError::Timeout),
    }
}
