//! Hostile input at every edge: each target feeds mutations of a small corpus to real code, and asserts
//! what holds for any input.
//!
//! Each target first gets what is in `tests/corpus/fuzz/TARGET`, among it what was found once, and then mutations
//! for three seconds, always the same ones: on two cores the seventeen targets then take 26 s of the suite, and with
//! ten seconds a minute. With `KATANA_FUZZ_SECONDS` it runs that long, with mutations
//! that are new in each run. A failure prints the seed that repeats it.

mod checker;
mod documents;
mod files;
mod markdown;
mod models;
mod mutate;
mod server;
mod telegram;
mod web;

use std::ops::Deref;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hygiene::line::{is_invisible, one_line};

/// What a target is fed with, one after the other.
struct Inputs {
    target: &'static str,
    corpus: Vec<Vec<u8>>,
    /// What its language is made of.
    words: &'static [&'static str],
    /// Largest input in bytes.
    most: usize,
    seed: u64,
    given: usize,
    time: Duration,
    /// From the first mutation on: how long the corpus takes depends on the load.
    until: Option<Instant>,
}

/// One input. Dropped by a panic, it says how to repeat that.
struct Input {
    bytes: Vec<u8>,
    target: &'static str,
    seed: Option<u64>,
}

impl Inputs {
    /// For the target of this name, with the corpus in its folder.
    fn of(target: &'static str, words: &'static [&'static str]) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/fuzz").join(target);
        let entries = std::fs::read_dir(&folder).expect("the corpus of the target");
        let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
        files.sort();
        let corpus = files.iter().map(|file| std::fs::read(file).expect("readable")).collect();
        Self::from(target, words, corpus)
    }

    /// With a corpus that was made just now.
    fn from(target: &'static str, words: &'static [&'static str], corpus: Vec<Vec<u8>>) -> Self {
        assert!(!corpus.is_empty(), "{target}: nothing to begin with");
        let most = corpus.iter().map(Vec::len).max().unwrap_or(0).max(16 * 1024);
        let variable = |name| std::env::var(name).ok().map(|v| v.parse().expect("a number"));
        let (given, seconds) = (variable("KATANA_FUZZ_SEED"), variable("KATANA_FUZZ_SECONDS"));
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time");
        let fresh = seconds.map_or(0, |_| now.as_nanos() as u64);
        Self {
            target,
            words,
            most,
            seed: given.unwrap_or(fresh),
            // One that is repeated is a mutation.
            given: if given.is_some() { corpus.len() } else { 0 },
            time: Duration::from_secs(seconds.unwrap_or(3)),
            until: None,
            corpus,
        }
    }

    /// The next input; `None` when the time is up.
    fn next(&mut self) -> Option<Input> {
        let index = self.given;
        self.given += 1;
        if let Some(bytes) = self.corpus.get(index) {
            return Some(Input { bytes: bytes.clone(), target: self.target, seed: None });
        }
        let now = Instant::now();
        if now >= *self.until.get_or_insert(now + self.time) {
            return None;
        }
        let seed = self.seed;
        self.seed = seed.wrapping_add(1);
        let mut rng = fastrand::Rng::with_seed(seed);
        let bytes = mutate::one(&mut rng, &self.corpus, self.words, self.most);
        Some(Input { bytes, target: self.target, seed: Some(seed) })
    }
}

impl Input {
    /// The input as text.
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

impl Deref for Input {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let how = match self.seed {
            Some(seed) => format!("KATANA_FUZZ_SEED={seed} KATANA_FUZZ_SECONDS=1"),
            None => "an entry of the corpus; simply".to_owned(),
        };
        let shown = self.bytes.escape_ascii().to_string();
        let shown = one_line(&shown, 4000);
        eprintln!(
            "target {}, input: {shown}\nrepeat it: {how} cargo test --test it fuzz::",
            self.target
        );
    }
}

/// Checks what someone reads on a terminal or in a log: bounded, on lines of its own, with nothing that moves
/// the cursor, reorders or hides.
pub fn assert_showable(text: &str, most: usize) {
    assert!(text.chars().count() <= most, "{} characters: {text:?}", text.chars().count());
    let odd = text.chars().find(|c| c.is_control() && *c != '\n' || is_invisible(*c));
    assert!(odd.is_none(), "{odd:?} in {text:?}");
}

#[test]
fn a_seed_repeats_its_input() {
    let corpus =
        [b"{\"a\": [1, 2, {\"b\": \"words\"}]}".to_vec(), b"data: {\"c\": 1}\n\n".to_vec()];
    let one = |seed| {
        let mut rng = fastrand::Rng::with_seed(seed);
        mutate::one(&mut rng, &corpus, &["word"], 1000)
    };
    let all: std::collections::BTreeSet<_> = (0..1000).map(one).collect();
    assert!(all.len() > 900, "{} different inputs", all.len());
    assert!(all.iter().all(|input| input.len() <= 1000));
    assert_eq!((0..1000).map(one).collect::<std::collections::BTreeSet<_>>(), all);
}
