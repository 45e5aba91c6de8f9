//! Every secret loaded, every fault made, everything that comes out searched for every secret: plain,
//! percent-encoded, in base64.
//!
//! Servers here answer with all that they were asked, in every form. Each of these answers, and the
//! configuration, also holds a word that is not secret; it has to be found, or nothing was
//! searched.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::harness::{SOON, Stage, eventually};
use crate::notify::Ear;
use crate::parrot::{CommandRequest, Parrot, Said};
use crate::process::{self, Daemon};
use crate::search::{base64, found, percent};
use crate::show::Show;

const OPENAI: &str = "sk-openai-LEAKTEST-4f5g6h7j8k9l0qwertz";
const ANTHROPIC: &str = "sk-ant-LEAKTEST-9z8y7x6w5v4u3t2s1r0q";
const ADMIN: &str = "admin-LEAKTEST-0a1b2c3d4e5f6a7b8c9d";
/// Stands in a line of a configuration file that cannot be read.
const MISPLACED: &str = "misplaced-LEAKTEST-mnbvcxy123456789";
/// No secret, and said wherever a secret is.
const HARMLESS: &str = "harmless-marker-20417";

/// Problems name the file they are in.
const CONFIG: &str = "harmless-marker-20417.toml";

/// What a server was asked: as it is, and in each encoding, each time with the word that may be
/// seen. One at a time, because what is too long is cut.
fn echoes_of(asked: &CommandRequest) -> Vec<String> {
    let fields = asked.head.lines().filter_map(|line| line.split_once(": "));
    let keys = fields.filter(|(name, _)| ["authorization", "x-api-key"].contains(name));
    let keys: Vec<_> = keys.map(|(_, key)| key).chain([asked.path.as_str()]).collect();
    let every = |form: &dyn Fn(&str) -> String| {
        let keys: Vec<_> = keys.iter().map(|key| form(key)).collect();
        format!("{HARMLESS} {}", keys.join(" "))
    };
    let mut all = vec![
        format!("{HARMLESS} {}", asked.head.replace("\r\n", " ")),
        every(&|key| key.replace([':', '/', ' '], " ")),
        every(&|key| percent(key, false, true)),
        every(&|key| percent(key, true, false)),
    ];
    for url_safe in [false, true] {
        for before in ["", "x", "xy"] {
            all.push(every(&|key| base64(format!("{before}{key}").as_bytes(), url_safe)));
        }
    }
    all
}

/// The echoes as each kind of answer that a server can give.
fn answers(asked: &CommandRequest) -> Vec<Said> {
    const STATUSES: [u16; 9] = [400, 401, 403, 404, 409, 429, 500, 502, 503];
    const JSON: &str = "application/json";
    // One shape that all three vendors' clients can read.
    let refusal = |status: u16, words: &str| {
        let body = serde_json::json!({
            "ok": false, "error_code": status, "description": words, "type": "error",
            "error": {"message": words, "type": words, "code": words},
        });
        body.to_string()
    };
    let echoes = echoes_of(asked);
    let words = &echoes[0];
    let mut all = vec![
        Said::Answer(200, JSON, format!("{{\"ok\":true,\"result\":\"{words}\"}}")),
        Said::Answer(200, JSON, words.clone()),
        Said::Answer(200, "text/html", format!("<html>{words}</html>")),
        Said::Answer(302, "text/html", format!("<html>{words}</html>")),
        Said::Cut(200, JSON, format!("{{\"ok\":true,\"result\":[\"{words}\"]}}")),
    ];
    for (i, words) in echoes.iter().enumerate() {
        all.push(Said::Answer(400, JSON, refusal(400, words)));
        let status = STATUSES[i % STATUSES.len()];
        all.push(Said::Answer(status, JSON, refusal(status, words)));
    }
    for status in STATUSES {
        all.push(Said::Answer(status, "text/html", format!("<html>{words}</html>")));
        all.push(Said::Cut(status, JSON, refusal(status, words)));
    }
    all
}

/// How many kinds of answers there are.
fn kinds() -> usize {
    let nothing = CommandRequest { path: String::new(), head: String::new(), body: String::new() };
    answers(&nothing).len()
}

/// Meets each request to this path with the next kind of answer; counts them.
fn echoes(parrot: &Parrot, path: &'static str) -> Arc<AtomicUsize> {
    let said = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&said);
    parrot.says(move |asked| {
        if !asked.path.contains(path) {
            return None;
        }
        answers(asked).into_iter().nth(count.fetch_add(1, Ordering::SeqCst))
    });
    said
}

/// Everything that came out, with where.
#[derive(Default)]
struct Out(Vec<(String, Vec<u8>)>);

impl Out {
    fn add(&mut self, place: impl Into<String>, bytes: impl Into<Vec<u8>>) {
        self.0.push((place.into(), bytes.into()));
    }

    fn has(&self, place: &str, words: &str) {
        let found = self.0.iter().filter(|(name, _)| name.starts_with(place));
        let holds = found.clone().any(|(_, b)| String::from_utf8_lossy(b).contains(words));
        assert!(holds, "{place} does not say {words:?}: it was not searched in earnest");
    }

    /// The places where a secret stands, in which form.
    fn leaks(&self, secrets: &[&str]) -> Vec<String> {
        let all = self.0.iter().flat_map(|out| secrets.iter().map(move |secret| (out, secret)));
        all.filter_map(|((place, bytes), secret)| {
            let form = found(bytes, secret)?;
            let text = String::from_utf8_lossy(bytes).into_owned();
            let line = text.lines().find(|l| l.contains(&form)).unwrap_or_default();
            Some(format!(
                "{place} holds {secret} as {form}: {}",
                line.chars().take(600).collect::<String>()
            ))
        })
        .collect()
    }

    async fn endpoint(&mut self, show: &Show) {
        for path in ["/", "/health", "/live", "/ready", "/metrics", "/bot/status", "/nothing"] {
            for accept in ["application/json", "text/html", "text/plain"] {
                let (_, body) = show.get(path, accept).await.expect("it answers");
                self.add(format!("{path} as {accept}"), body);
            }
        }
        self.add("heartbeat", std::fs::read(show.heartbeat()).expect("a heartbeat"));
    }

    async fn commands(&mut self, stage: &Stage) {
        let all: [&[&str]; 9] = [
            &["print-config"],
            &["check-config"],
            &["check-config", "--json"],
            &["status"],
            &["status", "--json"],
            &["doctor"],
            &["doctor", "--json"],
            &["doctor", "--json", "--ask-provider"],
            &["users", "list", "--json"],
        ];
        let asked = all.map(|args| process::run(stage, args));
        for (args, out) in all.iter().zip(futures_util::future::join_all(asked).await) {
            self.add(args.join(" "), out.stdout + &out.stderr);
        }
    }

    fn process(&mut self, daemon: &Daemon) {
        let cmdline = std::fs::read(format!("/proc/{}/cmdline", daemon.id()));
        self.add("cmdline", cmdline.expect("the process lives"));
    }

    fn names(&mut self, folder: &Path) {
        let names = std::fs::read_dir(folder)
            .expect("a folder")
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
        self.add("names", names.collect::<Vec<_>>().join("\n"));
    }
}

/// A daemon between two echoing servers, with all its secrets in files.
struct Scene {
    stage: Stage,
    telegram: Parrot,
    model: Parrot,
    credential_store: tempfile::TempDir,
}

impl Scene {
    async fn new() -> Self {
        let mut stage = Stage::new().await;
        let telegram = Parrot::before(&stage.sim.api_url()).await;
        let model = Parrot::before(&stage.sim.api_url()).await;
        let credential_store = tempfile::tempdir().expect("a folder");
        let token = stage.sim.token().to_owned();
        let secrets = [
            ("KATANA_TELEGRAM_TOKEN", "token", token.as_str()),
            ("KATANA_OPENAI_API_KEY", "openai", OPENAI),
            ("KATANA_ANTHROPIC_API_KEY", "anthropic", ANTHROPIC),
            ("KATANA_WEB_ADMIN_TOKEN", "admin", ADMIN),
        ];
        for (key, name, secret) in secrets {
            let path = credential_store.path().join(name);
            std::fs::write(&path, secret).expect("a secret's file");
            stage.set(key, "").set(&format!("{key}_FILE"), &path.display().to_string());
        }
        let config = credential_store.path().join(CONFIG).display().to_string();
        for (key, value) in [
            // All that a library has to say, whatever this program usually keeps quiet.
            (
                "RUST_LOG",
                "trace,hyper=trace,hyper_util=trace,reqwest=trace,rustls=trace,tower=trace,\
                 async_openai=trace,frankenstein=trace",
            ),
            ("KATANA_CONFIG", &config),
            ("KATANA_BOT_ENVIRONMENT", HARMLESS),
            ("KATANA_OPENAI_BASE_URL", &format!("{}/v1", model.url())),
            ("KATANA_ANTHROPIC_BASE_URL", &model.url()),
            ("KATANA_ANSWER_PROVIDER", ""),
            ("KATANA_TELEGRAM_API_URL", ""),
            ("KATANA_WATCH_EVERY_S", "1"),
            ("KATANA_TELEGRAM_POLL_TIMEOUT_S", "1"),
        ] {
            stage.set(key, value);
        }
        let scene = Self { stage, telegram, model, credential_store };
        scene.write(&scene.telegram.url(), "openai", "");
        scene
    }

    fn write(&self, api_url: &str, provider: &str, more: &str) {
        let text =
            format!("telegram.api_url = \"{api_url}\"\nanswer.provider = \"{provider}\"\n{more}");
        let path = self.credential_store.path().join(CONFIG);
        std::fs::write(path, text).expect("the configuration file");
    }

    async fn reload(&self, daemon: &Daemon) {
        let taken = |log: &str| log.matches("configuration read again").count();
        let before = taken(&daemon.log());
        daemon.signal("HUP");
        assert!(eventually(|| taken(&daemon.log()) > before).await, "{}", daemon.log());
    }

    /// Files that cannot be taken, each with a secret in the line that is wrong.
    async fn bad_files(&self, daemon: &Daemon, ear: &mut Ear) {
        for (i, line) in [
            format!("telegram.token = \"4711:{MISPLACED}\"\n"),
            format!("openai.api_key = \"{MISPLACED}\"\n"),
            format!("openai.api_key = \"{MISPLACED}\n"),
            format!("web.admin_token = {MISPLACED}\n"),
            format!("answer.provider = \"{MISPLACED}\"\n"),
            format!("{MISPLACED} = 1\n"),
            format!("openai.base_url = \"https://me:{MISPLACED}@host\"\n"),
            format!("store.keep_done_days = \"{MISPLACED}\"\n"),
        ]
        .into_iter()
        .enumerate()
        {
            self.write(&self.telegram.url(), "openai", &line);
            daemon.signal("HUP");
            let refused = |log: &str| log.matches("the old one stays in effect").count();
            assert!(eventually(|| refused(&daemon.log()) > i).await, "{line}: {}", daemon.log());
            ear.all();
        }
    }

    /// Polls meet every kind of answer. A refused token is tried again only each minute, so a fresh
    /// intake is requested.
    async fn polls(&self, show: &Show) {
        let said = echoes(&self.telegram, "/getUpdates");
        while said.load(Ordering::SeqCst) < kinds() {
            let before = said.load(Ordering::SeqCst);
            assert_eq!(show.restart(ADMIN).await, 202);
            assert!(eventually(|| said.load(Ordering::SeqCst) > before).await, "no poll");
        }
        self.telegram.steps_aside();
        show.restart(ADMIN).await;
    }

    /// Messages meet every kind of answer.
    async fn sends(&self) {
        let said = echoes(&self.telegram, "/sendMessage");
        for user in 100.. {
            if said.load(Ordering::SeqCst) >= kinds() {
                break;
            }
            self.stage.sim.say(user, "hello");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            assert!(user < 1000, "{} of {}", said.load(Ordering::SeqCst), kinds());
        }
        self.telegram.steps_aside();
    }

    /// Questions meet every kind of answer.
    async fn questions(&self, path: &'static str) {
        let said = echoes(&self.model, path);
        let mut user = 1000;
        let asked = async {
            while said.load(Ordering::SeqCst) < kinds() {
                user += 1;
                self.stage.ask(user, "hello?").await;
            }
        };
        tokio::time::timeout(SOON * 2, asked).await.expect("all questions are answered");
        self.model.steps_aside();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_comes_out_anywhere() {
    let mut scene = Scene::new().await;
    let mut ear = Ear::listening(&mut scene.stage);
    let mut out = Out::default();
    let daemon = Daemon::start(&scene.stage);
    daemon.says("ready: Telegram answered the first poll").await;
    let show = Show::of_daemon(&scene.stage, &daemon).await;
    let listen = show.address().to_string();
    scene.stage.set("KATANA_WEB_LISTEN", &listen);
    assert_eq!(scene.stage.ask(5, "hello").await, "echo: hello");
    out.endpoint(&show).await;

    scene.bad_files(&daemon, &mut ear).await;
    ear.hears("configuration refused").await;
    out.endpoint(&show).await;
    out.commands(&scene.stage).await;

    scene.write(&scene.telegram.url(), "openai", "");
    scene.reload(&daemon).await;
    scene.questions("/chat/completions").await;
    out.endpoint(&show).await;
    scene.write(&scene.telegram.url(), "anthropic", "");
    scene.reload(&daemon).await;
    scene.questions("/v1/messages").await;
    scene.sends().await;
    scene.polls(&show).await;
    out.endpoint(&show).await;
    // The doctor meets the same servers.
    for path in ["/getMe", "/getWebhookInfo", "/v1/messages"] {
        let parrot = if path.starts_with("/v1") { &scene.model } else { &scene.telegram };
        echoes(parrot, path);
        out.commands(&scene.stage).await;
        parrot.steps_aside();
    }
    // No server listens: the URL with the token is what failed.
    let closed = {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        listener.local_addr().expect("an address")
    };
    for url in [
        format!("http://{closed}"),
        format!("https://{closed}"),
        scene.telegram.url().replace("http:", "https:"),
    ] {
        scene.write(&url, "openai", "");
        let failed = |log: &str| log.matches("poll failed").count();
        let before = failed(&daemon.log());
        scene.reload(&daemon).await;
        assert!(eventually(|| failed(&daemon.log()) > before).await, "{}", daemon.log());
        out.endpoint(&show).await;
        out.commands(&scene.stage).await;
    }
    // The token is replaced while all of it is in use.
    let rotated = scene.stage.sim.reissue_token();
    std::fs::write(scene.credential_store.path().join("token"), &rotated)
        .expect("the token's file");
    scene.write(&scene.telegram.url(), "openai", "");
    scene.reload(&daemon).await;
    assert_eq!(scene.stage.ask(6, "and now?").await, "echo: and now?");
    finish(scene, daemon, ear, &show, out, &rotated).await;
}

/// Reads what is left to read, and searches all of it.
async fn finish(
    scene: Scene,
    mut daemon: Daemon,
    mut ear: Ear,
    show: &Show,
    mut out: Out,
    rotated: &str,
) {
    out.endpoint(show).await;
    out.commands(&scene.stage).await;
    out.process(&daemon);
    daemon.signal("TERM");
    daemon.ended().await;
    out.add("log", daemon.log());
    out.add("notify", ear.all().join("\n"));
    out.add("heartbeat", std::fs::read(show.heartbeat()).expect("a heartbeat"));
    out.names(scene.stage.dir.path());

    // What is not secret went the same ways, and did come out.
    for place in ["/", "/health", "/metrics", "/bot/status", "heartbeat", "print-config"] {
        out.has(place, HARMLESS);
    }
    for place in ["status --json", "check-config --json", "log", "notify"] {
        out.has(place, HARMLESS);
    }
    out.has("cmdline", "katana-bot");
    out.has("names", "katana.db");
    out.has("doctor --json", "katana_sim_bot");
    for words in ["poll failed", "provider failed", "a message is put off", "the new configuration"]
    {
        out.has("log", words);
    }
    let told = |what: &str, log: &str| {
        let line = log.lines().find(|l| l.contains(what) && l.contains(HARMLESS));
        assert!(line.is_some(), "no {what:?} with a server's words in the log");
    };
    let log = daemon.log();
    for what in ["poll failed", "provider failed", "dropped"] {
        told(what, &log);
    }

    let old = scene.stage.sim.token().to_owned();
    let tail = |token: &str| token.split_once(':').expect("a token").1.to_owned();
    let (old_tail, new_tail) = (tail(&old), tail(rotated));
    let secrets =
        [&old, &old_tail, rotated, &new_tail, OPENAI, ANTHROPIC, ADMIN, MISPLACED].map(|s| s);
    let leaks = out.leaks(&secrets);
    assert!(leaks.is_empty(), "{} leaks:\n{}", leaks.len(), leaks.join("\n"));
}
