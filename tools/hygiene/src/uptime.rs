//! Two clocks of the kernel that no one can set: with the time that the machine slept, and without.

use rustix::time::{ClockId, Timespec, clock_gettime};

/// Milliseconds since boot, suspend included (`CLOCK_BOOTTIME`).
pub fn since_boot_ms() -> u64 {
    milliseconds(clock_gettime(ClockId::Boottime))
}

/// Milliseconds that the machine was awake since boot (`CLOCK_MONOTONIC`): what timers count.
pub fn awake_ms() -> u64 {
    milliseconds(clock_gettime(ClockId::Monotonic))
}

fn milliseconds(time: Timespec) -> u64 {
    let (s, ms) = (u64::try_from(time.tv_sec), u64::try_from(time.tv_nsec / 1_000_000));
    s.unwrap_or(0).saturating_mul(1000).saturating_add(ms.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_is_never_awake_for_longer_than_it_is_up() {
        let (awake, up) = (awake_ms(), since_boot_ms());
        assert!(awake > 0 && awake <= up, "{awake} {up}");
        assert!(awake_ms() >= awake);
    }
}
