//! What is finished with its acceptance, and what goes the usual way.

use std::time::Duration;

use futures_util::stream;

use super::*;
use crate::commands::Rules;
use crate::model::conversation::{ChatRequest, Event, Finished};
use crate::model::ids::{BotId, MessageId, UpdateId, UserId};
use crate::model::message::{Body, Person, Place, UpdateEvent};
use crate::observe::clock::Clock;
use crate::pipeline::test_pipeline::pipeline_with;
use crate::pipeline::{Dispatcher, Pipeline};
use crate::provider::{Answering, Provider};
use crate::store::{Accepted, Store};

/// How a provider answers that claims to do so at once.
#[derive(Clone, Copy)]
enum Way {
    AtOnce,
    Never,
    Panics,
}

impl Provider for Way {
    fn name(&self) -> &'static str {
        "way"
    }

    fn model(&self) -> &str {
        "way"
    }

    fn has_context(&self) -> bool {
        false
    }

    fn is_instant(&self) -> bool {
        true
    }

    fn answer(&self, _: ChatRequest) -> Answering {
        match self {
            Self::AtOnce => {
                let events = [Event::Text("yes".into()), Event::Done(Finished::default())];
                Box::pin(stream::iter(events.map(Ok)))
            }
            Self::Never => Box::pin(stream::pending()),
            Self::Panics => panic!("on purpose"),
        }
    }
}

fn said(id: i64, chat: i64, text: &str) -> Update {
    let event = UpdateEvent::Message(Incoming {
        chat: ChatId(chat),
        place: Place::Private,
        from: Person { id: UserId(chat), name: "Ann".into(), username: None },
        message_id: MessageId(id),
        date_s: 1,
        body: Body::Text(text.into()),
        ..Incoming::default()
    });
    Update { id: UpdateId(id), event }
}

struct House {
    _dir: tempfile::TempDir,
    pipeline: Pipeline,
    delivery: Delivery,
    at_once: AtOnce,
}

async fn house(way: Way) -> House {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("katana.db"), BotId(42), Clock::system()).unwrap();
    let pipeline = pipeline_with(store, Arc::new(way)).await;
    pipeline.context.set_access(Rules { open: true, ..Rules::default() });
    // A reader is open from now on, as after the start of a bot.
    pipeline.base.store.user(UserId(1)).await.unwrap();
    let delivery = Delivery::new(&pipeline, None);
    let at_once = Dispatcher::new(&pipeline, delivery.clone()).at_once();
    House { _dir: dir, pipeline, delivery, at_once }
}

impl House {
    /// Which of these updates can be finished at once, in chats where nothing waits.
    fn ready(&self, updates: &[Update]) -> Vec<Ready> {
        self.at_once.think(updates, updates.iter().filter_map(Update::chat).collect())
    }

    fn places(&self, updates: &[Update]) -> Vec<usize> {
        let ready = self.ready(updates);
        let places = ready.iter().map(|ready| ready.place).collect();
        ready.into_iter().for_each(|ready| self.at_once.unstored(ready));
        places
    }
}

#[tokio::test]
async fn what_has_effects_or_waits_lets_the_rest_of_its_chat_wait() {
    let house = house(Way::AtOnce).await;
    let updates = [
        said(1, 5, "why?"),
        said(2, 5, "/new"),
        said(3, 5, "why?"),
        said(4, 6, "/forget yes"),
        said(5, 6, "/help"),
        said(6, 7, "/help"),
    ];
    assert_eq!(house.places(&updates), [0, 1, 5]);
    let only_chat_7 = [ChatId(7)].into_iter().collect();
    let ready = house.at_once.think(&updates, only_chat_7);
    assert_eq!(ready.len(), 1, "something waits in the other chats");
    ready.into_iter().for_each(|ready| house.at_once.unstored(ready));
    house.pipeline.signals.paused.store(true, Ordering::SeqCst);
    assert_eq!(house.places(&[said(1, 5, "why?"), said(2, 6, "/help")]), [1]);
}

#[tokio::test]
async fn what_looks_back_lets_what_it_may_concern_go_the_usual_way() {
    let house = house(Way::AtOnce).await;
    let mut edited = said(2, 5, "why not?");
    let UpdateEvent::Message(message) = &mut edited.event else { panic!("a message") };
    message.edited_s = Some(2);
    let updates =
        [said(1, 5, "why?"), edited, said(3, 6, "why?"), said(4, 6, "/cancel"), said(5, 7, "why?")];
    assert_eq!(house.places(&updates), [4]);
}

#[tokio::test]
async fn a_strangers_message_goes_the_usual_way() {
    let house = house(Way::AtOnce).await;
    house.pipeline.context.set_access(Rules::default());
    assert_eq!(house.places(&[said(1, 5, "why?"), said(2, 6, "/help")]), [0; 0]);
}

#[tokio::test]
async fn who_panics_or_does_not_answer_after_all_goes_the_usual_way() {
    for way in [Way::Never, Way::Panics] {
        let house = house(way).await;
        assert_eq!(house.places(&[said(1, 5, "why?"), said(2, 5, "/help")]), [0; 0]);
        assert_eq!(house.pipeline.base.tasks.failed(), None);
    }
}

#[tokio::test]
async fn what_is_not_stored_leaves_no_trace_in_the_send_queue() {
    let house = house(Way::AtOnce).await;
    let updates = || vec![said(1, 5, "why?"), said(2, 5, "and why?")];
    let store = &house.pipeline.base.store;
    store.accept(updates(), None).await.unwrap();
    let ready = house.ready(&updates());
    assert!(ready[0].finish.first_attempt.is_some() && ready[1].finish.first_attempt.is_none());
    let finished = ready.iter().map(|r| (r.place, Arc::clone(&r.finish))).collect();
    // Telegram gave them once more.
    let Accepted { finished, repeated, .. } =
        store.accept_and_finish(updates(), None, finished).await.unwrap();
    assert_eq!((finished.len(), repeated), (0, 2));
    ready.into_iter().for_each(|ready| house.at_once.unstored(ready));
    assert_eq!(store.outbox_depth().await.unwrap().0, 0);
    house.delivery.close();
    let deliver = crate::pipeline::Deliver::new(house.delivery.clone()).await.unwrap();
    tokio::time::timeout(Duration::from_secs(10), deliver.run()).await.expect("it is idle");
}
