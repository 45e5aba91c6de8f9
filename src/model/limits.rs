//! Every number with a meaning, with its reason.

use std::time::Duration;

/// Longest message, in UTF-16 units after entities are parsed (Bot API `sendMessage`).
pub const MESSAGE_UNITS: usize = 4096;

/// Most entities in one message (Telegram's server keeps the first 100).
pub const MESSAGE_ENTITIES: usize = 100;

/// Longest question given to a provider, in bytes. Telegram's own limit is 4,096 units; a longer
/// text can only come from another server and is refused politely.
pub const QUESTION_BYTES: usize = 64 * 1024;

/// Longest answer kept from a provider, in bytes: forty messages are enough for anybody.
pub const ANSWER_BYTES: usize = 128 * 1024;

/// Messages that one reply becomes at most; hostile Markdown can grow to ten times its size.
pub const REPLY_PARTS: usize = 40;

/// Updates asked for in one poll (Bot API `getUpdates`: 1 to 100).
pub const POLL_BATCH: u32 = 100;

/// Different labels kept in one `Vitals`, so that a hostile sender cannot grow it.
pub const METRIC_LABELS: usize = 200;

/// Writes that share one commit at most: enough to amortise an fsync, small enough to stay quick.
pub const COMMIT_BATCH: usize = 512;

/// Writes that may wait for the writer; past that callers wait, which is how overload travels back.
pub const WRITE_QUEUE: usize = 4096;

/// Updates of one chat held in memory; the rest of a long queue waits on disk.
pub const CHAT_QUEUE: usize = 32;

/// Updates of all chats held in memory, and one of each chat beyond that.
pub const QUEUED_UPDATES: usize = 10_000;

/// Updates handed to the dispatcher in memory; more are read from disk.
pub const HANDOVER: usize = 500;

/// Inbox rows read at once.
pub const CLAIM_BATCH: usize = 500;

/// Message ids that the reconciler asks about for one part before it gives up: those of all messages
/// that a crash can leave in doubt ([`SENDS_AT_ONCE`] and [`ARRIVALS`]), and more than half as many again.
pub const PROBES: usize = 2 * SENDS_AT_ONCE;

/// Recent message ids read at the start from the inbox and from the outbox, so that the reconciler
/// need not ask about them.
pub const REMEMBERED_IDS: usize = 2048;

/// Gaps between known message ids remembered per counter.
pub const ID_GAPS: usize = 1024;

/// How long after an attempt a part in doubt is looked at: by then a request that was still on
/// its way has either taken effect or never will.
pub const RECONCILE_AFTER: Duration = Duration::from_secs(2);

/// Largest answer of the Bot API that is read, in bytes. Telegram cuts a batch of updates near 4 MiB
/// (tdlib/telegram-bot-api); a server that sends more is not one.
pub const API_ANSWER_BYTES: usize = 16 * 1024 * 1024;

/// Largest file that is loaded from the Bot API, in bytes; it gives out none that is larger.
pub const FILE_BYTES: usize = 20 * 1024 * 1024;

/// Longest time for loading a file.
pub const FILE_TIMEOUT: Duration = Duration::from_secs(120);

/// Longest text of a document that was sent in a chat, as JSON, in bytes: it is in the state file and its backups.
pub const LEARNED_BYTES: usize = 4 * 1024 * 1024;

/// Longest text of all of them together.
pub const ALL_LEARNED_BYTES: u64 = 256 * 1024 * 1024;

/// Passages of one of them, at most.
pub const LEARNED_PASSAGES: usize = 10_000;

/// Documents that were sent in chats, at most.
pub const LEARNED_DOCUMENTS: usize = 1000;

/// Longest time for a poll that does not wait for updates.
pub const QUICK_POLL: Duration = Duration::from_secs(15);

/// Between two questions to Telegram about how many updates wait there.
pub const PENDING_EVERY: Duration = Duration::from_secs(300);

/// The same while some wait.
pub const PENDING_SOON: Duration = Duration::from_secs(30);

/// Loops that wait for work turn at least this often, so that one that hangs is distinguished from
/// one that is idle.
pub const IDLE_TURN: Duration = Duration::from_secs(5);

/// What the work of one turn of a loop may take, unless configured: reading a batch, a slow commit.
/// A disk that takes longer than this for one commit does not serve anybody.
pub const STALL: Duration = Duration::from_secs(40);

/// First pause after a failed poll; it doubles from here.
pub const POLL_BACKOFF: Duration = Duration::from_millis(500);

/// Longest pause after a failed poll.
pub const POLL_BACKOFF_MAX: Duration = Duration::from_secs(30);

/// Longest pause before the next poll that Telegram can ask for: an absurd number must not make
/// the bot deaf for a day.
pub const POLL_PAUSE_MAX: Duration = Duration::from_secs(600);

/// Shortest pause after a 429, whatever its `retry_after` says.
pub const RATE_LIMIT_PAUSE_MIN: Duration = Duration::from_secs(1);

/// Pause after a 401 or 404: the token must be changed by hand, so hot retries do not help.
pub const TOKEN_REFUSED_PAUSE: Duration = Duration::from_secs(60);

/// A failure that did not happen for so long is news again.
pub const QUIET: Duration = Duration::from_secs(600);

/// Polls that Telegram has not refused for so long are undisturbed: the other program is gone.
pub const UNDISTURBED: Duration = Duration::from_secs(60);

/// For so long after a start, a 409 is normal: the instance before this one may still be ending.
pub const CONFLICT_QUIET: Duration = Duration::from_secs(60);

/// Pause after a 409: Telegram paces repeated conflicts to 3 s itself.
pub const CONFLICT_PAUSE: Duration = Duration::from_secs(5);

/// A claim code is good for this long. Logs are read by many and kept for long, so what stands there soon
/// has no value.
pub const CLAIM_CODE_LIFE: Duration = Duration::from_secs(30 * 60);

/// A pairing code is good for this long.
pub const PAIRING_CODE_LIFE: Duration = Duration::from_secs(24 * 3600);

/// A stranger hears from the bot at most once in this time.
pub const STRANGER_SILENCE: Duration = Duration::from_secs(3600);

/// Strangers who get a pairing code in one hour, over all: a flood of accounts gets silence.
pub const STRANGERS_PER_HOUR: usize = 60;

/// Wrong codes one person may try in an hour.
pub const CODE_TRIES_PER_HOUR: u32 = 5;

/// People, and chats, whose questions of the last minute are counted: they take a few megabytes.
pub const COUNTED_ASKERS: usize = 10_000;

/// A canary question that failed is asked again after this long; the pause doubles from here.
pub const CANARY_AGAIN: Duration = Duration::from_secs(300);

/// Tokens that the answer to a canary question may have: enough for a model that thinks in spite of being asked not
/// to, and too few to cost anything.
pub const CANARY_TOKENS: u32 = 512;

/// A draft is replaced at most this often; drafts count against Telegram's limits.
pub const PREVIEW_EVERY: Duration = Duration::from_millis(700);

/// A draft that stays the same is shown again after this long, before Telegram lets it fade.
pub const DRAFT_LIFE: Duration = Duration::from_secs(20);

/// Whether someone may still chat here is looked at this often while their question is answered.
pub const ACCESS_LOOK: Duration = Duration::from_secs(1);

/// A chat action fades after 5 s (Bot API `sendChatAction`), so it is renewed a little earlier.
pub const ACTION_EVERY: Duration = Duration::from_secs(4);

/// "Try again" is offered for this long after a failed answer.
pub const RETRY_LIFE: Duration = Duration::from_secs(24 * 3600);

/// A message this long may be a piece of a longer text that the client has cut, in UTF-16 units: clients
/// cut at most 4,096, and a little earlier where a line or a word ends.
pub const PIECE_UNITS: usize = 4000;

/// The next piece of a long text comes within this time.
pub const PIECES_WITHIN: Duration = Duration::from_secs(2);

/// The next piece of an album comes within this time: Telegram hands them out together.
pub const ALBUM_WITHIN: Duration = Duration::from_secs(1);

/// Pieces that are put together: albums have at most 10, and a longer text is too long for a question.
pub const PIECES: usize = 20;

/// Updates of a chat on disk among which the rest of an album or a long text is looked for: people who write
/// at the same time can come in between.
pub const PIECES_SOUGHT: usize = 256;

/// Albums and long texts of one chat that are put together at the same time.
pub const GATHERINGS: usize = 16;

/// A question in a supergroup that is not allowed is looked at again after this time: the group may just have
/// become one, and the message that says so is still on its way.
pub const MOVE_LOOK: Duration = Duration::from_secs(1);

/// How often it is looked at again.
pub const MOVE_LOOKS: u8 = 5;

/// Questions of one chat that wait for this.
pub const MOVE_WAITING: usize = 16;

/// People hear of what a chat refuses at most once in this time.
pub const NOTICE_PAUSE: Duration = Duration::from_secs(3600);

/// Chats whose people have heard of it that are remembered; past that, no one else hears of it.
pub const NOTICES: usize = 1000;

/// An edited question is answered again for this long after its answer, and one that was not answered for
/// this long after it was written.
pub const EDITABLE: Duration = Duration::from_secs(600);

/// Updates among which the answer to an edited question is looked for; at the rate at which Telegram takes
/// messages, more than [`EDITABLE`] can bring.
pub const EDITABLE_UPDATES: usize = 20_000;

/// Kept updates of one person in one chat among which an edited piece of an album or paste is looked for.
pub const KEPT_UPDATES: usize = 20;

/// Questions that are remembered, so that an edit that changed nothing is not answered.
pub const REMEMBERED_QUESTIONS: usize = 4096;

/// Rows removed in one step of retention, so that it never holds the writer for long.
pub const RETENTION_BATCH: usize = 500;

/// Rows that retention looks at in one step.
pub const RETENTION_WINDOW: usize = 20_000;

/// Turns that `/forget` removes in one commit, which others' writes wait for.
pub const FORGET_BATCH: usize = 25;

/// How long a stop waits for the writes that were begun before it interrupts the one that runs.
pub const CLOSE_STORE: Duration = Duration::from_secs(10);

/// How long a stop overwrites what was deleted before; the next start does the rest.
pub const ERASE_AT_END: Duration = Duration::from_secs(2);

/// Questions of one person are counted up to this.
pub const COUNTED_TURNS: u64 = 10_000;

/// A stored offset is used for this long, in milliseconds; after a week without updates Telegram
/// picks new ids at random (Bot API `Update.update_id`).
pub const OFFSET_LIFE_MS: i64 = 6 * 24 * 3600 * 1000;

/// Parts of one chat held in memory; the rest of a long queue waits on disk.
pub const QUEUED_PARTS: usize = 32;

/// Sends on their way at once. Telegram's own limits keep it far below; it bounds what a crash can
/// leave in doubt when they are switched off.
pub const SENDS_AT_ONCE: usize = 256;

/// Parts that arrived and wait for the next commit; past that, a send waits for it. A crash leaves them
/// in doubt.
pub const ARRIVALS: usize = 64;

/// Where there is no other commit, a part that arrived is stored as such after this time.
pub const ARRIVAL_STORED: Duration = Duration::from_millis(100);

/// First pause after a failed send; it doubles from here.
pub const SEND_BACKOFF: Duration = Duration::from_secs(1);

/// Longest pause after a failed send.
pub const SEND_BACKOFF_MAX: Duration = Duration::from_secs(300);

/// An answer that takes longer than this is announced by a preview or a typing sign.
pub const PREVIEW_AFTER: Duration = Duration::from_millis(300);

/// Between two rounds of retention.
pub const RETENTION_EVERY: Duration = Duration::from_secs(3600);

/// HTTP connections that are answered at once; a handful of probes and scrapers is usual.
pub const WEB_CONNECTIONS: usize = 64;

/// A request's headers arrive within this time, or its connection is closed.
pub const WEB_HEADER_TIMEOUT: Duration = Duration::from_secs(5);

/// A request's body arrives within this time after its headers, or it is refused.
pub const WEB_BODY_TIMEOUT: Duration = Duration::from_secs(5);

/// A whole HTTP exchange takes at most this long, including a client that reads slowly.
pub const WEB_REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Requests that are under way when the endpoint ends get this long.
pub const WEB_END_GRACE: Duration = Duration::from_secs(2);

/// Telling connections that wait that the bot cannot start takes at most this long.
pub const WEB_REFUSING: Duration = Duration::from_secs(1);

/// This many of them are answered; the kernel's default queue is no longer than this.
pub const WEB_REFUSED: usize = 4096;

/// Largest body of an HTTP request, in bytes; none of ours needs one.
pub const WEB_BODY_BYTES: usize = 4096;

/// A report that is older than three of its intervals plus this means that the supervisor is
/// stalled.
pub const REPORT_SLACK: Duration = Duration::from_secs(5);

/// After a connection could not be accepted (no more sockets), the next try waits this long.
pub const WEB_ACCEPT_PAUSE: Duration = Duration::from_secs(1);
