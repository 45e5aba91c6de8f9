//! A condition that holds, and how clearly: what the verdict is made of.

use super::figures::line;
use crate::observe::finding::{Kind, Severity};

/// Below its threshold a figure keeps an open finding open down to this share of it.
const HOLD: f64 = 0.95;

/// How clearly a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Keeps an open finding open, but opens none.
    Hold,
    /// Opens a finding.
    Raise,
}

/// A condition that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Of which finding.
    pub kind: Kind,
    /// How clearly.
    pub level: Level,
    /// How bad; the kind's own unless something speaks for less.
    pub severity: Severity,
    /// One line in words, with figures.
    pub text: String,
}

impl Seen {
    /// Only degraded, if something speaks for less.
    pub(super) fn milder_if(self, holds: bool) -> Self {
        Self { severity: if holds { Severity::Degraded } else { self.severity }, ..self }
    }
}

/// A condition that is certain.
pub(super) fn raise(kind: Kind, text: impl AsRef<str>) -> Option<Seen> {
    let severity = kind.severity();
    Some(Seen { kind, level: Level::Raise, severity, text: line(text.as_ref()) })
}

/// Raised from the threshold on, held a little below it.
pub(super) fn above(
    kind: Kind,
    value: f64,
    threshold: f64,
    text: impl FnOnce() -> String,
) -> Option<Seen> {
    let level = match value {
        v if v >= threshold => Level::Raise,
        v if v >= threshold * HOLD => Level::Hold,
        _ => return None,
    };
    Some(Seen { kind, level, severity: kind.severity(), text: line(&text()) })
}
