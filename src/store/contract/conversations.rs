//! Conversations: their turns, who said what in them, and where they go.

use super::*;
use crate::model::cited::KeptPassage;
use crate::model::conversation::StopReason;
use crate::model::effect::Continued;

/// The numbers of the turns that a conversation remembers.
async fn remembered(store: &Store, conversation: ConversationId, turns: usize) -> Vec<i64> {
    let kept = store.history(conversation, turns).await.unwrap();
    assert!(kept.is_sorted_by(|one, next| one.number < next.number));
    let number = |turn: &KeptTurn| {
        let pair = &turn.messages;
        let id = (1..100).find(|id| pair[0] == Message::user(format!("question {id}"))).unwrap();
        assert_eq!(pair[1], Message::assistant(format!("answer {id}")));
        id
    };
    kept.iter().map(number).collect()
}

pub async fn topics_do_not_read_each_other_and_turns_stay_whole(place: &impl Place) {
    let store = open(place);
    let (outside, inside) = (topic(-5, 0), topic(-5, 7));
    for id in 1..=4 {
        turn(&store, id, outside, 1).await;
    }
    turn(&store, 5, inside, 1).await;
    assert_eq!(remembered(&store, outside, 10).await, [1, 2, 3, 4]);
    assert_eq!(remembered(&store, outside, 2).await, [3, 4]);
    assert_eq!(remembered(&store, outside, 0).await, [0; 0]);
    assert_eq!(remembered(&store, inside, 10).await, [5]);
    assert_eq!(remembered(&store, topic(-6, 7), 10).await, [0; 0]);
    store.apply(vec![Effect::StartAfresh(outside)]).await.unwrap();
    assert_eq!(remembered(&store, outside, 10).await, [0; 0]);
    assert_eq!(remembered(&store, inside, 10).await, [5]);
    turn(&store, 6, outside, 1).await;
    store.close().await;
    drop(store);
    let store = open(place);
    assert_eq!(remembered(&store, outside, 10).await, [6]);
    let totals = Totals { turns: 6, chats: 1, input_tokens: 60, output_tokens: 6 };
    assert_eq!(store.totals().await.unwrap(), totals);
    assert_eq!(store.turns_of(UserId(1)).await.unwrap(), 6);
}

pub async fn forgetting_finds_a_person_everywhere(place: &impl Place) {
    let store = open(place);
    turn(&store, 1, topic(-5, 0), 8).await;
    turn(&store, 2, topic(-5, 0), 9).await;
    turn(&store, 3, topic(9, 0), 9).await;
    // A question that is kept for another try, and one that waits.
    store.accept(vec![said(4, -5, 9), said(5, -5, 9), said(6, -5, 8)], Some(7)).await.unwrap();
    let kept = store.new_updates(InboxSeq(0), 1).await.unwrap()[0].seq;
    store.finish(Finish { keep_body: true, ..finish(kept, Vec::new()) }).await.unwrap();
    assert!(store.kept_update(kept).await.unwrap().is_some());
    store.apply(vec![Effect::Forget(UserId(9))]).await.unwrap();
    assert!(store.kept_update(kept).await.unwrap().is_none());
    let waiting = store.new_updates(InboxSeq(0), 10).await.unwrap();
    assert_eq!(waiting.iter().map(|q| q.update.id.0).collect::<Vec<_>>(), [6]);
    assert_eq!(remembered(&store, topic(-5, 0), 10).await, [1]);
    assert_eq!(store.turns_of(UserId(9)).await.unwrap(), 0);
    assert_eq!(store.turns_of(UserId(8)).await.unwrap(), 1);
    // What answers the person in the group is dropped, too; what answers another stays.
    assert_eq!(store.due_parts(ChatId(-5), 10).await.unwrap().len(), 1);
    assert!(store.due_parts(ChatId(9), 10).await.unwrap().is_empty());
    // The next turn does not take a number that /new has passed.
    turn(&store, 7, topic(-5, 0), 9).await;
    assert_eq!(remembered(&store, topic(-5, 0), 10).await, [1, 7]);
}

pub async fn a_group_that_moves_takes_its_conversations_along(place: &impl Place) {
    let store = open(place);
    turn(&store, 1, topic(-5, 0), 1).await;
    turn(&store, 2, topic(-5, 3), 1).await;
    store.apply(vec![Effect::StartAfresh(topic(-5, 0))]).await.unwrap();
    turn(&store, 3, topic(-5, 0), 1).await;
    let moved = Effect::MoveChat { from: ChatId(-5), to: ChatId(-1005) };
    store.apply(vec![moved]).await.unwrap();
    assert_eq!(remembered(&store, topic(-1005, 0), 10).await, [3]);
    assert_eq!(remembered(&store, topic(-1005, 3), 10).await, [2]);
    assert_eq!(remembered(&store, topic(-5, 0), 10).await, [0; 0]);
    assert_eq!(store.due_parts(ChatId(-1005), 10).await.unwrap().len(), 3);
    assert_eq!(store.chat(ChatId(-5)).await.unwrap().moved_to, Some(ChatId(-1005)));
    assert_eq!(store.chat(ChatId(-1005)).await.unwrap().moved_from, Some(ChatId(-5)));
}

pub async fn old_rows_are_swept_and_open_ones_stay(place: &impl Place) {
    let clock = Clock::manual(1_000_000);
    let store = place.open(BOT, clock.clone());
    store.accept(vec![text(1, 5), text(2, 5)], Some(3)).await.unwrap();
    let parts = vec![part(5, "a"), part(5, "b")];
    let parts = store.finish(finish(InboxSeq(1), parts)).await.unwrap();
    for (part, message) in parts.iter().zip([4, 5]) {
        let sent = DeliveryOutcome::Sent(MessageId(message));
        store.record_delivery(vec![outcome(part.id, sent)], Vec::new()).await.unwrap();
    }
    clock.advance(8 * 24 * 3600 * 1000);
    let swept = store.sweep(Keep { history_days: 90, done_days: 7 }).await.unwrap();
    assert_eq!(
        swept,
        Swept { updates: 1, parts: 1, ..Swept::default() },
        "the last number stays known"
    );
    assert_eq!(store.inbox_depth().await.unwrap().0, 1);
    let failed = Finish { keep_body: true, ..finish(InboxSeq(2), Vec::new()) };
    store.finish(failed).await.unwrap();
    assert!(store.kept_update(InboxSeq(2)).await.unwrap().is_some());
    clock.advance(8 * 24 * 3600 * 1000);
    store.sweep(Keep { history_days: 90, done_days: 7 }).await.unwrap();
    assert!(store.kept_update(InboxSeq(2)).await.unwrap().is_none(), "its words do not stay");
    turn(&store, 3, topic(5, 0), 5).await;
    clock.advance(80 * 24 * 3600 * 1000);
    turn(&store, 4, topic(5, 0), 5).await;
    clock.advance(15 * 24 * 3600 * 1000);
    let swept = store.sweep(Keep { history_days: 90, done_days: 90 }).await.unwrap();
    assert_eq!(swept.messages, 2, "a turn goes as a whole");
    assert_eq!(remembered(&store, topic(5, 0), 10).await, [4]);
    assert_eq!(store.totals().await.unwrap().turns, 1);
}

pub async fn what_an_answer_rests_on_is_kept_with_it(place: &impl Place) {
    let store = open(place);
    let passage = |number: u32, text: &str| KeptPassage {
        id: 7,
        source: "a.md".to_owned(),
        text: text.to_owned(),
        number,
        ..KeptPassage::default()
    };
    let here = topic(5, 3);
    assert_eq!(store.last_sources(here).await.unwrap(), None);
    let answer = |id: i64, passages: Vec<KeptPassage>| {
        let store = store.clone();
        async move {
            store.accept(vec![said(id, 5, 5)], Some(id + 1)).await.unwrap();
            let seq = store.new_updates(InboxSeq(0), 100).await.unwrap().last().unwrap().seq;
            let stop_reason = StopReason::Length;
            let turn = NewTurn {
                conversation: here,
                asked_by: seq,
                sender: UserId(5),
                quoted: Vec::new(),
                messages: vec![Message::user("q"), Message::assistant("a")],
                answer: AnswerMetadata { passages, stop_reason, ..AnswerMetadata::default() },
            };
            store.finish(Finish { turn: Some(turn), ..finish(seq, Vec::new()) }).await.unwrap();
            seq
        }
    };
    answer(1, vec![passage(1, "first")]).await;
    let seq = answer(2, vec![passage(1, "second"), passage(0, "other")]).await;
    let last = || store.last_sources(here);
    assert_eq!(last().await.unwrap(), Some(vec![passage(1, "second"), passage(0, "other")]));
    assert_eq!(store.last_sources(topic(5, 0)).await.unwrap(), None, "another topic");
    let cut = store.cut_answer(seq).await.unwrap().unwrap();
    assert_eq!(cut.passages[0], passage(1, "second"));
    let more = AnswerMetadata { passages: vec![passage(2, "third")], ..Default::default() };
    let continued = Continued { answer: cut.answer, text: "a b".to_owned(), more };
    store.apply(vec![Effect::Continue(continued)]).await.unwrap();
    assert_eq!(last().await.unwrap(), Some(vec![passage(2, "third")]));
    turn(&store, 3, here, 5).await;
    assert_eq!(last().await.unwrap(), Some(Vec::new()), "an answer without documents");
    store.apply(vec![Effect::StartAfresh(here)]).await.unwrap();
    assert_eq!(last().await.unwrap(), None);
}
