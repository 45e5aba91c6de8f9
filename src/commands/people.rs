//! /users and /remove: who is in, who waits, who goes.

use std::fmt::Write as _;

use super::{CommandContext, CommandRequest, Outcome, wording};
use crate::model::access::Role;
use crate::model::effect::Effect;
use crate::model::ids::UserId;
use crate::model::message::Place;
use crate::model::reply::{Button, Reply};
use crate::store::{KnownUser, StoreError};

/// People listed in one message.
const LISTED: usize = 30;

/// Approve buttons below the list.
const BUTTONS: usize = 8;

pub(super) async fn users(
    context: &CommandContext,
    asked: &CommandRequest<'_>,
) -> Result<Outcome, StoreError> {
    let users = context.store.users().await?;
    let rules = context.access();
    let mut lines = Vec::new();
    for owner in &rules.owners {
        lines.push(format!("- **owner** {}, by configuration", named(*owner, &users)));
    }
    let stored = |role| {
        let by_config = &rules.owners;
        users.iter().filter(move |u| u.role == role && !by_config.contains(&u.person.id))
    };
    lines.extend(stored(Role::Owner).map(|u| format!("- **owner** {}", with_id(u))));
    // Who waits comes before the members: that is what the owner looks for.
    let now = context.clock.now_ms();
    let ignored = |u: &KnownUser| u.told_ms.is_some_and(|at| at > now);
    let waiting: Vec<_> = stored(Role::Stranger).filter(|u| u.code.is_some()).collect();
    for user in &waiting {
        let what = if ignored(user) { "ignored" } else { "**waiting**" };
        let code = user.code.as_deref().unwrap_or_default();
        lines.push(format!("- {what} {}, code `{code}`", with_id(user)));
    }
    lines.extend(stored(Role::Member).map(|u| format!("- member {}", with_id(u))));
    let is_stored_member =
        |id: &UserId| users.iter().any(|u| u.person.id == *id && u.role != Role::Stranger);
    for user in rules.allow_users.iter().filter(|id| !is_stored_member(id)) {
        lines.push(format!("- member {}, by configuration", named(*user, &users)));
    }

    let mut text = String::from(if rules.open {
        "Everyone may chat with me (access is open). I know:\n\n"
    } else {
        "Who may chat with me, and who is waiting:\n\n"
    });
    text.push_str(&lines[..lines.len().min(LISTED)].join("\n"));
    if lines.len() > LISTED {
        let _ = write!(text, "\n\n… and {} more.", lines.len() - LISTED);
    }
    text.push_str("\n\n`/remove ID` revokes someone's access.");
    let mut reply = Reply::markdown(text);
    for user in waiting.iter().filter(|u| !ignored(u)).take(BUTTONS) {
        let code = user.code.as_deref().unwrap_or_default();
        let label = format!("Approve {}", wording::label(&user.person));
        reply = reply.with_row(vec![
            Button::new(label, format!("approve:{code}")),
            Button::new("Ignore", format!("ignore:{code}")),
        ]);
    }
    Ok(asked.answer(reply))
}

fn with_id(user: &KnownUser) -> String {
    // A person approved by id alone has no name until they write.
    if user.person.name.is_empty() && user.person.username.is_none() {
        return format!("id `{}`", user.person.id);
    }
    format!("{}, id `{}`", wording::person(&user.person), user.person.id)
}

fn named(id: UserId, users: &[KnownUser]) -> String {
    users.iter().find(|u| u.person.id == id).map_or_else(|| format!("id `{id}`"), with_id)
}

pub(super) async fn remove(
    context: &CommandContext,
    asked: &CommandRequest<'_>,
) -> Result<Outcome, StoreError> {
    if asked.args.is_empty() {
        return match asked.place {
            Place::Group => remove_group(context, asked).await,
            Place::Private => Ok(asked
                .say("Please say who: `/remove ID` or `/remove @username`. /users shows the ids.")),
        };
    }
    let users = context.store.users().await?;
    let found = match matches(asked.args, &users) {
        Match::One(id) => id,
        Match::Several => {
            return Ok(asked
                .say("Several people had that username. Please use the id, which /users shows."));
        }
        Match::None => {
            return Ok(asked.say("I know no one with that id or username. /users lists everyone."));
        }
    };
    remove_person(context, asked, found, &users).await
}

enum Match {
    One(UserId),
    Several,
    None,
}

/// Who is meant by an id or a username.
fn matches(typed: &str, users: &[KnownUser]) -> Match {
    if let Ok(id) = typed.parse::<i64>() {
        return Match::One(UserId(id));
    }
    let wanted = typed.trim_start_matches('@');
    let is_meant = |u: &&KnownUser| {
        u.person.username.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(wanted))
    };
    // Usernames change hands, and the store knows only the last one it saw of each person.
    let mut found = users.iter().filter(is_meant);
    match (found.next(), found.next()) {
        (Some(user), None) => Match::One(user.person.id),
        (Some(_), Some(_)) => Match::Several,
        (None, _) => Match::None,
    }
}

async fn remove_person(
    context: &CommandContext,
    asked: &CommandRequest<'_>,
    id: UserId,
    users: &[KnownUser],
) -> Result<Outcome, StoreError> {
    let who = named(id, users);
    let rules = context.access();
    if rules.owners.contains(&id) {
        return Ok(asked.say(format!(
            "{who} is an owner by configuration (`[bot] owners`) and can be removed only there."
        )));
    }
    let Some(user) = users.iter().find(|u| u.person.id == id) else {
        return Ok(asked.say(if rules.allow_users.contains(&id) {
            format!("{who} may chat by configuration (`[bot] allow_users`); remove the id there.")
        } else {
            "I know no one with that id or username. /users lists everyone.".to_owned()
        }));
    };
    if user.role == Role::Owner && context.owners().await?.len() == 1 {
        return Ok(asked.say("That is my last owner. I need at least one, so I keep them."));
    }
    let text = match user.role {
        Role::Owner => format!("{who} is no longer an owner."),
        Role::Member => format!("{who} is off my list."),
        Role::Stranger => format!("{who} no longer waits; the code is no longer valid."),
    };
    let rest = if rules.allow_users.contains(&id) {
        "They may still chat with me by configuration (`[bot] allow_users`)."
    } else if rules.open {
        "They may still chat with me, as everyone may (`[bot] access = \"open\"`)."
    } else {
        "They may not chat with me in private; in groups where I am allowed, I answer everyone."
    };
    let text = format!("{text} {rest}");
    Ok(asked.say(text).with(Effect::Remove(id)))
}

async fn remove_group(
    context: &CommandContext,
    asked: &CommandRequest<'_>,
) -> Result<Outcome, StoreError> {
    if let Some(id) = context.configured_id(asked.chat).await? {
        return Ok(asked.say(format!(
            "This group is allowed by configuration (`[bot] allow_chats`, id `{id}`) and can be \
             removed only there."
        )));
    }
    if !context.store.chat(asked.chat).await?.allowed {
        return Ok(asked.say("I do not answer in this group anyway."));
    }
    let effect = Effect::AllowChat { chat: asked.chat, allowed: false };
    Ok(asked.say("I no longer answer in this group. /approve brings me back.").with(effect))
}
