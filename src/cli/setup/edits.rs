//! Lines for configuration files: shown, allowed by a person or a flag, and written.
//!
//! Invariants: no line that is there is changed; what was shown is what is written.

use std::path::{Path, PathBuf};

use super::answers::SetupArgs;
use super::ask::Person;
use super::plan::{Plan, Target};
use super::{credential_store, instance};
use crate::cli::exit;
use crate::cli::stop::Stop;

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

/// New texts of configuration files.
pub(super) struct Edits(Vec<Edit>);

impl Edits {
    /// Prepares the new texts, and asks whether they may be written. If not, says what to add.
    pub(super) fn prepare(
        args: &SetupArgs,
        person: &Person,
        target: &Target,
        plan: &Plan,
    ) -> anyhow::Result<Self> {
        let mut edits = Vec::new();
        let is_new = args.instance.is_some() && !target.config.exists();
        let text = if is_new { instance::config(target) } else { read(&target.config)? };
        let wanted: Vec<_> = plan.keys.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        let new = match wanted.as_slice() {
            [] => text.clone(),
            wanted => crate::config::with_keys(&text, wanted)?,
        };
        // A file that does not exist yet needs no confirmation.
        let config = |old, new| Edit { file: target.config.clone(), old, new };
        let mut made = None;
        if is_new {
            made = Some(config(String::new(), new));
        } else {
            edits.push(config(text, new));
        }
        if let Some(channel) = &plan.channel {
            let (file, old) = (args.alert_config.clone(), read(&args.alert_config)?);
            let new = crate::config::with_channel(&file, &old, channel)?;
            edits.push(Edit { file, old, new });
        }
        edits.retain(|edit| edit.new != edit.old);
        if edits.is_empty() || args.write_config {
            return Ok(Self::of(made, edits));
        }
        let mut told = String::new();
        for Edit { file, old, new } in &edits {
            told.push_str(&format!("{}:\n", file.display()));
            let old: Vec<&str> = old.lines().collect();
            let fresh = new.lines().filter(|l| !l.is_empty() && !old.contains(l));
            told.extend(fresh.map(|line| format!("  {line}\n")));
        }
        if !person.is_there() {
            let hint = format!(
                "with --write-config, setup adds these lines; or add them \
            yourself:\n{told}"
            );
            return Err(Stop::new(exit::USAGE, "--write-config is missing", hint.trim_end()).into());
        }
        eprint!("To be added to {told}");
        match person.line("Add them? [Y/n]", "--write-config")?.to_lowercase().as_str() {
            "" | "y" | "yes" => Ok(Self::of(made, edits)),
            _ => {
                eprintln!("Nothing was written; add them yourself.");
                Ok(Self::of(made, Vec::new()))
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

    fn of(made: Option<Edit>, edits: Vec<Edit>) -> Self {
        Self(made.into_iter().chain(edits).collect())
    }
}

fn read(path: &Path) -> anyhow::Result<String> {
    match std::fs::read_to_string(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        read => read.map_err(|e| credential_store::failed(path, &e).into()),
    }
}
