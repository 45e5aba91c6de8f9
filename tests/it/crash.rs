//! The real binary, killed again and again at seeded moments, and the real application under
//! faults: whatever happens, every message is answered once and in order.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use botapi_sim::{Class, Fault, Faults, Hold, HoldAt, HoldGuard, Limits, Options, Sim};

use crate::harness::Stage;

/// Chats that write.
const CHATS: i64 = 12;

/// First user id of them.
const FIRST: i64 = 2000;

/// Time for the last process to clear up.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// A run's messages and its dice.
pub struct Run {
    pub sim: Sim,
    pub dice: fastrand::Rng,
    said: BTreeMap<i64, Vec<String>>,
    pub count: usize,
    /// Requests that Telegram keeps open.
    pub holds: Vec<HoldGuard>,
}

/// Where the process is caught.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    /// Whenever so many milliseconds are over.
    After(u64),
    /// Telegram has handed out updates, but the answer is not there yet.
    PollAnswered,
    /// A message is written, but Telegram has not taken it.
    SendWritten,
    /// Telegram has taken a message, but the answer is not there yet.
    SendTaken,
    /// The reconciler is asking.
    Probing,
    /// The model is being asked.
    Thinking,
}

impl Run {
    pub async fn new(seed: u64, limits: Limits) -> Self {
        let options = Options { limits, seed, ..Options::default() };
        Self::on(Sim::start(options).await.expect("the simulator starts"), seed)
    }

    pub fn on(sim: Sim, seed: u64) -> Self {
        Self {
            sim,
            dice: fastrand::Rng::with_seed(seed),
            said: BTreeMap::new(),
            count: 0,
            holds: Vec::new(),
        }
    }

    pub fn say(&mut self, messages: usize) {
        for _ in 0..messages {
            let chat = FIRST + self.dice.i64(0..CHATS);
            self.say_in(chat);
        }
    }

    pub fn say_in(&mut self, chat: i64) {
        let text = format!("message {}", self.count);
        self.count += 1;
        self.sim.say(chat, &text);
        self.said.entry(chat).or_default().push(text);
    }

    /// What the bot has to say in each chat, by the run without kills.
    fn expected(&self) -> BTreeMap<i64, Vec<String>> {
        let echo = |texts: &Vec<String>| texts.iter().map(|t| format!("echo: {t}")).collect();
        self.said.iter().map(|(chat, texts)| (*chat, echo(texts))).collect()
    }

    fn answered(&self) -> BTreeMap<i64, Vec<String>> {
        let texts = |chat: &i64| {
            (*chat, self.sim.bot_messages(*chat).into_iter().map(|m| m.text).collect())
        };
        self.said.keys().map(texts).collect()
    }

    fn hold(&self, moment: Moment) -> Option<HoldGuard> {
        let (method, at) = match moment {
            Moment::After(_) | Moment::Thinking => return None,
            Moment::PollAnswered => ("getUpdates", HoldAt::AfterEffect),
            Moment::SendWritten => ("sendMessage", HoldAt::BeforeEffect),
            Moment::SendTaken => ("sendMessage", HoldAt::AfterEffect),
            Moment::Probing => ("editMessageText", HoldAt::BeforeEffect),
        };
        Some(self.sim.hold(Hold::Method(method), at))
    }

    /// Compares the transcript with the one of a run without kills.
    pub fn compare(&self) {
        let (expected, answered) = (self.expected(), self.answered());
        for (chat, texts) in &expected {
            let got = &answered[chat];
            let lost: Vec<_> = texts.iter().filter(|t| !got.contains(t)).collect();
            let is_doubled = |t: &&String| got.iter().filter(|other| other == t).count() > 1;
            let doubled: Vec<_> = got.iter().filter(is_doubled).collect();
            // A message that was edited into another one is lost, and the other one is doubled.
            assert!(
                lost.is_empty() && doubled.is_empty(),
                "chat {chat}: lost {lost:?}, answered twice {doubled:?}"
            );
            assert_eq!(got, texts, "chat {chat}: out of order");
        }
    }

    pub async fn all_answered(&self) -> bool {
        let count = self.count;
        let enough = move |sim: &Sim| sim.bot_message_count() >= count as u64;
        self.sim.wait_until(PATIENCE, enough).await
    }
}

pub fn start(sim: &Sim, dir: &Path, provider: &str, pace: bool) -> Child {
    start_with(sim, dir, provider, pace, &[])
}

/// The same with a model and more variables.
pub fn start_priced(sim: &Sim, dir: &Path, prices: &[(&str, &str)]) -> Child {
    start_with(sim, dir, "openai", false, prices)
}

fn start_with(sim: &Sim, dir: &Path, provider: &str, pace: bool, more: &[(&str, &str)]) -> Child {
    let log = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(dir.join("log"))
        .expect("the log opens");
    Command::new(env!("CARGO_BIN_EXE_katana-bot"))
        .arg("run")
        .env_clear()
        .env("KATANA_TELEGRAM_TOKEN", sim.token())
        .env("KATANA_TELEGRAM_API_URL", sim.api_url())
        .env("KATANA_STORE_PATH", dir.join("katana.db"))
        .env("KATANA_ANSWER_PROVIDER", provider)
        .env("KATANA_OPENAI_BASE_URL", sim.openai_url())
        .env("KATANA_BOT_ACCESS", "open")
        .env("KATANA_BOT_OWNERS", "1")
        .env("KATANA_DELIVERY_PACE", pace.to_string())
        // A thousand kills take hundreds of questions a minute of each person.
        .env("KATANA_LIMITS_USER_QUESTIONS_PER_MINUTE", "0")
        .env("KATANA_LIMITS_CHAT_QUESTIONS_PER_MINUTE", "0")
        .env("KATANA_TEST_RECONCILE_AFTER_MS", "100")
        .envs(more.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("the bot starts")
}

/// `std::process::Child::kill` is SIGKILL.
pub fn kill(mut child: Child) {
    child.kill().expect("the bot can be killed");
    child.wait().expect("the bot is gone");
}

/// Shuts down gracefully, and wants a clean exit.
pub fn end(mut child: Child) {
    let pid = child.id().to_string();
    let killed = Command::new("kill").args(["-TERM", &pid]).status().expect("kill runs");
    assert!(killed.success());
    let status = child.wait().expect("the bot ends");
    assert!(status.success(), "a gentle stop exits 0, not {status}");
}

fn kills() -> usize {
    match std::env::var("KATANA_CRASH_KILLS") {
        Ok(text) => text.parse().expect("KATANA_CRASH_KILLS is a number"),
        Err(_) => 100,
    }
}

fn moment(dice: &mut fastrand::Rng, round: usize, thinking: bool) -> Moment {
    match round % 6 {
        0 => Moment::PollAnswered,
        1 => Moment::SendWritten,
        2 => Moment::SendTaken,
        // After a send was cut off there is something to probe.
        3 => Moment::Probing,
        4 if thinking => Moment::Thinking,
        _ => Moment::After(dice.u64(1..120)),
    }
}

/// Kills the bot `kills` times under load and compares the transcript in the end.
async fn kill_and_compare(seed: u64, kills: usize, provider: &str) {
    let mut run = Run::new(seed, Limits::off()).await;
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut caught: BTreeMap<&str, usize> = BTreeMap::new();
    for round in 0..kills {
        run.say(8);
        let moment = moment(&mut run.dice, round, provider == "openai");
        let hold = run.hold(moment);
        if moment == Moment::Thinking {
            run.sim.model().set_pace(Duration::from_secs(5), Duration::ZERO);
        }
        let polls = run.sim.calls("getUpdates");
        let asked = run.sim.model().calls();
        let child = start(&run.sim, dir.path(), provider, false);
        let woke = run.sim.wait_until(PATIENCE, |s| s.calls("getUpdates") > polls).await;
        assert!(woke, "round {round}: no poll; log:\n{}", log(dir.path()));
        run.say(8);
        let reached = match (&hold, moment) {
            (_, Moment::After(ms)) => {
                tokio::time::sleep(Duration::from_millis(ms)).await;
                true
            }
            (_, Moment::Thinking) => {
                run.sim.model().wait_calls(asked + 1, Duration::from_secs(2)).await
            }
            // Not every round has something to reconcile.
            (Some(hold), _) => hold.wait_held(1, Duration::from_millis(700)).await,
            (None, _) => false,
        };
        if reached {
            *caught.entry(name(moment)).or_default() += 1;
        }
        kill(child);
        drop(hold);
        run.sim.model().set_pace(Duration::ZERO, Duration::ZERO);
    }
    let child = start(&run.sim, dir.path(), provider, false);
    let all = run.all_answered().await;
    // A doubled answer would come after the last expected one.
    run.sim.wait_until(Duration::from_millis(500), |_| false).await;
    if !all {
        eprintln!("unanswered; log:\n{}", log(dir.path()));
    }
    run.compare();
    end(child);
    eprintln!("seed {seed}: {} messages, {kills} kills, caught at {caught:?}", run.count);
    let mut every = vec!["poll_answered", "send_written", "send_taken", "probing", "after"];
    if provider == "openai" {
        every.push("thinking");
    }
    for must in every {
        assert!(
            kills < 30 || caught.get(must).copied().unwrap_or(0) > 0,
            "no kill landed at {must}: {caught:?}"
        );
    }
}

fn name(moment: Moment) -> &'static str {
    match moment {
        Moment::After(_) => "after",
        Moment::PollAnswered => "poll_answered",
        Moment::SendWritten => "send_written",
        Moment::SendTaken => "send_taken",
        Moment::Probing => "probing",
        Moment::Thinking => "thinking",
    }
}

pub fn log(dir: &Path) -> String {
    let text = std::fs::read_to_string(dir.join("log")).unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(60)..].join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_every_stage_nothing_is_lost_or_doubled() {
    kill_and_compare(7, kills().div_ceil(2), "echo").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_a_model_answers_nothing_is_lost_or_doubled() {
    kill_and_compare(11, kills().div_ceil(2), "openai").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_over_a_backlog_nothing_is_lost_or_doubled() {
    let mut run = Run::new(3, Limits::off()).await;
    run.say(3000);
    run.sim.set_faults(Faults::none().on(
        Class::Sends,
        Fault::DelayAfter(Duration::from_millis(10)..Duration::from_millis(30)),
        1.0,
    ));
    let dir = tempfile::tempdir().expect("a temporary directory");
    for _ in 0..10 {
        let before = run.sim.bot_message_count();
        let child = start(&run.sim, dir.path(), "echo", false);
        let more = before + run.dice.u64(1..120);
        let moved = run.sim.wait_until(PATIENCE, |s| s.bot_message_count() >= more).await;
        assert!(moved, "no progress; log:\n{}", log(dir.path()));
        kill(child);
    }
    run.sim.set_faults(Faults::none());
    let child = start(&run.sim, dir.path(), "echo", false);
    assert!(run.all_answered().await, "log:\n{}", log(dir.path()));
    run.sim.wait_until(Duration::from_millis(500), |_| false).await;
    run.compare();
    end(child);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_at_ten_percent_loses_and_doubles_nothing() {
    let mut stage = Stage::new().await;
    stage.set("KATANA_TELEGRAM_SEND_TIMEOUT_S", "1");
    stage.set("KATANA_TELEGRAM_POLL_TIMEOUT_S", "1");
    stage.set("KATANA_TELEGRAM_POLL_DEADLINE_S", "2");
    let mut run = Run::on(stage.sim.clone(), 5);
    stage.start().await;
    // `everything` knows no black holes: they are added on top.
    let faults =
        [Class::Polls, Class::Sends].into_iter().fold(Faults::everything(0.09), |faults, class| {
            faults.on(class, Fault::BlackHole, 0.005).on(class, Fault::BlackHoleAfterEffect, 0.005)
        });
    stage.sim.set_faults(faults);
    for _ in 0..40 {
        run.say(50);
        let count = run.count as u64;
        // In waves, so that polls and sends overlap all the time.
        stage.sim.wait_until(Duration::from_millis(50), |s| s.bot_message_count() >= count).await;
    }
    let all = run.all_answered().await;
    assert!(all, "{} of {}", run.sim.bot_message_count(), run.count);
    stage.sim.set_faults(Faults::none());
    run.compare();
    let failed: u64 = stage
        .sim
        .outcomes()
        .values()
        .flat_map(|by_status| by_status.iter().filter(|(s, _)| **s != 200).map(|(_, n)| *n))
        .sum();
    assert!(failed > 100, "the faults were there: {failed}");
    stage.end().await;
}
