//! What the workers have of the process.

use std::sync::Arc;

use super::admission::Admissions;
use super::latest::LatestQuestions;
use crate::answer::Answerer;
use crate::commands::{self, CommandContext};
use crate::model::ids::ChatId;
use crate::pipeline::preview::Previews;
use crate::pipeline::{Pipeline, Signals, StageBase};
use crate::telegram::{Client, Me, MenuScope};

/// What a worker needs.
pub(in crate::pipeline) struct ThinkParts {
    pub(super) base: StageBase,
    pub(super) client: Client,
    pub(super) me: Me,
    pub(super) context: Arc<CommandContext>,
    pub(super) answerer: Arc<Answerer>,
    pub(super) signals: Arc<Signals>,
    pub(super) previews: Previews,
    pub(super) latest_questions: LatestQuestions,
    pub(super) admissions: Admissions,
    /// Held from the look at who owns the bot to the commit, so that only one of all who send the claim
    /// code hears that they are the owner.
    pub(super) claims: tokio::sync::Mutex<()>,
    /// Held while a document that was sent is loaded and read.
    pub(super) lessons: tokio::sync::Mutex<()>,
}

impl ThinkParts {
    pub(in crate::pipeline) fn new(pipeline: &Pipeline) -> Self {
        Self {
            base: pipeline.base.clone(),
            client: pipeline.client.clone(),
            me: pipeline.me.clone(),
            context: Arc::clone(&pipeline.context),
            answerer: Arc::clone(&pipeline.answerer),
            signals: Arc::clone(&pipeline.signals),
            previews: Previews::new(pipeline),
            latest_questions: LatestQuestions::default(),
            admissions: Admissions::new(Arc::clone(&pipeline.settings)),
            claims: tokio::sync::Mutex::default(),
            lessons: tokio::sync::Mutex::default(),
        }
    }

    /// A new owner sees the owner's commands in the menu. Convenience only: tried once.
    pub(super) fn publish_for(self: &Arc<Self>, owner: ChatId) {
        let parts = Arc::clone(self);
        self.base.tasks.spawn("publish", async move {
            let menu = commands::published(commands::Scope::Owner);
            tokio::select! {
                done = parts.client.publish(MenuScope::Chat(owner), &menu) => if let Err(e) = done {
                    tracing::warn!(error = %e, "cannot publish the command menu: {e}");
                },
                () = parts.base.tasks.halt().cancelled() => {}
            }
        });
    }

    /// Ends the waiting sign on a button. Nothing depends on it, so it is not kept on disk.
    pub(super) fn close_press(self: &Arc<Self>, id: &str, notice: Option<String>) {
        let (parts, id) = (Arc::clone(self), id.to_owned());
        self.base.tasks.spawn("answer-press", async move {
            let call = parts.client.answer_press(&id, notice.as_deref());
            tokio::select! {
                done = call => if let Err(e) = done {
                    tracing::debug!(error = %e, "cannot answer a button");
                },
                () = parts.base.tasks.halt().cancelled() => {}
            }
        });
    }
}
