//! One question while it is answered: for whom, and its place.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::asker::Asker;
use super::concurrency::Permit;
use super::progress::Progress;

/// What belongs to one question while it is answered.
pub(super) struct Call<'a> {
    /// For whom.
    pub(super) asker: Asker,
    /// What can be shown.
    pub(super) progress: &'a watch::Sender<Progress>,
    /// A person sent `/cancel`.
    pub(super) cancel: &'a CancellationToken,
    /// The answer that goes on, as far as it is there.
    pub(super) before: &'a str,
    /// Its place at the server.
    pub(super) permit: Permit<'a>,
}

impl Call<'_> {
    /// How many questions come first.
    pub(super) fn queued(progress: &watch::Sender<Progress>) -> impl Fn(usize) + '_ {
        move |before| {
            let place = Progress::Queued { before };
            progress.send_if_modified(|shown| {
                let is_new = *shown != place;
                if is_new {
                    *shown = place;
                }
                is_new
            });
        }
    }

    /// Waits with its place given to others, then for a place again, unless the question is cancelled first.
    /// Answers how long it waited for the place.
    pub(super) async fn pause(&mut self, pause: Duration) -> Option<Duration> {
        let show = Self::queued(self.progress);
        self.permit.give_up();
        let wait = async {
            sleep(pause).await;
            let since = Instant::now();
            self.permit.enter_again(show).await;
            since.elapsed()
        };
        tokio::select! {
            waited = wait => Some(waited),
            () = self.cancel.cancelled() => None,
        }
    }

    /// Waits for its turn again, because the server has fewer places than we thought; `false` when the
    /// question is cancelled first.
    pub(super) async fn step_back(&mut self) -> bool {
        let show = Self::queued(self.progress);
        tokio::select! {
            () = self.permit.step_back(show) => true,
            () = self.cancel.cancelled() => false,
        }
    }
}
