//! Who answers, and from which documents.
//!
//! Invariant: the start does not wait until a folder is read, because it may be large or on a slow disk.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hygiene::time_limit;

use super::settings;
use crate::answer::{self, Endpoint};
use crate::config::Config;
use crate::knowledge::Knowledge;
use crate::provider::Kind;

/// Who answers, and from what.
pub(super) struct AnswerParts {
    pub(super) endpoints: Vec<Endpoint>,
    pub(super) knowledge: Option<Arc<Knowledge>>,
}

impl AnswerParts {
    /// What is there before a folder is read, and whether there is one. One that does not answer, such as on a
    /// mount whose server is gone, is read as soon as it does.
    ///
    /// # Errors
    /// When the folder cannot be opened, or the provider cannot work as configured.
    pub(super) fn before_reading(config: &Config) -> anyhow::Result<(Self, bool)> {
        let (dir, is_needed) = (config.knowledge.dir.clone(), answers_from_documents(config));
        let folder = move |dir: PathBuf| {
            let wanted = is_needed || dir.is_dir();
            wanted.then(|| Knowledge::check(&dir))
        };
        match dir.map(|dir| time_limit::look(move || folder(dir))) {
            None | Some(Some(None)) => return Ok((Self::read(config)?, false)),
            Some(Some(Some(opened))) => opened?,
            Some(None) => {}
        }
        Ok((Self { endpoints: settings::endpoints(config, None)?, knowledge: None }, true))
    }

    /// Reads the folder, or the built-in pages where those answer. Takes as long as the folder is large.
    ///
    /// # Errors
    /// When the folder cannot be read, or the provider cannot work as configured.
    pub(super) fn read(config: &Config) -> anyhow::Result<Self> {
        let knowledge = match folder(config) {
            Some(dir) => Some(read(dir)?),
            None if answers_from_pages(config) => Some(Knowledge::of_pages(answer::PAGES)?),
            None => None,
        };
        let endpoints = settings::endpoints(config, knowledge.as_ref())?;
        Ok(Self { endpoints, knowledge: knowledge.map(Arc::new) })
    }
}

fn answers_from_documents(config: &Config) -> bool {
    config.chosen().iter().any(|chosen| matches!(chosen.kind.kind, Kind::Documents))
}

fn answers_from_pages(config: &Config) -> bool {
    answers_from_documents(config) && config.knowledge.dir.is_none()
}

/// The folder to read, if any.
fn folder(config: &Config) -> Option<&Path> {
    let offline = answers_from_documents(config);
    // Where a model answers, the configuration warned of a missing folder already, and answers go on
    // without it.
    config.knowledge.dir.as_deref().filter(|dir| offline || dir.is_dir())
}

fn read(dir: &Path) -> anyhow::Result<Knowledge> {
    let knowledge = Knowledge::open(dir)?;
    let (files, passages) = knowledge.size();
    tracing::info!(path = %dir.display(), files, passages, "knowledge folder read");
    for path in knowledge.left_out() {
        tracing::warn!(
            path = %path.display(),
            "skipped {}: too large, not UTF-8, one too many, or a link out of the folder",
            path.display()
        );
    }
    for remark in knowledge.remarks() {
        let path = dir.join(&remark.file).display().to_string();
        tracing::warn!(path, reason = %remark.kind, "look at {path}: {}", remark.kind);
    }
    Ok(knowledge)
}
