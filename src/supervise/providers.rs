//! When a provider of the list is not asked, and how that is said.

use std::time::Duration;

use hygiene::duration::in_words as span;

use super::report::Reading;
use crate::observe::providers::{ProviderOutage, ProviderState};

/// What passes by itself is a finding only when it lasts: the breaker probes after 30 s, and after a minute
/// more.
const LASTS: Duration = Duration::from_secs(60);

/// What is wrong, if something is.
pub(super) fn unusable(reading: &Reading) -> Option<String> {
    // That the only provider fails is another finding.
    if reading.providers.len() < 2 {
        return None;
    }
    let line = |one: &ProviderState| {
        let outage = one.outage.as_ref()?;
        let lasts_ms = outage.lasts_ms(reading.now_ms);
        let is_long = u128::from(lasts_ms) >= LASTS.as_millis();
        (outage.is_unusable || is_long).then(|| describe(one, outage, lasts_ms, reading.now_ms))
    };
    let lines: Vec<_> = reading.providers.iter().filter_map(line).collect();
    (!lines.is_empty()).then(|| lines.join("; "))
}

fn describe(one: &ProviderState, outage: &ProviderOutage, lasts_ms: u64, now_ms: u64) -> String {
    let (name, model, class) = (&one.name, &one.model, outage.class.as_str());
    let next = match outage.due_ms(now_ms) {
        0 => "the next question tries it".to_owned(),
        ms => format!("it is tried again in {}", span(ms)),
    };
    let what = if outage.is_unusable { "cannot be used" } else { "fails" };
    format!("the provider {name} ({model}) {what} ({class}), for {} now; {next}", span(lasts_ms))
}
