//! The channels against real servers, real programs, and peers that misbehave.

mod command;
mod documented;
mod floods;
mod leaks;
mod mail;
mod mail_faults;
mod peers;
mod ping;
mod postbox;
mod proxy;
mod telegram;
mod tls;
mod webhook;

use std::process::Command;
use std::time::{Duration, Instant};

use check_heartbeat::channel::{Channel, ChannelConfig, Environment, Failure};
use check_heartbeat::config::Problem;
use check_heartbeat::notification::{Kind, Level, Notification};

/// A notice as the checker makes them.
fn notice(number: u32, kind: Kind) -> Notification {
    let ended = kind == Kind::Recovered;
    Notification {
        incident: "katana-bot-19aa2b3c4d5".to_owned(),
        number,
        kind,
        level: Level::Critical,
        watch: "katana-bot".to_owned(),
        finding: None,
        host: "host-1.example".to_owned(),
        environment: Some("production".to_owned()),
        summary: "the heartbeat is 4 min old – older than 2 min".to_owned(),
        details: vec!["It was: healthy".to_owned(), ".a line that begins with a dot".to_owned()],
        causes: Vec::new(),
        started_ms: 1_795_245_875_000,
        ended_ms: ended.then_some(1_795_246_175_000),
        duration_s: ended.then_some(300),
        at_ms: 1_795_246_175_000,
        only: Vec::new(),
    }
}

/// Opens the channel of one table.
fn open(table: &str, env: &[(&str, &str)]) -> Result<Box<dyn Channel>, Problem> {
    let config: ChannelConfig = toml::from_str(table).unwrap_or_else(|e| panic!("{table}\n{e}"));
    config.open(&env.iter().copied().collect::<Environment>())
}

/// In so much time from now.
fn within(time: Duration) -> Instant {
    Instant::now() + time
}

/// A deadline that is far away.
fn later() -> Instant {
    within(Duration::from_secs(30))
}

/// Runs one ignored test in a process of its own, and passes on what it says when it fails.
fn passes(mut command: Command) {
    let output = command.output().expect("starts");
    let said = String::from_utf8_lossy(&output.stdout);
    let why = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}{why}");
}

/// Everything that a failure can say.
fn words(failure: &Failure) -> String {
    format!("{failure} {failure:?}")
}

/// Runs a delivery that must fail within `most`.
fn fails(channel: &dyn Channel, deadline: Instant, most: Duration) -> Failure {
    let begun = Instant::now();
    let failure = channel.deliver(&notice(1, Kind::Down), deadline).expect_err("must fail");
    let took = begun.elapsed();
    assert!(took < most, "took {took:?}, at most {most:?}: {failure}");
    failure
}
