//! The edge to Telegram: everything that knows the Bot API.

pub mod render;
