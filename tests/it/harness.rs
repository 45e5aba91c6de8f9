//! Builds a bot the way `katana-bot run` does, with a simulator for Telegram.

use std::path::PathBuf;
use std::time::Duration;

use botapi_sim::{Faults, Limits, Options, Sim};
use hygiene::Redactor;
use katana::app::{App, Prepared, Tuning};
use katana::config::{Config, Loaded, Sources};
use katana::lifecycle::Tasks;
use katana::observe::clock::Clock;
use katana::pipeline::Polling;
use katana::store::Store;

/// How long anything may take; generous, because the machine may be busy.
pub const SOON: Duration = Duration::from_secs(20);

/// The key that the simulated model is asked with.
pub const MODEL_KEY: &str = "sk-simulated-key-0123456789";

/// The owner of every bot here, by configuration.
pub const OWNER: i64 = 1000;

/// A simulator, a state directory, and a bot between them.
pub struct Stage {
    pub sim: Sim,
    pub dir: tempfile::TempDir,
    pub clock: Clock,
    pub app: Option<App>,
    settings: Vec<(String, String)>,
}

/// Settings that every scenario begins with: echo, open, no pacing.
fn base(sim: &Sim, db: PathBuf) -> Vec<(String, String)> {
    [
        ("KATANA_TELEGRAM_TOKEN", sim.token().to_owned()),
        ("KATANA_TELEGRAM_API_URL", sim.api_url()),
        ("KATANA_STORE_PATH", db.display().to_string()),
        ("KATANA_ANSWER_PROVIDER", "echo".into()),
        ("KATANA_BOT_ACCESS", "open".into()),
        ("KATANA_BOT_OWNERS", OWNER.to_string()),
        ("KATANA_DELIVERY_PACE", "false".into()),
        ("KATANA_WEB_LISTEN", "127.0.0.1:0".into()),
        ("KATANA_TELEGRAM_POLL_BACKOFF_MAX_S", "1".into()),
    ]
    .map(|(k, v)| (k.to_owned(), v))
    .to_vec()
}

impl Stage {
    /// A simulator without limits and faults, and a bot that is not started yet.
    pub async fn new() -> Self {
        let options =
            Options { limits: Limits::off(), faults: Faults::none(), ..Options::default() };
        Self::with(options).await
    }

    /// The same with other options of the simulator.
    pub async fn with(options: Options) -> Self {
        let sim = Sim::start(options).await.expect("the simulator starts");
        let dir = tempfile::tempdir().expect("a temporary directory");
        let settings = base(&sim, dir.path().join("katana.db"));
        Self { sim, dir, clock: Clock::system(), app: None, settings }
    }

    /// A simulator and a running bot, with these settings changed.
    pub async fn running(changes: &[(&str, &str)]) -> Self {
        let mut stage = Self::new().await;
        for (key, value) in changes {
            stage.set(key, value);
        }
        stage.start().await;
        stage
    }

    /// The same with the simulated model as provider.
    pub async fn with_model(changes: &[(&str, &str)]) -> Self {
        let mut stage = Self::new().await;
        stage.openai();
        for (key, value) in changes {
            stage.set(key, value);
        }
        stage.start().await;
        stage
    }

    /// People may ask as fast as scripts do.
    pub fn unlimited(&mut self) -> &mut Self {
        self.set("KATANA_LIMITS_USER_QUESTIONS_PER_MINUTE", "0");
        self.set("KATANA_LIMITS_CHAT_QUESTIONS_PER_MINUTE", "0")
    }

    /// Answers come from the simulator's OpenAI-compatible server from the next start on.
    pub fn openai(&mut self) -> &mut Self {
        let url = self.sim.openai_url();
        self.set("KATANA_ANSWER_PROVIDER", "openai")
            .set("OPENAI_API_KEY", MODEL_KEY)
            .set("KATANA_OPENAI_BASE_URL", &url)
            .set("KATANA_OPENAI_MODEL", "sim-model")
    }

    /// The settings as environment variables.
    pub fn settings(&self) -> &[(String, String)] {
        &self.settings
    }

    /// Another simulator takes the place of this one, with its own token.
    pub fn replace_sim(&mut self, sim: Sim) -> Sim {
        let (token, url) = (sim.token().to_owned(), sim.api_url());
        self.set("KATANA_TELEGRAM_TOKEN", &token).set("KATANA_TELEGRAM_API_URL", &url);
        std::mem::replace(&mut self.sim, sim)
    }

    /// Changes a setting for the next start; an empty value removes it.
    pub fn set(&mut self, key: &str, value: &str) -> &mut Self {
        self.settings.retain(|(k, _)| k != key);
        if !value.is_empty() {
            self.settings.push((key.to_owned(), value.to_owned()));
        }
        self
    }

    /// The configuration as it would be loaded.
    pub fn config(&self) -> Loaded {
        Config::load(&self.sources()).unwrap_or_else(|p| panic!("{p}"))
    }

    /// The settings as a process would find them.
    pub fn sources(&self) -> Sources {
        Sources::from_env(self.settings.clone())
    }

    /// Starts the bot and waits until it is ready.
    pub async fn start(&mut self) -> &mut Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let tuning =
            Tuning { clock: self.clock.clone(), reconcile_after: Duration::from_millis(300) };
        let config = self.config();
        let prepared =
            Prepared::open(&config, Redactor::default(), tuning).expect("the state opens");
        let app = prepared.start(Tasks::new()).await.expect("the bot starts");
        let mut app = app.expect("it was not asked to stop");
        tokio::time::timeout(SOON, app.ready()).await.expect("the first poll is answered");
        self.app = Some(app);
        self
    }

    /// Shuts the bot down gracefully.
    pub async fn stop(&mut self) -> bool {
        match self.app.take() {
            Some(app) => app.stop(SOON).await,
            None => true,
        }
    }

    /// The running bot.
    pub fn app(&self) -> &App {
        self.app.as_ref().expect("the bot runs")
    }

    /// The running bot's state.
    pub fn store(&self) -> Store {
        self.app().pipeline().base.store.clone()
    }

    /// Waits until polling is in this state.
    pub async fn polling_becomes(&self, wanted: Polling) {
        let mut polling = self.app().polling();
        let reached = tokio::time::timeout(SOON * 2, polling.wait_for(|now| *now == wanted)).await;
        assert!(reached.is_ok(), "{wanted:?} expected, it is {:?}", *self.app().polling().borrow());
    }

    /// Waits until everything that was said is answered and sent.
    pub async fn idle(&self) {
        let store = self.store();
        let (store, sim) = (&store, &self.sim);
        let open = || async move {
            let inbox = store.inbox_depth().await.expect("the inbox can be counted");
            inbox.0 + store.outbox_depth().await.expect("the outbox can be counted").0
        };
        let done = eventually_in(|| async { sim.pending() == 0 && open().await == 0 }).await;
        assert!(
            done,
            "work is left: at Telegram {}, inbox {:?}, outbox {:?}",
            self.sim.pending(),
            store.inbox_depth().await,
            store.outbox_depth().await
        );
    }

    /// How often something was counted under a label.
    pub fn counter(&self, family: &'static str, label: &str) -> u64 {
        let rows = self.app().pipeline().base.vitals.counters(family);
        rows.into_iter().find(|(name, _)| name == label).map_or(0, |(_, n)| n)
    }

    /// Waits until the bot has said so many messages in a chat, and gives their texts.
    pub async fn texts(&self, chat: i64, count: usize) -> Vec<String> {
        let enough = |sim: &Sim| sim.bot_messages(chat).len() >= count;
        let got = self.sim.wait_until(SOON, enough).await;
        let texts: Vec<String> = self.sim.bot_messages(chat).into_iter().map(|m| m.text).collect();
        assert!(got, "{count} messages expected in chat {chat}, got {texts:?}");
        texts
    }

    /// Says something in private and gives the next thing the bot says there.
    pub async fn ask(&self, user: i64, text: &str) -> String {
        let before = self.sim.bot_messages(user).len();
        self.sim.say(user, text);
        self.texts(user, before + 1).await.swap_remove(before)
    }

    /// Every scenario ends here: shut down gracefully, with nothing left in inbox or outbox.
    pub async fn end(mut self) {
        self.idle().await;
        assert_eq!(self.app().pipeline().base.tasks.failed(), None, "a task panicked");
        assert!(self.stop().await, "the bot stops within its grace");
    }
}

/// Says that a test, or a part of it, cannot do its work here; `.ci/run` counts these.
pub fn skipped(why: &str) {
    use std::io::Write;
    // Not by a macro: the test harness would swallow it.
    let _ = writeln!(std::io::stderr(), "SKIPPED: {why}");
}

/// Waits for something that the simulator cannot see; false when it does not come about soon.
pub async fn eventually(holds: impl Fn() -> bool) -> bool {
    eventually_in(|| std::future::ready(holds())).await
}

/// The same for something that has to be asked, such as the store.
pub async fn eventually_in<F: Future<Output = bool>>(holds: impl Fn() -> F) -> bool {
    let wait = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(SOON, wait).await.is_ok()
}
