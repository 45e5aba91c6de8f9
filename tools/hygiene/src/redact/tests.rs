//! The rule of redaction, case by case.

use proptest::prelude::*;

use super::*;

const ANTHROPIC: &str = "sk-ant-api03-aB3_xY9-zzKq81LmNoPqRs7TuVw";
const LITELLM: &str = "sk-litellm-4f2ac0ffee91b7d3";
const TOKEN: &str = "1234567890:AAHk3_aB9-xZkLmQwErTyUiOpAsDfGhJkL";
const SHORT: &str = "p4ss";

fn redactor() -> Redactor {
    Redactor::new([ANTHROPIC, LITELLM, TOKEN, SHORT, "not-needed", "abc", "none", ""])
}

fn clean(text: &str) -> String {
    redactor().redact(text).into_owned()
}

/// Standard base64 without padding, by a second hand.
fn base64(bytes: &[u8], alphabet: &str) -> String {
    let alphabet: Vec<char> = alphabet.chars().collect();
    let bits: String = bytes.iter().map(|byte| format!("{byte:08b}")).collect();
    let six = |at: usize| format!("{:0<6}", &bits[at..(at + 6).min(bits.len())]);
    let value = |at| usize::from_str_radix(&six(at), 2).unwrap();
    (0..bits.len()).step_by(6).map(|at| alphabet[value(at)]).collect()
}

const STANDARD: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL_SAFE: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

#[test]
fn whole_secrets_are_struck_out_wherever_they_stand() {
    for secret in [ANTHROPIC, LITELLM, TOKEN, "not-needed", "AAHk3_aB9-xZkLmQwErTyUiOpAsDfGhJkL"] {
        assert_eq!(clean(secret), MARK);
        assert_eq!(clean(&format!("ä{secret}ß {secret}")), format!("ä{MARK}ß {MARK}"));
        assert_eq!(clean(&format!("/bot{secret}/getMe")), format!("/bot{MARK}/getMe"));
        assert_eq!(clean(&format!("{secret}{secret}")), MARK, "two that touch");
    }
}

#[test]
fn words_that_keys_are_made_of_stay() {
    for text in [
        "litellm and anthropic, or sk-litellm- and sk-ant-api03-",
        "is not needed",
        "the bot 1234567890 and 1234567890: what it says",
        "abc none p4ssword",
        "AAHk3, zzKq81L and 4f2ac0f in a text",
        "",
    ] {
        assert_eq!(redactor().redact(text), Cow::Borrowed(text));
    }
    assert_eq!(clean("the key is p4ss."), format!("the key is {MARK}."), "short, but alone");
}

#[test]
fn parts_of_the_random_part_are_struck_out() {
    for (secret, first) in [(ANTHROPIC, 13), (LITELLM, 11), (TOKEN, 11)] {
        // Marks that Markdown removes are not characters of the key.
        let glyphs: Vec<char> = secret[first..].chars().filter(|c| *c != '_').collect();
        for length in [8, 9, 10, 11] {
            for part in glyphs.windows(length) {
                let part: String = part.iter().collect();
                let text = format!("a {part} b");
                assert_eq!(clean(&text), format!("a {MARK} b"), "{part} of {secret}");
            }
        }
    }
    assert_eq!(clean("a i03-aB3_xY9-zz b"), format!("a {MARK} b"), "with the word before it");
    assert_eq!(clean("sk-litellm-4f2ac"), MARK, "sixteen of any kind");
}

#[test]
fn keys_that_were_cut_are_struck_out_earlier() {
    for (text, want) in [
        ("Incorrect API key provided: sk-ant-api03-aB3_xY", "Incorrect API key provided: [secret]"),
        ("provided: sk-ant-api03-aB3_x", "provided: [secret]"),
        ("given: litellm-4f2ac", "given: [secret]"),
        ("given: litellm-4f2a", "given: litellm-4f2a"),
        ("given: sk-ant…5TuVw", "given: sk-ant…5TuVw"),
        ("given: sk-...TuVw, hash", "given: sk-...[secret], hash"),
        ("given: sk-ant-***TuVw.", "given: sk-ant-***[secret]."),
        ("given: ffee91… and", "given: [secret]… and"),
        ("given: AAHk•••• and", "given: [secret]•••• and"),
    ] {
        assert_eq!(clean(text), want, "{text}");
    }
}

#[test]
fn a_growing_text_shows_less_than_a_part() {
    let text = format!("The token is `{TOKEN}`, and the key is {ANTHROPIC}.");
    for end in 0..=text.len() {
        let shown = clean(&text[..end]);
        let leaked =
            |secret: &str| (0..secret.len() - 5).any(|at| shown.contains(&secret[at..at + 5]));
        assert!(!leaked(&TOKEN[11..]) && !leaked(&ANTHROPIC[13..]), "{shown}");
    }
}

#[test]
fn markdown_and_invisible_characters_hide_nothing() {
    for text in [
        "sk-ant-**api03**-aB3_xY9-zzKq**81LmNo**PqRs7TuVw",
        "sk-ant-api03-aB3\\_xY9\\-zzKq81LmNoPqRs7TuVw",
        "sk-ant-api03-aB3`_xY9-`zzKq81LmNoPqRs7TuVw",
        "sk-ant-api03-aB3_xY9-zzKq\u{200b}81LmNo\u{ad}Pq\u{200d}Rs7TuVw",
        "sk-ant-api03-\u{fe0f}aB3_\u{17b4}xY9-\u{180b}zzKq\u{1d173}81Lm\u{2800}NoPq\u{1bca0}Rs7TuVw",
        "sk-ant-api03-aB3_**xY9-zzKq81LmNoPqRs7TuVw**",
        "sk&#45;ant-api03-aB3_xY9-zz&#x4b;q81LmNoPqRs7TuVw",
    ] {
        assert_eq!(clean(&format!("a {text} b")), format!("a {MARK} b"), "{text}");
    }
    assert_eq!(clean(&format!("**{TOKEN}** and `{TOKEN}`")), "**[secret]** and `[secret]`");
    assert_eq!(clean(&format!("```\n{TOKEN}\n```\n")), "```\n[secret]\n```\n");
}

#[test]
fn encodings_hide_nothing() {
    let every: String = ANTHROPIC.bytes().map(|byte| format!("%{byte:02x}")).collect();
    for text in [
        "1234567890%3AAAHk3_aB9-xZkLmQwErTyUiOpAsDfGhJkL",
        "1234567890%3aAAHk3%5FaB9%2DxZkLmQwErTyUiOpAsDfGhJkL",
        "1234567890\\u003aAAHk3_aB9-xZkLmQwErTyUiOpAsDfGhJkL",
        &every,
    ] {
        assert_eq!(clean(&format!("a {text} b")), format!("a {MARK} b"), "{text}");
    }
    let odd = Redactor::new(["p\"ä ss/w+r<d:42"]);
    for text in [
        "p\\\"ä ss/w+r<d:42",
        "p%22%C3%A4%20ss%2Fw%2Br%3Cd%3A42",
        "p%22%c3%a4%20ss%2fw%2br%3cd%3a42",
        "p&quot;ä ss/w+r&lt;d:42",
    ] {
        assert_eq!(odd.redact(text), MARK, "{text}");
    }
}

#[test]
fn base64_hides_nothing_at_any_alignment() {
    for secret in [ANTHROPIC, LITELLM, TOKEN, "hunter22-secret", "p4ss1"] {
        let redactor = Redactor::new([secret]);
        for before in ["", "\0u\0", "\0us\0", "\0user@example.org\0"] {
            for after in ["", "x", "yy"] {
                for alphabet in [STANDARD, URL_SAFE] {
                    let text = base64(format!("{before}{secret}{after}").as_bytes(), alphabet);
                    let shown = redactor.redact(&text);
                    assert!(shown.contains(MARK), "{secret} in {text}");
                    assert!(shown.len() <= before.len() * 2 + MARK.len() + 8, "{shown} of {text}");
                }
            }
        }
    }
    // Nine bytes of the random part are twelve characters; six may be anything.
    let part = base64(&ANTHROPIC.as_bytes()[18..27], STANDARD);
    assert_eq!(clean(&format!("a {part} b")), format!("a {MARK} b"));
    let part = base64(&ANTHROPIC.as_bytes()[18..24], STANDARD);
    assert_eq!(clean(&format!("a {part} b")), format!("a {part} b"));
}

#[test]
fn a_secret_that_is_added_reaches_all_clones_and_old_ones_stay() {
    let redactor = Redactor::new([LITELLM]);
    let clone = redactor.clone();
    redactor.add([TOKEN]);
    assert_eq!(clone.redact(&format!("{TOKEN} {LITELLM}")), "[secret] [secret]");
    assert_eq!(format!("{clone:?}"), "Redactor(2)");
    assert_eq!(clone.clean(format!("x{TOKEN}")), "x[secret]");
    assert!(clone.finds(TOKEN) && !clone.finds("nothing"));
}

#[test]
fn a_text_without_secrets_costs_little() {
    let redactor = redactor();
    let text = "An answer of some length, with **bold** words and `code` in it. ".repeat(64);
    let begun = std::time::Instant::now();
    for _ in 0..100 {
        assert!(!redactor.finds(&text));
    }
    // Some 7 µs each when compiled for speed; the bound only refuses another order of growth.
    assert!(begun.elapsed().as_millis() < 2_000, "{:?} for 400 kB", begun.elapsed());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn nothing_of_a_secret_is_left_and_nothing_else_goes(
        before in any::<String>(), after in any::<String>(), marks in 0usize..40,
    ) {
        let (start, end) = TOKEN.split_at(marks);
        let text = format!("{before} {start}**{end} {after}");
        let shown = clean(&text);
        prop_assert!(shown.contains(MARK));
        prop_assert!(!shown.contains(&TOKEN[20..]) && !shown.contains(&TOKEN[11..30]));
        prop_assert_eq!(clean(&shown), shown);
    }

    #[test]
    fn other_texts_stay(text in "[ -~äß\n]{0,80}") {
        let shown = Redactor::new([ANTHROPIC, TOKEN]).redact(&text).into_owned();
        prop_assert_eq!(shown, text);
    }
}
