//! Qdrant's REST API, as far as it is needed: collections, points, snapshots.
//!
//! Invariants: redirects are not followed; an answer has a bound; no error shows the key.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt};
use reqwest::header::{HeaderMap, HeaderName};
use reqwest::{Method, Url};
use secrecy::SecretString;
use serde_json::Value;

use super::error_body::ErrorBody;
use super::failure::ProviderError;
use super::rate_headers::retry_after;
use super::scrub::Scrubber;
use super::{http, redirect};
use crate::model::conversation::ChatRequest;

/// The header of the key.
const KEY: &str = "api-key";

/// The longest answer that is read: a page of numbers, or the names of snapshots.
const ANSWER_BYTES: usize = 16 * 1024 * 1024;

/// How to reach a server.
#[derive(Clone, Debug, Default)]
pub struct QdrantSettings {
    /// Its address, such as `http://127.0.0.1:6333`.
    pub url: String,
    /// The key; without one, nothing is sent for it.
    pub api_key: Option<SecretString>,
    /// How long it may take for a request.
    pub timeout: Duration,
}

/// What is done with what is at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Read it.
    Get,
    /// Put it there.
    Put,
    /// Work on it.
    Post,
    /// Remove it.
    Delete,
}

/// A server that searches vectors.
pub struct QdrantServer {
    http: reqwest::Client,
    url: Url,
    headers: HeaderMap,
    scrubber: Scrubber,
    timeout: Duration,
}

impl QdrantServer {
    /// Checks the settings and builds the client; nothing is sent.
    ///
    /// # Errors
    /// When the address or the key cannot be one.
    pub fn new(settings: QdrantSettings) -> Result<Self, ProviderError> {
        let url = http::base(&settings.url)?;
        let mut headers = http::headers();
        if let Some(key) = http::present(settings.api_key.as_ref()) {
            headers.insert(HeaderName::from_static(KEY), http::secret_header(key)?);
        }
        let redactor = http::redactor(settings.api_key.as_ref(), &url);
        let scrubber = Scrubber { redactor, said: Arc::new(ChatRequest::default()) };
        let (http, timeout) = (http::client(settings.timeout)?, settings.timeout);
        Ok(Self { http, url, headers, scrubber, timeout })
    }

    /// Its host.
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// Sends a request and returns the result; `None` when there is no such thing there. Nothing is tried twice.
    ///
    /// # Errors
    /// When the server cannot be reached, refuses, or sends something else.
    pub async fn ask(
        &self,
        verb: Verb,
        path: &[&str],
        body: Option<Value>,
    ) -> Result<Option<Value>, ProviderError> {
        let asked = tokio::time::timeout(self.timeout, self.ask_patiently(verb, path, body));
        asked.await.unwrap_or(Err(ProviderError::Timeout))
    }

    async fn ask_patiently(
        &self,
        verb: Verb,
        path: &[&str],
        body: Option<Value>,
    ) -> Result<Option<Value>, ProviderError> {
        let url = self.at(path);
        let method = match verb {
            Verb::Get => Method::GET,
            Verb::Put => Method::PUT,
            Verb::Post => Method::POST,
            Verb::Delete => Method::DELETE,
        };
        let request = self.http.request(method, url.clone()).headers(self.headers.clone());
        let request = match body {
            Some(body) => request.body(body.to_string()),
            None => request,
        };
        let sent = request.send().await;
        let response = sent.map_err(|error| http::not_answered(error, &self.scrubber))?;
        if let Some(error) = redirect::refused(&url, &response, &self.scrubber) {
            return Err(error);
        }
        let status = response.status();
        if status.as_u16() == 404 {
            return Ok(None);
        }
        if !status.is_success() {
            let wait = retry_after(response.headers());
            let body = http::bounded_text(response).await;
            return Err(ErrorBody::of_body(&reason(&body)).refused(
                status.as_u16(),
                wait,
                &self.scrubber,
            ));
        }
        let chunks = response.bytes_stream().map_err(|error| http::broken(&error)).boxed();
        let text = http::whole(Vec::new(), chunks, ANSWER_BYTES).await?;
        let odd = || ProviderError::Garbage { what: "something else than a result of Qdrant" };
        let mut answer: Value = serde_json::from_str(&text).map_err(|_| odd())?;
        match answer.get_mut("result") {
            Some(result) => Ok(Some(result.take())),
            None => Err(odd()),
        }
    }

    /// The address of a path; a question mark in its last part begins what is asked of it.
    fn at(&self, path: &[&str]) -> Url {
        let mut url = self.url.clone();
        let (last, first) = path.split_last().unwrap_or((&"", &[]));
        let (last, query) =
            last.split_once('?').map_or((*last, None), |(last, query)| (last, Some(query)));
        // Only addresses without a host have no segments, and those are refused.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(first).push(last);
        }
        url.set_query(query);
        url
    }
}

impl fmt::Debug for QdrantServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QdrantServer").field("host", &self.host()).finish_non_exhaustive()
    }
}

/// Its errors are in `status.error`; the others know them in `error`.
fn reason(body: &str) -> String {
    let value: Option<Value> = serde_json::from_str(body).ok();
    let error = value.as_ref().and_then(|value| value.pointer("/status/error"));
    error.map_or_else(|| body.to_owned(), |error| serde_json::json!({ "error": error }).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_go_below_the_address_and_names_cannot_leave_it() {
        let settings =
            |url: &str| QdrantSettings { url: url.to_owned(), ..QdrantSettings::default() };
        let server = QdrantServer::new(settings("http://h:6333/vectors/")).unwrap();
        let url = server.at(&["collections", "a/../b", "points?wait=true"]);
        assert_eq!(url.as_str(), "http://h:6333/vectors/collections/a%2F..%2Fb/points?wait=true");
        assert!(QdrantServer::new(settings("qdrant:6333")).is_err());
    }

    #[test]
    fn its_errors_are_read() {
        assert_eq!(
            reason(r#"{"status":{"error":"Wrong input"},"time":0}"#),
            r#"{"error":"Wrong input"}"#
        );
        assert_eq!(reason("plain"), "plain");
    }
}
