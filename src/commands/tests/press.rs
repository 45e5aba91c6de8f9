//! Buttons, also forged ones.

use super::*;
use crate::model::limits;

#[tokio::test]
async fn forged_buttons_are_harmless() {
    let house = House::lived_in(Rules::default()).await;
    house.said(ChatId(MEMBER.0), MEMBER).await;
    let long = "x".repeat(5000);
    for data in [
        "",
        ":",
        "approve",
        "approve:",
        "approve:%",
        "ignore:x",
        "retry:",
        "retry:-1",
        "retry:1",
        "retry:99999999999999999999",
        "forget",
        "forget:yes",
        "forget:yes:1",
        "forget:maybe:2",
        "forget:yes: 2",
        "forget:yes:2:2",
        "pause:1",
        "💣",
        &long,
    ] {
        for user in [STRANGER, MEMBER] {
            let outcome = house.press(user, data).await;
            assert!(outcome.effects.is_empty() && outcome.replies.is_empty(), "{data}");
            assert!((1..=200).contains(&toast(&outcome).len()), "{data}");
        }
    }
    assert_eq!(house.context.store.turns_of(MEMBER).await.unwrap(), 1);
}

#[tokio::test]
async fn a_kept_question_is_asked_again_only_for_whom_it_may() {
    let house = House::lived_in(Rules::default()).await;
    let allow = Effect::AllowChat { chat: GROUP, allowed: true };
    house.context.store.apply(vec![allow]).await.unwrap();
    let private = house.kept(ChatId(MEMBER.0), MEMBER).await;
    let group = house.kept(GROUP, STRANGER).await;
    let retry = |seq: InboxSeq| format!("retry:{seq}");
    assert_eq!(house.press(MEMBER, &retry(private)).await.follow_up, FollowUp::Retry(private));
    assert!(toast(&house.press(OWNER, &retry(private)).await).contains("no longer kept"));
    assert!(toast(&house.press(STRANGER, &retry(private)).await).contains("may not"));
    let by_asker = house.press_in(GROUP, STRANGER, &retry(group)).await;
    assert_eq!(by_asker.follow_up, FollowUp::Retry(group));
    let by_other = house.press_in(GROUP, MEMBER, &retry(group)).await;
    assert!(toast(&by_other).contains("Only the person who asked"));
    // Under a question that was asked in the name of the group, all may press.
    let anonymous = house.kept(GROUP, UserId(GROUP.0)).await;
    let by_other = house.press_in(GROUP, MEMBER, &retry(anonymous)).await;
    assert_eq!(by_other.follow_up, FollowUp::Retry(anonymous));
    house.clock.advance(i64::try_from(limits::RETRY_LIFE.as_millis()).unwrap() + 1);
    assert!(toast(&house.press(MEMBER, &retry(private)).await).contains("no longer kept"));
}

#[tokio::test]
async fn forget_deletes_only_what_its_person_said() {
    let house = House::lived_in(Rules::default()).await;
    house.said(ChatId(MEMBER.0), MEMBER).await;
    house.said(ChatId(OWNER.0), OWNER).await;
    let seq = house.kept(ChatId(MEMBER.0), MEMBER).await;
    let asked = house.ask(MEMBER, "/forget").await;
    let buttons = asked.replies[0].reply.buttons[0].clone();
    assert!(asked.effects.is_empty() && text(&asked).contains("1 question"));
    assert!(toast(&house.press(OWNER, &buttons[0].data).await).contains("someone else"));
    assert!(toast(&house.press(MEMBER, &buttons[1].data).await).contains("Nothing"));
    assert_eq!(house.context.store.turns_of(MEMBER).await.unwrap(), 1);
    assert_eq!(toast(&house.press(MEMBER, &buttons[0].data).await), "Deleted.");
    assert_eq!(house.context.store.turns_of(MEMBER).await.unwrap(), 0);
    assert!(house.context.store.kept_update(seq).await.unwrap().is_none());
    assert_eq!(house.context.store.turns_of(OWNER).await.unwrap(), 1);
    assert!(text(&house.ask(OWNER, "/forget YES").await).starts_with("Done."));
    assert_eq!(house.context.store.turns_of(OWNER).await.unwrap(), 0);
}
