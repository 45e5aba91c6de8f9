//! Which script a character belongs to, and which scripts write no spaces between words.

/// The scripts that are distinguished.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Script {
    Latin,
    Cyrillic,
    Greek,
    Arabic,
    Hebrew,
    Devanagari,
    Tamil,
    Han,
    Kana,
    Hangul,
    Thai,
    Lao,
    Khmer,
    Myanmar,
    Other,
}

const SCRIPTS: usize = Script::Other as usize + 1;

impl Script {
    /// The script of a character; `None` for what all scripts share, such as digits.
    pub(crate) fn of(c: char) -> Option<Self> {
        Some(match u32::from(c) {
            0x41..=0x5a | 0x61..=0x7a | 0xaa | 0xba | 0xc0..=0x24f | 0x1e00..=0x1eff => Self::Latin,
            0x370..=0x3ff | 0x1f00..=0x1fff => Self::Greek,
            0x400..=0x52f => Self::Cyrillic,
            0x590..=0x5ff => Self::Hebrew,
            0x600..=0x65f | 0x66e..=0x6ef | 0x6fa..=0x77f | 0xfb50..=0xfeff => Self::Arabic,
            0x900..=0x965 | 0x970..=0x97f => Self::Devanagari,
            0xb80..=0xbff => Self::Tamil,
            0xe00..=0xe4f => Self::Thai,
            0xe80..=0xecf => Self::Lao,
            0x1000..=0x109f => Self::Myanmar,
            0x1100..=0x11ff | 0x3130..=0x318f | 0xac00..=0xd7af => Self::Hangul,
            0x1780..=0x17dd => Self::Khmer,
            0x3005..=0x3007 | 0x3400..=0x4dbf | 0x4e00..=0x9fff | 0xf900..=0xfaff => Self::Han,
            0x20000..=0x3ffff => Self::Han,
            0x3041..=0x30ff | 0x31f0..=0x31ff | 0xff66..=0xff9f => Self::Kana,
            _ if c.is_alphabetic() => Self::Other,
            _ => return None,
        })
    }

    /// The script of most characters of a text, and whether there is kana in it.
    pub(crate) fn of_text(text: &str) -> (Option<Self>, bool) {
        let mut counts = [(0_u32, None); SCRIPTS];
        for script in text.chars().take(4000).filter_map(Self::of) {
            // A syllable or a word has one character in these, several in others.
            let size = if matches!(script, Self::Han | Self::Hangul) { 2 } else { 1 };
            let count = &mut counts[script as usize];
            *count = (count.0 + size, Some(script));
        }
        let best = counts.iter().max_by_key(|count| count.0).and_then(|count| count.1);
        (best, counts[Self::Kana as usize].0 > 0)
    }
}

/// Whether a character belongs to a script that writes no spaces between words, or glues particles to them.
pub(crate) fn is_unspaced(c: char) -> bool {
    use Script::{Han, Hangul, Kana, Khmer, Lao, Myanmar, Thai};
    // The middle dot stands between words.
    c != '・' && matches!(Script::of(c), Some(Han | Kana | Hangul | Thai | Lao | Khmer | Myanmar))
}

/// Marks within words that are not letters: accents that stand alone, signs of vowels.
pub(crate) fn is_mark(c: char) -> bool {
    matches!(u32::from(c), 0x300..=0x36f | 0x64b..=0x65f | 0x670 | 0x900..=0x903 | 0x93a..=0x94f | 0x962..=0x963
        | 0x981..=0x983 | 0x9bc..=0x9cd | 0xa3c..=0xa4d | 0xabc..=0xacd | 0xb3c..=0xb4d | 0xbbe..=0xbcd
        | 0xc3e..=0xc4d | 0xcbc..=0xccd | 0xd3e..=0xd4d)
}
