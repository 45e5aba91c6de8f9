//! What a server says that it still takes.

/// How much is left until a limit begins again; `None` where the server does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RateLeft {
    /// Requests, and milliseconds until there are more.
    pub requests: Option<(u64, u64)>,
    /// Tokens, and milliseconds until there are more.
    pub tokens: Option<(u64, u64)>,
}
