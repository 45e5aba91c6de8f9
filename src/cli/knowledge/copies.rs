//! `katana-bot knowledge backup | restore`: the index in one file, and back.

use std::path::Path;
use std::process::ExitCode;

use crate::cli::style::say;
use crate::config::Config;
use crate::store::Index;

/// Copies the index, also while the bot runs.
pub(super) async fn backup(config: &Config, to: &Path) -> anyhow::Result<ExitCode> {
    let index = Index::visit(&config.knowledge.index_path)?;
    let size = index.copy_to(to.to_owned()).await?;
    say(&format!("The index is in {}, {:.1} MiB.\n", to.display(), size as f64 / 1_048_576.0));
    Ok(ExitCode::SUCCESS)
}

/// Puts a copy in the place of the index.
pub(super) fn restore(config: &Config, from: &Path) -> anyhow::Result<ExitCode> {
    let path = &config.knowledge.index_path;
    Index::restore(from, path)?;
    say(&format!(
        "{} is the index now. What changed since it was made is read at the next start.\n",
        from.display()
    ));
    Ok(ExitCode::SUCCESS)
}
