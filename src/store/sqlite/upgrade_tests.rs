//! A state file of 0.2, with everything that can be in it, goes on.
//!
//! The rows are written as 0.2 wrote them: its two migrations, and the JSON of its inbox and outbox
//! as fixtures.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, params};

use super::schema;
use crate::model::access::Role;
use crate::model::conversation::{ConversationId, Message};
use crate::model::effect::Effect;
use crate::model::ids::{BotId, ChatId, InboxSeq, MessageId, UserId};
use crate::model::message::{Body, UpdateEvent};
use crate::model::text::EntityKind;
use crate::observe::clock::Clock;
use crate::store::contract::turn;
use crate::store::{DeliveryOutcome, DeliveryRecord, Keep, PartState, Store, file};

const UPDATES: &str = include_str!("tests/update-0.2.json");
const PART: &str = include_str!("tests/part-0.2.json");

const EXCHANGES: i64 = 100_000;

/// A state file as 0.2 left it behind.
fn of_0_2(path: &Path) {
    let mut conn = Connection::open(path).unwrap();
    let _: String = conn.query_row("PRAGMA journal_mode = WAL", [], |r| r.get(0)).unwrap();
    schema::migrate_to(&mut conn, 2).unwrap();
    let tx = conn.transaction().unwrap();
    tx.execute_batch(
        "INSERT INTO bots (bot_id, next_offset, offset_ms, paused) VALUES (42, 900, 1000000, 1);
         INSERT INTO users (bot_id, user_id, role, name, username, since_ms) VALUES
           (42, 1, 'owner', 'Olga', NULL, 1), (42, 5, 'member', 'Ann Example', 'ann', 2);
         INSERT INTO chats (bot_id, chat_id, allowed, model, history_from) VALUES
           (42, -1001234567890, 1, 'm', 0), (42, 7, 0, NULL, 99807);",
    )
    .unwrap();
    let mut exchange = tx
        .prepare(
            "INSERT INTO exchanges (bot_id, chat_id, user_id, question, answer, provider, at_ms,
                                    duration_ms, input_tokens, output_tokens)
             VALUES (42, ?1, ?1, ?2, ?3, 'openai', 5, 9, 100, 10)",
        )
        .unwrap();
    for n in 1..=EXCHANGES {
        let note = match n {
            99_905 => "\n\n_(The answer reached its length limit and is cut.)_",
            99_805 => "\n\n_(The provider's filter stopped this answer.)_",
            _ => "",
        };
        let (question, answer) = (format!("\"q\" {n}\n"), format!("ä {n}{note}"));
        exchange.execute(params![n % 200, question, answer]).unwrap();
    }
    drop(exchange);
    let sql =
        "INSERT INTO inbox (bot_id, update_id, chat_id, message_id, body, received_ms, done_ms,
                                  outcome) VALUES (42, ?1, ?2, ?3, ?4, 1000, ?5, ?6)";
    let chats = [Some(5_i64), Some(-1_001_234_567_890), Some(5), Some(-77), Some(6), Some(5)];
    for ((n, body), chat) in UPDATES.lines().enumerate().zip(chats) {
        tx.execute(sql, params![n as i64, chat, n as i64, body, None::<i64>, None::<String>])
            .unwrap();
    }
    let kept = UPDATES.lines().next().unwrap();
    tx.execute(sql, params![100, 5, 100, kept, 1000, "failed"]).unwrap();
    let sql = "INSERT INTO outbox (bot_id, chat_id, seq, text, extra, state, due_ms, floor_id,
                                   attempted_ms, created_ms) VALUES (42, ?1, ?2, ?3, ?4, ?5, 7, ?6, ?6, 7)";
    tx.execute(sql, params![5, 1, "in doubt", PART.trim(), 1, 99]).unwrap();
    tx.execute(sql, params![-1_001_234_567_890_i64, 2, "waits", PART.trim(), 0, None::<i64>])
        .unwrap();
    tx.execute(sql, params![5, 1, "waits, too", "{}", 0, None::<i64>]).unwrap();
    tx.commit().unwrap();
}

/// The last `turns` questions of a chat, with their answers.
async fn said(store: &Store, chat: i64, topic: i64, turns: usize) -> Vec<Message> {
    let kept = store.history(ConversationId { chat: ChatId(chat), topic }, turns).await.unwrap();
    kept.into_iter().flat_map(|turn| turn.messages).collect()
}

fn pair(n: i64) -> [Message; 2] {
    [Message::user(format!("\"q\" {n}\n")), Message::assistant(format!("ä {n}"))]
}

#[tokio::test]
async fn a_state_of_0_2_goes_on_with_nothing_lost() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("katana.db");
    of_0_2(&path);
    let backup = dir.path().join("backup");
    let contents = file::backup(&path, &backup, false).unwrap();
    assert_eq!((contents.schema, contents.bots[0].turns), (2, 100_000));
    assert_eq!((contents.bots[0].waiting, contents.bots[0].unsent), (6, 3));

    // A command line may visit the file before the daemon migrates it.
    let visitor = Store::visit(&path, BotId(42), Clock::manual(1_000_000)).unwrap();
    assert_eq!(visitor.users().await.unwrap().len(), 2);
    visitor.close().await;

    let begun = Instant::now();
    let store = Store::open(&path, BotId(42), Clock::manual(1_000_000)).unwrap();
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    eprintln!("migrated in {:?}", begun.elapsed());
    assert!(store.pre_migration_backup().is_some());
    goes_on(&store).await;
    store.close().await;
    assert_eq!(file::examine(&path).unwrap().schema, file::newest_schema());

    // The backup of 0.2 comes back the same way.
    let done = file::restore(&path, &backup, Some(BotId(42)), &Clock::manual(1_000_000)).unwrap();
    assert_eq!(done.contents.schema, 2);
    let store = Store::open(&path, BotId(42), Clock::manual(1_000_000)).unwrap();
    goes_on(&store).await;
    forgets(&store).await;
    store.close().await;
}

#[tokio::test]
async fn a_conversation_goes_on_whose_newest_questions_were_deleted_before_the_upgrade() {
    for keep in [0, 1, 3] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("katana.db");
        let mut conn = Connection::open(&path).unwrap();
        schema::migrate_to(&mut conn, 2).unwrap();
        // `/new` after the third question; then `/forget`, or the end of its time, took the newest.
        for id in 1..=3 {
            let sql = "INSERT INTO exchanges (bot_id, chat_id, user_id, question, answer, provider,
                         at_ms, duration_ms) VALUES (42, 7, ?1, 'q', 'a', 'openai', 5, 9)";
            conn.execute(sql, [id]).unwrap();
        }
        let sql = "INSERT INTO chats (bot_id, chat_id, history_from) VALUES (42, 7, 3)";
        conn.execute(sql, []).unwrap();
        conn.execute("DELETE FROM exchanges WHERE user_id > ?1", [keep]).unwrap();
        drop(conn);
        let store = Store::open(&path, BotId(42), Clock::manual(1_000_000)).unwrap();
        assert!(said(&store, 7, 0, 9).await.is_empty(), "/new ended it");
        let conversation = ConversationId { chat: ChatId(7), topic: 0 };
        turn(&store, 1, conversation, 7).await;
        let wanted = [Message::user("question 1"), Message::assistant("answer 1")];
        assert_eq!(said(&store, 7, 0, 9).await, wanted, "{keep} kept");
        store.close().await;
    }
}

async fn goes_on(store: &Store) {
    assert_eq!(store.next_offset().await.unwrap(), 900);
    assert!(store.settings().await.unwrap().paused);
    let totals = store.totals().await.unwrap();
    assert_eq!((totals.turns, totals.chats, totals.input_tokens), (100_000, 200, 10_000_000));
    let users = store.users().await.unwrap();
    assert_eq!(users.iter().map(|u| u.role).collect::<Vec<_>>(), [Role::Owner, Role::Member]);
    let group = ConversationId { chat: ChatId(-1_001_234_567_890), topic: 0 };
    assert_eq!(store.chosen_model(group).await.unwrap().as_deref(), Some("m"));
    // Conversations go on outside of topics; the notes of 0.2 are not the model's words.
    assert_eq!(said(store, 5, 0, 1).await, pair(99_805));
    assert_eq!(said(store, 105, 0, 1).await, pair(99_905));
    assert_eq!(said(store, 8, 0, 2).await, [pair(99_608), pair(99_808)].concat());
    assert!(said(store, 5, 7, 9).await.is_empty(), "a topic starts empty");
    assert!(said(store, 7, 0, 9).await.is_empty(), "/new was the last thing that happened there");
    // Updates that wait, and the one that is kept.
    let waiting = store.new_updates(InboxSeq(0), 10).await.unwrap();
    assert_eq!(waiting.len(), 6);
    for (queued, json) in waiting.iter().zip(UPDATES.lines()) {
        assert_eq!(serde_json::to_string(&queued.update.event).unwrap(), json);
    }
    let UpdateEvent::Message(first) = &waiting[0].update.event else { panic!("{waiting:?}") };
    assert_eq!(first.body, Body::Text("one more".into()));
    assert!(store.kept_update(InboxSeq(7)).await.unwrap().is_some());
    // Parts in doubt, and parts that wait.
    let in_doubt = store.parts_in_doubt().await.unwrap();
    assert_eq!((in_doubt.len(), in_doubt[0].text.as_str()), (1, "in doubt"));
    assert_eq!(in_doubt[0].state, PartState::Sending { id_before: MessageId(99), at_ms: 99 });
    assert_eq!(serde_json::to_string(&in_doubt[0].extra).unwrap(), PART.trim());
    assert_eq!(in_doubt[0].extra.entities[0].kind, EntityKind::Bold);
    assert_eq!(store.due_parts(ChatId(5), 10).await.unwrap()[0].text, "waits, too");
    assert_eq!(store.open_chats().await.unwrap().len(), 2);
}

async fn forgets(store: &Store) {
    assert_eq!(store.turns_of(UserId(5)).await.unwrap(), 500);
    store.apply(vec![Effect::Forget(UserId(5)), Effect::Forget(UserId(6))]).await.unwrap();
    assert_eq!(store.turns_of(UserId(5)).await.unwrap(), 0);
    assert_eq!(store.totals().await.unwrap().turns, 99_000);
    assert!(store.kept_update(InboxSeq(7)).await.unwrap().is_none());
    let waiting = store.new_updates(InboxSeq(0), 10).await.unwrap();
    assert_eq!(waiting.len(), 3, "what no person sent");
    assert!(store.due_parts(ChatId(-1_001_234_567_890), 10).await.unwrap().is_empty());
}

/// A number that was used names another row for good: in a button of an old message, for example.
#[tokio::test]
async fn numbers_go_on_after_rows_that_were_removed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("katana.db");
    let mut conn = Connection::open(&path).unwrap();
    schema::migrate_to(&mut conn, 2).unwrap();
    conn.execute_batch(
        "INSERT INTO inbox (seq, bot_id, update_id, body, received_ms) VALUES (30, 42, 1, '', 1);
         INSERT INTO outbox (id, bot_id, chat_id, seq, text, extra, due_ms, created_ms)
           VALUES (40, 42, 7, 30, '', '', 1, 1);
         DELETE FROM inbox; DELETE FROM outbox;",
    )
    .unwrap();
    drop(conn);
    let clock = Clock::manual(1_000_000);
    let store = Store::open(&path, BotId(42), clock.clone()).unwrap();
    let conversation = ConversationId { chat: ChatId(7), topic: 0 };
    turn(&store, 1, conversation, 7).await;
    let part = store.due_parts(ChatId(7), 9).await.unwrap().pop().unwrap();
    assert_eq!(part.id.0, 41);
    let sent = DeliveryRecord { id: part.id, outcome: DeliveryOutcome::Sent(MessageId(9)) };
    store.record_delivery(vec![sent], Vec::new()).await.unwrap();
    // Everything becomes old, and the last turn is forgotten.
    clock.advance(400 * 24 * 3600 * 1000);
    while store.sweep(Keep { history_days: 0, done_days: 1 }).await.unwrap().is_full() {}
    store.apply(vec![Effect::StartAfresh(conversation), Effect::Forget(UserId(7))]).await.unwrap();
    store.close().await;
    let store = Store::open(&path, BotId(42), clock).unwrap();
    turn(&store, 2, conversation, 7).await;
    assert_eq!(said(&store, 7, 0, 9).await.len(), 2, "it is not taken for one before /new");
    assert_eq!(store.due_parts(ChatId(7), 9).await.unwrap()[0].id.0, 42);
    assert_eq!(store.new_updates(InboxSeq(0), 9).await.unwrap().len(), 0);
}
