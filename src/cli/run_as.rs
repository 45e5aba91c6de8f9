//! `katana-bot run --as UID[:GID]`: gives the state's folder to that user and goes on as them.
//!
//! For platforms that mount a volume for root alone, into an image without a shell that could run chown. The
//! process is replaced and keeps its id, so that it still gets the platform's signals.

use std::os::unix::fs::{MetadataExt, lchown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::str::FromStr;

use anyhow::Context;
use hygiene::ownership;

use super::exit;
use super::stop::Stop;
use crate::config::{Config, Sources};

/// A user and a group, by number: an empty image knows no names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct User {
    uid: u32,
    gid: u32,
}

impl FromStr for User {
    type Err = String;

    /// Reads `UID` or `UID:GID`; without a group, the one with the user's number.
    fn from_str(text: &str) -> Result<Self, String> {
        let (uid, gid) = text.split_once(':').unwrap_or((text, text));
        match (uid.parse(), gid.parse()) {
            (Ok(0), _) => Err("0 is root, who must not run the bot".to_owned()),
            (Ok(uid), Ok(gid)) => Ok(Self { uid, gid }),
            _ => Err("numbers, such as 10001 or 10001:10001".to_owned()),
        }
    }
}

/// Returns if the process is this user already; else does not return, except with an error.
///
/// # Errors
/// When the process may not become this user, or the folder cannot be given away.
pub(super) fn become_user(user: User, config: Option<PathBuf>) -> anyhow::Result<()> {
    let own = rustix::process::geteuid();
    if own.as_raw() == user.uid {
        return Ok(());
    }
    if !own.is_root() {
        let message = format!("user {own} cannot become user {}", user.uid);
        let hint = "leave out --as, or start it as root";
        return Err(Stop::new(exit::USAGE, message, hint).into());
    }
    let path = Config::examine(&Sources::from_process(config)).loaded.config.store.path;
    give(&path, user)?;
    let program = std::env::current_exe().context("cannot find this program")?;
    let arguments = std::env::args_os().skip(1);
    // It also leaves root's further groups.
    let error = Command::new(program).args(arguments).uid(user.uid).gid(user.gid).exec();
    Err(anyhow::Error::new(error).context(format!("cannot become user {}", user.uid)))
}

/// Gives the state's folder, and what is directly in it, to the user. Links are given, not what they point to;
/// what belongs to a third user stays theirs.
fn give(state: &Path, user: User) -> anyhow::Result<()> {
    let folder = ownership::folder(state);
    let shown = folder.display();
    let cannot = || format!("cannot give {shown} to user {}", user.uid);
    std::fs::create_dir_all(folder).with_context(cannot)?;
    let entries = std::fs::read_dir(folder).with_context(cannot)?;
    let paths: Vec<_> =
        entries.map(|e| e.map(|e| e.path())).collect::<Result<_, _>>().with_context(cannot)?;
    if let Some(other) = paths.iter().find(|path| !is_of_state(path, state)) {
        let message = format!("{shown} is not the state's alone: it has {}", other.display());
        let hint = "set store.path (KATANA_STORE_PATH) to a file in a folder of its own";
        return Err(Stop::new(exit::CONFIG, message, hint).into());
    }
    for path in paths.iter().map(PathBuf::as_path).chain([folder]) {
        if path.symlink_metadata().with_context(cannot)?.uid() == 0 {
            lchown(path, Some(user.uid), Some(user.gid)).with_context(cannot)?;
        }
    }
    Ok(())
}

/// Whether the bot puts this beside its state, or the disk was made with it.
fn is_of_state(path: &Path, state: &Path) -> bool {
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    let (Some(name), Some(state)) = (name(path), name(state)) else { return false };
    let others = ["heartbeat", "last-exit", "backups", "lost+found"];
    // Both are also written to a temporary file of a longer name.
    name.contains(&state)
        || others.iter().any(|other| name.trim_start_matches('.').starts_with(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_numbers_and_not_root() {
        assert_eq!("10001".parse(), Ok(User { uid: 10001, gid: 10001 }));
        assert_eq!("10001:20".parse(), Ok(User { uid: 10001, gid: 20 }));
        for bad in ["0", "0:5", "katana", "1:", ":1", "-1", "1:2:3", ""] {
            assert!(bad.parse::<User>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_folder_with_something_else_in_it_is_not_given_away() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("katana.db");
        let own = std::fs::metadata(folder.path()).unwrap().uid();
        let user = User { uid: own, gid: own };
        for ours in ["katana.db", "katana.db-wal", "heartbeat", "last-exit", "backups"] {
            std::fs::write(folder.path().join(ours), "").unwrap();
        }
        give(&state, user).expect("all of it is the bot's");
        std::fs::write(folder.path().join("shadow"), "").unwrap();
        let refused = give(&state, user).expect_err("another file").to_string();
        assert!(refused.contains("shadow"), "{refused}");
    }
}
