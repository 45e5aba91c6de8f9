//! The send queue, without a network: the order in which parts leave.

use super::*;
use crate::model::ids::PartId;
use crate::store::PartExtra;

#[test]
fn what_is_stored_while_the_disk_is_read_is_read_next() {
    let chat = ChatId(5);
    let mut message_ids = MessageIdTracker::default();
    let mut send_queue = SendQueue::new(Pacer::new(None), Duration::ZERO);
    let now = Instant::now();
    send_queue.fill(chat);
    assert!(matches!(send_queue.next(&mut message_ids, now), Next::Load(..)));
    assert!(send_queue.reserve(chat, &mut message_ids, now).is_none(), "nothing overtakes them");
    send_queue.fill(chat);
    send_queue.loaded(chat, Vec::new(), limits::QUEUED_PARTS);
    assert!(matches!(send_queue.next(&mut message_ids, now), Next::Load(..)));
    send_queue.loaded(chat, Vec::new(), limits::QUEUED_PARTS);
    assert!(matches!(send_queue.next(&mut message_ids, now), Next::Sleep(None)));
}

/// A part of this chat, the `id`th that was stored, due now.
fn due(chat: ChatId, id: i64) -> OpenPart {
    OpenPart {
        id: PartId(id),
        chat,
        text: format!("part {id}"),
        extra: PartExtra::default(),
        state: PartState::Due,
        attempts: 0,
        due_ms: 0,
        created_ms: 0,
    }
}

#[test]
fn a_part_stored_while_older_ones_are_read_does_not_overtake_them() {
    let (chat, now) = (ChatId(5), Instant::now());
    let mut message_ids = MessageIdTracker::default();
    let mut send_queue = SendQueue::new(Pacer::new(None), Duration::ZERO);
    send_queue.fill(chat);
    assert!(matches!(send_queue.next(&mut message_ids, now), Next::Load(..)));
    // The commit begins and ends between the reading and its answer.
    let epoch = send_queue.expect(chat);
    send_queue.offer(chat, epoch, vec![due(chat, 3)]);
    send_queue.loaded(chat, vec![due(chat, 1), due(chat, 2)], limits::QUEUED_PARTS);
    let mut left = Vec::new();
    for _ in 0..4 {
        match send_queue.next(&mut message_ids, now) {
            Next::Send(part, _) => {
                left.push(part.id.0);
                message_ids.end(chat);
                send_queue.done(chat, NextAction::Continue, &mut message_ids, now);
            }
            Next::Load(_) => {
                send_queue.loaded(chat, vec![due(chat, 3)], limits::QUEUED_PARTS);
            }
            next => panic!("{next:?} after {left:?}"),
        }
    }
    assert_eq!(left, [1, 2, 3]);
}

#[test]
fn while_a_part_is_looked_for_other_chats_have_their_turn() {
    let (searched, other, begun) = (ChatId(5), ChatId(6), Instant::now());
    let mut message_ids = MessageIdTracker::default();
    // Far more ids are possible than can be asked about in this time.
    message_ids.heard(searched, MessageId(10));
    let rates = Rates { chat_per_s: 1.0, chat_burst: 1, overall_per_s: 30.0, group_per_min: 20.0 };
    let mut send_queue = SendQueue::new(Pacer::new(Some(rates)), Duration::ZERO);
    let state = PartState::Sending { id_before: MessageId(10), at_ms: 0 };
    let in_doubt = OpenPart { state, ..due(searched, 1) };
    send_queue.left_behind(vec![in_doubt], &mut message_ids, begun, 0);
    message_ids.heard(searched, MessageId(1000));
    message_ids.caught_up(begun + Duration::from_millis(1));
    let mut probes = 0;
    for ms in 2..1000 {
        let now = begun + Duration::from_millis(ms);
        if ms == 200 {
            let epoch = send_queue.expect(other);
            send_queue.offer(other, epoch, vec![due(other, 2)]);
        }
        match send_queue.next(&mut message_ids, now) {
            Next::Ask(part, ids) => {
                probes += ids.len();
                message_ids.not_at(part.chat, &ids);
                send_queue.done(part.chat, NextAction::Search(part), &mut message_ids, now);
            }
            Next::Send(part, _) => {
                assert_eq!(part.chat, other);
                assert!(ms < 300 && probes > 3, "after {ms} ms and {probes} probes");
                return;
            }
            Next::Sleep(_) => {}
            next => panic!("{next:?}"),
        }
    }
    panic!("nothing was sent; {probes} probes");
}

#[test]
fn a_part_does_not_overtake_one_that_is_being_committed() {
    let (chat, now) = (ChatId(5), Instant::now());
    let mut message_ids = MessageIdTracker::default();
    message_ids.heard(chat, MessageId(1));
    let mut send_queue = SendQueue::new(Pacer::new(None), Duration::ZERO);
    assert!(send_queue.reserve(chat, &mut message_ids, now).is_some());
    // The second one of the chat waits for the first, which arrives before the commit ends.
    let epoch = send_queue.expect(chat);
    message_ids.sent(chat, MessageId(2), now);
    message_ids.end(chat);
    send_queue.done(chat, NextAction::Continue, &mut message_ids, now);
    assert!(send_queue.reserve(chat, &mut message_ids, now).is_none(), "the third");
    send_queue.offer(chat, epoch, vec![due(chat, 2)]);
    assert!(
        matches!(send_queue.next(&mut message_ids, now), Next::Send(part, _) if part.id.0 == 2)
    );
}
