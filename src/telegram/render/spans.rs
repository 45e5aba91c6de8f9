//! Formatting as stretches of bytes, and its way to Telegram's entities.
//!
//! TDLib's `fix_entities` silently drops what it does not like: code inside other formatting,
//! links inside links, quotes inside quotes, crossing stretches. `resolve` decides what wins;
//! `entities` brings the rest into the one nested, sorted shape that arrives unchanged.

use crate::model::text::{Entity, EntityKind};

/// A stretch of formatted text, in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) kind: EntityKind,
}

/// How many classes there are.
const CLASSES: usize = 8;
const QUOTE: usize = 0;
const PRE: usize = 1;
const CODE: usize = 2;
const LINK: usize = 3;

/// Which kinds exclude or merge with each other; a lower class stays whole where two cross. The
/// order is that of TDLib's `get_type_priority`.
pub(super) fn class(kind: &EntityKind) -> usize {
    match kind {
        EntityKind::Quote | EntityKind::FoldedQuote => QUOTE,
        EntityKind::Pre { .. } => PRE,
        EntityKind::Code => CODE,
        EntityKind::Link { .. } => LINK,
        EntityKind::Bold => 4,
        EntityKind::Italic => 5,
        EntityKind::Underline => 6,
        EntityKind::Strikethrough => 7,
    }
}

/// Makes spans of one class disjoint, and settles who wins where classes exclude each other: a
/// code block over all but a quote, a link over inline code (its address is worth more than its
/// typeface), inline code over the rest. Sorted by start.
pub(super) fn resolve(spans: Vec<Span>) -> Vec<Span> {
    let mut classes: [Vec<Span>; CLASSES] = Default::default();
    for span in spans {
        if span.start < span.end {
            classes[class(&span.kind)].push(span);
        }
    }
    let mut classes = classes.map(merge);
    classes[LINK] = subtract(std::mem::take(&mut classes[LINK]), &classes[PRE]);
    for winner in [PRE, LINK] {
        classes[CODE] = subtract(std::mem::take(&mut classes[CODE]), &classes[winner]);
    }
    for loser in LINK + 1..CLASSES {
        for winner in [PRE, CODE] {
            classes[loser] = subtract(std::mem::take(&mut classes[loser]), &classes[winner]);
        }
    }
    let mut all: Vec<Span> = classes.into_iter().flatten().collect();
    all.sort_by_key(|s| s.start);
    all
}

/// Spans of one class, made disjoint: equal ones that touch or overlap become one, of different
/// ones (other links, other languages) the earlier keeps what both claim.
fn merge(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_by_key(|s| (s.start, std::cmp::Reverse(s.end)));
    let mut merged: Vec<Span> = Vec::with_capacity(spans.len());
    for mut span in spans {
        if let Some(last) = merged.last_mut() {
            // Code blocks side by side stay apart unless they overlap.
            let joins = if class(&span.kind) == PRE {
                span.start < last.end
            } else {
                span.start <= last.end
            };
            if joins && last.kind == span.kind {
                last.end = last.end.max(span.end);
                continue;
            }
            span.start = span.start.max(last.end);
        }
        if span.start < span.end {
            merged.push(span);
        }
    }
    merged
}

/// `spans` without the stretches of `holes`; both sorted and disjoint.
fn subtract(spans: Vec<Span>, holes: &[Span]) -> Vec<Span> {
    if holes.is_empty() || spans.is_empty() {
        return spans;
    }
    let mut left = Vec::with_capacity(spans.len());
    let mut first = 0;
    for mut span in spans {
        while first < holes.len() && holes[first].end <= span.start {
            first += 1;
        }
        for hole in holes[first..].iter().take_while(|h| h.start < span.end) {
            if span.start < hole.start {
                left.push(Span { end: hole.start, ..span.clone() });
            }
            span.start = hole.end.min(span.end);
        }
        if span.start < span.end {
            left.push(span);
        }
    }
    left
}

/// Resolved spans of `text` as entities: trimmed, nested without crossing, sorted by offset and
/// then longest first, in UTF-16 units.
pub(super) fn entities(text: &str, spans: &[Span]) -> Vec<Entity> {
    let mut spans: Vec<Span> = trimmed(text, spans);
    spans.sort_by_key(|s| (s.start, std::cmp::Reverse(s.end), class(&s.kind)));
    let mut nest = Nest::default();
    for span in spans {
        nest.close_until(span.start);
        nest.open(span);
    }
    nest.close_until(usize::MAX);
    let mut done = trimmed(text, &nest.done);
    done.sort_by_key(|s| (s.start, std::cmp::Reverse(s.end), class(&s.kind)));
    in_units(text, done)
}

/// Without whitespace at the ends, and without what is then empty. The indentation of a code
/// block's first line belongs to the code and stays, so a quote around it keeps it too.
fn trimmed(text: &str, spans: &[Span]) -> Vec<Span> {
    let pres: Vec<usize> =
        spans.iter().filter(|s| class(&s.kind) == PRE).map(|s| s.start).collect();
    let mut kept = Vec::with_capacity(spans.len());
    for span in spans {
        let slice = &text[span.start..span.end];
        let end = span.start + slice.trim_end().len();
        let mut start = span.end - slice.trim_start().len();
        match class(&span.kind) {
            PRE => start = span.end - slice.trim_start_matches('\n').len(),
            QUOTE => {
                let code = pres[pres.partition_point(|&p| p < span.start)..].first();
                start = code.map_or(start, |&code| start.min(code));
            }
            _ => {}
        }
        if start < end {
            kept.push(Span { start, end, kind: span.kind.clone() });
        }
    }
    kept
}

/// Open spans, outermost first, and those already closed.
#[derive(Default)]
struct Nest {
    open: Vec<Span>,
    done: Vec<Span>,
}

impl Nest {
    /// Opens `span` inside what is open. Lesser spans that end within it are interrupted, so that
    /// not the link is cut but the bold that runs into it; a quote is always outermost.
    fn open(&mut self, span: Span) {
        let own = class(&span.kind);
        let crosses = |o: &Span| class(&o.kind) > own && (own == QUOTE || o.end < span.end);
        let at = self.open.iter().position(crosses).unwrap_or(self.open.len());
        let start = span.start;
        let above = self.interrupt(at, start);
        self.open.push(span);
        self.open.extend(above);
    }

    /// Closes everything that ends at or before `position`.
    fn close_until(&mut self, position: usize) {
        while let Some(end) = self.open.iter().map(|s| s.end).min().filter(|&e| e <= position) {
            let at = self.open.iter().position(|s| s.end == end).unwrap_or(0);
            let above = self.interrupt(at, end);
            self.open.extend(above);
        }
    }

    /// Ends all spans from depth `at` on at `position`, and returns what goes on after it.
    fn interrupt(&mut self, at: usize, position: usize) -> Vec<Span> {
        let mut rest = Vec::new();
        for span in self.open.drain(at..) {
            if position < span.end {
                rest.push(Span { start: position, ..span.clone() });
            }
            if span.start < position {
                self.done.push(Span { end: position, ..span });
            }
        }
        rest
    }
}

/// Bytes to UTF-16 units, in one walk over the text.
fn in_units(text: &str, spans: Vec<Span>) -> Vec<Entity> {
    let mut borders: Vec<usize> = spans.iter().flat_map(|s| [s.start, s.end]).collect();
    borders.sort_unstable();
    borders.dedup();
    let mut units = Vec::with_capacity(borders.len());
    let (mut byte, mut unit) = (0, 0u32);
    for &border in &borders {
        unit += text[byte..border].chars().map(|c| c.len_utf16() as u32).sum::<u32>();
        byte = border;
        units.push(unit);
    }
    let unit_at = |byte: usize| units[borders.partition_point(|&b| b < byte)];
    spans
        .into_iter()
        .map(|s| Entity {
            offset: unit_at(s.start),
            length: unit_at(s.end) - unit_at(s.start),
            kind: s.kind,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use EntityKind::{Bold, Code, Italic, Quote};

    fn link() -> EntityKind {
        EntityKind::Link { url: "https://a.b".to_owned() }
    }

    fn pre() -> EntityKind {
        EntityKind::Pre { language: None }
    }

    fn shape(text: &str, spans: &[(usize, usize, EntityKind)]) -> Vec<(u32, u32, EntityKind)> {
        let spans = spans.iter().map(|(start, end, kind)| Span {
            start: *start,
            end: *end,
            kind: kind.clone(),
        });
        entities(text, &resolve(spans.collect()))
            .into_iter()
            .map(|e| (e.offset, e.offset + e.length, e.kind))
            .collect()
    }

    #[test]
    fn exclusive_kinds_win_and_the_rest_is_split_around_them() {
        let text = "0123456789";
        for (given, want) in [
            (vec![(0, 9, Bold), (3, 5, Code)], vec![(0, 3, Bold), (3, 5, Code), (5, 9, Bold)]),
            (vec![(2, 6, Code), (0, 8, link())], vec![(0, 8, link())]),
            (vec![(0, 9, Quote), (2, 5, pre()), (1, 6, Italic)], {
                vec![(0, 9, Quote), (1, 2, Italic), (2, 5, pre()), (5, 6, Italic)]
            }),
            (vec![(0, 4, Bold), (1, 3, Bold), (4, 6, Bold)], vec![(0, 6, Bold)]),
            (vec![(0, 9, Quote), (2, 5, Quote)], vec![(0, 9, Quote)]),
        ] {
            assert_eq!(shape(text, &given), want, "{given:?}");
        }
    }

    #[test]
    fn crossing_is_undone_at_the_cost_of_the_lesser() {
        let text = "0123456789";
        assert_eq!(
            shape(text, &[(0, 4, Bold), (2, 8, link())]),
            [(0, 2, Bold), (2, 8, link()), (2, 4, Bold)]
        );
        assert_eq!(
            shape(text, &[(0, 4, Bold), (2, 8, Italic)]),
            [(0, 4, Bold), (2, 4, Italic), (4, 8, Italic)]
        );
    }

    #[test]
    fn ends_are_trimmed_but_code_keeps_its_indentation() {
        assert_eq!(shape(" a 😀 ", &[(0, 8, Bold), (2, 3, Italic)]), [(1, 5, Bold)]);
        assert_eq!(
            shape("\n  x\n", &[(0, 5, pre()), (0, 5, Quote)]),
            [(1, 4, Quote), (1, 4, pre())]
        );
    }
}
