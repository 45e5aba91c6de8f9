//! Runs katana-bot.
fn main() {}
