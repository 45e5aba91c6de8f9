//! `[canary]`: a question with a known answer, which shows that answers work.

use crate::config::key::Part;
use crate::config::rule::{prose, whole};
use crate::config::section::section;

section! {
    /// The section `[canary]`: a question with a known answer, asked after each start and whenever no one else
    /// has had an answer for a while.
    pub struct Canary in "canary" {
        /// A question that the bot puts to itself after each start, when Telegram has answered the first poll.
        /// It goes the way of every question, with the documents, without thoughts where the server takes
        /// that, and costs what such a question costs; nothing is sent to Telegram or kept. `/health`,
        /// `katana-bot status` and the metrics have the outcome, and `katana-bot deploy-check` waits for it. An
        /// empty text means none.
        question: String = prose("")
            .when("To hear of an outage before people do, and where a deployment is to prove that answers work, \
            such as `What is the capital of France?`.")
            .live(Part::Watch),

        /// What its answer has to contain, such as `Paris`; upper and lower case are the same. Any
        /// answer will do if this is empty.
        expect: String = prose("").when("Together with `canary.question`.").live(Part::Watch),

        /// It is asked again when no question was answered for so many seconds; 0 asks it after a start only. While
        /// it fails, it is asked again after 5 minutes, then after 10, 20 and so on, and never less often than this.
        every_s: u64 = whole(0..=604_800, 3600)
            .when("Lower it to hear of outages sooner, raise it or set 0 to spend less.")
            .live(Part::Watch),
    }
}
