//! /sources: the passages that the last answer was written from.

use std::fmt::Write as _;

use super::{CommandContext, CommandRequest, Outcome};
use crate::model::cited::KeptPassage;
use crate::store::StoreError;

/// Passages that are shown without being cited.
const OTHERS: usize = 3;

pub(super) async fn sources(
    context: &CommandContext,
    asked: &CommandRequest<'_>,
) -> Result<Outcome, StoreError> {
    let passages = context.store.last_sources(asked.conversation()).await?;
    let Some(passages) = passages else {
        return Ok(
            asked.say("I have not answered a question here yet, so there are no sources to show.")
        );
    };
    let (cited, others): (Vec<_>, Vec<_>) = passages.into_iter().partition(|one| one.number > 0);
    if cited.is_empty() && others.is_empty() {
        return Ok(asked.say("No document went into my last answer."));
    }
    let mut text = String::new();
    if !cited.is_empty() {
        text.push_str("My last answer cites:");
        cited.iter().for_each(|passage| show(&mut text, passage));
    }
    if !others.is_empty() {
        let about = match cited.is_empty() {
            true => "My last answer cites nothing. I had found:",
            false => "\n\nI had also found:",
        };
        text.push_str(about);
        others.iter().take(OTHERS).for_each(|passage| show(&mut text, passage));
    }
    Ok(asked.say(text))
}

/// A passage under its name, as a quotation.
fn show(text: &mut String, passage: &KeptPassage) {
    let number = match passage.number {
        0 => String::new(),
        number => format!("[{number}] "),
    };
    let _ = write!(text, "\n\n**{number}{}**\n", passage.place());
    for line in closed(&passage.text).lines() {
        let _ = write!(text, "\n> {line}");
    }
}

/// Text whose last block of code is closed, in case it was cut there.
fn closed(text: &str) -> String {
    let mut open: Option<&str> = None;
    for line in text.lines().map(str::trim) {
        let length = line.len() - line.trim_start_matches(['`', '~']).len();
        if length < 3 {
            continue;
        }
        open = match open {
            None => Some(&line[..length]),
            Some(fence) if line.starts_with(fence) && line.len() == length => None,
            open => open,
        };
    }
    open.map_or_else(|| text.to_owned(), |fence| format!("{text}\n{fence}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passage_that_ends_in_code_does_not_swallow_what_follows() {
        for (text, wanted) in [
            ("a\n```sh\nls", "a\n```sh\nls\n```"),
            ("```sh\nls\n```\nb", "```sh\nls\n```\nb"),
            ("````\n```\n", "````\n```\n\n````"),
            ("plain `a`", "plain `a`"),
        ] {
            assert_eq!(closed(text), wanted);
        }
    }
}
