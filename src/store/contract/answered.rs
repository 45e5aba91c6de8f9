//! What is left of questions that are done.

use super::*;
use crate::model::quote::{Author, Context, Referred};

pub async fn an_edit_is_compared_with_what_was_asked_last(place: &impl Place) {
    let store = open(place);
    turn(&store, 1, topic(5, 0), 5).await;
    let asked = |id| store.last_answer(ChatId(5), vec![MessageId(id)]);
    let first = asked(1).await.unwrap().unwrap();
    assert_eq!((first.at_ms, first.question), (1_000_000, Some(Message::user("question 1"))));
    // An edit of the same message, which is finished with its acceptance.
    let turn = NewTurn {
        conversation: topic(5, 0),
        asked_by: InboxSeq(0),
        sender: UserId(5),
        quoted: Vec::new(),
        messages: vec![Message::user("edited"), Message::assistant("yes")],
        answer: AnswerMetadata::default(),
    };
    let done = std::sync::Arc::new(Finish { turn: Some(turn), ..finish(InboxSeq(0), Vec::new()) });
    let mut edit = text(2, 5);
    if let UpdateEvent::Message(message) = &mut edit.event {
        message.message_id = MessageId(1);
    }
    store.accept_and_finish(vec![edit], Some(3), vec![(0, done)]).await.unwrap();
    let last = asked(1).await.unwrap().unwrap();
    assert_eq!(last.question, Some(Message::user("edited")));
    // One that failed, one that is not done, one that is unknown.
    store.accept(vec![text(3, 5), text(4, 5)], Some(5)).await.unwrap();
    let third = store.new_updates(InboxSeq(0), 1).await.unwrap()[0].seq;
    let failed = Finish { outcome: UpdateOutcome::Failed, ..finish(third, Vec::new()) };
    store.finish(failed).await.unwrap();
    assert_eq!(asked(3).await.unwrap().unwrap().question, None);
    assert_eq!(asked(4).await.unwrap(), None);
    let both = store.last_answer(ChatId(5), vec![MessageId(3), MessageId(1)]).await.unwrap();
    assert_eq!(both.unwrap().question, None, "the later one counts");
    assert_eq!(store.last_answer(ChatId(6), vec![MessageId(1)]).await.unwrap(), None);
}

pub async fn who_is_quoted_has_not_asked_and_is_forgotten_with_kept_questions(place: &impl Place) {
    let store = open(place);
    let quote = |id: i64, author: i64| {
        let author = Author { name: "Bob".into(), id: Some(UserId(author)) };
        let mut update = said(id, -5, 8);
        if let UpdateEvent::Message(message) = &mut update.event {
            let reply = Referred { author, text: "words".into(), ..Referred::default() };
            message.context = Some(Box::new(Context { reply: Some(reply), ..Context::default() }));
        }
        update
    };
    store.accept(vec![quote(1, 9), quote(2, 7), said(3, -5, 8)], Some(4)).await.unwrap();
    let queued = store.new_updates(InboxSeq(0), 3).await.unwrap();
    for queued in &queued {
        store.finish(Finish { keep_body: true, ..finish(queued.seq, Vec::new()) }).await.unwrap();
    }
    let kept = store.kept_updates_of(UserId(8), ChatId(-5)).await.unwrap();
    assert_eq!(kept.iter().map(|q| q.update.id.0).collect::<Vec<_>>(), [3, 2, 1]);
    assert!(store.kept_updates_of(UserId(8), ChatId(5)).await.unwrap().is_empty());
    // A turn in which one of them asks and another is quoted.
    store.accept(vec![said(4, -5, 8)], Some(5)).await.unwrap();
    let seq = store.new_updates(InboxSeq(0), 1).await.unwrap()[0].seq;
    let turn = NewTurn {
        conversation: topic(-5, 0),
        asked_by: seq,
        sender: UserId(8),
        quoted: vec![(UserId(9), Message::user("words"))],
        messages: vec![Message::user("why?"), Message::assistant("so")],
        answer: AnswerMetadata::default(),
    };
    store.finish(Finish { turn: Some(turn), ..finish(seq, Vec::new()) }).await.unwrap();
    let turns =
        (store.turns_of(UserId(8)).await.unwrap(), store.turns_of(UserId(9)).await.unwrap());
    assert_eq!(turns, (1, 0));
    store.apply(vec![Effect::Forget(UserId(9))]).await.unwrap();
    let kept = store.kept_updates_of(UserId(8), ChatId(-5)).await.unwrap();
    assert_eq!(kept.iter().map(|q| q.update.id.0).collect::<Vec<_>>(), [3, 2]);
    assert_eq!(store.turns_of(UserId(8)).await.unwrap(), 0);
}
