//! `[cache]`: answers that are given again.

use crate::config::key::Part;
use crate::config::resolved::Resolved;
use crate::config::rule::{count, flag, whole};
use crate::config::section::section;

section! {
    /// The section `[cache]`: answers that are given again to the same question, without asking a model.
    pub struct Cache in "cache", checked by check {
        /// How many seconds an answer is given again to the same question; 0 keeps none. Only questions that
        /// depend on nothing else count: without earlier messages in the conversation, without an attached or
        /// quoted message. The footer says how old the answer is, and `/fresh QUESTION` asks the model anyway.
        /// It is off by default, because people who ask again often want another answer.
        ttl_s: u64 = whole(0..=604_800, 0)
            .when("For a bot that many people ask the same, such as about its documents.")
            .live(Part::Answers),

        /// Whether an answer that one person had is given to others who ask the same in their private chats.
        /// In groups the model reads who asks, so there an answer stays with its person.
        shared: bool = flag(false)
            .when("Where questions hold nothing private, and all people may read all documents.")
            .live(Part::Answers),

        /// How many answers are kept, in memory; the oldest go first.
        max_entries: u32 = count(1..=100_000, 1000).when("Rarely.").live(Part::Answers),

        /// How much memory they may take, in megabytes.
        max_mb: u32 = count(1..=1024, 16).when("Rarely.").live(Part::Answers),
    }
}

fn check(resolved: &mut Resolved<'_>) {
    if resolved.get("cache.shared") && resolved.get::<u64>("cache.ttl_s") == 0 {
        let hint = "set cache.ttl_s to how many seconds an answer may be given again";
        resolved.warn("cache.shared", "it has no effect, because no answer is kept", hint);
    }
}
