//! Made-up texts whose words are as frequent as those of a language: a few everywhere, most of them rarely.

use fastrand::Rng;

/// What makes a text English.
const COMMON: &[&str] = &[
    "the", "of", "and", "to", "a", "in", "is", "that", "it", "was", "for", "on", "are", "as",
    "with", "they", "be", "at", "one", "have", "this", "from", "or", "had", "by", "but", "what",
    "some", "we", "can", "out", "other", "were", "all", "there", "when", "up", "your", "how",
];

/// Different words in all texts.
const WORDS: usize = 60_000;

/// Words of a passage: about 900 characters.
pub(crate) const PASSAGE: usize = 140;

/// Texts, the same with each run.
pub(crate) struct Texts {
    random: Rng,
    words: Vec<String>,
    /// The share of all words up to each one.
    up_to: Vec<f64>,
}

impl Texts {
    pub(crate) fn new() -> Self {
        let mut random = Rng::with_seed(16);
        let syllable = |random: &mut Rng| {
            let consonant = "bdfgklmnprstvz".chars().nth(random.usize(..14)).unwrap_or('b');
            let vowel = "aeiou".chars().nth(random.usize(..5)).unwrap_or('a');
            [consonant, vowel]
        };
        let mut words: Vec<String> = COMMON.iter().map(|word| (*word).to_owned()).collect();
        while words.len() < WORDS {
            let syllables = random.usize(2..5);
            words.push((0..syllables).flat_map(|_| syllable(&mut random)).collect());
        }
        let mut sum = 0.0;
        let mut share = |rank: usize| {
            sum += 1.0 / (rank as f64 + 2.7);
            sum
        };
        let mut up_to: Vec<f64> = (0..words.len()).map(&mut share).collect();
        up_to.iter_mut().for_each(|share| *share /= sum);
        Self { random, words, up_to }
    }

    fn word(&mut self) -> &str {
        let at = self.random.f64();
        let rank = self.up_to.partition_point(|share| *share < at);
        &self.words[rank.min(self.words.len() - 1)]
    }

    /// A passage.
    pub(crate) fn passage(&mut self) -> String {
        let mut text = String::new();
        for at in 0..PASSAGE {
            if at > 0 {
                text.push_str(if at % 12 == 0 { ". " } else { " " });
            }
            let word = self.word().to_owned();
            text.push_str(&word);
        }
        text
    }

    /// A few words that are not common ones.
    pub(crate) fn title(&mut self) -> String {
        self.telling(3).join(" ")
    }

    /// A question with so many words as a passage has them.
    pub(crate) fn question(&mut self) -> String {
        format!("How can the {} be?", self.telling(5).join(" "))
    }

    fn telling(&mut self, count: usize) -> Vec<String> {
        let mut words: Vec<String> = Vec::new();
        while words.len() < count {
            let word = self.word().to_owned();
            if !COMMON.contains(&&*word) {
                words.push(word);
            }
        }
        words
    }
}
