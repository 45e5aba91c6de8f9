//! What is worth a report to a server that collects errors: taken from the log as it is written.
//!
//! Invariants: it passes the same search for secrets as every line; only fields that are named here go along,
//! none of which is what people wrote or who they are; nothing waits, because what finds no room is dropped.

use std::collections::BTreeMap;
use std::fmt;

use tokio::sync::mpsc;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

/// Reports that may wait to be sent.
const WAITING: usize = 64;

/// Fields that go along.
const FIELDS: [&str; 16] = [
    "attempt",
    "class",
    "duration_ms",
    "error",
    "failures",
    "finding",
    "hint",
    "key",
    "late_ms",
    "location",
    "provider",
    "rss_bytes",
    "severity",
    "silent_ms",
    "stage",
    "task",
];

/// How the hook for panics begins its line.
pub(super) const PANIC: &str = "panic: ";

/// An error, as it was logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorReport {
    /// Whether the program itself is at fault.
    pub is_panic: bool,
    /// Whether people may go without an answer: an error rather than a warning.
    pub is_error: bool,
    /// The module that logged it.
    pub target: &'static str,
    /// File and line that logged it.
    pub place: String,
    /// What it said.
    pub message: String,
    /// Its fields.
    pub fields: BTreeMap<&'static str, String>,
}

/// Where reports wait to be sent.
pub type ErrorReports = mpsc::Receiver<ErrorReport>;

/// Takes reports from the log.
pub struct Reporter(mpsc::Sender<ErrorReport>);

impl Reporter {
    /// A reporter, and where its reports wait.
    pub fn new() -> (Self, ErrorReports) {
        let (sender, receiver) = mpsc::channel(WAITING);
        (Self(sender), receiver)
    }
}

impl<S: Subscriber> Layer<S> for Reporter {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let about = event.metadata();
        if *about.level() > Level::WARN {
            return;
        }
        let mut taken = Taken::default();
        event.record(&mut taken);
        let is_error = *about.level() == Level::ERROR;
        // A warning is reported where it says that a finding has opened.
        if !is_error && !taken.fields.contains_key("finding") {
            return;
        }
        let is_panic = taken.message.starts_with(PANIC);
        let message = if is_panic { without_texts(&taken.message) } else { taken.message };
        let _ = self.0.try_send(ErrorReport {
            is_panic,
            is_error,
            target: about.target(),
            place: format!("{}:{}", about.file().unwrap_or_default(), about.line().unwrap_or(0)),
            message,
            fields: taken.fields,
        });
    }
}

/// The words of a panic may quote the text that was worked on.
fn without_texts(message: &str) -> String {
    let quoted = message.find(['`', '"', '\'', '\n']);
    quoted.map_or(message, |at| &message[..at]).trim_end().to_owned()
}

#[derive(Default)]
struct Taken {
    message: String,
    fields: BTreeMap<&'static str, String>,
}

impl Visit for Taken {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => value.clone_into(&mut self.message),
            name if FIELDS.contains(&name) => {
                self.fields.insert(name, value.to_owned());
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;
    use crate::logging::Guard;

    fn reported(say: impl FnOnce()) -> Vec<ErrorReport> {
        let (reporter, mut waiting) = Reporter::new();
        let guard = Guard(hygiene::Redactor::new(["SECRETsecretSECRET"]));
        let all = tracing_subscriber::Registry::default().with(guard).with(reporter);
        tracing::subscriber::with_default(all, say);
        std::iter::from_fn(|| waiting.try_recv().ok()).collect()
    }

    #[test]
    fn errors_and_findings_are_reported_with_what_may_leave() {
        let reports = reported(|| {
            tracing::info!(error = "x", "fine");
            tracing::warn!(error = "x", "passes");
            tracing::warn!(finding = "cpu_high", severity = "degraded", "all processors are busy");
            tracing::error!(
                error = "a: b",
                chat_id = 5,
                user_id = 6,
                prompt = "text",
                "cannot do it"
            );
            tracing::error!(error = "SECRETsecretSECRET", "not this one");
        });
        let words: Vec<_> = reports.iter().map(|r| (r.message.as_str(), r.is_error)).collect();
        assert_eq!(words, [("all processors are busy", false), ("cannot do it", true)]);
        let fields = BTreeMap::from([("error", "a: b".to_owned())]);
        assert_eq!(reports[1].fields, fields, "nothing of people");
        assert!(reports[1].place.starts_with("src/logging/reports.rs:"), "{reports:?}");
    }

    #[test]
    fn a_panic_is_reported_without_the_text_it_quotes() {
        let reports = reported(|| {
            let words = "byte index 1 is not a char boundary; it is inside 'ü' of `über mich`";
            tracing::error!(location = "src/x.rs:1:2", "panic: {words}");
        });
        assert!(reports[0].is_panic);
        assert_eq!(reports[0].message, "panic: byte index 1 is not a char boundary; it is inside");
        assert_eq!(reports[0].fields["location"], "src/x.rs:1:2");
    }

    #[test]
    fn what_finds_no_room_is_dropped_and_nothing_waits() {
        let reports = reported(|| (0..1000).for_each(|_| tracing::error!("again")));
        assert_eq!(reports.len(), WAITING);
    }
}
