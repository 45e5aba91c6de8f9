//! Classes of failures: the words of the metrics' labels `class` and `outcome`.
//!
//! Invariant: dashboards and alerts name these words, so they never change their meaning.

macro_rules! classes {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $class:ident = $word:literal,)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    }
);
