//! `katana-bot knowledge sync | reindex | use`: what changes the index, done by the bot where it runs, else here.

use std::process::ExitCode;
use std::time::Duration;

use hygiene::ownership::{folder_owner, own_uid};

use crate::cli::exit;
use crate::cli::stop::Stop;
use crate::cli::style::say;
use crate::config::Config;
use crate::knowledge::Knowledge;
use crate::observe::clock::Clock;
use crate::store::{Index, Wanted};

/// How often the outcome is asked for, when the bot does the work.
const ASK: Duration = Duration::from_millis(200);

/// Runs the command.
pub(super) async fn run(config: &Config, wanted: Wanted) -> anyhow::Result<ExitCode> {
    let sources = crate::app::sources(config);
    let is_look = matches!(wanted, Wanted::Sync | Wanted::Reindex);
    let has_none = sources.is_empty() && is_look;
    if has_none && !config.knowledge.index_path.exists() {
        return Err(no_sources());
    }
    let index = opened(config)?;
    if let Some(aside) = index.set_aside() {
        let aside = aside.display();
        eprintln!(
            "The index of the documents was damaged; it was set aside as {aside} and is made again."
        );
    }
    let clock = Clock::system();
    if !index.is_keeper()
        && let Some(done) = beside(&index, wanted, &clock).await?
    {
        return Ok(done);
    }
    if has_none {
        return Err(no_sources());
    }
    refuse_root(config)?;
    let knowledge = Knowledge::over(index, sources)?;
    match knowledge.work_on(wanted, &clock).await? {
        Ok(done) => {
            say(&format!("{done}.\n"));
            super::embed::embed(config, knowledge.index(), &clock).await?;
            Ok(ExitCode::SUCCESS)
        }
        Err(why) => Err(refused(&why)),
    }
}

/// Leaves a request to who keeps the index, and waits for its outcome; `None` when that process ends first, such as
/// another command, so that this one has the index now.
async fn beside(index: &Index, wanted: Wanted, clock: &Clock) -> anyhow::Result<Option<ExitCode>> {
    let asked = index.ask(wanted, clock.now_ms()).await?;
    eprintln!("The bot works on it, or another command has the index: this one waits for either.");
    loop {
        match index.outcome(asked).await? {
            Some(Ok(done)) => {
                say(&format!("{done}.\n"));
                return Ok(Some(ExitCode::SUCCESS));
            }
            Some(Err(why)) => return Err(refused(&why)),
            None if index.keep()? => return Ok(None),
            None => tokio::time::sleep(ASK).await,
        }
    }
}

fn no_sources() -> anyhow::Error {
    let text = "there is no folder of documents: neither knowledge.dir nor [knowledge.sources.NAME] is set";
    let hint = "set one of them (docs/knowledge.md); what owners send with /learn is read by the bot while it runs";
    Stop::new(exit::CONFIG, text, hint).into()
}

fn refused(why: &str) -> anyhow::Error {
    let hint = "see katana-bot knowledge status";
    Stop::new(exit::UNAVAILABLE, why, hint).into()
}

/// The index. Root makes no file that the bot could not write afterwards.
pub(super) fn opened(config: &Config) -> anyhow::Result<Index> {
    let path = &config.knowledge.index_path;
    if !is_root_elsewhere(config) {
        return Ok(Index::open(path)?);
    }
    match Index::visit(path) {
        Ok(index) if !index.keep()? => Ok(index),
        _ => refuse_root(config).and_then(|()| Ok(Index::open(path)?)),
    }
}

/// Whether what this process writes would be root's, in a folder of another user.
fn is_root_elsewhere(config: &Config) -> bool {
    own_uid() == 0 && folder_owner(&config.knowledge.index_path).is_some_and(|owner| owner != 0)
}

fn refuse_root(config: &Config) -> anyhow::Result<()> {
    if !is_root_elsewhere(config) {
        return Ok(());
    }
    let hint = "start it, or run this as its user: runuser -u katana-bot -- katana-bot knowledge …";
    let text = "the bot does not run, or has no documents (knowledge.dir is not set), and what root writes it \
                could not change";
    Err(Stop::new(exit::UNAVAILABLE, text, hint).into())
}
