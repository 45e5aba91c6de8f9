//! A question is put to the model's server until there is an answer or a final failure.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::asker::Asker;
use super::concurrency::Permit;
use super::engine::AnswerEngine;
use super::error::AnswerError;
use super::progress::Progress;
use super::retry::Retries;
use super::stream::{Bounds, Collected};
use crate::model::conversation::ChatRequest;
use crate::model::limits;

/// Times that a question waits for its turn again because the server was silent.
const STEPS_BACK: u32 = 6;

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
    async fn pause(&mut self, pause: Duration) -> Option<Duration> {
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

    async fn step_back(&mut self) -> bool {
        let show = Self::queued(self.progress);
        tokio::select! {
            () = self.permit.step_back(show) => true,
            () = self.cancel.cancelled() => false,
        }
    }
}

impl AnswerEngine {
    /// The tries of a question whose server is asked now. They have `timeout` together; the time in
    /// our own queue is not the server's.
    pub(super) fn tries(&self) -> Retries {
        let is_failing = self.vitals.provider.read().failures > 0;
        Retries::new(Instant::now() + self.settings.timeout, is_failing)
    }

    /// Whether words show nothing. What goes on with a code block or a list shows with its beginning.
    fn is_blank(&self, before: &str, text: &str) -> bool {
        let is_blank =
            |text: &str| (self.settings.is_blank)(text, self.first().provider.is_markdown());
        match before {
            "" => is_blank(text),
            _ => text.trim().is_empty() || is_blank(&format!("{before}{text}")),
        }
    }

    /// Asks, and asks again what may pass before the first word.
    pub(super) async fn ask(
        &self,
        request: &ChatRequest,
        call: &mut Call<'_>,
        retries: &mut Retries,
    ) -> Collected {
        let silence = self.settings.first_token_timeout;
        let is_chosen = request.model.is_some();
        let (mut steps_back, before) = (0, call.before);
        loop {
            let bounds = Bounds {
                silence,
                end: retries.deadline(),
                bytes: limits::ANSWER_BYTES,
                tokens: u64::from(request.max_output_tokens),
                is_blank: &|text| self.is_blank(before, text),
            };
            call.progress.send_if_modified(|shown| {
                let waited = matches!(
                    shown,
                    Progress::Reading | Progress::Queued { .. } | Progress::Waiting { .. }
                );
                if waited {
                    *shown = Progress::Thinking;
                }
                waited
            });
            let collected = self.attempt(self.first(), request, call, bounds).await;
            let error = match &collected {
                Collected::Failed { error, wrote: false } => error,
                Collected::Whole { first_after, .. } => {
                    // Another model says nothing about how many the usual one takes.
                    if !is_chosen {
                        call.permit.began(*first_after, silence);
                    }
                    return collected;
                }
                _ => return collected,
            };
            // The server has fewer slots than it was given questions, so this one was in its queue.
            let is_queued = matches!(error, AnswerError::FirstTokenLate)
                && !is_chosen
                && steps_back < STEPS_BACK
                && Instant::now() < retries.deadline()
                && call.permit.is_crowded();
            if is_queued {
                steps_back += 1;
                tracing::info!("the server was silent; fewer questions are asked at once now");
                let since = Instant::now();
                if !call.step_back().await {
                    return Collected::Cancelled;
                }
                retries.queued(since.elapsed());
                continue;
            }
            let Some((obstacle, pause)) = retries.pause(error) else { return collected };
            let class = error.class().as_str();
            self.vitals.increment("provider_retry", class);
            tracing::info!(
                class,
                pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX),
                error = error.words(),
                "the provider is asked again"
            );
            call.progress.send_replace(Progress::Waiting { obstacle, pause });
            let Some(queued) = call.pause(pause).await else { return Collected::Cancelled };
            retries.queued(queued);
        }
    }
}
