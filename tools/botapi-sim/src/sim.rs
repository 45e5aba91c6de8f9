//! The handle of a running simulator: starting, stopping, breaking things on purpose.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::faults::{Fault, Faults};
use crate::hold::{Hold, HoldAt, HoldGuard};
use crate::model::ModelServer;
use crate::options::{Limits, Options};
use crate::queue::Ended;
use crate::state::State;

/// A running simulator. Clones share it; it stops with [`Sim::stop`], or when the last clone is dropped.
#[derive(Clone, Debug)]
pub struct Sim {
    pub(crate) inner: Arc<Inner>,
    /// `None` for the handles that the server makes for itself.
    _stopper: Option<Arc<Stopper>>,
}

/// What the handle and the connections share.
#[derive(Debug)]
pub(crate) struct Inner {
    state: Mutex<State>,
    /// Woken whenever anything changed, for observers.
    pub(crate) changed: Notify,
    /// Woken when an update arrived or a waiting poll must end.
    pub(crate) polled: Notify,
    pub(crate) model: ModelServer,
    pub(crate) token: String,
    pub(crate) control: bool,
    pub(crate) black_hole: Duration,
    pub(crate) stop: CancellationToken,
    pub(crate) tasks: TaskTracker,
    address: SocketAddr,
}

/// Ends the server with its last handle.
#[derive(Debug)]
struct Stopper(CancellationToken);

impl Drop for Stopper {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

impl Inner {
    /// The state; never held across an await.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sim {
    /// Starts a simulator on the current tokio runtime.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub async fn start(options: Options) -> std::io::Result<Self> {
        let listener = TcpListener::bind(options.listen).await?;
        let address = listener.local_addr()?;
        let stop = CancellationToken::new();
        let state = State::new(&options);
        let inner = Arc::new(Inner {
            state: Mutex::new(state),
            changed: Notify::new(),
            polled: Notify::new(),
            model: ModelServer::default(),
            token: options.token,
            control: options.control,
            black_hole: options.black_hole,
            stop: stop.clone(),
            tasks: TaskTracker::new(),
            address,
        });
        inner.tasks.spawn(crate::server::accept(listener, Arc::clone(&inner)));
        Ok(Self { inner, _stopper: Some(Arc::new(Stopper(stop))) })
    }

    /// A handle that does not keep the simulator alive.
    pub(crate) fn inside(inner: &Arc<Inner>) -> Self {
        Self { inner: Arc::clone(inner), _stopper: None }
    }

    /// Ends every connection and waits until the port is free.
    pub async fn stop(self) {
        self.inner.stop.cancel();
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
    }

    /// The base of the Bot API, `http://127.0.0.1:PORT`; methods are at `/bot<token>/<method>`.
    #[must_use]
    pub fn api_url(&self) -> String {
        format!("http://{}", self.inner.address)
    }

    /// The base of the OpenAI-compatible server, ending in `/v1`.
    #[must_use]
    pub fn openai_url(&self) -> String {
        format!("http://{}/v1", self.inner.address)
    }

    /// The base of the Anthropic server; messages are at `/v1/messages`.
    #[must_use]
    pub fn anthropic_url(&self) -> String {
        self.api_url()
    }

    /// The bot's token.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.inner.token
    }

    /// The bot's user id.
    #[must_use]
    pub fn bot_id(&self) -> i64 {
        self.inner.lock().bot_id
    }

    /// The model servers, to script their answers.
    #[must_use]
    pub fn model(&self) -> &ModelServer {
        &self.inner.model
    }

    /// Replaces the dice of faults.
    pub fn set_faults(&self, faults: Faults) {
        self.change(|state| state.faults = faults);
    }

    /// Replaces the send limits.
    pub fn set_limits(&self, limits: Limits) {
        self.change(|state| state.limits = limits);
    }

    /// Meets the next request of `method` (Telegram's spelling) with `fault`; several queue up.
    pub fn fault_next(&self, method: &str, fault: Fault) {
        self.change(|state| state.next_faults.push_back((method.to_owned(), fault)));
    }

    /// Keeps matching requests open until the guard is dropped or released.
    #[must_use]
    pub fn hold(&self, hold: Hold, at: HoldAt) -> HoldGuard {
        let (guard, point) = HoldGuard::new(hold, at);
        self.change(|state| {
            state.holds.retain(|point| !point.is_released());
            state.holds.push(point);
        });
        guard
    }

    /// From now on every method answers 401.
    pub fn revoke_token(&self) {
        self.change(|state| {
            state.revoked = true;
            state.queue.end_waiting(Ended::Revoked);
        });
        self.inner.polled.notify_waiters();
    }

    /// The token is revoked and another one issued for the same bot, as by @BotFather: the old one
    /// is refused from now on. [`Sim::token`] still names the old one.
    pub fn reissue_token(&self) -> String {
        let token = self.change(|state| {
            let secret: String = (0..35).map(|_| state.rng.alphanumeric()).collect();
            let token = format!("{}:{secret}", state.bot_id);
            state.reissued = Some(token.clone());
            state.issued += 1;
            state.queue.end_waiting(Ended::Revoked);
            token
        });
        self.inner.polled.notify_waiters();
        token
    }

    /// The token is good again.
    pub fn restore_token(&self) {
        self.change(|state| state.revoked = false);
    }

    /// Sets the webhook as another program would (empty deletes it): polls then meet a conflict.
    /// Nothing is delivered to it.
    pub fn set_webhook_url(&self, url: &str) {
        self.change(|state| {
            url.clone_into(&mut state.webhook_url);
            if !url.is_empty() {
                state.queue.end_waiting(Ended::WebhookSet);
            }
        });
        self.inner.polled.notify_waiters();
    }

    /// Moves the simulator's clock ahead: dates, the 24 h life of updates, send limits.
    pub fn advance(&self, by: Duration) {
        self.change(|state| state.clock.advance(by));
    }

    /// Changes the state and wakes observers.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.inner.lock());
        self.inner.changed.notify_waiters();
        result
    }
}
