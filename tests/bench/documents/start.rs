//! The start of the real program over documents that did not change.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use botapi_sim::{Limits, Options, Sim};
use tokio::process::{Child, Command};

use crate::texts::Texts;
use crate::vectors::Server;

/// Passages of a document.
const DOCUMENT: usize = 10;
const STARTS: usize = 5;
/// What the program logs when it has looked at all documents.
const LOOKED: &str = "looked through the documents";
const LONG: Duration = Duration::from_secs(3600);

/// What was measured, medians.
pub(crate) struct Figures {
    pub(crate) documents: usize,
    pub(crate) passages: usize,
    /// All documents read and embedded for the first time.
    pub(crate) first_s: f64,
    /// From the start to the first poll.
    pub(crate) polls_ms: f64,
    /// To the end of the look at all documents.
    pub(crate) looked_ms: f64,
    /// To the first question that vectors are asked for.
    pub(crate) by_vectors_ms: f64,
    /// Texts that were embedded again in all starts: none should be.
    pub(crate) embedded_again: usize,
    /// Memory afterwards.
    pub(crate) memory_mb: f64,
}

struct Program {
    path: PathBuf,
    folder: PathBuf,
    server: Server,
}

impl Program {
    /// `state` is a new one each time, because each simulator counts its updates from 1.
    fn command(&self, sim: &Sim, state: &str) -> Command {
        let mut command = Command::new(&self.path);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("KATANA_TELEGRAM_TOKEN", sim.token())
            .env("KATANA_TELEGRAM_API_URL", sim.api_url())
            .env("KATANA_STORE_PATH", self.folder.join(state))
            .env("KATANA_KNOWLEDGE_INDEX_PATH", self.folder.join("index.db"))
            .env("KATANA_KNOWLEDGE_DIR", self.folder.join("documents"))
            .env("KATANA_EMBEDDINGS_BASE_URL", &self.server.url)
            .env("KATANA_EMBEDDINGS_MODEL", "bench")
            .env("KATANA_EMBEDDINGS_BATCH", "256")
            .env("KATANA_ANSWER_PROVIDER", "offline")
            .env("KATANA_BOT_ACCESS", "open")
            .env("KATANA_DELIVERY_PACE", "false")
            .env("KATANA_WEB_LISTEN", "off")
            .env("LOG_LEVEL", "debug")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// Makes the whole index.
    async fn sync(&self, sim: &Sim) -> Duration {
        let begun = Instant::now();
        let mut command = self.command(sim, "sync.db");
        let log = self.log("sync.log");
        let status = command.args(["knowledge", "sync"]).stderr(log).status().await;
        assert!(status.expect("it starts").success(), "see {}", self.folder.display());
        begun.elapsed()
    }

    fn log(&self, name: &str) -> Stdio {
        let log = OpenOptions::new().create(true).append(true).open(self.folder.join(name));
        log.map_or(Stdio::null(), Stdio::from)
    }
}

/// Makes documents, has them read once, and starts the program over them a few times.
pub(crate) async fn measure(documents: usize, folder: &Path, binary: Option<&Path>) -> Figures {
    let folder = tempfile::tempdir_in(folder).expect("the target directory can be written");
    write(&folder.path().join("documents"), documents);
    let path =
        binary.map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_katana-bot")), Path::to_owned);
    let server = Server::start().await;
    let program = Program { path, folder: folder.path().to_owned(), server };
    let sim = telegram().await;
    let first_s = program.sync(&sim).await.as_secs_f64();
    let passages = program.server.asked().passages;
    // Once to learn how near a passage must be.
    start(&program, 0).await;
    let _ = program.server.asked();
    let mut all = Vec::new();
    for number in 1..=STARTS {
        all.push(start(&program, number).await);
    }
    let middle = |of: fn(&Started) -> f64| {
        let mut all: Vec<f64> = all.iter().map(of).collect();
        all.sort_by(f64::total_cmp);
        all[all.len() / 2]
    };
    Figures {
        documents,
        passages,
        first_s,
        polls_ms: middle(|one| one.polls_ms),
        looked_ms: middle(|one| one.looked_ms),
        by_vectors_ms: middle(|one| one.by_vectors_ms),
        embedded_again: all.iter().map(|one| one.embedded_again).sum(),
        memory_mb: middle(|one| one.memory_mb),
    }
}

struct Started {
    polls_ms: f64,
    looked_ms: f64,
    by_vectors_ms: f64,
    embedded_again: usize,
    memory_mb: f64,
}

async fn start(program: &Program, number: usize) -> Started {
    let sim = telegram().await;
    let name = format!("start-{number}.log");
    let begun = Instant::now();
    let mut child = program
        .command(&sim, &format!("start-{number}.db"))
        .arg("run")
        .stderr(program.log(&name))
        .spawn();
    let child = child.as_mut().expect("it starts");
    let log = program.folder.join(name);
    let (mut looked_ms, mut asked) = (None, 0_u64);
    let ms = || begun.elapsed().as_secs_f64() * 1e3;
    while looked_ms.is_none() || !program.server.has_question() {
        assert!(begun.elapsed() < LONG, "it does not get ready: {}", log.display());
        if looked_ms.is_none()
            && std::fs::read_to_string(&log).is_ok_and(|log| log.contains(LOOKED))
        {
            looked_ms = Some(ms());
        }
        // One question at a time: more would be a flood, which is measured elsewhere.
        if sim.polling() && sim.bot_message_count() >= asked {
            asked += 1;
            sim.say(1000, &format!("{}question {asked} be?", crate::vectors::QUESTION));
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let polled = sim.first_poll_at().expect("it polls");
    let memory_mb = memory_mb(child);
    // What would be embedded again is by then.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let asked = program.server.asked();
    stop(child).await;
    sim.stop().await;
    Started {
        polls_ms: (polled - begun).as_secs_f64() * 1e3,
        looked_ms: looked_ms.unwrap_or(f64::NAN),
        by_vectors_ms: asked.question.map_or(f64::NAN, |at| (at - begun).as_secs_f64() * 1e3),
        embedded_again: asked.passages,
        memory_mb,
    }
}

async fn telegram() -> Sim {
    let options = Options { limits: Limits::off(), log_capacity: 0, ..Options::default() };
    Sim::start(options).await.expect("the simulator starts")
}

fn memory_mb(child: &Child) -> f64 {
    let pid = child.id().expect("it runs");
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: f64 =
        line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).expect("a size");
    kib * 1024.0 / 1e6
}

async fn stop(child: &mut Child) {
    let pid = child.id().expect("it runs");
    let _ = Command::new("sh").arg("-c").arg(format!("kill -TERM {pid}")).status().await;
    let _ = tokio::time::timeout(Duration::from_secs(15), child.wait()).await;
}

fn write(folder: &Path, documents: usize) {
    let mut texts = Texts::new();
    for document in 0..documents {
        let place = folder.join(format!("{}", document % 100));
        std::fs::create_dir_all(&place).expect("a folder");
        let section = |_| format!("## {}\n\n{}\n\n", texts.title(), texts.passage());
        let text: String = (0..DOCUMENT).map(section).collect();
        std::fs::write(place.join(format!("{document}.md")), text).expect("a document");
    }
}
