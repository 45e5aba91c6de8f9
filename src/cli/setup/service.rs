//! The unit: its drop-in, its start, and whether it became ready.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use super::age;
use super::answers::SetupArgs;
use super::credential_store::{self, Vault};
use super::drop_in::DROP_IN;
use super::plan::Target;
use crate::cli::stop::Stop;
use crate::cli::tool::{BOOTED, tool, within};
use crate::cli::{exit, style};
use crate::commands::fresh_code;
use crate::model::ids::BotId;
use crate::model::limits;
use crate::observe::clock::Clock;
use crate::store::{Opening, Store};

/// Time between looks at a unit that starts.
const LOOK: Duration = Duration::from_millis(250);

/// Longest time for a command to systemd: generators may be slow, and a start may wait.
const ORDER: Duration = Duration::from_secs(60);

/// The outcome for the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Started {
    /// It runs and Telegram has answered.
    Ready,
    /// A start was not requested, or there is no systemd.
    No,
}

/// Writes the drop-in of a unit, or removes it; returns whether that changed anything.
pub(super) fn drop_in(
    args: &SetupArgs,
    unit: &str,
    wanted: Option<String>,
) -> anyhow::Result<bool> {
    let file = args.units_dir.join(format!("{unit}.service.d")).join(DROP_IN);
    let there = std::fs::read_to_string(&file).ok();
    if there == wanted {
        return Ok(false);
    }
    let done = match &wanted {
        Some(text) => credential_store::edit(&file, text.as_bytes()),
        None => std::fs::remove_file(&file),
    };
    done.map_err(|e| credential_store::failed(&file, &e))?;
    if let (None, Some(folder)) = (&wanted, file.parent()) {
        // It stays if there are other drop-ins in it.
        let _ = std::fs::remove_dir(folder);
    }
    Ok(true)
}

/// Lets systemd reload its units: it reads drop-ins only on request. `must`: the old forms of
/// secrets are removed afterwards.
pub(super) fn reload(args: &SetupArgs, must: bool, runtime: &Runtime) -> anyhow::Result<()> {
    if !Path::new(BOOTED).exists() {
        return Ok(());
    }
    match runtime.block_on(order(&["daemon-reload"])) {
        None if must || !args.no_start => {
            let hint = "`systemctl daemon-reload` says why; fix that, and run setup again";
            let text = "systemd cannot reload its units";
            Err(Stop::new(exit::UNAVAILABLE, text, hint).into())
        }
        _ => Ok(()),
    }
}

/// A command to systemd; `None` if it failed.
async fn order(words: &[&str]) -> Option<String> {
    within(ORDER, "systemctl", words).await
}

/// Starts the unit, or restarts it when it does not run with what is on disk, and its checker; waits
/// until it is ready.
pub(super) fn start(
    args: &SetupArgs,
    target: &Target,
    changed: bool,
    credential_store: &Vault,
    runtime: &Runtime,
) -> anyhow::Result<Started> {
    let is_booted = Path::new(BOOTED).exists();
    if !is_booted && !args.no_start {
        eprintln!("systemd does not run this machine: start `katana-bot run` in your own way.");
    }
    if !is_booted || args.no_start {
        return Ok(Started::No);
    }
    runtime.block_on(async {
        let is_older =
            !changed && age::is_older(&target.unit, &read_by(args, target, credential_store)).await;
        if is_older {
            eprintln!("{} was started before its settings were written.", target.unit);
        }
        begin(args, &target.unit, changed || is_older).await
    })
}

/// What the unit reads when it is started.
fn read_by(args: &SetupArgs, target: &Target, credential_store: &Vault) -> Vec<PathBuf> {
    let mut files = vec![target.config.clone()];
    if let Some(folder) = &target.sources.drop_ins {
        files.extend(hygiene::drop_ins::list(folder).unwrap_or_default().files);
        files.push(folder.clone());
    }
    files.extend(
        target
            .own()
            .iter()
            .flat_map(|name| [credential_store.plain(name), credential_store.sealed(name)]),
    );
    for unit in target.units() {
        let folder = args.units_dir.join(format!("{unit}.service.d"));
        let there = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        files.extend(there.map(|entry| entry.path()));
        files.push(folder);
        files.push(args.units_dir.join(format!("{unit}.service")));
    }
    files
}

/// What has to be enabled for this bot, to follow `systemctl enable`. The package enables the checker of
/// the first bot, unless the user prefers another way, such as cron.
pub(super) fn units(target: &Target) -> String {
    match target.unit.split_once('@') {
        Some((_, name)) => format!("{} katana-bot-check@{name}.timer", target.unit),
        None => target.unit.clone(),
    }
}

fn refused(unit: &str, what: &str) -> Stop {
    let hint = format!("`systemctl status {unit}` and `journalctl -u {unit} -n 30` say why");
    Stop::new(exit::UNAVAILABLE, format!("{unit} {what}"), hint)
}

/// It has exited by itself: the error has its last log lines.
async fn ended(unit: &str) -> Stop {
    // What it printed: the log has another way into the journal, and comes before or after it.
    let lines = ["-q", "-n", "2", "-o", "cat", "-u", unit, "-t", "katana-bot", "_TRANSPORT=stdout"];
    let said = tool("journalctl", &lines).await.unwrap_or_default();
    match style::visible(said.trim()) {
        said if said.is_empty() => refused(unit, "exits as soon as it is started"),
        said => refused(unit, &format!("exits as soon as it is started: {said}")),
    }
}

async fn begin(args: &SetupArgs, unit: &str, changed: bool) -> anyhow::Result<Started> {
    let refused = |what: &str| refused(unit, what);
    order(&["enable", unit]).await.ok_or_else(|| refused("cannot be enabled"))?;
    // systemd would refuse a unit that was started too often.
    let _ = order(&["reset-failed", unit]).await;
    open_port(unit).await;
    // A unit that waits for its next restart would keep waiting, and its last log lines would be
    // old.
    let waits = is_over(unit).await;
    let before = if waits { invocation(unit).await } else { None };
    let word = if changed || waits { "restart" } else { "start" };
    order(&[word, "--no-block", unit]).await.ok_or_else(|| refused("cannot be started"))?;
    // The package enables that of the first bot, unless the user prefers another way, such as cron.
    if let Some((_, name)) = unit.split_once('@') {
        let timer = format!("katana-bot-check@{name}.timer");
        if order(&["enable", "--now", &timer]).await.is_none() {
            eprintln!("{timer} cannot be enabled: nothing checks this bot's heartbeat.");
        }
    }
    eprintln!("Starting {unit} …");
    let end = Instant::now() + Duration::from_secs(args.wait_s);
    loop {
        tokio::time::sleep(LOOK).await;
        match shown(unit, "--property=ActiveState").await.as_deref() {
            Some("active") => return Ok(Started::Ready),
            Some("failed") => return Err(ended(unit).await.into()),
            _ if is_over(unit).await && !(waits && invocation(unit).await == before) => {
                return Err(ended(unit).await.into());
            }
            _ if Instant::now() >= end => return Err(refused("is not ready yet").into()),
            _ => {}
        }
    }
}

/// Whether it ended by itself, and waits to be started again.
async fn is_over(unit: &str) -> bool {
    let state = shown(unit, "--property=SubState").await;
    state.is_some_and(|state| state.starts_with("auto-restart"))
}

/// Which of its starts this is.
async fn invocation(unit: &str) -> Option<String> {
    shown(unit, "--property=InvocationID").await
}

async fn shown(unit: &str, property: &str) -> Option<String> {
    let said = tool("systemctl", &["show", unit, property, "--value"]).await?;
    Some(said.trim().to_owned())
}

/// Starts the socket of the first bot where it is wanted: once the bot has the port, it cannot.
async fn open_port(unit: &str) {
    const SOCKET: &str = "katana-bot.socket";
    let wanted = unit == "katana-bot" && tool("systemctl", &["is-enabled", SOCKET]).await.is_some();
    if wanted && tool("systemctl", &["is-active", SOCKET]).await.is_none() {
        let _ = order(&["start", SOCKET]).await;
    }
}

/// Who owns the bot, or how to become the owner. Setup is run by an admin, so a code that has expired is
/// replaced.
pub(super) async fn ownership(state: &Path, bot: i64, started: Started) -> String {
    let opening = async {
        let store = Store::visit(state, BotId(bot), Clock::system())?;
        let fresh = fresh_code()?;
        let opening = match store.opening(fresh.clone()).await? {
            Opening::Expired => store.renew_claim_code(fresh).await?,
            opening => opening,
        };
        store.close().await;
        anyhow::Ok(opening)
    };
    match (opening.await, started) {
        (Ok(Opening::Claimable(code)), _) => {
            let minutes = limits::CLAIM_CODE_LIFE.as_secs() / 60;
            format!("Send it this message within {minutes} minutes to own it: /claim {code}\n")
        }
        (Ok(_), Started::Ready) => "It has an owner.\n".to_owned(),
        _ => "At its first start, its log shows the code that makes you its owner.\n".to_owned(),
    }
}
