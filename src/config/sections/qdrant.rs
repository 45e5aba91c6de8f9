//! `[qdrant]`: a vector database beside the index, for very many passages.

use super::server;
use crate::config::key::Part;
use crate::config::resolved::Resolved;
use crate::config::rule::{optional_secret, url, whole, word};
use crate::config::secret::Secret;
use crate::config::section::section;
use crate::provider::is_own_address;

section! {
    /// The section `[qdrant]`: a server that searches the vectors, in place of the memory of the bot.
    pub struct Qdrant in "qdrant", checked by check {
        /// The address of a Qdrant server, such as `http://127.0.0.1:6333`. Without it, the vectors are searched in
        /// memory, which is fast up to about a million passages. The index file has them all, too, so that Qdrant's
        /// can be made again.
        url: String = url("").example("http://127.0.0.1:6333").alias(&["QDRANT_URL"])
            .when("For more than a million passages, or a machine with little memory.").live(Part::Answers),

        /// The key of the server, if it asks for one.
        api_key: Option<Secret> = optional_secret("qdrant-api-key").alias(&["QDRANT_API_KEY"])
            .live(Part::Answers),

        /// What the names of the bot's collections begin with; each index has one of its own.
        collection: String = word("katana")
            .when("Where several bots share a server: give each another name.").live(Part::Answers),

        /// How long the server may take for a request, in seconds.
        timeout_s: u64 = whole(1..=600, 10).when("Raise it for a slow server.").live(Part::Answers),
    }
}

impl Qdrant {
    /// Whether there is a server.
    pub fn is_on(&self) -> bool {
        !self.url.is_empty()
    }
}

fn check(resolved: &mut Resolved<'_>) {
    const URL: &str = "qdrant.url";
    const COLLECTION: &str = "qdrant.collection";
    let name: String = resolved.get(COLLECTION);
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !name.chars().all(is_plain) || name.len() > 100 {
        let hint = "write at most 100 letters, digits, hyphens and underscores";
        resolved.problems.push(COLLECTION, "the value is not the name of a collection", hint);
    }
    let address: String = resolved.get(URL);
    if address.is_empty() {
        return;
    }
    if resolved.get::<String>("embeddings.base_url").is_empty() {
        let hint = "set embeddings.base_url, or leave qdrant.url out";
        resolved.warn(URL, "Qdrant searches vectors, and no server makes any", hint);
    }
    if !is_own_address(&address) {
        server::warn_if_plain(resolved, URL);
    }
}

#[cfg(test)]
mod tests {
    use crate::config::tests::with as load;

    #[test]
    fn its_variables_are_known_and_vectors_are_needed() {
        let url = ("QDRANT_URL", "http://qdrant:6333");
        let alone = load(&[url, ("QDRANT_API_KEY", "secret-secret")]).expect("valid");
        assert!(alone.config.qdrant.is_on() && alone.config.qdrant.api_key.is_some());
        assert!(alone.warnings.iter().any(|warning| warning.key == "qdrant.url"));
        let both = load(&[url, ("ML_API_URL", "http://ml:8000")]).expect("valid");
        assert!(both.warnings.is_empty(), "{:?}", both.warnings);
        let name = ("KATANA_QDRANT_COLLECTION", "a/../b");
        let problems = load(&[name]).expect_err("no name").0;
        assert_eq!((problems.len(), &*problems[0].key), (1, "qdrant.collection"));
    }
}
