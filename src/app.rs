//! The composition root: the only file where concrete parts meet.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use secrecy::SecretString;
use tokio::sync::watch;

use crate::answer::{self, Answerer};
use crate::commands::{self, About, Desk, Rules, Scope};
use crate::config::{self, Config};
use crate::lifecycle::Tasks;
use crate::model::clock::Clock;
use crate::model::failure::{Again, Judged, backoff, chain};
use crate::model::ids::{BotId, ChatId, UserId};
use crate::model::limits;
use crate::model::vitals::Vitals;
use crate::pipeline::{self, Chats, Deliver, Delivery, Intake, Polling, Retention, Shared};
use crate::provider::{
    Anthropic, AnthropicSettings, Echo, Offline, OpenAi, OpenAiSettings, Provider,
};
use crate::store::{Keep, Knowledge, Opening, Store};
use crate::telegram::pace::Rates;
use crate::telegram::{Client, Me, Settings as TelegramSettings};

/// What a test or a benchmark may set that no configuration should.
#[derive(Clone, Debug)]
pub struct Tuning {
    /// Time of day.
    pub clock: Clock,
    /// How long after an attempt an ambiguous part is looked at.
    pub reconcile_after: Duration,
}

impl Default for Tuning {
    fn default() -> Self {
        Self { clock: Clock::system(), reconcile_after: limits::RECONCILE_AFTER }
    }
}

/// A running bot.
pub struct App {
    shared: Arc<Shared>,
    polling: watch::Receiver<Polling>,
    claim_code: Option<String>,
}

/// Parts that are opened before Telegram is asked anything.
pub struct Prepared {
    store: Store,
    client: Client,
    provider: Arc<dyn Provider>,
    knowledge: Option<Arc<Knowledge>>,
    vitals: Arc<Vitals>,
    tuning: Tuning,
    bot: BotId,
}

impl Prepared {
    /// Opens the state and builds the clients; nothing is sent yet.
    ///
    /// # Errors
    /// What an operator has to mend: the state file, the knowledge folder, TLS roots.
    pub fn open(config: &Config, tuning: Tuning) -> anyhow::Result<Self> {
        let bot = BotId(config.telegram.token.bot_id().context("the token has no bot id")?);
        let store = Store::open(&config.store.path, bot, tuning.clock.clone())?;
        if let Some(aside) = store.set_aside() {
            tracing::error!(
                finding = "store_corrupt",
                path = %aside.display(),
                "the state file was damaged; it was set aside under this name and a new one begun"
            );
        }
        let vitals = Arc::new(Vitals::new(tuning.clock.clone()));
        let settings = TelegramSettings {
            api_url: config.telegram.api_url.clone(),
            token: SecretString::from(config.telegram.token.expose()),
            poll_timeout: Duration::from_secs(config.telegram.poll_timeout_s),
            poll_deadline: Duration::from_secs(config.telegram.poll_deadline_s),
            send_timeout: Duration::from_secs(config.telegram.send_timeout_s),
        };
        let client = Client::new(&settings, Arc::clone(&vitals))?;
        let knowledge = knowledge(config)?;
        let provider = provider(config, knowledge.as_deref())?;
        Ok(Self { store, client, provider, knowledge, vitals, tuning, bot })
    }

    /// Asks Telegram who the bot is, for as long as it takes, then starts all stages. `None` when
    /// the process drains first.
    ///
    /// # Errors
    /// When the state cannot be read or written.
    pub async fn start(self, config: &Config, tasks: Tasks) -> anyhow::Result<Option<App>> {
        let Some(me) = self.introduce(&tasks).await else { return Ok(None) };
        tracing::info!(
            bot_id = me.id.0,
            username = me.username,
            token = config.telegram.token.masked_token(),
            provider = self.provider.name(),
            model = self.provider.model(),
            environment = config.bot.environment,
            "connected to Telegram"
        );
        let claim_code = self.open_access(config).await?;
        let vitals = Arc::clone(&self.vitals);
        let clock = self.tuning.clock.clone();
        let desk = Desk::new(
            self.store.clone(),
            clock.clone(),
            Arc::clone(&vitals),
            rules(config),
            About {
                username: me.username.clone(),
                version: env!("CARGO_PKG_VERSION"),
                environment: config.bot.environment.clone(),
                provider: self.provider.name().to_owned(),
                model: self.provider.model().to_owned(),
                started_ms: clock.now_ms(),
            },
        );
        let answerer = Answerer::new(
            self.provider,
            self.knowledge,
            self.store.clone(),
            answering(config),
            Arc::clone(&vitals),
        );
        let settings = pipeline::Settings {
            backlog_max: u64::from(config.pipeline.backlog_max),
            poll_backoff_max: Duration::from_secs(config.telegram.poll_backoff_max_s),
            previews: config.telegram.previews,
            give_up_after: Duration::from_secs(config.delivery.give_up_after_h * 3600),
            reconcile_after: self.tuning.reconcile_after,
        };
        let shared = Arc::new(Shared::new(
            self.store,
            self.client,
            me,
            vitals,
            clock,
            tasks,
            desk,
            answerer,
            settings,
        )?);
        Ok(Some(launch(shared, config, claim_code)?))
    }

    /// `getMe`, until it is answered.
    async fn introduce(&self, tasks: &Tasks) -> Option<Me> {
        let mut attempt = 0;
        loop {
            let answer = tokio::select! {
                answer = self.client.me() => answer,
                () = tasks.drain().cancelled() => return None,
            };
            let e = match answer {
                Ok(me) => return Some(Me { id: UserId(self.bot.0), ..me }),
                Err(e) => e,
            };
            attempt += 1;
            self.vitals.failed(&self.vitals.polling, e.class());
            let pause = match e.again() {
                _ if e.token_refused() => {
                    crate::systemd::status(
                        "Telegram refuses the token; get a new one from @BotFather",
                    );
                    limits::TOKEN_REFUSED_PAUSE
                }
                Again::After(wait) => wait.min(limits::POLL_PAUSE_MAX),
                _ => backoff(attempt, limits::POLL_BACKOFF, limits::POLL_BACKOFF_MAX),
            };
            tracing::error!(
                error = chain(&e),
                class = e.class(),
                attempt,
                pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX),
                "{}",
                if e.token_refused() {
                    "Telegram refuses the token; get a new one from @BotFather and restart"
                } else {
                    "cannot reach Telegram; trying again"
                }
            );
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = tasks.drain().cancelled() => return None,
            }
        }
    }

    /// Says how a bot without an owner can be claimed.
    async fn open_access(&self, config: &Config) -> anyhow::Result<Option<String>> {
        if !config.bot.owners.is_empty() {
            return Ok(None);
        }
        let fresh = commands::fresh_code().context("cannot get random bytes")?;
        let Opening::Claimable(code) = self.store.opening(fresh).await? else { return Ok(None) };
        tracing::warn!(
            "nobody owns this bot yet; send it this message to become the owner: /claim {code}"
        );
        Ok(Some(code))
    }
}

impl App {
    /// Waits until Telegram has answered the first poll.
    pub async fn ready(&mut self) {
        // The sender lives in `shared`, so this cannot fail while the app exists.
        let _ = self.polling.wait_for(|p| matches!(p, Polling::Listening | Polling::Full)).await;
    }

    /// How polling goes, now and from now on.
    pub fn polling(&self) -> watch::Receiver<Polling> {
        self.polling.clone()
    }

    /// The code that makes its sender the owner, while there is none.
    pub fn claim_code(&self) -> Option<&str> {
        self.claim_code.as_deref()
    }

    /// What the stages share, for tests and figures.
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Stops: nothing new is taken, running work gets `grace`, the rest stays on disk. Answers
    /// whether everything ended in time.
    pub async fn stop(self, grace: Duration) -> bool {
        let gentle = self.shared.tasks.end(grace).await;
        self.shared.store.close().await;
        gentle
    }
}

fn launch(shared: Arc<Shared>, config: &Config, claim_code: Option<String>) -> anyhow::Result<App> {
    let rates = config.delivery.pace.then(|| Rates {
        chat_per_s: config.delivery.chat_per_s,
        chat_burst: config.delivery.chat_burst,
        overall_per_s: f64::from(config.delivery.overall_per_s),
        group_per_min: f64::from(config.delivery.group_per_min),
    });
    let keep = Keep {
        history_days: config.store.keep_history_days,
        done_days: config.store.keep_done_days,
    };
    let delivery = Delivery::new(Arc::clone(&shared), rates);
    let chats = Chats::new(Arc::clone(&shared), delivery.clone());
    let tasks = shared.tasks.clone();
    tasks.spawn("deliver", Deliver::new(delivery.clone())?.run());
    tasks.spawn("chats", async move {
        chats.run().await;
        delivery.close();
    });
    tasks.spawn("intake", Intake::new(Arc::clone(&shared)).run());
    tasks.spawn("retention", Retention::new(Arc::clone(&shared), keep).run());
    tasks.spawn("publish", publish(Arc::clone(&shared)));
    tasks.spawn("pending", pipeline::pending(Arc::clone(&shared)));
    Ok(App { polling: shared.polling.subscribe(), shared, claim_code })
}

/// Fills Telegram's command menus. Convenience only: tried a few times, then left.
async fn publish(shared: Arc<Shared>) {
    let owners = shared.desk.all_owners().unwrap_or_default();
    let mut menus = vec![
        ("all_private_chats", None, commands::published(Scope::Private)),
        ("all_group_chats", None, commands::published(Scope::Group)),
    ];
    for owner in owners {
        menus.push(("chat", Some(ChatId(owner.0)), commands::published(Scope::Owner)));
    }
    for (scope, chat, menu) in menus {
        for attempt in 1..=3 {
            let done = tokio::select! {
                done = shared.client.publish(scope, chat, &menu) => done,
                () = shared.tasks.drain().cancelled() => return,
            };
            match done {
                Ok(()) => break,
                Err(e) if e.again() == Again::Never || attempt == 3 => {
                    tracing::warn!(scope, error = %e, "cannot publish the command menu");
                    break;
                }
                Err(_) => tokio::select! {
                    () = tokio::time::sleep(backoff(attempt, limits::SEND_BACKOFF, limits::SEND_BACKOFF_MAX)) => {}
                    () = shared.tasks.drain().cancelled() => return,
                },
            }
        }
    }
}

fn rules(config: &Config) -> Rules {
    let users = |ids: &[i64]| ids.iter().copied().map(UserId).collect();
    Rules {
        open: config.bot.access == config::Access::Open,
        owners: users(&config.bot.owners),
        allow_users: users(&config.bot.allow_users),
        allow_chats: config.bot.allow_chats.iter().copied().map(ChatId).collect(),
    }
}

fn answering(config: &Config) -> answer::Settings {
    answer::Settings {
        system_prompt: config.answer.system_prompt.clone(),
        max_history_turns: config.answer.max_history_turns as usize,
        max_history_tokens: config.answer.max_history_tokens as usize,
        max_output_tokens: config.answer.max_output_tokens,
        passages: config.knowledge.passages as usize,
        answers_at_once: config.pipeline.answers_at_once as usize,
        first_token_timeout: Duration::from_secs(config.answer.first_token_timeout_s),
        timeout: Duration::from_secs(config.answer.timeout_s),
        log_prompts: config.log.prompts,
    }
}

pub(crate) fn provider(
    config: &Config,
    knowledge: Option<&Knowledge>,
) -> anyhow::Result<Arc<dyn Provider>> {
    let secret = |s: &config::Secret| SecretString::from(s.expose());
    let read_timeout =
        Duration::from_secs(config.answer.first_token_timeout_s.max(config.answer.timeout_s));
    Ok(match config.answer.provider {
        config::Provider::Echo => Arc::new(Echo),
        config::Provider::Offline => {
            let topics = knowledge.map(|k| k.titles().to_vec()).unwrap_or_default();
            Arc::new(Offline::with_topics(topics))
        }
        config::Provider::OpenAi => Arc::new(OpenAi::new(OpenAiSettings {
            api_key: config.openai.api_key.as_ref().map(secret),
            base_url: config.openai.base_url.clone(),
            model: config.openai.model.clone(),
            read_timeout,
        })?),
        config::Provider::Anthropic => Arc::new(Anthropic::new(AnthropicSettings {
            api_key: config.anthropic.api_key.as_ref().map(secret),
            base_url: config.anthropic.base_url.clone(),
            model: config.anthropic.model.clone(),
            read_timeout,
        })?),
    })
}

fn knowledge(config: &Config) -> anyhow::Result<Option<Arc<Knowledge>>> {
    let offline = config.answer.provider == config::Provider::Offline;
    let Some(dir) = &config.knowledge.dir else {
        let built_in = offline.then(|| Knowledge::of_pages(answer::PAGES)).transpose()?;
        return Ok(built_in.map(Arc::new));
    };
    if !offline && !dir.is_dir() {
        // The configuration warned already; answers go on without the folder.
        return Ok(None);
    }
    let knowledge = Knowledge::open(dir)?;
    let (files, passages) = knowledge.size();
    tracing::info!(path = %dir.display(), files, passages, "knowledge folder read");
    for path in knowledge.left_out() {
        tracing::warn!(path = %path.display(), "left out: too large, not UTF-8, or one too many");
    }
    Ok(Some(Arc::new(knowledge)))
}
