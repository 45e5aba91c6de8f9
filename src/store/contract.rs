//! What every backend of the store must do, tested through the public verbs alone.
//!
//! Invariants: a test gets its stores from a [`Place`] and knows nothing else of the backend; what
//! only one backend can show (damage, locks, logs) is tested beside it.

mod answered;
mod commits;
mod conversations;
mod spending;

pub use answered::*;
pub use commits::*;
pub use conversations::*;
pub use spending::*;

use crate::model::access::Role as Access;
use crate::model::class::TelegramClass;
use crate::model::conversation::{AnswerMetadata, ConversationId, Message, Usage};
use crate::model::effect::Effect;
use crate::model::ids::{BotId, ChatId, InboxSeq, MessageId, PartId, UpdateId, UserId};
use crate::model::limits;
use crate::model::message::{Body, Incoming, Person, Place as Kind, Update, UpdateEvent};
use crate::model::text::Rich;
use crate::observe::clock::Clock;
use crate::store::*;

/// Where one test keeps its state: opened again, it is the same state.
pub trait Place {
    /// Opens the state for a bot.
    fn open(&self, bot: BotId, clock: Clock) -> Store;
}

/// Runs every test of the contract against the places that `$place` makes.
macro_rules! contract {
    ($place:expr) => {
        $crate::store::contract::contract!(
            $place,
            updates_survive_and_are_stored_once,
            another_token_never_meets_the_old_offset,
            update_done_only_with_its_replies,
            settled_parts_are_gone_and_due_ones_come_back,
            a_settled_part_is_not_sent_again,
            an_arrival_is_stored_with_the_next_commit,
            an_arrival_is_stored_when_the_store_is_closed,
            an_update_can_be_done_when_it_is_accepted,
            what_is_in_doubt_came_after_all_that_arrived_in_its_chat,
            ids_of_messages_are_remembered_newest_first,
            a_kept_question_is_used_once,
            pieces_are_done_together_and_kept_as_a_whole,
            an_edit_is_compared_with_what_was_asked_last,
            who_is_quoted_has_not_asked_and_is_forgotten_with_kept_questions,
            people_are_offered_codes_approved_and_removed,
            a_claim_code_expires_and_is_renewed_on_request,
            old_rows_are_swept_and_open_ones_stay,
            topics_do_not_read_each_other_and_turns_stay_whole,
            forgetting_finds_a_person_everywhere,
            a_group_that_moves_takes_its_conversations_along,
            what_is_set_for_a_chat_stays,
            what_an_answer_rests_on_is_kept_with_it,
            a_pause_ends,
            providers_that_fail_are_kept_for_each_bot,
            a_probe_changes_nothing,
            a_call_is_spent_before_it_is_made_and_settled_once,
            a_call_that_reports_nothing_costs_all_that_it_can,
            a_hundred_first_calls_at_once_stay_within_the_limit,
            each_limit_holds_in_its_own_time,
            questions_of_our_own_have_their_own_budget,
            free_calls_count_their_tokens,
            the_ledger_forgets_people_and_keeps_sums,
            the_owner_hears_once_that_a_budget_runs_low
        );
    };
    ($place:expr, $($name:ident),*) => {
        /// Everything, one after the other.
        pub(super) async fn all() {
            $(
                $crate::store::contract::$name(&$place).await;
            )*
        }

        $(
            #[tokio::test]
            async fn $name() {
                $crate::store::contract::$name(&$place).await;
            }
        )*
    };
}
pub(super) use contract;

const BOT: BotId = BotId(1);

fn open(place: &impl Place) -> Store {
    place.open(BOT, Clock::manual(1_000_000))
}

pub fn text(id: i64, chat: i64) -> Update {
    said(id, chat, chat)
}

fn said(id: i64, chat: i64, user: i64) -> Update {
    let event = UpdateEvent::Message(Incoming {
        chat: ChatId(chat),
        place: Kind::Private,
        from: Person { id: UserId(user), name: "Ann".into(), username: None },
        message_id: MessageId(id),
        date_s: 1,
        body: Body::Text(format!("text {id}")),
        ..Incoming::default()
    });
    Update { id: UpdateId(id), event }
}

fn part(chat: i64, text: &str) -> NewPart {
    NewPart { chat: ChatId(chat), rich: Rich::plain(text), extra: PartExtra::default() }
}

pub fn finish(seq: InboxSeq, parts: Vec<NewPart>) -> Finish {
    Finish {
        seq,
        outcome: UpdateOutcome::Answered,
        keep_body: false,
        pieces: Pieces::default(),
        effects: Vec::new(),
        turn: None,
        parts,
        first_attempt: None,
    }
}

fn topic(chat: i64, topic: i64) -> ConversationId {
    ConversationId { chat: ChatId(chat), topic }
}

/// Accepts update `id` of a person and finishes it with a turn and a part.
pub async fn turn(store: &Store, id: i64, conversation: ConversationId, user: i64) {
    store.accept(vec![said(id, conversation.chat.0, user)], Some(id + 1)).await.unwrap();
    let seq = store.new_updates(InboxSeq(0), 100).await.unwrap().last().unwrap().seq;
    let usage = Some(Usage { input_tokens: 10, output_tokens: 1, ..Usage::default() });
    let turn = NewTurn {
        conversation,
        asked_by: seq,
        sender: UserId(user),
        quoted: Vec::new(),
        messages: vec![
            Message::user(format!("question {id}")),
            Message::assistant(format!("answer {id}")),
        ],
        answer: AnswerMetadata { usage, ..AnswerMetadata::default() },
    };
    let parts = vec![part(conversation.chat.0, "answer")];
    store.finish(Finish { turn: Some(turn), ..finish(seq, parts) }).await.unwrap();
}

fn counts(accepted: &Accepted) -> (usize, u64) {
    (accepted.stored.len(), accepted.repeated)
}

pub async fn updates_survive_and_are_stored_once(place: &impl Place) {
    let store = open(place);
    let first = store.accept(vec![text(1, 5), text(2, 6)], Some(3)).await.unwrap();
    assert_eq!(counts(&first), (2, 0));
    assert_eq!(first.stored, store.new_updates(InboxSeq(0), 9).await.unwrap());
    let second = store.accept(vec![text(2, 6), text(3, 5)], Some(4)).await.unwrap();
    assert_eq!(counts(&second), (1, 1));
    assert_eq!(second.stored, store.new_updates(InboxSeq(2), 9).await.unwrap());
    let pushed = store.accept(vec![text(4, 6)], None).await.unwrap();
    assert_eq!(counts(&pushed), (1, 0), "from a source without an offset");
    store.close().await;
    drop(store);

    let store = open(place);
    assert_eq!(store.next_offset().await.unwrap(), 4);
    let queued = store.new_updates(InboxSeq(0), 10).await.unwrap();
    assert_eq!(queued.iter().map(|q| q.update.id.0).collect::<Vec<_>>(), [1, 2, 3, 4]);
    store.finish(finish(queued[1].seq, Vec::new())).await.unwrap();
    let places = queued[..3].iter().rev().map(|q| q.seq).collect();
    let found = store.new_updates_at(places).await.unwrap();
    assert_eq!(found, [queued[2].clone(), queued[0].clone()], "all but what is done");
}

pub async fn another_token_never_meets_the_old_offset(place: &impl Place) {
    let store = open(place);
    store.accept(vec![text(1, 5)], Some(2)).await.unwrap();
    store.close().await;
    drop(store);
    let store = place.open(BotId(2), Clock::manual(1_000_000));
    assert_eq!(store.next_offset().await.unwrap(), 0);
    assert!(store.new_updates(InboxSeq(0), 10).await.unwrap().is_empty());
    store.accept(vec![text(1, 5)], Some(2)).await.unwrap();
    assert_eq!(store.new_updates(InboxSeq(0), 10).await.unwrap().len(), 1);
}

pub async fn update_done_only_with_its_replies(place: &impl Place) {
    let store = open(place);
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

pub async fn settled_parts_are_gone_and_due_ones_come_back(place: &impl Place) {
    let store = open(place);
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
            outcome: DeliveryOutcome::Retry {
                due_ms: 5,
                reason: DeliveryReason::Failed(TelegramClass::RateLimited),
            },
        },
    ];
    store.record_delivery(rows, Vec::new()).await.unwrap();
    let open = store.due_parts(ChatId(5), 10).await.unwrap();
    assert_eq!(open.len(), 1);
    assert_eq!((open[0].attempts, open[0].due_ms, open[0].state), (1, 5, PartState::Due));
    assert_eq!(store.recent_sent_ids(10).await.unwrap(), [(ChatId(5), MessageId(10))]);
    assert_eq!(store.asker(stored[1].id).await.unwrap(), Some(UserId(5)));
    let notify = Effect::Notify { about: stored[1].id, to: ChatId(7), text: "why".into() };
    store.apply(vec![notify]).await.unwrap();
    assert_eq!(store.due_parts(ChatId(7), 10).await.unwrap()[0].text, "why");
}

fn outcome(id: PartId, outcome: DeliveryOutcome) -> DeliveryRecord {
    DeliveryRecord { id, outcome }
}

pub async fn a_settled_part_is_not_sent_again(place: &impl Place) {
    let store = open(place);
    store.accept(vec![text(1, 5)], Some(2)).await.unwrap();
    let parts = vec![part(5, "a"), part(5, "b"), part(5, "c"), part(5, "d")];
    let stored = store.finish(finish(InboxSeq(1), parts)).await.unwrap();
    let dropped = DeliveryOutcome::Dropped(DeliveryReason::Expired);
    let settled = vec![
        outcome(stored[0].id, DeliveryOutcome::Sent(MessageId(9))),
        outcome(stored[1].id, dropped),
    ];
    store.record_delivery(settled, Vec::new()).await.unwrap();
    assert!(!store.mark_sending(stored[0].id, MessageId(9)).await.unwrap(), "it has arrived");
    assert!(!store.mark_sending(stored[1].id, MessageId(9)).await.unwrap(), "it was dropped");
    assert!(store.mark_sending(stored[2].id, MessageId(9)).await.unwrap());
    // What is on its way is not dropped with what is due.
    assert_eq!(store.drop_due(ChatId(5), DeliveryReason::ShutOut).await.unwrap(), 1);
    assert!(!store.mark_sending(stored[3].id, MessageId(9)).await.unwrap(), "it was dropped, too");
    assert!(!store.mark_sending(PartId(999), MessageId(9)).await.unwrap(), "there is none");
    assert_eq!(store.parts_in_doubt().await.unwrap().len(), 1);
    assert_eq!(store.recent_sent_ids(10).await.unwrap(), [(ChatId(5), MessageId(9))]);
}

/// An edit that looks for it would change an older message.
pub async fn what_is_in_doubt_came_after_all_that_arrived_in_its_chat(place: &impl Place) {
    let store = open(place);
    store.accept(vec![text(1, 5), text(2, 6)], Some(3)).await.unwrap();
    let parts = vec![part(5, "a"), part(5, "b"), part(6, "c")];
    let parts = store.finish(finish(InboxSeq(1), parts)).await.unwrap();
    for (part, message) in [(&parts[0], 70), (&parts[2], 90)] {
        let sent =
            DeliveryRecord { id: part.id, outcome: DeliveryOutcome::Sent(MessageId(message)) };
        store.record_delivery(vec![sent], Vec::new()).await.unwrap();
    }
    assert_eq!(store.last_sent(ChatId(5)).await.unwrap(), Some(MessageId(70)));
    assert_eq!(store.last_sent(ChatId(7)).await.unwrap(), None);
    // A process that has forgotten the older ids attempts the next one.
    assert!(store.mark_sending(parts[1].id, MessageId(3)).await.unwrap());
    let in_doubt = store.parts_in_doubt().await.unwrap();
    let before = |id_before| matches!(in_doubt[0].state, PartState::Sending { id_before: b, .. } if b == id_before);
    assert!(in_doubt.len() == 1 && before(MessageId(70)), "{in_doubt:?}");
}

pub async fn ids_of_messages_are_remembered_newest_first(place: &impl Place) {
    let store = open(place);
    let ignored = UpdateEvent::Ignored { kind: "poll".into(), chat: None };
    let silent = Update { id: UpdateId(3), event: ignored };
    store.accept(vec![text(1, 5), text(2, 6), silent, text(4, 5)], Some(5)).await.unwrap();
    store.finish(finish(InboxSeq(1), Vec::new())).await.unwrap();
    let id = |chat, id| (ChatId(chat), MessageId(id));
    let all = store.recent_message_ids(10).await.unwrap();
    assert_eq!(all, [id(5, 4), id(6, 2), id(5, 1)], "done or not, where there is one");
    assert_eq!(store.recent_message_ids(1).await.unwrap(), [id(5, 4)]);
}

pub async fn a_kept_question_is_used_once(place: &impl Place) {
    let store = open(place);
    store.accept(vec![text(1, 5), text(2, 5)], Some(3)).await.unwrap();
    let kept = |seq| Finish { keep_body: true, ..finish(seq, Vec::new()) };
    store.finish(kept(InboxSeq(1))).await.unwrap();
    let found = store.kept_update(InboxSeq(1)).await.unwrap().unwrap();
    assert_eq!(found.update, text(1, 5));
    assert!(store.kept_update(InboxSeq(2)).await.unwrap().is_none(), "it is not done yet");
    // The other try is an update of its own, which uses the question up.
    let used = vec![Effect::Used(InboxSeq(1)), Effect::Used(InboxSeq(2))];
    store.apply(used).await.unwrap();
    assert!(store.kept_update(InboxSeq(1)).await.unwrap().is_none());
    let waiting = store.new_updates(InboxSeq(0), 10).await.unwrap();
    assert_eq!(waiting[0].update, text(2, 5), "what still waits keeps its words");
}

pub async fn pieces_are_done_together_and_kept_as_a_whole(place: &impl Place) {
    let store = open(place);
    store.accept(vec![text(1, 5), text(2, 5), text(3, 5)], Some(4)).await.unwrap();
    let whole = text(9, 5).event;
    let pieces = Pieces { others: vec![InboxSeq(1)], whole: Some(Box::new(whole.clone())) };
    let failed = Finish { keep_body: true, pieces, ..finish(InboxSeq(2), Vec::new()) };
    store.finish(failed).await.unwrap();
    let waiting = store.new_updates(InboxSeq(0), 9).await.unwrap();
    assert_eq!(waiting.iter().map(|q| q.seq.0).collect::<Vec<_>>(), [3]);
    assert_eq!(store.kept_update(InboxSeq(2)).await.unwrap().unwrap().update.event, whole);
    assert_eq!(store.kept_update(InboxSeq(1)).await.unwrap(), None);
}

pub async fn a_claim_code_expires_and_is_renewed_on_request(place: &impl Place) {
    let clock = Clock::manual(1_000_000);
    let store = place.open(BOT, clock.clone());
    let claimable = |code: &str| Opening::Claimable(code.into());
    assert_eq!(store.opening("AAAA-BBBB".into()).await.unwrap(), claimable("AAAA-BBBB"));
    let life = i64::try_from(limits::CLAIM_CODE_LIFE.as_millis()).unwrap();
    clock.advance(life - 1);
    assert_eq!(store.opening("x".into()).await.unwrap(), claimable("AAAA-BBBB"));
    clock.advance(1);
    for _ in 0..2 {
        assert_eq!(store.opening("x".into()).await.unwrap(), Opening::Expired);
        assert_eq!(store.settings().await.unwrap().claim_code, None);
    }
    let renewed = store.renew_claim_code("CCCC-DDDD".into()).await.unwrap();
    assert_eq!(renewed, claimable("CCCC-DDDD"));
    assert_eq!(store.opening("x".into()).await.unwrap(), claimable("CCCC-DDDD"));
    // A clock that is set back does not keep a code alive.
    clock.advance(-life);
    assert_eq!(store.opening("x".into()).await.unwrap(), Opening::Expired);
}

pub async fn people_are_offered_codes_approved_and_removed(place: &impl Place) {
    let store = open(place);
    let Opening::Claimable(code) = store.opening("AAAA-BBBB".into()).await.unwrap() else {
        panic!("the bot has no owner yet")
    };
    assert_eq!(code, "AAAA-BBBB");
    assert_eq!(
        store.opening("CCCC-DDDD".into()).await.unwrap(),
        Opening::Claimable("AAAA-BBBB".into())
    );
    assert_eq!(
        store.renew_claim_code("GGGG-HHHH".into()).await.unwrap(),
        Opening::Claimable("GGGG-HHHH".into())
    );
    assert_eq!(store.settings().await.unwrap().claim_code.as_deref(), Some("GGGG-HHHH"));
    let ann = Person { id: UserId(1), name: "Ann".into(), username: Some("ann".into()) };
    let bob = Person { id: UserId(2), name: "Bob".into(), username: None };
    let offer = Effect::OfferCode { person: bob, code: "EEEE-FFFF".into(), at_ms: 1_000_000 };
    store.apply(vec![Effect::Claim(ann), offer]).await.unwrap();
    assert_eq!(store.opening("x".into()).await.unwrap(), Opening::Owned);
    assert_eq!(store.renew_claim_code("x".into()).await.unwrap(), Opening::Owned);
    let bob = store.user_by_code("EEEE-FFFF").await.unwrap().unwrap();
    assert_eq!(bob.role, Access::Stranger);
    store.apply(vec![Effect::Approve(UserId(2))]).await.unwrap();
    assert_eq!(store.user(UserId(2)).await.unwrap().unwrap().role, Access::Member);
    assert_eq!(store.owners().await.unwrap(), [UserId(1)]);
    assert!(store.user_by_code("EEEE-FFFF").await.unwrap().is_none(), "a code is good once");
    store.apply(vec![Effect::Remove(UserId(2))]).await.unwrap();
    assert!(store.user(UserId(2)).await.unwrap().is_none());
    assert_eq!(store.users().await.unwrap()[0].role, Access::Owner);
}

pub async fn what_is_set_for_a_chat_stays(place: &impl Place) {
    let store = open(place);
    let chat = ChatId(-5);
    assert_eq!(store.chat(chat).await.unwrap(), ChatState::default());
    let model = Some("m".to_owned());
    store
        .apply(vec![
            Effect::AllowChat { chat, allowed: true },
            Effect::SetModel { conversation: topic(-5, 3), model: model.clone() },
            Effect::Presence { chat, present: false },
            Effect::Pause(true),
        ])
        .await
        .unwrap();
    store.close().await;
    drop(store);
    let store = open(place);
    let wanted = ChatState { allowed: true, absent: true, moved_to: None, moved_from: None };
    assert_eq!(store.chosen_model(topic(-5, 3)).await.unwrap(), model);
    assert_eq!(store.chosen_model(topic(-5, 0)).await.unwrap(), None);
    assert_eq!(store.chat(chat).await.unwrap(), wanted);
    assert!(store.settings().await.unwrap().paused);
    assert_eq!(store.drop_due(chat, DeliveryReason::ShutOut).await.unwrap(), 0);
}

pub async fn a_pause_ends(place: &impl Place) {
    let store = open(place);
    assert!(!store.settings().await.unwrap().paused);
    for paused in [true, false] {
        store.apply(vec![Effect::Pause(paused)]).await.unwrap();
        assert_eq!(store.settings().await.unwrap().paused, paused);
    }
    store.close().await;
    drop(store);
    assert!(!open(place).settings().await.unwrap().paused);
}

pub async fn providers_that_fail_are_kept_for_each_bot(place: &impl Place) {
    let kept = |provider: &str, until_ms| KeptBreaker {
        provider: provider.to_owned(),
        model: "m".to_owned(),
        class: "server".to_owned(),
        is_unusable: false,
        since_ms: 1,
        until_ms,
        cooldown_ms: 30_000,
    };
    let (one, other) = (place.open(BotId(1), Clock::system()), BotId(2));
    assert!(one.breakers().await.unwrap().is_empty());
    one.keep_breakers(vec![kept("b", 7), kept("a", 8)]).await.unwrap();
    one.keep_breakers(vec![kept("b", 9), kept("a", 8)]).await.unwrap();
    assert_eq!(one.breakers().await.unwrap(), [kept("a", 8), kept("b", 9)]);
    one.close().await;
    let store = place.open(other, Clock::system());
    assert!(store.breakers().await.unwrap().is_empty());
    store.keep_breakers(Vec::new()).await.unwrap();
    store.close().await;
    let one = place.open(BotId(1), Clock::system());
    assert_eq!(one.breakers().await.unwrap().len(), 2);
    one.keep_breakers(Vec::new()).await.unwrap();
    assert!(one.breakers().await.unwrap().is_empty());
}

pub async fn a_probe_changes_nothing(place: &impl Place) {
    let store = open(place);
    store.accept(vec![text(1, 5)], Some(2)).await.unwrap();
    store.probe().await.unwrap();
    assert_eq!(store.next_offset().await.unwrap(), 2);
    assert_eq!(store.inbox_depth().await.unwrap(), (1, Some(1_000_000)));
    store.close().await;
    assert_eq!(store.probe().await.map_err(|e| e.kind()), Err(StoreErrorKind::Closed));
}
