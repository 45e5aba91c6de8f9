//! `check-heartbeat`: judges heartbeat files, and tells people once when one is not good, and once
//! when it is good again.
//!
//! ```text
//! run ─▶ watch ─▶ heartbeat::judge          what is found, printed at once
//!  └▶ tell ──┴ signs ─▶ book::Book ◀──▶ spool ─▶ place    what is remembered
//!      └ deliver ◀─ dues ◀────┘                           who is owed what
//!        └─▶ channel/{telegram,smtp,command}              marked when accepted
//! ```

pub mod book;
pub mod bound;
pub mod channel;
pub mod cli;
pub mod config;
pub mod deliver;
pub mod dues;
pub mod incident;
pub mod notice;
mod place;
pub mod report;
pub mod run;
pub mod spool;
pub mod stamp;
pub mod tell;
pub mod watch;
