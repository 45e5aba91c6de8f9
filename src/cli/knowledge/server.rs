//! Whether the servers behind the search are there.

use std::time::Duration;

use crate::config::Config;
use crate::provider::reach;

/// Longest wait for a server to say that it is there.
const REACH: Duration = Duration::from_secs(3);

/// A server behind the search.
pub(super) struct Server {
    pub(super) name: &'static str,
    /// What is configured of it, for people.
    pub(super) what: String,
    /// Why it cannot be reached.
    pub(super) problem: Option<String>,
}

/// Those that are configured.
pub(super) async fn servers(config: &Config) -> Vec<Server> {
    let mut servers = Vec::new();
    if config.embeddings.is_on() {
        let (url, what) = (&config.embeddings.base_url, config.embeddings.model.clone());
        servers.push(server("embeddings", url, what).await);
    }
    if config.qdrant.is_on() {
        let what = format!("collections {}-…", config.qdrant.collection);
        servers.push(server("qdrant", &config.qdrant.url, what).await);
    }
    servers
}

async fn server(name: &'static str, url: &str, what: String) -> Server {
    let problem = reach(url, REACH).await.err();
    let problem = problem.map(|e| e.to_string().replace("the model's server", "the server"));
    Server { name, what, problem }
}
