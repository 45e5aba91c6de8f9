//! File systems of our own: a small one, to be filled, and one that never answers.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::harness::skipped;

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

    /// Fills it up to so many bytes.
    pub fn fill_up_to(&self, free: u64) -> PathBuf {
        let path = self.fill();
        let file = std::fs::OpenOptions::new().write(true).open(&path).expect("the file");
        let size = file.metadata().expect("its size").len();
        file.set_len(size - free).expect("smaller");
        path
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

/// A file system that never answers, as one whose server is gone: FUSE without a program behind it. When dropped,
/// a program that waits gets an error.
pub struct HungMount(Child, PathBuf);

impl HungMount {
    /// `None`, with the reason printed, where mounting is not allowed.
    pub fn new(at: &Path) -> Option<Self> {
        std::fs::create_dir_all(at).expect("a folder");
        let script = "exec 3<>/dev/fuse && mount -i -t fuse \
                      -o fd=3,rootmode=40000,user_id=0,group_id=0 hung \"$1\" && echo mounted && exec sleep 600";
        let mut child = Command::new("sh")
            .args(["-c", script, "sh"])
            .arg(at)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("sh runs");
        let mut said = String::new();
        let read = BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut said);
        if read.is_ok() && said == "mounted\n" {
            return Some(Self(child, at.to_owned()));
        }
        let _ = child.wait();
        skipped("cannot mount by FUSE");
        None
    }
}

impl Drop for HungMount {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
        let _ = Command::new("umount").arg("-l").arg(&self.1).status();
    }
}
