//! A text as its reader could read it: one glyph after another, decoded, without marks.

/// One byte of the text as it is read, and the bytes of the text that it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Glyph {
    pub(super) byte: u8,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// Reads a text from a byte on. Characters beyond ASCII give one glyph for each byte of UTF-8.
pub(super) fn glyphs(text: &str, from: usize) -> Glyphs<'_> {
    Glyphs { text, at: from, wide: text.ceil_char_boundary(from) - from }
}

/// See [`glyphs`].
pub(super) struct Glyphs<'t> {
    text: &'t str,
    at: usize,
    /// Bytes of a character beyond ASCII that are still to be given.
    wide: usize,
}

impl Iterator for Glyphs<'_> {
    type Item = Glyph;

    #[inline]
    fn next(&mut self) -> Option<Glyph> {
        loop {
            let byte = *self.text.as_bytes().get(self.at)?;
            let start = self.at;
            if self.wide > 0 {
                self.wide -= 1;
                self.at += 1;
                return Some(Glyph { byte, start, end: self.at });
            }
            let (byte, length) = match byte {
                b'%' | b'&' | b'\\' => decoded(&self.text.as_bytes()[start..]).unwrap_or((byte, 1)),
                0x80.. => {
                    let c = self.text[start..].chars().next()?;
                    if hides(c) {
                        self.at += c.len_utf8();
                    } else {
                        self.wide = c.len_utf8();
                    }
                    continue;
                }
                _ => (byte, 1),
            };
            self.at += length;
            if !is_mark(byte) {
                return Some(Glyph { byte, start, end: self.at });
            }
        }
    }
}

/// Characters that a reader does not see between others: also joiners, variation selectors and
/// blanks that lines of foreign text may keep (Unicode's `Default_Ignorable_Code_Point`).
fn hides(c: char) -> bool {
    crate::line::is_invisible(c)
        || matches!(c,
            '\u{200d}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{2065}'
            | '\u{2800}' | '\u{fe00}'..='\u{fe0f}' | '\u{fff0}'..='\u{fff8}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}')
}

/// What Markdown takes away, and what escapes.
fn is_mark(byte: u8) -> bool {
    matches!(byte, b'*' | b'_' | b'~' | b'`' | b'\\')
}

/// The ASCII character that an encoding at the start of `text` stands for, and its length there.
#[cold]
fn decoded(text: &[u8]) -> Option<(u8, usize)> {
    let (value, length) = match text {
        [b'%', high, low, ..] => (hex(&[*high, *low])?, 3),
        [b'\\', b'u', a, b, c, d, ..] => (hex(&[*a, *b, *c, *d])?, 6),
        [b'&', rest @ ..] => {
            let name = &rest[..rest.iter().take(8).position(|byte| *byte == b';')?];
            let value = match name {
                b"amp" => u32::from(b'&'),
                b"lt" => u32::from(b'<'),
                b"gt" => u32::from(b'>'),
                b"quot" => u32::from(b'"'),
                b"apos" => u32::from(b'\''),
                [b'#', b'x' | b'X', digits @ ..] => hex(digits)?,
                [b'#', digits @ ..] => std::str::from_utf8(digits).ok()?.parse().ok()?,
                _ => return None,
            };
            (value, name.len() + 2)
        }
        _ => return None,
    };
    let byte = u8::try_from(value).ok()?;
    // `%C3%A4` are bytes of UTF-8; the other two name characters.
    (byte.is_ascii() || text[0] == b'%').then_some((byte, length))
}

fn hex(digits: &[u8]) -> Option<u32> {
    let good = !digits.is_empty() && digits.iter().all(u8::is_ascii_hexdigit);
    let digits = std::str::from_utf8(digits).ok().filter(|_| good)?;
    u32::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        String::from_utf8(glyphs(text, 0).map(|glyph| glyph.byte).collect()).unwrap()
    }

    #[test]
    fn encodings_are_read_and_marks_are_not() {
        for (text, want) in [
            ("a**b**_c_`d`\\-e", "abcd-e"),
            ("a%3Ab%3ac%5Fd%zz%", "a:b:cd%zz%"),
            ("&amp;&lt;&#58;&#x3A;&nbsp;&;&", "&<::&nbsp;&;&"),
            ("\\u003a\\u00e4\\n", ":u00e4n"),
            ("a\u{200b}b\u{ad}c ä字🦀", "abc ä字🦀"),
            ("%C3%A4", "ä"),
            ("", ""),
        ] {
            assert_eq!(read(text), want, "{text}");
        }
    }

    #[test]
    fn glyphs_cover_what_they_stand_for() {
        let all: Vec<Glyph> = glyphs("x%41ä", 0).collect();
        let covers: Vec<(u8, usize, usize)> =
            all.iter().map(|g| (g.byte, g.start, g.end)).collect();
        assert_eq!(covers, [(b'x', 0, 1), (b'A', 1, 4), (0xc3, 4, 5), (0xa4, 5, 6)]);
    }
}
