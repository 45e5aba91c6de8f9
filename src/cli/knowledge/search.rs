//! `katana-bot knowledge search`.

use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use serde_json::{Value, json};

use super::open::{Opened, open};
use crate::cli::style::{say, say_json, visible};
use crate::config::Loaded;
use crate::knowledge::{Hits, SearchRequest, Source};
use crate::store::IndexedPassage;

/// Passages that are shown.
const SHOWN: usize = 10;

/// Characters of a passage that are shown to people.
const EXCERPT: usize = 240;

#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct SearchArgs {
    /// What to search for, as a person would ask it
    #[arg(value_name = "QUESTION")]
    words: String,
    /// Vectors of this generation instead of those in use; `katana-bot knowledge status` shows their numbers
    #[arg(long, value_name = "N")]
    generation: Option<i64>,
    /// Machine-readable output
    #[arg(long)]
    json: bool,
}

pub(super) async fn search(loaded: &Loaded, wish: &SearchArgs) -> anyhow::Result<ExitCode> {
    let opened = open(loaded, wish.generation, &[&wish.words]).await?;
    let sources = crate::app::sources(&loaded.config);
    let request = SearchRequest {
        words: wish.words.clone(),
        limit: SHOWN,
        generation: wish.generation,
        ..SearchRequest::default()
    };
    let found = opened.searcher.search(&request).await;
    let hits = found.context("cannot search the index of the documents")?;
    if wish.json {
        say_json(&as_json(&opened, &hits, &sources));
    } else {
        say(&page(&opened, &hits, &sources));
    }
    opened.close().await;
    Ok(ExitCode::SUCCESS)
}

/// Where people can read a passage.
fn link(passage: &IndexedPassage, sources: &[Source]) -> Option<String> {
    let source = sources.iter().find(|source| source.name() == passage.source)?;
    source.link(&passage.path, passage.anchor.as_deref(), passage.page)
}

fn as_json(opened: &Opened, hits: &Hits, sources: &[Source]) -> Value {
    let passage = |(passage, score): &(IndexedPassage, f64)| {
        json!({
            "score": score,
            "source": passage.source,
            "path": passage.path,
            "title": passage.title,
            "anchor": passage.anchor,
            "page": passage.page,
            "link": link(passage, sources),
            "language": passage.language,
            "text": passage.text,
        })
    };
    json!({
        "passages": hits.passages.iter().map(passage).collect::<Vec<_>>(),
        "by_words": hits.by_words,
        "by_vectors": hits.by_vectors,
        "words_alone_because": words_alone(opened, hits),
        "generation": opened.meaning.as_ref().map(|meaning| meaning.generation().0),
        "took_ms": hits.took.as_secs_f64() * 1e3,
    })
}

fn words_alone(opened: &Opened, hits: &Hits) -> Option<String> {
    let failed = hits.no_meaning.as_ref().map(ToString::to_string);
    failed.or_else(|| opened.words_alone.clone()).filter(|_| !hits.by_vectors)
}

fn page(opened: &Opened, hits: &Hits, sources: &[Source]) -> String {
    let mut page = String::new();
    for (n, (passage, score)) in hits.passages.iter().enumerate() {
        let IndexedPassage { source, path, title, text, page: number, .. } = passage;
        let number = number.map(|number| format!(", page {number}")).unwrap_or_default();
        let title = if title.is_empty() { String::new() } else { format!(" › {title}") };
        let place = visible(&format!("{source}/{path}{title}{number}"));
        let excerpt: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let excerpt = hygiene::line::one_line(&excerpt, EXCERPT);
        page.push_str(&format!("{}. {place}  ({score:.3})\n   {excerpt}\n", n + 1));
        if let Some(link) = link(passage, sources) {
            page.push_str(&format!("   {}\n", visible(&link)));
        }
    }
    if hits.passages.is_empty() {
        page.push_str("Nothing in the documents is about that.\n");
    }
    let took = hits.took.as_secs_f64() * 1e3;
    let how = match words_alone(opened, hits) {
        None => "words and meaning".to_owned(),
        Some(why) => format!("words alone: {}", visible(&why)),
    };
    page.push_str(&format!("\nSearched by {how}; {took:.0} ms.\n"));
    page
}
