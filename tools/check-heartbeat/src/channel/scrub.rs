//! Strikes secrets out of what other programs say: they repeat what they were sent.
//!
//! Found in plain text, percent-encoded, in base64 at any alignment, and escaped as in source text.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use super::Failure;

/// Secrets shorter than this, in bytes, are not searched for: they would strike out ordinary words.
const SHORTEST: usize = 4;

/// What stands where a secret was.
const STRUCK: &str = "***";

/// All forms of some secrets.
pub(super) struct Scrub(Vec<String>);

impl Scrub {
    /// For these texts; what is too short to be a secret is left alone.
    pub fn of<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let mut forms = Vec::new();
        for secret in secrets.into_iter().filter(|secret| secret.len() >= SHORTEST) {
            forms.push(secret.to_owned());
            forms.push(percent(secret, false));
            forms.push(percent(secret, true));
            forms.push(secret.escape_debug().to_string());
            for shift in 0..3 {
                forms.extend(inside_base64(secret, shift));
            }
        }
        // Longest first, so that no form is broken by another before it is found.
        forms.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        forms.dedup();
        Self(forms)
    }

    /// The text with every form of every secret struck out.
    pub fn clean(&self, text: &str) -> String {
        let strike = |text: String, form: &String| {
            if text.contains(form.as_str()) { text.replace(form.as_str(), STRUCK) } else { text }
        };
        self.0.iter().fold(text.to_owned(), strike)
    }

    /// The failure with clean words.
    pub fn failure(&self, failure: Failure) -> Failure {
        Failure {
            message: self.clean(&failure.message),
            hint: failure.hint.map(|hint| self.clean(&hint)),
            permanent: failure.permanent,
        }
    }
}

/// RFC 3986, section 2.1, with everything escaped that is not unreserved.
fn percent(text: &str, lower: bool) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(byte as char);
        } else if lower {
            out.push_str(&format!("%{byte:02x}"));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// The characters of base64 that depend on this secret alone, when it stands `shift` bytes after a
/// multiple of three, as the password does in `AUTH PLAIN`.
fn inside_base64(secret: &str, shift: usize) -> [String; 2] {
    let mut bytes = vec![0; shift];
    bytes.extend_from_slice(secret.as_bytes());
    // Characters that also hold bits of what stands before or behind differ from place to place.
    let first = (shift * 8).div_ceil(6);
    let last = bytes.len() * 8 / 6;
    let cut = |text: String| text[first..last].to_owned();
    [cut(STANDARD_NO_PAD.encode(&bytes)), cut(URL_SAFE_NO_PAD.encode(&bytes))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_found() {
        let secret = "p\"ä ss/w+rd:42";
        let scrub = Scrub::of([secret]);
        for text in [
            format!("a {secret} b"),
            format!("{secret:?}"),
            "p%22%C3%A4%20ss%2Fw%2Brd%3A42".to_owned(),
            "p%22%c3%a4%20ss%2fw%2brd%3a42".to_owned(),
        ] {
            let clean = scrub.clean(&text);
            assert!(clean.contains(STRUCK) && !clean.contains("ss"), "{text} became {clean}");
        }
    }

    #[test]
    fn base64_is_found_wherever_it_stands() {
        let secret = "hunter22-secret";
        let scrub = Scrub::of([secret]);
        for before in ["", "\0u\0", "\0us\0", "\0user@example.org\0"] {
            for after in ["", "x", "yy"] {
                let plain = format!("{before}{secret}{after}");
                for text in [STANDARD_NO_PAD.encode(&plain), URL_SAFE_NO_PAD.encode(&plain)] {
                    let clean = scrub.clean(&format!("AUTH PLAIN {text}"));
                    assert!(clean.contains(STRUCK), "{before:?}{after:?} became {clean}");
                }
            }
        }
    }

    #[test]
    fn other_words_stay() {
        let scrub = Scrub::of(["abc", "", "long enough"]);
        assert_eq!(scrub.clean("abcdef is not secret"), "abcdef is not secret");
    }
}
