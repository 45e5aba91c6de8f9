//! A question is put to the model's server until there is an answer or a final failure.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::breaker::Outcome;
use super::call::Call;
use super::engine::AnswerEngine;
use super::error::AnswerError;
use super::failover::Run;
use super::pool::Ticket;
use super::progress::{Obstacle, Progress};
use super::retry::Retries;
use super::stream::{Bounds, Collected};
use crate::model::class::AnswerClass;
use crate::model::conversation::ChatRequest;
use crate::model::limits;

/// Times that a question waits for its turn again because the server was silent.
const STEPS_BACK: u32 = 6;

impl AnswerEngine {
    /// The tries of a question whose server is asked now. They have `timeout` together; the time in
    /// our own queue is not the server's.
    pub(super) fn tries(&self) -> Retries {
        let is_failing = self.vitals.provider.read().failures > 0;
        Retries::new(Instant::now() + self.settings.timeout, is_failing)
    }

    /// Whether words show nothing. What goes on with a code block or a list shows with its beginning.
    fn is_blank(&self, at: usize, before: &str, text: &str) -> bool {
        let is_markdown = self.endpoints[at].provider.is_markdown();
        let is_blank = |text: &str| (self.settings.is_blank)(text, is_markdown);
        match before {
            "" => is_blank(text),
            _ => text.trim().is_empty() || is_blank(&format!("{before}{text}")),
        }
    }

    /// Waits until the limits of the endpoint allow the request; a failure when that would be too late.
    async fn wait_for_place(
        &self,
        ticket: &mut Ticket,
        call: &mut Call<'_>,
        retries: &mut Retries,
    ) -> Result<(), Collected> {
        let at_limit = || Collected::Failed { error: AnswerError::AtLimit, text: String::new() };
        let pause = Duration::from_millis(ticket.wait_ms());
        if !pause.is_zero() {
            if Instant::now() + pause >= retries.deadline() {
                return Err(at_limit());
            }
            let obstacle = Obstacle::RateLimit;
            call.progress.send_replace(Progress::Waiting { obstacle, pause });
            let queued = call.pause(pause).await.ok_or(Collected::Cancelled)?;
            retries.queued(queued);
        }
        let Some(parallel) = ticket.parallel.clone() else { return Ok(()) };
        if parallel.available_permits() == 0 {
            Call::queued(call.progress)(0);
        }
        tokio::select! {
            permit = timeout_at(retries.deadline(), parallel.acquire_owned()) => {
                ticket.permit = permit.ok().and_then(Result::ok);
            }
            () = call.cancel.cancelled() => return Err(Collected::Cancelled),
        }
        ticket.permit.is_some().then_some(()).ok_or_else(at_limit)
    }

    /// Asks an endpoint, and asks it again while there is no other and its failure may pass before the
    /// first word.
    pub(super) async fn ask(
        &self,
        at: usize,
        request: &ChatRequest,
        call: &mut Call<'_>,
        run: &mut Run,
    ) -> Collected {
        let (endpoint, silence) = (&self.endpoints[at], self.settings.first_token_timeout);
        let (chosen, before) = (request.model.as_deref(), call.before);
        let (mut steps_back, mut is_patient) = (0, false);
        loop {
            let mut ticket = self.next_ticket(at, chosen, run);
            if let Some(ticket) = &mut ticket
                && let Err(collected) = self.wait_for_place(ticket, call, &mut run.retries).await
            {
                return collected;
            }
            let (slow, has_other) = (endpoint.limits.slow_after, self.has_other(run));
            let bounds = Bounds {
                silence,
                slow: slow.filter(|_| !is_patient && has_other),
                end: run.retries.deadline(),
                bytes: limits::ANSWER_BYTES,
                tokens: u64::from(request.max_output_tokens),
                is_blank: &|text| self.is_blank(at, before, text),
            };
            thinks(call.progress);
            let collected = self.attempt(endpoint, request, call, bounds, !has_other).await;
            let is_crowded = chosen.is_none() && call.permit.is_crowded();
            if let Some(ticket) = ticket {
                ticket.end(outcome(&collected, slow, is_crowded), used(&collected));
            }
            let error = match &collected {
                Collected::Failed { error, text } if text.is_empty() => error,
                Collected::Whole { first_after, .. } => {
                    // Another model says nothing about how many the usual one takes.
                    if chosen.is_none() {
                        call.permit.began(*first_after, silence);
                    }
                    return collected;
                }
                _ => return collected,
            };
            if error.passes_on() && self.has_other(run) {
                return collected;
            }
            if matches!(error, AnswerError::Slow) {
                is_patient = true;
                continue;
            }
            // The server has fewer slots than it was given questions, so this one was in its queue.
            let is_queued = matches!(error, AnswerError::FirstTokenLate)
                && is_crowded
                && steps_back < STEPS_BACK
                && Instant::now() < run.retries.deadline();
            if is_queued {
                steps_back += 1;
                tracing::info!("the server was silent; fewer questions are asked at once now");
                let since = Instant::now();
                if !call.step_back().await {
                    return Collected::Cancelled;
                }
                run.retries.queued(since.elapsed());
                continue;
            }
            let is_gone = self.pool.is_gone(&endpoint.name, chosen.unwrap_or(endpoint.model()));
            let Some((obstacle, pause)) = run.retries.pause(error, is_gone) else {
                return collected;
            };
            self.note_retry(error, pause);
            call.progress.send_replace(Progress::Waiting { obstacle, pause });
            let Some(queued) = call.pause(pause).await else { return Collected::Cancelled };
            run.retries.queued(queued);
        }
    }

    fn note_retry(&self, error: &AnswerError, pause: Duration) {
        let class = error.class().as_str();
        self.vitals.increment("provider_retry", class);
        tracing::info!(
            class,
            pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX),
            error = error.words(),
            "the provider is asked again"
        );
    }
}

/// It is asked now; what is written already stays.
fn thinks(progress: &watch::Sender<Progress>) {
    progress.send_if_modified(|shown| {
        let waited =
            matches!(shown, Progress::Reading | Progress::Queued { .. } | Progress::Waiting { .. });
        if waited {
            *shown = Progress::Thinking;
        }
        waited
    });
}

/// What a call says about the provider. `slow`: it should have begun within this time.
/// `is_crowded`: we may have asked a small server too much at once.
fn outcome(collected: &Collected, slow: Option<Duration>, is_crowded: bool) -> Outcome {
    match collected {
        Collected::Cancelled => Outcome::Neutral,
        Collected::Failed { error: AnswerError::FirstTokenLate, .. } if is_crowded => {
            Outcome::Neutral
        }
        Collected::Failed { error, .. } => error.outcome(),
        Collected::Whole { first_after, .. } if slow.is_some_and(|slow| *first_after > slow) => {
            let class = AnswerClass::FirstTokenTimeout;
            Outcome::Failed { class, retry_after_ms: None }
        }
        Collected::Whole { .. } => Outcome::Worked,
    }
}

/// Tokens that a call used, where the server says so.
fn used(collected: &Collected) -> Option<u64> {
    let Collected::Whole { finished, .. } = collected else { return None };
    finished.usage.map(|usage| usage.input_tokens.saturating_add(usage.output_tokens))
}
