//! The sections of the configuration, in the order in which people read them. A new one is a file
//! here, and a line in the list below.

mod answer;
mod backup;
mod bot;
mod budget;
mod cache;
mod canary;
mod choose;
mod delivery;
mod embeddings;
mod features;
mod knowledge;
mod lifecycle;
mod limits;
mod log;
mod pipeline;
mod provider;
mod qdrant;
mod reports;
mod server;
mod store;
mod telegram;
mod usual;
mod watch;
mod web;

use std::sync::LazyLock;

pub use answer::Answer;
pub use backup::Backup;
pub use bot::{Access, Bot};
pub use budget::Budget;
pub use cache::Cache;
pub use canary::Canary;
pub use delivery::Delivery;
pub use embeddings::{Embeddings, Swap};
pub use features::{Audience, Features};
pub use knowledge::{Knowledge, KnowledgeSources};
pub use lifecycle::Lifecycle;
pub use limits::Limits;
pub use log::{Format, Level, Log};
pub use pipeline::Pipeline;
use provider::place;
pub use provider::{ProviderSection, Providers};
pub use qdrant::Qdrant;
pub use reports::Reports;
pub use store::Store;
pub use telegram::{ANOTHER_BOT, NO_TOKEN, Telegram};
pub use watch::Watch;
pub use web::Web;

use super::key::Key;
use super::resolved::Resolved;
use super::section::Member;
use crate::provider::{Descriptor, find as find_provider, services};

/// Declares the configuration as a whole.
macro_rules! sections {
    ($( $(#[$doc:meta])+ $field:ident: $Member:ty, )+) => {
        /// Every setting, checked.
        #[derive(Clone, Debug)]
        pub struct Config { $( $(#[$doc])+ pub $field: $Member, )+ }

        fn declared() -> Vec<Key> {
            [$( <$Member as Member>::keys(), )+].concat()
        }

        impl Config {
            /// Checks the sections in their order, then reads them.
            pub(super) fn read(resolved: &mut Resolved<'_>) -> Self {
                $( <$Member as Member>::check(resolved); )+
                Self { $( $field: Member::read(resolved), )+ }
            }

            /// Takes the field of the key with this path from another configuration.
            pub(super) fn keep(&mut self, path: &str, other: &Self) {
                $( self.$field.keep(path, &other.$field); )+
            }
        }
    };
}

sections! {
    /// Who this bot is, and who may talk to it.
    bot: Bot,
    /// The Bot API.
    telegram: Telegram,
    /// The database.
    store: Store,
    /// The nightly backups.
    backup: Backup,
    /// How much is done at once.
    pipeline: Pipeline,
    /// Who answers, and how.
    answer: Answer,
    /// The services that may answer, by name.
    providers: Providers,
    /// What answers may cost.
    budget: Budget,
    /// The documents that answers may quote.
    knowledge: Knowledge,
    /// More folders of them, by name.
    knowledge_sources: KnowledgeSources,
    /// The server that makes vectors of passages.
    embeddings: Embeddings,
    /// A server that searches them.
    qdrant: Qdrant,
    /// How much people may ask.
    limits: Limits,
    /// Answers that are given again.
    cache: Cache,
    /// What is on for some people only.
    features: Features,
    /// The pace of sending.
    delivery: Delivery,
    /// How the bot stops.
    lifecycle: Lifecycle,
    /// What shows after a start that answers work.
    canary: Canary,
    /// When something is a finding.
    watch: Watch,
    /// What is logged.
    log: Log,
    /// Where errors are reported to.
    reports: Reports,
    /// The HTTP endpoint.
    web: Web,
}

/// One entry of `answer.provider`.
#[derive(Clone, Copy, Debug)]
pub struct Chosen<'a> {
    /// Its name there.
    pub name: &'a str,
    /// What it is.
    pub kind: &'static Descriptor,
    /// Its settings, when it is a service.
    pub section: Option<&'a ProviderSection>,
}

impl Chosen<'_> {
    /// The section with its settings, such as `openai` or `providers.backup`.
    pub fn place(&self) -> String {
        place(self.name)
    }
}

impl Config {
    /// Who answers, best first; at least one.
    pub fn chosen(&self) -> Vec<Chosen<'_>> {
        let chosen = |name: &'_ String| match self.providers.named(name) {
            Some(named) => Some((named.kind, Some(&named.section))),
            None => Some((find_provider(name)?, None)),
        };
        let names = self.answer.provider.iter();
        names
            .filter_map(|name| chosen(name).map(|(kind, section)| Chosen { name, kind, section }))
            .collect()
    }

    /// Who answers before all others.
    pub fn first(&self) -> Chosen<'_> {
        self.chosen().remove(0)
    }
}

/// Every key that is declared, section by section. Those of a table that users name have `NAME` in
/// their paths.
pub fn keys() -> &'static [Key] {
    static ALL: LazyLock<Vec<Key>> = LazyLock::new(declared);
    &ALL
}

/// The systemd credentials that the packaged units pass: of each secret, with those of the known servers in
/// place of the tables that users name.
pub fn credentials() -> &'static [String] {
    static ALL: LazyLock<Vec<String>> = LazyLock::new(|| {
        let mut all = Vec::new();
        for key in keys() {
            match (key.credential(), key.table()) {
                (None, _) => {}
                (Some(id), None) => all.push(id.to_owned()),
                (Some(_), Some(_)) => {
                    let servers = services().flat_map(|(_, service)| service.servers);
                    let with_key = servers.filter(|server| !server.key_variables.is_empty());
                    let named = with_key.map(|server| key.named(server.name));
                    all.extend(named.filter_map(|key| key.credential().map(str::to_owned)));
                }
            }
        }
        all
    });
    &ALL
}

/// The declared key with this path.
pub fn find(path: &str) -> Option<&'static Key> {
    super::key::find_in(keys(), path)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::key::nearest_key;
    use super::*;

    #[test]
    fn names_follow_from_the_path() {
        let key = find("telegram.poll_timeout_s").expect("declared");
        assert_eq!((key.section(), key.name()), ("telegram", "poll_timeout_s"));
        assert_eq!(key.variable(), "KATANA_TELEGRAM_POLL_TIMEOUT_S");
    }

    #[test]
    fn every_key_is_complete_and_unique() {
        let (mut variables, mut credentials) = (BTreeSet::new(), BTreeSet::new());
        for key in keys() {
            assert!(!key.doc.is_empty() && key.doc.ends_with('.'), "{}", key.path());
            assert!(key.when.is_empty() || key.when.ends_with('.'), "{}", key.path());
            for variable in key.variables() {
                assert!(variables.insert(variable.clone()), "{variable} would set two keys");
            }
            assert_eq!(key.is_secret(), key.credential().is_some(), "{}", key.path());
            assert!(key.credential().is_none_or(|id| credentials.insert(id)), "{}", key.path());
        }
    }

    #[test]
    fn slips_find_their_key() {
        for (written, meant) in [
            ("telegram.pol_timeout_s", Some("telegram.poll_timeout_s")),
            ("telegram.poll_timeout", Some("telegram.poll_timeout_s")),
            ("answer.keep_history_days", Some("store.keep_history_days")),
            ("bot.acess", Some("bot.access")),
            ("nothing.like_it_at_all", None),
        ] {
            assert_eq!(nearest_key(keys(), written).map(Key::path), meant, "{written}");
        }
    }
}
