//! What shares a commit with what.

use super::*;

pub async fn an_arrival_is_stored_with_the_next_commit(place: &impl Place) {
    let store = open(place);
    store.accept(vec![text(1, 5), text(2, 6)], Some(3)).await.unwrap();
    let stored = store.finish(finish(InboxSeq(1), vec![part(5, "a"), part(5, "b")])).await.unwrap();
    store.finish(finish(InboxSeq(2), vec![part(6, "c")])).await.unwrap();
    assert_eq!(store.outbox_chats().await.unwrap(), 2);
    assert!(store.mark_sending(stored[0].id, MessageId(9)).await.unwrap());
    let waiting = store.record_arrival(stored[0].id, ChatId(5), MessageId(10)).await.unwrap();
    assert_eq!(waiting, 1);
    // It is not on disk, but who looks for a part in this chat hears of it.
    assert_eq!(store.parts_in_doubt().await.unwrap().len(), 1);
    assert_eq!(store.last_sent(ChatId(5)).await.unwrap(), Some(MessageId(10)));
    assert_eq!(store.last_sent(ChatId(6)).await.unwrap(), None);
    // The next attempt is marked in a commit that stores it.
    assert!(store.mark_sending(stored[1].id, MessageId(10)).await.unwrap());
    let in_doubt = store.parts_in_doubt().await.unwrap();
    assert_eq!(in_doubt.iter().map(|p| p.text.as_str()).collect::<Vec<_>>(), ["b"]);
    let wanted = PartState::Sending { id_before: MessageId(10), at_ms: 1_000_000 };
    assert_eq!(in_doubt[0].state, wanted);
    assert_eq!(store.record_arrival(stored[1].id, ChatId(5), MessageId(11)).await.unwrap(), 1);
    store.flush().await.unwrap();
    assert!(store.parts_in_doubt().await.unwrap().is_empty());
    assert_eq!(store.outbox_chats().await.unwrap(), 1);
    let sent = [(ChatId(5), MessageId(11)), (ChatId(5), MessageId(10))];
    assert_eq!(store.recent_sent_ids(10).await.unwrap(), sent);
}

/// The last words of a process that closes its store.
pub async fn an_arrival_is_stored_when_the_store_is_closed(place: &impl Place) {
    let store = open(place);
    store.accept(vec![text(1, 5)], Some(2)).await.unwrap();
    let stored = store.finish(finish(InboxSeq(1), vec![part(5, "a")])).await.unwrap();
    store.record_arrival(stored[0].id, ChatId(5), MessageId(10)).await.unwrap();
    store.close().await;
    drop(store);
    let store = open(place);
    assert_eq!(store.outbox_depth().await.unwrap().0, 0);
    assert_eq!(store.last_sent(ChatId(5)).await.unwrap(), Some(MessageId(10)));
}

pub async fn an_update_can_be_done_when_it_is_accepted(place: &impl Place) {
    let store = open(place);
    store.accept(vec![text(1, 5)], Some(2)).await.unwrap();
    let done = |parts| std::sync::Arc::new(finish(InboxSeq(0), parts));
    let finished = vec![(0, done(vec![part(5, "known")])), (2, done(vec![part(6, "c")]))];
    // The first one is known: neither it nor its reply is stored again.
    let updates = vec![text(1, 5), text(2, 5), text(3, 6)];
    let accepted = store.accept_and_finish(updates, Some(4), finished).await.unwrap();
    assert_eq!((accepted.repeated, accepted.stored.len()), (1, 1));
    assert_eq!(accepted.stored[0].update.id, UpdateId(2));
    let [(2, parts)] = &accepted.finished[..] else { panic!("{accepted:?}") };
    assert_eq!(parts[0].text, "c");
    let waiting = store.new_updates(InboxSeq(0), 9).await.unwrap();
    assert_eq!(waiting.iter().map(|q| q.update.id.0).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(store.due_parts(ChatId(6), 9).await.unwrap(), *parts);
    assert_eq!(store.outbox_depth().await.unwrap().0, 1);
    assert_eq!(store.next_offset().await.unwrap(), 4);
}
