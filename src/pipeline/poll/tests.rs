//! The poll without a network.

use secrecy::SecretString;

use super::*;
use crate::lifecycle::Tasks;
use crate::model::ids::{BotId, ChatId, MessageId};
use crate::observe::clock::Clock;
use crate::observe::vitals::Vitals;
use crate::pipeline::StageSettings;
use crate::pipeline::message_ids::{MessageIds, Reconcile};
use crate::store::{Keep, Store};
use crate::telegram::TelegramSettings;

/// A poll that asks nothing by itself, over a store of its own.
fn poll(dir: &tempfile::TempDir) -> (Poll, MessageIds) {
    let (clock, vitals) = (Clock::system(), Arc::new(Vitals::default()));
    let store = Store::open(&dir.path().join("katana.db"), BotId(9), clock.clone()).unwrap();
    let telegram = TelegramSettings {
        api_url: "http://127.0.0.1:9".into(),
        token: SecretString::from("9:token"),
        poll_timeout: Duration::ZERO,
        poll_deadline: Duration::from_secs(1),
        send_timeout: Duration::from_secs(1),
        redactor: hygiene::Redactor::default(),
    };
    let client = Client::new(&telegram, Arc::clone(&vitals)).unwrap();
    let settings = StageSettings {
        backlog_max: 10,
        previews: false,
        give_up_after: Duration::ZERO,
        reconcile_after: Duration::ZERO,
        keep: Keep { history_days: 1, done_days: 1 },
    };
    let (signals, message_ids) =
        (Arc::new(Signals::new(false, 0)), MessageIds::knowing(Vec::new()));
    let base = StageBase { store, vitals, clock, tasks: Tasks::new() };
    let ingress = Ingress {
        base: base.clone(),
        signals: Arc::clone(&signals),
        settings: Arc::new(ArcSwap::from_pointee(settings)),
        message_ids: message_ids.clone(),
    };
    let renewals = client.renewals();
    let poll = Poll {
        base,
        client,
        me: UserId(9),
        ingress,
        signals,
        handle: PollHandle::new(PollSettings { backoff_max: Duration::from_secs(1) }),
        forget_offset: Arc::default(),
        failures: 0,
        answered: false,
        renewals,
        started: Instant::now(),
        conflicts: 0,
    };
    (poll, message_ids)
}

#[tokio::test]
async fn what_was_written_while_a_batch_was_stored_has_not_been_received() {
    let dir = tempfile::tempdir().unwrap();
    let (mut poll, message_ids) = poll(&dir);
    let batch = || Batch { next_offset: Some(5), ..Batch::default() };
    let answered = Instant::now();
    sleep(Duration::from_millis(2)).await;
    let cut_off = Instant::now();
    message_ids.lock().in_doubt(ChatId(7), MessageId(10), cut_off, cut_off);
    assert_eq!(poll.accept(batch(), answered).await, Step::Took(0));
    let next = message_ids.lock().reconcile(Instant::now());
    assert_eq!(next, Reconcile::CatchUp, "the answer is older than the attempt");
    assert_eq!(poll.accept(batch(), Instant::now()).await, Step::Took(0));
    let next = message_ids.lock().reconcile(Instant::now());
    assert!(matches!(next, Reconcile::Step(..)), "{next:?}");
}
