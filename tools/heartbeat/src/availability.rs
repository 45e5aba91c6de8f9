//! How much of the time people were served, by the outages that are known.

/// What is promised: at most 43 min of outages in 30 days.
pub const TARGET: f64 = 0.999;

/// What is looked back at: a name, and its length in milliseconds.
pub const WINDOWS: [(&str, i64); 2] = [("7 d", 7 * 86_400_000), ("30 d", 30 * 86_400_000)];

/// The part of the last `window_ms` before `now_ms` that lies in none of these outages, 0 to 1. They have a
/// begin and an end (Unix milliseconds), in any order, and may overlap.
pub fn ratio(outages: impl IntoIterator<Item = (i64, i64)>, window_ms: i64, now_ms: i64) -> f64 {
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
    1.0 - out as f64 / window_ms.max(1) as f64
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
    fn a_second_of_an_outage_is_not_a_hundred_percent() {
        let (_, month) = WINDOWS[1];
        assert_eq!(percent(1.0), "100 %");
        assert_eq!(percent(ratio([(0, 1_000)], month, month)), "99.999 %");
        assert_eq!(percent(TARGET), "99.9 %");
        assert_eq!(percent(0.5), "50 %");
        assert_eq!(percent(0.0), "0 %");
    }
}
