//! What a slash command does.
//!
//! Invariants: nothing here sends or writes. A command reads the store and returns replies and
//! effects; the pipeline stores both in the commit that finishes the update. Everything that
//! comes from a chat (names, arguments, button data) is taken for hostile.

mod access;
mod command;
mod context;
mod dispatch;
mod hint;
mod learned;
mod limiter;
mod model;
mod parse;
mod pause;
mod people;
mod press;
mod privacy;
mod report;
mod requests;
mod sources;
mod spending;
mod table;
mod talk;
#[cfg(test)]
mod tests;
mod wording;

pub use access::fresh_code;
pub use command::{Command, Places, Who};
pub use context::{
    About, AnswerSource, CommandContext, CommandRequest, FollowUp, Outcome, OutgoingReply, Rules,
};
pub use hint::Hint;
pub use parse::{Parsed, is_command};
pub use table::{Scope, published, table};
