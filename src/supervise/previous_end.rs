//! How the process before this one ended, and what people hear of it.

use heartbeat::rfc3339;
use hygiene::duration::in_words as span;

use super::figures::LINE_CHARS;

/// Room for what follows the cause, in characters.
const REST_CHARS: usize = 104;

/// The end in words (see [`PreviousEnd::in_words`]), and how many there were. `starts_ms`: how long ago each start
/// after such an end was; those of the last `within_ms` count.
pub(super) fn in_words(
    end: &PreviousEnd,
    served_ms: Option<u64>,
    starts_ms: &[u64],
    within_ms: u64,
) -> String {
    let text = end.in_words(served_ms);
    match starts_ms.iter().filter(|ago| **ago < within_ms).count() {
        0 | 1 => text,
        n => format!("{text}; {n} times within {}", span(within_ms)),
    }
}

/// How the process before this one ended, without a clean stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreviousEnd {
    /// Its last sign of life, Unix milliseconds.
    pub last_sign_ms: i64,
    /// From then to the start of this process, in milliseconds.
    pub silent_ms: u64,
    /// How and why, where that was written down.
    pub why: Option<String>,
}

impl PreviousEnd {
    /// The cause, the last sign of life, and for how long no one was served. `served_ms`: when this process
    /// had its first poll answered, in milliseconds since its start.
    pub fn in_words(&self, served_ms: Option<u64>) -> String {
        let why = match &self.why {
            Some(why) => format!("the previous process ended with {why}"),
            None => "the previous process ended without a clean stop".to_owned(),
        };
        let time = rfc3339::format(self.last_sign_ms);
        let last = time.get(11..19).unwrap_or_default();
        let unserved = match served_ms {
            Some(at_ms) => format!("no one was served for {}", span(self.silent_ms + at_ms)),
            None => "no one has been served since".to_owned(),
        };
        // The cause may be long, and is in the journal as well.
        let why = hygiene::line::one_line(&why, LINE_CHARS - REST_CHARS);
        format!("{why}; its last sign of life was at {last} UTC, {unserved}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_systemd_saw_is_said_whole() {
        // The longest of the reasons in cli/last_exit.rs, with the longest name of a signal among them.
        let why = "SIGKILL: the machine ran out of memory, and the kernel killed it";
        let end = PreviousEnd { last_sign_ms: 0, silent_ms: 3_599_000, why: Some(why.to_owned()) };
        let text = in_words(&end, Some(0), &[1; 999], 600_000);
        assert!(text.contains(why) && text.chars().count() <= LINE_CHARS, "{text}");
    }
}
