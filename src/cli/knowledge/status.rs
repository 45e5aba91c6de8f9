//! `katana-bot knowledge status`.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::server::{Server, servers};
use super::state::{Counted, Named, State, Vectors};
use super::words;
use crate::cli::style::{Style, say, say_json};
use crate::config::Loaded;
use crate::observe::clock::Clock;

pub(super) async fn status(loaded: &Loaded, is_json: bool) -> anyhow::Result<ExitCode> {
    let config = &loaded.config;
    let now_ms = Clock::system().now_ms();
    let state = State::read(config, now_ms).await?;
    let servers = servers(config).await;
    if is_json {
        say_json(&as_json(state.as_ref(), &servers));
    } else {
        let style = Style::of(&std::io::stdout());
        say(&words::page(config, state.as_ref(), &servers, style, now_ms));
    }
    Ok(ExitCode::SUCCESS)
}

fn as_json(state: Option<&State>, servers: &[Server]) -> Value {
    let counted = |counted: &Counted| {
        json!({
            "documents": counted.documents,
            "unreadable": counted.unreadable,
            "passages": counted.passages,
        })
    };
    let named = |named: &Named| json!({"document": named.name, "text": named.text});
    let vectors = |one: &Vectors| {
        json!({
            "generation": one.id,
            "state": one.state.name(),
            "model": one.model,
            "dimensions": one.dimensions,
            "embedded": one.embedded,
            "of": one.of,
            "eta_s": one.eta_s,
        })
    };
    let server = |one: &Server| json!({"name": one.name, "reachable": one.problem.is_none(), "problem": one.problem});
    let servers: Vec<Value> = servers.iter().map(server).collect();
    let Some(state) = state else { return json!({"index": null, "servers": servers}) };
    let left_out = state.look.as_ref().map(|look| look.left_out.clone()).unwrap_or_default();
    json!({
        "index": state.path.display().to_string(),
        "total": counted(&state.total),
        "sources": state.sources.iter().map(|(name, one)| (name.clone(), counted(one)))
            .collect::<serde_json::Map<_, _>>(),
        "formats": state.formats,
        "paused": state.paused,
        "is_complete": state.is_complete(),
        "looked_ms": state.look.as_ref().and_then(|look| look.ended_ms),
        "folders_unreadable": left_out.unreadable.iter()
            .map(|(source, why)| json!({"source": source, "text": why})).collect::<Vec<_>>(),
        "left_out": left_out.files,
        "beyond": left_out.beyond,
        "unreadable": state.unreadable.iter().map(named).collect::<Vec<_>>(),
        "remarks": state.remarks.iter().map(named).collect::<Vec<_>>(),
        "generations": state.generations.iter().map(vectors).collect::<Vec<_>>(),
        "newest_ms": state.newest_ms,
        "servers": servers,
    })
}
