//! The composition root: the only place where concrete parts meet.

mod breakers;
mod canary;
mod claim;
mod documents;
mod embedding;
mod endpoint;
mod indexing;
mod introduce;
mod menus;
pub mod reload;
mod report_sender;
mod restart;
mod settings;
mod waiting;
mod watching;

pub use report_sender::ReportSender;
pub(crate) use settings::thresholds;
pub(crate) use settings::{copies, embedder, provider};
pub use waiting::Waiting;

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use hygiene::Redactor;
use tokio::sync::{Notify, watch};

use self::claim::open_access;
pub(crate) use self::documents::sources;
use self::documents::{AnswerParts, Documents};
use self::endpoint::Endpoint;
use self::reload::{Reloaded, Reloader};
use self::watching::Watching;
use crate::answer::Answerer;
use crate::commands::{About, CommandContext};
use crate::config::{Config, Loaded, Sources};
use crate::lifecycle::Tasks;
use crate::model::ids::BotId;
use crate::model::limits;
use crate::observe::catalog::JournalEvent;
use crate::observe::clock::Clock;
use crate::observe::finding::Kind;
use crate::observe::liveness::Loop;
use crate::observe::vitals::Vitals;
use crate::pipeline::{
    Deliver, Delivery, Dispatcher, Pipeline, Poll, PollHandle, Polling, Retention, StageBase,
    UpdateSource,
};
use crate::store::{Store, file};
use crate::supervise::{Phase, ReportHub};
use crate::telegram::Client;

/// What a test or a benchmark may set that no configuration should.
#[derive(Clone, Debug)]
pub struct Tuning {
    /// Time of day.
    pub clock: Clock,
    /// How long after an attempt a part in doubt is looked at.
    pub reconcile_after: Duration,
}

impl Default for Tuning {
    fn default() -> Self {
        Self { clock: Clock::system(), reconcile_after: limits::RECONCILE_AFTER }
    }
}

/// A running bot.
pub struct App {
    pipeline: Arc<Pipeline>,
    poll: PollHandle,
    reloader: Arc<Reloader>,
    claim_code: Option<String>,
    watching: Watching,
}

fn bot_id(config: &Config) -> anyhow::Result<BotId> {
    config.telegram.token.bot_id().map(BotId).context("the token has no bot id")
}

/// Parts that are opened before Telegram is asked anything.
pub struct Prepared {
    store: Store,
    client: Client,
    answerer: Arc<Answerer>,
    reloader: Arc<Reloader>,
    endpoint: Option<Endpoint>,
    vitals: Arc<Vitals>,
    report_hub: ReportHub,
    tuning: Tuning,
    bot: BotId,
}

impl Prepared {
    /// Opens the state and builds the clients; nothing is sent yet. `redactor` knows from now on what
    /// must not get out, and learns it from each reload.
    ///
    /// # Errors
    /// What an operator has to fix: the state file, the knowledge folder, TLS roots.
    pub fn open(loaded: &Loaded, redactor: Redactor, tuning: Tuning) -> anyhow::Result<Self> {
        let store = Self::store(loaded, &tuning)?;
        Self::with(loaded, redactor, tuning, store, None)
    }

    /// Opens the state alone, which takes long for a large file that is checked or migrated.
    ///
    /// # Errors
    /// When the state file cannot be had.
    pub fn store(loaded: &Loaded, tuning: &Tuning) -> anyhow::Result<Store> {
        let path = &loaded.config.store.path;
        Ok(Store::open(path, bot_id(&loaded.config)?, tuning.clock.clone())?)
    }

    /// Builds the rest around the state. `listener`: of a process that listens already, because it had to
    /// wait for the state.
    ///
    /// # Errors
    /// As [`Prepared::open`].
    pub fn with(
        loaded: &Loaded,
        redactor: Redactor,
        tuning: Tuning,
        store: Store,
        listener: Option<TcpListener>,
    ) -> anyhow::Result<Self> {
        let config = &loaded.config;
        redactor.add(loaded.to_strike_out());
        let bot = bot_id(config)?;
        let vitals = Arc::new(Vitals::new(tuning.clock.clone()));
        if let Some(aside) = store.set_aside() {
            vitals.happened(Kind::StoreCorrupt);
            tracing::error!(
                message_id = JournalEvent::StateSetAside.id(),
                finding = "store_corrupt",
                path = %aside.display(),
                "the state file was damaged; it was set aside as {} and a new one created",
                aside.display()
            );
        }
        if let Some(kept) = store.pre_migration_backup() {
            tracing::info!(
                message_id = JournalEvent::StateMigrated.id(),
                path = %kept.path.display(),
                "the state file was migrated from schema {} to {}; the old one was kept as {}",
                kept.schema,
                file::newest_schema(),
                kept.path.display()
            );
        }
        let client = Client::new(&settings::telegram(config, &redactor), Arc::clone(&vitals))?;
        let documents = Documents::new(store.clone());
        let AnswerParts { endpoints, knowledge, .. } = documents.parts(config)?;
        let answering = settings::answering(config, &redactor);
        let answerer = Arc::new(Answerer::new(
            endpoints,
            knowledge,
            store.clone(),
            answering,
            Arc::clone(&vitals),
        ));
        if documents.opened().is_some_and(|opened| !opened.is_read()) {
            answerer.expect_documents();
        }
        let report_hub = ReportHub::new();
        let reloader = Arc::new(Reloader::new(
            loaded.clone(),
            redactor,
            client.clone(),
            Arc::clone(&answerer),
            report_hub.clone(),
            documents,
            tuning.reconcile_after,
        ));
        let endpoint = Some(Endpoint::bind(loaded, &answerer, listener)?);
        Ok(Self { store, client, answerer, reloader, endpoint, vitals, report_hub, tuning, bot })
    }

    /// Reads the configuration again on demand, already while Telegram is asked.
    pub fn reloader(&self) -> Arc<Reloader> {
        Arc::clone(&self.reloader)
    }

    /// Asks Telegram who the bot is, for as long as it takes, then starts all stages. `None` when
    /// the process drains first.
    ///
    /// # Errors
    /// When the state cannot be read or written.
    pub async fn start(mut self, tasks: Tasks) -> anyhow::Result<Option<App>> {
        let endpoint = self.endpoint.take();
        let Self { vitals, store, report_hub, reloader, .. } = &self;
        let watching = Watching::start(vitals, store, report_hub, reloader, endpoint, &tasks);
        let (reloader, main) = (self.reloader(), tasks.clone());
        let (indexing, of_it) = (self.reloader(), tasks.clone());
        let (vitals, clock) = (Arc::clone(vitals), self.tuning.clock.clone());
        let store = store.clone();
        tasks.spawn("documents", async move {
            indexing.index(vitals, clock, store, &of_it).await;
        });
        match self.connect(tasks).await {
            Ok(Some((pipeline, poll, claim_code))) => {
                watching.name(&pipeline.me.username);
                Ok(Some(App { pipeline, poll, reloader, claim_code, watching }))
            }
            Ok(None) => {
                watching.end(main.failed().is_none()).await;
                Ok(None)
            }
            Err(e) => {
                watching.end(false).await;
                Err(e)
            }
        }
    }

    async fn connect(
        self,
        tasks: Tasks,
    ) -> anyhow::Result<Option<(Arc<Pipeline>, PollHandle, Option<String>)>> {
        let Some(me) = introduce::introduce(&self.client, &self.vitals, self.bot, &tasks).await
        else {
            return Ok(None);
        };
        let reloader = self.reloader();
        let hold = reloader.hold().await;
        let loaded = reloader.loaded();
        let config = &loaded.config;
        let (provider, model) = self.answerer.provider();
        tracing::info!(
            bot_id = me.id.0,
            username = me.username,
            token = config.telegram.token.masked_token(),
            provider,
            model,
            environment = config.bot.environment,
            "connected to Telegram"
        );
        let claim_code = open_access(&self.store, &loaded).await?;
        breakers::start(self.answerer.pool(), &self.store, &tasks).await?;
        let vitals = Arc::clone(&self.vitals);
        let clock = self.tuning.clock.clone();
        let context = CommandContext::new(
            self.store.clone(),
            clock.clone(),
            Arc::clone(&vitals),
            settings::rules(config),
            About {
                models: config.answer.models.clone(),
                username: me.username.clone(),
                version: env!("CARGO_PKG_VERSION"),
                environment: config.bot.environment.clone(),
                provider: provider.to_owned(),
                answers_from: settings::answer_source(config),
                model,
                started_ms: clock.now_ms(),
            },
        );
        let settings = settings::stages(config, self.tuning.reconcile_after);
        let base = StageBase { store: self.store, vitals, clock, tasks };
        let telegram = (self.client, me);
        let answerer = Arc::clone(&self.answerer);
        let pipeline = Pipeline::new(base, telegram, context, self.answerer, settings).await?;
        let pipeline = Arc::new(pipeline);
        let poll = launch(&pipeline, &reloader, &self.report_hub).await?;
        canary::start(&reloader, answerer, &pipeline, &poll);
        drop(hold);
        Ok(Some((pipeline, poll, claim_code)))
    }
}

impl App {
    /// Waits until Telegram has answered the first poll; from then on the bot is at work.
    pub async fn ready(&mut self) {
        let mut polling = self.poll.polling();
        // The sender lives in `poll`, so this cannot fail while the app exists.
        let _ = polling.wait_for(|p| matches!(p, Polling::Listening | Polling::Full)).await;
        self.report_hub().enter(Phase::Running);
    }

    /// How polling goes, now and from now on.
    pub fn polling(&self) -> watch::Receiver<Polling> {
        self.poll.polling()
    }

    /// The update source.
    pub fn poll(&self) -> &PollHandle {
        &self.poll
    }

    /// Where the HTTP endpoint listens, unless it is off.
    pub fn web_address(&self) -> Option<std::net::SocketAddr> {
        self.watching.address()
    }

    /// The code that makes its sender the owner, while there is none.
    pub fn claim_code(&self) -> Option<&str> {
        self.claim_code.as_deref()
    }

    /// The parts of the stages, for tests and figures.
    pub fn pipeline(&self) -> &Arc<Pipeline> {
        &self.pipeline
    }

    /// Reads the configuration again, see [`Reloader::reload`].
    pub async fn reload(&self, sources: &Sources) -> Reloaded {
        self.reloader.reload(sources).await
    }

    /// Holds the configuration in effect, and why the last reload was refused.
    pub fn reloader(&self) -> &Arc<Reloader> {
        &self.reloader
    }

    /// Where people ask the process for something.
    pub fn report_hub(&self) -> &ReportHub {
        self.watching.report_hub()
    }

    /// Stops: nothing new is taken, running work gets `grace`, the rest stays on disk. Answers
    /// whether everything ended in time.
    pub async fn stop(self, grace: Duration) -> bool {
        let gentle = self.pipeline.base.tasks.end(grace).await;
        // Who looks after the store ends before it.
        self.watching.end(self.pipeline.base.tasks.failed().is_none()).await;
        self.pipeline.base.store.close().await;
        gentle
    }
}

async fn launch(
    pipeline: &Arc<Pipeline>,
    reloader: &Arc<Reloader>,
    report_hub: &ReportHub,
) -> anyhow::Result<PollHandle> {
    let loaded = reloader.loaded();
    let rates = settings::rates(&loaded.config);
    let delivery = Delivery::new(pipeline, rates);
    let chats = Dispatcher::new(pipeline, delivery.clone());
    let poll = Poll::new(pipeline, chats.at_once(), settings::poll(&loaded.config));
    let handle = poll.handle();
    let owners = Arc::new(Notify::new());
    reloader.runs(reload::Running {
        pipeline: Arc::clone(pipeline),
        delivery: delivery.clone(),
        poll: handle.clone(),
        owners: Arc::clone(&owners),
    });
    let tasks = pipeline.base.tasks.clone();
    looping(pipeline, Loop::Deliver, Deliver::new(delivery.clone()).await?.run());
    looping(pipeline, Loop::Dispatcher, async move {
        chats.run().await;
        delivery.close();
    });
    looping(pipeline, Loop::Intake, poll.run());
    tasks.spawn("retention", Retention::new(pipeline).run());
    tasks.spawn("menus", menus::menus(Arc::clone(pipeline), owners));
    let drain = tasks.drain().clone();
    tasks.spawn("restarts", restart::restarts(report_hub.clone(), Arc::clone(reloader), drain));
    Ok(handle)
}

/// Starts a loop that the watchdog looks at until it ends.
fn looping(pipeline: &Pipeline, which: Loop, run: impl Future<Output = ()> + Send + 'static) {
    let vitals = Arc::clone(&pipeline.base.vitals);
    pipeline.base.tasks.spawn(which.name(), async move {
        run.await;
        vitals.end(which);
    });
}
