//! Variables of other systems that mean nothing here: said once, each with what does its work instead.
//!
//! Invariant: the values are not shown, because some of them hold passwords.

use super::problem::Problem;
use super::source::Sources;

/// Beside what these say, nothing follows from them.
const WITHOUT_MEANING: &[(&str, &str)] = &[
    ("DATABASE_URL", "the state is the file store.path, on a disk that stays"),
    ("TELEGRAM_WEBHOOK_URL", POLLED),
    ("WEBHOOK_SECRET", POLLED),
];

const POLLED: &str = "updates are polled, which needs no address and no secret";

/// The switch of other systems for what is always on here.
const SWITCH: &str = "MONITORING_ENABLED";
const ALWAYS_ON: &str =
    "health and metrics are always on; web.listen = \"off\" closes their endpoint";

/// One warning for all of them that are set.
pub(super) fn warning(sources: &Sources) -> Option<Problem> {
    let is_set = |(name, _): &&(&str, &str)| sources.env.variable(name).is_some();
    let mut found: Vec<_> = WITHOUT_MEANING.iter().filter(is_set).copied().collect();
    let off = ["false", "0", "no", "off"];
    let switch = sources.env.variable(SWITCH).map(|value| value.trim().to_ascii_lowercase());
    found.extend(switch.filter(|value| off.contains(&value.as_str())).map(|_| (SWITCH, ALWAYS_ON)));
    let names: Vec<&str> = found.iter().map(|(name, _)| *name).collect();
    let mut instead: Vec<&str> = found.iter().map(|(_, instead)| *instead).collect();
    instead.dedup();
    let message = format!("no effect has {}", names.join(", "));
    (!found.is_empty()).then(|| Problem::new("environment", message, instead.join("; ")))
}
