//! Bytes to text: by byte order mark, by declaration, or by guess.
//!
//! Invariant: what holds binary data is refused, and never shown as text.

use std::borrow::Cow;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use crate::limits::Problem;

/// Where a web page has to declare its encoding.
const DECLARATION: usize = 4096;

/// What is looked at to know binary data from text.
const SAMPLE: usize = 16 * 1024;

/// What is looked at to guess an encoding: so many bytes before the first one that is not ASCII, and after it.
const GUESSED_BEFORE: usize = 1024;
const GUESSED: usize = 256 * 1024;

/// The text of a file that should be one.
pub(crate) fn text(bytes: &[u8]) -> Result<Cow<'_, str>, Problem> {
    decoded(bytes, None)
}

/// What is worth knowing of how text was decoded: a guess that is not the usual one.
pub(crate) fn remark(bytes: &[u8]) -> Option<String> {
    let is_known = marked(bytes).0.is_some()
        || std::str::from_utf8(bytes).is_ok()
        || without_mark(bytes).is_some()
        || is_damaged_utf8(bytes);
    let encoding = Some(bytes).filter(|_| !is_known).map(guessed)?;
    (encoding != WINDOWS_1252).then(|| {
        let name = encoding.name();
        format!(
            "it is not in UTF-8, and was read as {name}; if letters are wrong, save it as UTF-8"
        )
    })
}

/// The text of a web page, which may declare its encoding.
pub(crate) fn html(bytes: &[u8]) -> Result<Cow<'_, str>, Problem> {
    decoded(bytes, declared(&bytes[..bytes.len().min(DECLARATION)]))
}

/// The text of an XML file; what cannot be decoded is replaced.
pub(crate) fn xml(bytes: &[u8]) -> Cow<'_, str> {
    let (encoding, mark) = marked(bytes);
    let encoding = encoding.unwrap_or(UTF_8);
    encoding.decode_without_bom_handling(&bytes[mark..]).0
}

fn decoded<'b>(
    bytes: &'b [u8],
    declared: Option<&'static Encoding>,
) -> Result<Cow<'b, str>, Problem> {
    let (encoding, mark) = marked(bytes);
    if let Some(encoding) = encoding {
        let (text, broken) = encoding.decode_without_bom_handling(&bytes[mark..]);
        return if broken && encoding != UTF_8 { Err(Problem::NotText) } else { checked(text) };
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        return checked(Cow::Borrowed(text));
    }
    if let Some(encoding) = without_mark(bytes) {
        return checked(encoding.decode_without_bom_handling(bytes).0);
    }
    // Zeros are in no 8-bit text.
    if bytes[..bytes.len().min(SAMPLE)].contains(&0) {
        return Err(Problem::NotText);
    }
    let encoding =
        declared.unwrap_or_else(|| if is_damaged_utf8(bytes) { UTF_8 } else { guessed(bytes) });
    checked(encoding.decode_without_bom_handling(bytes).0)
}

/// The encoding that such bytes are most likely in, by what languages look like in each.
fn guessed(bytes: &[u8]) -> &'static Encoding {
    // What is plain ASCII says nothing, and may be long.
    let first = bytes.iter().position(|byte| !byte.is_ascii()).unwrap_or(0);
    let from = first.saturating_sub(GUESSED_BEFORE);
    let sample = &bytes[from..bytes.len().min(first + GUESSED)];
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(sample, true);
    detector.guess(None, Utf8Detection::Deny)
}

/// The encoding by the mark at the front, and the length of the mark.
fn marked(bytes: &[u8]) -> (Option<&'static Encoding>, usize) {
    Encoding::for_bom(bytes).map_or((None, 0), |(encoding, length)| (Some(encoding), length))
}

/// UTF-16 without a mark: in Western text every other byte is zero.
fn without_mark(bytes: &[u8]) -> Option<&'static Encoding> {
    let sample = &bytes[..bytes.len().min(SAMPLE) & !1];
    let zeros = |first: usize| sample.iter().skip(first).step_by(2).filter(|b| **b == 0).count();
    let (even, odd, half) = (zeros(0), zeros(1), sample.len() / 2);
    match () {
        () if half < 4 => None,
        () if odd * 2 > half && even == 0 => Some(UTF_16LE),
        () if even * 2 > half && odd == 0 => Some(UTF_16BE),
        () => None,
    }
}

/// Whether this is UTF-8 with a few wrong bytes, as after a cut, rather than an older encoding.
fn is_damaged_utf8(bytes: &[u8]) -> bool {
    let (mut good, mut bad) = (0_usize, 0_usize);
    for chunk in bytes.utf8_chunks() {
        good += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        bad += usize::from(!chunk.invalid().is_empty());
    }
    good > bad * 4
}

/// Text has hardly any control characters.
fn checked(text: Cow<'_, str>) -> Result<Cow<'_, str>, Problem> {
    let sample = &text[..text.floor_char_boundary(SAMPLE)];
    let is_odd = |c: &char| {
        c.is_control() && !matches!(c, '\n' | '\r' | '\t' | '\u{c}' | '\u{1b}' | '\u{85}')
            || *c == char::REPLACEMENT_CHARACTER
    };
    let odd = sample.chars().filter(is_odd).count();
    if odd > 4 && odd * 50 > sample.chars().count() { Err(Problem::NotText) } else { Ok(text) }
}

/// The encoding that a web page or an XML declaration names: `charset=…` or `encoding=…`.
fn declared(head: &[u8]) -> Option<&'static Encoding> {
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let after = |name: &str| {
        let (_, rest) = head.split_once(name)?;
        let rest = rest.trim_start().strip_prefix('=')?.trim_start();
        let label = rest.trim_start_matches(['"', '\'']);
        let end = label.find(['"', '\'', '>', ';', '/', '?', ' ']).unwrap_or(label.len());
        Encoding::for_label(&label.as_bytes()[..end])
    };
    after("charset").or_else(|| after("encoding"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_known_by_mark_declaration_or_guess() {
        let utf16 = |big: bool, mark: bool| -> Vec<u8> {
            let units = mark.then_some(0xfeff).into_iter().chain("Über\nuns all".encode_utf16());
            units.flat_map(|u| if big { u.to_be_bytes() } else { u.to_le_bytes() }).collect()
        };
        for bytes in [
            "Über\nuns all".as_bytes(),
            b"\xef\xbb\xbf\xc3\x9cber\nuns all",
            b"\xdcber\nuns all",
            &utf16(false, true),
            &utf16(true, true),
            &utf16(false, false),
            &utf16(true, false),
        ] {
            assert_eq!(text(bytes).unwrap(), "Über\nuns all", "{bytes:?}");
        }
        let page = b"<meta http-equiv=Content-Type content=\"text/html; charset=iso-8859-2\">\xb1";
        assert!(html(page).unwrap().ends_with('ą'));
        let page = b"<meta charset='Shift_JIS'>\x93\xfa\x96{";
        assert!(html(page).unwrap().ends_with("日本"));
        assert!(html(b"<meta charset=unheard-of>\xe9").unwrap().ends_with('é'));
        let cut = &"Größe äöü über ßÄÖÜ".as_bytes()[..24];
        assert!(text(cut).unwrap().starts_with("Größe äöü"));
    }

    #[test]
    fn older_encodings_of_many_languages_are_known_by_what_they_hold() {
        use encoding_rs::*;
        let russian = "Гарантия на изделие действует два года со дня покупки.\n";
        for (encoding, words) in [
            (WINDOWS_1251, russian),
            (KOI8_R, russian),
            (IBM866, russian),
            (WINDOWS_1250, "Příliš žluťoučký kůň úpěl ďábelské ódy. Záruka trvá dva roky.\n"),
            (WINDOWS_1253, "Η εγγύηση του προϊόντος ισχύει για δύο χρόνια από την αγορά.\n"),
            (WINDOWS_1255, "האחריות על המוצר תקפה לשנתיים מיום הרכישה.\n"),
            (SHIFT_JIS, "保証期間はご購入日から二年間です。お問い合わせください。\n"),
            (EUC_JP, "保証期間はご購入日から二年間です。お問い合わせください。\n"),
            (GBK, "产品的保修期为自购买之日起两年。请联系我们。\n"),
            (EUC_KR, "제품의 보증 기간은 구입일로부터 이 년입니다.\n"),
            (
                WINDOWS_1252,
                "Die Gewährleistung für das Gerät läuft über zwei Jahre – früher: „fünf“.\n",
            ),
            (WINDOWS_1252, "La durée de la garantie est de deux années, à compter de l’achat.\n"),
        ] {
            let (bytes, _, _) = encoding.encode(words);
            let long = [b"plain words\n".repeat(500), bytes.to_vec()].concat();
            assert_eq!(text(&bytes).unwrap(), words, "{}", encoding.name());
            assert!(text(&long).unwrap().ends_with(words), "{}", encoding.name());
            // The guess is the same for both KOI8, which differ in letters that Russian does not have.
            let guess = if encoding == KOI8_R { KOI8_U } else { encoding };
            let said = remark(&bytes);
            let is_named = said.as_ref().is_some_and(|said| said.contains(guess.name()));
            assert_eq!(is_named, guess != WINDOWS_1252, "{}: {said:?}", encoding.name());
        }
    }

    #[test]
    fn binary_data_is_refused() {
        let picture = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x01\0".repeat(20);
        assert_eq!(text(&picture), Err(Problem::NotText));
        let noise: Vec<u8> = (0..4000_u32).map(|i| (i * i % 251 % 31) as u8).collect();
        assert_eq!(text(&noise), Err(Problem::NotText));
        assert_eq!(text(&[0xff, 0xfe, 0x00]), Err(Problem::NotText));
    }
}
