//! Sends pending notifications, each channel on a thread of its own, and ends in time.
//!
//! A channel that hangs delays no other. After each answer its thread waits until the answer is on
//! disk, so that a kill costs at most the one notification that was being sent. A channel that has
//! not answered by the deadline is abandoned with its thread; its notifications stay pending.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::channel::{Accepted, Channel, Failure};
use crate::notification::Notification;
use hygiene::time_limit::{by, start};

/// How much longer than its deadline a channel may take before its thread is abandoned.
const GRACE: Duration = Duration::from_secs(1);

/// A channel and what it has to be sent, oldest first.
pub type Job = (Box<dyn Channel>, Vec<Notification>);

/// A channel's answer to one notification.
#[derive(Debug)]
pub struct Outcome {
    pub channel: String,
    pub notification: Notification,
    pub result: Accepted,
}

/// Sends everything. `record` saves each answer, in the order in which they come; where it returns
/// `false`, that channel is sent nothing more. Nor is a channel that failed, unless it was for what the
/// notification says.
pub fn deliver(
    jobs: Vec<Job>,
    deadline: Instant,
    record: &mut dyn FnMut(&Outcome) -> bool,
) -> Vec<Outcome> {
    // Each answer comes with where to say whether it was saved.
    let (answers, inbox) = mpsc::channel();
    let mut silent = Vec::new();
    for (channel, notifications) in jobs {
        let Some(first) = notifications.first() else { continue };
        silent.push((channel.name().to_owned(), first.clone()));
        let answers = answers.clone();
        // Where no thread can be started, the channel counts as silent.
        drop(start(move || {
            for notification in notifications {
                let result = channel.deliver(&notification, deadline);
                let goes_on =
                    result.as_ref().map_or_else(|failure| failure.of_this_alert, |_| true);
                let channel = channel.name().to_owned();
                let (saved, go_on) = mpsc::sync_channel(1);
                let sent = answers.send((Outcome { channel, notification, result }, saved));
                if sent.is_err() || !go_on.recv().unwrap_or(false) || !goes_on {
                    return;
                }
            }
        }));
    }
    drop(answers);
    let mut outcomes = Vec::new();
    while let Some((outcome, saved)) = by(deadline + GRACE, &inbox) {
        silent.retain(|(channel, _)| *channel != outcome.channel);
        // The thread may have ended.
        let _ = saved.send(record(&outcome));
        outcomes.push(outcome);
    }
    for (channel, notification) in silent {
        let result = Err(Failure::transient("cannot deliver: there was no answer in time"));
        outcomes.push(Outcome { channel, notification, result });
    }
    outcomes
}
