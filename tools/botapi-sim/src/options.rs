//! How a simulator is set up: where it listens, who the bot is, which limits hold.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::Faults;

/// Everything that [`crate::Sim::start`] needs to know.
#[derive(Clone, Debug)]
pub struct Options {
    /// Seed of everything random: first ids and the dice of [`Faults`].
    pub seed: u64,
    /// Telegram's send limits.
    pub limits: Limits,
    /// What goes wrong, and how often.
    pub faults: Faults,
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The only token that is known, `<bot id>:<secret>`.
    pub token: String,
    /// The bot's username, without `@`.
    pub bot_username: String,
    /// Whether `/control/…` is served (for use from another process).
    pub control: bool,
    /// How long a black hole keeps a request open at most.
    pub black_hole: Duration,
    /// How many requests [`crate::Sim::log`] remembers; 0 turns it off.
    pub log_capacity: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: 1,
            limits: Limits::real(),
            faults: Faults::none(),
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            token: "7000000001:SIMULATOR-only-works-on-loopback00".to_owned(),
            bot_username: "katana_sim_bot".to_owned(),
            control: false,
            black_hole: Duration::from_secs(120),
            log_capacity: 4096,
        }
    }
}

/// A token bucket: `burst` at once, refilled with `per_s` each second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// How many pass at once after a pause.
    pub burst: f64,
    /// How many pass each second in the long run.
    pub per_s: f64,
}

/// The send limits, by the Bot API FAQ ("My bot is hitting limits").
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// In one chat.
    pub per_chat: Option<Rate>,
    /// In one group, supergroup or channel, on top of `per_chat`.
    pub per_group: Option<Rate>,
    /// Over all chats.
    pub overall: Option<Rate>,
}

impl Limits {
    /// About one a second in a chat (short bursts pass), 20 a minute in a group, 30 a second overall.
    #[must_use]
    pub const fn real() -> Self {
        Self {
            per_chat: Some(Rate { burst: 5.0, per_s: 1.0 }),
            per_group: Some(Rate { burst: 20.0, per_s: 20.0 / 60.0 }),
            overall: Some(Rate { burst: 30.0, per_s: 30.0 }),
        }
    }

    /// No limits, for benchmarks.
    #[must_use]
    pub const fn off() -> Self {
        Self { per_chat: None, per_group: None, overall: None }
    }
}

/// The kinds of chats that Telegram has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChatKind {
    /// One person and the bot; the chat id is the user id.
    Private,
    /// A basic group; shares the message ids of private chats.
    Group,
    /// A supergroup, with message ids of its own; ids start with -100.
    Supergroup,
    /// A channel, with message ids of its own; ids start with -100.
    Channel,
}

impl ChatKind {
    /// The name in `Chat.type`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::Group => "group",
            Self::Supergroup => "supergroup",
            Self::Channel => "channel",
        }
    }

    /// Whether message ids are counted for this chat alone.
    #[must_use]
    pub const fn has_own_ids(self) -> bool {
        matches!(self, Self::Supergroup | Self::Channel)
    }
}
