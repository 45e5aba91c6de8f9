//! The watchdog: systemd hears a ping only while every loop turns within its own deadline.
//!
//! Invariant: no timer alone can feed it. A restart fixes a process that hangs, and nothing else,
//! so only liveness ticks count here: a poll that Telegram refused is a turn as well.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::observe::catalog::JournalEvent;
use crate::observe::vitals::Vitals;

/// What the watchdog reports to the service manager (sd_notify(3)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatchdogSignal {
    /// `WATCHDOG=1`: all loops turn.
    Ping,
    /// `WATCHDOG=trigger`: one does not; end the process now.
    Trigger,
}

/// How often the liveness ticks are looked at, so that a stalled loop is named soon.
const LOOK: Duration = Duration::from_secs(1);

/// Pings each `every` (half of `WATCHDOG_USEC`) until `end`; a loop that is overdue is named in the
/// log once, and reported with [`WatchdogSignal::Trigger`].
pub async fn watchdog(
    vitals: Arc<Vitals>,
    every: Duration,
    end: CancellationToken,
    notify: impl Fn(WatchdogSignal) + Send,
) {
    let mut ticks = interval(LOOK.min(every));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut pinged: Option<Instant> = None;
    let mut stalled = false;
    loop {
        tokio::select! {
            () = end.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let Some(overdue) = vitals.overdue() else {
            stalled = false;
            if pinged.is_none_or(|at| at.elapsed() + LOOK.min(every) / 2 >= every) {
                pinged = Some(Instant::now());
                notify(WatchdogSignal::Ping);
            }
            continue;
        };
        if !stalled {
            stalled = true;
            tracing::error!(
                message_id = JournalEvent::WatchdogStarved.id(),
                stage = overdue.looping.name(),
                silent_ms = overdue.silent_ms,
                late_ms = overdue.late_ms,
                "the {} loop is stalled; reporting it to the watchdog",
                overdue.looping.name()
            );
            notify(WatchdogSignal::Trigger);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::observe::liveness::Loop;

    #[tokio::test]
    async fn pings_stop_with_the_loop_that_stops() {
        let vitals = Arc::new(Vitals::default());
        vitals.set_stall(Duration::ZERO);
        vitals.tick(Loop::Intake, Duration::from_millis(200));
        let said = Arc::new(Mutex::new(Vec::new()));
        let end = CancellationToken::new();
        let log = Arc::clone(&said);
        let notify = move |signal| log.lock().unwrap().push(signal);
        let every = Duration::from_millis(20);
        let task = tokio::spawn(watchdog(Arc::clone(&vitals), every, end.clone(), notify));
        tokio::time::timeout(Duration::from_secs(10), async {
            while !said.lock().unwrap().contains(&WatchdogSignal::Trigger) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await
        .expect("the stall is reported");
        {
            let said = said.lock().unwrap();
            assert_eq!(
                said.first(),
                Some(&WatchdogSignal::Ping),
                "it was fed while the loop turned"
            );
            assert_eq!(said.last(), Some(&WatchdogSignal::Trigger), "and not after");
            assert_eq!(said.iter().filter(|b| **b == WatchdogSignal::Trigger).count(), 1);
        }
        end.cancel();
        task.await.expect("it ends");
    }
}
