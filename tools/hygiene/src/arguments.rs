//! Errors of a command line, without the words that were not understood.
//!
//! Someone who pastes a token in the wrong place must not find it in the log of a cron job, or on the
//! terminal that a colleague watches.

use std::error::Error as _;

use clap::error::{ContextKind, ContextValue, Error, ErrorKind};

/// Stands where the word stood.
const HIDDEN: &str = "[not shown]";

/// The same error without what was written. Names of options and values that are known stay.
pub fn discreet(mut error: Error) -> Error {
    let text = |error: &Error, kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        _ => String::new(),
    };
    if error.kind() == ErrorKind::ValueValidation {
        let value = text(&error, ContextKind::InvalidValue);
        let why = error.source().map(ToString::to_string).unwrap_or_default();
        // Short words and numbers hold no secret, and may stand in the words about what is allowed.
        let shown = value.len() < 4 || value.parse::<i128>().is_ok();
        let why = if shown { why } else { why.replace(&value, HIDDEN) };
        let option = text(&error, ContextKind::InvalidArg);
        return Error::raw(error.kind(), format!("invalid value for '{option}': {why}\n"));
    }
    let stray = (error.kind() == ErrorKind::UnknownArgument).then_some(ContextKind::InvalidArg);
    let words = [ContextKind::InvalidSubcommand, ContextKind::InvalidValue];
    for kind in words.into_iter().chain(stray) {
        // A value that is missing is empty, and has words of its own.
        if !text(&error, kind).is_empty() {
            error.insert(kind, ContextValue::String(HIDDEN.to_owned()));
        }
    }
    // Advice on how to pass the word as a value, with the word.
    error.remove(ContextKind::Suggested);
    error
}
