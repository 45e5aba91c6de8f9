//! When the bot's own question fails, and how that is said.

use hygiene::duration::in_words as span;

use super::report::Reading;
use crate::observe::canary::CanaryState;

/// Failures in a row before it is a finding: one may be an accident.
const FAILURES: u32 = 2;

/// What is wrong, if something is.
pub(super) fn failing(reading: &Reading) -> Option<String> {
    let canary = reading.canary;
    let what = match canary.state {
        CanaryState::Wrong => "was not answered as expected".to_owned(),
        CanaryState::Unanswered(class) => format!("got no answer ({class})"),
        _ => return None,
    };
    let (times, ago) = (canary.failures, span(reading.now_ms.saturating_sub(canary.at_ms)));
    (times >= FAILURES)
        .then(|| format!("the canary question {what}, {ago} ago; {times} times in a row"))
}
