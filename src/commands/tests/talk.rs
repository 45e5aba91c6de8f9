//! What each command says and remembers.

use super::*;
use crate::model::feature::{Audience, Features};
use crate::model::message::ContentKind;

#[tokio::test]
async fn every_command_answers_each_role_as_it_should() {
    let house = House::lived_in(Rules::default()).await;
    house
        .context
        .store
        .apply(vec![Effect::AllowChat { chat: GROUP, allowed: true }])
        .await
        .unwrap();
    for command in table() {
        for (user, role) in [(OWNER, Role::Owner), (MEMBER, Role::Member)] {
            for chat in [ChatId(user.0), GROUP] {
                if matches!(command.name, "pause" | "resume" | "remove") && role == Role::Owner {
                    continue; // They change the house; they have tests of their own.
                }
                let outcome = house.ask_in(chat, user, &format!("/{}", command.name)).await;
                assert_eq!(outcome.replies.len(), 1, "{} {role:?} {chat}", command.name);
                let say = &outcome.replies[0];
                assert_eq!(say.to, chat);
                assert_eq!(say.reply.reply_to.is_some(), chat == GROUP);
                let refused = text(&outcome).starts_with("Only my owner can use");
                assert_eq!(refused, command.who == Who::Owner && role == Role::Member);
                let misplaced = text(&outcome).contains("works in a private chat");
                let should = chat == GROUP && command.places == Places::Private && !refused;
                assert_eq!(misplaced, should, "{}", command.name);
            }
        }
    }
}

#[tokio::test]
async fn a_removed_person_may_still_be_forgotten() {
    let house = House::lived_in(Rules::default()).await;
    house.said(ChatId(MEMBER.0), MEMBER).await;
    house.ask(OWNER, "/remove 2").await;
    assert_eq!(house.context.role(&MEMBER).await.unwrap(), Role::Stranger);
    assert!(text(&house.ask(MEMBER, "/forget yes").await).starts_with("Done."));
    assert!(text(&house.ask(MEMBER, "/forget yes").await).contains("pairing code"));
}

#[tokio::test]
async fn unknown_words_are_met_with_a_guess() {
    let house = House::lived_in(Rules::default()).await;
    assert!(text(&house.ask(MEMBER, "/hlep").await).contains("Did you mean /help?"));
    assert!(text(&house.ask(MEMBER, "/userz").await).contains("/help lists"), "owners' only");
    assert!(text(&house.ask(OWNER, "/userz").await).contains("Did you mean /users?"));
    assert!(text(&house.ask(MEMBER, "/__a__b").await).contains("\\_\\_a\\_\\_b"));
    assert!(text(&house.ask(MEMBER, "/help nwe").await).contains("Did you mean /new?"));
    assert!(text(&house.ask(MEMBER, "/help /model").await).contains("default"));
    assert!(!text(&house.ask(MEMBER, "/help users").await).contains("approve them"));
}

#[tokio::test]
async fn help_lists_what_its_reader_may_use() {
    let house = House::lived_in(Rules::default()).await;
    let (member, owner) = (house.ask(MEMBER, "/help").await, house.ask(OWNER, "/help").await);
    for command in table().iter().filter(|c| c.name != "claim") {
        let line = format!("- /{} –", command.name);
        assert!(text(&owner).contains(&line));
        assert_eq!(text(&member).contains(&line), command.who != Who::Owner);
    }
}

#[tokio::test]
async fn the_model_is_chosen_per_chat() {
    let house = House::lived_in(Rules { allow_chats: vec![GROUP], ..Rules::default() }).await;
    assert!(text(&house.ask(MEMBER, "/model").await).contains("`gpt-x` answers"));
    assert!(house.ask(MEMBER, "/model two words").await.effects.is_empty());
    house.ask(MEMBER, "/model meta/llama:70b").await;
    let chosen = async |chat| {
        let conversation = ConversationId { chat, topic: 0 };
        house.context.store.chosen_model(conversation).await.unwrap()
    };
    assert_eq!(chosen(ChatId(MEMBER.0)).await.as_deref(), Some("meta/llama:70b"));
    assert!(text(&house.ask(MEMBER, "/model").await).contains("`meta/llama:70b` answers"));
    assert!(text(&house.ask(MEMBER, "/status").await).contains("llama"));
    house.ask(MEMBER, "/model Default").await;
    assert_eq!(chosen(ChatId(MEMBER.0)).await, None);
    assert!(text(&house.ask_in(GROUP, MEMBER, "/model x").await).contains("only my owner"));
    house.ask_in(GROUP, OWNER, "/model X").await;
    assert_eq!(chosen(GROUP).await.as_deref(), Some("x"));
}

#[tokio::test]
async fn only_models_on_offer_can_be_chosen_also_by_owners_and_forged_buttons() {
    let house = House::lived_in(Rules { allow_chats: vec![GROUP], ..Rules::default() }).await;
    for user in [MEMBER, OWNER] {
        let refused = house.ask(user, "/model nosuch").await;
        assert!(refused.effects.is_empty() && text(&refused).contains("not offered"));
    }
    let shown = house.ask(MEMBER, "/model").await;
    let buttons = shown.replies[0].reply.buttons.concat();
    let labels: Vec<&str> = buttons.iter().map(|button| button.label.as_str()).collect();
    assert_eq!(labels, ["✓ gpt-x", "meta/llama:70b", "x"]);
    let private = ConversationId { chat: ChatId(MEMBER.0), topic: 0 };
    let chosen = async || house.context.store.chosen_model(private).await.unwrap();
    let pressed = house.press(MEMBER, &buttons[1].data).await;
    assert!(text(&pressed).contains("`meta/llama:70b` answers"));
    assert_eq!(chosen().await.as_deref(), Some("meta/llama:70b"));
    for data in ["model", "model:", "model:nosuch", "model:meta/llama:70b", "model:0000"] {
        let forged = house.press(MEMBER, data).await;
        assert!(forged.effects.is_empty() && toast(&forged).contains("not offered"), "{data}");
    }
    assert!(house.press(STRANGER, &buttons[2].data).await.effects.is_empty());
    assert!(house.press_in(GROUP, MEMBER, &buttons[2].data).await.effects.is_empty());
    assert!(house.ask_in(GROUP, MEMBER, "/model").await.replies[0].reply.buttons.is_empty());
    house.press(MEMBER, &buttons[0].data).await;
    assert_eq!(chosen().await, None);
    // The operator takes a model off the list.
    house.press(MEMBER, &buttons[2].data).await;
    let about = About { models: Vec::new(), ..(*house.context.about()).clone() };
    house.context.set_about(about);
    let shown = house.ask(MEMBER, "/model").await;
    assert!(text(&shown).starts_with("In this chat `gpt-x` answers."), "{}", text(&shown));
    assert!(shown.replies[0].reply.buttons.is_empty());
}

#[tokio::test]
async fn choosing_a_model_can_be_open_to_a_few() {
    let features = Features { models: Audience::Testers, testers: vec![MEMBER] };
    let house = House::lived_in(Rules { open: true, features, ..Rules::default() }).await;
    for user in [OWNER, MEMBER] {
        let chosen = house.ask(user, "/model x").await;
        assert_eq!(chosen.effects.len(), 1, "{chosen:?}");
    }
    let shown = house.ask(MEMBER, "/model").await;
    let buttons = shown.replies[0].reply.buttons.concat();
    let refused = house.ask(STRANGER, "/model x").await;
    assert!(refused.effects.is_empty() && text(&refused).contains("not open to you"));
    let shown = house.ask(STRANGER, "/model").await;
    assert!(shown.replies[0].reply.buttons.is_empty(), "{shown:?}");
    let pressed = house.press(STRANGER, &buttons[1].data).await;
    assert!(pressed.effects.is_empty() && toast(&pressed).contains("not open to you"));
}

#[tokio::test]
async fn pausing_is_remembered_and_shown() {
    let house = House::lived_in(Rules::default()).await;
    assert!(text(&house.ask(OWNER, "/resume").await).contains("not paused"));
    house.ask(OWNER, "/pause").await;
    assert!(house.context.store.settings().await.unwrap().paused);
    assert!(text(&house.ask(OWNER, "/pause").await).contains("already"));
    assert!(text(&house.ask(MEMBER, "/status").await).contains("**paused**"));
    assert!(text(&house.ask(MEMBER, "/start").await).contains("paused"));
    house.ask(OWNER, "/resume").await;
    assert!(!house.context.store.settings().await.unwrap().paused);
}

#[tokio::test]
async fn status_counts_what_waits_without_itself() {
    let house = House::lived_in(Rules::default()).await;
    let asked = [question(ChatId(2), MEMBER, 10), question(ChatId(2), MEMBER, 11)];
    house.context.store.accept(asked.to_vec(), Some(12)).await.unwrap();
    house.clock.advance(5000);
    let status = house.ask(MEMBER, "/status").await;
    assert!(text(&status).contains("Up for 1 h 2 min (Katana 0.1.0"));
    assert!(text(&status).contains("Messages waiting: 1, the oldest for 5 s"));
}

#[tokio::test]
async fn status_shows_only_the_owner_what_is_wrong() {
    use crate::observe::finding::{Finding, Kind, Severity, Verdict};
    let house = House::lived_in(Rules::default()).await;
    let fine = house.ask(OWNER, "/status").await;
    assert!(text(&fine).contains("I know of no problem"), "{}", text(&fine));
    house.context.vitals.verdict.store(Arc::new(Verdict::of(vec![Finding {
        kind: Kind::ProviderFailing,
        severity: Severity::Degraded,
        text: "the last 4 questions failed".to_owned(),
        since_ms: house.clock.now_ms() - 120_000,
    }])));
    let told = house.ask(OWNER, "/status").await;
    let line = "**Problem** for 2 min: the last 4 questions failed (`provider_failing`";
    assert!(text(&told).contains(line), "{}", text(&told));
    let member = house.ask(MEMBER, "/status").await;
    assert!(!text(&member).contains("Trouble"), "{}", text(&member));
}

#[tokio::test]
async fn whoami_new_cancel_and_stats_say_what_is_so() {
    let house = House::lived_in(Rules::default()).await;
    house.said(ChatId(MEMBER.0), MEMBER).await;
    let me = house.ask(MEMBER, "/whoami").await;
    for part in ["`2`", "member", "P2 (@user\\_2)", "1 question "] {
        assert!(text(&me).contains(part), "{part}");
    }
    let conversation = ConversationId { chat: ChatId(MEMBER.0), topic: 0 };
    let fresh = house.ask(MEMBER, "/new").await;
    assert_eq!(fresh.effects, [Effect::StartAfresh(conversation)]);
    assert!(house.context.store.history(conversation, 5).await.unwrap().is_empty());
    assert_eq!(house.context.store.turns_of(MEMBER).await.unwrap(), 1, "/new deletes nothing");
    assert!(text(&house.ask(MEMBER, "/cancel").await).contains("nothing to stop"));
    house.context.vitals.answers.add(1234);
    let stats = house.ask(OWNER, "/stats").await;
    assert!(text(&stats).contains("Questions answered: 1,234"));
    assert!(text(&stats).contains("1 question in 1 chat\n"));
}

#[tokio::test]
async fn a_long_list_of_hostile_people_stays_readable() {
    let house = House::lived_in(Rules::default()).await;
    for i in 0..50 {
        let name = format!("*E{i}*\n`x` \u{202e}[a](b)");
        let person = Person { id: UserId(100 + i), name, username: None };
        house.knock(&person).await;
    }
    let list = house.ask(OWNER, "/users").await;
    let (shown, reply) = (text(&list), &list.replies[0].reply);
    assert!(shown.contains("… and 22 more.") && !shown.contains('\u{202e}'));
    assert!(shown.contains("- **waiting** \\*E0\\* \\`x\\` \\[a\\]\\(b\\), id `100`, code `"));
    assert_eq!(shown.lines().filter(|l| l.starts_with("- ")).count(), 30);
    assert_eq!(reply.buttons.len(), 8);
    assert_eq!(house.press(OWNER, &reply.buttons[0][0].data).await.effects.len(), 1);
    let told = house.knock(&Person { id: UserId(999), name: "`".into(), username: None }).await;
    assert!(told.replies[1].reply.text().starts_with("\\` would like"));
}

#[tokio::test]
async fn what_cannot_be_read_is_named() {
    let house = House::new(Rules::default());
    assert!(house.context.unsupported(ContentKind::Voice).text().contains("voice messages"));
    assert!(
        house.context.unsupported(ContentKind::Checklist).text().contains("messages of this kind")
    );
}
