//! `/`: what this is, as JSON or as a short page for people.
//!
//! Invariant: every text on the page goes through [`escaped`]; it has no script, and refers to
//! nothing outside of itself.

use serde_json::{Value, json};

use super::health;
use super::view::{Health, View, time};
use crate::observe::documents::DocumentsState;
use crate::observe::finding::Finding;
use crate::observe::index::IndexState;
use crate::supervise::{Depth, span};

/// What there is, path by path.
const LINKS: &[(&str, &str)] = &[
    ("/health", "state of the bot and of everything it needs"),
    ("/live", "whether the process makes progress, for platforms that restart"),
    ("/ready", "whether a question asked now would be answered"),
    ("/metrics", "metrics for Prometheus"),
    ("/bot/status", "everything known, as JSON"),
];

const PAGE: &str = include_str!("page.html");

/// Seconds after which a browser loads the page again, by itself: there is no script on it.
const EVERY_S: u32 = 30;

/// `{name, version, environment, status, links}`.
pub(super) fn json(view: &View<'_>) -> Value {
    let links: serde_json::Map<String, Value> =
        LINKS.iter().map(|(path, what)| ((*path).to_owned(), json!(what))).collect();
    json!({
        "name": "katana-bot",
        "version": view.about.version,
        "environment": view.about.environment,
        "status": view.health().as_str(),
        "links": links,
    })
}

/// The page.
pub(super) fn html(view: &View<'_>) -> String {
    let about = &view.about;
    let name = match about.username.as_str() {
        "" => "katana-bot".to_owned(),
        username => format!("@{}", escaped(username)),
    };
    let model = if about.provider == "offline" {
        "its documents, without a language model".to_owned()
    } else if about.model.is_empty() || about.model == about.provider {
        escaped(&about.provider)
    } else {
        format!("{} ({})", escaped(&about.provider), escaped(&about.model))
    };
    let (word, words) = banner(view);
    let links: String = LINKS
        .iter()
        .map(|(path, what)| format!("<li><a href=\"{path}\">{path}</a>: {what}</li>\n"))
        .collect();
    fill(&[
        ("every", EVERY_S.to_string()),
        ("title", format!("{word}: {name} ({})", escaped(&about.environment))),
        ("name", name),
        (
            "about",
            format!(
                "A Katana assistant, {}. Answers come from {model}.",
                escaped(&about.environment)
            ),
        ),
        ("health", view.health().as_str().to_owned()),
        ("word", word.to_owned()),
        ("words", escaped(&words)),
        ("findings", findings(view.findings())),
        ("needs", needs(view)),
        ("work", work(view)),
        ("links", links),
        (
            "footer",
            format!(
                "katana-bot {}, running for {}. As of {}; the page refreshes itself every {EVERY_S} seconds.",
                escaped(about.version),
                span(view.now_ms),
                moment(view.vitals.wall_ms())
            ),
        ),
    ])
}

/// Puts texts into the page, from its beginning to its end, so that no text is taken for a place.
fn fill(texts: &[(&str, String)]) -> String {
    let mut page = String::with_capacity(PAGE.len() * 2);
    let mut rest = PAGE;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").expect("each place of the page is closed");
        let (_, text) =
            texts.iter().find(|(n, _)| *n == name).expect("each place of the page has a text");
        page.push_str(before);
        page.push_str(text);
        rest = after;
    }
    page.push_str(rest);
    page
}

fn banner(view: &View<'_>) -> (&'static str, String) {
    let health = view.health();
    let word = match health {
        Health::Healthy => "Healthy",
        Health::Degraded => "Degraded",
        Health::Unhealthy => "Unhealthy",
        Health::Unknown => "Unknown",
    };
    if let Some(words) = view.stale_words() {
        return (word, format!("{}. What follows may be out of date.", capital(&words)));
    }
    let obstacles = view.obstacles(true);
    let words = match (health, obstacles.first()) {
        (Health::Healthy, Some(reason)) => format!("{}.", capital(reason)),
        (Health::Healthy, None) => "Nothing is wrong; questions are answered.".to_owned(),
        (Health::Degraded, None) => "Something works badly; people are served.".to_owned(),
        (Health::Degraded | Health::Unhealthy | Health::Unknown, Some(_)) => {
            "Questions asked now may not be answered.".to_owned()
        }
        (Health::Unhealthy | Health::Unknown, None) => "People are not served.".to_owned(),
    };
    (word, words)
}

fn findings(findings: &[Finding]) -> String {
    if findings.is_empty() {
        return String::new();
    }
    let items: String = findings
        .iter()
        .map(|f| {
            let class = Health::from(f.severity).as_str();
            format!(
                "<li><code>{}</code> <span class=\"tag {class}\">{}</span>\n<p>{}</p>\n\
                 <p class=\"quiet\">since {}</p></li>\n",
                f.kind.name(),
                f.severity.name(),
                escaped(&capital(&f.text)),
                moment(f.since_ms),
            )
        })
        .collect();
    format!("<h2 id=\"findings\">Findings</h2>\n<ul class=\"findings\">\n{items}</ul>")
}

fn needs(view: &View<'_>) -> String {
    let checks = health::checks(view, true);
    let rows = [
        ("telegram", "Telegram", "last completed poll"),
        ("ai", "Language model", "last answer"),
        ("database", "Database", "last commit that was probed"),
        ("disk", "Disk", "in use"),
    ];
    rows.iter()
        .map(|(key, name, what)| {
            let check = &checks[*key][0];
            let state = check["status"].as_str().unwrap_or("unknown");
            let measured = match check["observedValue"].as_f64() {
                Some(value) if check["observedUnit"] == "s" => format!("{what} {}", ago(value)),
                Some(value) => format!("{value}&nbsp;% {what}"),
                None => "nothing known yet".to_owned(),
            };
            format!(
                "<tr><th scope=\"row\">{name}</th><td><span class=\"tag {state}\">{state}</span> \
                 <span class=\"quiet\">{measured}</span></td></tr>\n"
            )
        })
        .collect()
}

fn work(view: &View<'_>) -> String {
    let (vitals, reading) = (view.vitals, &view.report.reading);
    let waiting = |depth: Option<Depth>| match depth {
        None => "not known".to_owned(),
        Some(Depth { count: 0, .. }) => "none".to_owned(),
        Some(Depth { count, oldest_ms }) => {
            format!("{count}, the oldest for {}", span(oldest_ms.unwrap_or(0)))
        }
    };
    let last = view.processed_age_s().map_or("none yet".to_owned(), ago);
    let failed = match vitals.answers_failed.get() {
        0 => String::new(),
        n => format!(", {n} failed"),
    };
    let dropped = match vitals.dropped.get() {
        0 => String::new(),
        n => format!(", {n} dropped"),
    };
    let rows = [
        ("Messages waiting", waiting(reading.inbox)),
        ("Replies waiting", waiting(reading.outbox)),
        ("Last message done", last),
        ("Commands answered", vitals.commands.get().to_string()),
        ("Questions answered", format!("{}{failed}", vitals.answers.get())),
        ("Replies sent", format!("{}{dropped}", vitals.sent.get())),
        ("Documents", documents(reading.documents, &reading.index)),
        ("Answering is paused", if reading.paused { "yes, by the owner" } else { "no" }.to_owned()),
    ];
    rows.map(|(name, value)| format!("<tr><th scope=\"row\">{name}</th><td>{value}</td></tr>\n"))
        .concat()
}

fn documents(state: DocumentsState, index: &IndexState) -> String {
    let mut text = match state {
        DocumentsState::None => return "none".to_owned(),
        DocumentsState::Reading => return "being read; questions wait".to_owned(),
        DocumentsState::Read { files, passages } => format!("{files} in {passages} passages"),
        DocumentsState::Unreadable => "cannot be read".to_owned(),
    };
    if index.unreadable > 0 {
        text.push_str(&format!("; {} cannot be read", index.unreadable));
    }
    if let Some(one) = index.under_way() {
        text.push_str(&format!("; vectors: {} of {}", one.embedded, one.of));
    }
    text
}

fn ago(seconds: f64) -> String {
    if seconds < 1.0 {
        return "just now".to_owned();
    }
    format!("{} ago", span((seconds * 1000.0) as u64))
}

/// A time for people and for programs.
fn moment(ms: i64) -> String {
    let exact = time(ms).unwrap_or_default();
    let shown = exact.replace('T', " ").replace('Z', " UTC");
    format!("<time datetime=\"{exact}\">{shown}</time>")
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |c| c.to_uppercase().chain(chars).collect())
}

/// A text as HTML.
fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            c => html.push(c),
        }
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stay_whole_on_a_telephone() {
        // These would let a table's columns be narrower than its words.
        for rule in ["overflow-wrap: anywhere", "word-break", "hyphens"] {
            assert!(!PAGE.contains(rule), "{rule}");
        }
    }

    #[test]
    fn texts_cannot_become_html_or_places() {
        assert_eq!(escaped("<a href='x'>&\""), "&lt;a href=&#39;x&#39;&gt;&amp;&quot;");
        let places = PAGE.split("{{").skip(1).filter_map(|p| p.split_once("}}"));
        let texts: Vec<_> = places.map(|(name, _)| (name, "{{words}}".to_owned())).collect();
        assert_eq!(fill(&texts).matches("{{words}}").count(), texts.len());
    }
}
