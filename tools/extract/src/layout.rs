//! Glyphs with their places to lines of text.
//!
//! Invariant: each glyph is looked at once, in the order in which it is drawn; only blanks and newlines are
//! added.

use hayro_interpret::kurbo::Point;

/// A gap that is a blank between words, in sizes of the font.
const WORD: f64 = 0.18;

/// A step across the line that is a new line, in sizes of the font.
const LINE: f64 = 0.5;

/// A step across the line that is a new paragraph.
const PARAGRAPH: f64 = 1.8;

/// Text of one page.
#[derive(Debug, Default)]
pub(crate) struct Layout {
    text: String,
    /// Where the last glyph ended, and its size.
    last: Option<(Point, f64)>,
}

impl Layout {
    pub(crate) fn len(&self) -> usize {
        self.text.len()
    }

    /// The next glyph: from where to where its line goes on, and how large it is.
    pub(crate) fn push(&mut self, glyph: &str, start: Point, end: Point, size: f64) {
        if let Some((last, last_size)) = self.last {
            let direction = (end - start) / (end - start).hypot().max(f64::MIN_POSITIVE);
            let step = start - last;
            let (along, across) = (step.dot(direction), direction.cross(step));
            let size = size.max(last_size);
            if across.abs() > LINE * size {
                // Upwards is another column, or a footnote's end.
                let is_far = across > LINE * size || -across > PARAGRAPH * size;
                self.text.push_str(if is_far { "\n\n" } else { "\n" });
            } else if (along > WORD * size || along < -size) && !self.text.ends_with([' ', '\n']) {
                self.text.push(' ');
            }
        }
        self.text.push_str(glyph);
        self.last = Some((end, size));
    }

    pub(crate) fn finish(self) -> String {
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_blanks_lines_and_paragraphs() {
        let mut layout = Layout::default();
        for (glyph, x, y) in [
            ("a", 0.0, 100.0),
            ("b", 5.0, 100.0),
            ("c", 13.0, 100.0),
            ("d", 0.0, 88.0),
            ("e", 0.0, 60.0),
            ("f", 300.0, 100.0),
        ] {
            layout.push(glyph, Point::new(x, y), Point::new(x + 5.0, y), 10.0);
        }
        assert_eq!(layout.finish(), "ab c\nd\n\ne\n\nf");
    }
}
