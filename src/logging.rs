//! Logs: the journal under systemd, text on standard error otherwise.
//!
//! Invariant: no loaded secret reaches a sink. Every event is searched for them; one that holds a
//! secret is replaced by the same words with the secret struck out.

use std::fmt::Write as _;
use std::io::IsTerminal;
use std::os::fd::AsFd;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry};

/// Secrets shorter than this are not searched for: they would strike out ordinary words.
const SHORTEST: usize = 8;

/// Where to log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sink {
    /// The journal when standard error is connected to it, text otherwise.
    Auto,
    /// The journal.
    Journal,
    /// Text on standard error.
    Text,
}

/// Begins logging for the whole process; a second call does nothing. `level`: what `LOG_LEVEL`
/// says; `RUST_LOG` refines it per module.
pub fn begin(sink: Sink, level: &str, secrets: Vec<SecretString>) {
    let guard = Guard(Arc::new(Scrubber::new(secrets)));
    let journal = match sink {
        Sink::Text => None,
        Sink::Auto if !stderr_is_journal() => None,
        Sink::Auto | Sink::Journal => journal(),
    };
    let text = journal.is_none().then(|| {
        tracing_subscriber::fmt::layer()
            .with_writer(std::io::stderr)
            .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
            .with_target(false)
    });
    let missing = sink == Sink::Journal && journal.is_none();
    let all = Registry::default().with(filter(level)).with(guard).with(journal).with(text);
    if all.try_init().is_ok() {
        std::panic::set_hook(Box::new(|panic| {
            let at = panic.location().map(ToString::to_string).unwrap_or_default();
            let words = panic.payload_as_str().unwrap_or("no message");
            tracing::error!(location = at, "panic: {words}");
        }));
    }
    if missing {
        tracing::warn!("cannot reach the journal; logging as text on standard error");
    }
}

fn filter(level: &str) -> EnvFilter {
    // Libraries that chat about every connection, or print whole bodies, stay quiet.
    let quiet = "hyper=warn,hyper_util=warn,reqwest=warn,rustls=warn,tower=warn,refinery=warn,\
                 refinery_core=warn,async_openai=off,frankenstein=warn";
    let own = std::env::var("RUST_LOG").ok().filter(|own| !own.trim().is_empty());
    let wanted = own.unwrap_or_else(|| level.to_owned());
    EnvFilter::builder().parse_lossy(format!("{quiet},{wanted}"))
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
fn stderr_is_journal() -> bool {
    use std::os::unix::fs::MetadataExt;
    let Ok(named) = std::env::var("JOURNAL_STREAM") else { return false };
    let Ok(copy) = std::io::stderr().as_fd().try_clone_to_owned() else { return false };
    std::fs::File::from(copy).metadata().is_ok_and(|m| named == format!("{}:{}", m.dev(), m.ino()))
}

/// Finds secrets in text.
struct Scrubber(Vec<SecretString>);

impl Scrubber {
    fn new(secrets: Vec<SecretString>) -> Self {
        let mut all = Vec::new();
        for secret in secrets {
            // The part after a token's colon is as secret as the whole.
            let tail = secret.expose_secret().split_once(':').map(|(_, tail)| tail.to_owned());
            all.extend(tail.map(SecretString::from));
            all.push(secret);
        }
        all.retain(|s| s.expose_secret().len() >= SHORTEST);
        Self(all)
    }

    fn finds(&self, text: &str) -> bool {
        self.0.iter().any(|s| text.contains(s.expose_secret()))
    }

    fn scrub(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, s| text.replace(s.expose_secret(), "***"))
    }
}

/// Refuses events that hold a secret and says the rest of their words instead.
struct Guard(Arc<Scrubber>);

impl<S: Subscriber> Layer<S> for Guard {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        if self.0.0.is_empty() {
            return true;
        }
        let mut words = Words(String::new());
        event.record(&mut words);
        if !self.0.finds(&words.0) {
            return true;
        }
        tracing::error!(
            origin = event.metadata().target(),
            "a secret was struck out of this line: {}",
            self.0.scrub(&words.0)
        );
        false
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
    use std::sync::Mutex;

    #[derive(Clone, Default)]
    struct Captured(Arc<Mutex<Vec<u8>>>);

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
    fn secrets_never_reach_a_sink() {
        let token = "123456:SECRETsecretSECRETsecret";
        let out = Captured::default();
        let writer = out.clone();
        let layer = tracing_subscriber::fmt::layer().with_writer(move || writer.clone());
        let guard = Guard(Arc::new(Scrubber::new(vec![SecretString::from(token)])));
        let subscriber = Registry::default().with(guard).with(layer);
        // The guard's own line goes to the default subscriber, which is this one only in a test.
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!("plain line");
            tracing::info!("url https://host/bot{token}/getMe");
            tracing::info!(error = "SECRETsecretSECRETsecret", "field");
            tracing::info!(error = ?Some(token), "debug field");
        });
        let text = String::from_utf8(out.0.lock().unwrap().clone()).unwrap();
        assert!(text.contains("plain line"));
        assert!(!text.contains("SECRETsecret"), "{text}");
    }
}
