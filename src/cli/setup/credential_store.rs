//! Credentials as files that systemd passes to the units: plain (mode 0600), or encrypted.
//!
//! Invariants: a secret's file has mode 0600; a file is replaced by a whole one or not at all; a
//! secret is kept in one form only, and the old form goes last, when no unit is given it any more.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use hygiene::atomic::{Kind, replace_by};
use hygiene::ownership::folder;

use super::drop_in::{DROP_IN, passed_by};
use super::{ask, creds};
use crate::cli::exit;
use crate::cli::stop::Stop;
use crate::config::Secret;

/// After a file's name, while a new one is written.
const NEW: &str = ".new-setup";

/// Where credentials are stored.
pub(super) struct Vault {
    /// Such as `/etc/credstore`; the encrypted ones are in the same name with `.encrypted`.
    pub(super) dir: PathBuf,
    /// Where units' drop-ins are, which say which credentials units get.
    pub(super) units: PathBuf,
    /// The form of what is kept.
    pub(super) form: Form,
}

/// How a secret is stored on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Encrypted if it was, otherwise plain: a new secret never loses the protection of the old
    /// one.
    AsBefore,
    /// Encrypted by systemd-creds.
    Encrypted,
    /// A plain file of mode 0600.
    Plain,
}

/// One credential: its file begins with the name of the unit that it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    /// Such as `katana-bot`, or `katana-bot@staging`.
    pub(super) owner: String,
    /// As the program knows it, such as `telegram-token`.
    pub(super) id: &'static str,
    /// The units that are given it.
    pub(super) units: Vec<String>,
}

impl Name {
    fn file(&self) -> String {
        format!("{}.{}", self.owner, self.id)
    }
}

/// The change to one secret.
pub(super) struct Change {
    name: Name,
    is_sealed: bool,
    /// A new file, and what is in it.
    new: Option<(PathBuf, Vec<u8>)>,
    /// The other form, to be taken away when no unit is given it any more.
    pub(super) old: Option<PathBuf>,
}

impl Change {
    /// Writes the new file; says whether there was one.
    pub(super) fn write(&self) -> anyhow::Result<bool> {
        if let Some((path, bytes)) = &self.new {
            write(path, bytes)?;
        }
        Ok(self.new.is_some())
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

    fn path(&self, name: &Name, is_sealed: bool) -> PathBuf {
        if is_sealed { self.sealed(name) } else { self.plain(name) }
    }

    /// What is there under this name. Of two forms, as a setup that was stopped leaves them, the
    /// one that units are given.
    pub(super) fn held(&self, name: &Name) -> anyhow::Result<Held> {
        let plain = self.open(name, false)?;
        let is_sealed = self.sealed(name).exists();
        Ok(match plain {
            _ if is_sealed && !self.passed_by(name).is_empty() => Held::Encrypted,
            Some(secret) => Held::Plain(secret),
            None if is_sealed => Held::Encrypted,
            None => Held::No,
        })
    }

    /// The same, with what is encrypted opened where this machine and this user can.
    pub(super) fn opened(&self, name: &Name) -> anyhow::Result<Held> {
        Ok(match self.held(name)? {
            Held::Encrypted => self.open(name, true)?.map_or(Held::Encrypted, Held::Plain),
            held => held,
        })
    }

    /// What is in a file, if it is there and can be decrypted.
    fn open(&self, name: &Name, is_sealed: bool) -> anyhow::Result<Option<Secret>> {
        let path = self.path(name, is_sealed);
        if is_sealed {
            return Ok(creds::unseal(name.id, &path));
        }
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(ask::checked(text.trim())),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(failed(&path, &e).into()),
        }
    }

    /// The drop-ins that give a unit the encrypted form. They win over the plain one, which the
    /// unit itself names: the later line of an id counts.
    fn passed_by(&self, name: &Name) -> Vec<PathBuf> {
        let units = name.units.iter();
        units.flat_map(|unit| passed_by(&self.units, unit, name.id)).collect()
    }

    /// Repairs what an earlier setup, or a person, left: partial files, and secrets that others can
    /// read.
    pub(super) fn repair(&self, name: &Name) -> anyhow::Result<()> {
        for path in [self.plain(name), self.sealed(name)] {
            hygiene::atomic::remove(&new(&path)).map_err(|e| failed(&path, &e))?;
            let mode = path.metadata().map_or(0, |about| about.permissions().mode());
            if mode & 0o077 != 0 {
                std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600))
                    .map_err(|e| failed(&path, &e))?;
                eprintln!("Others could read {}; now it has mode 0600.", path.display());
            }
        }
        Ok(())
    }

    /// Plans the change to a secret, and writes nothing; `None` if there is no secret. `given`: a
    /// new one, or the one that is kept.
    pub(super) fn change(
        &self,
        name: &Name,
        given: Option<&Secret>,
    ) -> anyhow::Result<Option<Change>> {
        let was_sealed = match self.held(name)? {
            Held::No if given.is_none() => return Ok(None),
            Held::No => None,
            held => Some(matches!(held, Held::Encrypted)),
        };
        let is_sealed = match self.form {
            Form::AsBefore => was_sealed == Some(true),
            form => form == Form::Encrypted,
        };
        let other = Some(self.path(name, !is_sealed)).filter(|path| path.exists());
        let unchanged = Change { name: name.clone(), is_sealed, new: None, old: None };
        if given.is_none() && was_sealed == Some(is_sealed) && other.is_none() {
            return Ok(Some(unchanged));
        }
        self.is_ours(name, is_sealed)?;
        let secret = match (given, was_sealed) {
            (None, Some(was_sealed)) => self.open(name, was_sealed)?,
            (given, _) => given.cloned(),
        };
        let Some(secret) = secret else {
            // It cannot be read here, and there is no other.
            return if is_sealed { Ok(Some(unchanged)) } else { Err(self.locked(name).into()) };
        };
        let new = match self.open(name, is_sealed)? {
            Some(there) if there == secret => None,
            _ if is_sealed => Some(creds::seal(name.id, &secret)?),
            _ => Some(format!("{}\n", secret.expose()).into_bytes()),
        };
        let new = new.map(|bytes| (self.path(name, is_sealed), bytes));
        // A file of the user's own that no unit gets stays, unless it holds the same secret.
        let is_spare = new.is_some()
            || was_sealed == Some(!is_sealed)
            || self.open(name, !is_sealed)?.is_some_and(|there| there == secret);
        if let Some(path) = other.as_ref().filter(|_| !is_spare) {
            eprintln!("{} is not used, and holds a different secret.", path.display());
        }
        Ok(Some(Change { new, old: other.filter(|_| is_spare), ..unchanged }))
    }

    /// Whether a plain form would reach the units: the user's own drop-in may pass the other.
    fn is_ours(&self, name: &Name, is_sealed: bool) -> Result<(), Stop> {
        let mut theirs = self.passed_by(name).into_iter();
        let theirs = theirs.find(|file| !is_sealed && !file.ends_with(DROP_IN));
        let Some(file) = theirs else { return Ok(()) };
        let text = format!("{} passes the encrypted {}", file.display(), name.id);
        let hint = "remove that line, so that the plain one counts, or run setup with --encrypt; \
        nothing was changed";
        Err(Stop::new(exit::CONFIG, text, hint))
    }

    /// The files of a secret that is not needed any more. One that a person's own drop-in passes stays: without
    /// it the unit would not start.
    pub(super) fn removable(&self, name: &Name) -> Vec<PathBuf> {
        let is_passed = self.passed_by(name).iter().any(|file| !file.ends_with(DROP_IN));
        let sealed = Some(self.sealed(name)).filter(|_| !is_passed);
        sealed.into_iter().chain([self.plain(name)]).filter(|path| path.exists()).collect()
    }

    fn locked(&self, name: &Name) -> Stop {
        let text = format!("systemd-creds cannot decrypt {}", self.sealed(name).display());
        let hint = "it belongs to another machine, or is damaged: enter the secret again, or \
        remove the file; nothing was changed";
        Stop::new(exit::UNAVAILABLE, text, hint)
    }

    /// What a unit's drop-in has to say so that it gets those that will be encrypted; `None` when
    /// there are none.
    pub(super) fn drop_in(&self, changes: &[Change]) -> Option<String> {
        let sealed = changes.iter().filter(|change| change.is_sealed);
        let lines: String = sealed
            .map(|Change { name, .. }| {
                let path = self.sealed(name);
                format!("LoadCredentialEncrypted={}:{}\n", name.id, path.display())
            })
            .collect();
        let head = "# Written by `katana-bot setup`: the secrets are encrypted.\n[Service]\n";
        (!lines.is_empty()).then(|| format!("{head}{lines}"))
    }
}

/// Replaces a file by one of mode 0600; the folder is made, for root alone.
fn write(path: &Path, bytes: &[u8]) -> Result<(), Stop> {
    replace(path, bytes, 0o600, 0o700, None).map_err(|e| failed(path, &e))
}

/// Replaces a file that is not secret: owner, group and mode stay, and for a link, its target is
/// replaced. Everyone can read a new file.
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
    // Whatever umask this shell has: the bot must be able to read its configuration.
    replace_by(&new(path), path, bytes, Kind { mode, owner, is_durable: true })
}

/// The name of what becomes the file at `path`.
fn new(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(NEW);
    name.into()
}

/// Removes a file, if it is there.
pub(super) fn remove(path: &Path) -> anyhow::Result<()> {
    Ok(hygiene::atomic::remove(path).map_err(|e| failed(path, &e))?)
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
