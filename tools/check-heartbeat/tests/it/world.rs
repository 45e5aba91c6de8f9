//! A machine whose clock, program, network and checker do what a test wants.
//!
//! Channels keep what they accepted. A kill is played by putting the state directory back to what
//! it was at that moment, and by accepting nothing more in that run: that is what a real kill
//! leaves behind.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use check_heartbeat::channel::{Accepted, Channel, Failure, Taken};
use check_heartbeat::config::Config;
use check_heartbeat::incident::{ChannelList, Mode};
use check_heartbeat::notification::Notification;
use check_heartbeat::notify::Notifier;
use check_heartbeat::pending::Origin;
use check_heartbeat::report::Done;
use check_heartbeat::state_dir::StateDir;
use check_heartbeat::watch::{Checked, Watch};
use heartbeat::{Heartbeat, Now, Verdict};

/// When in a delivery the checker is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kill {
    Before,
    After,
}

#[derive(Default)]
struct Shared {
    accepted: BTreeMap<String, Vec<Notification>>,
    down: BTreeMap<String, bool>,
    /// Deliveries until the kill.
    kill: Option<(u32, Kill)>,
    /// The state at the moment of the kill.
    snapshot: Option<Option<Vec<u8>>>,
}

/// A channel that keeps what it accepts.
struct Recorder {
    name: String,
    log: PathBuf,
    shared: Arc<Mutex<Shared>>,
}

fn refused(message: &str) -> Accepted {
    Err(Failure { message: message.to_owned(), hint: None, permanent: false, of_this_alert: false })
}

impl Channel for Recorder {
    fn name(&self) -> &str {
        &self.name
    }

    fn deliver(&self, notification: &Notification, _: Instant) -> Accepted {
        let mut shared = self.shared.lock().unwrap();
        if shared.snapshot.is_some() {
            return refused("the checker is dead");
        }
        let mut dies = None;
        if let Some((left, kill)) = &mut shared.kill {
            if *left == 0 {
                dies = Some(*kill);
            } else {
                *left -= 1;
            }
        }
        if dies == Some(Kill::Before) {
            shared.snapshot = Some(std::fs::read(&self.log).ok());
            return refused("killed");
        }
        if shared.down.get(&self.name).copied().unwrap_or(false) {
            return refused("the network is down");
        }
        shared.accepted.entry(self.name.clone()).or_default().push(notification.clone());
        if dies == Some(Kill::After) {
            shared.snapshot = Some(std::fs::read(&self.log).ok());
        }
        Ok(Taken::default())
    }
}

pub struct World {
    folder: tempfile::TempDir,
    pub now: Now,
    beat: Heartbeat,
    pub names: Vec<String>,
    pub mode: Mode,
    /// Whether `names` are all channels.
    pub complete: bool,
    shared: Arc<Mutex<Shared>>,
}

impl World {
    pub fn new(names: &[&str]) -> Self {
        let now = Now {
            time_ms: 1_795_245_873_000,
            boot_id: Some("boot-1".to_owned()),
            boot_ms: Some(10_000_000),
            awake_ms: None,
        };
        let beat = Heartbeat {
            time_ms: now.time_ms,
            boot_id: "boot-1".to_owned(),
            boot_ms: 10_000_000,
            awake_ms: None,
            sequence: 1,
            pid: 1,
            version: "1".to_owned(),
            environment: "simulated".to_owned(),
            manager: None,
            verdict: Verdict::Ok,
            findings: Vec::new(),
            ages: Vec::new(),
        };
        Self {
            folder: folder(),
            now,
            beat,
            names: names.iter().map(|n| (*n).to_owned()).collect(),
            mode: Mode::All,
            complete: true,
            shared: Arc::default(),
        }
    }

    pub fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    fn log(&self) -> PathBuf {
        self.state().join("incidents.json")
    }

    pub fn remembers(&self) -> bool {
        self.log().exists()
    }

    /// Lets time pass, by both clocks.
    pub fn pass(&mut self, seconds: u64) {
        self.now.time_ms += i64::try_from(seconds * 1000).unwrap();
        self.now.boot_ms = self.now.boot_ms.map(|ms| ms + seconds * 1000);
    }

    /// Sets the wall clock.
    pub fn jump(&mut self, seconds: i64) {
        self.now.time_ms += seconds * 1000;
    }

    pub fn boot(&mut self, id: &str) {
        self.now.boot_id = Some(id.to_owned());
        self.now.boot_ms = Some(200_000);
    }

    /// The program beats, and says this of itself.
    pub fn beat(&mut self, verdict: Verdict) {
        self.beat.verdict = verdict;
        self.beat.time_ms = self.now.time_ms;
        self.beat.boot_id = self.now.boot_id.clone().unwrap();
        self.beat.boot_ms = self.now.boot_ms.unwrap();
        heartbeat::write(&self.folder.path().join("heartbeat"), &self.beat).unwrap();
    }

    pub fn network(&self, channel: &str, works: bool) {
        self.shared.lock().unwrap().down.insert(channel.to_owned(), !works);
    }

    pub fn accepted(&self, channel: &str) -> Vec<Notification> {
        self.shared.lock().unwrap().accepted.get(channel).cloned().unwrap_or_default()
    }

    /// One run of the checker, killed in the given delivery if there are so many. Whether it was.
    pub fn check(&mut self, kill: Option<(u32, Kill)>) -> bool {
        {
            let mut shared = self.shared.lock().unwrap();
            shared.kill = kill;
            shared.snapshot = None;
        }
        self.run(true);
        let snapshot = self.shared.lock().unwrap().snapshot.take();
        let Some(snapshot) = snapshot else { return false };
        match snapshot {
            Some(bytes) => std::fs::write(self.log(), bytes).unwrap(),
            None => std::fs::remove_file(self.log()).unwrap_or_default(),
        }
        true
    }

    /// One run that watches something else.
    pub fn check_nothing(&mut self) {
        self.run(false);
    }

    fn run(&mut self, watched: bool) {
        let watch = Watch {
            name: "bot".to_owned(),
            file: self.folder.path().join("heartbeat"),
            ..Watch::default()
        };
        let checked: Vec<Checked> = watched.then(|| watch.check(&self.now)).into_iter().collect();
        let state = lock(&self.state());
        // What another run would find while this one is at work.
        assert!(matches!(StateDir::open(vec![self.state()]), Ok(None)));
        let config = Config::default();
        let notifier = Notifier {
            config: &config,
            state,
            origin: Origin {
                host: "h".to_owned(),
                reminder_ms: Some(4 * 3_600_000),
                now: self.now.clone(),
            },
            deadline: Instant::now() + Duration::from_secs(40),
        };
        let open = self.names.iter().map(|name| -> Box<dyn Channel> {
            let (name, log) = (name.clone(), self.log());
            Box::new(Recorder { name, log, shared: self.shared.clone() })
        });
        let list =
            ChannelList { names: self.names.clone(), mode: self.mode, complete: self.complete };
        let mut done = Done::default();
        notifier.notify(&checked, open.collect(), &list, &mut done);
        let dropped = |remark: &String| remark.starts_with("too many incidents");
        assert!(done.remarks.iter().all(dropped), "{:?}", done.remarks);
    }

    /// Where the heartbeat lies.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// A folder in memory, where syncing thousands of times takes no time; kills are played here, and
/// power cuts are not.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// The state directory of this test. Another test may start a program in this moment, whose process holds a
/// copy of our lock until it has become that program.
fn lock(state: &Path) -> StateDir {
    let begun = Instant::now();
    loop {
        if let Some(state) = StateDir::open(vec![state.to_owned()]).unwrap() {
            return state;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "the lock stays taken");
        std::thread::yield_now();
    }
}

/// Says that a test, or a part of it, cannot do its work here; `.ci/run` counts these.
pub fn skipped(why: &str) {
    use std::io::Write;
    // Not by a macro: the test harness would swallow it.
    let _ = writeln!(std::io::stderr(), "SKIPPED: {why}");
}
