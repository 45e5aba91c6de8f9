//! What other programs say, made fit to be shown: one line, bounded, no control characters.

/// Longest quotation in a message, in characters.
const QUOTE: usize = 400;

/// One line of at most 400 characters. Whitespace and control characters become single spaces, so
/// nothing can move a terminal's cursor or begin a new line of a log.
pub(super) fn quote(text: &str) -> String {
    let line = one_line(text);
    if line.chars().count() <= QUOTE {
        return line;
    }
    line.chars().take(QUOTE - 1).chain(['…']).collect()
}

/// As [`quote`], but keeps the end: programs say last what went wrong.
pub(super) fn quote_end(text: &str) -> String {
    let line = one_line(text);
    let count = line.chars().count();
    if count <= QUOTE {
        return line;
    }
    ['…'].into_iter().chain(line.chars().skip(count - QUOTE + 1)).collect()
}

fn one_line(text: &str) -> String {
    let flat = |c: char| c.is_whitespace() || c.is_control() || is_invisible(c);
    let words: Vec<&str> = text.split(flat).filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

/// A time of Unix milliseconds as RFC 3339 in UTC, such as `2026-11-21T07:24:35Z`. The calendar is
/// Howard Hinnant's "days from civil" turned round, for years 0 to 9999.
pub(super) fn rfc3339(ms: i64) -> String {
    let seconds = ms.div_euclid(1_000);
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Characters that change the order of what is shown (Unicode TR 36, section 2.7).
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_utc() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
            (951_782_400_000, "2000-02-29T00:00:00Z"),
            (1_795_245_875_999, "2026-11-21T07:24:35Z"),
        ] {
            assert_eq!(rfc3339(ms), text);
        }
    }

    #[test]
    fn quotations_are_one_bounded_line() {
        assert_eq!(quote(" 550 no\r\nsuch \x1b[31muser\u{202e}\0 "), "550 no such [31muser");
        let long = quote(&"ä".repeat(1_000));
        assert_eq!((long.chars().count(), long.chars().last()), (QUOTE, Some('…')));
        let end = quote_end(&format!("{}the end", "ä".repeat(1_000)));
        assert!(end.starts_with('…') && end.ends_with("the end") && end.chars().count() == QUOTE);
    }
}
