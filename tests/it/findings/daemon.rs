//! Troubles of the process itself, with the real binary.

use katana::observe::finding::Kind;

use super::{Scenario, begin};
use crate::dead_disk::DeadDisk;
use crate::harness::Stage;
use crate::process::{self, Daemon};
use crate::show::{Show, checker, scaled};

pub fn scenarios() -> Vec<Scenario> {
    vec![
        (&[Kind::StageStalled], "stalled stage", Box::pin(stalled_stage())),
        (&[], "memory guard", Box::pin(memory_guard(true))),
        (&[], "memory guard at the start", Box::pin(memory_guard(false))),
        (&[Kind::BackupMissing], "missing backup", Box::pin(backup_missing())),
        (&[Kind::ConfigRejected], "rejected configuration", Box::pin(config_rejected())),
    ]
}

/// A stage with a configuration file, whose daemon is green.
struct Files {
    stage: Stage,
    config: std::path::PathBuf,
}

impl Files {
    async fn new(changes: &[(&str, &str)]) -> Self {
        let mut stage = Stage::new().await;
        let config = stage.dir.path().join("katana-bot.toml");
        scaled(&mut stage, changes);
        stage.set("KATANA_CONFIG", &config.display().to_string());
        // The environment would win over the file.
        stage.set("KATANA_WATCH_RSS_STOP_MB", "");
        let files = Self { stage, config };
        files.write("");
        files
    }

    fn write(&self, text: &str) {
        std::fs::write(&self.config, text).expect("the configuration file");
    }

    async fn daemon(&self) -> (Daemon, Show) {
        let daemon = Daemon::start(&self.stage);
        daemon.says("ready: Telegram answered the first poll").await;
        let show = Show::of_daemon(&self.stage, &daemon).await;
        show.green().await;
        (daemon, show)
    }

    /// The daemon stops cleanly, and the next one finds everything done.
    async fn end(mut self, mut daemon: Daemon, show: &Show, texts: &[&str]) {
        assert_eq!(self.stage.texts(5, texts.len()).await, texts);
        daemon.signal("TERM");
        assert_eq!(daemon.ended().await.code(), Some(0), "{}", daemon.log());
        let (code, said) = checker(show.heartbeat(), &[]).await;
        assert!(code == Some(0) && said.contains("stopped cleanly"), "{code:?} {said}");
        self.write("");
        let show = begin(&mut self.stage).await;
        super::ends_well(self.stage, &show, 5, texts).await;
    }
}

async fn stalled_stage() {
    let files = Files::new(&[("KATANA_WATCH_STALL_S", "2")]).await;
    let (daemon, show) = files.daemon().await;
    let Some(disk) = DeadDisk::under(&files.stage, daemon.id()).await else { return };
    files.stage.sim.say(5, "meanwhile");
    show.shows(Kind::StageStalled).await;
    let (code, said) = checker(show.heartbeat(), &[]).await;
    assert!(code == Some(1) && said.contains("stage_stalled"), "{code:?} {said}");
    drop(disk);
    assert_eq!(files.stage.texts(5, 1).await, ["echo: meanwhile"]);
    show.green().await;
    let (code, said) = checker(show.heartbeat(), &[]).await;
    assert_eq!(code, Some(0), "{said}");
    files.end(daemon, &show, &["echo: meanwhile"]).await;
}

/// A process that is too large drains and exits, so that systemd starts a fresh one.
async fn memory_guard(running: bool) {
    const TIGHT: &str = "watch.rss_stop_mb = 1\nwatch.rss_warn_mb = 0\n";
    // Patient, so that a busy machine does not become a finding meanwhile.
    let often = ("KATANA_WATCH_SYSTEM_EVERY_S", "1");
    let files = Files::new(&[often, ("KATANA_WATCH_PATIENCE", "100")]).await;
    let mut daemon = if running {
        let (daemon, _) = files.daemon().await;
        assert_eq!(files.stage.ask(5, "before").await, "echo: before");
        files.write(TIGHT);
        daemon.signal("HUP");
        daemon
    } else {
        files.write(TIGHT);
        Daemon::start(&files.stage)
    };
    let code = daemon.ended().await.code();
    let log = daemon.log();
    assert_eq!(code, Some(70), "{log}");
    assert!(log.contains("more memory than watch.rss_stop_mb allows"), "{log}");
    // It was not asked to stop, so its heartbeat does not say so.
    let heartbeat = files.stage.config().config.watch.heartbeat_path;
    let beat = std::fs::read_to_string(heartbeat).expect("a heartbeat");
    assert!(!beat.contains("verdict: stopped"), "{beat}");
    files.stage.sim.say(5, "meanwhile");
    files.write("");
    let (daemon, show) = files.daemon().await;
    let texts: &[&str] =
        if running { &["echo: before", "echo: meanwhile"] } else { &["echo: meanwhile"] };
    files.end(daemon, &show, texts).await;
}

async fn config_rejected() {
    let files = Files::new(&[]).await;
    let (daemon, show) = files.daemon().await;
    files.write("answer.providr = \"echo\"\n");
    daemon.signal("HUP");
    show.shows_only(Kind::ConfigRejected).await;
    let (code, said) = checker(show.heartbeat(), &["--nagios"]).await;
    assert!(code == Some(1) && said.contains("config_rejected"), "{code:?} {said}");
    assert_eq!(files.stage.ask(5, "meanwhile").await, "echo: meanwhile");
    files.write("");
    daemon.signal("HUP");
    show.green().await;
    files.end(daemon, &show, &["echo: meanwhile"]).await;
}

/// Old, then failed, then made.
async fn backup_missing() {
    let files = Files::new(&[("KATANA_WATCH_SYSTEM_EVERY_S", "1")]).await;
    let (daemon, show) = files.daemon().await;
    let backups = files.stage.dir.path().join("backups");
    std::fs::create_dir(&backups).expect("a folder");
    std::fs::write(backups.join("katana-20200101T030000000Z.db"), "").expect("written");
    show.shows_only(Kind::BackupMissing).await;
    let (code, said) = checker(show.heartbeat(), &[]).await;
    assert!(code == Some(0) && said.contains("the newest backup is"), "{code:?} {said}");
    let made = process::run(&files.stage, &["backup", "--rotate", "--json"]).await;
    assert_eq!(made.code, Some(0), "{made:?}");
    show.green().await;
    // Something has the name that the new file would have meanwhile.
    std::fs::create_dir(backups.join("katana.partial")).expect("a folder");
    let refused = process::run(&files.stage, &["backup", "--rotate"]).await;
    assert!(
        refused.code == Some(69) && refused.stderr.contains("not a regular file"),
        "{refused:?}"
    );
    show.shows_only(Kind::BackupMissing).await;
    let (_, said) = checker(show.heartbeat(), &[]).await;
    assert!(said.contains("the last attempt failed"), "{said}");
    std::fs::remove_dir(backups.join("katana.partial")).expect("removed");
    let made = process::run(&files.stage, &["backup", "--rotate"]).await;
    assert_eq!(made.code, Some(0), "{made:?}");
    show.green().await;
    assert_eq!(files.stage.ask(5, "meanwhile").await, "echo: meanwhile");
    files.end(daemon, &show, &["echo: meanwhile"]).await;
}
