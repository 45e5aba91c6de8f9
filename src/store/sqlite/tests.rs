//! The store on real files in a temporary folder.

use super::db::Sqlite;
use crate::model::access::Role;
use crate::model::effect::Effect;
use crate::model::ids::BotId;
use crate::model::ids::{ChatId, InboxSeq, MessageId, UpdateId, UserId};
use crate::model::message::{Body, Incoming, Person, Place, Update, UpdateEvent};
use crate::model::text::Rich;
use crate::observe::clock::Clock;
use crate::store::*;

fn text(id: i64, chat: i64) -> Update {
    let event = UpdateEvent::Message(Incoming {
        chat: ChatId(chat),
        place: Place::Private,
        from: Person { id: UserId(chat), name: "Ann".into(), username: None },
        message_id: MessageId(id),
        date_s: 1,
        thread: None,
        reply_to_bot: false,
        body: Body::Text(format!("text {id}")),
    });
    Update { id: UpdateId(id), event }
}

fn part(chat: i64, text: &str) -> NewPart {
    NewPart { chat: ChatId(chat), rich: Rich::plain(text), extra: PartExtra::default() }
}

fn finish(seq: InboxSeq, parts: Vec<NewPart>) -> Finish {
    Finish {
        seq,
        outcome: UpdateOutcome::Answered,
        keep_body: false,
        effects: Vec::new(),
        turn: None,
        parts,
        first_attempt: None,
    }
}

fn open_in(dir: &tempfile::TempDir, bot: i64) -> Store {
    Store::open(&dir.path().join("katana.db"), BotId(bot), Clock::manual(1_000_000)).unwrap()
}

#[tokio::test]
async fn updates_survive_and_are_stored_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_in(&dir, 1);
    let first = store.accept(vec![text(1, 5), text(2, 6)], Some(3)).await.unwrap();
    assert_eq!(first, Accepted { stored: 2, repeated: 0 });
    let second = store.accept(vec![text(2, 6), text(3, 5)], Some(4)).await.unwrap();
    assert_eq!(second, Accepted { stored: 1, repeated: 1 });
    let pushed = store.accept(vec![text(4, 6)], None).await.unwrap();
    assert_eq!(pushed, Accepted { stored: 1, repeated: 0 }, "from a source without an offset");
    store.close().await;
    drop(store);

    let store = open_in(&dir, 1);
    assert_eq!(store.next_offset().await.unwrap(), 4);
    let queued = store.new_updates(InboxSeq(0), 10).await.unwrap();
    assert_eq!(queued.iter().map(|q| q.update.id.0).collect::<Vec<_>>(), [1, 2, 3, 4]);
    let of_five = store.new_updates_of(Some(ChatId(5)), InboxSeq(0), 10).await.unwrap();
    assert_eq!(of_five.len(), 2);
}

#[tokio::test]
async fn another_token_never_meets_the_old_offset() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_in(&dir, 1);
    store.accept(vec![text(1, 5)], Some(2)).await.unwrap();
    store.close().await;
    drop(store);
    let store = open_in(&dir, 2);
    assert_eq!(store.next_offset().await.unwrap(), 0);
    assert!(store.new_updates(InboxSeq(0), 10).await.unwrap().is_empty());
    store.accept(vec![text(1, 5)], Some(2)).await.unwrap();
    assert_eq!(store.new_updates(InboxSeq(0), 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn update_done_only_with_its_replies() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_in(&dir, 1);
    store.accept(vec![text(1, 5)], Some(2)).await.unwrap();
    let seq = store.new_updates(InboxSeq(0), 1).await.unwrap()[0].seq;
    let mut both = finish(seq, vec![part(5, "one"), part(5, "two")]);
    both.first_attempt = Some(MessageId(77));
    let parts = store.finish(both.clone()).await.unwrap();
    assert_eq!(parts.len(), 2);
    assert!(matches!(parts[0].state, PartState::Sending { id_before: MessageId(77), .. }));
    assert_eq!(parts[1].state, PartState::Due);
    assert!(store.new_updates(InboxSeq(0), 1).await.unwrap().is_empty());
    assert_eq!(store.parts_in_doubt().await.unwrap(), parts[..1]);
    assert_eq!(store.due_parts(ChatId(5), 10).await.unwrap(), parts[1..]);
    assert_eq!(store.open_chats().await.unwrap(), [ChatId(5)]);
    assert!(store.finish(both).await.unwrap().is_empty(), "finishing twice must not send twice");
    assert_eq!(store.outbox_depth().await.unwrap().0, 2);
}

#[tokio::test]
async fn settled_parts_are_gone_and_due_ones_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_in(&dir, 1);
    store.accept(vec![text(1, 5)], Some(2)).await.unwrap();
    let parts = vec![part(5, "a"), part(5, "b"), part(5, "c")];
    let stored = store.finish(finish(InboxSeq(1), parts)).await.unwrap();
    store.mark_sending(stored[0].id, MessageId(9)).await.unwrap();
    let rows = vec![
        DeliveryRecord { id: stored[0].id, outcome: DeliveryOutcome::Sent(MessageId(10)) },
        DeliveryRecord {
            id: stored[1].id,
            outcome: DeliveryOutcome::Dropped(DeliveryReason::ShutOut),
        },
        DeliveryRecord {
            id: stored[2].id,
            outcome: DeliveryOutcome::Retry { due_ms: 5, reason: DeliveryReason::Failed("429") },
        },
    ];
    store.record_delivery(rows, Vec::new()).await.unwrap();
    let open = store.due_parts(ChatId(5), 10).await.unwrap();
    assert_eq!(open.len(), 1);
    assert_eq!((open[0].attempts, open[0].due_ms, open[0].state), (1, 5, PartState::Due));
    assert_eq!(store.recent_sent_ids(10).await.unwrap(), [(ChatId(5), MessageId(10))]);
}

#[tokio::test]
async fn one_failing_write_takes_no_other_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = Sqlite::open(&dir.path().join("katana.db"), BotId(1), Clock::system()).unwrap();
    let bad = store.write(|tx| {
        tx.execute("UPDATE bots SET next_offset = 99", [])?;
        tx.execute("SELECT nonsense FROM nowhere", [])?;
        Ok(())
    });
    let good = store.accept(vec![text(1, 5)], Some(2));
    let (bad, good) = tokio::join!(bad, good);
    assert!(bad.is_err());
    assert_eq!(good.unwrap().stored, 1);
    assert_eq!(store.next_offset().await.unwrap(), 2);
}

#[test]
fn a_second_process_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let _first = open_in(&dir, 1);
    let second = Store::open(&dir.path().join("katana.db"), BotId(1), Clock::system());
    assert_eq!(second.err().map(|e| e.kind()), Some(StoreErrorKind::InUse));
}

#[tokio::test]
async fn a_damaged_file_is_set_aside_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("katana.db");
    std::fs::write(&path, b"this is not a database, but someone's letter to the editor.......")
        .unwrap();
    let store = open_in(&dir, 1);
    let aside = store.set_aside().unwrap().to_owned();
    assert!(std::fs::read(aside).unwrap().starts_with(b"this is not"));
    store.accept(vec![text(1, 5)], Some(2)).await.unwrap();
    store.close().await;
    drop(store);

    // Damage in the middle of a real file.
    let mut bytes = std::fs::read(&path).unwrap();
    let page = 4096;
    for byte in bytes.iter_mut().skip(page).take(3 * page) {
        *byte = 0x5a;
    }
    std::fs::write(&path, &bytes).unwrap();
    let store = open_in(&dir, 1);
    assert!(store.set_aside().is_some());
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("katana.db");
    drop(open_in(&dir, 1));
    let conn = rusqlite::Connection::open(&path).unwrap();
    conn.execute(
        "INSERT INTO refinery_schema_history (version, name, applied_on, checksum)
         VALUES (999, 'later', '2030-01-01T00:00:00Z', '1')",
        [],
    )
    .unwrap();
    drop(conn);
    let refused = Store::open(&path, BotId(1), Clock::system());
    assert_eq!(refused.err().map(|e| e.kind()), Some(StoreErrorKind::Schema));
}

#[tokio::test]
async fn people_are_offered_codes_approved_and_removed() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_in(&dir, 1);
    let Opening::Claimable(code) = store.opening("AAAA-BBBB".into()).await.unwrap() else {
        panic!("the bot has no owner yet")
    };
    assert_eq!(code, "AAAA-BBBB");
    assert_eq!(
        store.opening("CCCC-DDDD".into()).await.unwrap(),
        Opening::Claimable("AAAA-BBBB".into())
    );
    let ann = Person { id: UserId(1), name: "Ann".into(), username: Some("ann".into()) };
    let bob = Person { id: UserId(2), name: "Bob".into(), username: None };
    let offer = Effect::OfferCode { person: bob, code: "EEEE-FFFF".into(), at_ms: 1_000_000 };
    store.apply(vec![Effect::Claim(ann), offer]).await.unwrap();
    assert_eq!(store.opening("x".into()).await.unwrap(), Opening::Owned);
    let bob = store.user_by_code("EEEE-FFFF").await.unwrap().unwrap();
    assert_eq!(bob.role, Role::Stranger);
    store.apply(vec![Effect::Approve(UserId(2))]).await.unwrap();
    assert_eq!(store.user(UserId(2)).await.unwrap().unwrap().role, Role::Member);
    assert!(store.user_by_code("EEEE-FFFF").await.unwrap().is_none(), "a code is good once");
    store.apply(vec![Effect::Remove(UserId(2))]).await.unwrap();
    assert!(store.user(UserId(2)).await.unwrap().is_none());
    assert_eq!(store.users().await.unwrap()[0].role, Role::Owner);
}

#[tokio::test]
async fn old_rows_are_swept_and_open_ones_stay() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::manual(1_000_000);
    let store = Store::open(&dir.path().join("katana.db"), BotId(1), clock.clone()).unwrap();
    store.accept(vec![text(1, 5), text(2, 5)], Some(3)).await.unwrap();
    let parts = store.finish(finish(InboxSeq(1), vec![part(5, "a")])).await.unwrap();
    let sent = DeliveryRecord { id: parts[0].id, outcome: DeliveryOutcome::Sent(MessageId(4)) };
    store.record_delivery(vec![sent], Vec::new()).await.unwrap();
    clock.advance(8 * 24 * 3600 * 1000);
    let swept = store.sweep(Keep { history_days: 90, done_days: 7 }).await.unwrap();
    assert_eq!(swept, Swept { messages: 0, updates: 1, parts: 1 });
    assert_eq!(store.inbox_depth().await.unwrap().0, 1);
}
