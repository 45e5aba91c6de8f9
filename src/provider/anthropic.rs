//! Anthropic's Messages API, streamed (platform documentation: "Streaming Messages").
//!
//! Its OpenAI-compatible endpoint is by the vendor's own words not meant for production.

mod events;
mod request;

use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, TryStreamExt, stream};
use hygiene::Redactor;
use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderValue};

use super::descriptor::{Descriptor, Kind, ProviderSettings, Service};
use super::failure::ProviderError;
use super::prompt;
use super::scrub::Scrubber;
use super::stream::answer_events;
use super::thoughts::{EatenMarks, Thoughts};
use super::{Answering, ModelList, Provider, http, model_list};
use crate::model::conversation::ChatRequest;

/// The version of the API that this file speaks.
const VERSION: &str = "2023-06-01";

/// Anthropic.
pub(super) const DESCRIPTOR: Descriptor = Descriptor {
    name: "anthropic",
    title: "Anthropic",
    summary: "Anthropic",
    kind: Kind::Service(Service {
        credential: "anthropic-api-key",
        key_variables: &["ANTHROPIC_API_KEY"],
        key_doc: "The key of Anthropic's API.",
        base_url: "https://api.anthropic.com",
        path: "/v1/messages",
        base_url_when: "For a proxy.",
        model: "claude-haiku-4-5",
        model_when: "To trade cost against quality.",
        is_self_hosted: false,
        servers: &[],
    }),
    build: |settings| Ok(Arc::new(Anthropic::new(settings)?)),
};

/// Anthropic's models.
pub struct Anthropic {
    shared: Arc<Shared>,
    model: String,
}

struct Shared {
    http: reqwest::Client,
    url: Url,
    headers: HeaderMap,
    redactor: Redactor,
    eaten: EatenMarks,
}

impl Anthropic {
    /// Checks the settings and builds the client; nothing is sent.
    pub fn new(settings: ProviderSettings) -> Result<Self, ProviderError> {
        let mut url = http::base(&settings.base_url)?;
        let path = url.path().trim_end_matches('/').trim_end_matches("/messages");
        let path = format!("{}/v1/messages", path.trim_end_matches("/v1"));
        url.set_path(&path);
        let mut headers = http::headers();
        headers.insert("anthropic-version", HeaderValue::from_static(VERSION));
        if let Some(key) = http::present(settings.api_key.as_ref()) {
            headers.insert("x-api-key", http::secret_header(key)?);
        }
        let shared = Shared {
            http: http::client(settings.read_timeout)?,
            redactor: http::redactor(settings.api_key.as_ref(), &url),
            url,
            headers,
            eaten: EatenMarks::default(),
        };
        Ok(Self { shared: Arc::new(shared), model: settings.model })
    }
}

impl fmt::Debug for Anthropic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.shared.url.host_str().unwrap_or_default();
        f.debug_struct("Anthropic").field("model", &self.model).field("host", &host).finish()
    }
}

impl Provider for Anthropic {
    fn name(&self) -> &'static str {
        "anthropic"
    }

    fn model(&self) -> &str {
        &self.model
    }

    fn host(&self) -> Option<&str> {
        self.shared.url.host_str()
    }

    fn models(&self) -> BoxFuture<'_, ModelList> {
        let shared = &self.shared;
        let mut url = shared.url.clone();
        let path = format!("{}/v1/models", url.path().trim_end_matches("/v1/messages"));
        url.set_path(&path);
        let (headers, redactor) = (shared.headers.clone(), shared.redactor.clone());
        model_list::ask(&shared.http, url, headers, redactor).boxed()
    }

    fn answer(&self, request: ChatRequest) -> Answering {
        let shared = Arc::clone(&self.shared);
        let model = request.model.clone().unwrap_or_else(|| self.model.clone());
        stream::once(async move { shared.answer(request, &model).await }).try_flatten().boxed()
    }
}

impl Shared {
    async fn answer(&self, request: ChatRequest, model: &str) -> Result<Answering, ProviderError> {
        let prompt = Arc::new(prompt::compose(request));
        let body = serde_json::to_vec(&request::request(&prompt, model));
        let body = body.map_err(|_| ProviderError::Unusable {
            setting: "the request",
            problem: "it cannot be written as json",
        })?;
        let scrubber = Scrubber { redactor: self.redactor.clone(), said: prompt };
        let (url, headers) = (self.url.clone(), self.headers.clone());
        let sent = http::post(&self.http, url, headers, body, &scrubber).await;
        let frames = sent.map_err(|refused| refused.error)?;
        let thoughts = Thoughts::new(self.eaten.of(model));
        Ok(answer_events(frames, events::Events::new(scrubber), thoughts))
    }
}
