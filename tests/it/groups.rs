//! Groups: silent unless allowed and addressed, and the same group under a new id.

use botapi_sim::{ChatKind, Hold, HoldAt, ModelFault};

use crate::harness::{OWNER, SOON, Stage, eventually};
use crate::process::Daemon;

const GROUP: i64 = -700;
const SUPER: i64 = -1_000_000_000_700;

/// A bot that the owner has let into a group.
async fn let_in() -> Stage {
    let_in_to(Stage::running(&[]).await).await
}

async fn let_in_to(stage: Stage) -> Stage {
    stage.sim.group(GROUP, "Friends", ChatKind::Group);
    stage.sim.say_in(GROUP, OWNER, "/approve@katana_sim_bot");
    let texts = stage.texts(GROUP, 1).await;
    assert!(texts[0].starts_with("I answer everyone in this group from now on"), "{texts:?}");
    stage
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_hears_nothing_until_the_owner_allows_it() {
    let stage = Stage::running(&[]).await;
    let sim = &stage.sim;
    sim.group(GROUP, "Friends", ChatKind::Group);
    sim.say_in(GROUP, 5, "@katana_sim_bot hello");
    sim.say_in(GROUP, 5, "/help@katana_sim_bot");
    sim.say_in(GROUP, 5, "/approve@katana_sim_bot");
    stage.idle().await;
    assert_eq!(sim.bot_message_count(), 0, "{:?}", sim.bot_messages(GROUP));
    sim.say_in(GROUP, OWNER, "/help@katana_sim_bot");
    let texts = stage.texts(GROUP, 1).await;
    assert_eq!(texts, ["I do not answer in this group yet. Send /approve here, and I will."]);
    sim.say_in(GROUP, OWNER, "/approve@katana_sim_bot");
    stage.texts(GROUP, 2).await;
    sim.say_in(GROUP, 5, "@katana_sim_bot hello");
    assert_eq!(stage.texts(GROUP, 3).await[2], "echo: hello");
    sim.say_in(GROUP, OWNER, "/remove@katana_sim_bot");
    stage.texts(GROUP, 4).await;
    sim.say_in(GROUP, 5, "@katana_sim_bot hello?");
    stage.idle().await;
    assert_eq!(sim.bot_messages(GROUP).len(), 4);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn removing_a_group_waits_for_no_answer_there_and_ends_them() {
    let stage = let_in_to(Stage::with_model(&[]).await).await;
    let sim = &stage.sim;
    let told = sim.bot_messages(GROUP).len();
    sim.model().fault_next(ModelFault::Hang);
    sim.say_in(GROUP, 5, "@katana_sim_bot this hangs");
    assert!(sim.model().wait_calls(1, SOON).await);
    sim.say_in(GROUP, 6, "@katana_sim_bot this waits");
    // From someone who may not, it changes nothing.
    sim.say_in(GROUP, 6, "/remove@katana_sim_bot");
    sim.say_in(GROUP, OWNER, "/remove@katana_sim_bot");
    let texts = stage.texts(GROUP, told + 2).await;
    assert!(texts[told].starts_with("Only my owner"), "{texts:?}");
    assert!(texts[told + 1].starts_with("I no longer answer"), "{texts:?}");
    // Neither the answer that hung nor the question behind it is answered.
    stage.idle().await;
    assert_eq!((sim.bot_messages(GROUP).len(), sim.model().calls()), (told + 2, 1));
    // Commands keep their order: the group is allowed in the end.
    sim.say_in(GROUP, OWNER, "/approve@katana_sim_bot");
    stage.texts(GROUP, told + 3).await;
    sim.model().fault_next(ModelFault::Hang);
    sim.say_in(GROUP, 5, "@katana_sim_bot this hangs, too");
    assert!(sim.model().wait_calls(2, SOON).await);
    for command in ["help", "remove", "approve"] {
        sim.say_in(GROUP, OWNER, &format!("/{command}@katana_sim_bot"));
    }
    sim.say_in(GROUP, 5, "/cancel@katana_sim_bot");
    stage.idle().await;
    sim.say_in(GROUP, 5, "@katana_sim_bot hello");
    stage.idle().await;
    assert!(sim.bot_messages(GROUP).last().expect("one").text.contains("hello"));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_group_the_bot_answers_only_when_addressed_and_attaches_its_reply() {
    let stage = let_in().await;
    let sim = &stage.sim;
    sim.say_in(GROUP, 5, "hello everybody");
    sim.say_in(GROUP, 5, "/help");
    sim.say_in(GROUP, 5, "/help@some_other_bot");
    sim.say_in(GROUP, 5, "me@katana_sim_bots and @katana_sim_botany");
    sim.photo(GROUP, 5, "look");
    let asked = sim.say_in(GROUP, 6, "what is this, @Katana_Sim_Bot?");
    let texts = stage.texts(GROUP, 2).await;
    assert_eq!(texts[1], "echo: what is this, @Katana_Sim_Bot?");
    let answer = sim.bot_messages(GROUP).swap_remove(1);
    assert_eq!(answer.reply_to, Some(asked.message_id));
    let back = sim.reply_in(GROUP, 5, answer.message_id, "and that?");
    assert_eq!(stage.texts(GROUP, 3).await[2], "echo: and that?");
    assert_eq!(sim.bot_messages(GROUP)[2].reply_to, Some(back.message_id));
    let command = sim.say_in(GROUP, 5, "/whoami@katana_sim_bot");
    let texts = stage.texts(GROUP, 4).await;
    assert!(texts[3].starts_with("You are User 5."), "{texts:?}");
    assert_eq!(sim.bot_messages(GROUP)[3].reply_to, Some(command.message_id));
    stage.idle().await;
    assert_eq!(sim.bot_messages(GROUP).len(), 4);
    assert_eq!(stage.counter("ignored", "not_addressed"), 5);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_allowed_by_configuration_needs_no_owner() {
    let stage = Stage::running(&[("KATANA_BOT_ALLOW_CHATS", "-700")]).await;
    stage.sim.say_in(GROUP, 5, "@katana_sim_bot hello");
    assert_eq!(stage.texts(GROUP, 1).await, ["echo: hello"]);
    stage.sim.say_in(GROUP, OWNER, "/remove@katana_sim_bot");
    let texts = stage.texts(GROUP, 2).await;
    assert!(texts[1].starts_with("This group is allowed by configuration"), "{texts:?}");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn private_commands_and_channels_are_not_for_groups() {
    let stage = let_in().await;
    stage.sim.say_in(GROUP, OWNER, "/users@katana_sim_bot");
    let texts = stage.texts(GROUP, 2).await;
    assert_eq!(texts[1], "/users works in a private chat with me only.");
    stage.sim.channel_post(-1_000_000_000_009, "@katana_sim_bot hello");
    stage.idle().await;
    assert_eq!(stage.sim.bot_message_count(), 2);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_becomes_a_supergroup_keeps_its_right_and_its_pending_replies() {
    let stage = let_in().await;
    let sim = &stage.sim;
    sim.say_in(GROUP, 5, "@katana_sim_bot before");
    stage.texts(GROUP, 2).await;
    // Two replies are on their way when the group moves: one in flight, one behind it.
    let hold = sim.hold(Hold::Chat("sendMessage", GROUP), HoldAt::BeforeEffect);
    sim.say_in(GROUP, 5, "@katana_sim_bot one");
    sim.say_in(GROUP, 6, "@katana_sim_bot two");
    assert!(hold.wait_held(1, SOON).await);
    sim.migrate(GROUP, SUPER);
    hold.release();
    let texts = stage.texts(SUPER, 2).await;
    assert_eq!(texts, ["echo: one", "echo: two"]);
    sim.say_in(SUPER, 5, "@katana_sim_bot after");
    assert_eq!(stage.texts(SUPER, 3).await[2], "echo: after");
    stage.idle().await;
    assert_eq!(sim.bot_messages(GROUP).len(), 2, "nothing more in the old chat");
    assert_eq!(sim.bot_messages(SUPER).len(), 3);
    assert_eq!(stage.app().pipeline().base.vitals.dropped.get(), 0);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_is_learned_from_the_refusal_alone() {
    let mut stage = let_in().await;
    // The service messages never reach the bot: only the refusal names the new id.
    assert!(stage.stop().await);
    stage.sim.say_in(GROUP, 5, "@katana_sim_bot hello");
    stage.sim.migrate(GROUP, SUPER);
    let hold = stage.sim.hold(Hold::Chat("sendMessage", GROUP), HoldAt::BeforeEffect);
    stage.start().await;
    assert!(hold.wait_held(1, SOON).await);
    hold.release();
    assert_eq!(stage.texts(SUPER, 1).await, ["echo: hello"]);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_that_is_kicked_drops_its_replies_there_and_works_again_when_invited() {
    let stage = let_in().await;
    let sim = &stage.sim;
    let hold = sim.hold(Hold::Chat("sendMessage", GROUP), HoldAt::BeforeEffect);
    sim.say_in(GROUP, 5, "@katana_sim_bot one");
    assert!(hold.wait_held(1, SOON).await);
    sim.kick(GROUP);
    hold.release();
    stage.idle().await;
    assert_eq!(sim.bot_messages(GROUP).len(), 1, "only the word from before");
    // Counted right after the commit.
    assert!(eventually(|| stage.app().pipeline().base.vitals.dropped.get() == 1).await);
    assert_eq!(stage.ask(5, "elsewhere").await, "echo: elsewhere");
    sim.invite(GROUP, OWNER);
    sim.say_in(GROUP, 5, "@katana_sim_bot again");
    assert_eq!(stage.texts(GROUP, 2).await[1], "echo: again");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_allowed_by_configuration_stays_allowed_as_a_supergroup() {
    let stage = Stage::running(&[("KATANA_BOT_ALLOW_CHATS", "-700")]).await;
    let sim = &stage.sim;
    sim.say_in(GROUP, 5, "@katana_sim_bot before");
    stage.texts(GROUP, 1).await;
    sim.migrate(GROUP, SUPER);
    sim.say_in(SUPER, 5, "@katana_sim_bot after");
    assert_eq!(stage.texts(SUPER, 1).await, ["echo: after"]);
    sim.say_in(SUPER, OWNER, "/remove@katana_sim_bot");
    let texts = stage.texts(SUPER, 2).await;
    assert!(
        texts[1].contains("allowed by configuration") && texts[1].contains("-700"),
        "{texts:?}"
    );
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_question_after_a_move_is_answered_whenever_the_move_is_heard_of() {
    for allowed in ["-700", ""] {
        let stage = match allowed {
            "" => let_in().await,
            ids => Stage::running(&[("KATANA_BOT_ALLOW_CHATS", ids)]).await,
        };
        let sim = &stage.sim;
        // Of the two service messages, only the one in the new chat comes, and after the question.
        sim.say_in(SUPER, 5, "@katana_sim_bot early");
        sim.say_in(SUPER, 5, "/help@some_other_bot");
        tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
        assert_eq!(sim.bot_messages(SUPER).len(), 0);
        sim.say_with(SUPER, 5, "", "migrate_from_chat_id", serde_json::json!(GROUP));
        assert_eq!(stage.texts(SUPER, 1).await, ["echo: early"]);
        stage.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_is_looked_at_several_times_is_logged_once() {
    let stage = Stage::new().await;
    let daemon = Daemon::start(&stage);
    stage.sim.say_in(SUPER, 5, "@katana_sim_bot hello");
    stage.sim.say(7, "hello");
    stage.texts(7, 1).await;
    // Longer than the second after which it is looked at again.
    tokio::time::sleep(std::time::Duration::from_millis(2500)).await;
    let log = daemon.log();
    let received = log.lines().filter(|line| line.contains("message received"));
    assert_eq!(received.count(), 2, "{log}");
    drop(daemon);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_supergroup_that_never_was_allowed_stays_silent() {
    let stage = let_in().await;
    stage.sim.say_in(SUPER, 5, "@katana_sim_bot hello");
    stage.idle().await;
    assert_eq!(stage.sim.bot_messages(SUPER).len(), 0);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_anonymous_administrator_is_answered_and_has_no_ones_rights() {
    let stage = let_in().await;
    let sim = &stage.sim;
    let say = |chat: i64, text: &str| {
        let group = serde_json::json!({"id": chat, "type": "group", "title": "Friends"});
        let from = serde_json::json!({"id": 1_087_968_824, "is_bot": true, "first_name": "Group",
            "username": "GroupAnonymousBot"});
        sim.say_fields(
            chat,
            0,
            &serde_json::json!({"text": text, "from": from, "sender_chat": group}),
        )
    };
    say(GROUP, "@katana_sim_bot hello");
    assert_eq!(stage.texts(GROUP, 2).await[1], "echo: hello");
    for (count, command) in ["/remove", "/forget", "/pause"].iter().enumerate() {
        say(GROUP, &format!("{command}@katana_sim_bot yes"));
        let texts = stage.texts(GROUP, 3 + count).await;
        assert!(texts[2 + count].starts_with("You write anonymously"), "{command}: {texts:?}");
    }
    // Where the bot is not allowed, only who tries to let it in hears why that fails.
    say(-701, "@katana_sim_bot hello");
    say(-701, "/help@katana_sim_bot");
    say(-701, "/approve@katana_sim_bot");
    let texts = stage.texts(-701, 1).await;
    assert!(texts[0].starts_with("You write anonymously"), "{texts:?}");
    say(GROUP, "@katana_sim_bot still here?");
    assert_eq!(stage.texts(GROUP, 6).await[5], "echo: still here?");
    stage.idle().await;
    assert_eq!(sim.bot_messages(-701).len(), 1);
    stage.end().await;
}
