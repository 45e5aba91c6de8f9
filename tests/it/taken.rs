//! What the bot makes of every kind of content of the Bot API, wherever it is said: the whole table.
//!
//! Silence is an entry like the others, with the word it is counted by and its reason.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::harness::{SOON, Stage};

/// Where and how something is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Private,
    GroupMention,
    GroupReply,
    Topic,
    Anonymous,
    Forwarded,
    Edited,
    ChannelPost,
}

const EVERYWHERE: [Said; 8] = [
    Said::Private,
    Said::GroupMention,
    Said::GroupReply,
    Said::Topic,
    Said::Anonymous,
    Said::Forwarded,
    Said::Edited,
    Said::ChannelPost,
];

/// What a message holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holds {
    Text,
    Command,
    /// Something to see or hear, with words below it.
    Caption,
    /// The same, and everything that cannot have words.
    NoWords,
    /// A report of what was done in a chat.
    Service,
}

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Happens {
    /// The words are answered.
    Answer,
    /// The command is run.
    Runs,
    /// A reply that begins like this says why there is no answer.
    Reply(&'static str),
    /// Nothing. It is counted by this word.
    Silence(&'static str),
}

const CANNOT: Happens = Happens::Reply("Sorry, I cannot read ");
const UNNAMED: &str = "without words the bot's name cannot be in it";
const POST: &str =
    "a channel has readers, no one who asks; an answer would be published to all of them";
const REPORT: &str = "it reports what was done, and asks nothing";

/// What happens, and why that is right.
fn table(holds: Holds, said: Said) -> (Happens, &'static str) {
    use Happens::{Answer, Reply, Runs, Silence};
    match (holds, said) {
        (_, Said::ChannelPost) => (Silence("channel_post"), POST),
        (Holds::Service, _) => (Silence("service_message"), REPORT),
        (Holds::Text | Holds::Caption, Said::Private) => {
            (Answer, "in private, all is said to the bot")
        }
        (Holds::Text | Holds::Caption, Said::GroupMention) => (Answer, "it names the bot"),
        (Holds::Text | Holds::Caption, Said::GroupReply) => (Answer, "it answers the bot"),
        (Holds::Text | Holds::Caption, Said::Topic) => (Answer, "it names the bot, in a topic"),
        (Holds::Text | Holds::Caption, Said::Anonymous) => {
            (Answer, "the group is allowed, so everyone in it is answered")
        }
        (Holds::Text | Holds::Caption, Said::Forwarded) => {
            (Answer, "the sender passes it on to hear about it; it is material")
        }
        (Holds::Text | Holds::Caption, Said::Edited) => {
            (Answer, "the question before was answered just now")
        }
        (Holds::Command, Said::Forwarded) => {
            (Reply("I run only commands that you write"), "its author did not send it to the bot")
        }
        (Holds::Command, Said::Edited) => {
            (Reply("I do not run commands that were edited"), "an edit is not a new order")
        }
        (Holds::Command, Said::Anonymous) => {
            (Runs, "a member may; only owners' commands need more")
        }
        (Holds::Command, _) => (Runs, "the sender wrote it, to this bot"),
        (Holds::NoWords, Said::Private) => (CANNOT, "the sender waits for something"),
        (Holds::NoWords, Said::GroupReply) => (CANNOT, "it answers the bot"),
        (Holds::NoWords, Said::Forwarded) => (CANNOT, "the sender waits for something"),
        (Holds::NoWords, Said::GroupMention | Said::Topic | Said::Anonymous) => {
            (Silence("not_addressed"), UNNAMED)
        }
        (Holds::NoWords, Said::Edited) => {
            (Silence("edited_without_words"), "places move and polls go on by themselves")
        }
    }
}

/// Kinds that can have a caption.
const CAPTIONED: &[&str] =
    &["photo", "live_photo", "video", "animation", "audio", "document", "voice", "paid_media"];

/// Kinds that cannot, and one that no version of the Bot API has.
const BARE: &[&str] = &[
    "sticker",
    "video_note",
    "location",
    "venue",
    "contact",
    "poll",
    "dice",
    "game",
    "story",
    "checklist",
    "rich_message",
    "invoice",
    "giveaway",
    "giveaway_winners",
    "hologram",
];

/// Service messages. A group that moves is work, and has scenarios of its own.
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

/// Updates that are asked for, and those that are not, with the reason.
const UPDATES: &[(&str, Option<&str>)] = &[
    ("message", None),
    ("edited_message", None),
    ("channel_post", None),
    ("edited_channel_post", None),
    ("callback_query", None),
    ("my_chat_member", None),
    ("business_connection", Some("the bot does not speak in the name of a person's account")),
    ("business_message", Some("the same: it is written to that person, not to the bot")),
    ("edited_business_message", Some("the same")),
    ("deleted_business_messages", Some("the same")),
    ("guest_message", Some("it comes from chats that never let the bot in")),
    ("message_reaction", Some("a reaction asks nothing")),
    ("message_reaction_count", Some("the same")),
    ("inline_query", Some("the bot has no inline mode")),
    ("chosen_inline_result", Some("the same")),
    ("shipping_query", Some("the bot sells nothing")),
    ("pre_checkout_query", Some("the same")),
    ("purchased_paid_media", Some("the same")),
    ("subscription", Some("the same")),
    ("poll", Some("the bot asks no polls")),
    ("poll_answer", Some("the same")),
    ("chat_member", Some("who joins a group needs no answer; groups are allowed as a whole")),
    ("chat_join_request", Some("the bot lets no one into groups")),
    ("chat_boost", Some("it reports, and asks nothing")),
    ("removed_chat_boost", Some("the same")),
    ("managed_bot", Some("the bot manages no other bots")),
    ("stopped_message_generation", Some("`/cancel` stops an answer")),
];

/// One field of the table.
struct Cell {
    kind: &'static str,
    holds: Holds,
    said: Said,
    chat: i64,
    user: i64,
}

impl Cell {
    /// The message's fields.
    fn fields(&self, bot: i64) -> Value {
        let in_group = matches!(self.said, Said::GroupMention | Said::Topic | Said::Anonymous);
        let words = match (self.holds, in_group) {
            (Holds::Command, true) => "/whoami@katana_sim_bot",
            (Holds::Command, false) => "/whoami",
            (_, true) => "@katana_sim_bot what is it?",
            (_, false) => "what is it?",
        };
        let mut fields = match self.holds {
            Holds::Text | Holds::Command => json!({"text": words}),
            Holds::Caption => json!({self.kind: {}, "caption": words}),
            Holds::NoWords | Holds::Service => json!({self.kind: {}}),
        };
        let chat = json!({"id": self.chat, "type": "supergroup", "title": "Friends"});
        let extra = match self.said {
            Said::GroupReply => {
                json!({"reply_to_message": {"message_id": 1, "date": 1, "chat": chat,
                "from": {"id": bot, "is_bot": true, "first_name": "Katana"}, "text": "before"}})
            }
            Said::Topic => json!({"message_thread_id": 7, "is_topic_message": true}),
            Said::Anonymous => json!({"sender_chat": chat, "from": {"id": 1_087_968_824,
                "is_bot": true, "first_name": "Group", "username": "GroupAnonymousBot"}}),
            Said::Forwarded => json!({"forward_origin": {"type": "hidden_user", "date": 1,
                "sender_user_name": "Someone"}}),
            _ => json!({}),
        };
        for (key, value) in extra.as_object().expect("an object") {
            fields[key] = value.clone();
        }
        fields
    }
}

fn cells() -> Vec<Cell> {
    let mut rows = vec![("text", Holds::Text), ("text", Holds::Command)];
    rows.extend(CAPTIONED.iter().map(|kind| (*kind, Holds::Caption)));
    rows.extend(CAPTIONED.iter().chain(BARE).map(|kind| (*kind, Holds::NoWords)));
    rows.extend(SERVICE.iter().map(|kind| (*kind, Holds::Service)));
    let mut cells = Vec::new();
    for (kind, holds) in rows {
        for said in EVERYWHERE {
            let number = i64::try_from(cells.len()).expect("few");
            let user = 20_000 + number;
            let chat = match said {
                Said::Private | Said::Forwarded | Said::Edited => user,
                _ => -1_000_000_020_000 - number,
            };
            cells.push(Cell { kind, holds, said, chat, user });
        }
    }
    cells
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_content_everywhere() {
    let cells = cells();
    let groups: Vec<_> =
        cells.iter().map(|c| c.chat).filter(|id| *id < 0).map(|id| id.to_string()).collect();
    let mut stage = Stage::new().await;
    stage.set("KATANA_BOT_ALLOW_CHATS", &groups.join(","));
    stage.start().await;
    let sim = &stage.sim;
    let bot: i64 = sim.token().split(':').next().and_then(|id| id.parse().ok()).expect("an id");
    // What is edited was answered before.
    let edited: Vec<_> = cells.iter().filter(|cell| cell.said == Said::Edited).collect();
    let before: BTreeMap<_, _> =
        edited.iter().map(|cell| (cell.chat, sim.say(cell.user, "before").message_id)).collect();
    let all = |sim: &botapi_sim::Sim| before.keys().all(|chat| sim.bot_messages(*chat).len() == 1);
    assert!(sim.wait_until(SOON, all).await, "what is edited was answered before");
    for cell in &cells {
        let fields = cell.fields(bot);
        match cell.said {
            Said::Edited => sim.edit_fields(cell.chat, before[&cell.chat], cell.user, &fields),
            Said::ChannelPost => {
                sim.group(cell.chat, "News", botapi_sim::ChatKind::Channel);
                sim.say_fields(cell.chat, 0, &fields)
            }
            _ => sim.say_fields(cell.chat, cell.user, &fields),
        };
    }
    stage.idle().await;
    let mut silent: BTreeMap<&str, u64> = BTreeMap::new();
    let mut wrong = Vec::new();
    for cell in &cells {
        let (happens, why) = table(cell.holds, cell.said);
        let skipped = usize::from(cell.said == Said::Edited);
        let replies = sim.bot_messages(cell.chat);
        let texts: Vec<&str> = replies.iter().skip(skipped).map(|m| m.text.as_str()).collect();
        let is_right = match (happens, &texts[..]) {
            // What is forwarded is quoted, and this provider repeats only the sender's own words.
            (Happens::Answer, [text]) if cell.holds == Holds::Caption => {
                text.starts_with("echo: ")
                    && (text.contains("what is it?") || cell.said == Said::Forwarded)
            }
            (Happens::Answer, [text]) => *text == "echo: what is it?",
            (Happens::Runs, [text]) => text.starts_with("You are "),
            (Happens::Reply(begin), [text]) => text.starts_with(begin),
            (Happens::Silence(word), []) => {
                *silent.entry(word).or_default() += 1;
                true
            }
            _ => false,
        };
        let attached = replies.last().is_none_or(|m| m.reply_to.is_some() == (cell.chat < 0));
        if !is_right || !attached && cell.said != Said::Edited {
            let (kind, holds, said) = (cell.kind, cell.holds, cell.said);
            wrong.push(format!("{kind} {holds:?} {said:?}: {happens:?} ({why}), but {texts:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cells.len(), wrong.join("\n"));
    for (word, count) in silent {
        assert_eq!(stage.counter("ignored", word), count, "silence is counted: {word}");
    }
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_update_is_asked_for_or_has_a_reason_not_to_be() {
    let stage = Stage::running(&[]).await;
    let mut polls = stage.sim.log().into_iter().filter(|request| request.method == "getUpdates");
    let asked = polls.next_back().expect("a poll").params["allowed_updates"].clone();
    let asked: Vec<String> = match asked {
        Value::String(list) => serde_json::from_str(&list).expect("a list"),
        list => serde_json::from_value(list).expect("a list"),
    };
    let wanted: Vec<_> =
        UPDATES.iter().filter(|(_, not)| not.is_none()).map(|(name, _)| *name).collect();
    assert_eq!(asked, wanted);
    stage.end().await;
}
