//! Credentials as files that systemd passes to the units: plain (mode 0600), or encrypted.
//!
//! Invariants: a secret is handed on by standard input or a file of mode 0600, never as an
//! argument; a file is replaced by a whole one or not at all; a secret is kept in one form only.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::super::{Stop, exit};
use crate::config::Secret;

/// Between a file's name and the id of the process that writes a new one.
const NEW: &str = ".new-";

/// What encrypts, see systemd-creds(1).
const CREDS: &str = "systemd-creds";

/// Longest time for one call of it; a TPM may take seconds.
const CREDS_LIMIT: Duration = Duration::from_secs(30);

/// Where credentials lie.
pub(super) struct Vault {
    /// Such as `/etc/credstore`; the encrypted ones lie in the same name with `.encrypted`.
    pub(super) dir: PathBuf,
    /// The form of what is kept.
    pub(super) form: Form,
}

/// How a secret lies on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Encrypted if it was, else plain: nobody's protection is taken away by a new secret.
    AsBefore,
    /// Encrypted by systemd-creds.
    Encrypted,
    /// A plain file of mode 0600.
    Plain,
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

    /// Puts right what an earlier setup, or somebody, left: files half written, and secrets that
    /// others can read.
    pub(super) fn mend(&self, name: &Name) -> anyhow::Result<()> {
        for path in [self.plain(name), self.sealed(name)] {
            clear(&path).map_err(|e| failed(&path, &e))?;
            let mode = path.metadata().map_or(0, |about| about.permissions().mode());
            if mode & 0o077 != 0 {
                std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600))
                    .map_err(|e| failed(&path, &e))?;
                eprintln!("Others could read {}; now it has mode 0600.", path.display());
            }
        }
        Ok(())
    }

    /// Brings a secret into the form that was asked for; says whether anything changed.
    pub(super) fn convert(&self, name: &Name) -> anyhow::Result<bool> {
        match (self.form, self.held(name)?) {
            (Form::Encrypted, Held::Plain(secret)) => self.keep(name, &secret),
            (Form::Plain, Held::Encrypted) => match self.unseal(name) {
                Some(secret) => self.keep(name, &secret),
                None => {
                    let path = self.sealed(name);
                    let text = format!("systemd-creds cannot decrypt {}", path.display());
                    let hint = "it belongs to another machine, or is damaged: remove it, and give \
                                the secret again";
                    Err(Stop::new(exit::UNAVAILABLE, text, hint).into())
                }
            },
            _ => Ok(false),
        }
    }

    /// Keeps a secret; says whether anything changed.
    pub(super) fn keep(&self, name: &Name, secret: &Secret) -> anyhow::Result<bool> {
        let encrypt = match self.form {
            Form::AsBefore => self.sealed(name).exists(),
            form => form == Form::Encrypted,
        };
        if !encrypt {
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
        let arguments = ["decrypt", &format!("--name={}", name.id), path.to_str()?, "-"];
        let output = run(CREDS, &arguments, b"", CREDS_LIMIT).ok()?;
        let output = output.filter(|output| output.status.success())?;
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
    let hint = "it needs systemd 250 or newer, and root; --plain keeps plain files";
    let stop = |why: String| Stop::new(exit::UNAVAILABLE, why, hint);
    let arguments = ["encrypt", &format!("--name={id}"), "-", "-"];
    let output = run(CREDS, &arguments, secret.expose().as_bytes(), CREDS_LIMIT)
        .map_err(|e| stop(format!("cannot run systemd-creds: {}", e.kind())))?
        .ok_or_else(|| stop("cannot encrypt a credential: systemd-creds does not end".into()))?;
    if output.status.success() && !output.stdout.is_empty() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr).replace(secret.expose(), "***");
    let said = super::super::style::visible(said.trim());
    Err(stop(format!("cannot encrypt a credential: systemd-creds says: {said}")).into())
}

/// Runs a program with this standard input; `None` when it does not end in time, and is killed.
#[tokio::main(flavor = "current_thread")]
async fn run(
    program: &str,
    arguments: &[&str],
    input: &[u8],
    limit: Duration,
) -> io::Result<Option<Output>> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let stdin = child.stdin.take();
    let ended = async {
        if let Some(mut stdin) = stdin {
            // Whoever does not read says why, and how it ends tells.
            let _ = stdin.write_all(input).await;
        }
        child.wait_with_output().await
    };
    tokio::time::timeout(limit, ended).await.ok().transpose()
}

/// Replaces a file by one of mode 0600; the folder is made, for root alone.
fn write(path: &Path, bytes: &[u8]) -> Result<(), Stop> {
    replace(path, bytes, 0o600, 0o700, None).map_err(|e| failed(path, &e))
}

/// Replaces a file that is no secret: owner, group and mode stay, and of a link what it leads to is
/// replaced. A new one can be read by everybody.
pub(super) fn edit(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let path = match path.symlink_metadata() {
        Ok(_) => path.canonicalize()?,
        Err(_) => path.to_owned(),
    };
    match path.metadata() {
        Ok(old) => {
            let mode = old.permissions().mode() & 0o777;
            replace(&path, bytes, mode, 0o755, Some((old.uid(), old.gid())))
        }
        Err(_) => replace(&path, bytes, 0o644, 0o755, None),
    }
}

/// Replaces a file. Missing folders are made.
fn replace(
    path: &Path,
    bytes: &[u8],
    mode: u32,
    folder_mode: u32,
    owner: Option<(u32, u32)>,
) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(folder_mode).create(folder(path))?;
    clear(path)?;
    let mut new = path.as_os_str().to_owned();
    new.push(format!("{NEW}{}", std::process::id()));
    let new = PathBuf::from(new);
    let written = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        let made = file.metadata()?;
        if let Some((uid, gid)) = owner.filter(|owner| *owner != (made.uid(), made.gid())) {
            fchown(&file, Some(uid), Some(gid))?;
        }
        // Whatever umask this shell has: the bot must be able to read its configuration.
        file.set_permissions(PermissionsExt::from_mode(mode))?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&new, path)
    };
    written().inspect_err(|_| drop(std::fs::remove_file(&new)))
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|f| !f.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Removes what a setup that was killed left beside a file.
fn clear(path: &Path) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let start = format!("{name}{NEW}");
    let entries = match std::fs::read_dir(folder(path)) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let id = name.to_str().and_then(|name| name.strip_prefix(&start));
        if id.is_some_and(|id| !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit())) {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_hangs_or_does_not_read_ends_in_words() {
        let limit = Duration::from_millis(200);
        assert!(run("sleep", &["60"], b"secret", limit).expect("it starts").is_none());
        let input = vec![b'x'; 1 << 20];
        let limit = Duration::from_secs(60);
        let output = run("sh", &["-c", "exec 0<&-; echo why >&2; exit 3"], &input, limit);
        let output = output.expect("no broken pipe").expect("it ends");
        assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(3), &b"why\n"[..]));
    }
}
