//! A disk that dies under a running process.

use std::process::{Child, Command, Stdio};

use crate::harness::{Stage, eventually, skipped};

/// A tracer that lets every fsync of a process hang, as a dying disk does.
pub struct DeadDisk(Child);

impl DeadDisk {
    /// `None`, said loudly, where processes cannot be traced.
    pub async fn under(stage: &Stage, pid: u32) -> Option<Self> {
        let log = stage.dir.path().join("strace");
        let file = std::fs::File::create(&log).expect("a log file");
        let tracer = Command::new("strace")
            .args(["-f", "-e", "trace=fsync,fdatasync"])
            .args(["-e", "inject=fsync,fdatasync:delay_enter=600000000"])
            .args(["-p", &pid.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(file)
            .spawn();
        let mut tracer = match tracer {
            Ok(tracer) => tracer,
            Err(e) => {
                skipped(&format!("strace cannot be run ({e}); install it: apt install strace"));
                return None;
            }
        };
        let said = || std::fs::read_to_string(&log).unwrap_or_default();
        let spoke = eventually(|| !said().is_empty()).await;
        assert!(spoke, "strace says nothing");
        if !said().contains("attached") {
            let _ = tracer.kill();
            let _ = tracer.wait();
            skipped(&format!("this machine does not let a process be traced: {}", said()));
            return None;
        }
        Some(Self(tracer))
    }
}

impl Drop for DeadDisk {
    fn drop(&mut self) {
        // SIGTERM: the tracer lets go of the process, which goes on.
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let _ = self.0.wait();
    }
}
