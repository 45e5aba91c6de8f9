//! Finds a secret in anything: plain, percent-encoded, in base64.

use std::collections::BTreeSet;

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL_SAFE: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Base64 without padding.
pub fn base64(bytes: &[u8], url_safe: bool) -> String {
    let alphabet = if url_safe { URL_SAFE } else { STANDARD };
    let groups = bytes.chunks(3).flat_map(|chunk| {
        let byte = |i: usize| u32::from(chunk.get(i).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        let characters = [18, 12, 6, 0].map(|shift| alphabet[(bits >> shift & 63) as usize]);
        characters.into_iter().take(chunk.len() + 1)
    });
    groups.map(char::from).collect()
}

/// Each byte that is not a letter or digit as `%XX`, or every byte.
pub fn percent(text: &str, every: bool, upper: bool) -> String {
    let encoded = |byte: u8| match byte {
        b if b.is_ascii_alphanumeric() && !every => char::from(b).to_string(),
        b if upper => format!("%{b:02X}"),
        b => format!("%{b:02x}"),
    };
    text.bytes().map(encoded).collect()
}

/// Every form in which these bytes may stand in the middle of something else.
pub fn forms(secret: &str) -> BTreeSet<String> {
    let mut forms = BTreeSet::from([secret.to_owned()]);
    for (every, upper) in [(false, false), (false, true), (true, false), (true, true)] {
        forms.insert(percent(secret, every, upper));
    }
    // Some encoders leave the dash, the underscore and the colon alone.
    forms.insert(secret.replace(':', "%3A"));
    forms.insert(secret.replace(':', "%3a"));
    for url_safe in [false, true] {
        for before in 0..3 {
            let shifted = [&b"\0\0"[..before], secret.as_bytes()].concat();
            let whole = base64(&shifted, url_safe);
            // Characters at the edges hold bits of the neighbours as well.
            let end = shifted.len() * 8 / 6;
            forms.insert(whole[(before * 8).div_ceil(6)..end].to_owned());
        }
    }
    forms
}

/// The form in which the secret stands in the bytes, if it does.
pub fn found(bytes: &[u8], secret: &str) -> Option<String> {
    let holds = |form: &String| bytes.windows(form.len()).any(|w| w == form.as_bytes());
    forms(secret).into_iter().find(holds)
}

#[test]
fn the_search_finds_every_form() {
    let secret = "70001:sEcret-Token_x09";
    assert_eq!(base64(b"light w", false), "bGlnaHQgdw");
    assert_eq!(base64(b"\xfb\xff\xfe", true), "-__-");
    for around in ["", "a", "ab", "abc"] {
        let text = format!("{around}{secret}{around}");
        let texts = [
            format!("GET /bot{secret}/getMe"),
            percent(&text, false, true),
            percent(&text, true, false),
            format!("Basic {}==", base64(text.as_bytes(), false)),
            base64(text.as_bytes(), true),
        ];
        for text in texts {
            assert!(found(text.as_bytes(), secret).is_some(), "{text}");
        }
    }
    assert_eq!(found(b"70001 sEcret-Token_x0 Basic czAwMDE6c0VjcmV0", secret), None);
}
