//! `/`: what this is, as JSON or as a short page for people.

use serde_json::{Value, json};

use super::view::View;

/// What there is, path by path.
const LINKS: &[(&str, &str)] = &[
    ("/health", "state of the bot and of everything it needs"),
    ("/ready", "whether a question asked now would be answered"),
    ("/metrics", "figures for Prometheus"),
    ("/bot/status", "everything that is known, as JSON"),
];

/// `{name, version, environment, status, links}`.
pub(super) fn json(view: &View<'_>) -> Value {
    let links: serde_json::Map<String, Value> =
        LINKS.iter().map(|(path, what)| ((*path).to_owned(), json!(what))).collect();
    json!({
        "name": "katana-bot",
        "version": view.about.version,
        "environment": view.about.environment,
        "status": view.health(),
        "links": links,
    })
}

/// The page.
pub(super) fn html(view: &View<'_>) -> String {
    format!("{}", view.health())
}
