//! Sends pending notifications, each channel on a thread of its own, and ends in time.
//!
//! A channel that hangs delays no other. After each answer its thread waits until the answer is on
//! disk, so that a kill costs at most the one notification that was being sent. A channel that has
//! not answered by the deadline is abandoned with its thread; its notifications stay pending.

use std::sync::mpsc::{self, Sender, SyncSender};
use std::thread;
use std::time::{Duration, Instant};

use crate::channel::{Channel, Failure};
use crate::notification::{Kind, Notification};

/// How much longer than its deadline a channel may take before its thread is abandoned.
const GRACE: Duration = Duration::from_secs(1);

/// A channel and what it has to be sent, oldest first.
pub type Job = (Box<dyn Channel>, Vec<Notification>);

/// A channel's answer to one notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    pub channel: String,
    pub kind: Kind,
    /// The id of its incident.
    pub incident: String,
    pub result: Result<(), Failure>,
    /// What people should know although the channel accepted.
    pub remarks: Vec<String>,
}

impl Outcome {
    pub fn accepted(&self) -> bool {
        self.result.is_ok()
    }
}

/// An answer on its way to the disk, and where to say whether it was saved.
type Answer = (Notification, Outcome, SyncSender<bool>);

/// Sends everything. `record` saves each answer, in the order in which they come; where it returns
/// `false`, that channel is sent nothing more. Nor is a channel that failed.
pub fn deliver(
    jobs: Vec<Job>,
    deadline: Instant,
    record: &mut dyn FnMut(&Notification, &Outcome) -> bool,
) -> Vec<Outcome> {
    let (answers, inbox) = mpsc::channel();
    let mut silent = Vec::new();
    for (channel, notifications) in jobs {
        let Some(first) = notifications.first() else { continue };
        silent.push((channel.name().to_owned(), first.clone()));
        let answers = answers.clone();
        // Where no thread can be started, the channel counts as silent.
        let work = move || send_all(&*channel, notifications, deadline, &answers);
        drop(thread::Builder::new().spawn(work));
    }
    drop(answers);
    let (until, mut outcomes) = (deadline + GRACE, Vec::new());
    while let Ok((notification, outcome, saved)) =
        inbox.recv_timeout(until.saturating_duration_since(Instant::now()))
    {
        silent.retain(|(channel, _)| *channel != outcome.channel);
        // The thread may have ended.
        let _ = saved.send(record(&notification, &outcome));
        outcomes.push(outcome);
    }
    for (channel, Notification { kind, incident, .. }) in silent {
        let result = Err(Failure::transient("cannot deliver: there was no answer in time"));
        outcomes.push(Outcome { channel, kind, incident, result, remarks: Vec::new() });
    }
    outcomes
}

fn send_all(
    channel: &dyn Channel,
    notifications: Vec<Notification>,
    deadline: Instant,
    answers: &Sender<Answer>,
) {
    for notification in notifications {
        let answer = channel.deliver(&notification, deadline);
        let accepted = answer.is_ok();
        let (result, remarks) = match answer {
            Ok(remarks) => (Ok(()), remarks),
            Err(failure) => (Err(failure), Vec::new()),
        };
        let (channel, kind) = (channel.name().to_owned(), notification.kind);
        let incident = notification.incident.clone();
        let outcome = Outcome { channel, kind, incident, result, remarks };
        let (saved, go_on) = mpsc::sync_channel(1);
        let sent = answers.send((notification, outcome, saved));
        if sent.is_err() || !go_on.recv().unwrap_or(false) || !accepted {
            return;
        }
    }
}
