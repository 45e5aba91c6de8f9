//! Classes of failures: the words of the metrics' labels `class` and `outcome`, of the field `class`
//! in logs and of `class` in `/bot/status`.
//!
//! Invariant: dashboards and alerts name these words, so they never change their meaning.

use std::fmt;

macro_rules! classes {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $class:ident = $word:literal,)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name {
            $($(#[$doc])* $class,)*
        }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$class,)*];

            /// The word for logs and metric labels.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$class => $word,)*
                }
            }
        }
    };
}

classes!(
    /// Why a chat does not take a message, when that is a matter of this chat alone.
    ChatRefusal {
        /// The person blocked the bot, or it was removed, or the chat does not exist any more.
        Gone = "gone",
        /// The bot may not write there.
        NoRight = "no_right",
        /// The topic is closed.
        TopicClosed = "topic_closed",
    }
);

classes!(
    /// How a call of the Bot API failed.
    TelegramClass {
        /// The request never left: name resolution, connection or TLS failed.
        Connect = "connect",
        /// There was no answer in time.
        Timeout = "timeout",
        /// The answer broke off, or was not one of the Bot API.
        Cut = "cut",
        /// It was done, but the answer cannot be read.
        Undecodable = "undecodable",
        /// 400.
        BadRequest = "bad_request",
        /// 401: the token is not valid.
        Unauthorized = "unauthorized",
        /// 403: the bot may not write there.
        Forbidden = "forbidden",
        /// 404: unknown method, or a malformed token.
        NotFound = "not_found",
        /// 409: someone else takes the updates.
        Conflict = "conflict",
        /// 429: too many calls.
        RateLimited = "rate_limited",
        /// 500 and above.
        Server = "server",
        /// Any other refusal.
        Refused = "refused",
    }
);

classes!(
    /// Why a question has no answer.
    AnswerClass {
        /// The key is missing, wrong, or not allowed to do this.
        Auth = "auth",
        /// Too many calls.
        RateLimit = "rate_limit",
        /// Nothing left to spend.
        Quota = "quota",
        /// The conversation does not fit the model.
        TooLong = "too_long",
        /// There is no such model or endpoint.
        NotFound = "not_found",
        /// The server does not accept the request.
        BadRequest = "bad_request",
        /// The server failed.
        Server = "server",
        /// The server has too much to do.
        Overloaded = "overloaded",
        /// The server cannot be reached.
        Unreachable = "unreachable",
        /// The server was silent, or the answer did not end in time.
        Timeout = "timeout",
        /// The answer did not begin in time.
        FirstTokenTimeout = "first_token_timeout",
        /// What came back was not an answer.
        Garbage = "garbage",
        /// The answer broke off.
        Cut = "cut",
        /// The vendor's filter refused the question.
        Filtered = "filtered",
        /// The provider cannot be used as it is configured.
        Config = "config",
        /// The answer was empty.
        Empty = "empty",
        /// The model used up its tokens before it wrote an answer.
        TokensUsedUp = "tokens_used_up",
        /// It would cost more than a budget has left.
        OverBudget = "over_budget",
        /// What it would cost cannot be written down.
        Ledger = "ledger",
    }
);

classes!(
    /// How a call of the store failed.
    StoreClass {
        /// The folder or file cannot be used.
        Open = "open",
        /// The file is not the state of a bot.
        WrongFile = "wrong_file",
        /// Another process works on the state.
        InUse = "in_use",
        /// The state cannot be brought to this version.
        Schema = "schema",
        /// The copy before a migration cannot be made.
        Copy = "keep",
        /// The disk has no room.
        DiskFull = "disk_full",
        /// Another program kept the state locked.
        Busy = "busy",
        /// The state is damaged.
        Corrupt = "corrupt",
        /// Reading, writing or committing failed for another reason.
        Io = "io",
        /// A row does not hold what it should.
        Row = "row",
        /// The store was closed.
        Closed = "closed",
    }
);

/// How a call of any edge failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FailureClass {
    /// A call of the Bot API.
    Telegram(TelegramClass),
    /// A question to a provider.
    Answer(AnswerClass),
    /// A call of the store.
    Store(StoreClass),
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CallOutcome {
    /// It worked.
    Ok,
    /// It failed.
    Failed(FailureClass),
}

impl FailureClass {
    /// The word for logs, metric labels and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Telegram(class) => class.as_str(),
            Self::Answer(class) => class.as_str(),
            Self::Store(class) => class.as_str(),
        }
    }
}

impl fmt::Display for FailureClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl CallOutcome {
    /// The word for metric labels: `ok` or the class of the failure.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed(class) => class.as_str(),
        }
    }
}

impl From<TelegramClass> for FailureClass {
    fn from(class: TelegramClass) -> Self {
        Self::Telegram(class)
    }
}

impl From<AnswerClass> for FailureClass {
    fn from(class: AnswerClass) -> Self {
        Self::Answer(class)
    }
}

impl From<StoreClass> for FailureClass {
    fn from(class: StoreClass) -> Self {
        Self::Store(class)
    }
}
