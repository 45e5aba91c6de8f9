//! The status of the documents in words.

use hygiene::duration::in_words as span;
use hygiene::line::count;

use super::server::Server;
use super::state::{Counted, Named, State, Vectors};
use crate::cli::style::{Mark, Style, columns, visible};
use crate::config::Config;
use crate::knowledge::{Source, files_by_ending};
use crate::store::{GenerationState, LeftOut};

/// Documents that are named in each list at most; JSON has all.
const NAMED: usize = 50;

/// The whole page.
pub(super) fn page(
    config: &Config,
    state: Option<&State>,
    servers: &[Server],
    style: Style,
    now_ms: i64,
) -> String {
    let sources = crate::app::sources(config);
    let mut page = match state {
        Some(state) => index(state, &sources, style, now_ms),
        None if sources.is_empty() => {
            "There are no documents: set knowledge.dir, or send one to the bot with the caption /learn.\n"
                .into()
        }
        None => "There is no index yet: the bot makes it when it starts, or `katana-bot knowledge sync`.\n"
            .to_owned(),
    };
    if servers.is_empty() && state.is_some_and(|state| state.total.documents > 0) {
        page.push_str(
            "\nDocuments are searched by their words; embeddings.base_url adds their meaning.\n",
        );
    }
    for server in servers {
        let (mark, said) = match &server.problem {
            None => (Mark::Good, "reachable".to_owned()),
            Some(problem) => (Mark::Bad, visible(problem)),
        };
        let line =
            format!("{} {}: {}, {said}\n", style.sign(mark), server.name, visible(&server.what));
        page.push_str(&line);
    }
    page
}

fn index(state: &State, sources: &[Source], style: Style, now_ms: i64) -> String {
    let mut rows = vec![("index".to_owned(), state.path.display().to_string())];
    let mut row = |name: &str, value: String| rows.push((name.to_owned(), value));
    for (name, one) in &state.sources {
        row(&format!("source {}", visible(name)), counted(one));
    }
    for source in sources.iter().filter(|source| !state.sources.contains_key(source.name())) {
        let dir = visible(&source.dir().to_string_lossy());
        let nothing = match hygiene::time_limit::is_dir(source.dir()) {
            Some(false) => format!("there is no folder {dir}"),
            _ => format!("no documents in {dir}"),
        };
        row(&format!("source {}", visible(source.name())), nothing);
    }
    if state.sources.is_empty() && sources.is_empty() {
        row("documents", "none: set knowledge.dir, or send one with the caption /learn".to_owned());
    }
    if state.sources.len() > 1 {
        row("all", counted(&state.total));
    }
    let formats: Vec<String> =
        state.formats.iter().map(|(name, n)| format!("{n} {}", visible(name))).collect();
    if !formats.is_empty() {
        row("formats", formats.join(", "));
    }
    let ago = |at_ms: i64| span(u64::try_from(now_ms.saturating_sub(at_ms)).unwrap_or(0));
    let left_out = state.look.as_ref().map(|look| &look.left_out);
    if let Some(left_out) = left_out.filter(|left_out| !left_out.files.is_empty()) {
        row("left out", visible(&files_by_ending(&left_out.files)));
    }
    if let Some(at_ms) = state.newest_ms {
        row("last read", format!("{} ago", ago(at_ms)));
    }
    if let Some(why) = &state.paused {
        row("paused", format!("{}; it goes on by itself", visible(why)));
    }
    if !state.is_complete() && !sources.is_empty() {
        let what = match &state.look {
            Some(look) => format!("the look that began {} ago has not ended", ago(look.begun_ms)),
            None => "the folders have not been looked through yet".to_owned(),
        };
        let who = "the running bot, its next start or `katana-bot knowledge sync` completes it";
        row("not complete", format!("{what}; {who}"));
    }
    for one in &state.generations {
        row(&format!("vectors {}", one.id), vectors(one));
    }
    let mut page = columns(&rows);
    let folders = left_out.map(folders).unwrap_or_default();
    let lists = [
        (
            &folders,
            Mark::Bad,
            "folders that cannot be read; what is known of their documents stays",
        ),
        (&state.unreadable, Mark::Bad, "cannot be read"),
        (&state.remarks, Mark::Note, "worth a look"),
    ];
    for (list, mark, what) in lists {
        page.push_str(&named(list, mark, what, style));
    }
    page
}

/// What was not seen as a whole at the last look.
fn folders(left_out: &LeftOut) -> Vec<Named> {
    let named =
        |(source, why): &(String, String)| Named { name: source.clone(), text: why.clone() };
    let mut folders: Vec<Named> = left_out.unreadable.iter().map(named).collect();
    if left_out.beyond > 0 {
        let text = format!("{} too many, which are left out", count(left_out.beyond, "document"));
        folders.push(Named { name: "all sources".to_owned(), text });
    }
    folders
}

fn counted(counted: &Counted) -> String {
    let Counted { documents, unreadable, passages } = counted;
    let bad = match unreadable {
        0 => String::new(),
        1 if *documents == 1 => ", which cannot be read".to_owned(),
        n => format!(", {n} of them cannot be read"),
    };
    format!("{} in {}{bad}", count(*documents, "document"), count(*passages, "passage"))
}

fn vectors(one: &Vectors) -> String {
    let state = match one.state {
        GenerationState::Active => "in use",
        GenerationState::Building => "being made",
        GenerationState::Old => "no longer in use",
    };
    let eta = one.eta_s.map(|s| format!(", about {} left", span(s.saturating_mul(1000))));
    let of = match one.of > 0 {
        true => format!("{} of {} texts ({} %)", one.embedded, one.of, percent(one)),
        false => count(one.embedded, "text"),
    };
    let model = visible(&one.model);
    format!("{model}, {} dimensions, {state}: {of}{}", one.dimensions, eta.unwrap_or_default())
}

/// Rounded down, so that what is not complete never reads as if it were.
fn percent(one: &Vectors) -> u64 {
    (one.embedded.saturating_mul(100) / one.of.max(1)).min(100)
}

fn named(list: &[Named], mark: Mark, what: &str, style: Style) -> String {
    if list.is_empty() {
        return String::new();
    }
    let mut text = format!("\n{what}:\n");
    for one in list.iter().take(NAMED) {
        let (name, why) = (visible(&one.name), visible(&one.text));
        text.push_str(&format!("{} {name}: {why}\n", style.sign(mark)));
    }
    if list.len() > NAMED {
        text.push_str(&format!("  … and {} more (--json)\n", list.len() - NAMED));
    }
    text
}
