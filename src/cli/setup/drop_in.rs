//! Drop-ins of units that pass encrypted credentials.

use std::path::{Path, PathBuf};

/// The drop-in's file within the unit's folder.
pub(super) const DROP_IN: &str = "10-encrypted-credentials.conf";

/// The drop-ins of a unit that pass the encrypted form of a credential.
pub(super) fn passed_by(units: &Path, unit: &str, id: &str) -> Vec<PathBuf> {
    let start = format!("LoadCredentialEncrypted={id}:");
    let folder = std::fs::read_dir(units.join(format!("{unit}.service.d")));
    let files = folder.into_iter().flatten().flatten().map(|entry| entry.path());
    let passes = |file: &PathBuf| {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        text.lines().any(|line| line.trim_start().starts_with(&start))
    };
    files.filter(|file| file.extension().is_some_and(|end| end == "conf")).filter(passes).collect()
}
