//! How much of the time people were served, by the outages that are known.

use std::path::Path;
use std::time::UNIX_EPOCH;

use crate::rfc3339;

/// What is promised: at most 43 min of outages in 30 days.
pub const TARGET: f64 = 0.999;

/// What is looked back at: a name, and its length in milliseconds.
pub const WINDOWS: [(&str, i64); 2] = [("7 days", 7 * 86_400_000), ("30 days", 30 * 86_400_000)];

/// Since when a checker observes, in milliseconds since 1970: since the folder of its memory was made. `None`
/// where there is none.
pub fn observed_since(folder: &Path) -> Option<i64> {
    let about = std::fs::metadata(folder).ok()?;
    // Not every file system knows when a folder was made.
    let made = about.created().or_else(|_| about.modified()).ok()?;
    i64::try_from(made.duration_since(UNIX_EPOCH).ok()?.as_millis()).ok()
}

/// The ratio of each of [`WINDOWS`], which begin no earlier than `since_ms`.
pub fn ratios(outages: &[(i64, i64)], since_ms: i64, now_ms: i64) -> [f64; 2] {
    let observed = now_ms.saturating_sub(since_ms);
    WINDOWS.map(|(_, window)| ratio(outages.iter().copied(), window.min(observed), now_ms))
}

/// For people: `99.9 % over 7 days, 99 % since 2026-11-21 07:24 UTC, target 99.9 %`.
pub fn in_words(outages: &[(i64, i64)], since_ms: i64, now_ms: i64) -> String {
    let observed = now_ms.saturating_sub(since_ms);
    let whole = WINDOWS.iter().filter(|(_, window)| *window <= observed).count();
    let since = rfc3339::format(since_ms);
    let since = format!("since {} UTC", since.get(..16).unwrap_or(&since).replace('T', " "));
    let shown = ratios(outages, since_ms, now_ms).into_iter().zip(WINDOWS).enumerate();
    let shown = shown.take(whole + 1).map(|(number, (ratio, (window, _)))| match number < whole {
        true => format!("{} over {window}", percent(ratio)),
        false => format!("{} {since}", percent(ratio)),
    });
    let shown: Vec<String> = shown.collect();
    format!("{}, target {}", shown.join(", "), percent(TARGET))
}

/// The part of the last `window_ms` before `now_ms` that lies in none of these outages, 0 to 1. They have a
/// begin and an end (Unix milliseconds), in any order, and may overlap.
pub fn ratio(outages: impl IntoIterator<Item = (i64, i64)>, window_ms: i64, now_ms: i64) -> f64 {
    let window_ms = window_ms.max(1);
    let begin = now_ms.saturating_sub(window_ms);
    let cut = |(from, until): (i64, i64)| (from.max(begin), until.min(now_ms));
    let mut spans: Vec<_> =
        outages.into_iter().map(cut).filter(|(from, until)| from < until).collect();
    spans.sort_unstable();
    let (mut out, mut counted) = (0, begin);
    for (from, until) in spans {
        out += (until - from.max(counted)).max(0);
        counted = counted.max(until);
    }
    1.0 - out as f64 / window_ms as f64
}

/// In percent, rounded down, so that 100 % means no outage at all.
pub fn percent(ratio: f64) -> String {
    let thousandths = (ratio * 1e5 + 1e-6).floor();
    let text = format!("{:.3}", thousandths / 1e3);
    format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlaps_count_once_and_what_lies_outside_not_at_all() {
        let outages = [(900, 950), (0, 120), (940, 960), (1_000, 1_100), (955, 958)];
        let available = ratio(outages, 900, 1_000);
        assert!((available - (1.0 - 80.0 / 900.0)).abs() < 1e-9, "{available}");
        assert_eq!(ratio([], 900, 1_000), 1.0);
        assert_eq!(ratio([(-5, 2_000)], 900, 1_000), 0.0);
        assert_eq!(ratio([(300, 200)], 900, 1_000), 1.0);
    }

    #[test]
    fn no_window_is_longer_than_what_was_observed() {
        let day = 86_400_000;
        let (now, dead) = (1_795_245_873_000, [(0, 1_795_245_873_000)]);
        let words = |outages: &[(i64, i64)], days| in_words(outages, now - days * day, now);
        assert_eq!(words(&dead, 40), "0 % over 7 days, 0 % over 30 days, target 99.9 %");
        let since = "since 2026-11-11 07:24 UTC";
        assert_eq!(
            words(&[(now - 2 * day, now - day)], 10),
            format!("85.714 % over 7 days, 90 % {since}, target 99.9 %")
        );
        assert_eq!(words(&[], 0), "100 % since 2026-11-21 07:24 UTC, target 99.9 %");
        assert_eq!(words(&dead, 0), "0 % since 2026-11-21 07:24 UTC, target 99.9 %");
        assert_eq!(ratios(&dead, now + day, now), [0.0; 2], "a clock that was set back");
    }

    #[test]
    fn an_observer_is_as_old_as_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let age = crate::Now::read().time_ms - observed_since(folder.path()).unwrap();
        assert!((-1_000..60_000).contains(&age), "{age}");
        assert_eq!(observed_since(&folder.path().join("none")), None);
    }

    #[test]
    fn a_second_of_an_outage_is_not_a_hundred_percent() {
        let (_, month) = WINDOWS[1];
        assert_eq!(percent(1.0), "100 %");
        assert_eq!(percent(ratio([(0, 1_000)], month, month)), "99.999 %");
        assert_eq!(percent(TARGET), "99.9 %");
        assert_eq!(percent(0.5), "50 %");
        assert_eq!(percent(0.0), "0 %");
    }
}
