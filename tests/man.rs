//! The man pages: made from the command lines, the table of keys and the packaged configuration, so
//! that they always agree with the program. What only a person can say is written here.
//!
//! `KATANA_TEST_WRITE=1` writes the pages instead of comparing them.

#![allow(clippy::disallowed_methods, reason = "tests may start and write what they want")]

#[path = "man/roff.rs"]
mod roff;

use std::path::{Path, PathBuf};
use std::process::Command;

use katana::config::{Key, keys};
use roff::{Page, commands, top};

/// Signals, status, surroundings of the daemon.
const KATANA: &str = "\
# EXIT STATUS
0 | Stopped as requested; for status: people are served; for doctor: there is nothing to fix.
1 | Only for status: people are not served, or the bot does not run.
64 | The command line is invalid, or backup would replace a file.
69 | Something required is not available, such as the state folder or CA certificates; for doctor: there is a problem outside the configuration; for backup and restore: a file is damaged, or cannot be read or written.
70 | A bug, or the program used more memory than watch.rss_stop_mb allows. systemd restarts it.
75 | Try again later: another process uses the state file (stop the bot before restore), or a second signal cut the shutdown short.
78 | The configuration is invalid, the knowledge folder cannot be read, store.path names a file that is not a state file, or the state file is from a newer version; for restore: the backup is from a newer version, or from another bot.
# SIGNALS
SIGTERM, SIGINT | Shut down gracefully: accept no new updates, give running answers lifecycle.grace_s seconds, exit. Nothing is lost. A second signal stops at once, with status 75.
SIGHUP | Reload configuration and secrets. Keys that need a restart are named in the log; an invalid file leaves the running configuration in place.
# ENVIRONMENT
KATANA_CONFIG | The configuration file, when --config does not name one.
KATANA_SECTION_KEY | Sets any key of the configuration and overrides the file; see katana-bot.toml(5). Well-known names such as OPENAI_API_KEY and LOG_LEVEL work as well.
..._FILE | For a secret: a file that holds it.
CREDENTIALS_DIRECTORY | systemd credentials; searched first for every secret.
STATE_DIRECTORY, RUNTIME_DIRECTORY | Where the state file and the heartbeat are, unless configured. Set by systemd.
HOST, PORT | Where the HTTP endpoint listens unless configured.
NOTIFY_SOCKET, WATCHDOG_USEC | systemd: readiness, status and watchdog.
NO_COLOR | If set, output has no colours.
# FILES
/etc/katana-bot/katana-bot.toml | The configuration, if it exists. Secrets do not belong in it.
/etc/katana-bot/katana-bot.d/*.toml | Read after it, in the order of their names; a later one wins. setup writes 50-setup.toml.
/var/lib/katana-bot/katana.db | The state: conversations, people, waiting messages.
/run/katana-bot/heartbeat | The heartbeat, rewritten every few seconds; check-heartbeat(8) judges it.
# SEE ALSO
katana-bot.toml(5), check-heartbeat(8), check-heartbeat.toml(5), systemctl(1), journalctl(1), systemd.exec(5)
";

/// The same for the checker.
const CHECKER: &str = "\
# EXIT STATUS
0 | The heartbeat is good, or degraded.
1 | Critical: missing, empty, unreadable, garbled, stale, from the future, from before the last boot, failing, or stopped for too long. With --warn-exit also degraded.
64 | The command line is invalid.
77 | Only root and the checker's user may do this.
78 | Nothing is critical, but the configuration has a mistake.
0, 1, 2, 3 | With --nagios: ok, warning, critical, unknown (a mistake in the command line or the configuration; the reason is on standard output).
# ENVIRONMENT
TELEGRAM_ALERT_BOT_TOKEN, TELEGRAM_ALERT_CHAT_ID | A Telegram channel without a configuration file.
SMTP_ALERT_PASSWORD | The password of mail channels.
WEBHOOK_ALERT_TOKEN | The token of webhook channels.
..._FILE | For tokens and the password: a file that holds it.
CREDENTIALS_DIRECTORY | systemd credentials telegram-alert-token, smtp-alert-password and webhook-alert-token.
STATE_DIRECTORY | Where incidents are remembered, unless --state-dir is given.
HTTPS_PROXY, NO_PROXY | Honoured by Telegram and webhook channels, pings and --url.
TZ | The time zone of alerts, if not that of the machine.
# FILES
/run/katana-bot/heartbeat | The heartbeat of katana-bot(8).
/etc/katana-bot/check-heartbeat.toml | The configuration, if it exists: check-heartbeat.toml(5).
/etc/katana-bot/check-heartbeat.d/*.toml | Read after it, in the order of their names; a later one wins.
/var/lib/katana-check | Open incidents and undelivered alerts: of the packaged timer, and without the package, of a check run by root.
~/.local/state/check-heartbeat | The same for a check that another user runs.
# SIGNALS
SIGTERM, SIGINT | End --every at once.
any | The check may be killed at any time: the next check sends what no channel has accepted yet.
# EXAMPLES
check-heartbeat | Judge the packaged file, and alert people; for cron, once a minute.
check-heartbeat --no-alert --file /run/other/heartbeat --threshold 5m | Judge a file with a time in it, from any program, and send no alerts.
check-heartbeat --test-alert | Send a test through every channel; as root, with the secrets of the packaged unit.
check-heartbeat silence 2h --reason disk | Hold back alerts about planned work.
check-heartbeat --every 60s | Check every minute, in a container without cron.
# SEE ALSO
check-heartbeat.toml(5), katana-bot(8), crontab(5), systemd.timer(5)
";

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Compares a page with what it should be, or writes it; then lets man(1) read it.
fn expect(name: &str, wanted: &str) {
    let path = file("docs/man").join(name);
    if std::env::var_os("KATANA_TEST_WRITE").is_some() {
        std::fs::write(&path, wanted).expect("the page can be written");
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == wanted,
        "docs/man/{name} is out of date: KATANA_TEST_WRITE=1 cargo test --test man"
    );
    let mut man = Command::new("man");
    man.args(["--warnings", "-E", "UTF-8", "-l"]).arg(&path).env("LC_ALL", "C.UTF-8");
    match man.env("MANWIDTH", "80").output() {
        Ok(output) => {
            let complaints = String::from_utf8_lossy(&output.stderr);
            let text = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success() && complaints.is_empty(), "{name}: {complaints}");
            assert!(text.contains("SEE ALSO"), "{name} is not shown whole:\n{text}");
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            // Not by a macro: the test harness would swallow it.
            let _ = std::io::Write::write_fmt(
                &mut std::io::stderr(),
                format_args!("SKIPPED: {name} is not read by man: apt install man-db groff-base\n"),
            );
        }
        Err(e) => panic!("man: {e}"),
    }
}

/// What is written here, and before its end where to report bugs: the addresses of `packaging/project.toml`.
fn with_addresses(written: &str) -> String {
    let text = std::fs::read_to_string(file("packaging/project.toml")).expect("the addresses");
    let project: toml::Table = text.parse().expect("TOML");
    let of = |key: &str| project[key].as_str().expect(key).to_owned();
    let reports = format!(
        "# REPORTING BUGS\n{} | Bugs.\n{} | Vulnerabilities, privately.\n{} | Questions.\n# SEE ALSO\n",
        of("bugs"),
        of("security"),
        of("help")
    );
    written.replace("# SEE ALSO\n", &reports)
}

#[test]
fn katana_bot_8() {
    let command = katana::cli::command();
    let mut page = top(&command, "8");
    page.section("COMMANDS");
    commands(&mut page, &command, "");
    page.written(&with_addresses(KATANA));
    expect("katana-bot.8", &page.text());
}

#[test]
fn check_heartbeat_8() {
    let mut page = top(&check_heartbeat::cli::command().after_help(""), "8");
    page.written(&with_addresses(CHECKER));
    expect("check-heartbeat.8", &page.text());
}

#[test]
fn katana_bot_toml_5() {
    let mut page = Page::new("katana-bot.toml", "5", "configuration of katana-bot(8)");
    page.section("DESCRIPTION");
    for words in [
        "The format is TOML. Each key can also be set in the environment, as KATANA_SECTION_KEY, \
         which overrides the file. Unknown keys are refused.",
        "Secrets are never read from the file. Each comes from a systemd credential, from a file \
         named by a variable that ends in _FILE, or from a variable, in this order.",
        "katana-bot check-config reports every mistake at once; katana-bot print-config shows each \
         effective value, and where it comes from. A reload (SIGHUP) applies what can change while \
         the bot runs.",
    ] {
        page.paragraph(words);
    }
    let mut section = "";
    for key in keys() {
        if key.section() != section {
            section = key.section();
            page.section(&format!("[{section}]"));
        }
        entry(&mut page, key);
    }
    page.written("# SEE ALSO\nkatana-bot(8), check-heartbeat.toml(5)\n");
    expect("katana-bot.toml.5", &page.text());
}

fn entry(page: &mut Page, key: &Key) {
    let default = match (key.credential(), key.default_toml().as_str()) {
        (Some(credential), _) => format!(" (secret, credential {credential})"),
        (None, "") => String::new(),
        (None, default) => format!(" = {}", default.replace('\n', " ")),
    };
    page.item(key.name(), &default);
    page.text_of(&plain(&key.doc));
    if !key.when.is_empty() {
        page.paragraph_within(&format!("When to change it: {}", plain(key.when)));
    }
    let variables: Vec<String> = key.variables().collect();
    page.paragraph_within(&format!("Environment: {}", variables.join(", ")));
}

/// Markdown's backticks have no meaning here.
fn plain(words: &str) -> String {
    words.replace('`', "")
}

#[test]
fn check_heartbeat_toml_5() {
    let name = "packaging/check-heartbeat.toml";
    let packaged = std::fs::read_to_string(file(name)).expect(name);
    let mut page = Page::new("check-heartbeat.toml", "5", "configuration of check-heartbeat(8)");
    page.section("DESCRIPTION");
    let (head, rest) = packaged.split_once("\n##").expect("settings after the head");
    let head = head.lines().map(|line| line.trim_start_matches('#').trim());
    let head: Vec<&str> = head.filter(|line| !line.contains("docs/")).collect();
    for words in head.join("\n").split("\n\n") {
        page.paragraph(&words.replace('\n', " "));
    }
    page.section("SETTINGS");
    for block in format!("##{rest}").split("\n\n") {
        let words: Vec<&str> =
            block.lines().filter_map(|line| line.strip_prefix("##")).map(str::trim).collect();
        let settings: Vec<&str> = block
            .lines()
            .filter(|line| !line.starts_with("##"))
            .map(|line| line.trim_start_matches("# "))
            .collect();
        page.paragraph(&words.join(" "));
        if !settings.is_empty() {
            page.literal(&settings);
        }
    }
    page.written("# SEE ALSO\ncheck-heartbeat(8), katana-bot.toml(5)\n");
    expect("check-heartbeat.toml.5", &page.text());
}
