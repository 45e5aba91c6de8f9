//! A small file system of its own, to be filled.

use crate::harness::skipped;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A small file system in memory, unmounted when dropped.
pub struct Mount(PathBuf);

impl Mount {
    /// `None`, with the reason printed, where mounting is not allowed.
    pub fn new(at: &Path) -> Option<Self> {
        std::fs::create_dir_all(at).expect("a folder");
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=16m", "katana-test"])
            .arg(at)
            .output();
        match mount {
            Ok(done) if done.status.success() => Some(Self(at.to_owned())),
            Ok(done) => {
                skipped(&format!("cannot mount: {}", String::from_utf8_lossy(&done.stderr)));
                None
            }
            Err(e) => {
                skipped(&format!("cannot run mount: {e}"));
                None
            }
        }
    }

    /// Fills it to the last byte; the file takes the room.
    pub fn fill(&self) -> PathBuf {
        use std::io::Write;
        let path = self.0.join("ballast");
        let mut file = std::fs::File::create(&path).expect("a file");
        for size in [65_536, 4096, 512, 1] {
            while file.write(&vec![0; size]).is_ok_and(|n| n > 0) {}
        }
        path
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
