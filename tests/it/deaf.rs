//! The deaf bound: however the network goes away, once it is back the next message is answered
//! within the deadline of a poll and 15 s, which is 75 s with the usual settings.
//!
//! Scaled down, a poll holds for 2 s (50 s), is given up after 3 s (60 s), and pauses between polls
//! that fail grow to 2 s (30 s); any other call may take 2 s (30 s). The 15 s stay, so the bound is 18 s. `KATANA_REAL_TIMEOUTS=1` takes
//! the real settings; that takes about four minutes. `KATANA_TEST_SEED` repeats a run.
//!
//! The longest wait is that of a message which was heard just before its connections died: its
//! answer is in doubt, and that is resolved only when polling works again.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::harness::{SOON, Stage};
use crate::wire::{Line, Wire};

/// How often each way of failing is tried, at random points of the poll cycle.
const ROUNDS: usize = 4;

#[derive(Clone, Copy)]
struct Times {
    poll_timeout_s: u64,
    poll_deadline_s: u64,
    backoff_max_s: u64,
    send_timeout_s: u64,
}

const SCALED: Times =
    Times { poll_timeout_s: 2, poll_deadline_s: 3, backoff_max_s: 2, send_timeout_s: 2 };
const REAL: Times =
    Times { poll_timeout_s: 50, poll_deadline_s: 60, backoff_max_s: 30, send_timeout_s: 30 };

impl Times {
    fn in_effect() -> Self {
        let real = std::env::var("KATANA_REAL_TIMEOUTS").is_ok_and(|v| v == "1");
        if real { REAL } else { SCALED }
    }

    /// How long after the network is back a message may wait.
    fn bound(self) -> Duration {
        Duration::from_secs(self.poll_deadline_s + 15)
    }
}

/// The network goes away `after` the begin of a poll for `outage`; `None`: only the connections
/// that are open die, and new ones work at once.
async fn waits(times: Times, after: Duration, outage: Option<(Line, Duration)>) -> Duration {
    let mut stage = Stage::new().await;
    let wire = Wire::to(&stage.sim.api_url()).await;
    stage
        .set("KATANA_TELEGRAM_API_URL", &wire.url())
        .set("KATANA_TELEGRAM_POLL_TIMEOUT_S", &times.poll_timeout_s.to_string())
        .set("KATANA_TELEGRAM_POLL_DEADLINE_S", &times.poll_deadline_s.to_string())
        .set("KATANA_TELEGRAM_POLL_BACKOFF_MAX_S", &times.backoff_max_s.to_string())
        .set("KATANA_TELEGRAM_SEND_TIMEOUT_S", &times.send_timeout_s.to_string());
    stage.start().await;
    assert_eq!(stage.ask(5, "before").await, "echo: before");
    stage.idle().await;
    assert!(stage.sim.wait_until(SOON, botapi_sim::Sim::polling).await);
    tokio::time::sleep(after).await;
    let mut expected = vec!["echo: before", "echo: next"];
    match outage {
        None => wire.sever(),
        Some((line, lasts)) => {
            wire.fail(line).await;
            stage.sim.say(5, "meanwhile");
            expected.insert(1, "echo: meanwhile");
            tokio::time::sleep(lasts).await;
            wire.set(Line::Open).await;
        }
    }
    let begun = Instant::now();
    stage.sim.say(5, "next");
    let answered =
        |sim: &botapi_sim::Sim| sim.bot_messages(5).iter().any(|m| m.text == "echo: next");
    let heard = stage.sim.wait_until(times.bound() * 2, answered).await;
    let took = begun.elapsed();
    assert!(heard, "deaf for {took:?} and longer");
    stage.idle().await;
    let said: Vec<_> = stage.sim.bot_messages(5).into_iter().map(|m| m.text).collect();
    assert_eq!(said, expected, "answered exactly once");
    stage.end().await;
    took
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_comes_back_is_heard_within_the_bound() {
    let times = Times::in_effect();
    let seed = std::env::var("KATANA_TEST_SEED").ok().and_then(|s| s.parse().ok());
    let seed: u64 = seed.unwrap_or_else(|| fastrand::u64(..));
    eprintln!("KATANA_TEST_SEED={seed}");
    let mut dice = fastrand::Rng::with_seed(seed);
    let mut share = |of_s: u64| Duration::from_secs_f64(dice.f64() * of_s as f64);
    let mut running = JoinSet::new();
    for _ in 0..ROUNDS {
        for line in [None, Some(Line::Swallows), Some(Line::Deaf)] {
            let after = share(times.poll_timeout_s);
            let outage = line.map(|line| (line, share(times.poll_deadline_s * 5 / 2)));
            running.spawn(async move { (after, outage, waits(times, after, outage).await) });
        }
    }
    let mut late = Vec::new();
    while let Some(ended) = running.join_next().await {
        let (after, outage, took) = ended.expect("a round ends well");
        let round = match outage {
            None => format!("half-open {after:.1?} into a poll: {took:.1?}"),
            Some((line, lasts)) => {
                format!("{line:?} {after:.1?} into a poll for {lasts:.1?}: {took:.1?}")
            }
        };
        eprintln!("{round}");
        if took > times.bound() {
            late.push(round);
        }
    }
    assert!(late.is_empty(), "longer than {:?}:\n{}", times.bound(), late.join("\n"));
}
