//! `[delivery]`: the pace of sending, by Telegram's published limits.

use super::key::{Key, Kind};
use super::settled::Settled;

/// The section `[delivery]`.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Whether sending is paced at all.
    pub pace: bool,
    /// Messages a second in one chat.
    pub chat_per_s: f64,
    /// Messages that one chat may get at once before its pace counts.
    pub chat_burst: u32,
    /// Messages a second over all chats.
    pub overall_per_s: u32,
    /// Messages a minute in one group.
    pub group_per_min: u32,
    /// How long a reply is tried before it is given up.
    pub give_up_after_h: u64,
}

pub(super) const KEYS: &[Key] = &[
    Key::new("delivery.pace", Kind::Flag, "true").doc(
        "Whether sending is paced. Telegram's own refusals (429) are obeyed either way.",
        "Turn it off only against a local server without limits.",
    ),
    Key::new("delivery.chat_per_s", Kind::Number(0.05, 100.0), "1.0")
        .doc("Messages a second in one chat.", "Lower it when Telegram still answers 429."),
    Key::new("delivery.chat_burst", Kind::Whole(1, 100), "3").doc(
        "Messages that one chat may get at once before its pace counts.",
        "Lower it when Telegram still answers 429.",
    ),
    Key::new("delivery.overall_per_s", Kind::Whole(1, 10_000), "30")
        .doc("Messages a second over all chats.", "Raise it when Telegram granted the bot more."),
    Key::new("delivery.group_per_min", Kind::Whole(1, 6000), "20")
        .doc("Messages a minute in one group.", "Lower it when Telegram still answers 429."),
    Key::new("delivery.give_up_after_h", Kind::Whole(1, 168), "24").doc(
        "Hours after which a reply that cannot be sent is dropped, with a finding.",
        "When late answers are worse than none.",
    ),
];

impl Delivery {
    pub(super) fn read(settled: &Settled) -> Self {
        Self {
            pace: settled.flag("delivery.pace"),
            chat_per_s: settled.number("delivery.chat_per_s"),
            chat_burst: settled.count("delivery.chat_burst"),
            overall_per_s: settled.count("delivery.overall_per_s"),
            group_per_min: settled.count("delivery.group_per_min"),
            give_up_after_h: settled.whole("delivery.give_up_after_h"),
        }
    }
}
