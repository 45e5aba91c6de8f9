//! From the Bot API's updates to Katana's own.
//!
//! Invariant: every update becomes something; what is not understood becomes `Ignored` with a
//! name to count it by.

use std::ops::RangeInclusive;

use serde_json::value::RawValue;

use super::{answers, quoted};
use crate::model::authorship::Authorship;
use crate::model::ids::{ChatId, MessageId, UpdateId, UserId};
use crate::model::message::{
    Body, ContentKind, Incoming, Person, Place, Press, UNDECODABLE, Update, UpdateEvent,
};

/// Identifiers that updates have: positive numbers of 32 bits, which grow by one (Bot API `Update`).
const UPDATE_IDS: RangeInclusive<i64> = 1..=i32::MAX as i64;

/// Longest text kept of one message, in bytes: Telegram's own limit is 16 kB, other servers might
/// have none.
const TEXT_BYTES: usize = 1 << 20;

/// Fields of `Message` that report what was done in a chat, rather than saying something.
const SERVICE: &[&str] = &[
    "boost_added",
    "channel_chat_created",
    "chat_background_set",
    "chat_owner_changed",
    "chat_owner_left",
    "chat_shared",
    "checklist_tasks_added",
    "checklist_tasks_done",
    "community_chat_added",
    "community_chat_joined",
    "community_chat_removed",
    "connected_website",
    "delete_chat_photo",
    "direct_message_price_changed",
    "forum_topic_closed",
    "forum_topic_created",
    "forum_topic_edited",
    "forum_topic_reopened",
    "general_forum_topic_hidden",
    "general_forum_topic_unhidden",
    "gift",
    "gift_upgrade_sent",
    "giveaway_completed",
    "giveaway_created",
    "group_chat_created",
    "left_chat_member",
    "managed_bot_created",
    "message_auto_delete_timer_changed",
    "new_chat_members",
    "new_chat_photo",
    "new_chat_title",
    "paid_message_price_changed",
    "passport_data",
    "pinned_message",
    "poll_option_added",
    "poll_option_deleted",
    "proximity_alert_triggered",
    "refunded_payment",
    "successful_payment",
    "suggested_post_approval_failed",
    "suggested_post_approved",
    "suggested_post_declined",
    "suggested_post_paid",
    "suggested_post_refunded",
    "supergroup_chat_created",
    "unique_gift",
    "users_shared",
    "video_chat_ended",
    "video_chat_participants_invited",
    "video_chat_scheduled",
    "video_chat_started",
    "web_app_data",
    "write_access_allowed",
];

/// One update of a batch, or `None` when it has not even an id.
pub(super) fn update(raw: &RawValue, me: UserId) -> Option<Update> {
    let id = serde_json::from_str::<answers::UpdateId>(raw.get()).ok()?.update_id;
    // An offset beyond all real ids would make the bot deaf.
    if !UPDATE_IDS.contains(&id) {
        return None;
    }
    let event = match serde_json::from_str::<answers::Update>(raw.get()) {
        Ok(known) => event(known, raw, me),
        Err(_) => ignored(format!("{UNDECODABLE}{}", kind_of(raw)), None),
    };
    Some(Update { id: UpdateId(id), event })
}

fn event(update: answers::Update, raw: &RawValue, me: UserId) -> UpdateEvent {
    if let Some(m) = update.message {
        return message(m, raw, me, None);
    }
    if let Some(m) = update.edited_message {
        // Telegram also reports changes that no one made, such as a preview of a link: without a date.
        let Some(edited_s) = m.edit_date else {
            return ignored("edited_by_no_one".into(), Some(ChatId(m.chat.id)));
        };
        return message(m, raw, me, Some(edited_s));
    }
    if let Some(q) = update.callback_query {
        return press(q);
    }
    if let Some(m) = update.my_chat_member {
        let present = !matches!(m.new_chat_member.status.as_str(), "kicked" | "left");
        return UpdateEvent::Membership { chat: ChatId(m.chat.id), present };
    }
    ignored(kind_of(raw), chat_of(raw))
}

fn message(m: answers::Message, raw: &RawValue, me: UserId, edited_s: Option<i64>) -> UpdateEvent {
    let chat = ChatId(m.chat.id);
    if let Some(to) = m.migrate_to_chat_id {
        return UpdateEvent::Moved { from: chat, to: ChatId(to) };
    }
    if let Some(from) = m.migrate_from_chat_id {
        return UpdateEvent::Moved { from: ChatId(from), to: chat };
    }
    let place = match m.chat.kind.as_str() {
        "private" => Place::Private,
        "group" | "supergroup" => Place::Group,
        other => return ignored(format!("message_in_{other}"), Some(chat)),
    };
    let context = quoted::context(&m, me);
    if m.receiver_user.is_some() {
        return ignored("message_for_one".into(), Some(chat));
    }
    let authorship = authorship(&m);
    let from = match sender(m.from, m.sender_chat, m.is_automatic_forward) {
        Ok(from) => from,
        Err(kind) => return ignored(kind.into(), Some(chat)),
    };
    let body = match m.text {
        Some(text) => Body::Text(cut(text)),
        None => match content_of(raw) {
            Some(kind) => Body::Unsupported(kind),
            None => return ignored("service_message".into(), Some(chat)),
        },
    };
    UpdateEvent::Message(Incoming {
        chat,
        place,
        from,
        message_id: MessageId(m.message_id),
        date_s: m.date,
        thread: m.message_thread_id.filter(|_| m.is_topic_message),
        reply_to_bot: context
            .as_ref()
            .and_then(|context| context.reply.as_ref())
            .is_some_and(|reply| reply.by_bot),
        context,
        body,
        caption: m.caption.filter(|caption| !caption.is_empty()).map(cut),
        document: quoted::document(m.document.as_deref()),
        more_documents: Vec::new(),
        album: m.media_group_id,
        authorship,
        edited_s,
        pieces: Vec::new(),
    })
}

/// Whose words they are: what is forwarded stays its author's, also when an administrator passes it on.
fn authorship(m: &answers::Message) -> Authorship {
    if m.forward_origin.is_some() || m.forward_date.is_some() {
        Authorship::Forwarded
    } else if m.via_bot.is_some() {
        Authorship::ViaBot
    } else if m.sender_chat.is_some() {
        Authorship::OfChat
    } else {
        Authorship::Own
    }
}

/// Who is to be answered, or the name under which a message without such a person is counted.
fn sender(
    from: Option<answers::User>,
    chat: Option<answers::Chat>,
    is_copy: bool,
) -> Result<Person, &'static str> {
    match (from, chat) {
        // Telegram copies each post of a channel into the group where it is discussed.
        (_, Some(_)) if is_copy => Err("channel_post_copy"),
        // The user beside it stands for all anonymous administrators, or for all channels.
        (_, Some(chat)) => Ok(Person {
            id: UserId(chat.id),
            name: chat.title.unwrap_or_default(),
            username: chat.username,
        }),
        (Some(user), None) if user.is_bot => Err("message_of_bot"),
        (Some(user), None) => Ok(person(user)),
        (None, None) => Err("message_of_no_one"),
    }
}

fn press(q: answers::CallbackQuery) -> UpdateEvent {
    let (Some(message), Some(data)) = (q.message, q.data) else {
        return ignored("callback_query_without_message".into(), None);
    };
    let place = if message.chat.kind == "private" { Place::Private } else { Place::Group };
    UpdateEvent::Press(Press {
        callback_id: q.id,
        chat: ChatId(message.chat.id),
        place,
        from: person(q.from),
        message_id: MessageId(message.message_id),
        thread: message.message_thread_id.filter(|_| message.is_topic_message),
        data,
    })
}

fn person(user: answers::User) -> Person {
    let name = match user.last_name {
        Some(last) => format!("{} {last}", user.first_name),
        None => user.first_name,
    };
    Person { id: UserId(user.id), name, username: user.username }
}

fn ignored(kind: String, chat: Option<ChatId>) -> UpdateEvent {
    UpdateEvent::Ignored { kind, chat }
}

fn cut(mut text: String) -> String {
    if text.len() > TEXT_BYTES {
        text.truncate(text.floor_char_boundary(TEXT_BYTES));
    }
    text
}

/// The name of the update's field that is not its id.
fn kind_of(raw: &RawValue) -> String {
    let fields: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(raw.get()).unwrap_or_default();
    let name = fields.keys().find(|k| *k != "update_id").map_or("empty", String::as_str);
    name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(40).collect()
}

fn chat_of(raw: &RawValue) -> Option<ChatId> {
    let value: serde_json::Value = serde_json::from_str(raw.get()).ok()?;
    let inner = value.as_object()?.iter().find(|(k, _)| *k != "update_id")?.1;
    inner.get("chat")?.get("id")?.as_i64().map(ChatId)
}

/// What a message without text shows; `None` for a service message, which reports what was done in a chat.
fn content_of(raw: &RawValue) -> Option<ContentKind> {
    let value: serde_json::Value = serde_json::from_str(raw.get()).ok()?;
    let update = value.as_object()?;
    let message = update.get("message").or_else(|| update.get("edited_message"))?.as_object()?;
    let known = ContentKind::ALL.iter().copied().find(|kind| message.contains_key(kind.as_str()));
    let is_service = || SERVICE.iter().any(|field| message.contains_key(*field));
    known.or_else(|| (!is_service()).then_some(ContentKind::Unknown))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::work::IGNORED;

    fn convert(json: &str) -> Option<Update> {
        update(&RawValue::from_string(json.to_owned()).unwrap(), UserId(99))
    }

    fn kind(json: &str) -> String {
        match convert(json).unwrap().event {
            UpdateEvent::Ignored { kind, .. } => kind,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_private_text_keeps_what_matters() {
        let json = r#"{"update_id":7,"message":{"message_id":3,"date":9,"new_field":[1],
            "chat":{"id":5,"type":"private"},"from":{"id":5,"is_bot":false,"first_name":"A","last_name":"B"},
            "text":"hi","reply_to_message":{"message_id":1,"from":{"id":99,"is_bot":true,"first_name":"K"}}}}"#;
        let update = convert(json).unwrap();
        let UpdateEvent::Message(m) = update.event else { panic!() };
        assert_eq!((update.id.0, m.chat.0, m.message_id.0), (7, 5, 3));
        assert_eq!(m.from.name, "A B");
        assert!(m.reply_to_bot);
        assert_eq!(m.body, Body::Text("hi".into()));
    }

    #[test]
    fn a_reply_to_the_bot_is_one_whatever_it_answers() {
        let json = r#"{"update_id":7,"message":{"message_id":3,"date":9,"chat":{"id":-5,"type":"group"},
            "from":{"id":5,"is_bot":false,"first_name":"A"},"text":"why?","reply_to_message":
            {"message_id":1,"from":{"id":99,"is_bot":true,"first_name":"K"},"text":{"a":"new form"}}}}"#;
        let UpdateEvent::Message(m) = convert(json).unwrap().event else { panic!() };
        assert!(m.reply_to_bot);
        let of_other = json.replace("99", "98");
        let UpdateEvent::Message(m) = convert(&of_other).unwrap().event else { panic!() };
        assert!(!m.reply_to_bot && m.context.is_none());
    }

    #[test]
    fn what_is_not_understood_is_named() {
        assert_eq!(kind(r#"{"update_id":1,"telepathy":{"x":1}}"#), "telepathy");
        assert_eq!(kind(r#"{"update_id":1}"#), "empty");
        assert_eq!(kind(r#"{"update_id":1,"message":{"chat":"?"}}"#), "undecodable_message");
        assert_eq!(
            kind(
                r#"{"update_id":1,"edited_message":{"message_id":1,"chat":{"id":1,"type":"private"}}}"#
            ),
            "edited_by_no_one"
        );
        let service = r#"{"update_id":1,"message":{"message_id":1,"chat":{"id":-1,"type":"group"},
            "from":{"id":5,"first_name":"A"},"new_chat_title":"x"}}"#;
        assert_eq!(kind(service), "service_message");
        assert!(convert(r#"{"message":{}}"#).is_none());
    }

    /// Reasons that this page gives to updates have series from the start.
    #[test]
    fn every_reason_to_ignore_an_update_is_known_beforehand() {
        let page = include_str!("convert.rs");
        let (code, _) = page.split_once("#[cfg(test)]").unwrap();
        let marks = ["ignored(\"", "Err(\""];
        let found: Vec<&str> = marks
            .iter()
            .flat_map(|mark| code.split(mark).skip(1))
            .map(|rest| rest.split('"').next().unwrap())
            .collect();
        assert!(found.len() > 5, "{found:?}");
        for kind in [&found[..], &["empty", "message_in_channel"]].concat() {
            assert!(IGNORED.contains(&kind), "{kind} is not in IGNORED");
        }
        for kind in ["message", "edited_message", "channel_post", "callback_query"] {
            let json = format!(r#"{{"update_id":1,"{kind}":7}}"#);
            let kind = self::kind(&json);
            assert!(IGNORED.contains(&kind.as_str()), "{kind}");
        }
    }

    #[test]
    fn unsupported_content_is_named() {
        let json = r#"{"update_id":1,"message":{"message_id":1,"chat":{"id":5,"type":"private"},
            "from":{"id":5,"first_name":"A"},"voice":{"file_id":"x"}}}"#;
        let UpdateEvent::Message(m) = convert(json).unwrap().event else { panic!() };
        assert_eq!(m.body, Body::Unsupported(ContentKind::Voice));
    }
}
