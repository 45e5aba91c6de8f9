//! Free space that stays for the state.
//!
//! Invariant: what can be made again, such as the index, and what can wait, such as a document that an owner sends,
//! never takes the last room of a disk: updates and answers need it.

use std::fmt;
use std::path::Path;

use hygiene::disk::room;

/// So much stays free.
const KEPT: u64 = 64 * 1024 * 1024;

/// On a small disk only this part of it.
const PART: u64 = 10;

/// A disk without room for more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Short {
    free: u64,
    wanted: u64,
    kept: u64,
}

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mb = |bytes: u64| format!("{:.1} MB", bytes as f64 / 1e6);
        let Self { free, wanted, kept } = *self;
        write!(
            f,
            "{} of its disk are free, and {} stay for messages and answers",
            mb(free),
            mb(kept)
        )?;
        if wanted > 0 && free > kept {
            write!(f, "; {} are needed", mb(wanted))?;
        }
        Ok(())
    }
}

/// Whether the disk that holds `path` lacks the room for `bytes` more. One that does not say has it.
pub(super) fn short_for(path: &Path, bytes: u64) -> Option<Short> {
    // The file itself may not be there yet.
    let there = path.ancestors().find(|part| part.exists())?;
    let room = room(there).ok()?;
    let kept = KEPT.min(room.total / PART);
    let is_short = room.free < kept.saturating_add(bytes);
    is_short.then_some(Short { free: room.free, wanted: bytes, kept })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_takes_what_is_kept() {
        let here = tempfile::tempdir().unwrap();
        let path = here.path().join("not/there/yet.db");
        let free = room(here.path()).unwrap().free;
        assert_eq!(short_for(&path, 0), None, "this test needs a disk with some room");
        let short = short_for(&path, free).unwrap();
        assert!(short.to_string().contains(" stay for messages and answers; "), "{short}");
    }
}
