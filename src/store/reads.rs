//! The verbs that only read.
//!
//! Each fails when the state cannot be read, and only then. None of them waits for a lock on a thread of
//! the runtime; at most, the look-up of a single row reads a page from the disk there.

use super::{
    Backend, ChatState, CutAnswer, KeptBreaker, KeptTurn, KnownUser, LastAnswer, OlderCopy,
    OpenPart, Queued, Settings, Spending, SpentBy, SpentRow, Store, StoreError, Totals, verbs,
};
use crate::model::budget::{BudgetNotice, Scope};
use crate::model::cited::KeptPassage;
use crate::model::conversation::ConversationId;
use crate::model::ids::{ChatId, InboxSeq, MessageId, PartId, UserId};
use crate::model::learned::LearnedDocument;

verbs! {
    /// The offset to poll with next (Bot API `getUpdates.offset`); 0 before the first poll, and
    /// again after six quiet days: after a week without updates Telegram's ids start over, maybe
    /// below the old offset. What is delivered twice because of it is known and not stored again.
    fn next_offset() -> i64;

    /// New updates after `after`, in order of acceptance, at most `limit`. A row whose body cannot
    /// be read comes back as [`UpdateEvent::Ignored`](crate::model::message::UpdateEvent) of kind
    /// `unreadable`, so that it cannot block the rest.
    fn new_updates(after: InboxSeq, limit: usize) -> Vec<Queued>;

    /// The updates at these places, in the order given; those that are done are left out.
    fn new_updates_at(places: Vec<InboxSeq>) -> Vec<Queued>;

    /// An update that is done but was kept for another try, if it still is.
    fn kept_update(seq: InboxSeq) -> Option<Queued>;

    /// How many updates are not done, and when the oldest of them was accepted (Unix ms).
    fn inbox_depth() -> (u64, Option<i64>);

    /// Message ids of the messages that people wrote among the latest `limit` updates of the file,
    /// newest first, with the chat each stands in.
    fn recent_message_ids(limit: usize) -> Vec<(ChatId, MessageId)>;

    /// Updates of this person in this chat that are done and kept, the latest first; at most
    /// [`limits::KEPT_UPDATES`](crate::model::limits::KEPT_UPDATES).
    fn kept_updates_of(user: UserId, chat: ChatId) -> Vec<Queued>;

    /// The last answer to a question in one of these messages, or the report that there is none; among the
    /// latest [`limits::EDITABLE_UPDATES`](crate::model::limits::EDITABLE_UPDATES) updates of the file.
    fn last_answer(chat: ChatId, messages: Vec<MessageId>) -> Option<LastAnswer>;

    /// Copies of the state that lie beside it.
    fn older_copies() -> Vec<OlderCopy>;

    /// Chats that have parts which are not settled.
    fn open_chats() -> Vec<ChatId>;

    /// Who asked what this part answers, if it goes to the chat where they asked.
    fn asker(part: PartId) -> Option<UserId>;

    /// Due parts of one chat, in order, at most `limit`.
    fn due_parts(chat: ChatId, limit: usize) -> Vec<OpenPart>;

    /// All parts in *sending*: what an earlier process left behind, at most one per chat. Nothing that
    /// surely arrived in its chat has an id above a part's `id_before`.
    fn parts_in_doubt() -> Vec<OpenPart>;

    /// How many parts are not settled, and when the oldest was stored (Unix ms).
    fn outbox_depth() -> (u64, Option<i64>);

    /// To how many chats parts are not settled.
    fn outbox_chats() -> u64;

    /// Message ids of those that arrived among the latest `limit` parts of the file, newest first.
    fn recent_sent_ids(limit: usize) -> Vec<(ChatId, MessageId)>;

    /// What is known of a chat; the default when nothing is.
    fn chat(chat: ChatId) -> ChatState;

    /// The last message that surely arrived in a chat: one in doubt there has a higher id.
    fn last_sent(chat: ChatId) -> Option<MessageId>;

    /// The models of providers that are not asked, as they were kept last.
    fn breakers() -> Vec<KeptBreaker>;

    /// State of the bot itself.
    fn settings() -> Settings;

    /// All people the bot knows: owners first, then members, then those who wait.
    fn users() -> Vec<KnownUser>;

    /// Who owns the bot by claim.
    fn owners() -> Vec<UserId>;

    /// One person, if known.
    fn user(user: UserId) -> Option<KnownUser>;

    /// The person who was offered this (normalised) code, while it is good.
    fn user_by_code(code: &str) -> Option<KnownUser>;

    /// The last `turns` turns of a conversation since it was started afresh, oldest first. A turn is a
    /// question and all that answers it, and comes whole.
    fn history(conversation: ConversationId, turns: usize) -> Vec<KeptTurn>;

    /// The answer to the question of this update, if it reached its limit and is still kept.
    fn cut_answer(seq: InboxSeq) -> Option<CutAnswer>;

    /// What the last answer of a conversation was written from; `None` without an answer since it was started
    /// afresh.
    fn last_sources(conversation: ConversationId) -> Option<Vec<KeptPassage>>;

    /// Documents that owners sent in a chat, by name.
    fn learned_documents() -> Vec<LearnedDocument>;

    /// The text of one of them, JSON of `extract::Document`.
    fn learned_document(id: i64) -> Option<String>;

    /// The model chosen for a conversation; `None` for the configured one.
    fn chosen_model(conversation: ConversationId) -> Option<String>;

    /// Turns in which one person asked, over all chats. Counts no further than one beyond
    /// [`limits::COUNTED_TURNS`](crate::model::limits::COUNTED_TURNS).
    fn turns_of(user: UserId) -> u64;

    /// Figures about the whole history.
    fn totals() -> Totals;

    /// What a scope has spent today and this month. `of`: the number of the person or chat; else 0.
    fn spending(scope: Scope, of: i64) -> Spending;

    /// What was spent from one day to another (days since 1970-01-01 in UTC), the dearest first; by day, in
    /// order of the days.
    fn spent_between(first: i64, last: i64, by: SpentBy) -> Vec<SpentRow>;

    /// Whether people have heard something about a budget that holds until then (Unix ms).
    fn is_noticed(notice: BudgetNotice, until_ms: i64) -> bool;
}
