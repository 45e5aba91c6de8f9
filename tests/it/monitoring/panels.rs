//! The dashboard as a person reads it: a value becomes the text and the colour that Grafana would show.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use super::tools::{Prometheus, factor};

/// The shipped dashboard.
pub struct Dashboard(Value);

/// What a panel with one figure shows. The text of a figure that is only a number is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    text: String,
    colour: String,
}

impl Shown {
    pub fn new(text: &str, colour: &str) -> Self {
        Self { text: text.to_owned(), colour: colour.to_owned() }
    }
}

/// What Grafana puts in place of its variables.
fn expression(target: &Value) -> String {
    let text = target["expr"].as_str().expect("an expression");
    let text = text.replace("$job", "katana-bot").replace("$instance", ".*");
    // Grafana takes four scrapes.
    text.replace("$__rate_interval", &format!("{}ms", 4 * 15_000 / factor()))
}

/// A number as a key of a mapping.
fn key(value: f64) -> String {
    format!("{value}")
}

impl Dashboard {
    /// The shipped one.
    pub fn read() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("packaging/monitoring/grafana-dashboard.json");
        let text = std::fs::read_to_string(path).expect("the dashboard");
        Self(serde_json::from_str(&text).expect("JSON"))
    }

    fn panels(&self) -> impl Iterator<Item = &Value> {
        let panels = self.0["panels"].as_array().expect("panels");
        panels.iter().filter(|panel| panel["type"] != "row")
    }

    fn panel(&self, title: &str) -> &Value {
        self.panels().find(|panel| panel["title"] == title).expect(title)
    }

    /// The last value of a target, as the panel asks for it.
    async fn value(prometheus: &Prometheus, target: &Value) -> Option<f64> {
        let number = |point: &Value| point[1].as_str().and_then(|v| v.parse::<f64>().ok());
        if target["instant"] == true {
            let series = prometheus.now(&expression(target)).await;
            assert!(series.len() <= 1, "one figure for one bot: {series:?}");
            return series.first().and_then(|series| number(&series["value"]));
        }
        let series = prometheus.lately(&expression(target)).await;
        let points = series.first()?["values"].as_array()?;
        points.last().and_then(number)
    }

    /// What a panel with one figure shows.
    pub async fn stat(&self, prometheus: &Prometheus, title: &str) -> Shown {
        let panel = self.panel(title);
        assert_eq!(panel["type"], "stat", "{title}");
        let value = Self::value(prometheus, &panel["targets"][0]).await;
        let defaults = &panel["fieldConfig"]["defaults"];
        let mappings = defaults["mappings"].as_array().cloned().unwrap_or_default();
        let mapped = mappings.iter().find_map(|mapping| {
            let options = &mapping["options"];
            let found = match value {
                Some(value) if mapping["type"] == "value" => &options[key(value)],
                None if mapping["type"] == "special" => &options["result"],
                _ => &Value::Null,
            };
            Some((found["text"].as_str()?.to_owned(), found["color"].as_str()?.to_owned()))
        });
        if let Some((text, colour)) = mapped {
            return Shown { text, colour };
        }
        let value = value.unwrap_or(f64::NAN);
        // Seconds are as short here as those of the rules.
        let scale = if defaults["unit"] == "s" { f64::from(factor()) } else { 1.0 };
        let steps = defaults["thresholds"]["steps"].as_array().expect("thresholds");
        let reached = |step: &&Value| step["value"].as_f64().is_none_or(|at| value >= at / scale);
        let colour = steps.iter().rfind(reached).and_then(|step| step["color"].as_str());
        Shown::new("", colour.expect("a colour"))
    }

    /// The findings of the table.
    pub async fn findings(&self, prometheus: &Prometheus) -> BTreeSet<String> {
        let target = &self.panel("Open findings")["targets"][0];
        let rows = prometheus.now(&expression(target)).await;
        rows.iter().filter_map(|row| row["metric"]["finding"].as_str().map(str::to_owned)).collect()
    }

    /// Titles of the panels whose first query, which Prometheus accepts like all others, shows nothing at this
    /// moment. Those that only show what is wrong are left out.
    pub async fn silent(&self, prometheus: &Prometheus) -> Vec<String> {
        let mut silent = Vec::new();
        for panel in self.panels() {
            let title = panel["title"].as_str().expect("a title");
            for (n, target) in panel["targets"].as_array().expect("targets").iter().enumerate() {
                let expression = expression(target);
                prometheus.lately(&expression).await;
                let only_wrong = expression.ends_with("> 0") || title.contains("indings");
                let shown = prometheus.now(&expression).await;
                if n == 0 && !only_wrong && shown.is_empty() {
                    silent.push(title.to_owned());
                }
            }
        }
        silent
    }
}
