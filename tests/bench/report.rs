//! What was measured, as a table for people and as JSON.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

use serde_json::{Value, json};

use crate::process::Bot;
use crate::run::Plan;

/// A row of the table: the figure, its words, its decimals, and the mark of the project.
type Row = (&'static str, &'static str, usize, &'static str);

const ROWS: &[Row] = &[
    ("flood_per_s", "flood, updates/s", 0, "> 17,900"),
    ("flood_cpu_s_per_1000", "  CPU s per 1,000", 3, ""),
    ("peak_rss_mb", "  peak RSS, MB", 1, ""),
    ("lost", "  lost", 0, "0"),
    ("doubled", "  doubled", 0, "0"),
    ("disordered", "  chats out of order", 0, "0"),
    ("chat_per_s", "one chat, updates/s", 0, ""),
    ("chat_peak_rss_mb", "  peak RSS, MB", 1, ""),
    ("crowd_per_s", "many chats, updates/s", 0, ""),
    ("crowd_peak_rss_mb", "  peak RSS, MB", 1, ""),
    ("p50_ms", "200/s: p50, ms", 2, "< 3"),
    ("p99_ms", "  p99, ms", 2, "< 10"),
    ("max_ms", "  longest, ms", 2, ""),
    ("paced_cpu_s_per_1000", "  CPU s per 1,000", 3, ""),
    ("start_ms", "start to first getUpdates, ms", 1, "< 50"),
    ("restart_ms", "  with state, ms", 1, "< 50"),
    ("idle_rss_mb", "idle RSS, MB", 1, "< 15"),
    ("grown_start_ms", "grown: start, ms", 1, "< 40"),
    ("grown_p50_ms", "  200/s: p50, ms", 2, ""),
    ("grown_p99_ms", "  p99, ms", 2, ""),
    ("grown_commands_p50_ms", "  with commands: p50, ms", 2, ""),
    ("grown_commands_p99_ms", "  p99, ms", 2, ""),
    ("grown_forget_p50_ms", "  with a deletion: p50, ms", 2, ""),
    ("grown_forget_p99_ms", "  p99, ms", 2, ""),
];

/// The figures of one bot; several values each.
#[derive(Debug, Default)]
pub(crate) struct Figures(BTreeMap<&'static str, Vec<f64>>);

impl Figures {
    /// Adds one value.
    pub(crate) fn push(&mut self, name: &'static str, value: f64) {
        self.0.entry(name).or_default().push(value);
    }

    fn median(&self, name: &str) -> Option<f64> {
        let mut values = self.0.get(name)?.clone();
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        Some(if values.len() % 2 == 0 {
            f64::midpoint(values[middle - 1], values[middle])
        } else {
            values[middle]
        })
    }

    fn json(&self) -> Value {
        let all = self.0.keys().map(|name| {
            let values: Vec<f64> = self.0[name].iter().copied().map(round).collect();
            let median = self.median(name).map(round);
            ((*name).to_owned(), json!({"median": median, "all": values}))
        });
        Value::Object(all.collect())
    }
}

/// All figures, and where they were taken.
pub(crate) struct Report {
    plan: Plan,
    runs: usize,
    sync_ms: f64,
    bots: BTreeMap<Bot, Figures>,
}

impl Report {
    /// Nothing is measured yet but the disk under `state`.
    pub(crate) fn new(plan: &Plan, runs: usize, state: &Path) -> Self {
        Self { plan: plan.clone(), runs, sync_ms: sync_ms(state), bots: BTreeMap::new() }
    }

    /// Adds what one run found.
    pub(crate) fn add(&mut self, bot: Bot, figures: Figures) {
        let all = self.bots.entry(bot).or_default();
        for (name, values) in figures.0 {
            all.0.entry(name).or_default().extend(values);
        }
    }

    /// Whether the bot under test lost, doubled and disordered nothing.
    pub(crate) fn is_sound(&self) -> bool {
        let sound = |f: &Figures| {
            ["lost", "doubled", "disordered"]
                .iter()
                .all(|name| f.0.get(name).is_none_or(|all| all.iter().all(|n| *n == 0.0)))
        };
        self.bots.get(&Bot::Katana).is_none_or(sound)
    }

    /// For people.
    pub(crate) fn table(&self) -> String {
        let mut text = format!(
            "\n{} messages over {} chats, {}/s for {} s, medians of {}; {}, {} cores, \
             4 kB to disk in {:.2} ms\n\n",
            self.plan.messages,
            self.plan.chats,
            self.plan.per_s,
            self.plan.paced.as_secs(),
            self.runs,
            cpu(),
            cores(),
            self.sync_ms
        );
        let _ = writeln!(
            text,
            "{:<32}{:>10}{:>22}{:>8}{:>12}",
            "", "katana", "stores nothing", "ratio", "mark"
        );
        for (name, words, decimals, mark) in ROWS {
            let of = |bot| self.bots.get(&bot).and_then(|f: &Figures| f.median(name));
            let (katana, minimal) = (of(Bot::Katana), of(Bot::Minimal));
            if katana.is_none() && minimal.is_none() {
                continue;
            }
            let show = |n: Option<f64>| n.map_or("-".into(), |n| format!("{n:.decimals$}"));
            let ratio = match (katana, minimal) {
                (Some(a), Some(b)) if b > 0.0 => format!("{:.2}", a / b),
                _ => String::new(),
            };
            let (katana, minimal) = (show(katana), show(minimal));
            let _ = writeln!(text, "{words:<32}{katana:>10}{minimal:>22}{ratio:>8}{mark:>12}");
        }
        text
    }

    /// For programs.
    pub(crate) fn write(&self, path: &Path) -> std::io::Result<()> {
        let bots: serde_json::Map<String, Value> =
            self.bots.iter().map(|(bot, f)| (bot.name().to_owned(), f.json())).collect();
        let report = json!({
            "messages": self.plan.messages, "chats": self.plan.chats,
            "paced_per_s": self.plan.per_s, "paced_s": self.plan.paced.as_secs(),
            "runs": self.runs,
            "machine": {"cpu": cpu(), "cores": cores(), "sync_4k_ms": round(self.sync_ms)},
            "bots": bots,
        });
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(path, format!("{report:#}\n"))
    }
}

fn round(n: f64) -> f64 {
    (n * 1000.0).round() / 1000.0
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

fn cpu() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find(|line| line.starts_with("model name"));
    name.and_then(|line| line.split_once(": ")).map_or("unknown CPU", |(_, name)| name).to_owned()
}

/// What one small write to the disk costs: the median of 100, in milliseconds.
fn sync_ms(folder: &Path) -> f64 {
    let mut file = tempfile::tempfile_in(folder).expect("the target directory can be written");
    let mut times: Vec<f64> = (0..100)
        .map(|_| {
            let begun = Instant::now();
            file.write_all(&[7; 4096]).and_then(|()| file.sync_data()).expect("the disk works");
            begun.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[50]
}
