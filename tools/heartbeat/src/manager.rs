//! What starts and stops the bot's process. Advice names the commands of that program.

use std::fmt;
use std::path::Path;

use crate::{Heartbeat, advice_for};

/// The program that starts and stops the bot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Manager {
    /// systemd, by a unit.
    Systemd,
    /// supervisord, by a program of this name.
    Supervisor(String),
    /// A container runtime.
    Container,
    /// A person at a terminal, or a script.
    Other,
}

/// Longest name of a supervisor program in characters.
const MAX_NAME: usize = 64;

/// Where systemd runs the machine.
const BOOTED: &str = "/run/systemd/system";
/// Where supervisord listens (Debian's package).
const SUPERVISOR: &str = "/run/supervisor.sock";
/// Files that container runtimes put in place.
const CONTAINER: [&str; 2] = ["/run/.containerenv", "/.dockerenv"];

impl Manager {
    /// What started this process. A terminal inherits some variables of systemd, but not the one that
    /// names the process.
    pub fn of_this_process() -> Self {
        let get = |name: &str| std::env::var(name).ok();
        let own = std::process::id().to_string();
        if get("SYSTEMD_EXEC_PID").is_some_and(|pid| pid == own) {
            return Self::Systemd;
        }
        if let Some(process) = get("SUPERVISOR_PROCESS_NAME") {
            let group = get("SUPERVISOR_GROUP_NAME").filter(|group| *group != process);
            let name = group.map_or(process.clone(), |group| format!("{group}:{process}"));
            return Self::parse(&format!("supervisor {name}")).unwrap_or(Self::Other);
        }
        if is_container() || get("KUBERNETES_SERVICE_HOST").is_some() {
            return Self::Container;
        }
        Self::Other
    }

    /// What starts the bot whose heartbeat is `file`: as `beat` says, else as the machine lets expect.
    pub fn of(beat: Option<&Heartbeat>, file: &Path) -> Self {
        let is_booted = Path::new(BOOTED).exists();
        match beat.and_then(|beat| beat.manager.clone()) {
            // Someone tried it by hand where the unit's heartbeat lies.
            Some(Self::Other) if is_booted && file.starts_with("/run") => return Self::Systemd,
            Some(said) => return said,
            None => {}
        }
        match () {
            () if is_booted && file.starts_with("/run") => Self::Systemd,
            () if Path::new(SUPERVISOR).exists() => Self::Supervisor("katana-bot".to_owned()),
            () if is_container() => Self::Container,
            () if is_booted => Self::Systemd,
            () => Self::Other,
        }
    }

    /// Reads what [`fmt::Display`] wrote; `None` if it makes no sense here.
    pub fn parse(text: &str) -> Option<Self> {
        let is_name = |name: &str| {
            let fits = (1..=MAX_NAME).contains(&name.len());
            fits && name.chars().all(|c| c.is_ascii_alphanumeric() || "_.:@-".contains(c))
        };
        match text.split_once(' ') {
            None if text == "systemd" => Some(Self::Systemd),
            None if text == "container" => Some(Self::Container),
            None if text == "other" => Some(Self::Other),
            Some(("supervisor", name)) if is_name(name) => Some(Self::Supervisor(name.to_owned())),
            _ => None,
        }
    }

    /// Advice for the first bot under systemd, written for the bot of this unit under this manager.
    pub fn advise(&self, unit: &str, advice: &str) -> String {
        let advice = advice_for(unit, advice);
        if *self == Self::Systemd {
            return advice;
        }
        let parts = advice.split('`').enumerate();
        let parts =
            parts.map(|(n, part)| if n % 2 == 1 { self.command(part) } else { part.into() });
        parts.collect()
    }

    /// A command as it is here, between backticks; in words where there is none.
    fn command(&self, command: &str) -> String {
        let mut words = command.split(' ').filter(|word| *word != "sudo");
        let (program, verb) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let asks = |word| std::iter::once(verb).chain(words.clone()).any(|other| other == word);
        let is_restart = verb == "restart";
        match (program, self) {
            ("systemctl", Self::Supervisor(name)) => match verb {
                "start" | "enable" => format!("`supervisorctl start {name}`"),
                "reload" => format!("`supervisorctl signal HUP {name}`"),
                "daemon-reload" => "`supervisorctl update`".to_owned(),
                verb => format!("`supervisorctl {verb} {name}`"),
            },
            ("systemctl", Self::Container) if is_restart => "restart its container".to_owned(),
            ("systemctl", Self::Container) => "start its container".to_owned(),
            ("systemctl", _) if is_restart => "stop the process and start it again".to_owned(),
            ("systemctl", _) => "start `katana-bot run` again".to_owned(),
            ("journalctl", Self::Supervisor(name)) => format!("`supervisorctl tail -9999 {name}`"),
            ("journalctl", Self::Container) => "the log of its container".to_owned(),
            ("journalctl", _) => "its log".to_owned(),
            ("timedatectl", _) => "`date -u`".to_owned(),
            // It stores the token where only a unit looks.
            ("katana-bot", _) if asks("setup") => "the bot by its file or variable".to_owned(),
            ("katana-bot", Self::Container) => format!("`{command}` in its container"),
            _ => format!("`{command}`"),
        }
    }
}

impl fmt::Display for Manager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Systemd => f.write_str("systemd"),
            Self::Supervisor(name) => write!(f, "supervisor {name}"),
            Self::Container => f.write_str("container"),
            Self::Other => f.write_str("other"),
        }
    }
}

fn is_container() -> bool {
    CONTAINER.iter().any(|file| Path::new(file).exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_names_the_commands_of_the_manager() {
        let supervisor = Manager::Supervisor("katana-bot".to_owned());
        let advise = |manager: &Manager, text: &str| manager.advise("katana-bot", text);
        let restart = "keep `journalctl -u katana-bot -n 200` for a report; then `systemctl restart \
                       --no-block katana-bot`";
        for (manager, wanted) in [
            (Manager::Systemd, restart),
            (
                supervisor.clone(),
                "keep `supervisorctl tail -9999 katana-bot` for a report; then `supervisorctl restart \
                 katana-bot`",
            ),
            (
                Manager::Container,
                "keep the log of its container for a report; then restart its container",
            ),
            (Manager::Other, "keep its log for a report; then stop the process and start it again"),
        ] {
            assert_eq!(advise(&manager, restart), wanted);
            assert_eq!(Manager::parse(&manager.to_string()), Some(manager));
        }
        let start = "`systemctl enable --now --no-block katana-bot`";
        assert_eq!(advise(&supervisor, start), "`supervisorctl start katana-bot`");
        assert_eq!(advise(&Manager::Other, start), "start `katana-bot run` again");
        let look = "`katana-bot status`, then `df -h`";
        assert_eq!(advise(&supervisor, look), look);
        assert_eq!(
            advise(&Manager::Container, look),
            "`katana-bot status` in its container, then `df -h`"
        );
    }

    #[test]
    fn a_name_that_makes_no_sense_is_none() {
        for text in ["", "supervisor", "supervisor a b", "supervisor $(x)", "initd"] {
            assert_eq!(Manager::parse(text), None, "{text}");
        }
        let long = format!("supervisor {}", "x".repeat(MAX_NAME + 1));
        assert_eq!(Manager::parse(&long), None);
    }
}
