//! The servers behind the search of documents: embeddings, and Qdrant.

use std::time::{Duration, Instant};

use super::check::Check;
use crate::app;
use crate::cli::try_model::advice;
use crate::config::{Config, Problems};
use crate::provider::{EmbeddingsError, EmbeddingsServer, reach};

/// Longest time for one call.
const CALL: Duration = Duration::from_secs(10);

/// Whether each is reachable; the embeddings server makes a vector when it may be asked.
pub(super) async fn servers(config: &Config, problems: &Problems, ask: bool) -> Vec<Check> {
    let is_wrong = |section: &str| problems.0.iter().any(|p| p.key.starts_with(section));
    let mut checks = Vec::new();
    if config.embeddings.is_on() {
        checks.push(match is_wrong("embeddings.") {
            true => Check::note("embeddings", "the server was not asked", FIRST),
            false => embeddings(config, ask).await,
        });
    }
    if config.qdrant.is_on() {
        checks.push(match is_wrong("qdrant.") {
            true => Check::note("qdrant", "the server was not asked", FIRST),
            false => qdrant(&config.qdrant.url).await,
        });
    }
    checks
}

const FIRST: &str = "fix the configuration first";

async fn embeddings(config: &Config, ask: bool) -> Check {
    const NAME: &str = "embeddings";
    let Some(settings) = app::embedder(config) else { return Check::skipped(NAME, "off") };
    let key = if settings.server.api_key.is_some() { "with a key" } else { "without a key" };
    let who = format!("{}, {key}", settings.server.model);
    if !ask {
        return match reach(&settings.server.base_url, CALL).await {
            Ok(_) => Check::skipped(
                NAME,
                format!("{who}: reachable; no vector was asked for (--ask-provider)"),
            ),
            Err(e) => Check::bad(NAME, format!("{who}: {e}"), REMEDY),
        };
    }
    let began = Instant::now();
    let server = match EmbeddingsServer::new(settings.server) {
        Ok(server) => server,
        Err(e) => return Check::bad(NAME, format!("{who}: {e}"), FIRST).config(),
    };
    let text = [format!("{}Is anyone there?", settings.query_prefix)];
    let asked = tokio::time::timeout(CALL, server.embed(&text)).await;
    match asked {
        Ok(Ok(embedded)) => {
            let dimensions = embedded.vectors.first().map_or(0, Vec::len);
            let took = began.elapsed().as_secs_f64();
            Check::good(
                NAME,
                format!("{who}: a vector of {dimensions} dimensions, after {took:.1} s"),
            )
        }
        Ok(Err(EmbeddingsError::Call(e))) => Check::bad(NAME, format!("{who}: {e}"), advice(&e)),
        Ok(Err(e)) => Check::bad(NAME, format!("{who}: {e}"), REMEDY),
        Err(_) => Check::bad(NAME, format!("{who}: no answer within {} s", CALL.as_secs()), REMEDY),
    }
}

const REMEDY: &str = "check embeddings.base_url and embeddings.model, and whether the server runs; until it does, documents are \
     searched by their words alone";

async fn qdrant(url: &str) -> Check {
    const NAME: &str = "qdrant";
    match reach(url, CALL).await {
        Ok(200) => Check::good(NAME, "reachable"),
        Ok(401 | 403) => Check::good(NAME, "reachable; it asks for a key"),
        Ok(status) => {
            let text = format!("its server answers {status}");
            Check::note(NAME, text, "check qdrant.url, and the proxy on the way")
        }
        Err(e) => Check::bad(
            NAME,
            e.to_string().replace("the model's server", "the server"),
            "check qdrant.url, and whether the server runs; until it does, documents are searched by their words alone",
        ),
    }
}
