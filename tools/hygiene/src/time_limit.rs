//! Work that may never end, such as a call into a dying disk, on a thread of its own.
//!
//! A thread whose work is given up stays behind until the process ends: nothing can end a system
//! call that the kernel does not return from.

use std::path::Path;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

/// Starts the work; its result arrives at the receiver. Where no thread can be started the receiver
/// is closed, so that its caller sees the same as when the work gives no result.
pub fn start<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Receiver<T> {
    let (sender, result) = mpsc::channel();
    let thread = move || {
        // The receiver is gone once its owner has stopped waiting.
        let _ = sender.send(work());
    };
    drop(thread::Builder::new().spawn(thread));
    result
}

/// How long a look at a folder may take: a local disk answers at once, and a mount whose server is gone never.
const LOOK: Duration = Duration::from_secs(1);

/// Whether this is a folder; `None` when its file system does not answer.
pub fn is_dir(path: &Path) -> Option<bool> {
    let path = path.to_owned();
    look(move || path.is_dir())
}

/// Looks at something on a disk; `None` when it does not answer.
pub fn look<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    within(LOOK, work)
}

/// The result, if it arrives by `end`.
pub fn by<T>(end: Instant, result: &Receiver<T>) -> Option<T> {
    result.recv_timeout(end.saturating_duration_since(Instant::now())).ok()
}

/// Does the work; `None` when it gives no result within `limit`.
pub fn within<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    by(Instant::now() + limit, &start(work))
}
