//! The Bot API edge: everything that is said to and heard from Telegram.
//!
//! Invariants: no loaded secret is in an error, a log line or a message; one odd update never fails
//! a batch; what leaves here upwards are Katana's own small types.

mod answers;
mod clean;
mod client;
mod connection;
mod convert;
mod failure;
mod outgoing;
pub mod pace;
mod params;
mod quoted;
mod refusal;
pub mod render;
mod transport;

pub use client::{Batch, Client, Identity, Me, Renewals, TelegramSettings, Webhook, server_time};
pub use failure::{Conflict, TelegramError};
pub use outgoing::{MenuScope, Outgoing};
