//! The measurements: start, a steady stream, a flood.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use botapi_sim::{Limits, Options, Sim};

use crate::process::Bot;
use crate::report::Figures;

/// The first user of `Sim::flood`.
const FIRST_USER: i64 = 1001;

/// How long a flood may take: even a slow disk is done by then.
const FLOOD_BOUND: Duration = Duration::from_secs(120);

/// How much is measured.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Messages of the flood.
    pub(crate) messages: usize,
    /// Chats they are dealt over.
    pub(crate) chats: usize,
    /// Messages a second of the steady stream.
    pub(crate) per_s: u32,
    /// How long it flows.
    pub(crate) paced: Duration,
    /// How often the start is measured.
    pub(crate) starts: usize,
    /// The bot to measure, instead of the one that was just built.
    pub(crate) binary: Option<PathBuf>,
}

async fn telegram() -> Sim {
    let options = Options { limits: Limits::off(), log_capacity: 0, ..Options::default() };
    Sim::start(options).await.expect("the simulator starts")
}

fn folder(state: &Path) -> tempfile::TempDir {
    tempfile::tempdir_in(state).expect("the target directory can be written")
}

/// Start to first `getUpdates`, with no state and with state; memory at rest.
pub(crate) async fn start(bot: Bot, plan: &Plan, state: &Path, figures: &mut Figures) {
    for _ in 0..plan.starts {
        let state = folder(state);
        for again in [false, true] {
            let sim = telegram().await;
            let running = bot.start(&sim, state.path(), plan.binary.as_deref());
            running.listening(&sim).await;
            let polled = sim.first_poll_at().expect("it listens");
            let ms = (polled - running.begun).as_secs_f64() * 1e3;
            figures.push(if again { "restart_ms" } else { "start_ms" }, ms);
            if again {
                tokio::time::sleep(Duration::from_secs(1)).await;
                figures.push("idle_rss_mb", running.memory_mb("VmRSS"));
            }
            running.stop().await;
            sim.stop().await;
        }
    }
}

/// A steady stream: the time from a message being there to the arrival of its answer.
pub(crate) async fn paced(bot: Bot, plan: &Plan, state: &Path, figures: &mut Figures) {
    let (sim, state) = (telegram().await, folder(state));
    let running = bot.start(&sim, state.path(), plan.binary.as_deref());
    running.listening(&sim).await;
    // The first message pays for connections; its percentiles do not matter.
    sim.say(1, "warm up");
    assert!(sim.wait_until(FLOOD_BOUND, |sim| sim.bot_message_count() == 1).await);
    sim.reset_counts();
    let (warm, cpu) = (sim.bot_message_count(), running.cpu_s());
    let mut tick = tokio::time::interval(Duration::from_secs(1) / plan.per_s);
    let count = plan.paced.as_secs() * u64::from(plan.per_s);
    for number in 0..count {
        tick.tick().await;
        let chat = i64::try_from(number).unwrap_or(0) % i64::try_from(plan.chats).unwrap_or(1);
        sim.say(FIRST_USER + chat, &format!("hello {number}"));
    }
    let all = sim.wait_until(FLOOD_BOUND, |sim| sim.bot_message_count() >= warm + count).await;
    assert!(all, "answers are missing");
    let used = running.quiet_cpu_s().await - cpu;
    let mut latencies = sim.latencies();
    latencies.sort_unstable();
    figures.push("p50_ms", percentile(&latencies, 50));
    figures.push("p99_ms", percentile(&latencies, 99));
    figures.push("max_ms", percentile(&latencies, 100));
    figures.push("paced_cpu_s_per_1000", per_1000(used, count));
    running.stop().await;
    sim.stop().await;
}

/// Questions that a state file holds after years.
const GROWN: u64 = 1_000_000;

/// What four people ask for at once, who said all of it.
const ASKED: [&str; 4] = ["/whoami", "/stats", "/forget", "/status"];

/// The same stream, and the start, when very much is kept; once alone, once while people ask for what is
/// kept of theirs, and once while one of them has it deleted.
pub(crate) async fn grown(plan: &Plan, state: &Path, figures: &mut Figures) {
    let (sim, state) = (telegram().await, folder(state));
    let new = Bot::Katana.start(&sim, state.path(), plan.binary.as_deref());
    new.listening(&sim).await;
    new.stop().await;
    grow(&state.path().join("katana.db"));
    sim.reset_counts();
    let running = Bot::Katana.start(&sim, state.path(), plan.binary.as_deref());
    running.listening(&sim).await;
    let polled = sim.first_poll_at().expect("it listens");
    figures.push("grown_start_ms", (polled - running.begun).as_secs_f64() * 1e3);
    for (commands, p50, p99) in [
        (&[][..], "grown_p50_ms", "grown_p99_ms"),
        (&ASKED[..], "grown_commands_p50_ms", "grown_commands_p99_ms"),
        // A quarter of everything is deleted meanwhile.
        (&["/forget yes"][..], "grown_forget_p50_ms", "grown_forget_p99_ms"),
    ] {
        sim.say(FIRST_USER, "warm up");
        tokio::time::sleep(Duration::from_secs(1)).await;
        sim.reset_counts();
        let mut tick = tokio::time::interval(Duration::from_secs(1) / plan.per_s);
        let count = plan.paced.as_secs() * u64::from(plan.per_s);
        let mut asked = 0_u64;
        for number in 0..count {
            tick.tick().await;
            // So few that they are not the slowest hundredth themselves.
            if number % 500 == 250 {
                for (person, command) in (1..).zip(commands) {
                    sim.say(person, command);
                    // The answer to a deletion may come after the end.
                    asked += u64::from(ASKED.contains(command));
                }
            }
            let chat = i64::try_from(number).unwrap_or(0) % i64::try_from(plan.chats).unwrap_or(1);
            sim.say(FIRST_USER + chat, &format!("hello {number}"));
        }
        let wanted = count + asked;
        let all = sim.wait_until(FLOOD_BOUND, |sim| sim.bot_message_count() >= wanted).await;
        assert!(all, "answers are missing");
        let mut latencies = sim.latencies();
        latencies.sort_unstable();
        figures.push(p50, percentile(&latencies, 50));
        figures.push(p99, percentile(&latencies, 99));
    }
    running.stop().await;
    sim.stop().await;
}

/// Fills a state file as years of use would.
fn grow(file: &Path) {
    let mut conn = rusqlite::Connection::open(file).expect("the state file opens");
    let bot: i64 = conn
        .query_row("SELECT bot_id FROM bots", [], |row| row.get(0))
        .expect("the bot has started once");
    let sql = include_str!("grown.sql");
    let sql = sql.replace("ROWS", &GROWN.to_string()).replace("BOT", &bot.to_string());
    let tx = conn.transaction().expect("a transaction");
    tx.execute_batch(&sql).expect("the file can be filled");
    tx.commit().expect("a commit");
}

/// A flood that waits when the bot starts: from its first poll to the arrival of the last answer.
pub(crate) async fn flood(bot: Bot, plan: &Plan, state: &Path, figures: &mut Figures) {
    let done = answered(bot, plan, state).await;
    figures.push("flood_per_s", done.per_s);
    figures.push("peak_rss_mb", done.peak_mb);
    figures.push("flood_cpu_s_per_1000", done.cpu_s_per_1000);
    done.wrong.push(figures);
}

/// The names of the figures of another flood.
pub(crate) struct Shape {
    pub(crate) name: &'static str,
    pub(crate) memory: &'static str,
}

/// A flood of another shape.
pub(crate) async fn shaped(
    bot: Bot,
    plan: &Plan,
    state: &Path,
    shape: Shape,
    figures: &mut Figures,
) {
    let done = answered(bot, plan, state).await;
    figures.push(shape.name, done.per_s);
    figures.push(shape.memory, done.peak_mb);
    done.wrong.push(figures);
}

struct Done {
    per_s: f64,
    peak_mb: f64,
    cpu_s_per_1000: f64,
    wrong: Wrong,
}

async fn answered(bot: Bot, plan: &Plan, state: &Path) -> Done {
    let (sim, state) = (telegram().await, folder(state));
    sim.flood(plan.messages, plan.chats, "hello {n}");
    let running = bot.start(&sim, state.path(), plan.binary.as_deref());
    let wanted = plan.messages as u64;
    let bound = Instant::now() + FLOOD_BOUND;
    // Looking at every change would cost the simulator more than a look each millisecond.
    while sim.bot_message_count() < wanted && Instant::now() < bound {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let ended = Instant::now();
    let begun = sim.first_poll_at().expect("the bot polled");
    let used = running.quiet_cpu_s().await;
    let seconds = (ended - begun).as_secs_f64();
    let sent = sim.bot_message_count();
    let done = Done {
        per_s: f64::from(u32::try_from(sent).unwrap_or(u32::MAX)) / seconds,
        peak_mb: running.memory_mb("VmHWM"),
        cpu_s_per_1000: per_1000(used, wanted),
        wrong: judge(&sim, plan),
    };
    running.stop().await;
    sim.stop().await;
    done
}

/// What a flood must not do.
#[derive(Default)]
struct Wrong {
    lost: f64,
    doubled: f64,
    disordered: f64,
}

impl Wrong {
    fn push(&self, figures: &mut Figures) {
        figures.push("lost", self.lost);
        figures.push("doubled", self.doubled);
        figures.push("disordered", self.disordered);
    }
}

fn judge(sim: &Sim, plan: &Plan) -> Wrong {
    let mut wrong = Wrong::default();
    for chat in 0..plan.chats {
        let id = FIRST_USER + i64::try_from(chat).unwrap_or(0);
        let numbers: Vec<usize> = sim
            .bot_messages(id)
            .iter()
            .filter_map(|m| m.text.strip_prefix("echo: hello ")?.parse().ok())
            .collect();
        if !numbers.is_sorted() {
            wrong.disordered += 1.0;
        }
        for number in (chat + 1..=plan.messages).step_by(plan.chats) {
            match numbers.iter().filter(|n| **n == number).count() {
                0 => wrong.lost += 1.0,
                1 => {}
                _ => wrong.doubled += 1.0,
            }
        }
    }
    wrong
}

fn per_1000(seconds: f64, count: u64) -> f64 {
    seconds * 1000.0 / f64::from(u32::try_from(count.max(1)).unwrap_or(u32::MAX))
}

/// A percentile of sorted durations, in milliseconds.
fn percentile(sorted: &[Duration], percent: usize) -> f64 {
    let place = (sorted.len() * percent).div_ceil(100).max(1) - 1;
    sorted.get(place).map_or(f64::NAN, |d| d.as_secs_f64() * 1e3)
}
