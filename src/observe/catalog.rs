//! The entries of the journal catalog: what a sysadmin searches for, each under a message id of its
//! own. `journalctl -x` shows the texts of `packaging/catalog/katana-bot.catalog` below such lines.
//!
//! Invariant: an id never changes its meaning and is never used again, since people and their tools
//! search old journals for it. A new one is made with `systemd-id128 new`.

use super::finding::Kind;

/// The field of a log line that holds the id; the journal calls it `MESSAGE_ID`
/// (systemd.journal-fields(7)).
pub const FIELD: &str = "message_id";

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JournalEvent {
    /// The process begins.
    Starting,
    /// The first poll was answered; the bot is at work.
    Ready,
    /// The start, or the run, ended with an error.
    CannotRun,
    /// The configuration cannot be used; the process ends with exit code 78.
    ConfigRefused,
    /// A reload took the new configuration.
    Reloaded,
    /// A reload kept the old configuration.
    ReloadRefused,
    /// Telegram answered that it does not know the token.
    TokenNotAccepted,
    /// The bot has no owner; the first person to send the code becomes the owner.
    OwnerWanted,
    /// A person claimed the bot, or the configuration names other owners.
    OwnerChanged,
    /// The state file was brought to this version's schema.
    StateMigrated,
    /// The state file was damaged; the bot started with a new one.
    StateSetAside,
    /// A backup took the place of the state file.
    StateRestored,
    /// The heartbeat cannot be written, so that checks take the bot for dead.
    HeartbeatUnwritten,
    /// A loop is stalled; systemd is asked to restart the process.
    WatchdogStarved,
    /// The process drains because it uses more memory than it may.
    MemoryExceeded,
    /// A fault of Katana; the process drains.
    TaskPanicked,
    /// Everything ended within the grace period.
    Stopped,
    /// Some work did not end within the grace period.
    GraceExceeded,
    /// A second signal did not wait for running work.
    StoppedAtOnce,
    /// The process ends because one of its tasks failed.
    StoppedByFailure,
    /// What was wrong is over.
    FindingEnded,
    /// This finding opened.
    Opened(Kind),
}

/// All but the findings.
const EVENTS: [JournalEvent; 21] = [
    JournalEvent::Starting,
    JournalEvent::Ready,
    JournalEvent::CannotRun,
    JournalEvent::ConfigRefused,
    JournalEvent::Reloaded,
    JournalEvent::ReloadRefused,
    JournalEvent::TokenNotAccepted,
    JournalEvent::OwnerWanted,
    JournalEvent::OwnerChanged,
    JournalEvent::StateMigrated,
    JournalEvent::StateSetAside,
    JournalEvent::StateRestored,
    JournalEvent::HeartbeatUnwritten,
    JournalEvent::WatchdogStarved,
    JournalEvent::MemoryExceeded,
    JournalEvent::TaskPanicked,
    JournalEvent::Stopped,
    JournalEvent::GraceExceeded,
    JournalEvent::StoppedAtOnce,
    JournalEvent::StoppedByFailure,
    JournalEvent::FindingEnded,
];

impl JournalEvent {
    /// Every entry, in the order in which people should read them.
    pub fn all() -> impl Iterator<Item = Self> {
        EVENTS.into_iter().chain(Kind::ALL.into_iter().map(Self::Opened))
    }

    /// Its name; for a finding, that of the finding.
    pub fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::CannotRun => "cannot_run",
            Self::ConfigRefused => "config_refused",
            Self::Reloaded => "reloaded",
            Self::ReloadRefused => "reload_refused",
            Self::TokenNotAccepted => "token_not_accepted",
            Self::OwnerWanted => "owner_wanted",
            Self::OwnerChanged => "owner_changed",
            Self::StateMigrated => "state_migrated",
            Self::StateSetAside => "state_set_aside",
            Self::StateRestored => "state_restored",
            Self::HeartbeatUnwritten => "heartbeat_unwritten",
            Self::WatchdogStarved => "watchdog_starved",
            Self::MemoryExceeded => "memory_exceeded",
            Self::TaskPanicked => "task_panicked",
            Self::Stopped => "stopped",
            Self::GraceExceeded => "grace_exceeded",
            Self::StoppedAtOnce => "stopped_at_once",
            Self::StoppedByFailure => "stopped_by_failure",
            Self::FindingEnded => "finding_ended",
            Self::Opened(kind) => kind.name(),
        }
    }

    /// The message id: 32 lower-case hexadecimal digits (sd-id128(3)).
    pub fn id(self) -> &'static str {
        match self {
            Self::Starting => "88eb9f11adfb46d19d8a6b59e638ce50",
            Self::Ready => "04463af7454f4de9b173ea02d3ed1d46",
            Self::CannotRun => "15d126b3fb3946d087514e0836da9121",
            Self::ConfigRefused => "2a3289203acf4db28adade65cd28f30f",
            Self::Reloaded => "c666e19393fc46b4bd5462ba6c222b2e",
            Self::ReloadRefused => "196de53dbd36492c94ffbe50666fe233",
            Self::TokenNotAccepted => "5f5982f2393e4c139adbbab4783a2f2f",
            Self::OwnerWanted => "fc7f2c33598948ed9c347d1eabbe2e5c",
            Self::OwnerChanged => "9cb17d444647432ca29a9a755ee44d97",
            Self::StateMigrated => "ced2c7c917c44ab0be6e30883234a766",
            Self::StateSetAside => "1ddf396594dd4ac2922a1a8330c54e2d",
            Self::StateRestored => "a805d9de7e8f4c80befcb8643f015826",
            Self::HeartbeatUnwritten => "9f3860b22a984486a1c3a8d0cc5e7f7d",
            Self::WatchdogStarved => "d95e57b019074d209ac28f00daeb9578",
            Self::MemoryExceeded => "0bf12195b26245fa8b25ece46bd836eb",
            Self::TaskPanicked => "71315b8ddca24cdd9f4fbb8d1b822c03",
            Self::Stopped => "763f582a52a64004a52be6c77c4ca65b",
            Self::GraceExceeded => "af74724ec6b24b168642b3d65a49f451",
            Self::StoppedAtOnce => "12eeb040101a4d90ac34aed3b7c12201",
            Self::StoppedByFailure => "27ee94922a5b4ce29406084504e07e87",
            Self::FindingEnded => "e7f862f807854aadbab56464c1ecc5db",
            Self::Opened(kind) => kind.facts().message_id,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_entry_has_a_name_and_an_id_of_its_own() {
        let count = JournalEvent::all().count();
        assert_eq!(
            JournalEvent::all().map(JournalEvent::name).collect::<BTreeSet<_>>().len(),
            count
        );
        assert_eq!(JournalEvent::all().map(JournalEvent::id).collect::<BTreeSet<_>>().len(), count);
        for entry in JournalEvent::all() {
            let is_digit = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
            assert!(entry.id().len() == 32 && entry.id().chars().all(is_digit), "{entry:?}");
        }
    }
}
