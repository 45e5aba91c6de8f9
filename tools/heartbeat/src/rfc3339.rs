//! RFC 3339 times to and from milliseconds since 1970.
//!
//! The calendar is the proleptic Gregorian one; days are counted from 0000-03-01, so that the leap
//! day is the last of its year and months need no table.

const DAY_MS: i64 = 86_400_000;

/// Days from 0000-03-01 to 1970-01-01.
const EPOCH_DAYS: i64 = 719_468;

/// Days of 400 years, after which the calendar repeats.
const CYCLE_DAYS: i64 = 146_097;

/// The first and the last time that four digits of a year can say.
const RANGE_MS: (i64, i64) = (-62_167_219_200_000, 253_402_300_799_999);

/// A time as `2026-11-21T07:24:33.120Z`, always 24 characters. Times outside of the years 0000 to
/// 9999 are shown as the nearest that is inside.
pub fn format(time_ms: i64) -> String {
    let time_ms = time_ms.clamp(RANGE_MS.0, RANGE_MS.1);
    let (days, ms) = (time_ms.div_euclid(DAY_MS), time_ms.rem_euclid(DAY_MS));
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", ms % 1000)
}

/// Milliseconds since 1970 of an RFC 3339 time with any offset and any number of decimals (further
/// ones than three are cut). `T` and `Z` may be small, and a blank may stand for `T`, as section
/// 5.6 allows. `None` when it is not such a time.
pub fn parse(text: &str) -> Option<i64> {
    let text = text.as_bytes();
    let field = |from: usize, len: usize| number(text.get(from..from + len)?);
    let mark = |at: usize, any: &[u8]| text.get(at).is_some_and(|b| any.contains(b));
    let marks = mark(4, b"-") && mark(7, b"-") && mark(10, b"Tt ");
    if !marks || !mark(13, b":") || !mark(16, b":") {
        return None;
    }
    let (year, month, day) = (field(0, 4)?, field(5, 2)?, field(8, 2)?);
    let (hour, minute, second) = (field(11, 2)?, field(14, 2)?, field(17, 2)?);
    // A leap second is taken for the first of the next minute.
    let known = (1..=12).contains(&month) && hour <= 23 && minute <= 59 && second <= 60;
    if !known || day < 1 || day > length(year, month) {
        return None;
    }
    let mut rest = &text[19..];
    let mut ms = 0;
    if rest.first() == Some(&b'.') {
        let digits = rest[1..].iter().take_while(|b| b.is_ascii_digit()).count();
        if digits == 0 {
            return None;
        }
        for i in 0..3 {
            ms = ms * 10 + rest[1..=digits].get(i).map_or(0, |b| i64::from(b - b'0'));
        }
        rest = &rest[1 + digits..];
    }
    let clock = ((hour * 60 + minute) * 60 + second) * 1000 + ms;
    Some(days(year, month, day) * DAY_MS + clock - offset(rest)?)
}

/// Milliseconds to take away to get UTC.
fn offset(text: &[u8]) -> Option<i64> {
    let sign = match text {
        b"Z" | b"z" => return Some(0),
        [b'+', ..] => 1,
        [b'-', ..] => -1,
        _ => return None,
    };
    if text.len() != 6 || text[3] != b':' {
        return None;
    }
    let (hours, minutes) = (number(&text[1..3])?, number(&text[4..6])?);
    (hours <= 23 && minutes <= 59).then_some(sign * (hours * 60 + minutes) * 60_000)
}

fn number(digits: &[u8]) -> Option<i64> {
    let digit = |b: &u8| b.is_ascii_digit().then(|| i64::from(b - b'0'));
    digits.iter().try_fold(0, |n, b| Some(n * 10 + digit(b)?))
}

fn length(year: i64, month: i64) -> i64 {
    let next = if month == 12 { days(year + 1, 1, 1) } else { days(year, month + 1, 1) };
    next - days(year, month, 1)
}

/// Days since 1970-01-01.
fn days(year: i64, month: i64, day: i64) -> i64 {
    // March is month 0: January and February belong to the year before.
    let (year, month) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    let (cycle, year) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    cycle * CYCLE_DAYS + year * 365 + year / 4 - year / 100 + day_of_year - EPOCH_DAYS
}

/// Year, month and day of a number of days since 1970-01-01.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + EPOCH_DAYS;
    let (cycle, day) = (days.div_euclid(CYCLE_DAYS), days.rem_euclid(CYCLE_DAYS));
    // Leap days before that day: one in 4 years, none in 100, one in 400.
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (year * 365 + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let year = cycle * 400 + year;
    if month < 10 { (year, month + 3, day) } else { (year + 1, month - 9, day) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_times() {
        for (text, ms) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1970-01-01T00:00:00.001Z", 1),
            ("1969-12-31T23:59:59.999Z", -1),
            ("2000-02-29T12:00:00Z", 951_825_600_000),
            ("2026-11-21T07:24:33.1Z", 1_795_245_873_100),
            ("2026-11-21t07:24:33.123456z", 1_795_245_873_123),
            ("2026-11-21 09:24:33.123+02:00", 1_795_245_873_123),
            ("2026-11-20T23:54:33.123-07:30", 1_795_245_873_123),
            ("2016-12-31T23:59:60Z", 1_483_228_800_000),
            ("0000-01-01T00:00:00Z", RANGE_MS.0),
            ("9999-12-31T23:59:59.999Z", RANGE_MS.1),
        ] {
            assert_eq!(parse(text), Some(ms), "{text}");
        }
    }

    #[test]
    fn invalid_times_are_refused() {
        for text in [
            "",
            "2026-11-21",
            "2026-11-21T07:24:33",
            "2026-11-21T07:24Z",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-01-00T00:00:00Z",
            "2026-11-21T24:00:00Z",
            "2026-11-21T07:24:33.Z",
            "2026-11-21T07:24:33+0200",
            "2026-11-21T07:24:33+02:60",
            "2026-11-21T07:24:33Z ",
            "+026-11-21T07:24:33Z",
            "2026-11-21T07:24:33Zé",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(ms in RANGE_MS.0..=RANGE_MS.1) {
            prop_assert_eq!(parse(&format(ms)), Some(ms));
        }

        #[test]
        fn any_text_is_survived(text in ".{0,40}") {
            let _ = parse(&text);
        }

        #[test]
        fn any_number_has_24_characters(ms: i64) {
            prop_assert_eq!(format(ms).len(), 24);
        }
    }
}
