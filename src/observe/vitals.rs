//! What the stages report: liveness ticks, counters, durations and the health of dependencies. Who
//! reads them is not the stages' business.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, ArcSwapOption};

use super::canary::Canary;
use super::clock::Clock;
use super::dependency::DependencyHealth;
use super::documents::DocumentsState;
use super::finding::{Kind, Verdict};
use super::histogram::{self, Buckets, Histogram};
use super::index::IndexState;
use super::label::Label;
use super::liveness::{Liveness, Loop, Overdue};
use super::money::Money;
use super::providers::ProviderState;
use crate::model::class::{AnswerClass, FailureClass};
use crate::model::limits;

/// What has happened since the start. Shared by all stages, cheap to write.
#[derive(Debug)]
pub struct Vitals {
    started: Instant,
    clock: Clock,
    liveness: Liveness,
    stall_ms: AtomicU64,
    /// Polls: the age of the last one that worked is the one figure that shows deafness.
    pub polling: DependencyHealth,
    /// Sends of parts.
    pub sending: DependencyHealth,
    /// Questions to the provider.
    pub provider: DependencyHealth,
    /// Commits, as the probe sees them.
    pub store: DependencyHealth,
    /// Requests to the embeddings server.
    pub embeddings: DependencyHealth,
    /// Requests to Qdrant.
    pub qdrant: DependencyHealth,
    /// Polls that Telegram answered.
    pub polls: Count,
    /// Polls that failed, whatever the reason.
    pub polls_failed: Count,
    /// 409 answers to polls.
    pub conflicts: Count,
    /// The host that a webhook sends updates to, while one is set. One text a conflict.
    pub webhook: ArcSwapOption<String>,
    /// 429 answers to any call.
    pub rate_limited: Count,
    /// Updates accepted into the inbox.
    pub updates: Count,
    /// Updates that were delivered again and not stored twice.
    pub updates_repeated: Count,
    /// Commands that were answered.
    pub commands: Count,
    /// Questions that got an answer.
    pub answers: Count,
    /// Questions whose provider failed.
    pub answers_failed: Count,
    /// Those of them whose model people chose for their chat.
    pub chosen_failed: Count,
    /// Parts that arrived.
    pub sent: Count,
    /// Parts that Telegram refused for good.
    pub dropped: Count,
    /// Those of them that their chat did not take: the bot did not fail.
    pub of_chats: Count,
    /// Chats that shut the bot out, each counted once until it comes back.
    pub chats_shut_out: Count,
    /// Parts found to have arrived by the reconciler.
    pub reconciled_arrived: Count,
    /// Parts found not to have arrived by the reconciler, and sent again.
    pub reconciled_lost: Count,
    /// Parts sent again although they may have arrived.
    pub possible_duplicates: Count,
    /// Edits by which the reconciler asked whether a message stands somewhere.
    pub probes: Count,
    /// The owner paused answering.
    pub paused: AtomicBool,
    /// The last batch of updates could not be stored.
    pub accept_failing: AtomicBool,
    /// Telegram holds updates that polls do not return.
    pub updates_stuck: AtomicBool,
    /// So much waits that polling pauses.
    pub backlog_full: AtomicBool,
    /// Updates that wait at Telegram (`getWebhookInfo`); below zero before it was asked.
    pub pending: AtomicI64,
    /// How the providers of the list stand, in its order.
    pub providers: ArcSwap<Vec<ProviderState>>,
    /// How far the documents are.
    pub documents: ArcSwap<DocumentsState>,
    /// How their index stands.
    pub index: ArcSwap<IndexState>,
    /// How far the question is that the bot puts to itself.
    pub canary: ArcSwap<Canary>,
    /// What answers cost.
    pub money: Money,
    /// What the supervisor thinks of all this.
    pub verdict: ArcSwap<Verdict>,
    /// When the last update was done, Unix milliseconds; zero before the first.
    pub processed_at_ms: AtomicI64,
    failovers: Mutex<BTreeMap<Failover, u64>>,
    labelled: Mutex<BTreeMap<(&'static str, String), u64>>,
    timings: Mutex<BTreeMap<(Timing, Label, Label), Histogram>>,
    events: Mutex<BTreeMap<Kind, Event>>,
}

/// One count that only grows.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

/// Families of durations and sizes, with the meaning of their two labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timing {
    /// Calls to the Bot API in seconds: method, outcome (`ok` or the class of the error).
    ApiCall,
    /// Questions to a provider in seconds: model, outcome (`ok` or the class of the error).
    Provider,
    /// Questions that the configured model answered in seconds: nothing, nothing. The verdict goes by
    /// these; what people chose for their chats concerns them only.
    Configured,
    /// Tokens of one answer: model, `input` or `output`.
    Tokens,
    /// Tokens of the passages that go along with one question: nothing, nothing.
    Passages,
    /// Requests to the embeddings server in seconds: `query` or `passages`, outcome.
    Embedding,
    /// Searches of the documents in seconds: `words`, `vectors` or `both`, nothing.
    Search,
    /// Until a provider's first words in seconds: model, nothing.
    FirstWords,
    /// From the acceptance of an update to the commit of its replies in seconds: `WorkKind`, outcome (`ok`
    /// or `failed`, which is an apology).
    Response,
    /// From the commit of a part to its arrival in seconds: `command` (with everything that is not
    /// an answer) or `question`, nothing.
    Delivery,
    /// From the date of a message to its acceptance in seconds: nothing, nothing.
    InboundLag,
}

/// Something that happened at moments, rather than being so for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// How often since the start.
    pub count: u64,
    /// When last, milliseconds since the start.
    pub last_ms: u64,
}

/// Who was asked in place of whom, and why.
pub type Failover = (String, String, AnswerClass);

/// One series of a family: its two labels and how it stands.
pub type Series = (Label, Label, Buckets);

impl Count {
    /// One more.
    pub fn add_one(&self) {
        self.add(1);
    }

    /// `n` more.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// How many so far.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Timing {
    /// Upper bounds of its buckets.
    pub fn bounds(self) -> &'static [f64] {
        match self {
            Self::ApiCall | Self::Embedding => histogram::CALL_S,
            Self::Search => histogram::STORE_S,
            Self::Provider | Self::Configured | Self::FirstWords => histogram::GEN_AI_S,
            Self::Tokens | Self::Passages => histogram::GEN_AI_TOKENS,
            Self::Response | Self::Delivery | Self::InboundLag => histogram::WAIT_S,
        }
    }
}

impl Default for Vitals {
    fn default() -> Self {
        Self::new(Clock::system())
    }
}

impl Vitals {
    /// Nothing has happened yet.
    pub fn new(clock: Clock) -> Self {
        Self {
            started: Instant::now(),
            clock,
            liveness: Liveness::default(),
            stall_ms: AtomicU64::new(limits::STALL.as_millis() as u64),
            polling: DependencyHealth::default(),
            sending: DependencyHealth::default(),
            provider: DependencyHealth::default(),
            store: DependencyHealth::default(),
            embeddings: DependencyHealth::default(),
            qdrant: DependencyHealth::default(),
            polls: Count::default(),
            polls_failed: Count::default(),
            conflicts: Count::default(),
            webhook: ArcSwapOption::empty(),
            rate_limited: Count::default(),
            updates: Count::default(),
            updates_repeated: Count::default(),
            commands: Count::default(),
            answers: Count::default(),
            answers_failed: Count::default(),
            chosen_failed: Count::default(),
            sent: Count::default(),
            dropped: Count::default(),
            of_chats: Count::default(),
            chats_shut_out: Count::default(),
            reconciled_arrived: Count::default(),
            reconciled_lost: Count::default(),
            possible_duplicates: Count::default(),
            probes: Count::default(),
            paused: AtomicBool::new(false),
            accept_failing: AtomicBool::new(false),
            updates_stuck: AtomicBool::new(false),
            backlog_full: AtomicBool::new(false),
            pending: AtomicI64::new(-1),
            providers: ArcSwap::default(),
            documents: ArcSwap::default(),
            index: ArcSwap::default(),
            canary: ArcSwap::default(),
            money: Money::default(),
            verdict: ArcSwap::default(),
            processed_at_ms: AtomicI64::new(0),
            failovers: Mutex::default(),
            labelled: Mutex::default(),
            timings: Mutex::default(),
            events: Mutex::default(),
        }
    }

    /// Milliseconds since the start, by a clock that never jumps.
    pub fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Unix milliseconds.
    pub fn wall_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// When a provider answered last, in milliseconds since the start.
    pub fn answered_ms(&self) -> Option<u64> {
        self.provider.read().worked_ms
    }

    /// The question that the bot puts to itself, as it stands now.
    pub fn canary(&self) -> Canary {
        self.canary.load().seen_with(self.answered_ms())
    }

    /// A loop turned, and will now wait for at most `waits` on purpose. It is overdue when it has
    /// not turned that long plus the time that work may take, see [`Vitals::set_stall`].
    pub fn tick(&self, looping: Loop, waits: Duration) {
        let work = Duration::from_millis(self.stall_ms.load(Ordering::Relaxed));
        self.liveness.tick(looping, self.now_ms(), waits + work);
    }

    /// How long the work of one turn may take.
    pub fn set_stall(&self, work: Duration) {
        let ms = u64::try_from(work.as_millis()).unwrap_or(u64::MAX);
        self.stall_ms.store(ms, Ordering::Relaxed);
    }

    /// A loop ended, and is no longer watched.
    pub fn end(&self, looping: Loop) {
        self.liveness.end(looping);
    }

    /// Milliseconds since a running loop turned.
    pub fn silent_ms(&self, looping: Loop) -> Option<u64> {
        self.liveness.silent_ms(looping, self.now_ms())
    }

    /// The loop that is late by most, if any is.
    pub fn overdue(&self) -> Option<Overdue> {
        self.liveness.overdue(self.now_ms())
    }

    /// A call of this dependency worked.
    pub fn worked(&self, dependency: &DependencyHealth) {
        dependency.worked(self.now_ms(), self.wall_ms());
    }

    /// A call of this dependency failed.
    pub fn failed(&self, dependency: &DependencyHealth, class: impl Into<FailureClass>) {
        dependency.failed(self.now_ms(), class.into());
    }

    /// Counts something with a name of its own, such as an ignored kind of update. The number of
    /// different names is bounded; what exceeds it is counted as `other`.
    pub fn increment(&self, family: &'static str, label: &str) {
        let mut map = lock(&self.labelled);
        let full = map.len() >= limits::METRIC_LABELS;
        let key = (family, label.to_owned());
        let key = if full && !map.contains_key(&key) { (family, "other".to_owned()) } else { key };
        *map.entry(key).or_default() += 1;
    }

    /// All counters of one family, by label.
    pub fn counters(&self, family: &'static str) -> Vec<(String, u64)> {
        let map = lock(&self.labelled);
        map.iter().filter(|((f, _), _)| *f == family).map(|((_, l), n)| (l.clone(), *n)).collect()
    }

    /// One observation, in the family's unit. The number of series is bounded like the labels of
    /// [`Vitals::increment`].
    pub fn observe(
        &self,
        timing: Timing,
        first: impl Into<Label>,
        second: impl Into<Label>,
        value: f64,
    ) {
        let mut map = lock(&self.timings);
        let full = map.len() >= limits::METRIC_LABELS;
        let key = (timing, first.into(), second.into());
        let key = if full && !map.contains_key(&key) {
            (timing, Label::Other, Label::Other)
        } else {
            key
        };
        map.entry(key).or_insert_with(|| Histogram::new(timing.bounds())).observe(value);
    }

    /// A question went on to another provider. Both names are configured, so they are few.
    pub fn failed_over(&self, from: &str, to: &str, class: AnswerClass) {
        *lock(&self.failovers).entry((from.to_owned(), to.to_owned(), class)).or_default() += 1;
    }

    /// How often that was.
    pub fn failovers(&self) -> Vec<(Failover, u64)> {
        lock(&self.failovers).iter().map(|(failover, n)| (failover.clone(), *n)).collect()
    }

    /// All series of a family.
    pub fn observed(&self, timing: Timing) -> Vec<Series> {
        let map = lock(&self.timings);
        map.iter()
            .filter(|((t, _, _), _)| *t == timing)
            .map(|((_, a, b), h)| (a.clone(), b.clone(), h.read()))
            .collect()
    }

    /// Something happened that is a finding for a while.
    pub fn happened(&self, kind: Kind) {
        let now_ms = self.now_ms();
        let mut events = lock(&self.events);
        let event = events.entry(kind).or_insert(Event { count: 0, last_ms: now_ms });
        event.count += 1;
        event.last_ms = now_ms;
    }

    /// What happened so far, by kind.
    pub fn events(&self) -> Vec<(Kind, Event)> {
        lock(&self.events).iter().map(|(kind, event)| (*kind, *event)).collect()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::class::CallOutcome;

    #[test]
    fn labels_are_bounded() {
        let vitals = Vitals::default();
        for i in 0..limits::METRIC_LABELS * 2 {
            vitals.increment("ignored", &format!("kind{i}"));
            vitals.observe(Timing::ApiCall, format!("method{i}").as_str(), CallOutcome::Ok, 0.1);
        }
        let rows = vitals.counters("ignored");
        assert!(rows.len() <= limits::METRIC_LABELS + 1);
        assert_eq!(rows.iter().map(|(_, n)| n).sum::<u64>(), limits::METRIC_LABELS as u64 * 2);
        assert!(vitals.observed(Timing::ApiCall).len() <= limits::METRIC_LABELS + 1);
    }

    #[test]
    fn events_are_counted_by_kind() {
        let vitals = Vitals::default();
        vitals.happened(Kind::DeliveryRefused);
        vitals.happened(Kind::DeliveryRefused);
        let events = vitals.events();
        assert_eq!(events.len(), 1);
        assert_eq!((events[0].0, events[0].1.count), (Kind::DeliveryRefused, 2));
    }
}
