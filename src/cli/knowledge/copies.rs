//! `katana-bot knowledge backup | restore`: the index in one file, and back.

use std::path::Path;
use std::process::ExitCode;

use serde_json::json;

use crate::app;
use crate::cli::exit;
use crate::cli::stop::Stop;
use crate::cli::style::{say, say_json, visible};
use crate::config::Config;
use crate::model::failure::chain;
use crate::store::{GenerationState, Index};

/// Copies the index, also while the bot runs. Where Qdrant searches the vectors, it writes a snapshot, too.
pub(super) async fn backup(config: &Config, to: &Path, is_json: bool) -> anyhow::Result<ExitCode> {
    let shown = visible(&to.to_string_lossy());
    if to.symlink_metadata().is_ok() {
        let message = format!("{shown} already exists");
        return Err(Stop::new(exit::USAGE, message, "name another file").into());
    }
    if !config.knowledge.index_path.exists() {
        let hint = "start the bot, or run `katana-bot knowledge sync`";
        return Err(Stop::new(exit::UNAVAILABLE, "there is no index of documents yet", hint).into());
    }
    let index = Index::visit(&config.knowledge.index_path)?;
    let size = index.copy_to(to.to_owned()).await?;
    let snapshot = snapshot(config, &index).await;
    if is_json {
        let (names, error) = (snapshot.as_ref().ok().cloned().flatten(), snapshot.as_ref().err());
        let qdrant =
            names.map(|(collection, name)| json!({"collection": collection, "snapshot": name}));
        say_json(&json!({"file": to.display().to_string(), "bytes": size, "qdrant": qdrant,
            "qdrant_error": error}));
    } else {
        say(&format!("The index is in {shown}, {:.1} MiB.\n", size as f64 / 1_048_576.0));
    }
    match snapshot {
        Ok(Some((collection, name))) if !is_json => say(&format!(
            "Qdrant has the snapshot {} of the collection {}; docs/knowledge.md says how to fetch it.\n",
            visible(&name),
            visible(&collection)
        )),
        Ok(_) => {}
        Err(why) => {
            let message = format!("Qdrant has made no snapshot: {why}");
            let hint = "the copy of the index has all vectors, too: without a snapshot they are sent to Qdrant again";
            return Err(Stop::new(exit::UNAVAILABLE, message, hint).into());
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The names of the collection in use and of its new snapshot; `None` where there is none, or no Qdrant.
async fn snapshot(config: &Config, index: &Index) -> Result<Option<(String, String)>, String> {
    let copies = app::copies(config).map_err(|e| chain(&e))?;
    let all = index.generations().await.map_err(|e| chain(&e))?;
    match all.iter().find(|one| one.state == GenerationState::Active) {
        Some(active) => copies.snapshot(active).await.map_err(|e| chain(&e)),
        None => Ok(None),
    }
}

/// Puts a copy in the place of the index.
pub(super) fn restore(config: &Config, from: &Path) -> anyhow::Result<ExitCode> {
    let path = &config.knowledge.index_path;
    Index::restore(from, path)?;
    say(&format!(
        "{} is the index now. What changed since it was made is read at the next start.\n",
        from.display()
    ));
    Ok(ExitCode::SUCCESS)
}
