//! Setup's own files in the configurations of bot and checker: what changes is shown, allowed by a
//! person or a flag, and written.
//!
//! Invariants: no file that is not setup's is changed; what was shown is what is written.

use std::path::{Path, PathBuf};

use super::answers::SetupArgs;
use super::ask::Person;
use super::plan::{Plan, Target};
use super::{credential_store, instance};
use crate::cli::exit;
use crate::cli::stop::Stop;
use crate::config::{Config, Fragment, Origin, Problems, has_channel};

/// A new text of a configuration file.
struct Edit {
    file: PathBuf,
    /// What is there; empty for a file that is not.
    old: String,
    new: String,
}

impl Edit {
    /// Whether the file is unchanged since it was read: what was shown is what is written.
    fn is_as_shown(&self) -> anyhow::Result<()> {
        if read(&self.file)? == self.old {
            return Ok(());
        }
        let why = format!("someone else has changed {} in the meantime", self.file.display());
        Err(Stop::new(exit::TEMPFAIL, why, "it was left as it is; run setup again").into())
    }
}

/// New texts of setup's files.
pub(super) struct Edits(Vec<Edit>);

impl Edits {
    /// Prepares the new texts. What replaces an earlier answer is shown first, and has to be allowed.
    pub(super) fn prepare(
        args: &SetupArgs,
        person: &Person,
        target: &Target,
        plan: &Plan,
    ) -> anyhow::Result<Self> {
        let mut edits = Vec::new();
        if target.unit.contains('@') && !target.config.exists() {
            let new = instance::config(target);
            edits.push(Edit { file: target.config.clone(), old: String::new(), new });
        }
        let mut shown = Vec::new();
        let bot = Own::read(&target.config)?;
        let new = bot.with(|fragment| {
            let set = plan.keys.iter().map(|(key, value)| fragment.set(key, value.as_deref()));
            let problems: Vec<_> = set.filter_map(Result::err).collect();
            if problems.is_empty() { Ok(()) } else { Err(Problems(problems).into()) }
        })?;
        shown.extend(bot.changes(&new));
        shown.extend(others(target, plan, &bot.file)?);
        edits.extend(bot.edit(&new));
        if let Some(channel) = &plan.channel
            && !has_channel(&texts(&args.alert_config)?, channel)?
        {
            let checker = Own::read(&args.alert_config)?;
            let new = checker.with(|fragment| {
                fragment.set_channel(channel);
                Ok(())
            })?;
            shown.extend(checker.changes(&new));
            edits.extend(checker.edit(&new));
        }
        if shown.is_empty() || args.yes {
            return Ok(Self(edits));
        }
        let shown: String = shown.iter().map(|line| format!("  {line}\n")).collect();
        if !person.is_there() {
            let hint = format!("with --yes, setup makes these changes:\n{shown}");
            return Err(Stop::new(exit::USAGE, "--yes is missing", hint.trim_end()).into());
        }
        eprint!("To be changed:\n{shown}");
        match person.line("Change it? [Y/n]", "--yes")?.to_lowercase().as_str() {
            "" | "y" | "yes" => Ok(Self(edits)),
            _ => {
                Err(Stop::new(exit::USAGE, "nothing was changed", "run it again when you like")
                    .into())
            }
        }
    }

    /// Whether all files are still those that were shown.
    pub(super) fn are_as_shown(&self) -> anyhow::Result<()> {
        self.0.iter().try_for_each(Edit::is_as_shown)
    }

    /// Writes them; says whether there were any.
    pub(super) fn write(self) -> anyhow::Result<bool> {
        let is_any = !self.0.is_empty();
        for edit in self.0 {
            edit.is_as_shown()?;
            credential_store::edit(&edit.file, edit.new.as_bytes())
                .map_err(|e| credential_store::failed(&edit.file, &e))?;
            eprintln!("Written: {}", edit.file.display());
        }
        Ok(is_any)
    }
}

/// Setup's file beside a configuration, as it is.
struct Own {
    file: PathBuf,
    text: String,
    fragment: Fragment,
}

impl Own {
    fn read(config: &Path) -> anyhow::Result<Self> {
        let file = Target::fragment(config)?;
        let text = read(&file)?;
        let fragment = Fragment::read(&file, &text)?;
        Ok(Self { file, text, fragment })
    }

    fn with(
        &self,
        change: impl FnOnce(&mut Fragment) -> anyhow::Result<()>,
    ) -> anyhow::Result<Fragment> {
        let mut new = self.fragment.clone();
        change(&mut new).map(|()| new)
    }

    /// Settings of an earlier setup that change, and how. What is only added was just answered.
    fn changes(&self, new: &Fragment) -> Vec<String> {
        let (old, new) = (self.fragment.lines(), new.lines());
        let gone: Vec<_> = old.difference(&new).map(|line| format!("- {line}")).collect();
        if gone.is_empty() {
            return gone;
        }
        let come = new.difference(&old).map(|line| format!("+ {line}"));
        let head = format!("{}:", self.file.display());
        std::iter::once(head).chain(gone).chain(come).collect()
    }

    fn edit(self, new: &Fragment) -> Option<Edit> {
        (new.lines() != self.fragment.lines()).then(|| Edit {
            file: self.file,
            old: self.text,
            new: new.text(),
        })
    }
}

/// Other files that set a planned key: one that is read earlier is overridden, and says so; one that is
/// read later would hide what setup writes.
fn others(target: &Target, plan: &Plan, own: &Path) -> anyhow::Result<Vec<String>> {
    let origins = Config::examine(&target.sources).loaded.origins;
    let mut lines = Vec::new();
    for (key, value) in plan.keys.iter().filter_map(|(key, value)| Some((key, value.as_ref()?))) {
        let Some(origin @ Origin::File { path, .. }) = origins.get(key) else { continue };
        if path.parent() == own.parent() && path.as_path() > own {
            let text = format!("{origin} sets {key}, and is read after setup's own file");
            let hint = format!("set it there to {value}, or remove it, then run setup again");
            return Err(Stop::new(exit::CONFIG, text, hint).into());
        }
        if path != own {
            lines.push(format!("+ {key} = {value}, in place of the value in {origin}"));
        }
    }
    Ok(lines)
}

/// The texts of a configuration and its drop-ins, in their order.
pub(super) fn texts(config: &Path) -> anyhow::Result<Vec<(PathBuf, String)>> {
    let folder = hygiene::drop_ins::folder(config).unwrap_or_default();
    let found = hygiene::drop_ins::list(&folder).unwrap_or_default();
    let files = std::iter::once(config.to_owned()).chain(found.files);
    files.map(|file| read(&file).map(|text| (file, text))).collect()
}

fn read(path: &Path) -> anyhow::Result<String> {
    match std::fs::read_to_string(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        read => read.map_err(|e| credential_store::failed(path, &e).into()),
    }
}
