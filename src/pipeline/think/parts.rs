//! What the workers have of the process.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use arc_swap::ArcSwap;

use crate::answer::Answerer;
use crate::commands::CommandContext;
use crate::pipeline::{Pipeline, Signals, StageBase, StageSettings};
use crate::telegram::{Client, Me};

/// What a worker needs.
pub(in crate::pipeline) struct ThinkParts {
    pub(super) base: StageBase,
    pub(in crate::pipeline) client: Client,
    pub(super) me: Me,
    pub(super) context: Arc<CommandContext>,
    pub(super) answerer: Arc<Answerer>,
    pub(in crate::pipeline) settings: Arc<ArcSwap<StageSettings>>,
    pub(super) signals: Arc<Signals>,
    /// The server knows no drafts.
    pub(in crate::pipeline) drafts_unknown: AtomicBool,
}

impl ThinkParts {
    pub(in crate::pipeline) fn new(pipeline: &Pipeline) -> Self {
        Self {
            base: pipeline.base.clone(),
            client: pipeline.client.clone(),
            me: pipeline.me.clone(),
            context: Arc::clone(&pipeline.context),
            answerer: Arc::clone(&pipeline.answerer),
            settings: Arc::clone(&pipeline.settings),
            signals: Arc::clone(&pipeline.signals),
            drafts_unknown: AtomicBool::new(false),
        }
    }
}
