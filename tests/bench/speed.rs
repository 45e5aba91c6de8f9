//! How fast the whole bot is: `cargo bench`, or `cargo bench -- --quick`.
//!
//! The bot is the release binary as a process of its own, with its state on a real disk; this
//! process plays Telegram. Beside it, in the same run against the same simulator, runs a bot that
//! stores nothing ([`minimal`]): the ratio of the two holds on any machine. Nothing here is part of
//! `cargo test`.

#![allow(clippy::disallowed_methods, reason = "measures from outside")]
#![allow(clippy::print_stdout, reason = "the table is what it is for")]

mod minimal;
mod process;
mod report;
mod run;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};

use process::Bot;
use report::{Figures, Report};
use run::Plan;

/// Measures throughput, latency, start-up, memory and CPU of the bot.
#[derive(Debug, Parser)]
struct Args {
    /// Smaller numbers and one run, to see that it works.
    #[arg(long)]
    quick: bool,
    /// How often everything is measured; medians are reported [default: 3, quick: 1].
    #[arg(long)]
    runs: Option<usize>,
    /// Messages of the flood [default: 20000, quick: 2000].
    #[arg(long)]
    messages: Option<usize>,
    /// Measure only this.
    #[arg(long, value_enum)]
    only: Option<Part>,
    /// Leave the bot that stores nothing out.
    #[arg(long)]
    alone: bool,
    /// Measure this katana-bot instead of the one that was just built.
    #[arg(long, value_name = "PATH")]
    binary: Option<PathBuf>,
    /// Given by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

/// What can be measured alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    Flood,
    Paced,
    Start,
    /// A flood in one chat.
    Chat,
    /// A flood over very many chats.
    Crowd,
    /// Start and steady stream with a million questions in the state file.
    Grown,
}

impl Args {
    fn plan(&self) -> Plan {
        let (messages, paced_s, starts) = if self.quick { (2_000, 2, 3) } else { (20_000, 10, 5) };
        Plan {
            messages: self.messages.unwrap_or(messages),
            chats: 200,
            per_s: 200,
            paced: Duration::from_secs(paced_s),
            starts,
            binary: self.binary.clone(),
        }
    }

    fn wants(&self, part: Part) -> bool {
        self.only.is_none_or(|only| only == part)
    }
}

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime can be started");
    if let Some(target) = minimal::Target::from_env() {
        runtime.block_on(minimal::poll(&target));
        return ExitCode::SUCCESS;
    }
    let args = Args::parse();
    if !args.bench {
        // `cargo test --all-targets` starts benches, too.
        eprintln!("measured by `cargo bench` only");
        return ExitCode::SUCCESS;
    }
    let report = runtime.block_on(measure(&args));
    print!("{}", report.table());
    let path = target_dir().join("bench").join("katana.json");
    report.write(&path).expect("the target directory can be written");
    println!("\nwritten to {}", path.display());
    if report.is_sound() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn measure(args: &Args) -> Report {
    let plan = args.plan();
    let runs = args.runs.unwrap_or(if args.quick { 1 } else { 3 }).max(1);
    let state = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let mut report = Report::new(&plan, runs, &state);
    for number in 1..=runs {
        for bot in Bot::ALL {
            if args.alone && bot == Bot::Minimal {
                continue;
            }
            eprintln!("run {number} of {runs}: {}", bot.name());
            let mut figures = Figures::default();
            if args.wants(Part::Start) {
                run::start(bot, &plan, &state, &mut figures).await;
            }
            if args.wants(Part::Paced) {
                run::paced(bot, &plan, &state, &mut figures).await;
            }
            if args.only == Some(Part::Grown) && bot == Bot::Katana {
                run::grown(&plan, &state, &mut figures).await;
            }
            if args.wants(Part::Flood) {
                run::flood(bot, &plan, &state, &mut figures).await;
            }
            if args.wants(Part::Chat) {
                let shape = run::Shape { name: "chat_per_s", memory: "chat_peak_rss_mb" };
                let plan = Plan { chats: 1, messages: plan.messages / 4, ..plan.clone() };
                run::shaped(bot, &plan, &state, shape, &mut figures).await;
            }
            if args.wants(Part::Crowd) {
                let shape = run::Shape { name: "crowd_per_s", memory: "crowd_peak_rss_mb" };
                let plan =
                    Plan { chats: plan.messages / 2, messages: plan.messages * 5, ..plan.clone() };
                run::shaped(bot, &plan, &state, shape, &mut figures).await;
            }
            report.add(bot, figures);
        }
    }
    report
}

/// Cargo's target directory: its `tmp` is known at build time.
fn target_dir() -> &'static Path {
    let tmp = Path::new(env!("CARGO_TARGET_TMPDIR"));
    tmp.parent().unwrap_or(tmp)
}
