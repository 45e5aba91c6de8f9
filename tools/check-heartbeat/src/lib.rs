//! `check-heartbeat`: judges heartbeat files, and tells people once when one is not good, and once
//! when it is good again.

pub mod notice;
