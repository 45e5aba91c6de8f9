//! Offers what is due to the channels, each in a thread of its own, and ends in time.
//!
//! A channel that hangs delays no other one. After each answer the lane waits until the answer is
//! on disk, so that a kill costs at most the one notice that was on its way. What has no answer by
//! the deadline is abandoned with its thread; it stays due.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, SyncSender};
use std::thread;
use std::time::{Duration, Instant};

use crate::channel::{Channel, Failure};
use crate::dues::Due;
use crate::incident::Mode;
use crate::notice::Kind;

/// How much longer than its deadline a channel may take before its thread is abandoned.
const PATIENCE: Duration = Duration::from_secs(1);

/// What came of one offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The channel's name.
    pub channel: String,
    /// The kind of the notice.
    pub kind: Kind,
    /// The id of the incident, the first one when there are more.
    pub incident: String,
    /// Whether it was accepted, or why not.
    pub result: Result<(), Failure>,
    /// What the channel has to say although it accepted.
    pub remarks: Vec<String>,
}

/// An answer on its way to the disk.
struct Answer {
    due: Due,
    outcome: Outcome,
    /// Told whether the answer was written, so that the lane may go on.
    written: SyncSender<bool>,
}

/// Offers all `dues`. `mark` is called with each answer, in the order in which they come, and
/// writes it down; where it returns `false`, that lane offers nothing more.
pub fn deliver(
    channels: Vec<Box<dyn Channel>>,
    dues: &[Due],
    mode: Mode,
    deadline: Instant,
    mark: &mut dyn FnMut(&Due, &Outcome) -> bool,
) -> Vec<Outcome> {
    let lanes: Vec<Vec<Box<dyn Channel>>> = match mode {
        Mode::All => channels.into_iter().map(|channel| vec![channel]).collect(),
        Mode::First => vec![channels],
    };
    let (answers, inbox) = mpsc::channel();
    let mut waiting = BTreeSet::new();
    for lane in lanes {
        let names: Vec<String> = lane.iter().map(|c| c.name().to_owned()).collect();
        let ours = |due: &&Due| due.offers.iter().any(|(name, _)| names.contains(name));
        let dues: Vec<Due> = dues.iter().filter(ours).cloned().collect();
        for due in &dues {
            waiting.insert((due.kind, due.incidents.clone(), lane_of(due)));
        }
        let answers = answers.clone();
        thread::spawn(move || run_lane(&lane, dues, deadline, &answers));
    }
    drop(answers);
    let mut outcomes = collect(&inbox, deadline + PATIENCE, &mut waiting, mark);
    for (kind, incidents, channel) in waiting {
        // Refused by another channel of the lane, or left for the next run.
        if Instant::now() > deadline && outcomes.iter().all(|o| o.channel != channel) {
            let incident = incidents.into_iter().next().unwrap_or_default();
            let result = Err(Failure {
                message: "cannot deliver: there was no answer in the time of this run".to_owned(),
                hint: None,
                permanent: false,
            });
            outcomes.push(Outcome { channel, kind, incident, result, remarks: Vec::new() });
        }
    }
    outcomes
}

/// The first channel that a notice is offered to.
fn lane_of(due: &Due) -> String {
    due.offers.first().map(|(name, _)| name.clone()).unwrap_or_default()
}

fn collect(
    inbox: &Receiver<Answer>,
    until: Instant,
    waiting: &mut BTreeSet<(Kind, Vec<String>, String)>,
    mark: &mut dyn FnMut(&Due, &Outcome) -> bool,
) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    loop {
        let left = until.saturating_duration_since(Instant::now());
        match inbox.recv_timeout(left) {
            Ok(Answer { due, outcome, written }) => {
                waiting.remove(&(due.kind, due.incidents.clone(), lane_of(&due)));
                let go_on = mark(&due, &outcome);
                outcomes.push(outcome);
                // A lane that has ended needs no answer.
                let _ = written.send(go_on);
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return outcomes,
        }
    }
}

/// Offers one notice after the other. A channel that failed once is not tried again in this run.
fn run_lane(
    lane: &[Box<dyn Channel>],
    dues: Vec<Due>,
    deadline: Instant,
    answers: &Sender<Answer>,
) {
    let by_name: BTreeMap<&str, &Box<dyn Channel>> = lane.iter().map(|c| (c.name(), c)).collect();
    let mut broken = BTreeSet::new();
    for due in dues {
        for (index, (name, notice)) in due.offers.iter().enumerate() {
            let Some(channel) = by_name.get(name.as_str()).filter(|_| !broken.contains(name))
            else {
                continue;
            };
            // Those that come after this one get their share of the time.
            let left = deadline.saturating_duration_since(Instant::now());
            let sharers = due.offers.len() - index;
            let share = left / u32::try_from(sharers).unwrap_or(u32::MAX);
            let result = channel.deliver(notice, Instant::now() + share);
            let accepted = result.is_ok();
            let outcome = Outcome {
                channel: name.clone(),
                kind: due.kind,
                incident: notice.incident.clone(),
                result,
                remarks: channel.remarks(),
            };
            let (written, go_on) = mpsc::sync_channel(1);
            if answers.send(Answer { due: due.clone(), outcome, written }).is_err() {
                return;
            }
            if !go_on.recv().unwrap_or(false) {
                return;
            }
            if accepted {
                break;
            }
            broken.insert(name.clone());
        }
    }
}
