//! The checker: judges heartbeats and tells people when one stops.

pub mod channel;
pub mod notice;
