//! The present, by the wall clock and by the time since boot.

use std::time::{SystemTime, UNIX_EPOCH};

/// The present. The wall clock may jump; the time since boot cannot, and counts suspend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds since 1970, by the wall clock.
    pub time_ms: i64,
    /// The kernel's random id of this boot; `None` where the kernel tells none.
    pub boot_id: Option<String>,
    /// Milliseconds since boot, suspend included; `None` where the kernel tells none.
    pub boot_ms: Option<u64>,
}

impl Now {
    /// Asks the clock and the kernel: `/proc/sys/kernel/random/boot_id` and `/proc/uptime`, which
    /// is `CLOCK_BOOTTIME` in hundredths of a second (proc(5)).
    pub fn read() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let time_ms = match since {
            Ok(after) => i64::try_from(after.as_millis()).unwrap_or(i64::MAX),
            Err(before) => -i64::try_from(before.duration().as_millis()).unwrap_or(i64::MAX),
        };
        let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok();
        let boot_id = boot_id.map(|id| id.trim().to_owned()).filter(|id| !id.is_empty());
        let uptime = std::fs::read_to_string("/proc/uptime").ok();
        Self { time_ms, boot_id, boot_ms: uptime.as_deref().and_then(uptime_ms) }
    }
}

/// Milliseconds in the first number of `/proc/uptime`.
fn uptime_ms(text: &str) -> Option<u64> {
    let (s, hundredths) = text.split_whitespace().next()?.split_once('.')?;
    let hundredths: u64 =
        if hundredths.len() == 2 { hundredths.parse().ok()? } else { return None };
    s.parse::<u64>().ok()?.checked_mul(1000)?.checked_add(hundredths * 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uptime_is_in_hundredths() {
        assert_eq!(uptime_ms("350735.47 234388.90\n"), Some(350_735_470));
        assert_eq!(uptime_ms("0.05 0.00\n"), Some(50));
        for odd in ["", "12", "12.5 1.00", "x.00 1.00", "99999999999999999999.00"] {
            assert_eq!(uptime_ms(odd), None, "{odd}");
        }
    }

    #[test]
    fn time_since_boot_advances() {
        let (a, b) = (Now::read(), Now::read());
        assert_eq!(a.boot_id, b.boot_id);
        assert!(a.boot_ms <= b.boot_ms, "{a:?} {b:?}");
        assert!(a.time_ms > 1_700_000_000_000);
    }
}
