//! The poll without a network.

use super::*;
use crate::model::ids::{BotId, ChatId, MessageId};
use crate::observe::clock::Clock;
use crate::pipeline::message_ids::{MessageIds, Reconcile};
use crate::pipeline::test_pipeline::pipeline;
use crate::pipeline::{Delivery, Dispatcher};
use crate::store::Store;

/// A poll that asks nothing by itself, over a store of its own.
async fn poll(dir: &tempfile::TempDir) -> (Poll, MessageIds) {
    let store = Store::open(&dir.path().join("katana.db"), BotId(42), Clock::system()).unwrap();
    let pipeline = pipeline(store).await;
    let settings = PollSettings { backoff_max: Duration::from_secs(1) };
    let message_ids = pipeline.message_ids.clone();
    let dispatcher = Dispatcher::new(&pipeline, Delivery::new(&pipeline, None));
    (Poll::new(&pipeline, dispatcher.at_once(), settings), message_ids)
}

#[tokio::test]
async fn what_was_written_while_a_batch_was_stored_has_not_been_received() {
    let dir = tempfile::tempdir().unwrap();
    let (mut poll, message_ids) = poll(&dir).await;
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
