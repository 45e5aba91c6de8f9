//! Logs as JSON, for platforms that collect standard error: one line for each event, whatever it holds.
//!
//! Invariant: no character of an event ends its line, or can move a terminal's cursor or its text.

use std::fmt;

use hygiene::line::is_invisible;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// `timestamp`, `level`, `target` and `message` of an event, then its fields by the names that they have in
/// the journal.
pub(super) struct JsonLines;

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut time = String::new();
        SystemTime.format_time(&mut Writer::new(&mut time))?;
        let mut fields = Fields::default();
        event.record(&mut fields);
        let about = event.metadata();
        let mut line = Map::new();
        line.insert("timestamp".to_owned(), Value::from(time));
        line.insert("level".to_owned(), about.level().as_str().to_ascii_lowercase().into());
        line.insert("target".to_owned(), about.target().into());
        line.insert("message".to_owned(), fields.message.into());
        line.extend(fields.others);
        for c in Value::Object(line).to_string().chars() {
            // JSON leaves these as they are within its strings, and there are none outside of them.
            if c.is_control() || is_invisible(c) || matches!(c, '\u{2028}' | '\u{2029}') {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            } else {
                writer.write_char(c)?;
            }
        }
        writeln!(writer)
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    others: Map<String, Value>,
}

impl Fields {
    fn put(&mut self, field: &Field, value: Value) {
        self.others.insert(name(field.name()), value);
    }
}

/// The name in the journal: upper case, and what it does not take is left out.
fn name(field: &str) -> String {
    let known = |c: char| c.is_ascii_alphanumeric() || c == '_';
    field
        .chars()
        .map(|c| if c == '.' { '_' } else { c.to_ascii_uppercase() })
        .filter(|c| known(*c))
        .collect()
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => value.clone_into(&mut self.message),
            _ => self.put(field, value.into()),
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt;

    use super::super::tests::Captured;
    use super::*;
    use crate::logging::Guard;
    use crate::observe::catalog::JournalEvent;

    fn logged(secret: &str, say: impl FnOnce()) -> Vec<Value> {
        let out = Captured::default();
        let writer = out.clone();
        let layer = tracing_subscriber::fmt::layer().event_format(JsonLines);
        let layer = layer.with_ansi(false).with_writer(move || writer.clone());
        let guard = Guard(hygiene::Redactor::new([secret]));
        let all = tracing_subscriber::Registry::default().with(guard).with(layer);
        tracing::subscriber::with_default(all, say);
        let text = out.text();
        assert!(
            text.chars().all(|c| c == '\n' || !(c.is_control() || is_invisible(c))),
            "{text:?}"
        );
        text.lines().map(|line| serde_json::from_str(line).expect("one JSON object")).collect()
    }

    #[test]
    fn an_event_is_one_line_whatever_it_holds() {
        let odd = "one\ntwo\r\u{1b}[31m\u{85}\u{2028}\u{202e}\u{e0041}\u{7f} \"quoted\" \\ ü";
        let lines = logged("a-secret-of-no-one", || {
            let id = JournalEvent::Ready.id();
            tracing::warn!(
                message_id = id,
                chat_id = -7,
                error = odd,
                fine = true,
                ratio = 0.5,
                "{odd}"
            );
            tracing::info!(error = ?Some("x"), nothing = f64::NAN);
        });
        assert_eq!(lines.len(), 2, "{lines:?}");
        let first = &lines[0];
        assert_eq!((&first["message"], &first["ERROR"]), (&odd.into(), &odd.into()));
        assert_eq!((&first["level"], &first["CHAT_ID"]), (&"warn".into(), &(-7).into()));
        assert_eq!(first["MESSAGE_ID"], JournalEvent::Ready.id());
        assert_eq!((&first["FINE"], &first["RATIO"]), (&true.into(), &0.5.into()));
        assert_eq!(first["target"], module_path!());
        let time = first["timestamp"].as_str().expect("a text");
        assert!(time.parse::<jiff::Timestamp>().is_ok() && time.ends_with('Z'), "{time}");
        assert_eq!((&lines[1]["message"], &lines[1]["NOTHING"]), (&"".into(), &Value::Null));
    }

    #[test]
    fn a_secret_does_not_get_here_either() {
        // What the guard says instead goes to the log of the process.
        let lines = logged("SECRETsecretSECRET", || {
            tracing::info!(error = "with SECRETsecretSECRET in it", "words");
        });
        assert!(lines.is_empty(), "{lines:?}");
    }
}
