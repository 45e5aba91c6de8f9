//! What the headers of an answer say about limits: when to come back, and what is left.
//!
//! A time of day is measured against the server's own `Date`, so our clock does not matter.

use std::time::Duration;

use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

use crate::model::rate_left::RateLeft;

/// Longest wait that a server can ask for; more would park a provider for good.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// When to come back (RFC 9110, 10.2.3: seconds or a date; some vendors add milliseconds), or else when
/// what is used up begins again.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let milliseconds = || seconds(text(headers, "retry-after-ms")?).map(|wait| wait / 1000);
    let named = || {
        let after = text(headers, RETRY_AFTER.as_str())?;
        seconds(after).or_else(|| until(headers, mail_date(after)?))
    };
    let used_up = || {
        let left = rate_left(headers)?;
        let waits = [left.requests, left.tokens].into_iter().flatten();
        let empty = waits.filter(|(left, _)| *left == 0).map(|(_, ms)| ms).max()?;
        Some(Duration::from_millis(empty))
    };
    milliseconds().or_else(named).or_else(used_up).map(|wait| wait.min(LONGEST))
}

/// How much is left, in the words of OpenAI (which most others use) or of Anthropic.
pub(super) fn rate_left(headers: &HeaderMap) -> Option<RateLeft> {
    let read = |what: &str| {
        let theirs = |order: [&str; 2]| {
            let left = text(headers, order[0])?.parse().ok()?;
            let reset = wait(headers, text(headers, order[1])?)?.min(LONGEST);
            Some((left, u64::try_from(reset.as_millis()).unwrap_or(u64::MAX)))
        };
        let (remaining, reset) =
            (format!("x-ratelimit-remaining-{what}"), format!("x-ratelimit-reset-{what}"));
        let (its, until) = (
            format!("anthropic-ratelimit-{what}-remaining"),
            format!("anthropic-ratelimit-{what}-reset"),
        );
        theirs([&remaining, &reset]).or_else(|| theirs([&its, &until]))
    };
    let tokens = ["tokens", "input-tokens", "output-tokens"].map(read);
    // The smallest is met first.
    let tokens = tokens.into_iter().flatten().min();
    let left = RateLeft { requests: read("requests"), tokens };
    (left != RateLeft::default()).then_some(left)
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim)
}

fn seconds(text: &str) -> Option<Duration> {
    let seconds: f64 = text.parse().ok()?;
    // NaN and infinity make no Duration.
    Duration::try_from_secs_f64(seconds).ok()
}

/// A time to wait: seconds, such as `1.5`; units, such as `6m0s` or `20ms`; or a time of day.
fn wait(headers: &HeaderMap, text: &str) -> Option<Duration> {
    let time = || text.parse::<jiff::Timestamp>().ok();
    seconds(text).or_else(|| units(text)).or_else(|| until(headers, time()?))
}

/// Sums up numbers with units.
fn units(text: &str) -> Option<Duration> {
    let (mut rest, mut sum) = (Some(text).filter(|text| !text.is_empty())?, Duration::ZERO);
    while !rest.is_empty() {
        let number = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        let unit = number.trim_start_matches(|c: char| c.is_ascii_alphabetic());
        let amount = seconds(&rest[..rest.len() - number.len()])?;
        let part = match &number[..number.len() - unit.len()] {
            "ms" => amount / 1000,
            "s" => amount,
            "m" => amount.checked_mul(60)?,
            "h" => amount.checked_mul(3600)?,
            "d" => amount.checked_mul(24 * 3600)?,
            _ => return None,
        };
        sum = sum.checked_add(part)?;
        rest = unit;
    }
    Some(sum)
}

fn mail_date(text: &str) -> Option<jiff::Timestamp> {
    jiff::fmt::rfc2822::parse(text).ok().map(|date| date.timestamp())
}

fn until(headers: &HeaderMap, at: jiff::Timestamp) -> Option<Duration> {
    let now = mail_date(text(headers, DATE.as_str())?)?;
    Duration::try_from(at.duration_since(now)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(given: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in given {
            headers.insert(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn retry_after_in_every_spelling() {
        const NOW: (&str, &str) = ("date", "Wed, 21 Oct 2026 07:28:00 GMT");
        type Case = (&'static [(&'static str, &'static str)], Option<u64>);
        let table: &[Case] = &[
            (&[("retry-after", "7")], Some(7000)),
            (&[("retry-after", " 0.25 ")], Some(250)),
            (&[("retry-after-ms", "1500"), ("retry-after", "2")], Some(1500)),
            (&[("retry-after", "Wed, 21 Oct 2026 07:28:30 GMT"), NOW], Some(30_000)),
            (&[("retry-after", "Wed, 21 Oct 2026 07:27:30 GMT"), NOW], None),
            (&[("retry-after", "Wed, 21 Oct 2026 07:28:30 GMT")], None),
            (&[("retry-after", "99999999999")], Some(86_400_000)),
            (&[("retry-after", "-1")], None),
            (&[("retry-after", "NaN")], None),
            (&[("retry-after", "soon")], None),
            (
                &[("x-ratelimit-remaining-tokens", "0"), ("x-ratelimit-reset-tokens", "6m0s")],
                Some(360_000),
            ),
            (&[("x-ratelimit-remaining-tokens", "9"), ("x-ratelimit-reset-tokens", "6m0s")], None),
            (&[], None),
        ];
        for (given, expected) in table {
            let wait = retry_after(&headers(given));
            assert_eq!(wait, expected.map(Duration::from_millis), "{given:?}");
        }
    }

    #[test]
    fn what_is_left_is_read_in_the_words_of_both_vendors() {
        let left = rate_left(&headers(&[
            ("x-ratelimit-remaining-requests", "59"),
            ("x-ratelimit-reset-requests", "1s"),
            ("x-ratelimit-remaining-tokens", "149984"),
            ("x-ratelimit-reset-tokens", "1m7.66s"),
        ]));
        let (requests, tokens) = (Some((59, 1000)), Some((149_984, 67_660)));
        assert_eq!(left, Some(RateLeft { requests, tokens }));
        let left = rate_left(&headers(&[
            ("date", "Wed, 21 Oct 2026 07:28:00 GMT"),
            ("anthropic-ratelimit-requests-remaining", "0"),
            ("anthropic-ratelimit-requests-reset", "2026-10-21T07:28:07Z"),
            ("anthropic-ratelimit-input-tokens-remaining", "8000"),
            ("anthropic-ratelimit-input-tokens-reset", "2026-10-21T07:28:09Z"),
            ("anthropic-ratelimit-output-tokens-remaining", "2000"),
            ("anthropic-ratelimit-output-tokens-reset", "2026-10-21T07:28:02Z"),
        ]));
        let (requests, tokens) = (Some((0, 7000)), Some((2000, 2000)));
        assert_eq!(left, Some(RateLeft { requests, tokens }));
        for odd in [
            "",
            "soon",
            "5x",
            "1.2.3s",
            "s",
            "99999999999999999999d",
            "NaNs",
            "9999999999999999999s9999999999999999999s",
        ] {
            let mut odd_headers = headers(&[("x-ratelimit-remaining-tokens", "0")]);
            odd_headers.insert("x-ratelimit-reset-tokens", odd.parse().unwrap());
            assert_eq!(rate_left(&odd_headers), None, "{odd}");
        }
    }
}
