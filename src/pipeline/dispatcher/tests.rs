//! What the stages do when the state cannot be read.

use std::collections::VecDeque;

use super::*;
use crate::model::ids::{BotId, MessageId, UpdateId, UserId};
use crate::model::message::{Body, Incoming, Person, Place, Update, UpdateEvent};
use crate::model::text::Rich;
use crate::observe::clock::Clock;
use crate::pipeline::Deliver;
use crate::pipeline::ingress::Ingress;
use crate::pipeline::test_pipeline::pipeline;
use crate::store::{Finish, NewPart, PartExtra, Pieces, Store, UpdateOutcome};

const CHAT: ChatId = ChatId(5);

fn said(id: i64) -> Update {
    let event = UpdateEvent::Message(Incoming {
        chat: CHAT,
        place: Place::Private,
        from: Person { id: UserId(5), name: "Ann".into(), username: None },
        message_id: MessageId(id),
        date_s: 1,
        body: Body::Text("why?".into()),
        ..Incoming::default()
    });
    Update { id: UpdateId(id), event }
}

/// Stores an update and a part that wait.
async fn fill(store: &Store) {
    store.accept(vec![said(1), said(2)], Some(3)).await.unwrap();
    let extra = PartExtra::default();
    let finish = Finish {
        seq: InboxSeq(1),
        outcome: UpdateOutcome::Answered,
        keep_body: false,
        pieces: Pieces::default(),
        effects: Vec::new(),
        turn: None,
        parts: vec![NewPart { chat: CHAT, rich: Rich::plain("text"), extra }],
        first_attempt: None,
    };
    store.finish(finish).await.unwrap();
}

#[tokio::test]
async fn damage_that_a_read_finds_ends_the_process_so_that_the_next_start_sets_the_file_aside() {
    for of_dispatcher in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("katana.db");
        let store = Store::open(&path, BotId(42), Clock::system()).unwrap();
        fill(&store).await;
        let pipeline = pipeline(store).await;
        let delivery = Delivery::new(&pipeline, None);
        let deliver = Deliver::new(delivery.clone()).await.unwrap();
        crate::store::file::damage(&path);
        assert_eq!(pipeline.base.tasks.failed(), None);
        if of_dispatcher {
            let mut dispatcher = Dispatcher::new(&pipeline, delivery);
            let on_disk = VecDeque::from([InboxSeq(2)]);
            dispatcher.chats.insert(Some(CHAT), ChatQueue { on_disk, ..ChatQueue::default() });
            assert!(!dispatcher.read_more(Some(CHAT)).await);
            assert!(dispatcher.chats[&Some(CHAT)].retrying, "no other worker starts meanwhile");
        } else {
            assert!(deliver.step().await.is_some());
        }
        assert_eq!(pipeline.base.tasks.failed(), Some("store"), "dispatcher: {of_dispatcher}");
    }
}

#[tokio::test]
async fn every_update_comes_once_and_in_order_whether_it_was_handed_over_or_read() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("katana.db"), BotId(42), Clock::system()).unwrap();
    fill(&store).await;
    let pipeline = pipeline(store).await;
    let mut dispatcher = Dispatcher::new(&pipeline, Delivery::new(&pipeline, None));
    let ingress = Ingress::new(&pipeline, dispatcher.at_once());
    let (mut accepted, mut seen) = (2, Vec::new());
    // Of the seven hundred, not all fit; the first two were there before the process was.
    for (count, behind) in [(700, true), (3, false), (100, false), (501, true), (1, false)] {
        for _ in 0..count {
            accepted += 1;
            ingress.accept(vec![said(accepted)], None).await.unwrap();
        }
        let mut read = false;
        loop {
            let batch = dispatcher.take().await;
            read |= dispatcher.behind;
            let Some(last) = batch.last() else { break };
            dispatcher.cursor = last.seq;
            seen.extend(batch.iter().map(|queued| queued.update.id.0));
        }
        assert_eq!(read, behind, "{count}");
    }
    // The first one is done.
    assert_eq!(seen, (2..=accepted).collect::<Vec<_>>());
}
