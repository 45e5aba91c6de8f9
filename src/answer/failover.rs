//! Which endpoint is asked, and which one next.
//!
//! Invariants: before the first visible word a failure goes on to the next endpoint that can be asked;
//! after it never, because two models' texts would be joined. Only the last one is waited for. Where all
//! are out, the one that is due first is asked: our own rule leaves no question unasked.

use std::time::{Duration, Instant};

use tokio::time::Instant as Moment;

use super::call::Call;
use super::engine::AnswerEngine;
use super::error::AnswerError;
use super::plan::Plan;
use super::pool::{Standing, Ticket};
use super::progress::Progress;
use super::question::Question;
use super::record::Record;
use super::retry::{self, Retries};
use super::stream::Collected;

/// One question on its way through the list.
pub(super) struct Run {
    /// The tries, which share one time.
    pub(super) retries: Retries,
    /// For the next request, if it is there already.
    pub(super) ticket: Option<Ticket>,
    /// Who was not asked yet, best first.
    left: Vec<usize>,
    /// Who may still answer after a pause, when all others have failed for good.
    held: Option<(usize, AnswerError)>,
    /// Tokens of a request, estimated.
    tokens: u64,
}

/// How it ended, and with whom.
pub(super) struct Ended<'q> {
    /// The endpoint's place in the list.
    pub(super) at: usize,
    pub(super) plan: Plan,
    pub(super) record: Record<'q>,
    pub(super) collected: Collected,
    pub(super) duration_ms: i64,
}

/// What follows a failure.
enum Step {
    Ask(usize),
    Cancelled,
    Final(AnswerError),
}

impl AnswerEngine {
    /// Puts a plan to one endpoint after the other, and reports how each did. `only`: the one that
    /// may be asked.
    pub(super) async fn put<'q>(
        &self,
        question: Question<'q>,
        mut plan: Plan,
        mut call: Call<'_>,
        only: Option<usize>,
    ) -> Ended<'q> {
        let begun = Instant::now();
        self.log_prompt(&plan);
        let (mut at, mut run) = self.begin_run(&plan, &call, only);
        let mut ended = loop {
            let is_last = run.left.is_empty() && run.held.is_none();
            let mut fitted = if is_last { std::mem::take(&mut plan) } else { plan.clone() };
            self.fit(at, &mut fitted).await;
            let asked = Instant::now();
            let collected = self.ask_fitting(at, &mut fitted, &mut call, &mut run).await;
            let record = self.record(question, at, &fitted);
            self.note_call(&record, &collected, asked.elapsed());
            let collected = match collected {
                Collected::Failed { error, text } if text.is_empty() && error.passes_on() => {
                    match self.after(at, &record, error, &mut run, &mut call).await {
                        Step::Ask(next) => {
                            at = next;
                            continue;
                        }
                        Step::Cancelled => Collected::Cancelled,
                        Step::Final(error) => Collected::Failed { error, text },
                    }
                }
                collected => collected,
            };
            break Ended { at, plan: fitted, record, collected, duration_ms: 0 };
        };
        if let Collected::Failed { text, .. } = &ended.collected
            && !text.is_empty()
            && self.endpoints.len() > 1
        {
            self.pool.broke_off(call.asker.update, &self.endpoints[ended.at].name);
        }
        // What follows needs nothing of the server.
        drop(call);
        ended.duration_ms = i64::try_from(begun.elapsed().as_millis()).unwrap_or(i64::MAX);
        self.log(&ended.record, &ended.collected, ended.duration_ms);
        self.note_health(&ended.record, &ended.collected, begun.elapsed());
        ended
    }

    /// Who is asked first, and who may follow.
    fn begin_run(&self, plan: &Plan, call: &Call<'_>, only: Option<usize>) -> (usize, Run) {
        // A model that was chosen is the first one's.
        let only = only.or((self.endpoints.len() == 1 || plan.base.model.is_some()).then_some(0));
        let mut run =
            Run { retries: self.tries(), ticket: None, left: Vec::new(), held: None, tokens: 0 };
        if let Some(at) = only.filter(|at| self.endpoints[*at].provider.is_instant()) {
            return (at, run);
        }
        run.tokens = plan.most_tokens();
        if let Some(at) = only {
            run.ticket = self.ticket_anyway(at, plan.base.model.as_deref(), run.tokens);
            return (at, run);
        }
        run.left = (0..self.endpoints.len()).collect();
        let broken_off = self.pool.broken_off(call.asker.update);
        let broke = |at: &usize| Some(&self.endpoints[*at].name) == broken_off.as_ref();
        // The order of the others stays.
        run.left.sort_by_key(broke);
        let first = self.next_usable(&mut run).unwrap_or_else(|| self.due_first(&mut run));
        (first, run)
    }

    /// The next one that can be asked, if any, with its ticket: at once, or else soon.
    fn next_usable(&self, run: &mut Run) -> Option<usize> {
        let waits = |at: usize| match self.standing(at, run.tokens) {
            Standing::Free => Some(0),
            Standing::Limited(wait_ms) if fits(wait_ms, run) => Some(wait_ms.max(1)),
            Standing::Limited(_) | Standing::Out { .. } => None,
        };
        // The first of those with the shortest wait.
        let mut usable: Vec<_> =
            run.left.iter().filter_map(|at| Some((waits(*at)?, *at))).collect();
        usable.sort_by_key(|(wait_ms, _)| *wait_ms);
        for (_, at) in usable {
            let endpoint = &self.endpoints[at];
            if endpoint.provider.is_instant() {
                run.left.retain(|left| *left != at);
                return Some(at);
            }
            // Another question may have become the probe meanwhile.
            if let Some(ticket) = self.pool.admitted(&endpoint.name, endpoint.model(), run.tokens) {
                run.left.retain(|left| *left != at);
                run.ticket = Some(ticket);
                return Some(at);
            }
        }
        None
    }

    /// None can be asked: the one whose breaker lets a probe pass first, or else the first.
    fn due_first(&self, run: &mut Run) -> usize {
        let due = |at: &usize| match self.standing(*at, run.tokens) {
            Standing::Out { due_ms } => due_ms,
            Standing::Free => 0,
            Standing::Limited(_) => u64::MAX,
        };
        let at = run.left.iter().copied().min_by_key(due).unwrap_or(0);
        run.left.retain(|left| *left != at);
        run.ticket = self.ticket_anyway(at, None, run.tokens);
        at
    }

    /// A ticket whatever the breaker says; none where nothing is kept of an endpoint.
    pub(super) fn ticket_anyway(
        &self,
        at: usize,
        model: Option<&str>,
        tokens: u64,
    ) -> Option<Ticket> {
        let endpoint = &self.endpoints[at];
        let model = model.unwrap_or(endpoint.model());
        match endpoint.provider.is_instant() {
            true => None,
            false => Some(self.pool.forced(&endpoint.name, model, tokens)),
        }
    }

    /// Whether another endpoint can be asked while there is time.
    pub(super) fn has_other(&self, run: &Run) -> bool {
        run.retries.deadline() > Moment::now()
            && run.left.iter().any(|at| match self.standing(*at, run.tokens) {
                Standing::Free => true,
                Standing::Limited(wait_ms) => fits(wait_ms, run),
                Standing::Out { .. } => false,
            })
    }

    fn standing(&self, at: usize, tokens: u64) -> Standing {
        let endpoint = &self.endpoints[at];
        match endpoint.provider.is_instant() {
            true => Standing::Free,
            false => self.pool.standing(&endpoint.name, endpoint.model(), tokens),
        }
    }

    /// This endpoint failed before the first visible word.
    async fn after(
        &self,
        at: usize,
        record: &Record<'_>,
        error: AnswerError,
        run: &mut Run,
        call: &mut Call<'_>,
    ) -> Step {
        if run.retries.deadline() <= Moment::now() {
            return Step::Final(error);
        }
        if let Some(next) = self.next_usable(run) {
            self.note_failover(record, &self.endpoints[next].name, &error);
            if run.held.is_none() && retry::may_pass(&error) {
                run.held = Some((at, error));
            }
            return Step::Ask(next);
        }
        let Some((back, earlier)) = run.held.take() else { return Step::Final(error) };
        let Some((obstacle, pause)) = run.retries.pause(&earlier, false) else {
            return Step::Final(error);
        };
        self.note_failover(record, &self.endpoints[back].name, &error);
        call.progress.send_replace(Progress::Waiting { obstacle, pause });
        match call.pause(pause).await {
            None => Step::Cancelled,
            Some(queued) => {
                run.retries.queued(queued);
                Step::Ask(back)
            }
        }
    }

    /// A ticket for another request to the same endpoint.
    pub(super) fn next_ticket(
        &self,
        at: usize,
        model: Option<&str>,
        run: &mut Run,
    ) -> Option<Ticket> {
        run.ticket.take().or_else(|| self.ticket_anyway(at, model, run.tokens))
    }
}

/// Whether a wait leaves time for an answer.
fn fits(wait_ms: u64, run: &Run) -> bool {
    Moment::now() + Duration::from_millis(wait_ms) < run.retries.deadline()
}
