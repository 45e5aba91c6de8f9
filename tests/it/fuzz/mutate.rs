//! Changes an input as an attacker, a broken disk or a careless programmer would.

use fastrand::Rng;
use serde_json::{Value, json};

/// What breaks readers of any language.
const WORDS: &[&str] = &[
    "\0",
    "\r",
    "\n",
    "\r\n",
    "\r\n\r\n",
    "\n\n",
    "\t",
    " ",
    "\\",
    "\"",
    "'",
    "{",
    "}",
    "[",
    "]",
    "{}",
    "[]",
    ":",
    ",",
    "=",
    "#",
    "null",
    "true",
    "NaN",
    "1e999",
    "-1",
    "0",
    "-0",
    "\\ud800",
    "\\u0000",
    "%00",
    "../",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "18446744073709551615",
    "99999999999999999999999",
    "\u{202e}",
    "\u{2066}",
    "\u{2028}",
    "\u{85}",
    "\u{feff}",
    "\u{200b}",
    "\x1b[31m",
    "\x1b]0;x\x07",
    "\u{e0041}",
    "🙂",
    "👨\u{200d}👩\u{200d}👧",
    "e\u{301}",
    "漢字",
];

/// One of the corpus with a few changes, of at most `most` bytes.
pub fn one(rng: &mut Rng, corpus: &[Vec<u8>], words: &[&str], most: usize) -> Vec<u8> {
    let mut bytes = corpus[rng.usize(..corpus.len())].clone();
    for _ in 0..1 << rng.u32(..5) {
        change(rng, &mut bytes, corpus, words);
        bytes.truncate(most);
    }
    bytes
}

/// A part of the bytes that is not longer than `most`.
fn part(rng: &mut Rng, bytes: &[u8], most: usize) -> std::ops::Range<usize> {
    let start = rng.usize(..=bytes.len());
    start..(start + rng.usize(..=most)).min(bytes.len())
}

fn change(rng: &mut Rng, bytes: &mut Vec<u8>, corpus: &[Vec<u8>], words: &[&str]) {
    let word = match rng.bool() && !words.is_empty() {
        true => words[rng.usize(..words.len())],
        false => WORDS[rng.usize(..WORDS.len())],
    };
    let place = rng.usize(..=bytes.len());
    match rng.u8(..12) {
        0..=2 if in_json(rng, bytes) => {}
        0 | 1 if place < bytes.len() => bytes[place] ^= 1 << rng.u8(..8),
        2 if place < bytes.len() => bytes[place] = rng.u8(..),
        3..=5 => drop(bytes.splice(place..place, word.bytes())),
        6 => {
            let end = (place + word.len()).min(bytes.len());
            bytes.splice(place..end, word.bytes());
        }
        7 => drop(bytes.drain(part(rng, bytes, 64))),
        8 => {
            let piece = bytes[part(rng, bytes, 64)].repeat(1 << rng.u32(..9));
            bytes.splice(place..place, piece);
        }
        9 => {
            let other = &corpus[rng.usize(..corpus.len())];
            let piece = other[part(rng, other, 256)].to_vec();
            bytes.splice(place..place, piece);
        }
        10 if rng.u8(..4) == 0 => bytes.truncate(place),
        _ => number(rng, bytes, place),
    }
}

/// Another number in the place of the next one.
fn number(rng: &mut Rng, bytes: &mut Vec<u8>, place: usize) {
    let Some(start) = bytes[place..].iter().position(u8::is_ascii_digit) else { return };
    let start = place + start;
    let digits = bytes[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let other = match rng.u8(..4) {
        0 => rng.u64(..).to_string(),
        1 => rng.i64(..).to_string(),
        2 => rng.u8(..).to_string(),
        _ => "9".repeat(rng.usize(1..40)),
    };
    bytes.splice(start..start + digits, other.bytes());
}

/// Changes a line that is JSON, by itself or after a name and a colon, as JSON. `false` if there is none.
fn in_json(rng: &mut Rng, bytes: &mut Vec<u8>) -> bool {
    let mut places = Vec::new();
    let mut start = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let ends = start + line.trim_ascii_end().len();
        let colon = line.iter().position(|byte| *byte == b':').map_or(0, |at| at + 1);
        places.extend([(start, ends), (start + colon, ends)]);
        start += line.len();
    }
    rng.shuffle(&mut places);
    for (start, ends) in places.into_iter().filter(|(start, ends)| start < ends) {
        if let Ok(mut value) = serde_json::from_slice::<Value>(&bytes[start..ends])
            && (value.is_object() || value.is_array())
        {
            in_value(rng, &mut value);
            bytes.splice(start..ends, value.to_string().into_bytes());
            return true;
        }
    }
    false
}

/// Changes something at any depth.
fn in_value(rng: &mut Rng, value: &mut Value) {
    let deeper = rng.u8(..8) != 0;
    match value {
        Value::Object(map) if deeper && !map.is_empty() => {
            let key = map.keys().nth(rng.usize(..map.len())).cloned().unwrap_or_default();
            match rng.u8(..12) {
                0 => drop(map.remove(&key)),
                1 => {
                    let moved = map.remove(&key).unwrap_or_default();
                    map.insert(WORDS[rng.usize(..WORDS.len())].to_owned(), moved);
                }
                _ => in_value(rng, &mut map[&key]),
            }
        }
        Value::Array(list) if deeper && !list.is_empty() => {
            let index = rng.usize(..list.len());
            match rng.u8(..12) {
                0 => drop(list.remove(index)),
                1 => {
                    let times = rng.usize(1..40);
                    let copy = list[index].clone();
                    list.splice(index..index, std::iter::repeat_n(copy, times));
                }
                _ => in_value(rng, &mut list[index]),
            }
        }
        Value::String(text) if rng.bool() => {
            let word = WORDS[rng.usize(..WORDS.len())].repeat(1 << rng.u32(..9));
            if rng.bool() { text.push_str(&word) } else { text.insert_str(0, &word) }
        }
        value => *value = odd(rng),
    }
}

fn odd(rng: &mut Rng) -> Value {
    let word = || WORDS.iter().map(|word| json!(word));
    let odd = [
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(i64::MAX),
        json!(i64::MIN),
        json!(u64::MAX),
        json!(1e300),
        json!(0.5),
        json!(""),
        json!([]),
        json!({}),
        json!([[[[[[]]]]]]),
        json!({"a": {"b": []}}),
        json!(rng.i64(..)),
        json!(rng.u8(..)),
    ];
    let all: Vec<Value> = odd.into_iter().chain(word()).collect();
    all[rng.usize(..all.len())].clone()
}
