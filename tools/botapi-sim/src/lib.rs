//! A strict local simulator of Telegram's Bot API and of model servers, for tests, benchmarks and demos.
//!
//! [`Sim::start`] opens one port on loopback that serves the Bot API (`/bot<token>/<method>`), an
//! OpenAI-compatible model server (`/v1/…`) and an Anthropic one (`/v1/messages`). A test then plays
//! the people ([`Sim::say`], [`Sim::press`], …), breaks things ([`Faults`], [`Hold`]), and reads what
//! the bot did ([`Sim::transcript`], [`Sim::wait_until`]).
//!
//! It refuses what Telegram refuses, in Telegram's words; where Telegram would silently drop or change
//! something, it refuses with words that start with `strict:`. The source of each rule is
//! tdlib/telegram-bot-api and tdlib/td.

mod clock;
pub mod control;
mod faults;
mod fields;
mod hold;
mod methods;
mod model;
mod observe;
mod options;
mod params;
mod people;
mod queue;
mod refusal;
mod server;
mod sim;
mod state;
pub mod text;
mod topics;
pub mod validate;

pub use faults::{Class, Fault, Faults};
pub use hold::{Hold, HoldAt, HoldGuard};
pub use model::{Bill, ModelAnswer, ModelFault, ModelPace, ModelRequest, ModelServer, Vendor};
pub use options::{ChatKind, Limits, Options, Rate};
pub use people::Sent;
pub use sim::Sim;
pub use state::{Message, Request};
pub use text::utf16_len;
