//! Work that may never end, such as a call into a dying disk: done on a thread of its own, and given
//! up after a while.
//!
//! A thread that is given up stays behind until the process ends; nothing can end a call that the
//! kernel does not return from.

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

/// Enough for a thread that waits and then prints a line.
const SMALL_STACK: usize = 128 * 1024;

/// Does the work, and returns what came of it; `None` when it took longer than `limit`. A panic goes
/// on in the caller.
pub fn within<T, F>(limit: Duration, work: F) -> Option<T>
where
    T: Send + 'static,
    F: Fn() -> T + Send + Sync + 'static,
{
    let work = Arc::new(work);
    let (sender, answer) = mpsc::channel();
    let ours = work.clone();
    let thread = thread::Builder::new().spawn(move || {
        // Nobody listens any more after the limit.
        let _ = sender.send(ours());
    });
    let Ok(thread) = thread else {
        // No thread is left on this machine: better without a limit than not at all.
        return Some(work());
    };
    match answer.recv_timeout(limit) {
        Ok(value) => Some(value),
        Err(RecvTimeoutError::Timeout) => None,
        Err(RecvTimeoutError::Disconnected) => match thread.join() {
            Err(panic) => std::panic::resume_unwind(panic),
            Ok(()) => None,
        },
    }
}

/// Does `late` after this time, unless the process has ended by then.
pub fn alarm(after: Duration, late: impl FnOnce() + Send + 'static) {
    let wait = move || {
        thread::sleep(after);
        late();
    };
    // Without a thread there is no alarm; the run itself needs none.
    let _ = thread::Builder::new().stack_size(SMALL_STACK).spawn(wait);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use std::time::Instant;

    #[test]
    fn work_that_never_ends_is_given_up() {
        let (hold, never) = mpsc::channel::<()>();
        let never = Mutex::new(never);
        let begun = Instant::now();
        let done = within(Duration::from_millis(50), move || {
            // Ends only when the sender is dropped.
            let _ = never.lock().map(|never| never.recv());
        });
        assert_eq!(done, None);
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
        drop(hold);
        assert_eq!(within(Duration::from_secs(60), || 7), Some(7));
    }

    #[test]
    fn a_panic_is_not_taken_for_a_dead_disk() {
        let caught = std::panic::catch_unwind(|| {
            within(Duration::from_secs(60), || assert!(std::env::args().count() > 1_000_000))
        });
        assert!(caught.is_err());
    }

    #[test]
    fn an_alarm_needs_nobody_to_wait() {
        let (sender, rung) = mpsc::channel();
        alarm(Duration::from_millis(1), move || sender.send(()).unwrap());
        rung.recv_timeout(Duration::from_secs(60)).unwrap();
    }
}
