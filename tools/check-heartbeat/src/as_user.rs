//! Root runs the check as the checker's own user, with the secrets of its unit: there is one memory of
//! incidents, and what root tries is what the timer does.

use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use hygiene::line::one_line_end;
use hygiene::ownership;

use crate::cli::Args;
use crate::report::{self, EXIT_NOPERM, EXIT_UNKNOWN};
use crate::state_dir;

/// What the unit is given beside its user, and what changes its view of the boot in a container; passed on as it
/// is.
const GIVEN: [&str; 9] = [
    "ProtectKernelTunables=",
    "ProtectControlGroups=",
    "LoadCredential=",
    "LoadCredentialEncrypted=",
    "SetCredential=",
    "SetCredentialEncrypted=",
    "ImportCredential=",
    "Environment=",
    "EnvironmentFile=",
];

/// Becomes the user that owns the state directory, if we are root and someone else owns it; or refuses
/// what only that user and root may do. `None` where this process goes on by itself.
pub fn run(args: &Args) -> Option<u8> {
    let typed = args.config.as_deref() == Some(Path::new("/dev/stdin"));
    if args.no_alert || typed {
        return None;
    }
    let own = ownership::own_uid();
    if own != 0 {
        return refused(args, own);
    }
    // Each of its checks becomes that user. A loop of systemd's would go on after Ctrl-C.
    if args.every.is_some() {
        return None;
    }
    let folder = state_dir::folders(args).swap_remove(0);
    let about =
        std::fs::metadata(&folder).ok().filter(|about| about.is_dir() && about.uid() != 0)?;
    let program = std::env::current_exe().ok()?;
    let mut words: Vec<OsString> = std::env::args_os().skip(1).collect();
    if args.state_dir.is_none() {
        words.extend(["--state-dir".into(), folder.into()]);
    }
    let mut command = match by_systemd(args, about.uid()) {
        Some(mut command) => {
            command.arg(program);
            // It starts in another folder.
            words = absolute(words, &std::env::current_dir().ok()?);
            command
        }
        None => {
            let mut command = Command::new(program);
            command.uid(about.uid()).gid(about.gid());
            command
        }
    };
    command.args(words);
    // A plugin has to answer, also where nothing can be started as that user.
    let failed = if args.nagios { plugin(command) } else { Err(command.exec().to_string()) };
    let cannot = |why| format!("cannot become the user {}: {why}", about.uid());
    Some(failed.unwrap_or_else(|why| report::gives_up(args.nagios, &cannot(why), EXIT_NOPERM)))
}

/// Runs a plugin and passes its answer on, with its exit status; why there is none.
fn plugin(mut command: Command) -> Result<u8, String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
    let [said, complaint] = [&output.stdout, &output.stderr].map(|b| String::from_utf8_lossy(b));
    if !said.starts_with("HEARTBEAT ") {
        return Err(one_line_end(&complaint, 400));
    }
    report::out(said.trim_end());
    complaint.lines().for_each(report::err);
    Ok(output.status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(EXIT_UNKNOWN))
}

/// What asks for the memory of the packaged check needs its user. A check by hand has one of its own.
fn refused(args: &Args, own: u32) -> Option<u8> {
    let asks = args.action.is_some() || args.test_alert;
    let other = std::env::var_os("STATE_DIRECTORY").is_some() || args.state_dir.is_some();
    if !asks || other {
        return None;
    }
    let owner = std::fs::metadata(state_dir::packaged(args)).ok()?.uid();
    let why = "only root and the checker's user may do this: run it with sudo";
    (owner != own).then(|| report::gives_up(args.nagios, why, EXIT_NOPERM))
}

/// A command of systemd that runs what follows as this user, with what the unit is given. `None` where
/// systemd or the unit is not there, or where secrets are in our own environment.
fn by_systemd(args: &Args, uid: u32) -> Option<Command> {
    let names = ["TELEGRAM_ALERT_BOT_TOKEN", "SMTP_ALERT_PASSWORD", "WEBHOOK_ALERT_TOKEN"];
    if names.iter().any(|name| std::env::var_os(name).is_some()) {
        return None;
    }
    let unit = match &args.instance {
        Some(name) => format!("katana-bot-check@{name}.service"),
        None => "katana-bot-check.service".to_owned(),
    };
    if !Path::new("/run/systemd/system").exists() {
        return None;
    }
    let shown = Command::new("systemctl").args(["cat", &unit]).output().ok()?;
    let text = String::from_utf8(shown.stdout).ok().filter(|_| shown.status.success())?;
    let lines = given(&text).into_iter().map(|line| expanded(line, &unit));
    let mut command = Command::new("systemd-run");
    command.args(["--pipe", "--wait", "--collect", "--quiet", "--service-type=exec"]);
    command.arg(format!("--uid={uid}")).arg("--property=UMask=0077");
    for line in lines {
        command.arg(format!("--property={line}"));
    }
    if let Some(user) = std::env::var_os("SUDO_USER") {
        let mut setting = OsString::from("--setenv=SUDO_USER=");
        setting.push(user);
        command.arg(setting);
    }
    Some(command)
}

/// The settings of a unit and its drop-ins that are passed on; an empty one takes back those before it.
fn given(unit: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = Vec::new();
    for line in unit.lines().map(str::trim) {
        if let Some(key) = GIVEN.iter().find(|key| line.starts_with(**key)) {
            if line == *key {
                lines.retain(|other| !other.starts_with(*key));
            } else {
                lines.push(line);
            }
        }
    }
    lines
}

/// A line with the specifiers that stand for the name of the unit, which is not that of what runs it here.
fn expanded(line: &str, unit: &str) -> String {
    let name = unit.rsplit_once('.').map_or(unit, |(name, _)| name);
    let (prefix, instance) = name.split_once('@').unwrap_or((name, ""));
    let last = prefix.rsplit('-').next().unwrap_or_default();
    let unescaped = |text: &str| text.replace('-', "/");
    let mut text = String::new();
    let mut rest = line.chars();
    while let Some(c) = rest.next() {
        let specifier = if c == '%' { rest.next() } else { None };
        match specifier {
            None => text.push(c),
            Some('i') => text.push_str(instance),
            Some('I') => text.push_str(&unescaped(instance)),
            Some('n') => text.push_str(unit),
            Some('N') => text.push_str(name),
            Some('p') => text.push_str(prefix),
            Some('P') => text.push_str(&unescaped(prefix)),
            Some('j' | 'J') => text.push_str(last),
            Some('f') => text.push_str(&format!(
                "/{}",
                unescaped(if instance.is_empty() { prefix } else { instance })
            )),
            // systemd-run replaces it, and reads two of them as one.
            Some(other) => text.extend(['%', other]),
        }
    }
    text
}

/// A command line whose paths count from this folder.
fn absolute(words: Vec<OsString>, folder: &Path) -> Vec<OsString> {
    const FLAGS: [&str; 3] = ["--config", "--file", "--state-dir"];
    let mut is_path = false;
    let words = words.into_iter().map(|word| {
        let was_flag = std::mem::replace(&mut is_path, FLAGS.iter().any(|flag| word == *flag));
        if was_flag {
            is_path = false;
            return folder.join(word).into_os_string();
        }
        let split = word.to_str().and_then(|word| word.split_once('='));
        match split.filter(|(flag, _)| FLAGS.contains(flag)) {
            Some((flag, path)) => format!("{flag}={}", folder.join(path).display()).into(),
            None => word,
        }
    });
    words.collect()
}

#[cfg(test)]
mod tests {
    use super::{OsString, Path, absolute, expanded, given};

    #[test]
    fn paths_count_from_where_the_command_was_typed() {
        let line =
            "--config c.toml --nagios --file=../h --state-dir /s --instance c.toml --file --config";
        let words: Vec<_> = line.split(' ').map(OsString::from).collect();
        let wanted = "--config /d/c.toml --nagios --file=/d/../h --state-dir /s --instance c.toml \
                      --file /d/--config";
        assert_eq!(absolute(words, Path::new("/d")).join(" ".as_ref()), wanted);
    }

    #[test]
    fn specifiers_stand_for_the_unit_that_has_them() {
        let line = "LoadCredential=t:/etc/%i.%n:%N:%p:%j:%I:%P:%f:%d:%%i:%";
        assert_eq!(
            expanded(line, "katana-bot-check@eu-1.service"),
            "LoadCredential=t:/etc/eu-1.katana-bot-check@eu-1.service:katana-bot-check@eu-1:\
             katana-bot-check:check:eu/1:katana/bot/check:/eu/1:%d:%%i:%"
        );
        assert_eq!(expanded("A=%i%N", "katana-bot-check.service"), "A=katana-bot-check");
    }

    #[test]
    fn what_the_unit_is_given_is_passed_on_and_can_be_taken_back() {
        let unit = "[Service]\nUser=katana-check\nLoadCredential=a:b\n  LoadCredential=c:d\n\
                    # /etc/systemd/system/x.d/y.conf\n[Service]\nLoadCredential=\n\
                    LoadCredentialEncrypted=a:e\nEnvironment=TZ=UTC\n";
        assert_eq!(given(unit), ["LoadCredentialEncrypted=a:e", "Environment=TZ=UTC"]);
        assert_eq!(given("LoadCredential=a:b\n#LoadCredential=\n"), ["LoadCredential=a:b"]);
    }
}
