//! `check-heartbeat`: judges heartbeat files, and sends one alert when one goes bad and one when it
//! is good again.
//!
//! ```text
//! run ─▶ watch ─▶ heartbeat::judge             what is found, printed at once
//!  └▶ notify ─▶ incident_log ◀─▶ state_dir     what is remembered
//!       ├─ pending                             what each channel has still to be sent
//!       └─ deliver ─▶ channel/…                recorded when accepted
//! ```

#![allow(missing_docs, reason = "a library for the program and its tests alone")]

mod advice;
mod as_user;
pub mod channel;
pub mod cli;
pub mod clock;
pub mod config;
mod control;
pub mod deliver;
pub mod incident;
pub mod incident_log;
mod layers;
pub mod notification;
pub mod notify;
mod outages;
pub mod pending;
mod problem;
mod remote;
mod repeat;
pub mod report;
pub mod run;
mod silence;
pub mod state_dir;
mod symptoms;
pub mod watch;
mod words;
