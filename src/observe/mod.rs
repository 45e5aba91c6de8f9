//! What the parts of the process report about themselves: counts, durations, health, findings.
//!
//! Everything here may be written from many tasks at once, and costs little. The stages report;
//! `supervise` reads and judges. Nothing here reads or writes a file or the network.
//!
//! | word | meaning |
//! |---|---|
//! | liveness tick | a loop says that it ran, and by when it will run again |
//! | health of a dependency | how calls to Telegram, the provider or the store go |
//! | repeats | a state that goes on, which is logged once |
//! | state of the index | what is searched, what is being embedded, what is not in it yet |
//! | state of a provider | whether it is asked, and if not, why |
//! | finding | a named fact that something is wrong, for logs, metrics and the runbook |
//! | journal event | something an administrator searches the journal for, under a fixed message id |

pub mod canary;
pub mod catalog;
pub mod clock;
pub mod dependency;
pub mod documents;
pub mod finding;
pub mod histogram;
pub mod index;
mod kind;
pub mod label;
pub mod liveness;
pub mod money;
pub mod providers;
pub mod repeats;
pub mod vitals;
