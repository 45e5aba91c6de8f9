//! A folder with a heartbeat, a configuration and a state, and the real program run on them.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use heartbeat::{Finding, Heartbeat, Manager, Now, Severity, Verdict};
use serde_json::Value;

pub struct Place {
    pub folder: tempfile::TempDir,
    pub heartbeat: PathBuf,
}

/// What a run printed, and its exit status.
#[derive(Debug)]
pub struct Ran {
    pub status: i32,
    pub out: String,
    pub err: String,
}

impl Place {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let heartbeat = folder.path().join("heartbeat");
        Self { folder, heartbeat }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes the configuration; the watch of this place's heartbeat comes first.
    pub fn configure(&self, rest: &str) {
        let file = self.heartbeat.display();
        let (top, tables) = match rest.find('[') {
            Some(at) if rest[..at].trim().is_empty() => ("", rest),
            _ => rest.split_once("\n\n").unwrap_or((rest, "")),
        };
        let watch = format!("[[watch]]\nname = \"bot\"\nfile = \"{file}\"\n");
        std::fs::write(self.path("config.toml"), format!("{top}\n{watch}{tables}")).unwrap();
    }

    /// A table of a channel that appends what it accepts to a file, and refuses while another file
    /// lies beside it. What ends early, because the checker was killed, is not a notice.
    pub fn command_channel(&self, name: &str) -> String {
        let (told, down) = (self.path(&format!("{name}.told")), self.path(&format!("{name}.down")));
        let script = format!(
            "line=$(cat); [ -e {} ] && exit 1; \
             case \"$line\" in *}}) ;; *) exit 2;; esac; printf '%s\\\\n' \"$line\" >> {}",
            down.display(),
            told.display()
        );
        let script = script.replace('"', "\\\"");
        format!(
            "[[channel]]\ntype = \"command\"\nname = \"{name}\"\nprogram = \"/bin/sh\"\n\
             args = [\"-c\", \"{script}\"]\n"
        )
    }

    /// What a channel made by [`command_channel`](Self::command_channel) accepted.
    pub fn told(&self, name: &str) -> Vec<Value> {
        let text = std::fs::read_to_string(self.path(&format!("{name}.told"))).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Kinds of what a channel accepted.
    pub fn kinds(&self, name: &str) -> Vec<String> {
        let kinds = self.told(name).into_iter().map(|n| n["kind"].as_str().unwrap().to_owned());
        kinds.collect()
    }

    /// Writes a beat of this boot that is so many seconds old.
    pub fn beat(&self, verdict: Verdict, age_s: u64, findings: &[(&str, Severity, &str)]) {
        heartbeat::write(&self.heartbeat, &beat(verdict, age_s, findings)).unwrap();
    }

    pub fn good(&self) {
        self.beat(Verdict::Ok, 1, &[]);
    }

    pub fn stale(&self) {
        self.beat(Verdict::Ok, 300, &[]);
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_check-heartbeat"));
        let (config, state) = (self.path("config.toml"), self.path("state"));
        if !config.exists() {
            std::fs::write(&config, "").unwrap();
        }
        command.env_clear().env("PATH", "/usr/bin:/bin").stdin(Stdio::null());
        if !args.contains(&"--config") {
            command.arg("--config").arg(config);
        }
        command.arg("--state-dir").arg(state).args(args);
        command
    }

    /// Runs the check on this place.
    pub fn run(&self, args: &[&str]) -> Ran {
        ran(self.command(args))
    }

    /// Runs the check on this place's heartbeat without any watch being configured.
    pub fn check(&self, args: &[&str]) -> Ran {
        let file = self.heartbeat.to_str().unwrap();
        self.run(&[&["--file", file], args].concat())
    }

    pub fn start(&self, args: &[&str]) -> Child {
        let mut command = self.command(args);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// Whether anything is remembered.
    pub fn remembers(&self) -> bool {
        Path::new(&self.path("state")).join("incidents.json").exists()
    }
}

pub fn ran(mut command: Command) -> Ran {
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran {
        status: output.status.code().expect("it exits by itself"),
        out: text(output.stdout),
        err: text(output.stderr),
    }
}

/// A beat of this boot that is so many seconds old.
pub fn beat(verdict: Verdict, age_s: u64, findings: &[(&str, Severity, &str)]) -> Heartbeat {
    let now = Now::read();
    let finding = |(name, severity, text): &(&str, Severity, &str)| Finding {
        name: (*name).to_owned(),
        severity: *severity,
        text: (*text).to_owned(),
        impact: format!("{name} is felt"),
        first_step: format!("see {name}: `journalctl -u katana-bot`"),
    };
    Heartbeat {
        time_ms: now.time_ms - i64::try_from(age_s).unwrap() * 1000,
        boot_id: now.boot_id.expect("Linux reports the boot id"),
        boot_ms: now.boot_ms.expect("Linux reports the uptime").checked_sub(age_s * 1000).expect(
            "the machine that runs the tests was booted longer ago than the oldest beat in them",
        ),
        awake_ms: now.awake_ms.and_then(|ms| ms.checked_sub(age_s * 1000)),
        sequence: 7,
        pid: 4711,
        version: "0.1.0".to_owned(),
        environment: "testing".to_owned(),
        manager: Some(Manager::Systemd),
        verdict,
        findings: findings.iter().map(finding).collect(),
        ages: vec![("poll".to_owned(), 900)],
    }
}
