//! How much memory another process has.

use std::path::PathBuf;
use std::time::Duration;

/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// Ends when a process uses more than this.
pub(super) async fn grown(process: u32, most_kb: u64) {
    let path = PathBuf::from(format!("/proc/{process}/status"));
    loop {
        tokio::time::sleep(LOOK).await;
        if resident(&path).is_some_and(|kb| kb > most_kb) {
            return;
        }
    }
}

/// Memory that is in use, in kB; the kernel answers without waiting.
fn resident(status: &std::path::Path) -> Option<u64> {
    let status = std::fs::read_to_string(status).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_of_a_process_is_known() {
        let own = resident(&PathBuf::from("/proc/self/status")).unwrap();
        assert!((1000..100_000_000).contains(&own), "{own}");
    }
}
