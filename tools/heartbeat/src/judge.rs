//! Whether a heartbeat is good, and why not.
//!
//! Pure: the file's content and the present go in, a state with its reason comes out. A heartbeat of
//! this boot is judged by the time that the machine was awake since then: jumps of the wall clock do not
//! matter, and a program cannot write while the machine sleeps. One of a version that did not write that
//! down is judged by the time since boot, another program's file by the wall clock.

use std::time::Duration;

use crate::format::Fields;
use crate::{Finding, Heartbeat, Now, ParseError, ReadError, Severity, Verdict, rfc3339, span};

/// How far a heartbeat may be ahead of the present: clocks are read one after the other, and differ a
/// little between machines.
pub const FUTURE_TOLERANCE_MS: u64 = 5_000;

/// What a program is given after a resume beyond the threshold, in milliseconds: until the checker usually
/// comes again. Networks and disks need a moment to be there.
pub const RESUMED_MS: u64 = 60_000;

/// The machine slept if the two clocks since boot moved apart by more than this, in milliseconds.
const SLEPT_MS: u64 = 2_000;

/// Longest list of findings in a judgement's line, in characters.
const MAX_REASONS: usize = 400;

/// How good it is, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Nothing to report.
    Ok,
    /// Needs a look.
    Warning,
    /// Someone has to act.
    Critical,
}

impl State {
    /// `ok`, `warning` or `critical`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// What a judgement rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// A fresh heartbeat, and all is well.
    Fresh,
    /// The machine booted so recently that no heartbeat can be expected yet.
    Starting,
    /// A fresh heartbeat says that the program was stopped on purpose.
    Stopped,
    /// It was stopped on purpose longer ago than the threshold.
    StoppedLong,
    /// A fresh heartbeat says degraded.
    Degraded,
    /// A fresh heartbeat says failing.
    Failing,
    /// There is no file.
    Missing,
    /// The file is empty.
    Empty,
    /// The file cannot be read.
    Unreadable,
    /// The file makes no sense.
    Garbled,
    /// The heartbeat is older than the threshold.
    Stale,
    /// The heartbeat is ahead of the present.
    Future,
    /// The heartbeat is from before the last boot.
    PreviousBoot,
    /// The program ended with an error, see [`LastExit`](crate::LastExit).
    Ended,
    /// There is no answer from another machine.
    Unreachable,
}

impl Reason {
    /// The word in the checker's JSON, such as `previous_boot`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Starting => "starting",
            Self::Stopped => "stopped",
            Self::StoppedLong => "stopped_long",
            Self::Degraded => "degraded",
            Self::Failing => "failing",
            Self::Missing => "missing",
            Self::Empty => "empty",
            Self::Unreadable => "unreadable",
            Self::Garbled => "garbled",
            Self::Stale => "stale",
            Self::Future => "future",
            Self::PreviousBoot => "previous_boot",
            Self::Ended => "ended",
            Self::Unreachable => "unreachable",
        }
    }
}

/// What a file was found to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// How good it is.
    pub state: State,
    /// What that rests on.
    pub reason: Reason,
    /// One line for people, without the file's name.
    pub text: String,
    /// Age of the heartbeat in milliseconds; `None` when it has none, or it lies in the future.
    pub age_ms: Option<u64>,
    /// The heartbeat, unless the file is another program's or makes no sense.
    pub heartbeat: Option<Heartbeat>,
}

impl Judgement {
    fn new(state: State, reason: Reason, text: impl Into<String>) -> Self {
        Self { state, reason, text: text.into(), age_ms: None, heartbeat: None }
    }
}

/// Judges what [`read`](crate::read) returned. A heartbeat exactly as old as the threshold is fresh.
///
/// Until `threshold` after boot, not counting sleep, a heartbeat from before the boot and a missing file below `/run` (which
/// the boot has emptied) are [`Starting`](Reason::Starting): the program had no time to write one yet.
pub fn judge(content: Result<&[u8], &ReadError>, now: &Now, threshold: Duration) -> Judgement {
    use Reason::{Empty, Garbled, Missing, Unreadable};
    let critical = |reason, error: &dyn std::fmt::Display| {
        Judgement::new(State::Critical, reason, format!("the heartbeat file {error}"))
    };
    let threshold = u64::try_from(threshold.as_millis()).unwrap_or(u64::MAX);
    let bytes = match content {
        Ok(bytes) => bytes,
        Err(ReadError::Missing { volatile: true }) if booting(now, threshold) => {
            return starting(now);
        }
        Err(error @ ReadError::Missing { .. }) => return critical(Missing, error),
        Err(error) => return critical(Unreadable, error),
    };
    let Ok(text) = std::str::from_utf8(bytes) else {
        return critical(Garbled, &ParseError::NotText);
    };
    let fields = match Fields::parse(text) {
        Ok(fields) => fields,
        Err(error @ ParseError::Empty) => return critical(Empty, &error),
        Err(error) => return critical(Garbled, &error),
    };
    let heartbeat = match Heartbeat::parse(text) {
        Ok(heartbeat) => Some(heartbeat),
        Err(ParseError::Plain) => None,
        Err(error) => return critical(Garbled, &error),
    };
    let mut judgement = match age(&fields, now) {
        Age::PreviousBoot if booting(now, threshold) => starting(now),
        Age::PreviousBoot => previous_boot(&fields),
        Age::Future(ahead) => future(&fields, ahead),
        Age::Past(age) => past(&fields, heartbeat.as_ref(), age, 0, threshold),
        Age::Awake { age, slept } => {
            let grace = if slept > 0 { RESUMED_MS.min(threshold) } else { 0 };
            let threshold = threshold.saturating_add(grace);
            past(&fields, heartbeat.as_ref(), age, slept, threshold)
        }
    };
    judgement.heartbeat = heartbeat;
    judgement
}

/// When a heartbeat was, seen from now; in milliseconds.
enum Age {
    Past(u64),
    /// So old, not counting how long the machine slept since then.
    Awake {
        age: u64,
        slept: u64,
    },
    Future(u64),
    PreviousBoot,
}

fn age(fields: &Fields, now: &Now) -> Age {
    let boot_id = fields.boot_id.as_deref().filter(|id| !id.is_empty());
    let (was, is) = match (boot_id, fields.boot_ms, now.boot_id.as_deref(), now.boot_ms) {
        (Some(then), _, Some(now), _) if then != now => return Age::PreviousBoot,
        (Some(_), Some(was), Some(_), Some(is)) => (i128::from(was), i128::from(is)),
        _ => (i128::from(fields.time_ms), i128::from(now.time_ms)),
    };
    let distance = u64::try_from((is - was).unsigned_abs()).unwrap_or(u64::MAX);
    let same_boot = boot_id.is_some() && now.boot_id.is_some() && fields.boot_ms.is_some();
    let awake = fields.awake_ms.zip(now.awake_ms).filter(|_| same_boot && was <= is);
    // No longer than by the other clock: what says so is nonsense.
    let awake = awake.and_then(|(was, is)| is.checked_sub(was)).filter(|age| *age <= distance + 1);
    if let Some(age) = awake {
        let slept = Some(distance.saturating_sub(age)).filter(|slept| *slept > SLEPT_MS);
        return Age::Awake { age, slept: slept.unwrap_or(0) };
    }
    match was > is {
        true if distance > FUTURE_TOLERANCE_MS => Age::Future(distance),
        true => Age::Past(0),
        false => Age::Past(distance),
    }
}

/// Whether the machine was awake for less than the threshold since it booted.
fn booting(now: &Now, threshold: u64) -> bool {
    let awake = now.boot_ms.map(|uptime| now.awake_ms.map_or(uptime, |awake| awake.min(uptime)));
    awake.is_some_and(|awake| awake < threshold)
}

fn starting(now: &Now) -> Judgement {
    let uptime = span(now.boot_ms.unwrap_or_default());
    let text = format!("the machine booted {uptime} ago, waiting for the first heartbeat");
    Judgement::new(State::Ok, Reason::Starting, text)
}

fn previous_boot(fields: &Fields) -> Judgement {
    let written = rfc3339::format(fields.time_ms);
    let text = format!("the heartbeat is from before the last boot, written {written}");
    Judgement::new(State::Critical, Reason::PreviousBoot, text)
}

fn future(fields: &Fields, ahead: u64) -> Judgement {
    let (ahead, written) = (span(ahead), rfc3339::format(fields.time_ms));
    let text = format!("the heartbeat is {ahead} in the future, dated {written}");
    Judgement::new(State::Critical, Reason::Future, text)
}

fn past(
    fields: &Fields,
    heartbeat: Option<&Heartbeat>,
    age: u64,
    slept: u64,
    threshold: u64,
) -> Judgement {
    let old = span(age);
    let is_old = match slept {
        0 => format!("heartbeat is {old} old"),
        _ => format!("heartbeat is {old} old, not counting {} of sleep", span(slept)),
    };
    let verdict = heartbeat.map_or(Verdict::Ok, |h| h.verdict);
    let findings = heartbeat.map(|h| h.findings.as_slice()).unwrap_or_default();
    let (state, reason, text) = match verdict {
        Verdict::Stopped if age > threshold => {
            let text = format!("stopped cleanly {old} ago and not started again");
            (State::Critical, Reason::StoppedLong, text)
        }
        Verdict::Stopped => (State::Ok, Reason::Stopped, format!("stopped cleanly {old} ago")),
        _ if age > threshold => {
            let (limit, written) = (span(threshold), rfc3339::format(fields.time_ms));
            let text = format!("the {is_old}, more than {limit}; the last one was {written}");
            (State::Critical, Reason::Stale, text)
        }
        Verdict::Failing => {
            let text = format!("failing: {} ({is_old})", reasons(findings));
            (State::Critical, Reason::Failing, text)
        }
        Verdict::Degraded => {
            let text = format!("degraded: {} ({is_old})", reasons(findings));
            (State::Warning, Reason::Degraded, text)
        }
        Verdict::Ok => (State::Ok, Reason::Fresh, is_old),
    };
    Judgement { age_ms: Some(age), ..Judgement::new(state, reason, text) }
}

/// The findings in words, the failing ones first.
fn reasons(findings: &[Finding]) -> String {
    let mut sorted: Vec<&Finding> = findings.iter().collect();
    sorted.sort_by_key(|f| f.severity != Severity::Failing);
    let words = sorted.into_iter().map(|f| match f.text.as_str() {
        "" => f.name.clone(),
        text => format!("{}: {text}", f.name),
    });
    let all = words.collect::<Vec<_>>().join("; ");
    if all.is_empty() {
        return "no finding was named".to_owned();
    }
    if all.chars().count() <= MAX_REASONS {
        return all;
    }
    all.chars().take(MAX_REASONS).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::tests::sample;

    const THRESHOLD: Duration = Duration::from_secs(120);

    /// The present, so many milliseconds after the sample heartbeat by the time since boot.
    fn after(ms: i64) -> Now {
        let beat = sample();
        Now {
            time_ms: beat.time_ms + ms,
            boot_id: Some(beat.boot_id),
            boot_ms: beat.boot_ms.checked_add_signed(ms),
            awake_ms: beat.awake_ms.and_then(|awake| awake.checked_add_signed(ms)),
        }
    }

    fn judged(beat: &Heartbeat, now: &Now) -> Judgement {
        judge(Ok(beat.render().as_bytes()), now, THRESHOLD)
    }

    fn ok() -> Heartbeat {
        Heartbeat { verdict: Verdict::Ok, findings: Vec::new(), ..sample() }
    }

    #[test]
    fn jumps_of_the_wall_clock_do_not_matter() {
        let day = 86_400_000;
        for jump in [-day, 0, day] {
            let mut now = after(3_000);
            now.time_ms += jump;
            let judgement = judged(&ok(), &now);
            assert_eq!((judgement.state, judgement.age_ms), (State::Ok, Some(3_000)));
            assert_eq!(judgement.text, "heartbeat is 3 s old");
            now.boot_ms = now.boot_ms.map(|ms| ms + 120_000);
            now.awake_ms = now.awake_ms.map(|ms| ms + 120_000);
            assert_eq!(judged(&ok(), &now).reason, Reason::Stale);
        }
    }

    #[test]
    fn a_machine_that_slept_makes_nothing_old() {
        let hour = 3_600_000;
        let slept = |ms: i64| {
            let now = after(ms);
            Now {
                time_ms: now.time_ms + hour,
                boot_ms: now.boot_ms.map(|ms| ms + 3_600_000),
                ..now
            }
        };
        let judgement = judged(&ok(), &slept(3_000));
        assert_eq!((judgement.reason, judgement.age_ms), (Reason::Fresh, Some(3_000)));
        assert_eq!(judgement.text, "heartbeat is 3 s old, not counting 1 h of sleep");
        // After a resume it gets one interval more, and no longer.
        assert_eq!(judged(&ok(), &slept(180_000)).reason, Reason::Fresh);
        let judgement = judged(&ok(), &slept(180_001));
        assert_eq!((judgement.state, judgement.reason), (State::Critical, Reason::Stale));
        let short = judge(Ok(ok().render().as_bytes()), &slept(10_001), Duration::from_secs(5));
        assert_eq!(short.reason, Reason::Stale, "at most twice the threshold");
        // What a stopped program says is judged the same way.
        let stopped = Heartbeat { verdict: Verdict::Stopped, ..ok() };
        assert_eq!(judged(&stopped, &slept(12_000)).reason, Reason::Stopped);
        // An older program does not say how long the machine was awake.
        let older = Heartbeat { awake_ms: None, ..ok() };
        assert_eq!(judged(&older, &slept(3_000)).reason, Reason::Stale);
        // Nor does nonsense.
        let odd = Heartbeat { awake_ms: Some(u64::MAX), ..ok() };
        assert_eq!(judged(&odd, &slept(3_000)).reason, Reason::Stale);
        let odd = Heartbeat { awake_ms: Some(0), ..ok() };
        assert_eq!(judged(&odd, &after(3_000)).reason, Reason::Fresh);
    }

    #[test]
    fn the_threshold_itself_is_fresh() {
        assert_eq!(judged(&ok(), &after(120_000)).reason, Reason::Fresh);
        assert_eq!(judged(&ok(), &after(120_001)).reason, Reason::Stale);
        let stopped = Heartbeat { verdict: Verdict::Stopped, ..ok() };
        let judgement = judged(&stopped, &after(12_000));
        assert_eq!((judgement.state, judgement.reason), (State::Ok, Reason::Stopped));
        assert_eq!(judgement.text, "stopped cleanly 12 s ago");
        let judgement = judged(&stopped, &after(300_000));
        assert_eq!(judgement.state, State::Critical);
        assert_eq!(judgement.text, "stopped cleanly 5 min ago and not started again");
    }

    #[test]
    fn the_future_is_critical() {
        assert_eq!(judged(&ok(), &after(-5_000)).age_ms, Some(0));
        let judgement = judged(&ok(), &after(-5_001));
        assert_eq!((judgement.state, judgement.reason), (State::Critical, Reason::Future));
        let plain = judge(Ok(b"1795245873"), &after(-86_400_000), THRESHOLD);
        assert_eq!((plain.state, plain.reason), (State::Critical, Reason::Future));
    }

    #[test]
    fn a_beat_from_before_the_boot_is_critical_once_there_was_time_for_another() {
        let booted = |boot_ms| Now {
            boot_id: Some("another".to_owned()),
            boot_ms: Some(boot_ms),
            awake_ms: None,
            ..after(60_000)
        };
        let early = judged(&ok(), &booted(119_999));
        assert_eq!((early.state, early.reason), (State::Ok, Reason::Starting));
        assert!(early.text.contains("booted 1 min 59 s ago"), "{}", early.text);
        let late = judged(&ok(), &booted(120_000));
        assert_eq!((late.state, late.reason), (State::Critical, Reason::PreviousBoot));
        assert!(late.text.contains("2026-11-21T07:24:33.120Z"), "{}", late.text);
        // A machine that slept before the first heartbeat is still booting after it resumed.
        let missing =
            |now: &Now| judge(Err(&ReadError::Missing { volatile: true }), now, THRESHOLD).reason;
        for (awake, is_early) in [(0, true), (119_999, true), (120_000, false), (u64::MAX, false)] {
            let resumed = Now { awake_ms: Some(awake), ..booted(8 * 3_600_000) };
            assert_eq!(judged(&ok(), &resumed).reason == Reason::Starting, is_early, "{awake}");
            assert_eq!(missing(&resumed) == Reason::Starting, is_early, "{awake}");
        }
    }

    #[test]
    fn only_a_missing_file_below_run_waits_for_the_boot() {
        let now = Now { boot_ms: Some(10_000), ..after(0) };
        let missing = |volatile| judge(Err(&ReadError::Missing { volatile }), &now, THRESHOLD);
        assert_eq!(missing(true).reason, Reason::Starting);
        assert_eq!(
            (missing(false).state, missing(false).reason),
            (State::Critical, Reason::Missing)
        );
        let late = judge(Err(&ReadError::Missing { volatile: true }), &after(0), THRESHOLD);
        assert_eq!(late.text, "the heartbeat file does not exist");
    }

    #[test]
    fn without_the_kernels_help_the_wall_clock_decides() {
        let now = Now { boot_id: None, boot_ms: None, ..after(3_000) };
        assert_eq!(judged(&ok(), &now).age_ms, Some(3_000));
        let unknown = Heartbeat { boot_id: String::new(), boot_ms: 0, ..ok() };
        assert_eq!(judged(&unknown, &after(4_000)).age_ms, Some(4_000));
    }

    #[test]
    fn a_fresh_beat_speaks_for_itself() {
        let failing = judged(&sample(), &after(1_000));
        assert_eq!((failing.state, failing.reason), (State::Critical, Reason::Failing));
        assert_eq!(
            failing.text,
            "failing: poll_stalled: no poll for 3 min: is it there?; disk (heartbeat is 1 s old)"
        );
        let degraded = Heartbeat { verdict: Verdict::Degraded, findings: Vec::new(), ..sample() };
        let degraded = judged(&degraded, &after(1_000));
        assert_eq!((degraded.state, degraded.reason), (State::Warning, Reason::Degraded));
        assert_eq!(degraded.text, "degraded: no finding was named (heartbeat is 1 s old)");
        assert_eq!(judged(&sample(), &after(121_000)).reason, Reason::Stale);
    }

    #[test]
    fn what_cannot_be_judged_says_why() {
        let now = after(0);
        let cut = &sample().render()[..60];
        for (content, reason, text) in [
            (&b""[..], Reason::Empty, "is empty"),
            (b" \n\n", Reason::Empty, "is empty"),
            (b"\xff\xfe", Reason::Garbled, "is not text"),
            (b"hello\n", Reason::Garbled, "does not begin with a time"),
            (cut.as_bytes(), Reason::Garbled, "is incomplete: it has no line \"boot_ms:\""),
        ] {
            let judgement = judge(Ok(content), &now, THRESHOLD);
            assert_eq!((judgement.state, judgement.reason), (State::Critical, reason));
            assert_eq!(judgement.text, format!("the heartbeat file {text}"));
        }
        let judgement = judge(Err(&ReadError::NotAFile), &now, THRESHOLD);
        assert_eq!(judgement.reason, Reason::Unreadable);
    }

    #[test]
    fn another_programs_time_is_enough() {
        for plain in ["1795245873\n", "1795245873120", "2026-11-21T09:24:33+02:00\nall well\n"] {
            let judgement = judge(Ok(plain.as_bytes()), &after(10_000), THRESHOLD);
            assert_eq!((judgement.state, judgement.reason), (State::Ok, Reason::Fresh), "{plain}");
            assert_eq!(judgement.heartbeat, None);
            let judgement = judge(Ok(plain.as_bytes()), &after(130_000), THRESHOLD);
            assert_eq!(judgement.reason, Reason::Stale, "{plain}");
        }
    }

    #[test]
    fn a_newer_format_is_judged_by_its_first_lines() {
        let newer = ok().render().replace("format: 1", "format: 2");
        let judgement = judge(Ok(newer.as_bytes()), &after(2_000), THRESHOLD);
        assert_eq!((judgement.state, judgement.age_ms), (State::Ok, Some(2_000)));
    }
}
