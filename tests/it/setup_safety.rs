//! `katana-bot setup` on files that others hold, changed or broke, and when it is stopped.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::Command;

use botapi_sim::{Options, Sim};

use crate::backup::{at, names};
use crate::harness::{Stage, eventually, skipped};
use crate::setup::{OWN, args, bare, program, scripted, secret};
use crate::setup_systemd::{SYSTEMCTL, booted, can_boot, pid};
use crate::terminal::Terminal;

const TOKEN: [&str; 3] = ["--token-file", "-", "--no-start"];

fn with<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&TOKEN[..], more].concat()
}

fn line(stage: &Stage) -> String {
    format!("{}\n", stage.sim.token())
}

fn text(stage: &Stage, name: &str) -> String {
    std::fs::read_to_string(at(stage, name)).unwrap_or_default()
}

fn write(stage: &Stage, name: &str, text: &str) {
    let path = at(stage, name);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    std::fs::write(path, text).expect("written");
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).expect("changed");
}

/// A systemctl that waits for the end of the bot: a killed one may still hold the state file.
fn patient() -> String {
    let gone = "timeout 20 tail --pid=\"$(cat \"$DIR/pid\")\" -f /dev/null; rm -f \"$DIR/log\"";
    SYSTEMCTL.replace("rm -f \"$DIR/log\"", gone)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_stopped_setup_wrote_reaches_the_running_bot_at_the_next() {
    if !can_boot() {
        return;
    }
    let mut stage = bare().await;
    let dir = stage.dir.path().display().to_string();
    stage.set("DIR", &dir).set("BOT", env!("CARGO_BIN_EXE_katana-bot"));
    program(&stage, "systemctl", &patient().replace("restart|start)", "restart)"));
    write(&stage, "katana-bot.toml", "");
    let out = booted(&stage, &line(&stage), &["--token-file", "-"]);
    assert_eq!(out.code, Some(0), "{out:?}");
    for (name, text) in [
        ("credstore/katana-bot.openai-api-key", "sk-written-by-one-that-was-stopped\n"),
        ("katana-bot.toml", "[log]\nlevel = \"debug\"\n"),
        ("units/katana-bot.service.d/own.conf", "[Service]\n"),
    ] {
        write(&stage, name, text);
        for order in ["restart", "start"] {
            write(&stage, "orders", "");
            let before = pid(&stage);
            let out = booted(&stage, "", &[]);
            assert_eq!(out.code, Some(0), "{out:?}");
            let orders = self::text(&stage, "orders");
            assert!(orders.contains(&format!("\n{order} --no-block")), "{name}: {orders}");
            assert_eq!(pid(&stage) == before, order == "start", "{name}");
        }
    }
    assert!(text(&stage, "passed/openai-api-key").contains("that-was-stopped"));
    let kill = format!("kill {}", pid(&stage).expect("a pid"));
    assert!(Command::new("sh").args(["-c", &kill]).status().expect("a shell").success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_that_waits_for_its_next_start_is_started_at_once_and_its_socket_first() {
    if !can_boot() {
        return;
    }
    let mut stage = bare().await;
    let dir = stage.dir.path().display().to_string();
    stage.set("DIR", &dir).set("BOT", env!("CARGO_BIN_EXE_katana-bot"));
    program(&stage, "systemctl", &patient());
    program(&stage, "journalctl", "echo an old story");
    write(&stage, "katana-bot.toml", "");
    let out = scripted(&stage, &line(&stage), &TOKEN);
    assert_eq!(out.code, Some(0), "{out:?}");
    for (socket, is_started) in [("is-active", true), ("is-enabled", false)] {
        for file in ["waits", socket] {
            write(&stage, file, "");
        }
        write(&stage, "orders", "");
        let out = booted(&stage, "", &[]);
        assert!(out.code == Some(0) && !out.stderr.contains("an old story"), "{out:?}");
        let orders = text(&stage, "orders");
        let begun = orders.find("\nrestart --no-block katana-bot\n").expect("restarted");
        let socket_begun = orders.find("\nstart katana-bot.socket\n");
        assert_eq!(socket_begun.is_some_and(|at| at < begun), is_started, "{orders}");
        std::fs::remove_file(at(&stage, socket)).expect("removed");
    }
    let kill = format!("kill {}", pid(&stage).expect("a pid"));
    assert!(Command::new("sh").args(["-c", &kill]).status().expect("a shell").success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_file_of_the_checker_is_named_and_nothing_is_written() {
    let stage = bare().await;
    let flags = ["--alert", "telegram", "--alert-token-file", "-", "--alert-chat-id", "5"];
    let flags = with(&[&flags[..], &["--yes"]].concat());
    let input = format!("{}7000000002:another-bot-000000000000000000000000\n", line(&stage));
    for file in ["check-heartbeat.toml", "check-heartbeat.d/50-setup.toml"] {
        let before = "[[channel]]\ntype=\n";
        write(&stage, file, before);
        let out = scripted(&stage, &input, &flags);
        assert!(out.code == Some(78) && out.stderr.contains("line 2 as TOML"), "{out:?}");
        assert_eq!(text(&stage, file), before);
        assert!(names(&stage, "credstore").is_empty());
        std::fs::remove_file(at(&stage, file)).expect("removed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_someone_else_wrote_during_the_question_stays() {
    let stage = bare().await;
    let more = ["--no-start", "--provider", "offline"];
    write(&stage, OWN, "[answer]\nprovider = \"auto\"\n");
    let Some(mut terminal) = Terminal::open(&stage, &args(&stage, &more)) else { return };
    terminal
        .answer("Bot token from @BotFather (hidden):", &format!("{}\r", stage.sim.token()))
        .await;
    terminal.answer("Folder with your documents", "\r").await;
    terminal.answer("1 or 2, or Enter", "\r").await;
    assert!(eventually(|| terminal.shown().contains("Change it?")).await, "{}", terminal.shown());
    let theirs = "[log]\nlevel = \"debug\"\n";
    write(&stage, OWN, theirs);
    terminal.answer("Change it? [Y/n]", "y\r").await;
    let (code, screen) = terminal.ended().await;
    assert!(code == Some(75) && screen.contains("someone else has changed"), "{screen}");
    assert_eq!(text(&stage, OWN), theirs);
    assert!(names(&stage, "credstore").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_keeps_owner_group_mode_and_its_place_behind_a_link() {
    let stage = bare().await;
    let real = at(&stage, "elsewhere/real.toml");
    write(&stage, "elsewhere/real.toml", "");
    write(&stage, "katana-bot.toml", "");
    std::fs::create_dir(at(&stage, "katana-bot.d")).expect("a folder");
    let owner = match chown(&real, Some(4321), Some(1234)) {
        Ok(()) => (4321, 1234),
        Err(e) => {
            skipped(&format!("owners: cannot give files away: {e}"));
            let about = real.metadata().expect("it is there");
            (about.uid(), about.gid())
        }
    };
    set_mode(&real, 0o640);
    symlink("../elsewhere/real.toml", at(&stage, OWN)).expect("a link");
    let flags = with(&["--provider", "offline", "--yes"]);
    let out = scripted(&stage, &line(&stage), &flags);
    assert_eq!(out.code, Some(0), "{out:?}");
    assert!(at(&stage, OWN).is_symlink());
    assert!(text(&stage, "elsewhere/real.toml").contains("offline"));
    let about = real.metadata().expect("it is there");
    assert_eq!(((about.uid(), about.gid()), mode(&real)), (owner, 0o640));
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_that_lie_open_or_half_written_are_put_right() {
    let stage = bare().await;
    let (store, name) = (at(&stage, "credstore"), "katana-bot.telegram-token");
    write(&stage, &format!("credstore/{name}"), &line(&stage));
    write(&stage, "credstore/katana-bot.telegram-alert-token", "7:x\n");
    write(&stage, &format!("credstore/{name}.new-setup"), &line(&stage));
    write(&stage, &format!("credstore/{name}.new-one"), "another user's\n");
    set_mode(&store, 0o755);
    for file in [name, "katana-bot.telegram-alert-token"] {
        set_mode(&store.join(file), 0o644);
    }
    let out = scripted(&stage, "", &["--no-start"]);
    assert_eq!(out.code, Some(0), "{out:?}");
    assert_eq!(out.stderr.matches("now it has mode 0600").count(), 2, "{out:?}");
    assert!(secret(&stage, name).is_some());
    assert!(secret(&stage, "katana-bot.telegram-alert-token").is_some());
    assert_eq!(mode(&store), 0o755, "the folder belongs to another user");
    assert!(!store.join(format!("{name}.new-setup")).exists());
    assert!(store.join(format!("{name}.new-one")).exists());
    let out = scripted(&stage, "", &["--no-start"]);
    assert!(out.code == Some(0) && !out.stderr.contains("mode 0600"), "{out:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_configuration_is_reported_before_telegram_is_asked() {
    let stage = bare().await;
    for (config, words) in [
        ("[broken\n", "cannot read this line as TOML"),
        ("[telegram]\napi_url = \"nonsense\"\n", "telegram.api_url"),
        ("[telegram]\ntoken = \"x\"\n", "never read from the file"),
    ] {
        write(&stage, "katana-bot.toml", config);
        let out = scripted(&stage, &line(&stage), &TOKEN);
        assert!(out.code == Some(78) && out.stderr.contains(words), "{words}: {out:?}");
        assert!(!out.stderr.contains("Telegram knows"), "{out:?}");
        assert!(names(&stage, "credstore").is_empty());
    }
    // What is missing is what setup is for.
    write(&stage, "katana-bot.toml", "[answer]\nprovider = \"anthropic\"\n");
    let out = scripted(&stage, &line(&stage), &TOKEN);
    assert_eq!(out.code, Some(0), "{out:?}");
}

/// The setup that belongs to this stage.
fn running(stage: &Stage) -> Option<String> {
    let config = at(stage, "katana-bot.toml").display().to_string();
    std::fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
        let exe = std::fs::read_link(entry.path().join("exe")).ok()?;
        let line = std::fs::read_to_string(entry.path().join("cmdline")).ok()?;
        let ours = exe == Path::new(env!("CARGO_BIN_EXE_katana-bot")) && line.contains(&config);
        ours.then(|| entry.file_name().to_string_lossy().into_owned())
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn signals_at_a_hidden_question_give_the_terminal_back() {
    for (signal, wanted) in [("TERM", 143), ("HUP", 129), ("INT", 130), ("QUIT", 131)] {
        let stage = bare().await;
        let words = args(&stage, &["--no-start; echo code $?; stty -a"]);
        let Some(terminal) = Terminal::open(&stage, &words) else { return };
        let asked = || terminal.shown().contains("Bot token from @BotFather (hidden):");
        assert!(eventually(asked).await, "{}", terminal.shown());
        let id = running(&stage).expect("it runs");
        let sent = Command::new("kill").args(["-s", signal, &id]).status();
        assert!(sent.is_ok_and(|status| status.success()));
        let (_, screen) = terminal.ended().await;
        assert!(screen.contains(&format!("code {wanted}")), "{signal}: {screen}");
        let words = screen.replace(['\r', '\n', ';'], " ");
        for mode in [" echo ", " icanon ", " isig "] {
            assert!(words.contains(mode), "{signal}: {mode}: {screen}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_keys_are_wrong_answers_and_empty_ones_are_asked_again() {
    let stage = bare().await;
    let Some(mut terminal) = Terminal::open(&stage, &args(&stage, &["--no-start"])) else { return };
    let token = format!("\u{1a}{}\r", stage.sim.token());
    terminal.answer("Bot token from @BotFather (hidden):", &token).await;
    // A terminal that does not know UTF-8 takes one byte of two away.
    terminal.answer("1 to 4, or Enter", "é\u{7f}\r").await;
    terminal.answer("This is not text in UTF-8", "\r").await;
    terminal.answer("1 or 2, or Enter", "2\r").await;
    terminal.answer("Mail server:", "\r").await;
    let again = || terminal.shown().matches("Mail server:").count() == 2;
    assert!(eventually(again).await, "{}", terminal.shown());
    terminal.answer("Mail server:", "\u{4}").await;
    let (code, screen) = terminal.ended().await;
    assert!(code == Some(64) && screen.contains("given up"), "{screen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn flags_without_sense_are_named() {
    let stage = bare().await;
    let from_to = ["--smtp-from", "a@example.org", "--smtp-to", " "];
    let mail = [&["--alert", "smtp", "--smtp-host", "h"], &from_to[..]].concat();
    for (flags, words) in [
        (with(&["--wait-s", "18446744073709551615"]), "3600"),
        (with(&["--wait-s", "0"]), "3600"),
        (with(&["--alert", "smtp", "--smtp-host", ""]), "--smtp-host is empty"),
        (with(&mail), "--smtp-to is empty"),
    ] {
        let out = scripted(&stage, &line(&stage), &flags);
        assert!(out.code == Some(64) && out.stderr.contains(words), "{words}: {out:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_from_the_network_is_looked_at_before_it_is_shown() {
    for (name, code) in [("a\u{1b}[31mb", 0), ("", 69)] {
        let mut stage = bare().await;
        let options = Options { bot_username: name.to_owned(), ..Options::default() };
        let other = Sim::start(options).await.expect("it starts");
        stage.set("KATANA_TELEGRAM_API_URL", &other.api_url());
        let out = scripted(&stage, &format!("{}\n", other.token()), &TOKEN);
        assert_eq!(out.code, Some(code), "{out:?}");
        assert!(!out.stderr.contains('\u{1b}') && !out.stdout.contains('\u{1b}'), "{out:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_alert_goes_to_the_new_channel_alone() {
    let stage = bare().await;
    let seen = at(&stage, "seen").display().to_string();
    program(&stage, "check-heartbeat", &format!("cat \"$3\" > {seen}"));
    let theirs = "host = \"h\"\n[[channel]]\ntype = \"command\"\ncommand = [\"touch\", \"/x\"]\n";
    write(&stage, "check-heartbeat.toml", theirs);
    let mail = ["--alert", "smtp", "--smtp-host", "mail.example.org", "--smtp-from"];
    let more = ["a@example.org", "--smtp-to", "b@example.org", "--yes"];
    let flags = with(&[&mail[..], &more].concat());
    let out = scripted(&stage, &line(&stage), &flags);
    assert_eq!(out.code, Some(0), "{out:?}");
    assert_eq!(text(&stage, "check-heartbeat.toml"), theirs);
    let tried = check_heartbeat::config::Config::parse(&text(&stage, "seen"));
    assert!(tried.problems.is_empty(), "{:?}", tried.problems);
    let tried: Vec<_> = tried.channels.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(tried, ["smtp"]);
}
