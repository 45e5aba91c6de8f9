//! The providers of the list as they stand: whose breaker is open, and what each may be asked now.
//!
//! Invariants: nothing here waits or touches the disk; what changed is handed to those who keep and show
//! it. The state outlives a change of the configuration: a model of an endpoint is known by both names.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::allowance::Allowance;
use super::breaker::{self, Admission, Breaker, Outage, Outcome, signed};
use super::endpoint::Endpoint;
use crate::model::class::AnswerClass;
use crate::model::ids::InboxSeq;
use crate::model::rate_left::RateLeft;
use crate::observe::providers::{ProviderOutage, ProviderState};
use crate::observe::vitals::Vitals;
use crate::store::KeptBreaker;

/// Questions whose answer broke off that are remembered.
const BROKEN_OFF: usize = 1000;

/// An endpoint's name and a model.
type Key = (String, String);

/// How all providers stand.
pub struct Pool {
    state: Mutex<State>,
    vitals: Arc<Vitals>,
    changes: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    breakers: BTreeMap<Key, Breaker>,
    places: BTreeMap<String, Places>,
    /// The list, for those who watch: names and configured models.
    listed: Vec<Key>,
    /// Whose answer to this question broke off.
    broken_off: HashMap<InboxSeq, String>,
}

impl State {
    fn breaker(&mut self, name: &str, model: &str) -> &mut Breaker {
        self.breakers.entry((name.to_owned(), model.to_owned())).or_default()
    }
}

/// What one endpoint may be asked.
#[derive(Default)]
struct Places {
    allowance: Allowance,
    parallel: Option<(u32, Arc<Semaphore>)>,
}

/// A call that may go, once its time has come. Dropped without an outcome, it says nothing.
pub(super) struct Ticket {
    pool: Arc<Pool>,
    key: Key,
    is_probe: bool,
    is_over: bool,
    /// The number of its place, and when that begins.
    place: (u64, u64),
    pub(super) parallel: Option<Arc<Semaphore>>,
    pub(super) permit: Option<OwnedSemaphorePermit>,
}

/// Whether a model can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Now.
    Free,
    /// After so many milliseconds, by a limit; the time is unknown where calls at once are too many.
    Limited(u64),
    /// Its breaker is open until then.
    Out { due_ms: u64 },
}

impl Pool {
    pub(super) fn new(vitals: Arc<Vitals>) -> Self {
        Self { state: Mutex::default(), vitals, changes: watch::Sender::new(0) }
    }

    /// These are the endpoints from now on.
    pub(super) fn list(&self, endpoints: &[Endpoint]) {
        let mut state = self.lock();
        state.listed =
            endpoints.iter().map(|one| (one.name.clone(), one.model().to_owned())).collect();
        state.places.retain(|name, _| endpoints.iter().any(|one| one.name == *name));
        for endpoint in endpoints {
            let places = state.places.entry(endpoint.name.clone()).or_default();
            places.allowance.limit(endpoint.limits);
            let most = endpoint.limits.parallel;
            if places.parallel.as_ref().map(|(most, _)| *most) != most {
                let semaphore = |most: u32| Arc::new(Semaphore::new(most.max(1) as usize));
                places.parallel = most.map(|most| (most, semaphore(most)));
            }
        }
        let names: Vec<_> = state.listed.iter().map(|(name, _)| name.clone()).collect();
        state.breakers.retain(|(name, _), _| names.contains(name));
        self.changed(&state);
    }

    /// A person changed something and may have repaired it: each that is out is due now.
    pub fn probe_soon(&self) {
        let now_ms = self.vitals.now_ms();
        let mut state = self.lock();
        state.breakers.values_mut().for_each(|breaker| breaker.probe_soon(now_ms));
        state.places.values_mut().for_each(|places| places.allowance.forget_server());
        self.changed(&state);
    }

    /// How it stood before the restart. What only a person can repair is due at once.
    pub fn restore(&self, kept: &[KeptBreaker]) {
        let (now_ms, wall_ms) = (self.vitals.now_ms(), self.vitals.wall_ms());
        let mut state = self.lock();
        for one in kept {
            let key = (one.provider.clone(), one.model.clone());
            let class = AnswerClass::ALL.iter().find(|class| class.as_str() == one.class);
            let (Some(class), true) = (class, state.places.contains_key(&one.provider)) else {
                continue;
            };
            let unsigned = |ms: i64| u64::try_from(ms).unwrap_or(0);
            let cooldown_ms = unsigned(one.cooldown_ms).clamp(1, breaker::LONGEST_MS);
            let left_ms = match one.is_unusable {
                true => 0,
                false => unsigned(one.until_ms.saturating_sub(wall_ms)).min(DAY_MS),
            };
            let lasts_ms = wall_ms.saturating_sub(one.since_ms).max(0);
            let outage = Outage {
                class: *class,
                is_unusable: one.is_unusable,
                is_gone: true,
                since_ms: signed(now_ms).saturating_sub(lasts_ms),
                until_ms: now_ms.saturating_add(left_ms),
                cooldown_ms,
            };
            state.breakers.insert(key, Breaker::of(outage));
        }
        self.changed(&state);
    }

    /// Wakes those who keep the state, after each change of it.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// What is to be kept: all that is not asked now.
    pub fn kept(&self) -> Vec<KeptBreaker> {
        let (now_ms, wall_ms) = (self.vitals.now_ms(), self.vitals.wall_ms());
        let at = |ms: i64| wall_ms.saturating_add(ms).saturating_sub(signed(now_ms));
        let state = self.lock();
        let open =
            state.breakers.iter().filter_map(|(key, breaker)| Some((key, breaker.outage()?)));
        open.map(|((provider, model), outage)| KeptBreaker {
            provider: provider.clone(),
            model: model.clone(),
            class: outage.class.as_str().to_owned(),
            is_unusable: outage.is_unusable,
            since_ms: at(outage.since_ms),
            until_ms: at(signed(outage.until_ms)),
            cooldown_ms: signed(outage.cooldown_ms),
        })
        .collect()
    }

    /// How a model stands for a request of so many tokens.
    pub(super) fn standing(&self, name: &str, model: &str, tokens: u64) -> Standing {
        let now_ms = self.vitals.now_ms();
        let state = self.lock();
        let breaker = state.breakers.get(&(name.to_owned(), model.to_owned()));
        if let Some(Admission::Refused { due_ms }) = breaker.map(|breaker| breaker.look(now_ms)) {
            return Standing::Out { due_ms };
        }
        let Some(places) = state.places.get(name) else { return Standing::Free };
        let wait_ms = places.allowance.when(now_ms, tokens).saturating_sub(now_ms);
        let is_full =
            places.parallel.as_ref().is_some_and(|(_, free)| free.available_permits() == 0);
        match wait_ms {
            0 if !is_full => Standing::Free,
            wait_ms => Standing::Limited(wait_ms),
        }
    }

    /// Lets a call go, as the probe if one is due; `None` where the breaker refuses it.
    pub(super) fn admitted(
        self: &Arc<Self>,
        name: &str,
        model: &str,
        tokens: u64,
    ) -> Option<Ticket> {
        let (now_ms, mut state) = (self.vitals.now_ms(), self.lock());
        match state.breaker(name, model).admit(now_ms) {
            Admission::Refused { .. } => None,
            admission => Some(self.ticket(&mut state, (name, model), (tokens, false), admission)),
        }
    }

    /// Lets a call go whatever the breaker and the server say, because there is no one else to ask.
    pub(super) fn forced(self: &Arc<Self>, name: &str, model: &str, tokens: u64) -> Ticket {
        let (now_ms, mut state) = (self.vitals.now_ms(), self.lock());
        let admission = state.breaker(name, model).admit(now_ms);
        self.ticket(&mut state, (name, model), (tokens, true), admission)
    }

    fn ticket(
        self: &Arc<Self>,
        state: &mut State,
        (name, model): (&str, &str),
        (tokens, is_alone): (u64, bool),
        admission: Admission,
    ) -> Ticket {
        let now_ms = self.vitals.now_ms();
        let key = (name.to_owned(), model.to_owned());
        let is_probe = admission == Admission::Probe;
        let places = state.places.entry(key.0.clone()).or_default();
        let place = places.allowance.take(now_ms, tokens, is_alone);
        let parallel = places.parallel.as_ref().map(|(_, free)| Arc::clone(free));
        if is_probe {
            self.changed(state);
        }
        let pool = Arc::clone(self);
        Ticket { pool, key, is_probe, is_over: false, place, parallel, permit: None }
    }

    /// Whether several calls in a row failed, so that there is no sense in trying again at once.
    pub(super) fn is_gone(&self, name: &str, model: &str) -> bool {
        let state = self.lock();
        let breaker = state.breakers.get(&(name.to_owned(), model.to_owned()));
        breaker.and_then(Breaker::outage).is_some_and(|outage| outage.is_gone)
    }

    /// The server says what it still takes.
    pub(super) fn left(&self, name: &str, left: RateLeft) {
        let now_ms = self.vitals.now_ms();
        if let Some(places) = self.lock().places.get_mut(name) {
            places.allowance.left(now_ms, left);
        }
    }

    /// The answer of this endpoint broke off; another try asks the others first.
    pub(super) fn broke_off(&self, question: InboxSeq, name: &str) {
        let mut state = self.lock();
        if state.broken_off.len() >= BROKEN_OFF {
            state.broken_off.clear();
        }
        state.broken_off.insert(question, name.to_owned());
    }

    /// Whose answer to this question broke off.
    pub(super) fn broken_off(&self, question: InboxSeq) -> Option<String> {
        self.lock().broken_off.get(&question).cloned()
    }

    /// Shows how all stand, and wakes who keeps it.
    fn changed(&self, state: &State) {
        let now_ms = self.vitals.now_ms();
        let shown = |(name, model): &Key| ProviderState {
            name: name.clone(),
            model: model.clone(),
            outage: state.breakers.get(&(name.clone(), model.clone())).and_then(|breaker| {
                let outage = breaker.outage()?;
                Some(ProviderOutage {
                    class: outage.class,
                    is_unusable: outage.is_unusable,
                    is_probed: breaker.is_probed(),
                    lasts_ms: u64::try_from(signed(now_ms) - outage.since_ms).unwrap_or(0),
                    noted_ms: now_ms,
                    until_ms: outage.until_ms,
                })
            }),
        };
        self.vitals.providers.store(Arc::new(state.listed.iter().map(shown).collect()));
        self.changes.send_modify(|count| *count += 1);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// No outage is kept for longer.
const DAY_MS: u64 = 24 * 3600 * 1000;

impl Ticket {
    /// Milliseconds until its time comes.
    pub(super) fn wait_ms(&self) -> u64 {
        self.place.1.saturating_sub(self.pool.vitals.now_ms())
    }

    /// The call ended so. `tokens`: what it used, if that is known. Answers whether the breaker changed.
    pub(super) fn end(mut self, outcome: Outcome, tokens: Option<u64>) {
        self.is_over = true;
        let now_ms = self.pool.vitals.now_ms();
        let mut state = self.pool.lock();
        if let Some(places) = state.places.get_mut(&self.key.0) {
            if let Some(tokens) = tokens {
                places.allowance.used(self.place.0, tokens);
            }
            if let Outcome::Failed { retry_after_ms: Some(wait_ms), .. } = outcome {
                places.allowance.hold(now_ms, wait_ms);
            }
        }
        let breaker = state.breakers.entry(self.key.clone()).or_default();
        let is_changed = breaker.note(now_ms, outcome, self.is_probe, fastrand::f64());
        let (name, model) = (&self.key.0, &self.key.1);
        if is_changed {
            match breaker.outage() {
                None => tracing::info!(provider = name, model, "the provider is asked again"),
                Some(outage) => tracing::info!(
                    provider = name,
                    model,
                    class = outage.class.as_str(),
                    cooldown_ms = outage.until_ms.saturating_sub(now_ms),
                    "the provider fails, and is left alone for a while"
                ),
            }
            self.pool.changed(&state);
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        let now_ms = self.pool.vitals.now_ms();
        let mut state = self.pool.lock();
        if self.place.1 > now_ms
            && let Some(places) = state.places.get_mut(&self.key.0)
        {
            places.allowance.give_back(self.place.0);
        }
        let breaker = state.breakers.entry(self.key.clone()).or_default();
        if breaker.note(now_ms, Outcome::Neutral, self.is_probe, 0.0) {
            self.pool.changed(&state);
        }
    }
}
