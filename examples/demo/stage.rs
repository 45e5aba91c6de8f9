//! The bot, its state and its Telegram: started the way `katana-bot run` does, ended the same way.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use anyhow::Context;
use botapi_sim::{Faults, Limits, Options, Sim};
use hygiene::Redactor;
use katana::app::{App, Prepared, Tuning};
use katana::config::{Config, Sources};
use katana::lifecycle::{Signal, Signals, Tasks};
use tempfile::TempDir;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::{Args, Provider};

/// Who you are in the demo.
pub const USER: i64 = 1001;

/// How long running work may take at the end, and the start until the first poll.
const GRACE: Duration = Duration::from_secs(10);

/// Everything that runs.
pub struct Stage {
    /// Telegram.
    pub sim: Sim,
    /// The bot.
    pub app: App,
    tasks: Tasks,
    dir: TempDir,
    /// Where the daemon logs, unless on standard error.
    pub log: Option<PathBuf>,
    /// The state file.
    pub state: PathBuf,
}

/// How it ended.
pub struct Farewell {
    /// Everything ended within the grace.
    pub gentle: bool,
    /// Updates without an end and replies not sent, which stay in the state file.
    pub left: u64,
    /// Where state and log were kept.
    pub kept: Option<PathBuf>,
}

impl Stage {
    /// Starts the simulator, then the bot, and waits until it has polled.
    pub async fn start(args: &Args) -> anyhow::Result<Self> {
        let dir = tempfile::Builder::new()
            .prefix("katana-demo-")
            .tempdir()
            .context("cannot make a temporary folder")?;
        let log = (!args.verbose).then(|| dir.path().join("katana.log"));
        begin_log(log.as_deref())?;
        // Two crypto libraries in one build make rustls panic unless one is chosen; a second
        // installation is harmless.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let options = Options { limits: Limits::off(), ..Options::default() };
        let sim = Sim::start(options).await.context("cannot listen on loopback")?;
        sim.user(USER, "Ada", Some("ada"));
        if args.provider == Provider::Model {
            slow_model(&sim);
        }
        let state = dir.path().join("katana.db");
        let settings = settings(args, &sim, &state);
        let loaded = Config::load(&Sources::from_env(settings)).map_err(anyhow::Error::new)?;
        let tasks = Tasks::new();
        let prepared = Prepared::open(&loaded, Redactor::default(), Tuning::default())?;
        let app = prepared.start(tasks.clone()).await?;
        let mut app = app.context("the bot was stopped while it started")?;
        tokio::time::timeout(GRACE, app.ready()).await.context("the bot does not poll")?;
        // From here on, and not while it introduces itself.
        sim.set_faults(Faults::everything(args.faults));
        Ok(Self { sim, app, tasks, dir, log, state })
    }

    /// Whether nothing waits to be thought about or sent.
    pub async fn is_idle(&self) -> bool {
        self.left().await == 0
    }

    async fn left(&self) -> u64 {
        let store = &self.app.pipeline().base.store;
        let depth = |(count, _)| count;
        let inbox = store.inbox_depth().await.map_or(1, depth);
        inbox + store.outbox_depth().await.map_or(1, depth)
    }

    /// Whether a task of the bot panicked.
    pub fn is_broken(&self) -> bool {
        self.tasks.failed().is_some()
    }

    /// Shuts down gracefully; a signal stops it at once. The folder is removed unless it should be
    /// kept.
    pub async fn stop(self, keep: bool, signals: &mut Signals) -> Farewell {
        let left = self.left().await;
        let broken = self.is_broken();
        let gentle = tokio::select! {
            gentle = self.app.stop(GRACE) => gentle,
            () = hurry(signals) => false,
        };
        let kept = keep.then(|| self.dir.keep());
        Farewell { gentle: gentle && !broken, left, kept }
    }
}

async fn hurry(signals: &mut Signals) {
    while signals.next().await != Signal::Stop {}
}

/// The daemon's settings, as its environment would hold them.
fn settings(args: &Args, sim: &Sim, state: &Path) -> Vec<(String, String)> {
    let knowledge = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/knowledge");
    let provider = match args.provider {
        Provider::Offline => "offline",
        Provider::Echo => "echo",
        Provider::Model => "openai",
    };
    let mut settings = vec![
        ("KATANA_TELEGRAM_TOKEN", sim.token().to_owned()),
        ("KATANA_TELEGRAM_API_URL", sim.api_url()),
        ("KATANA_STORE_PATH", state.display().to_string()),
        ("KATANA_ANSWER_PROVIDER", provider.to_owned()),
        ("KATANA_OPENAI_BASE_URL", sim.openai_url()),
        ("KATANA_BOT_OWNERS", USER.to_string()),
        ("KATANA_BOT_ENVIRONMENT", "demo".to_owned()),
        // The simulator has no limits to respect here, so there is nothing to wait for.
        ("KATANA_DELIVERY_PACE", "false".to_owned()),
        // Any free port: a bot may already have the usual one.
        ("KATANA_WEB_LISTEN", "127.0.0.1:0".to_owned()),
        ("KATANA_TELEGRAM_POLL_BACKOFF_MAX_S", "2".to_owned()),
    ];
    if args.provider == Provider::Offline {
        settings.push(("KATANA_KNOWLEDGE_DIR", knowledge.display().to_string()));
    }
    settings.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// The daemon's log: a file, or standard error.
fn begin_log(file: Option<&Path>) -> anyhow::Result<()> {
    let wanted =
        std::env::var("RUST_LOG").unwrap_or_else(|_| "info,hyper=warn,reqwest=warn".into());
    let filter: Targets = wanted.parse().context("RUST_LOG")?;
    let log = tracing_subscriber::fmt().with_max_level(LevelFilter::TRACE).with_target(false);
    match file {
        Some(path) => {
            let file = File::create(path).context("cannot write the log")?;
            log.with_ansi(false).with_writer(Mutex::new(file)).finish().with(filter).init();
        }
        None => log.with_writer(std::io::stderr).finish().with(filter).init(),
    }
    Ok(())
}

/// A model that takes its time, as models do.
fn slow_model(sim: &Sim) {
    sim.model().set_pace(Duration::from_millis(400), Duration::from_millis(60));
    sim.model().respond_with(|request| {
        format!(
            "I am **not a real model** but a part of the simulator. I write *slowly*, one word at \
             a time, so that you can watch a preview grow while the answer is being written.\n\n\
             > {}\n\n\
             That is what you said. What happens meanwhile:\n\n\
             1. the bot reads my stream from an OpenAI-compatible server,\n\
             2. shows what it has so far with `sendMessageDraft`, about once a second,\n\
             3. stores the whole answer in its state file, and only then sends it.\n\n\
             If you lose patience, `/cancel` stops me at once.",
            request.last_user_text().replace('\n', "\n> ")
        )
    });
}
