//! The calls Katana makes, with frankenstein's parameters.
//!
//! Two HTTP clients: polls never wait behind sends. HTTP/1.1 only, because a request that is given
//! up then takes its connection with it; on HTTP/2 the next poll would use the same dead one.

mod files;
mod inspect;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hygiene::Redactor;
use secrecy::SecretString;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::watch;

use super::clean::Clean;
use super::connection::Connection;
use super::failure::TelegramError;
use super::outgoing::{MenuScope, Outgoing};
use super::transport::Target;
use super::{answers, convert, params};
use crate::model::class::{CallOutcome, TelegramClass};
use crate::model::ids::{ChatId, MessageId, UserId};
use crate::model::limits;
use crate::model::message::Update;
use crate::observe::vitals::{Timing, Vitals};

pub use inspect::{Identity, Webhook, server_time};

/// How to reach the Bot API.
#[derive(Clone, Debug)]
pub struct TelegramSettings {
    /// Base URL without the token, without a slash at the end.
    pub api_url: String,
    /// The bot's token.
    pub token: SecretString,
    /// Seconds the server may hold a poll open.
    pub poll_timeout: Duration,
    /// Whole time for one poll, answer included.
    pub poll_deadline: Duration,
    /// Whole time for any other call.
    pub send_timeout: Duration,
    /// Knows what no message may hold.
    pub redactor: Redactor,
}

/// The Bot API, for one bot. Cheap to clone; [`Client::renew`] reaches all clones.
#[derive(Clone)]
pub struct Client {
    lines: watch::Sender<Arc<Lines>>,
    vitals: Arc<Vitals>,
    redactor: Redactor,
}

/// Both HTTP clients, built together from one set of settings.
struct Lines {
    polls: Connection,
    sends: Connection,
    files: Connection,
    poll_timeout: Duration,
    poll_deadline: Duration,
}

/// Hears of each renewal of a client.
pub struct Renewals(watch::Receiver<Arc<Lines>>);

impl Renewals {
    /// Waits for the next renewal that was not heard of yet. Dropping the future loses none.
    pub async fn next(&mut self) {
        if self.0.changed().await.is_err() {
            // The client is gone, so it will not be renewed.
            std::future::pending().await
        }
    }
}

/// Parameters of a method that takes none.
const NOTHING: Bytes = Bytes::new();

fn json(params: &impl Serialize) -> Result<Bytes, TelegramError> {
    let json = serde_json::to_vec(params);
    let unfit = |_| TelegramError::NotSent("the request cannot be encoded".to_owned());
    json.map(Bytes::from).map_err(unfit)
}

/// Who the bot is (Bot API `getMe`).
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
pub struct Me {
    /// The bot's user id.
    pub id: UserId,
    /// Its username, without `@`.
    #[serde(default)]
    pub username: String,
    /// Its name.
    #[serde(default)]
    pub first_name: String,
}

/// One answered poll.
#[derive(Debug, Default)]
pub struct Batch {
    /// The updates, each decoded alone.
    pub updates: Vec<Update>,
    /// The offset that confirms all of them, if there were any.
    pub next_offset: Option<i64>,
    /// Elements that were not updates at all, without an id or with one that cannot be.
    pub nonsense: usize,
}

impl Lines {
    fn open(settings: &TelegramSettings) -> Result<Self, TelegramError> {
        let target = Target::new(&settings.api_url).map_err(TelegramError::NotSent)?;
        let bot = |idle, whole| Connection::new(&target, &settings.token, idle, whole);
        Ok(Self {
            polls: bot(1, settings.poll_deadline),
            // A connection for each send that may be on its way: none is closed only to be
            // reopened.
            sends: bot(limits::SENDS_AT_ONCE, settings.send_timeout),
            files: Connection::of_files(
                &target,
                &settings.token,
                limits::FILE_TIMEOUT,
                limits::FILE_BYTES,
            ),
            poll_timeout: settings.poll_timeout,
            poll_deadline: settings.poll_deadline,
        })
    }
}

impl Client {
    /// Builds both HTTP clients. Nothing is sent yet. Each call is noted in `vitals`.
    ///
    /// # Errors
    /// When no TLS roots can be loaded.
    pub fn new(settings: &TelegramSettings, vitals: Arc<Vitals>) -> Result<Self, TelegramError> {
        let lines = watch::Sender::new(Arc::new(Lines::open(settings)?));
        Ok(Self { lines, vitals, redactor: settings.redactor.clone() })
    }

    /// Takes fresh connections, perhaps with another secret of the same bot, for all clones. Calls
    /// that are on their way finish on the old ones; [`Renewals`] notifies the waiting poll.
    ///
    /// # Errors
    /// As [`Client::new`]; then nothing has changed.
    pub fn renew(&self, settings: &TelegramSettings) -> Result<(), TelegramError> {
        self.lines.send_replace(Arc::new(Lines::open(settings)?));
        Ok(())
    }

    /// Hears of renewals from now on.
    pub fn renewals(&self) -> Renewals {
        Renewals(self.lines.subscribe())
    }

    fn lines(&self) -> Arc<Lines> {
        Arc::clone(&self.lines.borrow())
    }

    /// A call whose result says no more than that it was done.
    async fn done(&self, method: &str, params: impl Serialize) -> Result<(), TelegramError> {
        let _: serde::de::IgnoredAny = self.call(method, json(&params)?).await?;
        Ok(())
    }

    /// `params`: JSON, or nothing.
    async fn call<T>(&self, method: &str, params: Bytes) -> Result<T, TelegramError>
    where
        T: DeserializeOwned,
    {
        let begun = Instant::now();
        let lines = self.lines();
        let answer = lines.sends.request(method, params).await;
        let answer = answer.map_err(|e| self.failed(e));
        self.note(method, begun, answer.as_ref().err());
        answer
    }

    /// A server that is not Telegram may repeat what it was sent, the token included.
    fn failed(&self, e: TelegramError) -> TelegramError {
        e.redacted(&self.redactor)
    }

    /// Knows what no message may hold.
    pub fn redactor(&self) -> &Redactor {
        &self.redactor
    }

    fn note(&self, method: &str, begun: Instant, failed: Option<&TelegramError>) {
        let class = failed.map(TelegramError::telegram_class);
        if class == Some(TelegramClass::RateLimited) {
            self.vitals.rate_limited.add_one();
        }
        let outcome = class.map_or(CallOutcome::Ok, |class| CallOutcome::Failed(class.into()));
        self.vitals.observe(Timing::ApiCall, method, outcome, begun.elapsed().as_secs_f64());
    }

    /// How long a poll may take at most, answer included.
    pub fn poll_deadline(&self) -> Duration {
        self.lines().poll_deadline
    }

    /// `getMe`.
    ///
    /// # Errors
    /// Any failure of the call.
    pub async fn me(&self) -> Result<Me, TelegramError> {
        self.call("getMe", NOTHING).await
    }

    /// `getUpdates` from `offset`. `patient`: wait for updates as long as configured; otherwise
    /// answer at once.
    ///
    /// # Errors
    /// Any failure of the call; a single odd update is none.
    pub async fn poll(
        &self,
        offset: i64,
        patient: bool,
        me: UserId,
    ) -> Result<Batch, TelegramError> {
        let lines = self.lines();
        let hold = if patient { lines.poll_timeout } else { Duration::ZERO };
        let params = params::updates(offset, hold);
        let begun = Instant::now();
        let request = lines.polls.request::<answers::Updates>("getUpdates", json(&params)?);
        // One that is to be answered at once has no reason to take as long as one that waits.
        let within =
            if patient { lines.poll_deadline } else { limits::QUICK_POLL.min(lines.poll_deadline) };
        let answer = match tokio::time::timeout(within, request).await {
            Ok(answer) => answer.map_err(|e| self.failed(e)),
            Err(_) => Err(TelegramError::Late),
        };
        self.note("getUpdates", begun, answer.as_ref().err());
        let raw = answer?;
        let mut batch = Batch::default();
        for element in &raw {
            match convert::update(element, me) {
                Some(update) => batch.updates.push(update),
                None => batch.nonsense += 1,
            }
        }
        // Telegram sends them in order, each once, and no more than it was asked for. What is cut off of
        // a server that does otherwise comes again.
        batch.updates.sort_by_key(|update| update.id);
        batch.updates.dedup_by_key(|update| update.id);
        batch.updates.truncate(limits::POLL_BATCH as usize);
        batch.next_offset = batch.updates.last().map(|update| update.id.0 + 1);
        Ok(batch)
    }

    /// `getWebhookInfo`: how many updates wait at Telegram, also while polling.
    ///
    /// # Errors
    /// Any failure of the call.
    pub async fn pending(&self) -> Result<u64, TelegramError> {
        let hook: answers::Webhook = self.call("getWebhookInfo", NOTHING).await?;
        Ok(hook.pending_update_count)
    }

    /// `sendMessage`.
    ///
    /// # Errors
    /// Any failure of the call; see [`TelegramError::in_doubt`].
    pub async fn send(&self, message: Outgoing<'_>) -> Result<MessageId, TelegramError> {
        let params = {
            let clean = Clean::of(&message, &self.redactor);
            json(&params::send(Clean::instead(&clean, message))?)?
        };
        let sent: answers::SentMessage = self.call("sendMessage", params).await?;
        Ok(MessageId(sent.message_id))
    }

    /// `editMessageText`.
    ///
    /// # Errors
    /// Any failure of the call; "message is not modified" is one, too.
    pub async fn edit(&self, id: MessageId, message: Outgoing<'_>) -> Result<(), TelegramError> {
        let clean = Clean::of(&message, &self.redactor);
        let params = params::edit(id, Clean::instead(&clean, message))?;
        // `true` for inline messages, a Message otherwise: neither matters.
        self.done("editMessageText", params).await
    }

    /// `sendMessageDraft`: shows an answer while it is written. Private chats only.
    ///
    /// # Errors
    /// Any failure of the call; see [`TelegramError::method_unknown`].
    pub async fn draft(&self, draft_id: i64, message: Outgoing<'_>) -> Result<(), TelegramError> {
        let clean = Clean::of(&message, &self.redactor);
        let params = params::draft(draft_id, Clean::instead(&clean, message))?;
        self.done("sendMessageDraft", params).await
    }

    /// `sendChatAction` with `typing`.
    ///
    /// # Errors
    /// Any failure of the call.
    pub async fn typing(&self, chat: ChatId, thread: Option<i64>) -> Result<(), TelegramError> {
        self.done("sendChatAction", params::typing(chat, thread)?).await
    }

    /// `answerCallbackQuery`: ends the waiting sign on a pressed button, with a short notice.
    ///
    /// # Errors
    /// Any failure of the call.
    pub async fn answer_press(&self, id: &str, notice: Option<&str>) -> Result<(), TelegramError> {
        let notice = notice.map(|notice| self.redactor.redact(notice));
        let params = params::answer_press(id, notice.as_deref());
        self.done("answerCallbackQuery", params).await
    }

    /// `deleteMyCommands` for one chat: what is shown there is again what all such chats show.
    ///
    /// # Errors
    /// Any failure of the call.
    pub async fn unpublish(&self, chat: ChatId) -> Result<(), TelegramError> {
        self.done("deleteMyCommands", params::unpublish(chat)).await
    }

    /// `setMyCommands`.
    ///
    /// # Errors
    /// Any failure of the call.
    pub async fn publish(
        &self,
        scope: MenuScope,
        commands: &[(&str, &str)],
    ) -> Result<(), TelegramError> {
        self.done("setMyCommands", params::publish(scope, commands)).await
    }
}
