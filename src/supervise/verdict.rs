//! The verdict's first half: which conditions hold in one reading; the judge opens and closes findings. Pure.
//!
//! Invariants: a text is one line of at most [`LINE_CHARS`](super::LINE_CHARS) characters with figures for people,
//! and never an id, a name or anybody's words.

use std::time::Duration;

use hygiene::duration::in_words as span;

use super::figures::{bytes, line, seconds, share};
use super::report::{Depth, Happened, Reading, System};
pub use super::seen::{Level, Seen};
use super::seen::{above, raise};
use super::thresholds::Thresholds;
use super::{backups, canary, documents, money, previous_end, providers};
use crate::model::class::{FailureClass, TelegramClass};
use crate::observe::finding::Kind;

/// Fewest pieces of work in the window before their error ratio says anything.
const WORK_MIN: u64 = 20;

/// Commits that fail in a row before it is a finding.
const STORE_FAILURES: u32 = 2;

/// Commits that fail for longer than this are a finding too, however few they are.
const STORE_FAILING: Duration = Duration::from_secs(10);

/// A step of the time of day that matters.
const CLOCK_JUMP: Duration = Duration::from_secs(30);

/// How long a damaged state file is reported: long enough that someone has seen it.
const CORRUPT_FOR: Duration = Duration::from_secs(24 * 3600);

/// Starts without a clean stop before them, within [`CRASH_LOOP_MS`], that make a crash loop.
const CRASH_LOOP_STARTS: usize = 3;

/// A process that has served for so long, in milliseconds, has left the loop, as far as people notice.
const SETTLED_MS: u64 = 60_000;

/// Ten minutes, in milliseconds.
const CRASH_LOOP_MS: u64 = 600_000;

/// Everything that is not as it should be.
pub fn seen(reading: &Reading, thresholds: &Thresholds) -> Vec<Seen> {
    let (r, t) = (reading, thresholds);
    let states = [
        stage_stalled(r),
        token_refused(r),
        conflict(r, t),
        poll_stalled(r, t),
        poll_failing(r, t),
        updates_stuck(r),
        unclean_start(r, t),
        crash_loop(r),
        store_failing(r),
        backlog_full(r),
        inbox_old(r, t),
        outbox_old(r, t),
        provider_failing(r, t),
        providers::unusable(r).and_then(|text| raise(Kind::ProviderUnusable, text)),
        canary::failing(r).and_then(|text| raise(Kind::CanaryFailing, text)),
        money::exhausted(r).and_then(|text| raise(Kind::BudgetExhausted, text)),
        money::price_unknown(r).and_then(|text| raise(Kind::PriceUnknown, text)),
        money::prices_old(r).and_then(|text| raise(Kind::PricesOld, text)),
        config_rejected(r),
        backups::missing(r, t).and_then(|text| raise(Kind::BackupMissing, text)),
        clock_jumped(r),
    ];
    let machine = r.system.iter().flat_map(|system| machine(system, t));
    let states = states.into_iter().flatten().chain(recent(r, t)).chain(machine);
    let states = states.chain(documents::seen(r, t));
    states.chain(r.happened.iter().filter_map(|h| happened(h, t))).collect()
}

fn stage_stalled(r: &Reading) -> Option<Seen> {
    let late = r.overdue?;
    let (silent, over) = (span(late.silent_ms), span(late.late_ms));
    let name = late.looping.name();
    raise(
        Kind::StageStalled,
        format!("the {name} loop has made no progress for {silent}; it is {over} late"),
    )
}

fn token_refused(r: &Reading) -> Option<Seen> {
    let class = r.polling.class.filter(|class| refuses_token(*class))?;
    raise(Kind::TokenRefused, format!("Telegram does not accept the token ({class})"))
}

fn refuses_token(class: FailureClass) -> bool {
    use TelegramClass::{NotFound, Unauthorized};
    matches!(class, FailureClass::Telegram(Unauthorized | NotFound))
}

fn conflict(r: &Reading, t: &Thresholds) -> Option<Seen> {
    let spell = r.conflict?;
    if r.now_ms.saturating_sub(spell.last_ms) > ms(t.undisturbed()) {
        return None;
    }
    let lasted = spell.last_ms.saturating_sub(spell.since_ms);
    let is_certain = lasted >= ms(t.conflict) && r.now_ms >= ms(t.start());
    let level = if is_certain { Level::Raise } else { Level::Hold };
    let (other, count) = (r.webhook.as_deref(), spell.count);
    let text = match other {
        Some(host) => format!(
            "a webhook at {host} takes this bot's updates: {count} polls were refused within {}",
            span(lasted)
        ),
        None => format!(
            "another program takes this bot's updates: {count} polls were refused within {}; \
             Telegram does not say where it runs",
            span(lasted)
        ),
    };
    let severity = Kind::Conflict.severity();
    Some(Seen { kind: Kind::Conflict, level, severity, text: line(&text) })
}

fn poll_stalled(r: &Reading, t: &Thresholds) -> Option<Seen> {
    if r.backlog_full {
        return None;
    }
    // Before the first poll it counts from the start; after a full backlog from its end.
    let since = r.polling.worked_ms.max(r.backlog_full_ms).unwrap_or(0);
    let silent = r.now_ms.saturating_sub(since);
    let text = || format!("no poll was completed for {}", span(silent));
    (silent >= ms(t.poll_stalled)).then(|| raise(Kind::PollStalled, text())).flatten()
}

fn poll_failing(r: &Reading, t: &Thresholds) -> Option<Seen> {
    let class = r.polling.class?;
    let lasted = r.now_ms.saturating_sub(r.polling.failing_since_ms?);
    if lasted < ms(t.poll_failing) {
        return None;
    }
    let lasted = span(lasted);
    let text = match class {
        // These have findings of their own.
        FailureClass::Telegram(
            TelegramClass::Unauthorized | TelegramClass::NotFound | TelegramClass::Conflict,
        ) => return None,
        FailureClass::Telegram(TelegramClass::Connect) => {
            format!("Telegram could not be reached for {lasted} ({class})")
        }
        FailureClass::Telegram(TelegramClass::Timeout | TelegramClass::Cut) => {
            format!("Telegram has not answered polls for {lasted} ({class})")
        }
        FailureClass::Store(_) => {
            format!("received updates could not be stored for {lasted} ({class})")
        }
        FailureClass::Telegram(
            TelegramClass::Undecodable
            | TelegramClass::BadRequest
            | TelegramClass::Forbidden
            | TelegramClass::RateLimited
            | TelegramClass::Server
            | TelegramClass::Refused,
        )
        | FailureClass::Answer(_) => {
            format!("Telegram has answered polls with errors for {lasted} ({class})")
        }
    };
    raise(Kind::PollFailing, text)
}

fn store_failing(r: &Reading) -> Option<Seen> {
    let lasted = r.now_ms.saturating_sub(r.store.failing_since_ms?);
    if r.store.failures < STORE_FAILURES && lasted <= ms(STORE_FAILING) {
        return None;
    }
    let class = r.store.class.map_or("unknown", FailureClass::as_str);
    let text = format!("commits have failed for {} ({class})", span(lasted));
    raise(Kind::StoreFailing, text)
}

fn backlog_full(r: &Reading) -> Option<Seen> {
    let count = r.inbox.filter(|_| r.backlog_full).map(|inbox| inbox.count);
    match (r.backlog_full, count) {
        (false, _) => None,
        (true, Some(n)) => {
            raise(Kind::BacklogFull, format!("polling is paused: {n} updates are waiting"))
        }
        (true, None) => raise(Kind::BacklogFull, "polling is paused: too many updates are waiting"),
    }
}

fn inbox_old(r: &Reading, t: &Thresholds) -> Option<Seen> {
    // Who paused the bot knows that questions wait.
    if r.paused {
        return None;
    }
    let seen = waiting(Kind::InboxOld, r.inbox, t.inbox_age, "update")?;
    // Others are served: one chat's long queue is not an outage.
    let done_ms = r.processed_at_ms.map(|at_ms| r.wall_ms.saturating_sub(at_ms).unsigned_abs());
    Some(seen.milder_if(done_ms.is_some_and(|ago| ago < ms(t.inbox_age) / 2)))
}

fn outbox_old(r: &Reading, t: &Thresholds) -> Option<Seen> {
    let seen = waiting(Kind::OutboxOld, r.outbox, t.outbox_age, "message")?;
    // Others are served, or Telegram holds one chat back, as it may for minutes.
    let sent_ms = r.sending.worked_ms.map(|at_ms| r.now_ms.saturating_sub(at_ms));
    let parked = r.sending.class == Some(TelegramClass::RateLimited.into()) && r.outbox_chats < 2;
    Some(seen.milder_if(parked || sent_ms.is_some_and(|ago| ago < ms(t.outbox_age) / 2)))
}

fn waiting(kind: Kind, depth: Option<Depth>, limit: Duration, what: &str) -> Option<Seen> {
    let Some(depth) = depth else {
        let text = format!("the store cannot say how long the oldest {what} waits");
        return Some(Seen { kind, level: Level::Hold, severity: kind.severity(), text });
    };
    let oldest = depth.oldest_ms?;
    above(kind, oldest as f64, ms(limit) as f64, || match depth.count {
        0 | 1 => format!("the only waiting {what} is {} old", span(oldest)),
        n => format!("the oldest of {n} waiting {what}s is {} old", span(oldest)),
    })
}

fn provider_failing(r: &Reading, t: &Thresholds) -> Option<Seen> {
    let run = &r.provider;
    if run.failures == 0 || run.failures < t.provider_failures {
        return None;
    }
    let ago = span(r.now_ms.saturating_sub(run.tried_ms.unwrap_or(r.now_ms)));
    let class = run.class.map_or("unknown", FailureClass::as_str);
    let text = match run.failures {
        1 => format!("the last question to the provider failed ({class}), {ago} ago"),
        n => format!("the last {n} questions to the provider failed ({class}), newest {ago} ago"),
    };
    raise(Kind::ProviderFailing, text)
}

fn updates_stuck(r: &Reading) -> Option<Seen> {
    let count = r.pending.filter(|_| r.updates_stuck)?;
    let text = format!("{count} updates wait at Telegram, and successful polls do not return them");
    raise(Kind::UpdatesStuck, text)
}

fn unclean_start(r: &Reading, t: &Thresholds) -> Option<Seen> {
    // Only the end of the process just before counts: a clean stop since then closes it.
    let end = r.previous_end.as_ref().filter(|_| r.now_ms < ms(t.event))?;
    let text = previous_end::in_words(end, r.served_ms, &r.unclean_starts_ms, ms(t.event));
    raise(Kind::UncleanStart, text)
}

fn crash_loop(r: &Reading) -> Option<Seen> {
    let lately = r.unclean_starts_ms.iter().filter(|ago| **ago < CRASH_LOOP_MS).count();
    if lately < CRASH_LOOP_STARTS {
        return None;
    }
    let within = span(CRASH_LOOP_MS);
    let crashed = format!("it crashed and was started again {lately} times within {within}");
    let lasts = r.served_ms.map(|at_ms| r.now_ms.saturating_sub(at_ms));
    let settled = lasts.filter(|lasts| *lasts >= SETTLED_MS);
    let text = match settled {
        Some(lasts) => format!("{crashed}; people are served again, for {} now", span(lasts)),
        None => crashed,
    };
    Some(raise(Kind::CrashLoop, text)?.milder_if(settled.is_some()))
}

fn config_rejected(r: &Reading) -> Option<Seen> {
    let why = r.config_rejected.as_ref()?;
    raise(Kind::ConfigRejected, format!("the new configuration was not accepted: {why}"))
}

fn clock_jumped(r: &Reading) -> Option<Seen> {
    let far = r.clock_jump_ms.unsigned_abs();
    if far < ms(CLOCK_JUMP) {
        return None;
    }
    let far = span(far);
    let text = if r.clock_jump_ms > 0 {
        format!("the time of day jumped forward by {far}")
    } else {
        format!("the time of day jumped back by {far}")
    };
    raise(Kind::ClockJumped, text)
}

/// What the averages of the last minutes show.
fn recent(r: &Reading, t: &Thresholds) -> impl Iterator<Item = Seen> {
    let recent = r.recent;
    let window = span(recent.window_s.saturating_mul(1000));
    let ratio = recent.error_ratio().filter(|_| recent.done + recent.failed >= WORK_MIN);
    let errors = ratio.and_then(|ratio| {
        let text = || {
            let (failed, all) = (recent.failed, recent.done + recent.failed);
            format!("{} of the work of the last {window} failed ({failed} of {all})", share(ratio))
        };
        above(Kind::ErrorRatio, ratio, t.error_ratio, text)
    });
    let average = |kind, value: Option<f64>, threshold, what: &str| {
        let text = |v| format!("{what} took {} on average in the last {window}", seconds(v));
        value.and_then(|value| above(kind, value, threshold, || text(value)))
    };
    let found = [
        errors,
        average(Kind::ProviderSlow, recent.provider_s, t.provider_slow_s, "the provider's answers"),
        average(Kind::ResponseSlow, recent.command_s, t.response_s, "replies to commands"),
        average(Kind::StoreSlow, recent.commit_s, t.commit_slow_s, "commits"),
    ];
    found.into_iter().flatten()
}

/// What the figures of the machine show. A figure that is unknown is 0 in total.
fn machine(system: &System, t: &Thresholds) -> impl Iterator<Item = Seen> {
    let (total, free) = (system.disk_total_bytes, system.disk_free_bytes);
    let disk = (total > 0).then(|| 1.0 - free as f64 / total as f64).and_then(|used| {
        above(Kind::DiskFull, used, t.disk_ratio, || {
            let (used, free) = (share(used), bytes(free));
            format!("the disk of the state directory is {used} full, {free} free")
        })
    });
    let (total, used) = (system.memory_total_bytes, system.memory_used_bytes);
    let memory = (total > 0).then(|| used as f64 / total as f64).and_then(|ratio| {
        above(Kind::MemoryHigh, ratio, t.memory_ratio, || {
            format!("{} of {} memory is in use", share(ratio), bytes(total))
        })
    });
    let rss = (t.rss_warn_bytes > 0).then(|| {
        let (rss, limit) = (system.rss_bytes, t.rss_warn_bytes);
        above(Kind::RssHigh, rss as f64, limit as f64, || {
            format!("the process uses {} of memory; normal is below {}", bytes(rss), bytes(limit))
        })
    });
    let cpu = system.cpu_ratio.and_then(|busy| {
        let text = || format!("the processors are {} busy", share(busy));
        above(Kind::CpuHigh, busy, t.cpu_ratio, text)
    });
    [disk, memory, rss.flatten(), cpu].into_iter().flatten()
}

fn happened(event: &Happened, t: &Thresholds) -> Option<Seen> {
    let stays = if event.kind == Kind::StoreCorrupt { CORRUPT_FOR } else { t.event };
    if event.ago_ms >= ms(stays) {
        return None;
    }
    let what = match event.kind {
        Kind::DeliveryRefused => "a message could not be delivered and was dropped",
        Kind::PossibleDuplicate => "a message may have been sent twice",
        Kind::UpdateGivenUp => "an update was given up without an answer",
        Kind::QuestionsRefused => "questions of several chats failed in the same way",
        Kind::StoreCorrupt => "the state file was damaged and set aside; a new one was created",
        kind => return raise(kind, format!("this happened {} ago", span(event.ago_ms))),
    };
    let (ago, n) = (span(event.ago_ms), event.count);
    let text = if n > 1 {
        format!("{what}, {ago} ago; {n} times since the start")
    } else {
        format!("{what}, {ago} ago")
    };
    raise(event.kind, text)
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
