//! What the send queue wants to be done, and what the outcome of a part means for it.

use tokio::time::Instant;

use crate::model::ids::{ChatId, MessageId};
use crate::pipeline::search::Verdict;
use crate::store::OpenPart;

/// What is to be done now.
#[derive(Debug)]
pub(in crate::pipeline) enum Next {
    /// Send this part; the highest id known before is to be stored first.
    Send(Box<OpenPart>, MessageId),
    /// Ask whether this part has one of these ids.
    Ask(Box<OpenPart>, Vec<MessageId>),
    /// This part is at none of the ids that were asked about.
    Conclude(Box<OpenPart>, Verdict),
    /// Find out whether everything that people wrote has been received.
    CatchUp,
    /// Read this chat's due parts from disk, then ask again.
    Load(ChatId),
    /// Nothing until then, or until something happens.
    Sleep(Option<Instant>),
}

/// The outcome of the part that was on its way.
pub(in crate::pipeline) enum NextAction {
    /// It is settled; the next may follow.
    Continue,
    /// It is due again at that time.
    Retry(Box<OpenPart>, Instant),
    /// It is *sending* and may have arrived.
    InDoubt(Box<OpenPart>),
    /// It is still in doubt; the search goes on.
    Search(Box<OpenPart>),
    /// It is still in doubt; the search goes on after a pause.
    SearchLater(Box<OpenPart>),
    /// It did not arrive, or the search is given up: send it (again).
    Resend(Box<OpenPart>),
    /// Everything due in this chat was dropped.
    ShutOut,
}
