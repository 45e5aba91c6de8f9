//! Builds a bot the way `katana-bot run` does, with a simulator for Telegram.

use std::path::PathBuf;
use std::time::Duration;

use botapi_sim::{Faults, Limits, Options, Sim};
use katana::app::{App, Prepared, Tuning};
use katana::config::{Config, Sources};
use katana::lifecycle::Tasks;
use katana::model::clock::Clock;

/// How long anything may take; generous, because the machine may be busy.
pub const SOON: Duration = Duration::from_secs(20);

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

    /// Changes a setting for the next start; an empty value removes it.
    pub fn set(&mut self, key: &str, value: &str) -> &mut Self {
        self.settings.retain(|(k, _)| k != key);
        if !value.is_empty() {
            self.settings.push((key.to_owned(), value.to_owned()));
        }
        self
    }

    /// The configuration as it would be loaded.
    pub fn config(&self) -> Config {
        let sources = Sources::from_env(self.settings.clone());
        Config::load(&sources).unwrap_or_else(|p| panic!("{p}")).config
    }

    /// Starts the bot and waits until it is ready.
    pub async fn start(&mut self) -> &mut Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let tuning =
            Tuning { clock: self.clock.clone(), reconcile_after: Duration::from_millis(300) };
        let config = self.config();
        let prepared = Prepared::open(&config, tuning).expect("the state opens");
        let app = prepared.start(&config, Tasks::new()).await.expect("the bot starts");
        let mut app = app.expect("nobody asked it to stop");
        tokio::time::timeout(SOON, app.ready()).await.expect("the first poll is answered");
        self.app = Some(app);
        self
    }

    /// Stops the bot gently.
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

    /// Every scenario ends here: stopped gently, with nothing left in inbox or outbox.
    pub async fn end(mut self) {
        let store = self.app().shared().store.clone();
        let empty = async {
            loop {
                let open = store.inbox_depth().unwrap().0 + store.outbox_depth().unwrap().0;
                if open == 0 {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let done = tokio::time::timeout(SOON, empty).await;
        assert!(
            done.is_ok(),
            "work is left: inbox {:?}, outbox {:?}",
            store.inbox_depth(),
            store.outbox_depth()
        );
        assert_eq!(self.app().shared().tasks.failed(), None, "a task panicked");
        assert!(self.stop().await, "the bot stops within its grace");
    }
}
