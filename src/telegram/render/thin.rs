//! Less formatting where a message has more than Telegram takes: kind after kind goes, so that what
//! stays looks the same all over the message.

use super::spans::Span;
use crate::model::text::EntityKind;

/// What goes, in this order. Headings are bold too, and give a message its form.
const ORDER: [fn(&Span, &str) -> bool; 6] = [
    |span, _| span.kind == EntityKind::Italic,
    |span, _| span.kind == EntityKind::Underline,
    |span, text| span.kind == EntityKind::Bold && !is_line(span, text),
    |span, _| span.kind == EntityKind::Code,
    |span, _| span.kind == EntityKind::Bold,
    |span, _| span.kind == EntityKind::Strikethrough || is_quote(&span.kind),
];

/// Whether `span` is of a kind that goes rather than make another message. Links and blocks of code
/// stay: an address is nowhere else.
pub(super) fn may_go(span: &Span) -> bool {
    !matches!(span.kind, EntityKind::Link { .. } | EntityKind::Pre { .. })
}

/// Removes one kind of formatting of `text` after the other until the rest `fits`.
pub(super) fn until(spans: &mut Vec<Span>, text: &str, fits: impl Fn(&[Span]) -> bool) {
    for goes in ORDER {
        if fits(spans) {
            return;
        }
        spans.retain(|span| !goes(span, text));
    }
}

fn is_quote(kind: &EntityKind) -> bool {
    matches!(kind, EntityKind::Quote | EntityKind::FoldedQuote)
}

/// Whether `span` takes all of its line, but for a number or a bullet.
fn is_line(span: &Span, text: &str) -> bool {
    let before = text[..span.start].rsplit('\n').next().unwrap_or_default();
    let after = text[span.end..].split('\n').next().unwrap_or_default();
    before.trim().is_empty() && after.trim().is_empty()
}
