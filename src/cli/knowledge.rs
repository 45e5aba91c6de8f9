//! `katana-bot knowledge`: the documents and their index, seen from the machine, also while the bot runs.

mod copies;
mod embed;
mod eval;
mod indexing;
mod open;
mod search;
mod server;
mod state;
mod status;
mod words;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;

use crate::config::Loaded;
use crate::store::{GenerationId, Wanted};

#[derive(Debug, Subcommand)]
pub(super) enum KnowledgeCommand {
    /// Look for changes in the documents now; the bot does it by itself while it runs
    Sync,
    /// Read all documents again; vectors of unchanged text stay
    Reindex,
    /// Put a generation of vectors to use, in the place of the active one
    Use {
        /// Its number, as `knowledge status` shows it
        generation: i64,
    },
    /// Copy the index into a new file, also while the bot runs, and have Qdrant write a snapshot where it is used
    Backup {
        /// Where to; must not exist yet
        file: PathBuf,
        /// Machine-readable output
        #[arg(long)]
        json: bool,
    },
    /// Put a copy in the place of the index; stop the bot first
    Restore {
        /// A file that `knowledge backup` made
        file: PathBuf,
    },
    /// Search the documents as the bot does, and show what is found with its score
    Search(search::SearchArgs),
    /// Search for each question of a file, and show how often the right passage is found
    Eval(eval::EvalArgs),
    /// Show the documents, those that cannot be read with the reason, and how far their vectors are
    Status {
        /// Machine-readable output
        #[arg(long)]
        json: bool,
    },
}

impl KnowledgeCommand {
    /// Whether it needs the folders, not only the index over them.
    pub(super) fn reads_folders(&self) -> bool {
        matches!(self, Self::Sync | Self::Reindex)
    }
}

pub(super) fn knowledge(loaded: &Loaded, command: &KnowledgeCommand) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let outcome = runtime.block_on(async {
        let config = &loaded.config;
        match command {
            KnowledgeCommand::Sync => indexing::run(config, Wanted::Sync).await,
            KnowledgeCommand::Reindex => indexing::run(config, Wanted::Reindex).await,
            KnowledgeCommand::Use { generation } => {
                indexing::run(config, Wanted::Use(GenerationId(*generation))).await
            }
            KnowledgeCommand::Backup { file, json } => copies::backup(config, file, *json).await,
            KnowledgeCommand::Restore { file } => copies::restore(config, file),
            KnowledgeCommand::Search(wish) => search::search(loaded, wish).await,
            KnowledgeCommand::Eval(wish) => eval::eval(loaded, wish).await,
            KnowledgeCommand::Status { json } => status::status(loaded, *json).await,
        }
    });
    // A hanging name lookup must not delay the exit.
    runtime.shutdown_background();
    outcome
}
