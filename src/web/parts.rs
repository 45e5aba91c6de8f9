//! What the endpoint is made of: where its answers come from.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use hygiene::Redactor;
use secrecy::SecretString;

use crate::observe::vitals::Vitals;
use crate::store::Timings;
use crate::supervise::ReportHub;

/// What the endpoint shows, and who may see it.
pub struct Parts {
    /// Where the last report hangs.
    pub report_hub: ReportHub,
    /// What the stages write.
    pub vitals: Arc<Vitals>,
    /// Who this is; it may change.
    pub about: Arc<ArcSwap<About>>,
    /// What opens everything; it may change.
    pub admin_token: Arc<ArcSwap<Option<SecretString>>>,
    /// How often a report is made; one that is much older means that the supervisor does not turn.
    pub report_every: Duration,
    /// How many connections one client may have at a time; 0 stands for any number. On the loopback, where
    /// all clients look alike, it is not looked at.
    pub connections_per_client: usize,
    /// Names of the chat commands, so that their counts begin at 0.
    pub commands: Vec<&'static str>,
    /// Knows what no answer may hold.
    pub redactor: Redactor,
    /// Asks the store for its durations, when there is a store to ask.
    pub store_timings: Option<Box<dyn Fn() -> Timings + Send + Sync>>,
}

/// Who this is.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// Version of the program.
    pub version: &'static str,
    /// Name of the installation, such as `production`.
    pub environment: String,
    /// The bot's name at Telegram, without `@`; empty until Telegram told it.
    pub username: String,
    /// Which provider answers.
    pub provider: String,
    /// With which model; may be empty.
    pub model: String,
    /// Features with whom each is on for.
    pub features: Vec<(&'static str, &'static str)>,
}
