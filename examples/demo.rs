//! The whole bot in one terminal: `cargo run --example demo`.
//!
//! The real daemon, with a real state file and real HTTP, talks to a simulator of Telegram in the
//! same process, and you are the person who writes to it. No token, no key, no network.
//! Scripted: `--say "text"` (repeatable), or lines on standard input.

#![allow(clippy::disallowed_methods, reason = "plays Telegram and the person, too")]

#[path = "demo/screen.rs"]
mod screen;
#[path = "demo/stage.rs"]
mod stage;
#[path = "demo/style.rs"]
mod style;
#[path = "demo/talk.rs"]
mod talk;

use std::io::{BufRead, IsTerminal};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use katana::lifecycle::Signals;
use tokio::sync::mpsc;

use screen::Screen;
use stage::Stage;
use talk::{Ending, Talk};

/// Katana in one terminal: the real daemon against a local simulator of Telegram.
#[derive(Debug, Parser)]
#[command(name = "demo")]
struct Args {
    /// Say this and show the answer; may be given several times. Then the demo ends.
    #[arg(long, value_name = "TEXT")]
    say: Vec<String>,
    /// How long a message may wait for its answer; afterwards the demo ends with an error.
    #[arg(long, value_name = "SECONDS", default_value_t = 20)]
    timeout: u64,
    /// One line of JSON per answer instead of a conversation.
    #[arg(long)]
    json: bool,
    /// Who answers.
    #[arg(long, value_enum, default_value = "offline")]
    provider: Provider,
    /// The part of all calls to Telegram that goes wrong, 0 to 1; still nothing is lost.
    #[arg(long, value_name = "RATE", default_value_t = 0.0)]
    faults: f64,
    /// Show the daemon's log on standard error instead of writing it to a file.
    #[arg(long, short)]
    verbose: bool,
    /// Keep the state file and the log at the end.
    #[arg(long)]
    keep: bool,
}

/// Who answers in the demo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Provider {
    /// Quotes the pages in examples/knowledge.
    Offline,
    /// Repeats what you say.
    Echo,
    /// A simulated model server that writes slowly, so that you can watch previews.
    Model,
}

fn main() -> ExitCode {
    let args = Args::parse();
    if !(0.0..=1.0).contains(&args.faults) {
        eprintln!("demo: --faults takes a number from 0 to 1");
        return ExitCode::from(64);
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => {
            eprintln!("demo: cannot start the runtime: {e}");
            return ExitCode::FAILURE;
        }
    };
    let outcome = runtime.block_on(demo(&args));
    // A reader that still waits for the keyboard must not hold the exit.
    runtime.shutdown_background();
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(e) => {
            eprintln!("demo: {e:#}");
            ExitCode::FAILURE
        }
    }
}

/// Plays the demo; answers whether every message was answered and everything ended well.
async fn demo(args: &Args) -> anyhow::Result<bool> {
    let mut signals = Signals::listen()?;
    let stage = Stage::start(args).await?;
    let interactive = args.say.is_empty() && std::io::stdin().is_terminal();
    let mut screen = Screen::new(args.json, interactive);
    screen.greet(&stage, args)?;
    let mut talk = Talk::new(&stage, &mut screen, Duration::from_secs(args.timeout));
    let ending = talk.run(lines(args), &mut signals).await;
    let unanswered = talk.unanswered();
    let well = match &ending {
        Ok(Ending::NothingMore | Ending::Interrupted) => unanswered == 0,
        Ok(Ending::BotDied) | Err(_) => false,
    };
    let farewell = stage.stop(args.keep || !well, &mut signals).await;
    screen.farewell(&farewell, unanswered)?;
    ending?;
    Ok(well && farewell.gentle)
}

/// What is to be said: the arguments, or the lines of standard input.
fn lines(args: &Args) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel(16);
    let say = args.say.clone();
    // A thread of its own: nothing can interrupt a read from a terminal.
    std::thread::spawn(move || {
        if say.is_empty() {
            for line in std::io::stdin().lock().split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).into_owned();
                if sender.blocking_send(line).is_err() {
                    return;
                }
            }
        }
        for line in say {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    receiver
}
