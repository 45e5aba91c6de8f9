//! Katana: a Telegram AI assistant that loses nothing and can be left alone.

pub mod commands;
pub mod config;
pub mod model;
pub mod store;
