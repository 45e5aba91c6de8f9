//! Metrics as data, and the two forms in which they are shown: Prometheus text and JSON.
//!
//! Invariants: all samples of a family have the label names of the family; text follows the
//! exposition format 0.0.4, in which only label values and help texts are escaped.

use std::fmt::Write;

use serde_json::{Map, Value as Json, json};

use crate::observe::histogram::Buckets;

/// `Content-Type` of [`text`].
pub const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What the figures of a family mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Only grows; begins at 0 with the process.
    Counter,
    /// As it is now.
    Gauge,
    /// How many observations were at most as large as each bound.
    Histogram,
}

/// One metric with all its series.
#[derive(Clone, Debug)]
pub struct Family {
    /// Its name, by Prometheus' conventions.
    pub name: &'static str,
    /// What the figures mean.
    pub kind: Type,
    /// What it is, in one line.
    pub help: &'static str,
    /// Names of the labels that every series has.
    pub labels: &'static [&'static str],
    samples: Vec<Sample>,
}

#[derive(Clone, Debug)]
struct Sample {
    labels: Vec<String>,
    value: Value,
}

#[derive(Clone, Debug)]
enum Value {
    Number(f64),
    Buckets(Buckets),
}

impl Type {
    /// Its name in both forms.
    pub fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

impl Family {
    fn new(
        name: &'static str,
        kind: Type,
        labels: &'static [&'static str],
        help: &'static str,
    ) -> Self {
        Self { name, kind, help, labels, samples: Vec::new() }
    }

    /// A counter without series.
    pub fn counter(
        name: &'static str,
        labels: &'static [&'static str],
        help: &'static str,
    ) -> Self {
        Self::new(name, Type::Counter, labels, help)
    }

    /// A gauge without series.
    pub fn gauge(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Self {
        Self::new(name, Type::Gauge, labels, help)
    }

    /// A histogram without series.
    pub fn histogram(
        name: &'static str,
        labels: &'static [&'static str],
        help: &'static str,
    ) -> Self {
        Self::new(name, Type::Histogram, labels, help)
    }

    /// Adds a series with these label values.
    pub fn with(mut self, labels: &[&str], value: f64) -> Self {
        self.push(labels, Value::Number(value));
        self
    }

    /// The same for a count.
    pub fn with_count(self, labels: &[&str], count: u64) -> Self {
        self.with(labels, count as f64)
    }

    /// The same for what is so (1) or not (0).
    pub fn with_flag(self, labels: &[&str], so: bool) -> Self {
        self.with(labels, f64::from(u8::from(so)))
    }

    /// The same when the value is known; no series otherwise.
    pub fn with_some(self, labels: &[&str], value: Option<f64>) -> Self {
        match value {
            Some(value) => self.with(labels, value),
            None => self,
        }
    }

    /// Adds a series of a histogram.
    pub fn with_buckets(mut self, labels: &[&str], buckets: Buckets) -> Self {
        self.push(labels, Value::Buckets(buckets));
        self
    }

    fn push(&mut self, labels: &[&str], value: Value) {
        debug_assert_eq!(labels.len(), self.labels.len(), "{}", self.name);
        let labels = labels.iter().map(|label| (*label).to_owned()).collect();
        self.samples.push(Sample { labels, value });
    }

    /// Number of series.
    pub fn series(&self) -> usize {
        self.samples.len()
    }
}

/// All families in Prometheus' text format. A family without series is left out.
pub fn text(families: &[Family]) -> String {
    let mut out = String::with_capacity(64 * 1024);
    for family in families.iter().filter(|f| !f.samples.is_empty()) {
        let name = family.name;
        let help = family.help.replace('\\', "\\\\").replace('\n', "\\n");
        // Writing to a string cannot fail.
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {}", family.kind.name());
        for sample in &family.samples {
            write_sample(&mut out, family, sample);
        }
    }
    out
}

fn write_sample(out: &mut String, family: &Family, sample: &Sample) {
    let name = family.name;
    let labels: Vec<String> = family
        .labels
        .iter()
        .zip(&sample.labels)
        .map(|(name, value)| format!("{name}=\"{}\"", escaped(value)))
        .collect();
    let labels = labels.join(",");
    let braced = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
    match &sample.value {
        Value::Number(value) => {
            let _ = writeln!(out, "{name}{braced} {}", number(*value));
        }
        Value::Buckets(buckets) => {
            let comma = if labels.is_empty() { "" } else { "," };
            for (bound, count) in cumulative(buckets) {
                let le = number(bound);
                let _ = writeln!(out, "{name}_bucket{{{labels}{comma}le=\"{le}\"}} {count}");
            }
            let _ = writeln!(out, "{name}_sum{braced} {}", number(buckets.sum));
            let _ = writeln!(out, "{name}_count{braced} {}", buckets.count());
        }
    }
}

/// All families as JSON: an array of `{name, type, help, series}`; a series is `{labels, value}`,
/// or `{labels, buckets, sum, count}` with counts by upper bound.
pub fn json(families: &[Family]) -> Json {
    let shown = families.iter().filter(|f| !f.samples.is_empty()).map(|family| {
        let series: Vec<Json> = family.samples.iter().map(|s| json_sample(family, s)).collect();
        json!({
            "name": family.name, "type": family.kind.name(), "help": family.help, "series": series
        })
    });
    Json::Array(shown.collect())
}

fn json_sample(family: &Family, sample: &Sample) -> Json {
    let labels: Map<String, Json> = family
        .labels
        .iter()
        .zip(&sample.labels)
        .map(|(name, value)| ((*name).to_owned(), Json::String(value.clone())))
        .collect();
    match &sample.value {
        Value::Number(value) => json!({"labels": labels, "value": value}),
        Value::Buckets(buckets) => {
            let counts: Map<String, Json> =
                cumulative(buckets).map(|(b, n)| (number(b), json!(n))).collect();
            let (sum, count) = (buckets.sum, buckets.count());
            json!({"labels": labels, "buckets": counts, "sum": sum, "count": count})
        }
    }
}

/// Upper bounds with the number of observations up to each; the last bound is infinite.
fn cumulative(buckets: &Buckets) -> impl Iterator<Item = (f64, u64)> {
    let bounds = buckets.bounds.iter().copied().chain([f64::INFINITY]);
    bounds.zip(buckets.counts.iter().scan(0, |seen, n| {
        *seen += n;
        Some(*seen)
    }))
}

fn number(value: f64) -> String {
    if value == f64::INFINITY {
        "+Inf".to_owned()
    } else if value == f64::NEG_INFINITY {
        "-Inf".to_owned()
    } else {
        value.to_string()
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_what_prometheus_reads() {
        let hist = Buckets { bounds: &[0.5, 1.0], counts: vec![1, 0, 2], sum: 7.25 };
        let families = [
            Family::counter("a_total", &["x"], "Back\\slash").with_count(&["q\"\\\n"], 3),
            Family::gauge("b", &[], "B").with(&[], f64::NAN),
            Family::gauge("none", &[], "Nothing").with_some(&[], None),
            Family::histogram("c_seconds", &["m"], "C").with_buckets(&["y"], hist),
        ];
        let wanted = "# HELP a_total Back\\\\slash\n# TYPE a_total counter\n\
                      a_total{x=\"q\\\"\\\\\\n\"} 3\n\
                      # HELP b B\n# TYPE b gauge\nb NaN\n\
                      # HELP c_seconds C\n# TYPE c_seconds histogram\n\
                      c_seconds_bucket{m=\"y\",le=\"0.5\"} 1\n\
                      c_seconds_bucket{m=\"y\",le=\"1\"} 1\n\
                      c_seconds_bucket{m=\"y\",le=\"+Inf\"} 3\n\
                      c_seconds_sum{m=\"y\"} 7.25\nc_seconds_count{m=\"y\"} 3\n";
        assert_eq!(text(&families), wanted);
        let json = json(&families);
        assert_eq!(json[0]["series"][0]["value"], 3.0);
        assert_eq!(json[2]["series"][0]["buckets"]["+Inf"], 3);
    }
}
