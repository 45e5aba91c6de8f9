//! `katana-bot setup`: going back, taking answers back, and answers that another file or the service's user
//! would undo.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use crate::backup::{at, names};
use crate::harness::{Stage, eventually, skipped};
use crate::setup::{CHECKER, KEY, OWN, args, bare, program, scripted, secret};
use crate::terminal::Terminal;

/// Where nothing listens.
const NOWHERE: &str = "http://127.0.0.1:9/v1";

fn text(stage: &Stage, name: &str) -> String {
    std::fs::read_to_string(at(stage, name)).unwrap_or_default()
}

fn write(stage: &Stage, name: &str, text: &str) {
    let path = at(stage, name);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    std::fs::write(path, text).expect("written");
}

fn token(stage: &Stage) -> String {
    format!("{}\n", stage.sim.token())
}

/// A terminal at which the bot's token was given.
async fn with_token(stage: &Stage, more: &[&str]) -> Option<Terminal> {
    let mut terminal = Terminal::open(stage, &args(stage, more))?;
    let token = token(stage).replace('\n', "\r");
    terminal.answer("Bot token from @BotFather (hidden):", &token).await;
    Some(terminal)
}

/// Chooses the documents, and leaves the alerts as they are.
async fn ends_with_documents(mut terminal: Terminal, asked: usize) -> String {
    terminal.asked("1 to 4, or Enter", asked).await;
    terminal.answer("1 to 4, or Enter", "4\r").await;
    terminal.answer("Folder with your documents", "\r").await;
    terminal.answer("1 or 2, or Enter", "\r").await;
    let (code, screen) = terminal.ended().await;
    assert_eq!(code, Some(0), "{screen}");
    screen
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_before_a_step_back_leave_nothing() {
    let stage = bare().await;
    let Some(mut terminal) = with_token(&stage, &["--no-start"]).await else { return };
    terminal.answer("1 to 4, or Enter", "3\r").await;
    terminal.answer("Its address", &format!("{NOWHERE}\r")).await;
    terminal.answer("Its model", "m\r").await;
    terminal.answer("Its key", &format!("{KEY}\r")).await;
    terminal.answer("to go on without trying it:", "back\r").await;
    ends_with_documents(terminal, 2).await;
    assert_eq!(secret(&stage, "katana-bot.openai-api-key"), None);
    let own = text(&stage, OWN);
    assert!(own.contains("\"offline\"") && !own.contains("openai"), "{own}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_can_go_back_behind_a_flag_and_behind_a_refused_key() {
    let stage = bare().await;
    stage.sim.model().set_key(Some(KEY));
    let url = stage.sim.openai_url();
    let by_flag = ["--no-start", "--provider", "openai", "--model", "m", "--base-url"];
    let at_nowhere = [&by_flag[..], &[NOWHERE]].concat();
    let Some(mut terminal) = with_token(&stage, &at_nowhere).await else { return };
    terminal.answer("Its key", "\r").await;
    terminal.answer("to go on without trying it:", "back\r").await;
    ends_with_documents(terminal, 1).await;
    let own = text(&stage, OWN);
    assert!(own.contains("\"offline\"") && !own.contains("openai"), "{own}");

    std::fs::remove_dir_all(at(&stage, "credstore")).expect("removed");
    let by_flag = [&by_flag[..], &[&url]].concat();
    let mut terminal = with_token(&stage, &by_flag).await.expect("script runs");
    terminal.answer("Its key", "sk-not-the-one\r").await;
    terminal.answer("\"back\" chooses another provider", "back\r").await;
    let screen = ends_with_documents(terminal, 1).await;
    assert!(screen.contains("the model does not answer"), "{screen}");
    assert_eq!(names(&stage, "katana-bot.openai-api-key"), Vec::<String>::new());

    // A token by flag, without a network.
    let file = at(&stage, "token");
    std::fs::write(&file, "123456789:another-token-of-a-bot").expect("written");
    let more = ["--no-start", "--api-url", "http://127.0.0.1:9", "--token-file"];
    let more = [&more[..], &[file.to_str().expect("UTF-8")]].concat();
    let mut stage = bare().await;
    stage.set("KATANA_TELEGRAM_API_URL", "");
    let mut terminal = Terminal::open(&stage, &args(&stage, &more)).expect("script runs");
    terminal.answer("to go on without trying it:", "back\r").await;
    terminal
        .answer("Bot token from @BotFather (hidden):", &token(&stage).replace('\n', "\r"))
        .await;
    terminal.asked("to go on without trying it:", 2).await;
    terminal.answer("to go on without trying it:", "skip\r").await;
    ends_with_documents(terminal, 1).await;
    assert_eq!(secret(&stage, "katana-bot.telegram-token").as_deref(), Some(stage.sim.token()));
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_can_be_taken_away() {
    let stage = bare().await;
    let folder = at(&stage, "documents").display().to_string();
    std::fs::create_dir(&folder).expect("a folder");
    let flags = ["--no-start", "--yes", "--provider", "offline", "--documents"];
    let with = |dir: &str, input: &str| {
        let more = if input.is_empty() { &[][..] } else { &["--token-file", "-"] };
        scripted(&stage, input, &[&flags[..], &[dir], more].concat())
    };
    assert_eq!(with(&folder, &token(&stage)).code, Some(0));
    assert!(text(&stage, OWN).contains(&folder));
    let out = with("", "");
    assert!(out.code == Some(0) && !text(&stage, OWN).contains("[knowledge]"), "{out:?}");
    // By a person.
    assert_eq!(with(&folder, "").code, Some(0));
    let Some(mut terminal) = Terminal::open(&stage, &args(&stage, &["--no-start"])) else { return };
    terminal.answer("Enter keeps 700…:…", "\r").await;
    terminal.answer("1 to 4, or Enter", "4\r").await;
    terminal.answer("\"none\" for the built-in pages):", "none\r").await;
    terminal.answer("1 or 2, or Enter", "\r").await;
    terminal.answer("Change it? [Y/n]", "\r").await;
    let (code, screen) = terminal.ended().await;
    assert!(code == Some(0) && screen.contains("- knowledge.dir = "), "{screen}");
    assert!(!text(&stage, OWN).contains("[knowledge]"));
    // What another file sets, that file keeps.
    let theirs = format!("[knowledge]\ndir = \"{folder}\"\n");
    write(&stage, "katana-bot.toml", &theirs);
    let out = with("", "");
    assert!(out.code == Some(78) && out.stderr.contains("katana-bot.toml:2 sets knowledge.dir"));
    assert_eq!(text(&stage, "katana-bot.toml"), theirs);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_can_be_dropped_with_its_secret() {
    let stage = bare().await;
    let flags = ["--no-start", "--yes", "--no-verify"];
    let with = |more: &[&str], input: &str| scripted(&stage, input, &[&flags[..], more].concat());
    let second = "7000000002:another-bot-000000000000000000000000\n";
    let chat = ["--alert", "telegram", "--alert-token-file", "-", "--alert-chat-id", "5"];
    let first = [&chat[..], &["--token-file", "-"]].concat();
    assert_eq!(with(&first, &format!("{}{second}", token(&stage))).code, Some(0));
    let mail = ["--alert", "smtp", "--smtp-host", "mx", "--smtp-from", "a@b", "--smtp-to", "c@d"];
    assert_eq!(with(&mail, "").code, Some(0));
    let out = with(&["--drop-channel", "page"], "");
    assert!(out.code == Some(64) && out.stderr.contains("setup has written: telegram, smtp"));
    // Without a yes, what goes is shown.
    let out = scripted(&stage, "", &["--no-start", "--drop-channel", "telegram"]);
    assert_eq!(out.code, Some(64), "{out:?}");
    for line in ["- channel telegram: chat_id = 5", "- the secret telegram-alert-token"] {
        assert!(out.stderr.contains(line), "{out:?}");
    }
    assert!(secret(&stage, "katana-bot.telegram-alert-token").is_some());
    let out = with(&["--drop-channel", "telegram"], "");
    assert_eq!(out.code, Some(0), "{out:?}");
    let own = text(&stage, CHECKER);
    assert!(!own.contains("telegram") && own.contains("smtp"), "{own}");
    assert!(secret(&stage, "katana-bot.telegram-alert-token").is_none());
    // By a person, to whom setup's channels are offered; one of another file keeps its secret, and counts again.
    assert_eq!(with(&chat, second).code, Some(0));
    let theirs = "[[channel]]\ntype = \"telegram\"\nchat_id = 7\n";
    write(&stage, "check-heartbeat.toml", theirs);
    let Some(mut terminal) = Terminal::open(&stage, &args(&stage, &["--no-start"])) else { return };
    terminal.answer("Enter keeps 700…:…", "\r").await;
    terminal.answer("1 to 4, or Enter", "\r").await;
    terminal.answer("4  no longer telegram: chat_id = 5", "").await;
    terminal.answer("1 to 4, or Enter to leave it as it is:", "4\r").await;
    terminal.answer("Change it? [Y/n]", "\r").await;
    let (code, screen) = terminal.ended().await;
    assert!(code == Some(0) && screen.contains("+ channel telegram, as "), "{screen}");
    assert!(!text(&stage, CHECKER).contains("telegram"), "{}", text(&stage, CHECKER));
    assert!(secret(&stage, "katana-bot.telegram-alert-token").is_some());
    let out = with(&["--drop-channel", "telegram"], "");
    assert!(out.code == Some(64) && out.stderr.contains("check-heartbeat.toml did"), "{out:?}");
    assert_eq!(text(&stage, "check-heartbeat.toml"), theirs);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_file_that_changes_the_channel_is_named() {
    let stage = bare().await;
    let chat = ["--alert", "telegram", "--alert-token-file", "-", "--alert-chat-id", "5"];
    let flags = [&["--no-start", "--yes", "--no-verify", "--token-file", "-"][..], &chat].concat();
    let input = format!("{}7000000002:another-bot-000000000000000000000000\n", token(&stage));
    let mine = "check-heartbeat.d/60-mine.toml";
    let telegram = "type = \"telegram\"\n";
    for theirs in [
        format!("[[channel]]\n{telegram}chat_id = 6\n"),
        "[[channel]]\nname = \"telegram\"\nchat_id = 6\n".to_owned(),
        "[[channel]]\nname = \"telegram\"\ntype = \"command\"\nprogram = \"/p\"\n".to_owned(),
    ] {
        // Also where an earlier file has it as it is wanted.
        for main in ["", "[[channel]]\ntype = \"telegram\"\nchat_id = 5\n"] {
            write(&stage, "check-heartbeat.toml", main);
            write(&stage, mine, &theirs);
            let out = scripted(&stage, &input, &flags);
            let words = "60-mine.toml changes the channel telegram";
            assert!(out.code == Some(78) && out.stderr.contains(words), "{theirs}: {out:?}");
            assert!(names(&stage, "credstore").is_empty() && text(&stage, CHECKER).is_empty());
        }
    }
    // More about the same channel, and another one, are welcome. The checker reads it as setup does.
    let more = "[[channel]]\nname = \"telegram\"\nthread_id = 3\n[[channel]]\nname = \"ops\"\n";
    write(&stage, "check-heartbeat.toml", "");
    write(&stage, mine, &format!("{more}{telegram}chat_id = 6\n"));
    let out = scripted(&stage, &input, &flags);
    assert_eq!(out.code, Some(0), "{out:?}");
    let read = check_heartbeat::config::Config::load(Some(&at(&stage, "check-heartbeat.toml")));
    assert!(read.problems.is_empty() && read.channels.len() == 2, "{:?}", read.problems);
    // A file that shall not be there cannot be written.
    std::fs::remove_file(at(&stage, CHECKER)).expect("removed");
    symlink("/dev/null", at(&stage, CHECKER)).expect("a link");
    let out = scripted(&stage, &input, &flags);
    assert!(out.code == Some(78) && out.stderr.contains("a link to /dev/null"), "{out:?}");
    assert!(std::fs::metadata("/dev/null").is_ok_and(|about| !about.is_file()));
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_that_the_service_cannot_read_are_refused() {
    let stage = bare().await;
    let other = ["--reuid=daemon", "--regid=daemon", "--clear-groups", "true"];
    if !Command::new("setpriv").args(other).status().is_ok_and(|status| status.success()) {
        skipped("documents as another user: cannot become another user by setpriv(1)");
        return;
    }
    // As the unit of this machine would have it.
    program(&stage, "systemctl", "echo User=daemon");
    let (folder, inner) = (at(&stage, "closed"), at(&stage, "closed/documents"));
    std::fs::create_dir_all(inner.join(".hidden")).expect("folders");
    for name in ["a.md", "b.bin", ".hidden/c.md"] {
        std::fs::write(inner.join(name), "# A\n\nText.\n").expect("written");
    }
    symlink(&inner, at(&stage, "link")).expect("a link");
    let set = |path: &Path, mode| {
        std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).expect("changed");
    };
    set(stage.dir.path(), 0o755);
    set(&inner.join("b.bin"), 0o600);
    set(&inner.join(".hidden"), 0o700);
    let flags = ["--no-start", "--yes", "--token-file", "-", "--provider", "offline"];
    let with = |dir: &Path| {
        let more = ["--documents", dir.to_str().expect("UTF-8")];
        scripted(&stage, &token(&stage), &[&flags[..], &more].concat())
    };
    let document = inner.join("a.md");
    for (closed, mode, words) in [
        (&folder, 0o700, format!("daemon cannot enter {}", folder.display())),
        (&inner, 0o644, format!("daemon cannot enter {}", inner.display())),
        (&inner, 0o711, format!("daemon cannot read {}", inner.display())),
        (&document, 0o600, format!("daemon cannot read {}", document.display())),
    ] {
        set(closed, mode);
        for way in [&inner, &at(&stage, "link")] {
            let out = with(way);
            assert!(out.code == Some(78) && out.stderr.contains("chmod "), "{out:?}");
            // What stands in the way is named itself, what cannot be read as the person would find it.
            let (real, typed) = (inner.display(), way.display());
            let words = words.replace(&format!("read {real}"), &format!("read {typed}"));
            assert!(out.stderr.contains(&words), "{words}: {out:?}");
        }
        assert!(names(&stage, "credstore").is_empty());
        set(closed, if closed == &document { 0o644 } else { 0o755 });
    }
    let out = with(&inner);
    assert_eq!(out.code, Some(0), "{out:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_that_the_unit_does_not_read_is_refused() {
    let stage = bare().await;
    let (config, store) = (at(&stage, "own.toml"), at(&stage, "credstore"));
    let (config, store) = (config.to_str().expect("UTF-8"), store.to_str().expect("UTF-8"));
    // The units are those of the machine.
    let words = [
        "setup",
        "--no-start",
        "--token-file",
        "-",
        "--credentials-dir",
        store,
        "--config",
        config,
    ];
    let run = |more: &[&str]| {
        let mut command = crate::process::command(stage.settings());
        command.args(words).args(more).stdin(std::process::Stdio::piped());
        crate::setup::finish(command, &token(&stage))
    };
    for (more, unit) in [(&[][..], "katana-bot"), (&["--instance", "x"], "katana-bot@x")] {
        let out = run(more);
        let text = format!("{unit} does not read {config}");
        assert!(out.code == Some(64) && out.stderr.contains(&text), "{out:?}");
        assert!(!Path::new(store).exists() && !Path::new(config).exists());
    }
    // Unless an administrator's drop-in says so.
    program(&stage, "systemctl", &format!("echo Environment=KATANA_CONFIG={config}"));
    let out = run(&[]);
    assert!(out.code == Some(0) && eventually(|| Path::new(store).exists()).await, "{out:?}");
}
