//! Servers that speak OpenAI's chat completions: OpenAI, Ollama, vLLM, llama.cpp, OpenRouter,
//! Gemini's compatible endpoint and whatever else people run.
//!
//! The request is typed by async-openai; the answer is read leniently, because hardly a server
//! sends just what the vendor's types promise. Why its client is not used: docs/decisions/0005.

mod chunks;
mod context_size;
mod learned;
mod request;

use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, stream};
use hygiene::Redactor;
use learned::{Learned, Way};
use reqwest::Url;
use reqwest::header::{AUTHORIZATION, HeaderMap};

use super::descriptor::{Descriptor, Kind, ProviderSettings, Server, Service};
use super::failure::ProviderError;
use super::prompt;
use super::scrub::Scrubber;
use super::stream::answer_events;
use super::thoughts::{EatenMarks, Thoughts};
use super::{Answering, ModelList, Provider, http, model_list};
use crate::model::conversation::{ChatRequest, Event};

/// Gemini's compatible address.
const GEMINI: &str = "https://generativelanguage.googleapis.com/v1beta/openai";

/// OpenAI, and every compatible server.
pub(super) const DESCRIPTOR: Descriptor = Descriptor {
    name: "openai",
    title: "OpenAI",
    summary: "OpenAI, or with --base-url any compatible server",
    kind: Kind::Service(Service {
        credential: "openai-api-key",
        key_variables: &["OPENAI_API_KEY"],
        key_doc: "The key of the OpenAI-compatible server. Hosted services need one, servers of \
                  your own may not. Where nothing else is set, the variable of a known server, such \
                  as `GOOGLE_API_KEY` for Gemini, chooses that server.",
        base_url: "https://api.openai.com/v1",
        path: "/chat/completions",
        base_url_when: "For Ollama, vLLM, llama.cpp, OpenRouter, Gemini or a proxy.",
        model: "gpt-4.1-mini",
        model_when: "To trade cost against quality, or to name the model of your own server.",
        is_self_hosted: true,
        servers: &[
            Server {
                name: "ollama",
                other_names: &[],
                base_url: "http://127.0.0.1:11434/v1",
                model: Some("llama3.2"),
                needs_key: false,
                key_variables: &[],
                stands_in: false,
            },
            Server {
                name: "gemini",
                other_names: &["google", "google_gemini"],
                base_url: GEMINI,
                model: Some("gemini-flash-latest"),
                needs_key: true,
                key_variables: &["GOOGLE_API_KEY", "GEMINI_API_KEY"],
                stands_in: true,
            },
            Server {
                name: "vllm",
                other_names: &[],
                base_url: "http://127.0.0.1:8000/v1",
                model: None,
                needs_key: false,
                key_variables: &[],
                stands_in: false,
            },
            Server {
                name: "openrouter",
                other_names: &[],
                base_url: "https://openrouter.ai/api/v1",
                model: Some("openrouter/auto"),
                needs_key: true,
                key_variables: &["OPENROUTER_API_KEY"],
                stands_in: false,
            },
            Server {
                name: "groq",
                other_names: &[],
                base_url: "https://api.groq.com/openai/v1",
                model: Some("openai/gpt-oss-120b"),
                needs_key: true,
                key_variables: &["GROQ_API_KEY"],
                stands_in: false,
            },
            Server {
                name: "mistral",
                other_names: &[],
                base_url: "https://api.mistral.ai/v1",
                model: Some("mistral-small-latest"),
                needs_key: true,
                key_variables: &["MISTRAL_API_KEY"],
                stands_in: false,
            },
            Server {
                name: "deepseek",
                other_names: &[],
                base_url: "https://api.deepseek.com/v1",
                model: Some("deepseek-v4-flash"),
                needs_key: true,
                key_variables: &["DEEPSEEK_API_KEY"],
                stands_in: false,
            },
        ],
    }),
    build: |settings| Ok(Arc::new(OpenAi::new(settings)?)),
};

/// A server with OpenAI's chat completions.
pub struct OpenAi {
    shared: Arc<Shared>,
    model: String,
}

struct Shared {
    http: reqwest::Client,
    url: Url,
    headers: HeaderMap,
    redactor: Redactor,
    learned: Learned,
    eaten: EatenMarks,
}

/// One question, asked as the server takes it.
struct Asking {
    shared: Arc<Shared>,
    prompt: Arc<ChatRequest>,
    model: String,
    /// How it was asked last.
    asked: Way,
    /// The answer to the latest way of asking.
    answering: Option<Answering>,
    /// The answer has begun, so the way of asking is right.
    began: bool,
    over: bool,
}

impl OpenAi {
    /// Checks the settings and builds the client; nothing is sent.
    pub fn new(settings: ProviderSettings) -> Result<Self, ProviderError> {
        let mut url = http::base(&settings.base_url)?;
        // OpenAI refuses the old name for its newer models; most others know only the old one.
        let newer_bound = url.host_str() == Some("api.openai.com");
        let path = url.path().trim_end_matches('/').trim_end_matches("/chat/completions");
        let path = format!("{}/chat/completions", path.trim_end_matches('/'));
        url.set_path(&path);
        let mut headers = http::headers();
        if let Some(key) = http::present(settings.api_key.as_ref()) {
            headers.insert(AUTHORIZATION, http::secret_header(&format!("Bearer {key}"))?);
        }
        let shared = Shared {
            http: http::client(settings.read_timeout)?,
            redactor: http::redactor(settings.api_key.as_ref(), &url),
            url,
            headers,
            learned: Learned::new(newer_bound),
            eaten: EatenMarks::default(),
        };
        Ok(Self { shared: Arc::new(shared), model: settings.model })
    }
}

impl Shared {
    /// Another address of the same API.
    fn beside(&self, path: &str) -> Url {
        let mut url = self.url.clone();
        let path = format!("{}{path}", url.path().trim_end_matches("/chat/completions"));
        url.set_path(&path);
        url
    }
}

impl fmt::Debug for OpenAi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.shared.url.host_str().unwrap_or_default();
        f.debug_struct("OpenAi").field("model", &self.model).field("host", &host).finish()
    }
}

impl Provider for OpenAi {
    fn name(&self) -> &'static str {
        "openai"
    }

    fn model(&self) -> &str {
        &self.model
    }

    fn is_own_server(&self) -> bool {
        http::is_near(&self.shared.url)
    }

    fn host(&self) -> Option<&str> {
        self.shared.url.host_str()
    }

    fn models(&self) -> BoxFuture<'_, ModelList> {
        let shared = &self.shared;
        let url = shared.beside("/models");
        let (headers, redactor) = (shared.headers.clone(), shared.redactor.clone());
        model_list::ask(&shared.http, url, headers, redactor).boxed()
    }

    fn context_size(&self, model: &str) -> BoxFuture<'_, Option<usize>> {
        let shared = &self.shared;
        let mut props = shared.url.clone();
        props.set_path("/props");
        let (urls, headers) = ([props, shared.beside("/models")], shared.headers.clone());
        let redactor = shared.redactor.clone();
        context_size::ask(&shared.http, urls, headers, redactor, model.to_owned()).boxed()
    }

    fn answer(&self, request: ChatRequest) -> Answering {
        let model = request.model.clone().unwrap_or_else(|| self.model.clone());
        let asking = Asking {
            shared: Arc::clone(&self.shared),
            prompt: Arc::new(prompt::compose(request)),
            model,
            asked: Way::default(),
            answering: None,
            began: false,
            over: false,
        };
        stream::unfold(asking, |mut asking| async move {
            let event = asking.next().await?;
            Some((event, asking))
        })
        .boxed()
    }
}

impl Asking {
    async fn next(&mut self) -> Option<Result<Event, ProviderError>> {
        loop {
            if self.over {
                return None;
            }
            let Some(answering) = &mut self.answering else {
                self.asked = self.shared.learned.way(&self.model, self.prompt.without_thoughts);
                match ask(&self.shared, &self.prompt, &self.model, self.asked).await {
                    Ok(answering) => self.answering = Some(answering),
                    Err(refused) if self.learns(&refused.error, &refused.body) => {}
                    Err(refused) => {
                        self.over = true;
                        return Some(Err(refused.error));
                    }
                }
                continue;
            };
            let event = answering.next().await;
            match &event {
                // Some servers refuse with status 200.
                Some(Err(error)) if !self.began && self.learns(error, "") => {
                    self.answering = None;
                    continue;
                }
                Some(Ok(Event::Alive | Event::RateLeft(_))) => {}
                _ => self.began = true,
            }
            return event;
        }
    }

    /// Whether another way of asking may work: this refusal showed it, or that of another question
    /// meanwhile. Nothing is unlearnt, so this ends.
    fn learns(&self, error: &ProviderError, body: &str) -> bool {
        let (learned, has_system) = (&self.shared.learned, !self.prompt.system.is_empty());
        learned.learn((error, body), &self.model, has_system, self.asked);
        learned.way(&self.model, self.prompt.without_thoughts) != self.asked
    }
}

async fn ask(
    shared: &Shared,
    prompt: &Arc<ChatRequest>,
    model: &str,
    way: Way,
) -> Result<Answering, http::Refused> {
    let scrubber = Scrubber { redactor: shared.redactor.clone(), said: Arc::clone(prompt) };
    let mut request = request::request(prompt, model.to_owned(), way.folded);
    way.apply(&mut request, prompt.max_output_tokens);
    let body = serde_json::to_vec(&request).map_err(|_| ProviderError::Unusable {
        setting: "the request",
        problem: "it cannot be written as json",
    })?;
    let (url, headers) = (shared.url.clone(), shared.headers.clone());
    let frames = http::post(&shared.http, url, headers, body, &scrubber).await?;
    let thoughts = Thoughts::new(shared.eaten.of(model));
    Ok(answer_events(frames, chunks::Chunks::new(scrubber), thoughts))
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;

    fn provider(base_url: &str) -> OpenAi {
        let base_url = base_url.to_owned();
        OpenAi::new(ProviderSettings { base_url, ..ProviderSettings::default() }).unwrap()
    }

    #[test]
    fn the_endpoint_follows_from_any_spelling_of_the_base() {
        let expected = "http://localhost:11434/v1/chat/completions";
        for tail in ["/v1", "/v1/", "/v1/chat/completions", "/v1/chat/completions/"] {
            let base = format!("http://localhost:11434{tail}");
            assert_eq!(provider(&base).shared.url.as_str(), expected);
        }
        let bare = provider("http://localhost:8080");
        assert_eq!(bare.shared.url.path(), "/chat/completions");
    }

    #[test]
    fn only_openai_itself_gets_the_newer_name_of_the_bound() {
        let newer = |base| provider(base).shared.learned.is_newer_bound();
        assert!(newer("https://api.openai.com/v1"));
        assert!(!newer("https://openrouter.ai/api/v1"));
    }

    #[test]
    fn a_key_that_no_header_can_hold_is_named_without_being_shown() {
        let settings = ProviderSettings {
            api_key: Some(SecretString::from("sk-\nsecret")),
            base_url: "http://localhost/v1".to_owned(),
            ..ProviderSettings::default()
        };
        let error = OpenAi::new(settings).unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot use the api key: it has characters that no key may have"
        );
    }
}
