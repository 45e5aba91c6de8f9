//! Reading the configuration again while the bot works.
//!
//! Invariants: a configuration with a problem changes nothing; whatever may fail is done before
//! anything changes; work that is under way finishes with what it began with, so no message is
//! lost or doubled; no value is logged.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context;
use hygiene::Redactor;
use tokio::sync::{Mutex, Notify, watch};

use super::claim::open_access;
use super::documents::{AnswerParts, Documents};
use super::settings;
use crate::answer::Answerer;
use crate::blocking;
use crate::commands::About;
use crate::config::{ANOTHER_BOT, Config, Loaded, Part, Problem, Problems, Reload, Sources};
use crate::logging;
use crate::model::failure::chain;
use crate::observe::catalog::JournalEvent;
use crate::observe::repeats::Repeats;
use crate::pipeline::{Delivery, Pipeline, PollHandle};
use crate::supervise::ReportHub;
use crate::telegram::{Client, TelegramError};

/// How long after what was learned could not be taken over, such as on a full disk.
const LEARNED_AGAIN: Duration = Duration::from_secs(5);

/// What a reload came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reloaded {
    /// The new configuration is in effect.
    Applied {
        /// Keys whose new value is in effect.
        changed: Vec<String>,
        /// Keys whose old value stays in effect until a restart.
        needs_restart: Vec<String>,
    },
    /// Nothing has changed; the reason in one line, with no value in it.
    Rejected(String),
}

/// Holds the configuration in effect and knows who takes which part of it.
pub struct Reloader {
    loaded: watch::Sender<Arc<Loaded>>,
    redactor: Redactor,
    client: Client,
    answerer: Arc<Answerer>,
    report_hub: ReportHub,
    pub(super) documents: Documents,
    reconcile_after: Duration,
    running: OnceLock<Running>,
    /// One reload at a time, and none while the stages are being started.
    turn: Mutex<()>,
}

/// What exists only once Telegram has said who the bot is.
pub(super) struct Running {
    pub(super) pipeline: Arc<Pipeline>,
    pub(super) delivery: Delivery,
    pub(super) poll: PollHandle,
    /// The owners changed.
    pub(super) owners: Arc<Notify>,
}

/// A new configuration, with what has to be made from it before it can be used.
struct Fresh {
    loaded: Loaded,
    changed: Vec<String>,
    /// Parts that take a new value over.
    parts: Vec<Part>,
    needs_restart: Vec<(String, &'static str)>,
    /// `None`: answers go on as before.
    answers: Option<AnswerParts>,
}

impl Fresh {
    fn touches(&self, part: Part) -> bool {
        self.parts.contains(&part)
    }
}

impl Reloader {
    pub(super) fn new(
        loaded: Loaded,
        redactor: Redactor,
        client: Client,
        answerer: Arc<Answerer>,
        report_hub: ReportHub,
        documents: Documents,
        reconcile_after: Duration,
    ) -> Self {
        Self {
            loaded: watch::Sender::new(Arc::new(loaded)),
            redactor,
            client,
            answerer,
            report_hub,
            documents,
            reconcile_after,
            running: OnceLock::new(),
            turn: Mutex::default(),
        }
    }

    /// The configuration in effect. Keys that need a restart have the value of the start.
    pub fn loaded(&self) -> Arc<Loaded> {
        Arc::clone(&self.loaded.borrow())
    }

    /// Who answers.
    pub(super) fn answerer(&self) -> &Arc<Answerer> {
        &self.answerer
    }

    /// Knows what must not get out.
    pub(super) fn redactor(&self) -> &Redactor {
        &self.redactor
    }

    /// The same, now and after each reload, for parts that look for themselves.
    pub fn watch(&self) -> watch::Receiver<Arc<Loaded>> {
        self.loaded.subscribe()
    }

    /// Where a refused configuration is reported.
    pub fn report_hub(&self) -> &ReportHub {
        &self.report_hub
    }

    /// Keeps reloads waiting until the guard is dropped.
    pub(super) async fn hold(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    /// From now on reloads reach the stages, too.
    pub(super) fn runs(&self, running: Running) {
        // Set once, by the one start of a process.
        let _ = self.running.set(running);
    }

    /// Fresh connections to Telegram with the settings in effect; the poll restarts.
    ///
    /// # Errors
    /// When no TLS roots can be loaded; then nothing has changed.
    pub fn renew_client(&self) -> Result<(), TelegramError> {
        self.client.renew(&settings::telegram(&self.loaded().config, &self.redactor))
    }

    /// Reads the configuration, the secrets and the knowledge folder again. What is good is in
    /// effect when this returns; what is not changes nothing. Works before Telegram has answered,
    /// too.
    pub async fn reload(self: &Arc<Self>, sources: &Sources) -> Reloaded {
        let turn = self.turn.lock().await;
        let (this, sources) = (Arc::clone(self), sources.clone());
        // Files may be many, or on a slow disk.
        let read = blocking::run(move || read(&sources, &this)).await;
        let fresh = read.context("reading was interrupted").and_then(|fresh| fresh);
        let fresh = fresh.and_then(|fresh| {
            if fresh.touches(Part::Client) {
                self.client.renew(&settings::telegram(&fresh.loaded.config, &self.redactor))?;
            }
            Ok(fresh)
        });
        let outcome = match fresh {
            Ok(fresh) => {
                let patience = Duration::from_secs(fresh.loaded.config.answer.timeout_s);
                let taken = self.take(fresh);
                self.offer_claim(&taken).await;
                // A start that waits for its turn does not wait for the folders.
                drop(turn);
                self.documents.look(patience).await;
                return taken;
            }
            Err(e) => self.reject(&e),
        };
        drop(turn);
        outcome
    }

    /// Puts a configuration into effect. Nothing in here can fail.
    fn take(&self, mut fresh: Fresh) -> Reloaded {
        let answers = fresh.answers.take();
        let config = &fresh.loaded.config;
        if fresh.touches(Part::Log) {
            logging::set_level(config.log.level.as_str());
        }
        if let Some(parts) = answers {
            self.answer_with(parts, config);
        }
        // Who reloads may have repaired a provider; the credit is in no file.
        self.answerer.pool().probe_soon();
        if let Some(running) = self.running.get() {
            running.take(&fresh, &self.answerer, self.reconcile_after);
        }
        // Those that were given before are known.
        let old = self.loaded();
        for warning in fresh.loaded.warnings.iter().filter(|w| !old.warnings.contains(w)) {
            tracing::warn!(key = warning.key, "{}; {}", warning.message, warning.hint);
        }
        for key in &fresh.changed {
            // The owners decide who else may chat.
            let message_id = (key == "bot.owners").then(|| JournalEvent::OwnerChanged.id());
            tracing::info!(message_id, key, "changed: {key}; the new value is in effect");
        }
        for (key, why) in &fresh.needs_restart {
            tracing::warn!(key, "needs a restart: {key}, because {why}");
        }
        let needs_restart: Vec<_> =
            fresh.needs_restart.iter().map(|(key, _)| key.clone()).collect();
        tracing::info!(
            message_id = JournalEvent::Reloaded.id(),
            changed = fresh.changed.len(),
            needs_restart = needs_restart.len(),
            "configuration read again"
        );
        self.report_hub.set_config_rejected(None);
        self.loaded.send_replace(Arc::new(fresh.loaded));
        Reloaded::Applied { changed: fresh.changed, needs_restart }
    }

    /// Questions are answered with these from now on.
    fn answer_with(&self, parts: AnswerParts, config: &Config) {
        let AnswerParts { endpoints, knowledge, sources, is_first } = parts;
        self.documents.set_sources(sources);
        let settings = settings::answering(config, &self.redactor);
        if is_first {
            self.answerer.expect_documents();
        }
        self.answerer.renew(endpoints, knowledge, settings);
    }

    /// Answers from what owners sent as soon as there is something, and no longer when all of it is removed.
    pub(super) async fn follow_learned(self: Arc<Self>) {
        let mut failing = Repeats::default();
        loop {
            self.documents.learned_otherwise().await;
            let turn = self.turn.lock().await;
            let (this, loaded) = (Arc::clone(&self), self.loaded());
            let config = Arc::clone(&loaded);
            // It may have to make the index.
            let parts = blocking::run(move || this.documents.parts(&config.config)).await;
            let Some(parts) = parts else { return };
            let e = match parts {
                Ok(parts) => {
                    self.answer_with(parts, &loaded.config);
                    failing.over();
                    continue;
                }
                Err(e) => e,
            };
            self.documents.learned_as_before();
            drop(turn);
            if failing.is_news("learned") {
                let error = chain(e.as_ref());
                tracing::error!(error, "cannot answer from what was learned: {error}");
            }
            tokio::time::sleep(LEARNED_AGAIN).await;
        }
    }

    /// When the last owner is removed, someone must be able to become the owner.
    async fn offer_claim(&self, applied: &Reloaded) {
        let Reloaded::Applied { changed, .. } = applied else { return };
        let Some(running) =
            self.running.get().filter(|_| changed.iter().any(|key| key == "bot.owners"))
        else {
            return;
        };
        if let Err(e) = open_access(&running.pipeline.base.store, &self.loaded()).await {
            let error = chain(e.as_ref());
            tracing::error!(error, "cannot offer a claim code: {error}");
        }
    }

    fn reject(&self, e: &anyhow::Error) -> Reloaded {
        let reason = match e.downcast_ref::<Problems>() {
            Some(problems) => {
                for Problem { key, message, hint } in &problems.0 {
                    tracing::error!(
                        key,
                        "problem in the new configuration: {key}: {message}; {hint}"
                    );
                }
                problems.in_one_line()
            }
            None => chain(e.as_ref()),
        };
        // The supervisor makes a finding of it, until a good one is taken.
        tracing::error!(
            message_id = JournalEvent::ReloadRefused.id(),
            "the new configuration is refused, the old one stays in effect: {reason}"
        );
        self.report_hub.set_config_rejected(Some(reason.clone()));
        Reloaded::Rejected(reason)
    }
}

impl Running {
    fn take(&self, fresh: &Fresh, answerer: &Answerer, reconcile_after: Duration) {
        let config = &fresh.loaded.config;
        if fresh.touches(Part::Access) {
            self.pipeline.context.set_access(settings::rules(config));
            self.owners.notify_one();
        }
        if fresh.touches(Part::Answers) {
            let (provider, model) = answerer.provider();
            let about = (*self.pipeline.context.about()).clone();
            self.pipeline.context.set_about(About {
                provider,
                answers_from: settings::answer_source(config),
                model,
                models: config.answer.models.clone(),
                ..about
            });
        }
        if fresh.touches(Part::Stages) {
            self.pipeline.set_settings(settings::stages(config, reconcile_after));
            self.poll.set_settings(settings::poll(config));
        }
        if fresh.touches(Part::Pace) {
            self.delivery.set_rates(settings::rates(config));
        }
    }
}

/// Everything that may fail or take a while.
fn read(sources: &Sources, reloader: &Reloader) -> anyhow::Result<Fresh> {
    let (old, redactor) = (&*reloader.loaded(), &reloader.redactor);
    let mut loaded = Config::load(sources)?;
    // Before anything is done, and perhaps said, with them.
    redactor.add(loaded.to_strike_out());
    let (mut changed, mut parts, mut needs_restart) = (Vec::new(), Vec::new(), Vec::new());
    let another_bot = loaded.config.telegram.token.bot_id() != old.config.telegram.token.bot_id();
    for (key, reload) in old.changes(&loaded) {
        // The address goes with the token: another bot may live elsewhere.
        let bound_to_bot = another_bot && ["telegram.token", "telegram.api_url"].contains(&&*key);
        match reload {
            Reload::Live(part) if !bound_to_bot => {
                changed.push(key);
                parts.push(part);
            }
            Reload::Live(_) => {
                loaded.keep(&key, old);
                needs_restart.push((key, ANOTHER_BOT));
            }
            Reload::Restart(why) => {
                loaded.keep(&key, old);
                needs_restart.push((key, why));
            }
        }
    }
    let mut fresh = Fresh { loaded, changed, parts, needs_restart, answers: None };
    // What the documents are about may have changed without any key.
    if fresh.touches(Part::Answers) || reloader.documents.opened().is_some() {
        fresh.answers = Some(reloader.documents.parts(&fresh.loaded.config)?);
    }
    Ok(fresh)
}
