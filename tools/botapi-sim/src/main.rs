//! `botapi-sim`: the simulator on its own, for a bot in another process.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use botapi_sim::{Faults, Limits, Message, Options, Sim};
use clap::{Args, Parser, Subcommand, ValueEnum};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};

/// A strict local simulator of Telegram's Bot API and of model servers.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve until interrupted.
    Serve {
        #[command(flatten)]
        setup: Setup,
        /// Also serve /control/…: say, flood, reset, faults, transcript, state.
        #[arg(long)]
        control: bool,
    },
    /// Serve, and talk to the bot as a user: one line is one message.
    Chat {
        #[command(flatten)]
        setup: Setup,
        /// The user id you speak with.
        #[arg(long, default_value_t = 1001)]
        user: i64,
        /// The first name you speak with.
        #[arg(long, default_value = "Ada")]
        name: String,
    },
}

#[derive(Args, Debug)]
struct Setup {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDR")]
    listen: SocketAddr,
    /// The only token that is known, <bot id>:<secret>.
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,
    /// Seed of the first ids and of faults.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The part of all requests that goes wrong, 0 to 1.
    #[arg(long, default_value_t = 0.0, value_name = "RATE")]
    fault_rate: f64,
    /// Telegram's send limits.
    #[arg(long, value_enum, default_value = "real")]
    limits: LimitChoice,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LimitChoice {
    /// About 1/s a chat, 20/min a group, 30/s overall.
    Real,
    /// None, for benchmarks.
    Off,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Cli::parse().command).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("botapi-sim: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Serve { setup, control } => {
            let sim = start(setup, control).await?;
            print(&banner(&sim)).await?;
            std::future::pending::<()>().await;
        }
        Command::Chat { setup, user, name } => {
            let sim = start(setup, false).await?;
            sim.user(user, &name, None);
            print(&banner(&sim)).await?;
            chat(&sim, user).await?;
            sim.stop().await;
        }
    }
    Ok(())
}

async fn start(setup: Setup, control: bool) -> anyhow::Result<Sim> {
    anyhow::ensure!((0.0..=1.0).contains(&setup.fault_rate), "--fault-rate must be from 0 to 1");
    let defaults = Options::default();
    let options = Options {
        seed: setup.seed,
        limits: match setup.limits {
            LimitChoice::Real => Limits::real(),
            LimitChoice::Off => Limits::off(),
        },
        faults: Faults::everything(setup.fault_rate),
        listen: setup.listen,
        token: setup.token.unwrap_or(defaults.token),
        control,
        ..Options::default()
    };
    let well_formed = options
        .token
        .split_once(':')
        .is_some_and(|(id, secret)| id.parse::<i64>().is_ok() && !secret.is_empty());
    anyhow::ensure!(well_formed, "--token must look like 123456:SECRET");
    Sim::start(options).await.with_context(|| format!("cannot listen on {}", setup.listen))
}

fn banner(sim: &Sim) -> String {
    format!(
        "Bot API    {}\ntoken      {}\nOpenAI     {}\nAnthropic  {}\n\n\
         Point a bot here, for example:\n  \
         KATANA_TELEGRAM_API_URL={} KATANA_TELEGRAM_TOKEN={} katana-bot run\n",
        sim.api_url(),
        sim.token(),
        sim.openai_url(),
        sim.anthropic_url(),
        sim.api_url(),
        sim.token()
    )
}

/// Prints to stdout; a closed pipe is an error and not a panic.
async fn print(text: &str) -> anyhow::Result<()> {
    let mut out = tokio::io::stdout();
    out.write_all(text.as_bytes()).await?;
    out.write_all(b"\n").await?;
    out.flush().await.context("cannot write to stdout")
}

/// Reads lines and shows what the bot says, until the input ends.
async fn chat(sim: &Sim, user: i64) -> anyhow::Result<()> {
    print("Type a message and press Enter; end with Ctrl-D. Edits of the bot are shown again.")
        .await?;
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let mut shown: Vec<Message> = Vec::new();
    loop {
        tokio::select! {
            line = lines.next_line() => {
                let Some(line) = line.context("cannot read from stdin")? else {
                    // A piped conversation: leave the bot a moment for its last answer.
                    let count = shown.len();
                    sim.wait_until(Duration::from_secs(2), |sim| sim.bot_messages(user) .len() > count).await;
                    return show(sim, user, &mut shown).await;
                };
                if !line.trim().is_empty() {
                    sim.say(user, &line);
                }
            }
            // Wakes on every change, and once an hour in vain.
            _ = sim.wait_until(Duration::from_hours(1), |sim| sim.bot_messages(user) != shown) => {
                show(sim, user, &mut shown).await?;
            }
        }
    }
}

async fn show(sim: &Sim, user: i64, shown: &mut Vec<Message>) -> anyhow::Result<()> {
    let messages = sim.bot_messages(user);
    for message in &messages {
        let before = shown.iter().find(|old| old.message_id == message.message_id);
        if before == Some(message) {
            continue;
        }
        let edited = if before.is_some() { " (edited)" } else { "" };
        print(&format!("bot{edited}: {}", message.text)).await?;
        if let Some(markup) = &message.reply_markup {
            print(&format!("     buttons: {markup}")).await?;
        }
    }
    *shown = messages;
    Ok(())
}
