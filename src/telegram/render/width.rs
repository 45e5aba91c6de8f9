//! How wide text is in a monospace face, roughly: wide East Asian characters and emoji take two
//! columns, marks none. Enough to align a table; no library, since chats' fonts differ anyway.

/// Columns that `text` takes.
pub(super) fn columns(text: &str) -> usize {
    let mut sum: usize = 0;
    let mut last = 0;
    let mut joined = false;
    for c in text.chars() {
        let width = match c {
            // Emoji presentation makes a narrow symbol wide.
            '\u{FE0F}' if last == 1 => 1,
            _ if joined || extends(c) || super::clean::is_invisible(c) && !c.is_whitespace() => 0,
            _ if is_wide(c) => 2,
            _ => 1,
        };
        joined = c == '\u{200D}';
        last = width;
        sum += width;
    }
    sum
}

/// Whether `c` belongs to the character before it: marks, joiners, selectors, skin tones, tags.
/// An approximation of Grapheme_Extend and SpacingMark (UAX 29).
pub(super) fn extends(c: char) -> bool {
    let u = u32::from(c);
    if u < 0x300 {
        return false;
    }
    // The Indic blocks from Devanagari to Malayalam share one layout of 128 characters.
    if (0x900..0xD80).contains(&u) {
        return matches!(u & 0x7F, 0x00..=0x03 | 0x3C | 0x3E..=0x4D | 0x51..=0x57 | 0x62 | 0x63);
    }
    matches!(u,
        0x300..=0x36F | 0x483..=0x489 | 0x591..=0x5BD | 0x5BF | 0x5C1..=0x5C2 | 0x5C4..=0x5C5
        | 0x5C7 | 0x610..=0x61A | 0x64B..=0x65F | 0x670 | 0x6D6..=0x6DC | 0x6DF..=0x6E4
        | 0x6E7..=0x6E8 | 0x6EA..=0x6ED | 0x711 | 0x730..=0x74A | 0x7A6..=0x7B0
        | 0xDCA..=0xDDF | 0xE31 | 0xE34..=0xE3A | 0xE47..=0xE4E | 0xEB1 | 0xEB4..=0xEBC
        | 0xEC8..=0xECE | 0xF35 | 0xF37 | 0xF39 | 0xF71..=0xF84 | 0x102B..=0x103E
        | 0x1160..=0x11FF | 0x135D..=0x135F | 0x17B4..=0x17D3 | 0x1AB0..=0x1AFF
        | 0x1DC0..=0x1DFF | 0x200C | 0x200D | 0x20D0..=0x20FF | 0x302A..=0x302F
        | 0x3099..=0x309A | 0xA66F..=0xA672 | 0xFE00..=0xFE0F | 0xFE20..=0xFE2F
        | 0x1F3FB..=0x1F3FF | 0xE0020..=0xE007F | 0xE0100..=0xE01EF)
}

/// Two columns: East Asian Wide and Fullwidth, and emoji shown as such by default.
fn is_wide(c: char) -> bool {
    matches!(u32::from(c),
        0x1100..=0x115F | 0x231A..=0x231B | 0x23E9..=0x23EC | 0x23F0 | 0x23F3
        | 0x25FD..=0x25FE | 0x2614..=0x2615 | 0x2648..=0x2653 | 0x267F | 0x2693 | 0x26A1
        | 0x26AA..=0x26AB | 0x26BD..=0x26BE | 0x26C4..=0x26C5 | 0x26CE | 0x26D4 | 0x26EA
        | 0x26F2..=0x26F3 | 0x26F5 | 0x26FA | 0x26FD | 0x2705 | 0x270A..=0x270B | 0x2728
        | 0x274C | 0x274E | 0x2753..=0x2755 | 0x2757 | 0x2795..=0x2797 | 0x27B0 | 0x27BF
        | 0x2B1B..=0x2B1C | 0x2B50 | 0x2B55 | 0x2E80..=0x303E | 0x3041..=0xA4CF
        | 0xA960..=0xA97F | 0xAC00..=0xD7A3 | 0xF900..=0xFAFF | 0xFE30..=0xFE6F
        | 0xFF01..=0xFF60 | 0xFFE0..=0xFFE6 | 0x1F004 | 0x1F0CF | 0x1F18E | 0x1F191..=0x1F19A
        | 0x1F200..=0x1F320 | 0x1F32D..=0x1F64F | 0x1F680..=0x1F6FF | 0x1F7E0..=0x1F7EB
        | 0x1F90C..=0x1F9FF | 0x1FA70..=0x1FAFF | 0x20000..=0x3FFFD)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_counted_as_a_terminal_would() {
        for (text, want) in [
            ("abc", 3),
            ("a b", 3),
            ("漢字", 4),
            ("e\u{301}", 1),
            ("😀", 2),
            ("👨\u{200D}👩\u{200D}👧", 2),
            ("👍🏽", 2),
            ("🇩🇪", 2),
            ("✅", 2),
            ("☀\u{FE0F}", 2),
            ("नि", 1),
            ("", 0),
        ] {
            assert_eq!(columns(text), want, "{text}");
        }
    }
}
