//! Every kind of finding, at its bounds.

mod readings;

use proptest::prelude::*;
use readings::{event, machine, recent};

use super::figures::LINE_CHARS;
use super::previous_end::PreviousEnd;
use super::thresholds::over_limit;
use super::verdict::{Level, seen};
use super::*;
use crate::config::{Config, Sources};
use crate::model::class::{AnswerClass, FailureClass, StoreClass, TelegramClass};
use crate::observe::canary::{Canary, CanaryState};
use crate::observe::dependency::DependencyState;
use crate::observe::finding::{Kind, Severity};
use crate::observe::liveness::{Loop, Overdue};
use crate::store::Backups;

const LINE_SEPARATOR: char = '\u{2028}';

/// The defaults of the configuration.
impl Default for Thresholds {
    fn default() -> Self {
        let env = [("TELEGRAM_TOKEN", "42:abcdefgh"), ("HOME", "/h"), ("AI_PROVIDER", "echo")];
        let loaded = Config::load(&Sources::from_env(env)).expect("valid");
        crate::app::thresholds(&loaded.config)
    }
}

/// All is well, an hour after the start.
fn healthy() -> Reading {
    Reading {
        now_ms: 3_600_000,
        polling: DependencyState { worked_ms: Some(3_600_000), ..DependencyState::default() },
        inbox: Some(Depth::default()),
        outbox: Some(Depth::default()),
        ..Reading::default()
    }
}

fn canary(failures: u32) -> Canary {
    Canary {
        state: CanaryState::Unanswered("server"),
        at_ms: 3_590_000,
        tried_ms: 3_590_000,
        failures,
    }
}

fn ago(s: f64) -> Option<u64> {
    Some(3_600_000 - (s * 1000.0) as u64)
}

fn failing(s: f64, failures: u32, class: impl Into<FailureClass>) -> DependencyState {
    DependencyState {
        failures,
        failing_since_ms: ago(s),
        class: Some(class.into()),
        ..DependencyState::default()
    }
}

fn killed() -> PreviousEnd {
    PreviousEnd { last_sign_ms: 1_795_245_873_120, silent_ms: 35_000, why: None }
}

fn polls(s: f64, class: TelegramClass) -> Reading {
    let polling = DependencyState { worked_ms: ago(0.0), ..failing(s, 5, class) };
    Reading { polling, ..healthy() }
}

fn oldest(s: f64) -> Option<Depth> {
    Some(Depth { count: 3, oldest_ms: Some((s * 1000.0) as u64) })
}

/// The newest backup is so many days old.
fn backed_up(days: f64) -> Reading {
    let newest_ms = Some(8_640_000_000 - (days * 8.64e7) as i64);
    let backups = Some(Backups { newest_ms, ..Backups::default() });
    Reading { wall_ms: 8_640_000_000, backups, ..healthy() }
}

fn spell(s: f64) -> Reading {
    let (since_ms, last_ms) = (3_600_000 - (s * 1000.0) as u64, 3_600_000);
    Reading { conflict: Some(Spell { count: 7, since_ms, last_ms }), ..healthy() }
}

/// A kind, a reading for a value, and the values that raise, hold, and do neither.
type Row = (Kind, fn(f64) -> Reading, &'static [f64], &'static [f64], &'static [f64]);

const ROWS: &[Row] = &[
    (
        Kind::StageStalled,
        |late| {
            let late_ms = late as u64;
            let o = Overdue { looping: Loop::Deliver, silent_ms: 9000, late_ms };
            Reading { overdue: (late_ms > 0).then_some(o), ..healthy() }
        },
        &[1.0],
        &[],
        &[0.0],
    ),
    (Kind::TokenRefused, |s| polls(s, TelegramClass::Unauthorized), &[0.0, 60.0], &[], &[]),
    (Kind::TokenRefused, |s| polls(s, TelegramClass::NotFound), &[0.0], &[], &[]),
    (Kind::TokenRefused, |s| polls(s, TelegramClass::Server), &[], &[], &[60.0]),
    (Kind::Conflict, spell, &[5.0, 99.0], &[0.0, 4.9], &[]),
    (
        Kind::Conflict,
        |quiet| Reading { now_ms: 3_600_000 + (quiet * 1000.0) as u64, ..spell(100.0) },
        &[0.0, 55.0],
        &[],
        &[55.1],
    ),
    (
        Kind::PollStalled,
        |s| Reading {
            polling: DependencyState { worked_ms: ago(s), ..DependencyState::default() },
            ..healthy()
        },
        &[75.0, 3000.0],
        &[],
        &[0.0, 74.9],
    ),
    (
        Kind::PollStalled,
        |s| Reading {
            polling: DependencyState {
                worked_ms: ago(s),
                ..failing(60.0, 3, TelegramClass::Timeout)
            },
            ..healthy()
        },
        &[75.0],
        &[],
        &[74.9],
    ),
    (
        // Before the first poll, it counts from the start.
        Kind::PollStalled,
        |s| Reading {
            now_ms: (s * 1000.0) as u64,
            polling: DependencyState::default(),
            ..healthy()
        },
        &[75.0],
        &[],
        &[74.9],
    ),
    (
        // Polling pauses on purpose, and afterwards its time starts again.
        Kind::PollStalled,
        |s| Reading { polling: DependencyState::default(), backlog_full_ms: ago(s), ..healthy() },
        &[75.0],
        &[],
        &[1.0],
    ),
    (
        Kind::PollStalled,
        |_| Reading { polling: DependencyState::default(), backlog_full: true, ..healthy() },
        &[],
        &[],
        &[0.0],
    ),
    (Kind::PollFailing, |s| polls(s, TelegramClass::Server), &[30.0, 31.0], &[], &[0.0, 29.9]),
    (Kind::PollFailing, |s| polls(s, TelegramClass::Conflict), &[], &[], &[300.0]),
    (Kind::PollFailing, |s| polls(s, TelegramClass::Unauthorized), &[], &[], &[300.0]),
    (
        Kind::StoreFailing,
        |s| Reading { store: failing(s, 1, StoreClass::Io), ..healthy() },
        &[10.1],
        &[],
        &[0.0, 10.0],
    ),
    (
        Kind::StoreFailing,
        |n| Reading { store: failing(0.0, n as u32, StoreClass::Io), ..healthy() },
        &[2.0],
        &[],
        &[1.0],
    ),
    (Kind::BacklogFull, |n| Reading { backlog_full: n > 0.0, ..healthy() }, &[1.0], &[], &[0.0]),
    (
        Kind::InboxOld,
        |s| Reading { inbox: oldest(s), ..healthy() },
        &[120.0, 9e9],
        &[114.0, 119.9],
        &[0.0, 113.9],
    ),
    (
        Kind::InboxOld,
        |s| Reading { inbox: oldest(s), paused: true, ..healthy() },
        &[],
        &[],
        &[900.0],
    ),
    // A store that cannot be asked changes nothing.
    (Kind::InboxOld, |_| Reading { inbox: None, ..healthy() }, &[], &[0.0], &[]),
    (
        Kind::OutboxOld,
        |s| Reading { outbox: oldest(s), paused: true, ..healthy() },
        &[120.0],
        &[119.0],
        &[113.0],
    ),
    (Kind::OutboxOld, |_| Reading { outbox: None, ..healthy() }, &[], &[0.0], &[]),
    (
        Kind::ProviderFailing,
        |n| Reading { provider: failing(9.0, n as u32, AnswerClass::Server), ..healthy() },
        &[3.0, 400.0],
        &[],
        &[0.0, 2.0],
    ),
    (Kind::ProviderSlow, |s| recent(|r| r.provider_s = Some(s)), &[30.0], &[28.6, 29.9], &[28.4]),
    (Kind::ResponseSlow, |s| recent(|r| r.command_s = Some(s)), &[2.0], &[1.9], &[1.89, 0.0]),
    (Kind::StoreSlow, |s| recent(|r| r.commit_s = Some(s)), &[0.5], &[0.48], &[0.47]),
    (
        Kind::ErrorRatio,
        |n| recent(|r| (r.done, r.failed) = (1000 - n as u64, n as u64)),
        &[50.0, 1000.0],
        &[48.0, 49.0],
        &[0.0, 47.0],
    ),
    (
        // Too little work says nothing.
        Kind::ErrorRatio,
        |n| recent(|r| (r.done, r.failed) = (0, n as u64)),
        &[20.0],
        &[],
        &[0.0, 19.0],
    ),
    (
        Kind::DiskFull,
        |used| machine(|m| m.disk_free_bytes = 1_000_000 - (used * 1e6).round() as u64),
        &[0.90, 1.0],
        &[0.86, 0.899],
        &[0.85, 0.0],
    ),
    (
        Kind::MemoryHigh,
        |used| machine(|m| m.memory_used_bytes = (used * 1e6).round() as u64),
        &[0.80, 1.0],
        &[0.77],
        &[0.75],
    ),
    (
        Kind::RssHigh,
        |mib| machine(|m| m.rss_bytes = (mib * 1_048_576.0) as u64),
        &[256.0],
        &[250.0],
        &[200.0],
    ),
    (Kind::CpuHigh, |busy| machine(|m| m.cpu_ratio = Some(busy)), &[0.8], &[0.77], &[0.75]),
    (
        Kind::ClockJumped,
        |s| Reading { clock_jump_ms: (s * 1000.0) as i64, ..healthy() },
        &[30.0, -30.0, 86_400.0],
        &[],
        &[29.9, -29.9, 0.0],
    ),
    (Kind::DeliveryRefused, |s| event(Kind::DeliveryRefused, s), &[0.0, 599.0], &[], &[600.0]),
    (Kind::PossibleDuplicate, |s| event(Kind::PossibleDuplicate, s), &[599.0], &[], &[600.0]),
    (Kind::UpdateGivenUp, |s| event(Kind::UpdateGivenUp, s), &[599.0], &[], &[600.0]),
    (Kind::QuestionsRefused, |s| event(Kind::QuestionsRefused, s), &[599.0], &[], &[600.0]),
    (Kind::ProviderUnusable, |s| readings::out(s, false), &[60.0, 900.0], &[], &[0.0, 59.0]),
    (Kind::ProviderUnusable, |s| readings::out(s, true), &[0.0], &[], &[]),
    (
        Kind::CanaryFailing,
        |n| Reading { canary: canary(n as u32), ..healthy() },
        &[2.0, 9.0],
        &[],
        &[0.0, 1.0],
    ),
    (Kind::StoreCorrupt, |s| event(Kind::StoreCorrupt, s), &[86_399.0], &[], &[86_400.0]),
    (Kind::BackupMissing, backed_up, &[2.1, 40.0], &[], &[0.0, 2.0]),
    (Kind::BudgetExhausted, readings::spent, &[5.0, 6.0], &[], &[0.0, 4.99]),
    (Kind::PriceUnknown, |n| readings::priced(n as usize, None), &[1.0, 2.0], &[], &[0.0]),
    (
        Kind::PricesOld,
        |days| readings::priced(0, Some(days as i64)),
        &[91.0, 400.0],
        &[],
        &[90.0, 0.0],
    ),
    (
        Kind::ConfigRejected,
        |n| Reading { config_rejected: (n > 0.0).then(|| "no such key".into()), ..healthy() },
        &[1.0],
        &[],
        &[0.0],
    ),
    (
        Kind::UpdatesStuck,
        |n| Reading { updates_stuck: n > 0.0, pending: Some(7), ..healthy() },
        &[1.0],
        &[],
        &[0.0],
    ),
    (
        Kind::UncleanStart,
        |s| Reading { now_ms: (s * 1e3) as u64, previous_end: Some(killed()), ..healthy() },
        &[0.0, 599.0],
        &[],
        &[600.0],
    ),
    (
        // A clean stop came after the crash.
        Kind::UncleanStart,
        |s| Reading { unclean_starts_ms: vec![(s * 1e3) as u64], ..healthy() },
        &[],
        &[],
        &[1.0, 599.0],
    ),
    (
        Kind::CrashLoop,
        |n| Reading { unclean_starts_ms: vec![599_000; n as usize], ..healthy() },
        &[3.0, 10.0],
        &[],
        &[0.0, 2.0],
    ),
];

#[test]
fn a_crash_loop_is_failing_until_it_has_served_for_a_minute() {
    let crashed = |served: Option<f64>| Reading {
        unclean_starts_ms: vec![1_000, 2_000, 3_000],
        served_ms: served.and_then(ago),
        ..healthy()
    };
    for (served, wanted) in [
        (None, Severity::Failing),
        (Some(59.0), Severity::Failing),
        (Some(60.0), Severity::Degraded),
    ] {
        let all = seen(&crashed(served), &Thresholds::default());
        let found = all.iter().find(|s| s.kind == Kind::CrashLoop).expect("it is seen");
        assert_eq!(found.severity, wanted, "{found:?}");
        assert_eq!(found.text.contains("served again, for 1 min now"), served == Some(60.0));
    }
}

#[test]
fn an_unclean_start_says_who_ended_the_last_process_and_for_how_long_no_one_was_served() {
    let text = |why: Option<&str>, served_ms| {
        let previous_end = Some(PreviousEnd { why: why.map(str::to_owned), ..killed() });
        let (now_ms, served_ms) = (30_000, served_ms);
        let reading = Reading { previous_end, now_ms, served_ms, ..healthy() };
        let all = seen(&reading, &Thresholds::default());
        all.into_iter().find(|s| s.kind == Kind::UncleanStart).expect("it is seen").text
    };
    assert_eq!(
        text(Some("SIGKILL: a signal from outside the bot killed it"), Some(2_000)),
        "the previous process ended with SIGKILL: a signal from outside the bot killed it; \
         its last sign of life was at 07:24:33 UTC, no one was served for 37 s"
    );
    assert_eq!(
        text(None, None),
        "the previous process ended without a clean stop; \
         its last sign of life was at 07:24:33 UTC, no one has been served since"
    );
    let long = text(Some(&"x".repeat(400)), None);
    assert!(long.ends_with("no one has been served since"), "{long}");
}

#[test]
fn one_chat_that_waits_is_not_an_outage() {
    let severity = |reading: Reading| seen(&reading, &Thresholds::default()).remove(0).severity;
    let inbox = Reading { inbox: oldest(300.0), ..healthy() };
    let done_ago = |s: i64| Some(healthy().wall_ms - s * 1000);
    for (done, wanted) in [
        (None, Severity::Failing),
        (done_ago(59), Severity::Degraded),
        (done_ago(61), Severity::Failing),
    ] {
        assert_eq!(severity(Reading { processed_at_ms: done, ..inbox.clone() }), wanted);
    }
    let limited = DependencyState {
        class: Some(TelegramClass::RateLimited.into()),
        failures: 3,
        ..DependencyState::default()
    };
    let sent = |s: f64| DependencyState { worked_ms: ago(s), ..DependencyState::default() };
    for (sending, outbox_chats, wanted) in [
        (DependencyState::default(), 1, Severity::Failing),
        (sent(59.0), 2, Severity::Degraded),
        (sent(61.0), 2, Severity::Failing),
        (limited, 1, Severity::Degraded),
        (limited, 2, Severity::Failing),
    ] {
        let outbox = oldest(300.0);
        let reading = Reading { sending, outbox, outbox_chats, ..healthy() };
        assert_eq!(severity(reading), wanted);
    }
}

#[test]
fn each_kind_is_raised_held_and_cleared_at_its_bounds() {
    let thresholds = Thresholds::default();
    for (kind, reading, raise, hold, clear) in ROWS.iter().chain(readings::DOCUMENTS) {
        let level = |value: f64| {
            let all = seen(&reading(value), &thresholds);
            all.into_iter().find(|s| s.kind == *kind).map(|s| s.level)
        };
        let values = [(raise, Some(Level::Raise)), (hold, Some(Level::Hold)), (clear, None)];
        for (values, wanted) in values {
            for value in *values {
                assert_eq!(level(*value), wanted, "{kind:?} at {value}");
            }
        }
    }
    for kind in Kind::ALL {
        assert!(
            ROWS.iter().chain(readings::DOCUMENTS).any(|row| row.0 == kind && !row.2.is_empty()),
            "{kind:?}: no row"
        );
    }
    assert_eq!(seen(&healthy(), &thresholds), []);
}

#[test]
fn texts_have_figures() {
    let text = |reading: Reading| seen(&reading, &Thresholds::default()).remove(0).text;
    let inbox = Some(Depth { count: 120, oldest_ms: Some(360_000) });
    for (reading, wanted) in [
        (
            Reading {
                polling: DependencyState { worked_ms: ago(95.0), ..DependencyState::default() },
                ..healthy()
            },
            "no poll was completed for 1 min 35 s",
        ),
        (
            polls(40.0, TelegramClass::Server),
            "Telegram has answered polls with errors for 40 s (server)",
        ),
        (Reading { inbox, ..healthy() }, "the oldest of 120 waiting updates is 6 min old"),
        (
            Reading { clock_jump_ms: 7_200_000, ..healthy() },
            "the time of day jumped forward by 2 h",
        ),
        (
            recent(|r| (r.done, r.failed) = (93, 7)),
            "7.0 % of the work of the last 5 min failed (7 of 100)",
        ),
        (recent(|r| r.commit_s = Some(0.75)), "commits took 750 ms on average in the last 5 min"),
    ] {
        assert_eq!(text(reading), wanted);
    }
}

#[test]
fn zero_turns_the_memory_guard_off() {
    let system = System { rss_bytes: u64::MAX, ..System::default() };
    let off = Thresholds { rss_warn_bytes: 0, rss_stop_bytes: 0, ..Thresholds::default() };
    let reading = Reading { system: Some(system.clone()), ..healthy() };
    assert_eq!(seen(&reading, &off), []);
    assert!(!over_limit(&system, &off));
    assert!(over_limit(&system, &Thresholds::default()));
}

proptest! {
    #[test]
    fn a_text_is_one_bounded_line(
        why in "\\PC*|[\\s\u{85}\u{2028}\u{1b}a]{0,400}",
        times in prop::array::uniform6(any::<u64>()),
        ratios in prop::array::uniform4(any::<f64>()),
        work in prop::array::uniform2(0..u64::MAX / 2),
        jump in any::<i64>(),
    ) {
        let run = DependencyState { failures: 9, failing_since_ms: Some(times[1]), class: Some(TelegramClass::Server.into()), ..DependencyState::default() };
        let depth = Depth { count: times[2], oldest_ms: Some(times[3]) };
        let reading = Reading {
            now_ms: times[0],
            clock_jump_ms: jump,
            overdue: Some(Overdue { looping: Loop::Dispatcher, silent_ms: times[4], late_ms: times[5] }),
            polling: run, provider: run, store: run,
            conflict: Some(Spell { count: times[1], since_ms: times[2], last_ms: times[3] }),
            inbox: Some(depth), outbox: Some(depth),
            recent: Recent {
                window_s: times[4], done: work[0], failed: work[1], command_s: Some(ratios[0]),
                provider_s: Some(ratios[1]), commit_s: Some(ratios[2]), ..Recent::default()
            },
            happened: Kind::ALL.map(|kind| Happened { kind, count: times[5], ago_ms: times[4] }).to_vec(),
            system: Some(System {
                cpu_ratio: Some(ratios[3]), rss_bytes: times[0], memory_total_bytes: times[1],
                memory_used_bytes: times[2], disk_total_bytes: times[3], disk_free_bytes: times[4],
                ..System::default()
            }),
            config_rejected: Some(why),
            ..Reading::default()
        };
        for seen in seen(&reading, &Thresholds::default()) {
            prop_assert!(!seen.text.is_empty() && seen.text.chars().count() <= LINE_CHARS);
            prop_assert_eq!(seen.text.lines().count(), 1);
            let ends = |c: char| c.is_control() || c == LINE_SEPARATOR;
            prop_assert!(!seen.text.contains(ends));
        }
    }
}
