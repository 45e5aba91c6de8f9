//! Times for people: on this machine's clock, with its zone, and in UTC.

use heartbeat::{Heartbeat, Now, rfc3339};
use tz::TimeZone;

/// A time for people, to the second, such as `2026-11-21 08:24:33 CET (07:24:33 UTC)`; where the machine
/// lives in UTC, `2026-11-21 07:24:33 UTC`.
pub fn clock(time_ms: i64) -> String {
    in_zone(time_ms, zone().as_ref())
}

/// A time that someone typed: RFC 3339, or on this machine's clock `2026-11-21 08:24`, or `08:24` for the
/// next time that the clock shows it. In milliseconds since 1970; the error says what to write.
pub fn typed(text: &str, now_ms: i64) -> Result<i64, String> {
    let text = text.trim();
    if let Some(time_ms) = rfc3339::parse(text) {
        return Ok(time_ms);
    }
    let zone = zone();
    // The offset counts at the time that is meant, so the second guess is right.
    let utc = |local_ms: i64| {
        let guess = local_ms - offset_ms(local_ms, zone.as_ref());
        local_ms - offset_ms(guess, zone.as_ref())
    };
    let local = |text: &str| {
        let seconds = if text.matches(':').count() == 1 { ":00Z" } else { "Z" };
        rfc3339::parse(&format!("{text}{seconds}"))
    };
    if let Some(time_ms) = local(text) {
        return Ok(utc(time_ms));
    }
    let today = rfc3339::format(now_ms + offset_ms(now_ms, zone.as_ref()));
    let wanted = "write a time such as 18:30, \"2026-11-21 18:30\", or 2026-11-21T18:30:00Z";
    let time_ms = local(&format!("{} {text}", &today[..10])).map(utc).ok_or(wanted)?;
    Ok(if time_ms > now_ms { time_ms } else { time_ms + 86_400_000 })
}

/// What `TZ` names, else the machine's zone.
fn zone() -> Option<TimeZone> {
    match std::env::var("TZ") {
        Ok(name) if !name.is_empty() => TimeZone::from_posix_tz(&name).ok(),
        _ => TimeZone::local().ok(),
    }
}

/// What the zone adds to UTC at this time, in milliseconds.
fn offset_ms(time_ms: i64, zone: Option<&TimeZone>) -> i64 {
    let found = zone.and_then(|zone| zone.find_local_time_type(time_ms.div_euclid(1000)).ok());
    found.map_or(0, |found| i64::from(found.ut_offset()) * 1000)
}

fn in_zone(time_ms: i64, zone: Option<&TimeZone>) -> String {
    let utc = rfc3339::format(time_ms);
    let offset = offset_ms(time_ms, zone);
    if offset == 0 {
        return format!("{} {} UTC", &utc[..10], &utc[11..19]);
    }
    let local = rfc3339::format(time_ms.saturating_add(offset));
    let found = zone.and_then(|zone| zone.find_local_time_type(time_ms.div_euclid(1000)).ok());
    let name = found.map_or("", |found| found.time_zone_designation());
    let day = if utc[..10] == local[..10] { String::new() } else { format!("{} ", &utc[..10]) };
    format!("{} {} {name} ({day}{} UTC)", &local[..10], &local[11..19], &utc[11..19])
}

/// So many milliseconds before now.
pub(crate) fn ago(now: &Now, ms: i64) -> Now {
    let ms = ms.max(0);
    let boot_ms = now.boot_ms.and_then(|boot_ms| boot_ms.checked_sub(ms.unsigned_abs()));
    Now { time_ms: now.time_ms.saturating_sub(ms), boot_ms, ..now.clone() }
}

/// When a heartbeat was written, or so many milliseconds before that.
pub(crate) fn at(beat: &Heartbeat, before_ms: u64) -> Now {
    let before = i64::try_from(before_ms).unwrap_or(i64::MAX);
    let boot_id = Some(beat.boot_id.clone()).filter(|id| !id.is_empty());
    Now {
        time_ms: beat.time_ms.saturating_sub(before),
        boot_ms: boot_id.as_ref().map(|_| beat.boot_ms.saturating_sub(before_ms)),
        boot_id,
        awake_ms: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_local_time_comes_first_and_utc_is_there() {
        let at = 1_795_245_873_120;
        let zone = |rule: &str| TimeZone::from_posix_tz(rule).unwrap();
        for (rule, shown) in [
            ("CET-1CEST,M3.5.0,M10.5.0/3", "2026-11-21 08:24:33 CET (07:24:33 UTC)"),
            ("<-09>9", "2026-11-20 22:24:33 -09 (2026-11-21 07:24:33 UTC)"),
            ("UTC0", "2026-11-21 07:24:33 UTC"),
        ] {
            assert_eq!(in_zone(at, Some(&zone(rule))), shown, "{rule}");
        }
        assert_eq!(in_zone(at, None), "2026-11-21 07:24:33 UTC");
    }

    #[test]
    fn times_that_are_typed() {
        let now = 1_795_245_873_000;
        let offset = offset_ms(now, zone().as_ref());
        assert_eq!(typed("2026-11-21T18:30:00Z", now), Ok(1_795_285_800_000));
        assert_eq!(typed("2026-11-21 18:30", now), Ok(1_795_285_800_000 - offset));
        for text in ["00:00", "07:24", "18:30:05", "23:59"] {
            let next = typed(text, now).unwrap();
            assert!(next > now && next <= now + 86_400_000, "{text}: {next}");
        }
        for odd in ["", "soon", "25:00", "2h", "2026-11-21"] {
            assert!(typed(odd, now).is_err(), "{odd}");
        }
    }
}
