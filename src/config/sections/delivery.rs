//! `[delivery]`: the pace of sending, by Telegram's published limits.

use crate::config::key::Part;
use crate::config::rule::{count, flag, number, whole};
use crate::config::section::section;

section! {
    /// The section `[delivery]`: the pace of sending, by Telegram's published limits.
    pub struct Delivery in "delivery" {
        /// Whether sending is paced. Telegram's own throttling (429) is respected either way.
        pace: bool = flag(true)
            .when("Turn it off only against a local server without limits.").live(Part::Pace),

        /// Messages a second in one chat.
        chat_per_s: f64 = number(0.05..=100.0, 1.0)
            .when("Lower it when Telegram still answers 429.").live(Part::Pace),

        /// Messages that one chat may get at once before pacing starts.
        chat_burst: u32 = count(1..=100, 3)
            .when("Lower it when Telegram still answers 429.").live(Part::Pace),

        /// Messages a second in all chats together.
        overall_per_s: u32 = count(1..=10_000, 30)
            .when("Raise it when Telegram granted the bot more.").live(Part::Pace),

        /// Messages a minute in one group.
        group_per_min: u32 = count(1..=6000, 20)
            .when("Lower it when Telegram still answers 429.").live(Part::Pace),

        /// Hours after which a reply that cannot be sent is dropped, with a finding.
        give_up_after_h: u64 = whole(1..=168, 24)
            .when("When late answers are worse than none.").live(Part::Stages),
    }
}
