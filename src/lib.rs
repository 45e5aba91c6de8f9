//! Katana: a Telegram AI assistant that loses nothing and can be left alone.

pub mod model;
pub mod provider;
