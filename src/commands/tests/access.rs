//! Strangers, codes, owners, groups.

use super::*;
use crate::model::feature::Features;
use crate::model::limits;

#[tokio::test]
async fn a_stranger_is_heard_once_then_silence_even_after_a_restart() {
    let house = House::lived_in(Rules::default()).await;
    let first = house.ask(STRANGER, "/start").await;
    let code = house.code_of(STRANGER).await;
    assert!(text(&first).contains(&code));
    assert_eq!(first.replies.len(), 2, "the stranger and the owner");
    let told = &first.replies[1];
    assert_eq!(told.to, ChatId(OWNER.0));
    assert_eq!(told.reply.buttons[0][0].data, format!("approve:{code}"));
    assert!(told.reply.buttons[0].iter().all(|b| (1..=64).contains(&b.data.len())));

    for command in table().iter().filter(|c| c.name != "claim") {
        assert!(is_silent(&house.ask(STRANGER, &format!("/{}", command.name)).await));
    }
    assert!(is_silent(&house.ask(STRANGER, "/nonsense").await));
    let House { context: old, clock, dir, asked } = house;
    old.store.close().await;
    drop(old);
    let context = context(&dir, &clock, Rules::default());
    let house = House { context, clock, dir, asked };
    assert!(is_silent(&house.knock(&named(STRANGER)).await));

    house.clock.advance(i64::try_from(limits::STRANGER_SILENCE.as_millis()).unwrap());
    let again = house.knock(&named(STRANGER)).await;
    assert!(text(&again).contains(&code), "a code that is good is used again");
    assert_eq!(again.replies.len(), 1, "owners hear of a code once");
    house.clock.advance(i64::try_from(limits::PAIRING_CODE_LIFE.as_millis()).unwrap() + 1);
    let later = house.knock(&named(STRANGER)).await;
    assert!(!text(&later).contains(&code) && later.replies.len() == 2);
}

#[tokio::test]
async fn a_flood_of_strangers_gets_silence() {
    let house = House::lived_in(Rules::default()).await;
    let mut answered = 0;
    for i in 0..limits::STRANGERS_PER_HOUR as i64 + 20 {
        answered += usize::from(!is_silent(&house.knock(&named(UserId(1000 + i))).await));
    }
    assert_eq!(answered, limits::STRANGERS_PER_HOUR);
    house.clock.advance(3_600_000);
    assert!(!is_silent(&house.knock(&named(UserId(5000))).await));
}

#[tokio::test]
async fn only_a_stranger_is_offered_a_code() {
    let house = House::lived_in(Rules::default()).await;
    assert!(is_silent(&house.knock(&named(OWNER)).await));
    assert!(is_silent(&house.knock(&named(MEMBER)).await));
    let in_group = house.context.stranger(&named(STRANGER), GROUP, Place::Group).await.unwrap();
    assert!(is_silent(&in_group));
    // A code that is on its way when its person is approved changes nothing any more.
    let late = Effect::OfferCode { person: named(MEMBER), code: CLAIM.into(), at_ms: 0 };
    house.context.store.apply(vec![late]).await.unwrap();
    assert_eq!(house.context.role(&MEMBER).await.unwrap(), Role::Member);
}

#[tokio::test]
async fn configuration_and_store_make_roles() {
    let rules = Rules {
        owners: vec![UserId(50)],
        allow_users: vec![UserId(51), OWNER],
        allow_chats: vec![ChatId(-7)],
        open: false,
        features: Features::default(),
    };
    let house = House::lived_in(rules).await;
    let role = async |id| house.context.role(&UserId(id)).await.unwrap();
    assert_eq!(
        [role(1).await, role(2).await, role(3).await],
        [Role::Owner, Role::Member, Role::Stranger]
    );
    assert_eq!([role(50).await, role(51).await], [Role::Owner, Role::Member]);
    let may =
        async |chat, role| house.context.may_chat(Place::Group, ChatId(chat), role).await.unwrap();
    assert!(may(-7, Role::Stranger).await && !may(-8, Role::Owner).await);
    let open = House::new(Rules { open: true, ..Rules::default() });
    assert_eq!(open.context.role(&STRANGER).await.unwrap(), Role::Member);
    open.knock(&named(STRANGER)).await;
    assert!(open.context.store.user(STRANGER).await.unwrap().is_none());
}

#[tokio::test]
async fn the_right_code_makes_the_owner_and_wrong_ones_run_out() {
    let house = House::new(Rules::default());
    house.context.store.opening(CLAIM.into()).await.unwrap();
    assert!(text(&house.knock(&named(STRANGER)).await).contains("/claim CODE"));
    for _ in 0..limits::CODE_TRIES_PER_HOUR {
        assert!(text(&house.ask(STRANGER, "/claim AAAA-BBBB").await).contains("not the code"));
    }
    let over = house.ask(STRANGER, &format!("/claim {CLAIM}")).await;
    assert!(text(&over).contains("Too many tries"), "even the right code is not looked at");
    assert!(is_silent(&house.ask(STRANGER, &format!("/claim {CLAIM}")).await));
    assert_eq!(house.context.role(&STRANGER).await.unwrap(), Role::Stranger);

    let won = house.ask(OWNER, "/claim k7qm 2xwd").await;
    assert!(text(&won).contains("you are my owner now"));
    assert_eq!(house.context.role(&OWNER).await.unwrap(), Role::Owner);
    let wrong = house.ask(UserId(8), "/claim AAAA-BBBB").await;
    let right = house.ask(UserId(9), &format!("/claim {CLAIM}")).await;
    assert_eq!(text(&wrong), text(&right));
    assert!(text(&right).contains("already has an owner") && right.effects.is_empty());
}

#[tokio::test]
async fn a_bot_owned_by_configuration_cannot_be_claimed() {
    let house = House::new(Rules { owners: vec![OWNER], ..Rules::default() });
    house.context.store.opening(CLAIM.into()).await.unwrap();
    let outcome = house.ask(STRANGER, &format!("/claim {CLAIM}")).await;
    assert!(text(&outcome).contains("already has an owner") && outcome.effects.is_empty());
}

#[tokio::test]
async fn owners_approve_by_code_and_by_button() {
    let house = House::lived_in(Rules::default()).await;
    for code in ["", "nonsense", "AAAA-BBBB"] {
        let outcome = house.ask(OWNER, &format!("/approve {code}")).await;
        assert!(outcome.effects.is_empty() && text(&outcome).contains("/users"));
    }
    house.knock(&named(STRANGER)).await;
    let code = house.code_of(STRANGER).await;
    let outcome = house.ask(OWNER, &format!("/approve {}", code.to_lowercase())).await;
    assert_eq!(outcome.replies[1].to, ChatId(STRANGER.0), "the person hears of it");
    assert_eq!(house.context.role(&STRANGER).await.unwrap(), Role::Member);
    assert!(toast(&house.press(OWNER, &format!("approve:{code}")).await).contains("already"));

    house.knock(&named(UserId(4))).await;
    let data = format!("approve:{}", house.code_of(UserId(4)).await);
    assert!(toast(&house.press(MEMBER, &data).await).contains("Only my owner"));
    assert!(toast(&house.press(UserId(4), &data).await).contains("Only my owner"));
    assert_eq!(toast(&house.press(OWNER, &data).await), "Approved.");
    assert_eq!(house.context.role(&UserId(4)).await.unwrap(), Role::Member);
}

#[tokio::test]
async fn an_ignored_person_gets_no_reply_but_can_still_be_approved() {
    let house = House::lived_in(Rules::default()).await;
    house.knock(&named(STRANGER)).await;
    let code = house.code_of(STRANGER).await;
    assert!(toast(&house.press(OWNER, &format!("ignore:{code}")).await).contains("30 days"));
    house.clock.advance(29 * 24 * 3_600_000);
    assert!(is_silent(&house.knock(&named(STRANGER)).await));
    let list = house.ask(OWNER, "/users").await;
    assert!(text(&list).contains("ignored") && list.replies[0].reply.buttons.is_empty());
    house.ask(OWNER, &format!("/approve {code}")).await;
    assert_eq!(house.context.role(&STRANGER).await.unwrap(), Role::Member);
}

#[tokio::test]
async fn people_are_removed_but_never_the_last_owner_nor_the_configured() {
    let house = House::lived_in(Rules::default()).await;
    for (args, says) in
        [("", "/remove ID"), ("42", "no one"), ("@unknown", "no one"), ("1", "last owner")]
    {
        let outcome = house.ask(OWNER, &format!("/remove {args}")).await;
        assert!(text(&outcome).contains(says) && outcome.effects.is_empty(), "{args}");
    }
    house.knock(&named(STRANGER)).await;
    let removed = house.ask(OWNER, "/remove @USER_3").await;
    assert!(text(&removed).contains("no longer waits"));
    assert!(house.context.store.user(STRANGER).await.unwrap().is_none());

    let rules =
        Rules { owners: vec![UserId(50)], allow_users: vec![UserId(51)], ..Rules::default() };
    let house = House::lived_in(rules).await;
    assert!(text(&house.ask(OWNER, "/remove 50").await).contains("owner by configuration"));
    assert!(text(&house.ask(OWNER, "/remove 51").await).contains("allow_users"));
    let itself = house.ask(OWNER, "/remove 1").await;
    assert!(text(&itself).contains("no longer an owner"), "another owner is left");
}

#[tokio::test]
async fn a_username_that_changed_hands_needs_the_id() {
    let house = House::lived_in(Rules::default()).await;
    for id in [7, 8] {
        let person = Person { username: Some("shared".into()), ..named(UserId(id)) };
        house.knock(&person).await;
    }
    let outcome = house.ask(OWNER, "/remove @shared").await;
    assert!(text(&outcome).contains("Several") && outcome.effects.is_empty());
}

#[tokio::test]
async fn a_group_is_silent_until_an_owner_allows_it() {
    let house = House::lived_in(Rules::default()).await;
    for user in [MEMBER, STRANGER] {
        assert!(is_silent(&house.ask_in(GROUP, user, "/help@KatanaBot").await));
        assert!(is_silent(&house.ask_in(GROUP, user, "/approve").await));
    }
    assert!(is_silent(&house.ask_in(GROUP, OWNER, "/weather").await));
    assert!(text(&house.ask_in(GROUP, OWNER, "/help").await).contains("/approve"));
    assert!(text(&house.ask_in(GROUP, OWNER, "/approve").await).contains("from now on"));
    assert!(text(&house.ask_in(GROUP, OWNER, "/approve").await).contains("already"));
    assert!(text(&house.ask_in(GROUP, STRANGER, "/help").await).contains("Mention me"));
    assert!(is_silent(&house.ask_in(GROUP, STRANGER, "/weather").await));
    let meant = house.ask_in(GROUP, STRANGER, "/hlep@katanabot").await;
    assert!(text(&meant).contains("Did you mean /help?"));
    house.ask_in(GROUP, OWNER, "/remove").await;
    assert!(is_silent(&house.ask_in(GROUP, STRANGER, "/help").await));

    let house = House::lived_in(Rules { allow_chats: vec![GROUP], ..Rules::default() }).await;
    let outcome = house.ask_in(GROUP, OWNER, "/remove").await;
    assert!(text(&outcome).contains("by configuration") && outcome.effects.is_empty());
}
