//! Logs: the journal under systemd, text or JSON on standard error otherwise.
//!
//! Invariant: no loaded secret reaches a sink. Every event is searched for them, in every form that
//! [`hygiene::redact`] knows; one that holds a secret is replaced by the same words with the secret
//! struck out. A secret that was replaced at run time stays among them.

mod json;
mod reports;

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::IsTerminal;
use std::os::fd::AsFd;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use hygiene::Redactor;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::field::{RecordFields, VisitOutput};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::{DefaultVisitor, Writer};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Registry, reload};

use crate::observe::catalog;

pub use reports::{ErrorReport, ErrorReports, Reporter};

/// Where to log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sink {
    /// The journal when standard error is connected to it, text otherwise.
    Auto,
    /// The journal.
    Journal,
    /// The journal, or nothing where there is none: for a command that prints what it has to say.
    JournalAlone,
    /// Text on standard error.
    Text,
    /// JSON on standard error, a line for each event.
    Json,
}

/// Libraries that report on every connection. async-openai would print whole bodies, so it is silent.
const QUIET: [&str; 7] =
    ["hyper", "hyper_util", "reqwest", "rustls", "tower", "refinery", "refinery_core"];

/// A process has one log. Its level may change.
static FILTER: OnceLock<reload::Handle<Targets, Registry>> = OnceLock::new();

static IS_JSON: AtomicBool = AtomicBool::new(false);

/// Whether standard error has JSON and nothing else.
pub fn is_json() -> bool {
    IS_JSON.load(Ordering::Relaxed)
}

/// Begins logging for the whole process; a second call does nothing. `level`: what `LOG_LEVEL`
/// says; `RUST_LOG` refines it per module. `redactor`: what must not be logged, now or later.
/// `reporter`: where errors are reported to as well.
pub fn begin(sink: Sink, level: &str, redactor: Redactor, reporter: Option<Reporter>) {
    let guard = Guard(redactor);
    let (filter, handle) = reload::Layer::new(filter(level));
    let journal = match sink {
        Sink::Text | Sink::Json => None,
        Sink::Auto if !is_in_journal() => None,
        Sink::Auto | Sink::Journal | Sink::JournalAlone => journal(),
    };
    let json = (sink == Sink::Json).then(|| {
        let lines = tracing_subscriber::fmt::layer().event_format(json::JsonLines);
        lines.with_ansi(false).with_writer(std::io::stderr)
    });
    let is_text = journal.is_none() && ![Sink::JournalAlone, Sink::Json].contains(&sink);
    let text = is_text.then(|| {
        tracing_subscriber::fmt::layer()
            .fmt_fields(WithoutIds)
            .with_writer(std::io::stderr)
            .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
            .with_target(false)
    });
    let missing = sink == Sink::Journal && journal.is_none();
    let all = Registry::default()
        .with(filter)
        .with(guard)
        .with(journal)
        .with(text)
        .with(json)
        .with(reporter);
    if all.try_init().is_ok() {
        IS_JSON.store(sink == Sink::Json, Ordering::Relaxed);
        let _ = FILTER.set(handle);
        std::panic::set_hook(Box::new(|panic| {
            let at = panic.location().map(ToString::to_string).unwrap_or_default();
            let words = panic.payload_as_str().unwrap_or("no message");
            tracing::error!(location = at, "{}{words}", reports::PANIC);
        }));
    }
    if missing {
        tracing::warn!("cannot reach the journal; logging as text on standard error");
    }
}

/// Another level from now on, as in [`begin`].
pub fn set_level(level: &str) {
    if let Some(handle) = FILTER.get()
        && let Err(e) = handle.reload(filter(level))
    {
        tracing::error!(error = %e, "cannot change the level of the log: {e}");
    }
}

/// Directives that make no sense are left out, so that a mistake in `RUST_LOG` costs no more than itself.
fn filter(level: &str) -> Targets {
    let own = std::env::var("RUST_LOG").ok().filter(|own| !own.trim().is_empty());
    let wanted = own.unwrap_or_else(|| level.to_owned());
    let quiet = QUIET.map(|name| (name, LevelFilter::WARN));
    let mut filter =
        Targets::new().with_targets(quiet).with_target("async_openai", LevelFilter::OFF);
    for directive in wanted.split(',').map(str::trim).filter(|directive| !directive.is_empty()) {
        let Ok(one) = directive.parse::<Targets>() else { continue };
        if let Some(level) = one.default_level() {
            filter = filter.with_default(level);
        }
        filter = filter.with_targets(one);
    }
    filter
}

fn journal() -> Option<tracing_journald::Layer> {
    use tracing_journald::{Priority, PriorityMappings};
    let levels = PriorityMappings {
        error: Priority::Error,
        warn: Priority::Warning,
        // The layer's own choice for INFO is "notice", which many filters show as important.
        info: Priority::Informational,
        debug: Priority::Debug,
        trace: Priority::Debug,
    };
    tracing_journald::layer().ok().map(|layer| {
        layer
            .with_field_prefix(None)
            .with_priority_mappings(levels)
            .with_syslog_identifier("katana-bot".into())
    })
}

/// Whether standard error is the stream that systemd named in `$JOURNAL_STREAM`
/// (systemd.exec(5)).
pub fn is_in_journal() -> bool {
    use std::os::unix::fs::MetadataExt;
    let Ok(named) = std::env::var("JOURNAL_STREAM") else { return false };
    let Ok(copy) = std::io::stderr().as_fd().try_clone_to_owned() else { return false };
    std::fs::File::from(copy).metadata().is_ok_and(|m| named == format!("{}:{}", m.dev(), m.ino()))
}

/// The fields of a line of text: message ids are for the journal alone.
struct WithoutIds;

impl<'w> FormatFields<'w> for WithoutIds {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'w>, fields: R) -> std::fmt::Result {
        let mut shown = Shown(DefaultVisitor::new(writer, true));
        fields.record(&mut shown);
        shown.0.finish()
    }
}

struct Shown<'w>(DefaultVisitor<'w>);

impl Visit for Shown<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() != catalog::FIELD {
            self.0.record_debug(field, value);
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() != catalog::FIELD {
            self.0.record_str(field, value);
        }
    }
}

/// Refuses events that hold a secret and says the rest of their words instead.
struct Guard(Redactor);

impl<S: Subscriber> Layer<S> for Guard {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        let mut words = Words(String::new());
        event.record(&mut words);
        // The line that is said instead comes here again, and is clean.
        match self.0.redact(&words.0) {
            Cow::Borrowed(_) => true,
            Cow::Owned(words) => {
                tracing::error!(
                    origin = event.metadata().target(),
                    "a secret was struck out of this line: {words}"
                );
                false
            }
        }
    }
}

struct Words(String);

impl Visit for Words {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let _ = write!(self.0, "{}={value:?} ", field.name());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let _ = write!(self.0, "{}={value} ", field.name());
    }

    // Numbers and booleans hold no secret.
    fn record_i64(&mut self, _: &Field, _: i64) {}
    fn record_u64(&mut self, _: &Field, _: u64) {}
    fn record_bool(&mut self, _: &Field, _: bool) {}
    fn record_f64(&mut self, _: &Field, _: f64) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    pub(super) struct Captured(Arc<Mutex<Vec<u8>>>);

    impl Captured {
        pub(super) fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl std::io::Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn text_leaves_message_ids_to_the_journal() {
        let out = Captured::default();
        let writer = out.clone();
        let layer = tracing_subscriber::fmt::layer().fmt_fields(WithoutIds);
        let layer = layer.with_ansi(false).with_target(false).with_writer(move || writer.clone());
        tracing::subscriber::with_default(Registry::default().with(layer), || {
            let id = catalog::JournalEvent::Ready.id();
            tracing::info!(message_id = id, finding = "cpu_high", chat_id = 7, "words");
            tracing::info!(message_id = Some(id), error = %"bad", "more");
        });
        let text = out.text();
        let said: Vec<_> = text.lines().map(|line| line.split_once("INFO ").unwrap().1).collect();
        assert_eq!(said[0], "words finding=\"cpu_high\" chat_id=7");
        assert_eq!(said[1], "more error=bad");
    }

    #[test]
    fn secrets_never_reach_a_sink() {
        let token = "123456:SECRETsecretSECRETsecret";
        let next = "123456:ANOTHERanotherANOTHER";
        let out = Captured::default();
        let writer = out.clone();
        let layer = tracing_subscriber::fmt::layer().with_writer(move || writer.clone());
        let redactor = Redactor::new([token]);
        let guard = Guard(redactor.clone());
        let subscriber = Registry::default().with(guard).with(layer);
        // The guard's own line goes to the default subscriber, which is this one only in a test.
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!("plain line");
            tracing::info!("url https://host/bot{token}/getMe");
            tracing::info!(error = "SECRETsecretSECRETsecret", "field");
            tracing::info!(error = ?Some(token), "debug field");
            redactor.add([next]);
            tracing::info!("new {next}, and still {token}");
            let encoded = "123456%3ASECRETsecretSECRETsecret U0VDUkVUc2VjcmV0U0VDUkVUc2VjcmV0";
            tracing::warn!("a server says {encoded}");
        });
        let text = out.text();
        assert!(text.contains("plain line"));
        assert!(!text.contains("SECRETsecret"), "{text}");
        assert!(!text.contains("ANOTHERanother"), "{text}");
        assert!(!text.contains("U0VDUkVUc2Vj"), "{text}");
        let both = format!("new {next}, and still {token}");
        assert_eq!(redactor.redact(&both), "new [secret], and still [secret]");
    }
}
