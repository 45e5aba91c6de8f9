//! What a check found, in words: in one line, and as the end of an incident.

use heartbeat::{Judgement, Reason, State};

use crate::watch::Checked;

impl Checked {
    /// One line without the state: name, file where it helps, and what was found.
    pub fn line(&self) -> String {
        let (watch, judgement) = (&self.watch, &self.judgement);
        let who = self.environment().map(|e| format!(" ({e})")).unwrap_or_default();
        let file = watch.file.display().to_string();
        let is_file = watch.url.is_none() && watch.name != file;
        let named = judgement.state == State::Critical && is_file;
        let file = if named { format!(" [{file}]") } else { String::new() };
        format!("{}{who}: {}{file}", watch.name, judgement.text)
    }

    /// What is over, in words, and what is still wrong.
    pub(crate) fn good_again(&self, over: &str) -> String {
        let Judgement { reason, text, .. } = &self.judgement;
        match (reason, text.split_once(": ")) {
            (Reason::Degraded, Some((_, findings))) => format!("{over}, but: {findings}"),
            (Reason::Failing, _) => format!("{over}, but {text}"),
            _ => format!("{over}; {text}"),
        }
    }

    /// The same for the program as a whole. Of another program only the time is known.
    pub(crate) fn serving_again(&self) -> String {
        let speaks =
            matches!(self.judgement.reason, Reason::Fresh | Reason::Degraded | Reason::Failing);
        match &self.judgement.heartbeat {
            Some(_) if speaks => self.good_again("running again"),
            _ => self.judgement.text.clone(),
        }
    }
}
