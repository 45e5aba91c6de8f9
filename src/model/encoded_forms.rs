//! The disguises of a secret: percent-encoded and in base64, as servers and libraries quote what
//! they were sent.

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL_SAFE: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Every form of `secret` but itself in which it can stand in the middle of an encoded text: a
/// handful of strings, each without the characters that depend on what stands around it.
pub fn encoded_forms(secret: &str) -> Vec<String> {
    let percents = [(false, false), (false, true), (true, false), (true, true)];
    let percents = percents.map(|(every, upper)| percent(secret, every, upper));
    let base64s = [STANDARD, URL_SAFE].into_iter().flat_map(|alphabet| {
        // Base64 takes three bytes at a time, so the secret can begin at three places.
        (0..3).map(move |before| middle(secret.as_bytes(), before, alphabet))
    });
    let mut all: Vec<String> = percents.into_iter().chain(base64s).collect();
    all.sort();
    all.dedup();
    all.retain(|form| form != secret);
    all
}

/// `%XX` for each byte that is not a letter or digit, or for every one.
fn percent(secret: &str, every: bool, upper: bool) -> String {
    let one = |byte: u8| match byte {
        b if b.is_ascii_alphanumeric() && !every => char::from(b).to_string(),
        b if upper => format!("%{b:02X}"),
        b => format!("%{b:02x}"),
    };
    secret.bytes().map(one).collect()
}

/// The characters of base64 that `bytes` alone decide, when `before` others precede them.
fn middle(bytes: &[u8], before: usize, alphabet: &[u8; 64]) -> String {
    let bits = (before * 8)..((before + bytes.len()) * 8);
    let bit = |at: usize| match at.checked_sub(before * 8) {
        Some(at) => bytes[at / 8] >> (7 - at % 8) & 1,
        None => 0,
    };
    let characters = bits.start.div_ceil(6)..bits.end / 6;
    let value = |c: usize| (0..6).fold(0, |value, i| value << 1 | usize::from(bit(c * 6 + i)));
    characters.map(|c| char::from(alphabet[value(c)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_encoding_of_a_text_that_holds_the_secret_holds_a_disguise() {
        let all = encoded_forms("secret:key?~");
        for encoded in [
            "/bot%3Fsecret%3Akey%3F%7E/getMe",
            "secret%3akey%3f%7e",
            "%73%65%63%72%65%74%3A%6B%65%79%3F%7E",
            // Those of "", "a" and "ab" before the secret, and "x" behind it.
            "c2VjcmV0OmtleT9+eA==",
            "YXNlY3JldDprZXk/fng=",
            "YWJzZWNyZXQ6a2V5P354",
            "YXNlY3JldDprZXk_fng=",
        ] {
            assert!(all.iter().any(|form| encoded.contains(form.as_str())), "{encoded}: {all:?}");
        }
        assert!(all.iter().all(|form| form.len() >= 12 && form != "secret:key?~"), "{all:?}");
    }
}
