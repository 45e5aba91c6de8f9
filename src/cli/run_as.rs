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
    let loaded = Config::examine(&Sources::from_process(config)).loaded;
    if let Some(folder) = loaded.config.store.path.parent() {
        give(folder, user)
            .with_context(|| format!("cannot give {} to user {}", folder.display(), user.uid))?;
    }
    let program = std::env::current_exe().context("cannot find this program")?;
    let arguments = std::env::args_os().skip(1);
    // It also leaves root's further groups.
    let error = Command::new(program).args(arguments).uid(user.uid).gid(user.gid).exec();
    Err(anyhow::Error::new(error).context(format!("cannot become user {}", user.uid)))
}

/// Gives a folder, and what is directly in it, to the user. Links are given, not what they point to; what
/// belongs to a third user stays theirs.
fn give(folder: &Path, user: User) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    lchown(folder, Some(user.uid), Some(user.gid))?;
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.symlink_metadata()?.uid() == 0 {
            lchown(&path, Some(user.uid), Some(user.gid))?;
        }
    }
    Ok(())
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
}
