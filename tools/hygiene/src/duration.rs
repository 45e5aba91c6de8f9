//! Durations in words, the same in findings, alerts, pages and chats.

/// A duration in milliseconds in its two largest units: `3 s`, `2 min 5 s`, `4 h 12 min`, `2 d 3 h`.
/// Less than a second is `0 s`.
pub fn in_words(ms: u64) -> String {
    let s = ms / 1000;
    let (large, small) = match s {
        0..60 => return format!("{s} s"),
        60..3600 => ((s / 60, "min"), (s % 60, "s")),
        3600..86_400 => ((s / 3600, "h"), (s / 60 % 60, "min")),
        _ => ((s / 86_400, "d"), (s / 3600 % 24, "h")),
    };
    if small.0 == 0 {
        return format!("{} {}", large.0, large.1);
    }
    format!("{} {} {} {}", large.0, large.1, small.0, small.1)
}

#[cfg(test)]
mod tests {
    use super::in_words;

    #[test]
    fn two_units_at_most() {
        for (ms, text) in [
            (0, "0 s"),
            (999, "0 s"),
            (59_999, "59 s"),
            (60_000, "1 min"),
            (125_000, "2 min 5 s"),
            (3_600_000, "1 h"),
            (15_125_000, "4 h 12 min"),
            (86_400_000, "1 d"),
            (183_600_000, "2 d 3 h"),
            (u64::MAX, "213503982334 d 14 h"),
        ] {
            assert_eq!(in_words(ms), text);
        }
    }
}
