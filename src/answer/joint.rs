//! Where an answer that was cut and its continuation meet.
//!
//! Invariant: what is kept is the answer as if it had been written in one piece.

use crate::model::conversation::StopReason;
use crate::model::ids::InboxSeq;
use crate::model::limits::ANSWER_BYTES;
use crate::model::reply::{Button, Reply};

/// A repetition this long, in bytes, is one, and not a coincidence.
const REPEATED: usize = 16;

/// The same where it is the whole last line.
const REPEATED_LINE: usize = 4;

/// The longest repetition that is looked for, in bytes.
const LONGEST: usize = 600;

/// An answer that can grow by less, in bytes, does not go on.
const ROOM: usize = 1024;

/// What a continuation adds: models like to open a code block again, or to begin with the last words.
pub(super) fn added<'m>(before: &str, more: &'m str) -> &'m str {
    let mut added = more;
    if open_fence(before).is_some()
        && let Some((line, rest)) = more.trim_start().split_once('\n')
        && fence(line).is_some_and(|(_, info)| !info.is_empty())
    {
        added = rest;
    }
    let last_line = before.rsplit('\n').next().unwrap_or_default().trim().len();
    let is_repeated = |end: &usize| {
        let is_line = last_line >= REPEATED_LINE && *end >= last_line;
        let least = if is_line { last_line } else { REPEATED };
        *end >= least && before.ends_with(&added[..*end])
    };
    let ends = added.char_indices().map(|(at, _)| at).chain([added.len()]);
    let repeated = ends.take_while(|end| *end <= LONGEST).filter(is_repeated).last().unwrap_or(0);
    &added[repeated..]
}

/// What is shown of it: within a code block that is open, it is code.
pub(super) fn shown(before: &str, added: &str) -> String {
    let Some(opening) = open_fence(before) else { return added.to_owned() };
    let (first, rest) = added.trim_start().split_once('\n').unwrap_or((added.trim_start(), ""));
    match fence(first) {
        Some((_, "")) => rest.to_owned(),
        _ => format!("{opening}\n{added}"),
    }
}

/// An answer grows with each continuation, up to what one may have.
pub(super) fn bounded(mut whole: String) -> String {
    whole.truncate(whole.floor_char_boundary(ANSWER_BYTES));
    whole
}

/// The reply with a button, if the answer reached its limit and can still grow. It names the update that asked, and where
/// the answer stopped.
pub(super) fn with_way_on(
    reply: Reply,
    reason: StopReason,
    asked_by: InboxSeq,
    length: usize,
) -> Reply {
    if reason != StopReason::Length || length > ANSWER_BYTES - ROOM {
        return reply;
    }
    reply.with_row(vec![Button::new("Continue", format!("continue:{asked_by}:{length}"))])
}

/// The line that opens the code block which is still open at the end of a text.
pub(super) fn open_fence(text: &str) -> Option<&str> {
    let mut open: Option<(&str, &str)> = None;
    for line in text.lines() {
        match (open, fence(line)) {
            (None, Some((mark, _))) => open = Some((line.trim(), mark)),
            (Some((_, opened)), Some((mark, ""))) if mark.starts_with(opened) => open = None,
            _ => {}
        }
    }
    open.map(|(line, _)| line)
}

/// A line that opens or closes a code block: its mark, and what follows that.
pub(super) fn fence(line: &str) -> Option<(&str, &str)> {
    let line = line.trim();
    let mark = line.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let (mark, info) = line.split_at(line.len() - line.trim_start_matches(mark).len());
    (mark.len() >= 3 && !info.contains('`')).then_some((mark, info.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_meet_where_the_first_stopped() {
        for (before, more, wanted) in [
            ("The tower is pain", "ted every spring.", "ted every spring."),
            ("One. Two.", " Three.", " Three."),
            ("so it is the keeper of the light", "the keeper of the lighthouse.", "house."),
            ("a the", "the end", "the end"),
            ("list:\n- first", "- first\n- second", "\n- second"),
            ("```sh\napt inst", "```sh\napt install x\n```", "all x\n```"),
            ("```sh\napt inst", "all x\n```", "all x\n```"),
            ("```sh\napt install x\n", "```\nDone.", "```\nDone."),
            ("```sh\na\n```\n", "```py\nb\n```", "```py\nb\n```"),
        ] {
            assert_eq!(added(before, more), wanted, "{before:?} + {more:?}");
        }
    }

    #[test]
    fn an_answer_does_not_grow_without_end() {
        assert_eq!(bounded("a".to_owned()), "a");
        let whole = bounded("ä".repeat(ANSWER_BYTES / 2) + "more");
        assert_eq!(whole.len(), ANSWER_BYTES);
        assert_eq!(bounded(format!("a{whole}")).len(), ANSWER_BYTES - 1, "no half characters");
        let has_button = |length| {
            let (reply, asked_by) = (Reply::plain("x"), InboxSeq(1));
            let offered = with_way_on(reply.clone(), StopReason::Length, asked_by, length);
            offered != reply
        };
        assert!(has_button(5000) && !has_button(ANSWER_BYTES));
    }

    #[test]
    fn code_goes_on_as_code() {
        for (before, added, wanted) in [
            ("text", " more", " more"),
            ("```sh\napt inst", "all x\n```\nDone.", "```sh\nall x\n```\nDone."),
            ("1. a\n\n   ~~~\n   b", "\n   c", "~~~\n\n   c"),
            ("```sh\na\n", "```\nDone.", "Done."),
            ("````md\n```sh\na\n```\n", "b", "````md\nb"),
        ] {
            assert_eq!(shown(before, added), wanted, "{before:?} + {added:?}");
        }
    }
}
