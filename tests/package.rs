//! What the package installs beside the programs: units, cron, supervisor, completions. All that
//! they name exists in the programs and in the documentation, and systemd finds no fault in them.
//!
//! `KATANA_TEST_WRITE=1` writes the completions, and the credentials that the units load, instead of
//! comparing them. Whether the units work is shown by `tests/system`.

#![allow(clippy::disallowed_methods, reason = "tests may start and write what they want")]

#[allow(dead_code, reason = "tests/tidy.rs needs the rest")]
mod source;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap_complete::Shell;
use source::{read, top};

const UNITS: &str = "packaging/systemd";

/// Units that run our programs, and so what strangers send.
const PROGRAMS: &[&str] = &[
    "katana-bot.service",
    "katana-bot@.service",
    "katana-bot-check.service",
    "katana-bot-check@.service",
    "katana-bot-backup.service",
    "katana-bot-backup@.service",
];

/// Units that act as root when systemd gives up on a bot.
const FAILED: &[&str] = &["katana-bot-failed.service", "katana-bot-failed@.service"];

/// The highest exposure that is allowed, times ten, as `systemd-analyze security` wants it.
const EXPOSURE: &str = "11";

fn unit(name: &str) -> String {
    read(&format!("{UNITS}/{name}"))
}

/// All values of a key, in order.
fn values<'a>(text: &'a str, key: &str) -> Vec<&'a str> {
    text.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('=')).collect()
}

/// The one value of a key.
fn value<'a>(text: &'a str, key: &str) -> &'a str {
    let all = values(text, key);
    assert_eq!(all.len(), 1, "{key} stands {} times", all.len());
    all[0]
}

fn units() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(top().join(UNITS)).expect("the folder of the units");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut units: Vec<_> = paths.filter(|path| path.is_file()).collect();
    units.sort();
    assert!(units.len() >= 9, "{units:?}");
    units
}

fn has(tool: &str) -> bool {
    let there = Command::new(tool).arg("--version").output().is_ok_and(|o| o.status.success());
    if !there {
        // Not by a macro: the test harness would swallow it.
        let _ = std::io::Write::write_fmt(
            &mut std::io::stderr(),
            format_args!("SKIPPED: {tool} is not installed (apt install systemd)\n"),
        );
    }
    there
}

/// A file system that has systemd's own units, ours, and something for each program that they run.
fn root() -> tempfile::TempDir {
    let root = tempfile::tempdir().expect("a folder");
    let at = |path: &str| root.path().join(path);
    let system = at("usr/lib/systemd/system");
    std::fs::create_dir_all(&system).expect("a folder");
    for unit in std::fs::read_dir("/usr/lib/systemd/system").expect("systemd's units").flatten() {
        if unit.path().is_file() {
            std::fs::copy(unit.path(), system.join(unit.file_name())).expect("copied");
        }
    }
    for unit in units() {
        std::fs::copy(&unit, system.join(unit.file_name().expect("a name"))).expect("copied");
    }
    for folder in ["usr/bin", "bin", "etc/systemd/system/katana-bot.service.d"] {
        std::fs::create_dir_all(at(folder)).expect("a folder");
    }
    for program in ["usr/bin/katana-bot", "usr/bin/check-heartbeat", "usr/bin/systemctl"] {
        std::fs::copy("/bin/true", at(program)).expect("copied");
    }
    for program in ["bin/kill", "bin/rm", "bin/sh"] {
        std::fs::copy("/bin/true", at(program)).expect("copied");
    }
    root
}

/// What `systemd-analyze verify` has to say.
fn verified(root: &Path, unit: &str) -> String {
    let mut command = Command::new("systemd-analyze");
    command.args(["verify", "--man=no"]).arg(format!("--root={}", root.display())).arg(unit);
    let output = command.output().expect("systemd-analyze runs");
    let mut said = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() {
        said.push_str("it failed");
    }
    said
}

#[test]
fn systemd_finds_no_fault_in_any_unit() {
    if !has("systemd-analyze") {
        return;
    }
    let root = root();
    for path in units() {
        let name = path.file_name().expect("a name").to_string_lossy().replace("@.", "@staging.");
        assert_eq!(verified(root.path(), &name), "", "{name}");
    }
    let wrong = unit("katana-bot.service").replace("WatchdogSec=", "WatchdogSeconds=");
    let folder = root.path().join("usr/lib/systemd/system");
    std::fs::write(folder.join("katana-bot.service"), wrong).expect("written");
    let said = verified(root.path(), "katana-bot.service");
    assert!(said.contains("WatchdogSeconds"), "a slip goes unseen: {said}");
}

#[test]
fn the_examples_for_drop_ins_are_good() {
    if !has("systemd-analyze") {
        return;
    }
    let root = root();
    let folder = root.path().join("etc/systemd/system/katana-bot.service.d");
    let examples = top().join(UNITS).join("examples");
    let mut seen = 0;
    for example in std::fs::read_dir(examples).expect("the examples").flatten() {
        let copy = folder.join(example.file_name());
        std::fs::copy(example.path(), &copy).expect("copied");
        let said = verified(root.path(), "katana-bot.service");
        assert_eq!(said, "", "{}", copy.display());
        std::fs::remove_file(copy).expect("removed");
        seen += 1;
    }
    assert!(seen >= 3, "{seen}");
}

/// What the generator writes beside a systemd of this version: paths and texts.
fn generated(version: &str) -> Vec<(String, String)> {
    let (bin, out) =
        (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let systemctl = bin.path().join("systemctl");
    std::fs::write(
        &systemctl,
        format!("#!/bin/sh\necho 'systemd {version} ({version}.1-1)'\necho +PAM\n"),
    )
    .expect("written");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&systemctl, mode).expect("executable");
    let status = Command::new(top().join(UNITS).join("generators/katana-bot-restart-delay"))
        .env("PATH", format!("{}:/usr/bin:/bin", bin.path().display()))
        .arg(out.path())
        .status();
    assert!(status.expect("it runs").success());
    let mut all = Vec::new();
    for folder in std::fs::read_dir(out.path()).expect("a folder").flatten() {
        for file in std::fs::read_dir(folder.path()).expect("a folder").flatten() {
            let text = std::fs::read_to_string(file.path()).expect("text");
            all.push((folder.file_name().into_string().expect("a name"), text));
        }
    }
    all.sort();
    all
}

#[test]
fn the_restart_delay_grows_where_systemd_knows_how() {
    assert_eq!(generated("252"), []);
    assert_eq!(generated("253"), []);
    for version in ["254", "257"] {
        let all = generated(version);
        let units: Vec<_> = all.iter().map(|(unit, _)| unit.as_str()).collect();
        assert_eq!(units, ["katana-bot.service.d", "katana-bot@.service.d"], "{version}");
        for (_, text) in &all {
            let first: u64 = value(&unit("katana-bot.service"), "RestartSec").parse().expect("s");
            let last: u64 = value(text, "RestartMaxDelaySec").parse().expect("seconds");
            assert!(first < last && last <= 60, "{text}");
            assert!(value(text, "RestartSteps").parse::<u64>().expect("a number") > 1);
        }
    }
}

#[test]
fn what_runs_our_programs_is_confined() {
    if !has("systemd-analyze") {
        return;
    }
    for name in PROGRAMS.iter().chain(FAILED) {
        let mut command = Command::new("systemd-analyze");
        command.args(["security", "--offline=yes", "--no-pager", "--threshold"]).arg(EXPOSURE);
        let output = command.arg(top().join(UNITS).join(name)).output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{name}: {}", said.lines().last().unwrap_or_default());
    }
}

/// The words of a command line after the program, `None` when another program is run.
fn arguments<'a>(line: &'a str, program: &str) -> Option<Vec<&'a str>> {
    let after = line.split_once(&format!("/usr/bin/{program}"))?.1;
    let words = after.split_whitespace().take_while(|word| *word != "2>&1");
    (after.is_empty() || after.starts_with(' ')).then(|| words.collect())
}

#[test]
fn every_command_line_is_understood() {
    let mut seen = 0;
    let cron = read("packaging/cron.d/katana-bot-check");
    let supervisor = read("packaging/supervisor/katana-bot.conf");
    let units: Vec<String> = units().iter().map(|u| read(&format!("{}", u.display()))).collect();
    let lines = units.iter().flat_map(|text| values(text, "ExecStart"));
    let lines = lines.chain(values(&supervisor, "command"));
    let lines =
        lines.chain(cron.lines().filter(|line| line.trim_start_matches('#').starts_with("* ")));
    for line in lines {
        if let Some(words) = arguments(line, "katana-bot") {
            let words = [&["katana-bot"], &words[..]].concat();
            katana::cli::command().try_get_matches_from(words).expect(line);
            seen += 1;
        } else if let Some(words) = arguments(line, "check-heartbeat") {
            let words = [&["check-heartbeat"], &words[..]].concat();
            check_heartbeat::cli::command().try_get_matches_from(words).expect(line);
            seen += 1;
        }
    }
    assert_eq!(seen, 9, "six units, two lines of cron, and supervisor");
}

/// The log holds the claim code of a bot without an owner, and supervisor creates it with 0644.
#[test]
fn the_log_under_supervisor_lies_where_other_users_cannot_read_it() {
    let supervisor = read("packaging/supervisor/katana-bot.conf");
    let log = Path::new(value(&supervisor, "stdout_logfile"));
    let folder = log.parent().expect("a folder").display().to_string();
    let makes = format!("install -d -m 750 -g adm {folder}\n");
    for text in [&supervisor, &read("docs/by-hand.md")] {
        assert!(text.contains(&makes), "{makes}");
        for command in ["supervisorctl signal HUP katana-bot", "supervisorctl restart katana-bot"] {
            assert!(text.contains(command), "{command}");
        }
    }
}

#[test]
fn exit_codes_are_those_of_the_program() {
    use katana::cli::exit;
    let wanted = format!("{} {}", exit::USAGE, exit::CONFIG);
    for name in ["katana-bot.service", "katana-bot@.service"] {
        assert_eq!(value(&unit(name), "RestartPreventExitStatus"), wanted, "{name}");
    }
    let supervisor = read("packaging/supervisor/katana-bot.conf");
    assert_eq!(value(&supervisor, "exitcodes"), format!("0,{},{}", exit::USAGE, exit::CONFIG));
    let page = read("docs/operations.md");
    for code in [exit::USAGE, exit::CONFIG] {
        assert!(page.contains(&format!("\n| {code} |")), "docs/operations.md: {code}");
    }
}

/// The credentials that a unit asks for: the name inside, and that of the file.
fn credentials(text: &str) -> BTreeSet<(&str, &str)> {
    let lines = values(text, "LoadCredential").into_iter();
    lines.map(|line| line.split_once(':').expect("a name and a file")).collect()
}

/// Compares a file with what it should be, or writes it.
fn expect(name: &str, wanted: &str) {
    if std::env::var_os("KATANA_TEST_WRITE").is_some() {
        // At once, because other tests read it meanwhile.
        let (new, file) = (top().join(format!("{name}.new")), top().join(name));
        let written = std::fs::write(&new, wanted).and_then(|()| std::fs::rename(&new, file));
        return written.expect("the file can be written");
    }
    let remedy = "KATANA_TEST_WRITE=1 cargo test --test package";
    assert!(read(name) == wanted, "{name} is out of date: {remedy}");
}

/// The file with the block of lines that load credentials replaced by one for all secrets.
fn with_credentials(text: &str, is_one: fn(&str) -> bool, line: impl Fn(&str) -> String) -> String {
    let all: String = katana::config::credentials().iter().map(|id| line(id)).collect();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let first = lines.iter().position(|line| is_one(line)).expect("a credential");
    let last = lines.iter().rposition(|line| is_one(line)).expect("a credential");
    lines[..first].concat() + &all + &lines[last + 1..].concat()
}

#[test]
fn every_secret_has_its_credential() {
    for (name, prefix) in
        [("katana-bot.service", "katana-bot."), ("katana-bot@.service", "katana-bot@%i.")]
    {
        let text = unit(name);
        let is_one = |line: &str| line.starts_with("LoadCredential=");
        // Not a path: a path that is missing would stop the unit.
        let line = |id: &str| format!("LoadCredential={id}:{prefix}{id}\n");
        expect(&format!("{UNITS}/{name}"), &with_credentials(&text, is_one, line));
        let awaited = format!("|/etc/credstore/{prefix}telegram-token");
        assert!(values(&text, "ConditionPathExists").contains(&awaited.as_str()), "{name}");
    }
    let name = "packaging/systemd/examples/encrypted-credentials.conf";
    let is_one = |line: &str| line.trim_start_matches('#').starts_with("LoadCredentialEncrypted=");
    let line = |id: &str| {
        let off = if id == "telegram-token" { "" } else { "#" };
        format!("{off}LoadCredentialEncrypted={id}:katana-bot.{id}\n")
    };
    expect(name, &with_credentials(&read(name), is_one, line));
    let page = read("docs/alert-channels.md");
    for name in ["katana-bot-check.service", "katana-bot-check@.service"] {
        let text = unit(name);
        let asked = credentials(&text);
        assert_eq!(asked.len(), 3, "{name}");
        for (id, file) in asked {
            assert!(page.contains(&format!("| `{id}` |")), "{name}: {id}");
            assert_eq!(file, format!("katana-bot.{id}"), "{name}");
        }
    }
}

/// What a key of the bot's configuration is by default.
fn default(path: &str) -> String {
    let keys = katana::config::keys();
    let key = keys.iter().find(|key| key.path() == path).expect(path);
    key.default_toml().trim_matches('"').to_owned()
}

#[test]
fn units_and_defaults_fit() {
    let text = unit("katana-bot.service");
    let seconds = |key: &str| value(&text, key).parse::<u64>().expect(key);
    let grace: u64 = default("lifecycle.grace_s").parse().expect("seconds");
    assert!(seconds("TimeoutStopSec") > grace);
    for name in PROGRAMS.iter().chain(FAILED) {
        let text = unit(name);
        assert!(!value(&text, "MemoryMax").is_empty(), "{name}");
        assert_eq!(value(&text, "MemorySwapMax"), "0", "{name}");
    }
    let stop = value(&read("packaging/supervisor/katana-bot.conf"), "stopwaitsecs").to_owned();
    assert!(stop.parse::<u64>().expect("seconds") > grace);
    assert_eq!(value(&unit("katana-bot.socket"), "ListenStream"), default("web.listen"));
    // Where everybody else looks.
    let help = check_heartbeat::cli::command().render_long_help().to_string();
    let folder = value(&text, "RuntimeDirectory");
    assert!(help.contains(&format!("/run/{folder}/heartbeat")));
    assert_eq!(value(&text, "RuntimeDirectoryMode"), "0755");
    let state = value(&unit("katana-bot-check.service"), "StateDirectory").to_owned();
    assert!(help.contains(&format!("/var/lib/{state} ")));
    let cron = read("packaging/cron.d/katana-bot-check");
    // What it prints is mailed: the last resort.
    assert!(cron.contains(&format!("--quiet --state-dir /var/lib/{state}\n")), "{cron}");
    assert!(cron.contains("\nMAILTO=root\n"));
    let users = read("packaging/sysusers.d/katana-bot.conf");
    for name in ["katana-bot.service", "katana-bot-check.service"] {
        let user = format!("\nu {} - ", value(&unit(name), "User"));
        assert!(users.contains(&user), "{name}");
    }
}

/// The settings of a unit, with the name of the instance taken out.
fn settings(name: &str) -> Vec<String> {
    let text = unit(name).replace("@%i", "").replace(" (%i)", "");
    let text = text.replace(" --config /etc/katana-bot/%i.toml", "");
    let lines = text.lines().filter(|line| line.contains('=') && !line.starts_with('#'));
    lines.map(str::to_owned).collect()
}

#[test]
fn templates_differ_from_their_units_in_the_name_alone() {
    for (one, many) in [
        ("katana-bot.service", "katana-bot@.service"),
        ("katana-bot-check.service", "katana-bot-check@.service"),
        ("katana-bot-check.timer", "katana-bot-check@.timer"),
    ] {
        let differs = |line: &&String| {
            let own = ["ExecStart=", "Environment=", "ConditionPathExists="];
            !own.iter().any(|key| line.starts_with(key))
        };
        let (one, many) = (settings(one), settings(many));
        let (one, many): (Vec<_>, Vec<_>) =
            (one.iter().filter(differs).collect(), many.iter().filter(differs).collect());
        assert_eq!(one, many);
    }
}

#[test]
fn every_file_of_the_package_is_there() {
    let manifest: toml::Table = read("Cargo.toml").parse().expect("TOML");
    let assets = manifest["package"]["metadata"]["deb"]["assets"].as_array().expect("a list");
    assert!(assets.len() > 15, "{assets:?}");
    for asset in assets {
        let source = asset[0].as_str().expect("a path");
        if source.starts_with("target/release/") {
            continue;
        }
        let (folder, pattern) = source.rsplit_once('/').unwrap_or((".", source));
        let (before, after) = pattern.split_once('*').unwrap_or((pattern, ""));
        let entries = std::fs::read_dir(top().join(folder)).expect(folder);
        let names =
            entries.map(|e| e.expect("an entry").file_name().to_string_lossy().into_owned());
        let fits = |name: &String| {
            name.starts_with(before)
                && name.ends_with(after)
                && (pattern.contains('*') || name == pattern)
        };
        assert!(names.filter(fits).count() > 0, "{source}");
    }
    for script in ["preinst", "postinst", "prerm", "postrm"] {
        let path = top().join("packaging/debian").join(script);
        let checked = Command::new("sh").arg("-n").arg(&path).status().expect("sh runs");
        assert!(checked.success(), "{script}");
    }
}

/// All links of a page within the package, without anchors.
fn links(page: &str) -> Vec<&str> {
    let targets = page.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
    targets.filter(|target| !target.is_empty() && !target.contains("://")).collect()
}

#[test]
fn links_of_installed_pages_lead_to_installed_files() {
    let pages: Vec<PathBuf> = ["docs", "docs/decisions"]
        .iter()
        .flat_map(|folder| std::fs::read_dir(top().join(folder)).expect("a folder").flatten())
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|end| end == "md"))
        .chain([top().join("README.md")])
        .collect();
    // As the list of files in Cargo.toml places them.
    let place =
        |path: &Path| match path.parent().is_some_and(|folder| folder.ends_with("decisions")) {
            true => format!("decisions/{}", path.file_name().expect("a name").to_string_lossy()),
            false => path.file_name().expect("a name").to_string_lossy().into_owned(),
        };
    let mut installed: BTreeSet<String> = pages.iter().map(|path| place(path)).collect();
    // The package's own, by dpkg's rules; and folders.
    installed.extend(
        ["changelog.gz", "copyright", "decisions/", "../../man/man8/", "deploy/README.md"]
            .map(str::to_owned),
    );
    let mut seen = 0;
    for path in &pages {
        let text = match place(path).contains('/') {
            true => std::fs::read_to_string(path).expect("a page"),
            false => {
                let mut sed = Command::new("sed");
                sed.arg("-f").arg(top().join("packaging/installed-links.sed")).arg(path);
                String::from_utf8(sed.output().expect("sed runs").stdout).expect("UTF-8")
            }
        };
        for link in links(&text) {
            let from = if place(path).contains('/') { "decisions" } else { "" };
            let target = match (from, link.strip_prefix("../")) {
                ("decisions", Some(up)) => up.to_owned(),
                ("decisions", None) => format!("decisions/{link}"),
                _ => link.to_owned(),
            };
            assert!(installed.contains(&target), "{}: {link}", path.display());
            seen += 1;
        }
    }
    assert!(seen > 100, "{seen}");
}

#[test]
fn completions_are_those_of_the_programs() {
    // Where each shell looks for the completions of `name`.
    let shells = [
        (Shell::Bash, "bash", "", ""),
        (Shell::Zsh, "zsh", "_", ""),
        (Shell::Fish, "fish", "", ".fish"),
    ];
    for (shell, folder, before, after) in shells {
        let commands = [
            (katana::cli::command(), "katana-bot"),
            (check_heartbeat::cli::command(), "check-heartbeat"),
        ];
        for (mut command, name) in commands {
            let mut wanted = Vec::new();
            clap_complete::generate(shell, &mut command, name, &mut wanted);
            let path = format!("packaging/completions/{folder}/{before}{name}{after}");
            expect(&path, &String::from_utf8(wanted).expect("text"));
        }
    }
}
