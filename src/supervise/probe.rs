//! The probe: a small commit now and then, so that a disk that fails or hangs is noticed before a
//! message needs it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::model::failure::{Classify, chain};
use crate::observe::liveness::Loop;
use crate::observe::vitals::Vitals;
use crate::store::Store;

/// Between two probes.
const EVERY: Duration = Duration::from_secs(10);

/// Commits something each ten seconds until `end`. One that fails is a turn; one that hangs is not.
pub async fn probe(store: Store, vitals: Arc<Vitals>, end: CancellationToken) {
    loop {
        vitals.tick(Loop::Store, Duration::ZERO);
        let done = tokio::select! {
            done = store.probe() => done,
            () = end.cancelled() => return,
        };
        let failing = vitals.store.read().failures > 0;
        match done {
            // A small row may still find room where a batch of updates does not.
            Ok(()) if vitals.accept_failing.load(Ordering::Relaxed) => {}
            Ok(()) => vitals.worked(&vitals.store),
            Err(e) => {
                if !failing {
                    let error = chain(&e);
                    tracing::error!(
                        error,
                        class = e.class().as_str(),
                        "cannot commit to the state file: {}; {error}",
                        e.hint()
                    );
                }
                vitals.failed(&vitals.store, e.class());
            }
        }
        // A file that refuses is looked at more often, to hear soon that it works again.
        let pause = if vitals.store.read().failures > 0 { EVERY / 5 } else { EVERY };
        vitals.tick(Loop::Store, pause);
        tokio::select! {
            () = sleep(pause) => {}
            () = end.cancelled() => return,
        }
    }
}
