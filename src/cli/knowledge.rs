//! `katana-bot knowledge`: the documents and their index, seen from the machine, also while the bot runs.

mod server;
mod state;
mod status;
mod words;

use std::process::ExitCode;

use clap::Subcommand;

use crate::config::Loaded;

#[derive(Debug, Subcommand)]
pub(super) enum KnowledgeCommand {
    /// Show the documents, those that cannot be read with the reason, and how far their vectors are
    Status {
        /// Machine-readable output
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn knowledge(loaded: &Loaded, command: &KnowledgeCommand) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let outcome = runtime.block_on(async {
        match command {
            KnowledgeCommand::Status { json } => status::status(loaded, *json).await,
        }
    });
    // A hanging name lookup must not delay the exit.
    runtime.shutdown_background();
    outcome
}
