//! Setup's own files in the configurations of bot and checker: what changes is shown, allowed by a
//! person or a flag, and written.
//!
//! Invariants: no file that is not setup's is changed; what was shown is what is written.

use std::path::{Path, PathBuf};

use hygiene::drop_ins;

use super::answers::SetupArgs;
use super::ask::Person;
use super::plan::{Plan, Target};
use super::{credential_store, instance};
use crate::cli::exit;
use crate::cli::stop::Stop;
use crate::config::{
    Channel, Config, Fragment, Origin, Problems, channels, has_channel, named_like,
};

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
        shown.extend(others(target, plan, &bot.file));
        edits.extend(bot.edit(&new));
        if let Some(checker) = Checker::planned(args, plan)? {
            shown.extend(checker.own.changes(&checker.new));
            shown.extend(checker.uncovered());
            shown.extend(plan.unused.iter().map(|name| format!("- the secret {}", name.id)));
            edits.extend(checker.own.edit(&checker.new));
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
        match person.last_line("Change it? [Y/n]", "--yes")?.to_lowercase().as_str() {
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
        if drop_ins::is_masked(&file) {
            let text =
                format!("{} is a link to /dev/null, so setup can write nothing", file.display());
            let hint = "remove the link: what setup writes there shall count";
            return Err(Stop::new(exit::CONFIG, text, hint).into());
        }
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

/// Other files that set a planned key, and are read earlier: they are overridden, and the person should know.
fn others(target: &Target, plan: &Plan, own: &Path) -> Vec<String> {
    let origins = Config::examine(&target.sources).loaded.origins;
    let planned = plan.keys.iter().filter_map(|(key, value)| Some((key, value.as_ref()?)));
    let lines = planned.filter_map(|(key, value)| match origins.get(key)? {
        origin @ Origin::File { path, .. } if path != own => {
            Some(format!("+ {key} = {value}, in place of the value in {origin}"))
        }
        _ => None,
    });
    lines.collect()
}

/// Setup's file in the checker's configuration, with what is planned.
pub(super) struct Checker {
    own: Own,
    new: Fragment,
    /// The channels before.
    before: Vec<Channel>,
    /// The channels that the checker will have.
    pub(super) after: Vec<Channel>,
}

impl Checker {
    /// `None` when nothing is planned there.
    ///
    /// # Errors
    /// When a file is broken, when a channel that is to be dropped is not setup's, and when a file that is read
    /// later would change the new one.
    pub(super) fn planned(args: &SetupArgs, plan: &Plan) -> anyhow::Result<Option<Self>> {
        if plan.channel.is_none() && plan.dropped.is_empty() {
            return Ok(None);
        }
        let own = Own::read(&args.alert_config)?;
        let mut texts = texts(&args.alert_config)?;
        let before = channels(&texts)?;
        let mut new = own.fragment.clone();
        for name in &plan.dropped {
            if !new.channels().iter().any(|(there, _)| there == name) {
                return Err(not_ours(name, &new, &before).into());
            }
            new.drop_channel(name);
        }
        replace(&mut texts, &own.file, &new);
        let kept = channels(&texts)?;
        let wanted = plan.channel.as_deref().filter(|channel| !has_channel(&kept, channel));
        if let Some(channel) = wanted {
            new.set_channel(channel);
            replace(&mut texts, &own.file, &new);
        }
        let after = channels(&texts)?;
        if let Some(channel) = wanted.filter(|channel| !has_channel(&after, channel)) {
            let there =
                named_like(&after, channel).map(|there| (there.name(), there.file.display()));
            let (name, file) = there.unwrap_or(("", own.file.display()));
            let text =
                format!("{file} changes the channel {name}, and is read after setup's own file");
            let hint =
                "remove that [[channel]] there, or give it a name of its own, then run setup again";
            return Err(Stop::new(exit::CONFIG, text, hint).into());
        }
        Ok(Some(Self { own, new, before, after }))
    }

    /// The channels that are there no more.
    pub(super) fn dropped(&self) -> impl Iterator<Item = &Channel> {
        let is_there = |old: &Channel| self.after.iter().any(|there| there.name() == old.name());
        self.before.iter().filter(move |old| !is_there(old))
    }

    /// Channels of other files that setup's had replaced, and that count again.
    fn uncovered(&self) -> Vec<String> {
        let was = |there: &&Channel| self.before.contains(there);
        let back = self.after.iter().filter(|there| !was(there) && there.file != self.own.file);
        back.map(|there| format!("+ channel {}, as {} has it", there.name(), there.file.display()))
            .collect()
    }
}

/// Puts the new text of setup's file in the place of the old one.
fn replace(texts: &mut Vec<(PathBuf, String)>, own: &Path, new: &Fragment) {
    texts.retain(|(file, _)| file != own);
    texts.push((own.to_owned(), new.text()));
    // The main file stays the first.
    texts.get_mut(1..).unwrap_or_default().sort();
}

fn not_ours(name: &str, fragment: &Fragment, channels: &[Channel]) -> Stop {
    match channels.iter().find(|there| there.name() == name) {
        Some(there) => {
            let text =
                format!("setup did not write the channel {name}, {} did", there.file.display());
            Stop::new(exit::USAGE, text, "remove it there; setup changes only its own file")
        }
        None => {
            let names: Vec<_> = fragment.channels().into_iter().map(|(name, _)| name).collect();
            let hint = match names.is_empty() {
                true => "setup has written none".to_owned(),
                false => format!("setup has written: {}", names.join(", ")),
            };
            Stop::new(exit::USAGE, format!("there is no channel {name}"), hint)
        }
    }
}

/// The channels that setup wrote: the name of each, and a few words about it.
pub(super) fn own_channels(args: &SetupArgs) -> anyhow::Result<Vec<(String, String)>> {
    Ok(Own::read(&args.alert_config)?.fragment.channels())
}

/// The texts of a configuration and its drop-ins, in their order.
pub(super) fn texts(config: &Path) -> anyhow::Result<Vec<(PathBuf, String)>> {
    let folder = drop_ins::folder(config).unwrap_or_default();
    let found = drop_ins::list(&folder).unwrap_or_default();
    let files = std::iter::once(config.to_owned()).chain(found.files);
    files.map(|file| read(&file).map(|text| (file, text))).collect()
}

fn read(path: &Path) -> anyhow::Result<String> {
    match std::fs::read_to_string(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        read => read.map_err(|e| credential_store::failed(path, &e).into()),
    }
}
