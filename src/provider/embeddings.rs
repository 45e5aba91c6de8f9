//! Servers that speak OpenAI's embeddings: OpenAI, text-embeddings-inference, Ollama, vLLM, llama.cpp and
//! whatever else people run.
//!
//! Invariants: what comes back is one vector for each text, in the order of the texts, all of one length, of
//! finite numbers and not zero; anything else is an error. No error shows a key or what was embedded.

mod reply;
mod vectors;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_openai::types::embeddings::{CreateEmbeddingRequest, EmbeddingInput};
use futures_util::{StreamExt, TryStreamExt};
use hygiene::Redactor;
use reqwest::header::{AUTHORIZATION, HeaderMap};
use reqwest::{Response, Url};
use secrecy::SecretString;

use self::vectors::DIMENSIONS_MAX;
pub use self::vectors::{Embedded, EmbeddingsError};
use super::error_body::ErrorBody;
use super::failure::ProviderError;
use super::rate_headers::retry_after;
use super::scrub::Scrubber;
use super::{http, redirect};
use crate::model::conversation::{ChatRequest, Message};

/// What is added to a base URL.
const PATH: &str = "/embeddings";

/// What is tried where a base URL is a host alone and has nothing at [`PATH`].
const VERSIONED: &str = "/v1/embeddings";

/// Bytes of a number in JSON, with all its digits.
const NUMBER_BYTES: usize = 32;

/// The longest answer that is read, whatever its batch.
const ANSWER_BYTES: usize = 256 * 1024 * 1024;

/// How to reach a server.
#[derive(Clone, Debug, Default)]
pub struct EmbeddingsSettings {
    /// The key; without one, nothing is sent for it.
    pub api_key: Option<SecretString>,
    /// Where the API begins, such as `https://api.openai.com/v1` or `http://localhost:8080`.
    pub base_url: String,
    /// The model.
    pub model: String,
    /// How many dimensions to ask for; 0 leaves that to the server.
    pub dimensions: usize,
    /// Longest silence of the server.
    pub timeout: Duration,
}

/// A server that makes vectors of texts.
pub struct EmbeddingsServer {
    http: reqwest::Client,
    url: Url,
    /// The server has its embeddings at [`VERSIONED`].
    is_versioned: AtomicBool,
    headers: HeaderMap,
    redactor: Redactor,
    model: String,
    dimensions: usize,
}

impl EmbeddingsServer {
    /// Checks the settings and builds the client; nothing is sent.
    ///
    /// # Errors
    /// When the address or the key cannot be one.
    pub fn new(settings: EmbeddingsSettings) -> Result<Self, ProviderError> {
        let mut url = http::base(&settings.base_url)?;
        let path = url.path().trim_end_matches('/').trim_end_matches(PATH);
        let path = format!("{}{PATH}", path.trim_end_matches('/'));
        url.set_path(&path);
        let mut headers = http::headers();
        if let Some(key) = http::present(settings.api_key.as_ref()) {
            headers.insert(AUTHORIZATION, http::secret_header(&format!("Bearer {key}"))?);
        }
        Ok(Self {
            http: http::client(settings.timeout)?,
            redactor: http::redactor(settings.api_key.as_ref(), &url),
            url,
            is_versioned: AtomicBool::new(false),
            headers,
            model: settings.model,
            dimensions: settings.dimensions,
        })
    }

    /// Its model.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// Its host.
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// Whether it is a server of one's own, which costs nothing.
    pub fn is_own_server(&self) -> bool {
        http::is_near(&self.url)
    }

    /// Asks for a vector of each text. Nothing is tried twice.
    ///
    /// # Errors
    /// When there is not one good vector for each text.
    pub async fn embed(&self, texts: &[String]) -> Result<Embedded, EmbeddingsError> {
        let dimensions = u32::try_from(self.dimensions).ok().filter(|n| *n > 0);
        let request = CreateEmbeddingRequest {
            model: self.model.clone(),
            input: EmbeddingInput::StringArray(texts.to_vec()),
            // Left out, because it is the default and not every server knows the field.
            encoding_format: None,
            user: None,
            dimensions,
        };
        let body = serde_json::to_vec(&request).map_err(|_| ProviderError::Unusable {
            setting: "the request",
            problem: "it cannot be written as json",
        })?;
        let answer = self.post(body, texts).await?;
        reply::read(&answer, texts.len(), self.dimensions, || self.scrubber(texts))
    }

    async fn post(&self, body: Vec<u8>, texts: &[String]) -> Result<String, ProviderError> {
        let mut is_versioned = self.is_versioned.load(Ordering::Relaxed);
        loop {
            let mut url = self.url.clone();
            if is_versioned {
                url.set_path(VERSIONED);
            }
            let sent = self.http.post(url.clone()).headers(self.headers.clone()).body(body.clone());
            let sent = sent.send().await;
            let response =
                sent.map_err(|error| http::not_answered(error, &self.scrubber(texts)))?;
            if response.status().is_success() {
                self.is_versioned.store(is_versioned, Ordering::Relaxed);
                let limit = texts.len().saturating_mul(DIMENSIONS_MAX * NUMBER_BYTES);
                return whole(response, limit.saturating_add(64 * 1024).min(ANSWER_BYTES)).await;
            }
            if response.status().as_u16() == 404 && !is_versioned && self.url.path() == PATH {
                is_versioned = true;
                continue;
            }
            return Err(self.refused(&url, response, texts).await);
        }
    }

    async fn refused(&self, url: &Url, response: Response, texts: &[String]) -> ProviderError {
        let scrubber = self.scrubber(texts);
        if let Some(error) = redirect::refused(url, &response, &scrubber) {
            return error;
        }
        let (status, wait) = (response.status().as_u16(), retry_after(response.headers()));
        let body = http::bounded_text(response).await;
        ErrorBody::of_body(&body).refused(status, wait, &scrubber)
    }

    /// Servers quote what they refuse.
    fn scrubber(&self, texts: &[String]) -> Scrubber {
        let messages = texts.iter().map(Message::user).collect();
        let said = Arc::new(ChatRequest { messages, ..ChatRequest::default() });
        Scrubber { redactor: self.redactor.clone(), said }
    }
}

async fn whole(response: Response, limit: usize) -> Result<String, ProviderError> {
    let chunks = response.bytes_stream().map_err(|error| http::broken(&error)).boxed();
    http::whole(Vec::new(), chunks, limit).await
}

impl fmt::Debug for EmbeddingsServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (model, host) = (&self.model, self.host());
        f.debug_struct("EmbeddingsServer").field("model", model).field("host", &host).finish()
    }
}

#[cfg(test)]
#[path = "../../tests/unit/provider/embeddings.rs"]
mod tests;
