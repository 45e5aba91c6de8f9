//! `[limits]`: how much people may ask.

use super::provider::is_service;
use crate::config::key::Part;
use crate::config::resolved::Resolved;
use crate::config::rule::count;
use crate::config::section::section;
use crate::config::source::Origin;
use crate::config::value::Value;

section! {
    /// The section `[limits]`: how many questions people may ask, so that one of them, or a script, can neither
    /// spend everyone's money nor take everyone's turn.
    pub struct Limits in "limits", checked by check {
        /// How many questions one person may ask in a minute, in all chats together; 0 means as many as they
        /// like. More get one friendly refusal a minute and then silence. New questions, edits, *Try again* and
        /// *Continue* count; commands do not, and owners are not limited. The most that people do by hand is to forward
        /// a hundred messages at once. 0 unless set where no model is asked.
        user_questions_per_minute: u32 = count(0..=1000, 120)
            .when("Lower it where strangers may ask, raise it where programs ask in people's names.")
            .live(Part::Stages),

        /// The same for all people of one chat together. It matters in groups.
        chat_questions_per_minute: u32 = count(0..=1000, 120)
            .when("Lower it for large groups; Telegram lets a bot send 20 messages a minute to a group.")
            .live(Part::Stages),

        /// How many answers to one person may be written at the same time, in different chats; 0 means any
        /// number. In one chat there is one at a time anyway.
        user_parallel_answers: u32 = count(0..=1000, 8)
            .when("Lower it with `pipeline.answers_at_once`, of which it is one person's share.")
            .live(Part::Stages),
    }
}

/// What no model answers costs nothing, and is there at once.
fn check(resolved: &mut Resolved<'_>) {
    let chosen: Vec<String> = resolved.get("answer.provider");
    if chosen.iter().any(|name| is_service(name)) {
        return;
    }
    for name in ["user_questions_per_minute", "chat_questions_per_minute", "user_parallel_answers"]
    {
        let path = format!("limits.{name}");
        if resolved.is_default(&path) {
            let why = format!("{} asks no model", chosen.concat());
            resolved.set(&path, Value::Whole(0), Origin::Derived(why));
        }
    }
}
