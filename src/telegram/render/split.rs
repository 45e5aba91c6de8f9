//! One long text to parts that Telegram takes, each formatted as the whole was.
//!
//! A part is at most the given number of UTF-16 units long and has at most 100 entities. Joined,
//! the parts give back the text up to the whitespace around the cuts and stretches that show
//! nothing. Entities that a cut crosses go on in the next part. A part that fits but for its entities
//! loses some of them (`thin`) rather than become two; only what has an address or is code on lines
//! of its own is worth another message.

use super::canvas::Marked;
use super::clean::is_blank;
use super::cut;
use super::spans::{self, Span};
use super::thin;
use crate::model::limits::MESSAGE_ENTITIES;
use crate::model::text::{Entity, EntityKind, Rich};

/// Fewest units a part may be limited to: one character beyond the basic plane.
const UNITS_MIN: usize = 2;

/// Cuts `marked` into parts of at most `units` UTF-16 units.
pub(super) fn parts(marked: Marked, units: usize) -> Vec<Rich> {
    let text = marked.text.trim_end();
    let spans = spans::resolve(within(marked.spans, text));
    let mut pieces = Pieces { spans: &spans, next: 0, open: Vec::new() };
    let mut parts = Vec::new();
    let mut start = 0;
    loop {
        start = text.len() - text[start..].trim_start().len();
        if start == text.len() {
            return parts;
        }
        let far = after_units(text, start, units.max(UNITS_MIN));
        let mut shown = pieces.from(start, far);
        let worth_a_cut: Vec<Span> = shown.iter().filter(|s| !thin::may_go(s)).cloned().collect();
        let hard = after_entities(&worth_a_cut, start).min(far);
        let end = if hard == text.len() {
            hard
        } else {
            let codes: Vec<&Span> =
                shown.iter().filter(|s| matches!(s.kind, EntityKind::Pre { .. })).collect();
            let in_code = |at: usize| {
                let after = codes.partition_point(|s| s.end <= at);
                codes.get(after).is_some_and(|s| s.start < at)
            };
            cut::best(text, start, hard, in_code)
        };
        let kept = start + text[start..end].trim_end().len();
        let part = &text[start..kept];
        shown.retain(|s| s.start < kept);
        thin::until(&mut shown, text, |spans| after_entities(spans, start) >= kept);
        if !is_blank(part) {
            parts.push(Rich { text: part.to_owned(), entities: clip(&shown, start, kept, part) });
        }
        start = end;
    }
}

/// `spans` without what lies beyond the end of `text`: formatting of the whitespace that was trimmed.
fn within(mut spans: Vec<Span>, text: &str) -> Vec<Span> {
    for span in &mut spans {
        span.start = span.start.min(text.len());
        span.end = span.end.min(text.len());
    }
    spans.retain(|s| s.start < s.end);
    spans
}

/// The byte after at most `units` UTF-16 units from `start`.
fn after_units(text: &str, start: usize, units: usize) -> usize {
    let mut left = units;
    for (at, c) in text[start..].char_indices() {
        match left.checked_sub(c.len_utf16()) {
            Some(rest) => left = rest,
            None => return start + at,
        }
    }
    text.len()
}

/// The byte up to which the spans from `start` on fit into one message.
///
/// Counted the way TDLib's `split_entities` may leave them: bold, italic and struck-through text
/// is cut wherever another span begins or ends, and every piece counts.
fn after_entities(spans: &[Span], start: usize) -> usize {
    let mut borders: Vec<usize> = spans.iter().flat_map(|s| [s.start.max(start), s.end]).collect();
    borders.sort_unstable();
    borders.dedup();
    let mut next = 0;
    let mut open: Vec<&Span> = Vec::new();
    let mut count = 0;
    for border in borders {
        open.retain(|s| s.end > border);
        let mut pieces = open.iter().filter(|s| is_splittable(s)).count();
        while let Some(span) = spans.get(next).filter(|s| s.start.max(start) <= border) {
            open.push(span);
            pieces += 1;
            next += 1;
        }
        count += pieces;
        if count > MESSAGE_ENTITIES {
            return border;
        }
    }
    usize::MAX
}

fn is_splittable(span: &Span) -> bool {
    matches!(
        span.kind,
        EntityKind::Bold | EntityKind::Italic | EntityKind::Underline | EntityKind::Strikethrough
    )
}

/// Entities of the part from `start` to `end`.
fn clip(spans: &[Span], start: usize, end: usize, part: &str) -> Vec<Entity> {
    let clipped: Vec<Span> = spans
        .iter()
        .filter(|s| s.start < end && s.end > start)
        .map(|s| Span {
            start: s.start.max(start) - start,
            end: s.end.min(end) - start,
            kind: s.kind.clone(),
        })
        .collect();
    spans::entities(part, &clipped)
}

/// Hands out the spans of one part after the other, without going over all of them each time.
struct Pieces<'a> {
    spans: &'a [Span],
    /// The first span that begins at or after the last start asked for.
    next: usize,
    /// Earlier ones that may still go on.
    open: Vec<&'a Span>,
}

impl Pieces<'_> {
    /// Spans that cover something between `start` and `end`, sorted by start; `start` must not go
    /// back.
    fn from(&mut self, start: usize, end: usize) -> Vec<Span> {
        while let Some(span) = self.spans.get(self.next).filter(|s| s.start < start) {
            self.open.push(span);
            self.next += 1;
        }
        self.open.retain(|s| s.end > start);
        let coming = self.spans[self.next..].iter().take_while(|s| s.start < end);
        self.open.iter().copied().chain(coming).cloned().collect()
    }
}
