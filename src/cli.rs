//! The command line: what an operator can ask of the binary.

mod backup;
mod check;
mod deploy_check;
mod doctor;
mod endpoint;
pub mod exit;
mod extract;
mod hangup;
mod healthcheck;
mod knowledge;
mod last_exit;
mod memory;
mod remedy;
mod run;
mod run_as;
mod setup;
mod sources;
mod status;
mod stop;
mod style;
mod tool;
mod try_model;
mod unit;
mod usage;
mod users;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use hygiene::line::harmless;
use hygiene::redact::without_tokens;

use self::remedy::remedy;
use self::stop::Stop;
use self::style::{is_colourful, say};
use crate::config::{Config, Examined, Loaded, Sources};
use crate::logging;
use crate::model::failure::chain;
use crate::store::StoreError;
use crate::{systemd, web};

#[derive(Debug, Parser)]
#[command(
    name = "katana-bot",
    version,
    about = "A Telegram AI assistant that survives crashes and runs unattended",
    after_help = "Secrets come from systemd credentials, *_FILE variables or the environment, \
                  never from the command line.\nFirst steps: sudo katana-bot setup",
    arg_required_else_help = true
)]
struct Args {
    /// Configuration file [default: /etc/katana-bot/katana-bot.toml, if it exists]
    #[arg(long, short, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// katana-bot@NAME, one of several bots on this machine: its configuration, state and secrets
    #[arg(long, global = true, value_name = "NAME", value_parser = endpoint::instance)]
    instance: Option<String>,
    #[command(subcommand)]
    command: Command,
}

impl Args {
    /// The configuration file that the flags name.
    fn config(&self) -> anyhow::Result<Option<PathBuf>> {
        let named = self.instance.as_deref().map(endpoint::config_of);
        match (&self.config, named) {
            // Setup makes it.
            (given, _) if matches!(self.command, Command::Setup(_)) => Ok(given.clone()),
            (Some(_), Some(_)) => {
                let hint = "--instance NAME is short for --config /etc/katana-bot/NAME.toml";
                Err(Stop::new(exit::USAGE, "give either --instance or --config", hint).into())
            }
            (given, named) => Ok(named.or_else(|| given.clone())),
        }
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the bot until a signal stops it (SIGTERM, SIGINT)
    Run {
        /// Become this user first and give it the state's folder, where volumes belong to root
        #[arg(long = "as", value_name = "UID[:GID]")]
        user: Option<run_as::User>,
    },
    /// Ask the running bot whether it works; exit 1 if not. For health checks of containers
    Healthcheck {
        /// Ask only whether the process makes progress; an outage of Telegram does not count
        #[arg(long)]
        alive: bool,
    },
    /// Check the configuration and print every problem with a hint; exit 78 if there is one
    CheckConfig {
        /// Machine-readable output
        #[arg(long)]
        json: bool,
        /// Leave out the secrets, which may be readable only for the bot
        #[arg(long)]
        without_secrets: bool,
    },
    /// Print the effective configuration with the origin of each value, secrets masked
    PrintConfig,
    /// Show the state of the daemon; exit 1 if it does not serve people
    Status {
        /// Machine-readable output
        #[arg(long)]
        json: bool,
        /// Heartbeat file [default: that of the configuration]
        #[arg(long, value_name = "HEARTBEAT")]
        file: Option<PathBuf>,
    },
    /// Check everything the bot needs, and say what to fix; exit 69 or 78 if something is wrong
    Doctor {
        /// Machine-readable output
        #[arg(long)]
        json: bool,
        /// Ask each provider for one word, and the embeddings server for a vector, which may cost money
        #[arg(long)]
        ask_provider: bool,
    },
    /// Wait until a new instance works: ready, polls answered, the canary question answered; exit 69 if not
    DeployCheck(deploy_check::Wishes),
    /// Copy the state to a verified file that only you can read; works while the bot runs
    Backup {
        /// The new file; - writes to standard output
        #[arg(value_name = "FILE", required_unless_present = "rotate")]
        file: Option<PathBuf>,
        /// A new file in backup.dir; deletes the oldest of more than backup.keep (the nightly timer)
        #[arg(long, conflicts_with_all = ["file", "force"])]
        rotate: bool,
        /// Replace an existing file
        #[arg(long)]
        force: bool,
        /// Machine-readable report
        #[arg(long)]
        json: bool,
    },
    /// Replace the state with a backup, and keep the old state; the bot must be stopped
    Restore {
        /// A file that `katana-bot backup` wrote
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Only verify the backup and show what is in it
        #[arg(long)]
        check: bool,
        /// Restore it even if it has no data of the configured bot
        #[arg(long)]
        other_bot: bool,
        /// Machine-readable report
        #[arg(long)]
        json: bool,
    },
    /// Write down how systemd saw the daemon end; for the unit
    #[command(hide = true)]
    RecordExit,
    /// Set up the bot: token, provider, alerts, start; asks, or takes flags. Can be repeated
    Setup(Box<setup::Args>),
    /// Show what answers cost: tokens and money by day, person, chat or model
    Usage(usage::UsageArgs),
    /// Show what the bot reads of a document: Markdown, text, HTML, PDF, docx, odt, EPUB, CSV, code
    Extract(extract::ExtractArgs),
    /// Show the documents and their index
    Knowledge {
        #[command(subcommand)]
        command: knowledge::KnowledgeCommand,
    },
    /// List, approve and remove the people who may chat
    Users {
        #[command(subcommand)]
        command: users::UsersCommand,
    },
}

/// The command line, as clap describes it; the man page is made from it.
pub fn command() -> clap::Command {
    <Args as clap::CommandFactory>::command()
}

/// The whole program.
pub fn main() -> ExitCode {
    let code = obey();
    // The unit is not restarted after these, so no later process would accept the connections that
    // wait at systemd's socket, and systemd starts the unit again for each of them. After any other
    // exit the unit is restarted, and answers them.
    if [exit::USAGE, exit::CONFIG].map(ExitCode::from).contains(&code)
        && let Ok(Some(listener)) = systemd::passed_listener()
    {
        web::refuse(&listener);
    }
    code
}

/// Does what the command line says.
fn obey() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(e) => {
            let e = hygiene::arguments::discreet(e);
            let _ = e.print();
            if !e.use_stderr() {
                return ExitCode::SUCCESS;
            }
            last_exit::misused();
            return ExitCode::from(exit::USAGE);
        }
    };
    // Two crypto libraries in one build make rustls panic unless one is chosen; a second
    // installation (in tests) is harmless.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    args.config().and_then(|config| obeyed(args, config)).unwrap_or_else(|e| complain(&e))
}

fn obeyed(args: Args, config: Option<PathBuf>) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::Run { user } => {
            user.map_or(Ok(()), |user| run_as::become_user(user, config.clone()))?;
            daemon(config)
        }
        Command::Healthcheck { alive } => Ok(healthcheck::healthcheck(config, alive)),
        Command::RecordExit => Ok(last_exit::record(config)),
        Command::CheckConfig { json, without_secrets } => {
            Ok(check::check_config(config, json, without_secrets))
        }
        Command::PrintConfig => visit(config).map(|loaded| {
            say(&loaded.print(is_colourful(&std::io::stdout())));
            ExitCode::SUCCESS
        }),
        Command::Status { json, file } => status::status(config, file, json),
        Command::Doctor { json, ask_provider } => doctor::doctor(config, json, ask_provider),
        Command::DeployCheck(wishes) => deploy_check::deploy_check(&wishes),
        Command::Backup { file, force, json, .. } => {
            backup::backup(config, file.as_deref(), force, json)
        }
        Command::Restore { file, check, other_bot, json } => {
            let wish = backup::Wish { check, other_bot };
            backup::restore(config, &file, wish, json)
        }
        Command::Setup(mut wishes) => {
            wishes.instance = args.instance;
            setup::setup(config, &wishes)
        }
        Command::Usage(wish) => visit(config).and_then(|loaded| usage::usage(&loaded, &wish)),
        Command::Extract(wish) => extract::extract(&wish),
        Command::Knowledge { command } => visit_documents(config, command.reads_folders())
            .and_then(|loaded| knowledge::knowledge(&loaded, &command)),
        Command::Users { command } => {
            visit(config).and_then(|loaded| users::users(&loaded, &command))
        }
    }
}

/// Runs the daemon; how it ends with an error is written down beside its heartbeat.
fn daemon(file: Option<PathBuf>) -> anyhow::Result<ExitCode> {
    let sources = Sources::from_process(file.clone());
    let mut examined = Config::examine(&sources);
    // Not the warnings: a reload compares them with its own.
    sources::for_its_unit(&mut examined.problems.0, &sources);
    if !examined.problems.0.is_empty() {
        last_exit::refused(&examined);
        run::refused(&examined);
        return Err(anyhow::Error::new(examined.problems));
    }
    let loaded = examined.loaded;
    run::run(&loaded, file).inspect_err(|e| {
        // Nothing is written beside a file of something else.
        let is_foreign = e.downcast_ref::<StoreError>().is_some_and(StoreError::is_foreign);
        if !is_foreign || !last_exit::is_beside_state(&loaded) {
            last_exit::ended(&loaded, remedy(e).0, &chain(e.as_ref()));
        }
    })
}

/// The configuration of a daemon, as seen from outside its unit.
fn visit(file: Option<PathBuf>) -> anyhow::Result<Loaded> {
    let Examined { loaded, problems } = sources::examined(&sources::sources(file));
    if problems.0.is_empty() { Ok(loaded) } else { Err(anyhow::Error::new(problems)) }
}

/// The same for what has to do with documents alone, which needs no secret but those of its own servers, and shows
/// the index also while a folder is gone.
fn visit_documents(file: Option<PathBuf>, reads_folders: bool) -> anyhow::Result<Loaded> {
    let Examined { loaded, mut problems } = sources::examined(&sources::sources(file));
    if !reads_folders {
        let dirs: Vec<String> =
            crate::app::sources(&loaded.config).iter().map(check::key).collect();
        problems.0.retain(|problem| !dirs.contains(&problem.key));
    }
    let is_needed = |key: &str| key.starts_with("embeddings.") || key.starts_with("qdrant.");
    sources::without_secrets(&mut problems.0, &loaded, is_needed);
    if problems.0.is_empty() { Ok(loaded) } else { Err(anyhow::Error::new(problems)) }
}

fn complain(e: &anyhow::Error) -> ExitCode {
    if logging::is_json() {
        // The log has said it.
        return ExitCode::from(remedy(e).0);
    }
    if let Some(problems) = e.downcast_ref::<crate::config::Problems>() {
        eprint!("{}", problems.print(is_colourful(&std::io::stderr())));
        return ExitCode::from(exit::CONFIG);
    }
    // Printed, it has no level. Systemd takes one from here (sd-daemon(3)), for `journalctl -p err`.
    let level = if logging::is_in_journal() { "<3>" } else { "" };
    eprintln!("{level}katana-bot: {}", without_tokens(&chain(e.as_ref())));
    let (code, hint) = remedy(e);
    if let Some(hint) = hint {
        eprintln!("{level}  hint: {}", without_tokens(&harmless(hint)));
    }
    ExitCode::from(code)
}
