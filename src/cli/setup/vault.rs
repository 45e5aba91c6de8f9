//! Credentials as files that systemd passes to the units: plain (mode 0600), or encrypted.
//!
//! Invariants: a secret is handed on by standard input or a file of mode 0600, never as an
//! argument; a file is replaced by a whole one or not at all; a secret is kept in one form only.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::super::{Stop, exit};
use crate::config::Secret;

/// Where credentials lie.
pub(super) struct Vault {
    /// Such as `/etc/credstore`; the encrypted ones lie in the same name with `.encrypted`.
    pub(super) dir: PathBuf,
    /// Whether new ones are encrypted.
    pub(super) encrypt: bool,
}

/// One credential: its file begins with the name of the unit that it is for.
#[derive(Clone, Debug)]
pub(super) struct Name {
    /// Such as `katana-bot`, or `katana-bot@staging`.
    pub(super) owner: String,
    /// As the program knows it, such as `telegram-token`.
    pub(super) id: &'static str,
}

impl Name {
    fn file(&self) -> String {
        format!("{}.{}", self.owner, self.id)
    }
}

/// What is there.
pub(super) enum Held {
    /// Nothing.
    No,
    /// This.
    Plain(Secret),
    /// Something that only systemd can read.
    Encrypted,
}

impl Vault {
    fn sealed_dir(&self) -> PathBuf {
        let mut dir = self.dir.clone().into_os_string();
        dir.push(".encrypted");
        dir.into()
    }

    /// The plain file.
    pub(super) fn plain(&self, name: &Name) -> PathBuf {
        self.dir.join(name.file())
    }

    /// The encrypted file.
    pub(super) fn sealed(&self, name: &Name) -> PathBuf {
        self.sealed_dir().join(name.file())
    }

    /// What is there under this name.
    pub(super) fn held(&self, name: &Name) -> anyhow::Result<Held> {
        if self.sealed(name).exists() {
            return Ok(Held::Encrypted);
        }
        let path = self.plain(name);
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(super::ask::checked(text.trim()).map_or(Held::No, Held::Plain)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Held::No),
            Err(e) => Err(failed(&path, &e).into()),
        }
    }

    /// Keeps a secret; says whether anything changed.
    pub(super) fn keep(&self, name: &Name, secret: &Secret) -> anyhow::Result<bool> {
        if !self.encrypt {
            let same = matches!(self.held(name)?, Held::Plain(old) if old == *secret);
            if !same {
                write(&self.plain(name), format!("{}\n", secret.expose()).as_bytes())?;
            }
            remove(&self.sealed(name))?;
            return Ok(!same);
        }
        let same = self.unseal(name).is_some_and(|old| old == *secret);
        if !same {
            write(&self.sealed(name), &seal(name.id, secret)?)?;
        }
        remove(&self.plain(name))?;
        Ok(!same)
    }

    /// What is in the encrypted file, where this machine and this user can read it.
    pub(super) fn unseal(&self, name: &Name) -> Option<Secret> {
        let path = self.sealed(name);
        if !path.exists() {
            return None;
        }
        let output = Command::new("systemd-creds")
            .args(["decrypt", &format!("--name={}", name.id)])
            .arg(path)
            .arg("-")
            .stdin(Stdio::null())
            .output()
            .ok()
            .filter(|output| output.status.success())?;
        super::ask::checked(String::from_utf8(output.stdout).ok()?.trim())
    }

    /// What a unit's drop-in has to say so that it gets the encrypted ones; `None` when there are
    /// none.
    pub(super) fn drop_in(&self, names: &[Name]) -> Option<String> {
        let sealed = names.iter().filter(|name| self.sealed(name).exists());
        let lines: String = sealed
            .map(|name| {
                let path = self.sealed(name);
                format!("LoadCredentialEncrypted={}:{}\n", name.id, path.display())
            })
            .collect();
        let head = "# Written by `katana-bot setup`: the secrets are encrypted.\n[Service]\n";
        (!lines.is_empty()).then(|| format!("{head}{lines}"))
    }
}

/// Encrypts with the keys of this machine, see systemd-creds(1).
fn seal(id: &str, secret: &Secret) -> anyhow::Result<Vec<u8>> {
    let hint = "it needs systemd 250 or newer, and root; leave --encrypt out to keep plain files";
    let stop = |why: String| Stop::new(exit::UNAVAILABLE, why, hint);
    let mut child = Command::new("systemd-creds")
        .args(["encrypt", &format!("--name={id}"), "-", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| stop(format!("cannot run systemd-creds: {}", e.kind())))?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(secret.expose().as_bytes())?;
    }
    let output = child.wait_with_output()?;
    if output.status.success() && !output.stdout.is_empty() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr).replace(secret.expose(), "***");
    let said = super::super::style::visible(said.trim());
    Err(stop(format!("cannot encrypt a credential: systemd-creds says: {said}")).into())
}

/// Replaces a file by one of mode 0600; the folder is made, for root alone.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), Stop> {
    replace(path, bytes, 0o600, 0o700).map_err(|e| failed(path, &e))
}

/// Replaces a file; an old one keeps its mode. Missing folders are made.
pub(super) fn replace(path: &Path, bytes: &[u8], mode: u32, folder_mode: u32) -> io::Result<()> {
    let folder = path.parent().filter(|f| !f.as_os_str().is_empty()).unwrap_or(Path::new("."));
    DirBuilder::new().recursive(true).mode(folder_mode).create(folder)?;
    let mut new = path.as_os_str().to_owned();
    new.push(format!(".new-{}", std::process::id()));
    let new = PathBuf::from(new);
    let written = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&new)?;
        // Whatever umask this shell has: the bot must be able to read its configuration.
        file.set_permissions(PermissionsExt::from_mode(mode))?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&new, path)
    };
    written().inspect_err(|_| drop(std::fs::remove_file(&new)))
}

fn remove(path: &Path) -> anyhow::Result<()> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(failed(path, &e).into()),
        _ => Ok(()),
    }
}

/// What stopped us at this file.
pub(super) fn failed(path: &Path, e: &io::Error) -> Stop {
    let hint = "run it as root: sudo katana-bot setup; or choose other places with --credentials-dir \
                and --config";
    Stop::new(
        exit::UNAVAILABLE,
        format!("cannot read or write {}: {}", path.display(), e.kind()),
        hint,
    )
}
