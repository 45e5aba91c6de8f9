//! `[canary]`: a question with a known answer, which shows after a start that answers work.

use crate::config::rule::prose;
use crate::config::section::section;

section! {
    /// The section `[canary]`: a question with a known answer, asked once after each start.
    pub struct Canary in "canary" {
        /// A question that the bot puts to itself once after each start, when Telegram has answered the
        /// first poll. It goes the way of every question, with the documents, and costs what a question
        /// costs; nothing is sent to Telegram or kept. `/health` has the outcome, and
        /// `katana-bot deploy-check` waits for it. An empty text means none.
        question: String = prose("")
            .when("Where a deployment is to prove that answers work, such as \
            `What is the capital of France?`.")
            .restart("it is asked after the start only"),

        /// What its answer has to contain, such as `Paris`; upper and lower case are the same. Any
        /// answer will do if this is empty.
        expect: String = prose("").when("Together with `canary.question`.")
            .restart("it belongs to the question"),
    }
}
