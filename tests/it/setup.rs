//! `katana-bot setup`: by flags, by a person at a terminal, again, and with a systemd in its place.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use botapi_sim::{Options, Sim};

use crate::backup::{at, names};
use crate::harness::{Stage, eventually, skipped};
use crate::process::{self, Output};
use crate::setup_systemd::{SYSTEMCTL, booted, can_boot, pid};
use crate::terminal::Terminal;

/// Setup's own file beside the configuration of the bot.
pub const OWN: &str = "katana-bot.d/50-setup.toml";

/// The same of the checker.
pub const CHECKER: &str = "check-heartbeat.d/50-setup.toml";

pub const KEY: &str = "sk-a-key-that-no-one-may-see-0123456789";

/// A stage whose bot has only the places of this test.
pub async fn bare() -> Stage {
    let mut stage = Stage::new().await;
    for key in ["KATANA_TELEGRAM_TOKEN", "KATANA_ANSWER_PROVIDER", "KATANA_BOT_OWNERS"] {
        stage.set(key, "");
    }
    stage.set("PATH", &path_with(&at(&stage, "bin")));
    // Where systemd runs the tests: it is left alone.
    program(&stage, "systemctl", "exit 0");
    stage
}

fn path_with(bin: &Path) -> String {
    format!("{}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", bin.display())
}

/// A program of this name that this stage finds first.
pub fn program(stage: &Stage, name: &str, script: &str) {
    let bin = at(stage, "bin");
    std::fs::create_dir_all(&bin).expect("a folder");
    std::fs::write(bin.join(name), format!("#!/bin/sh\n{script}\n")).expect("written");
    std::fs::set_permissions(bin.join(name), PermissionsExt::from_mode(0o755)).expect("changed");
}

/// Arguments that keep everything within the stage's folder.
pub fn args(stage: &Stage, more: &[&str]) -> Vec<String> {
    let place = |name: &str| at(stage, name).display().to_string();
    let mut args = vec!["setup".to_owned(), "--config".into(), place("katana-bot.toml")];
    args.extend(["--credentials-dir".into(), place("credstore")]);
    args.extend(["--alert-config".into(), place("check-heartbeat.toml")]);
    args.extend(["--units-dir".into(), place("units")]);
    args.extend(more.iter().map(|s| (*s).to_owned()));
    args
}

/// Runs it with this standard input.
pub fn scripted(stage: &Stage, input: &str, more: &[&str]) -> Output {
    let mut command = process::command(stage.settings());
    command.args(args(stage, more)).stdin(Stdio::piped());
    finish(command, input)
}

pub fn finish(mut command: Command, input: &str) -> Output {
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    // It may end without reading all of this.
    let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
    let done = child.wait_with_output().expect("it ends");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Output { code: done.status.code(), stdout: text(done.stdout), stderr: text(done.stderr) }
}

pub fn secret(stage: &Stage, name: &str) -> Option<String> {
    let path = at(stage, "credstore").join(name);
    let mode = std::fs::metadata(&path).ok()?.permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "{name}");
    Some(std::fs::read_to_string(path).expect("it can be read").trim().to_owned())
}

fn shows_no_secret(out: &Output, secrets: &[&str]) {
    for secret in secrets {
        assert!(!out.stdout.contains(secret) && !out.stderr.contains(secret), "{out:?}");
    }
}

/// A second bot with its own simulator.
pub async fn second_bot() -> Sim {
    let token = "7000000002:SIMULATOR-the-second-one-000000000000".to_owned();
    let options = Options { token, ..Options::default() };
    Sim::start(options).await.expect("the simulator starts")
}

#[tokio::test(flavor = "multi_thread")]
async fn by_flags_and_again_without_a_change() {
    let mut stage = bare().await;
    let model = stage.sim.openai_url();
    stage.set("KATANA_OPENAI_BASE_URL", &model);
    let token = stage.sim.token().to_owned();
    let flags = ["--token-file", "-", "--provider", "openai", "--key-file", "-", "--model"];
    let flags = [&flags[..], &["m-1", "--yes", "--no-start"]].concat();
    std::fs::write(at(&stage, "katana-bot.toml"), "# ours\n[log]\nlevel = \"debug\"\n")
        .expect("ok");
    let out = scripted(&stage, &format!("{token}\n{KEY}\n"), &flags);
    assert_eq!(out.code, Some(0), "{out:?}");
    assert!(out.stdout.contains("https://t.me/katana_sim_bot"), "{out:?}");
    shows_no_secret(&out, &[&token, KEY]);
    assert_eq!(secret(&stage, "katana-bot.telegram-token"), Some(token.clone()));
    assert_eq!(secret(&stage, "katana-bot.openai-api-key").as_deref(), Some(KEY));
    let main = std::fs::read_to_string(at(&stage, "katana-bot.toml")).expect("it is there");
    assert_eq!(main, "# ours\n[log]\nlevel = \"debug\"\n", "it belongs to a person");
    let config = std::fs::read_to_string(at(&stage, OWN)).expect("it is there");
    assert!(config.contains("[answer]\nprovider = \"openai\"\n"), "{config}");
    assert!(config.contains("[openai]\nmodel = \"m-1\"\n"), "{config}");
    // Nothing but the wish to be sure: all is kept.
    let out = scripted(&stage, "", &["--non-interactive", "--no-start"]);
    assert_eq!(out.code, Some(0), "{out:?}");
    let out = scripted(&stage, &format!("{token}\n{KEY}\n"), &flags);
    assert!(out.code == Some(0) && !out.stderr.contains("Written"), "{out:?}");
    assert_eq!(std::fs::read_to_string(at(&stage, OWN)).expect("there"), config);
    assert_eq!(names(&stage, "katana-bot.d"), ["katana-bot.d"]);
    // The daemon takes what was written.
    let state = at(&stage, "credentials");
    std::fs::create_dir(&state).expect("a folder");
    for id in ["telegram-token", "openai-api-key"] {
        let from = at(&stage, "credstore").join(format!("katana-bot.{id}"));
        std::fs::copy(from, state.join(id)).expect("copied");
    }
    let mut check = process::command(stage.settings());
    check.env("CREDENTIALS_DIRECTORY", &state).arg("check-config");
    let done = check.arg("--config").arg(at(&stage, "katana-bot.toml")).output().expect("it runs");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_or_wrong_is_named_and_nothing_is_written() {
    let stage = bare().await;
    let token = stage.sim.token().to_owned();
    let line = format!("{token}\n");
    let wrong = format!("{}\n", token.replace("only", "0nly"));
    let given = ["--token-file", "-"];
    let with = |more: &[&'static str]| [&given[..], more].concat();
    let other = "[answer]\nprovider = \"anthropic\"\n";
    for (input, flags, code, words) in [
        ("", vec![], 64, "--token-file is missing"),
        ("", given.to_vec(), 64, "--token-file: the first line is not a secret"),
        ("no-token\n", given.to_vec(), 78, "not a bot token"),
        (wrong.as_str(), given.to_vec(), 78, "Telegram refuses this token"),
        (&line, with(&["--provider", "openai"]), 64, "--key-file is missing"),
        (&line, with(&["--key-file", "-"]), 64, "--key-file needs --provider"),
        (&line, with(&["--alert", "telegram"]), 64, "--alert-token-file is missing"),
        (&line, with(&["--alert", "smtp"]), 64, "--smtp-host is missing"),
        (&line, with(&["--instance", "../up"]), 64, "letters, digits"),
        (&line, with(&["--token", "x"]), 64, "unexpected argument"),
    ] {
        let out = scripted(&stage, input, &[&flags[..], &["--no-start"]].concat());
        assert_eq!(out.code, Some(code), "{flags:?}: {out:?}");
        assert!(out.stderr.contains(words), "{words}: {out:?}");
        shows_no_secret(&out, &[&token, wrong.trim(), "no-token\n"]);
        assert!(names(&stage, "credstore").is_empty() && names(&stage, "katana-bot").is_empty());
    }
    // A person's file already has another value.
    std::fs::write(at(&stage, "katana-bot.toml"), other).expect("written");
    let out = scripted(&stage, &line, &with(&["--provider", "offline", "--no-start"]));
    assert_eq!(out.code, Some(64), "{out:?}");
    let place = format!("in place of the value in {}:2", at(&stage, "katana-bot.toml").display());
    assert!(out.stderr.contains(&format!("+ answer.provider = offline, {place}")), "{out:?}");
    assert!(names(&stage, "credstore").is_empty() && names(&stage, "katana-bot.d").is_empty());
    // One that is read after setup's own cannot be overridden.
    std::fs::create_dir(at(&stage, "katana-bot.d")).expect("a folder");
    std::fs::write(at(&stage, "katana-bot.d/60-mine.toml"), other).expect("written");
    let out = scripted(&stage, &line, &with(&["--provider", "offline", "--no-start", "--yes"]));
    assert!(out.code == Some(78) && out.stderr.contains("60-mine.toml:2 sets answer"), "{out:?}");
    // The watched bot cannot tell of itself.
    let flags = with(&["--alert", "telegram", "--alert-token-file", "-", "--alert-chat-id", "5"]);
    let out = scripted(&stage, &format!("{line}{line}"), &flags);
    assert!(out.code == Some(78) && out.stderr.contains("same bot"), "{out:?}");
    assert!(names(&stage, "credstore").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_channel_is_tried_at_once() {
    let checker = Path::new(env!("CARGO_BIN_EXE_katana-bot")).with_file_name("check-heartbeat");
    if !checker.exists() {
        skipped(&format!("no {}: cargo build -p check-heartbeat", checker.display()));
        return;
    }
    let mut stage = bare().await;
    program(&stage, "check-heartbeat", &format!("exec {} \"$@\"", checker.display()));
    let (second, token) = (second_bot().await, stage.sim.token().to_owned());
    stage.set("TELEGRAM_ALERT_API_URL", &second.api_url());
    second.say(5, "/start");
    let state = at(&stage, "checker").display().to_string();
    stage.set("STATE_DIRECTORY", &state);
    let input = format!("{token}\n{}\n", second.token());
    let flags = ["--token-file", "-", "--alert", "telegram", "--alert-token-file", "-"];
    let flags = [&flags[..], &["--yes", "--no-start", "--alert-chat-id", "5"]].concat();
    let out = scripted(&stage, &input, &flags);
    assert_eq!(out.code, Some(0), "{out:?}");
    assert!(out.stderr.contains("The test alert was accepted"), "{out:?}");
    shows_no_secret(&out, &[&token, second.token()]);
    assert!(second.bot_messages(5)[0].text.contains("This is a test"));
    assert_eq!(secret(&stage, "katana-bot.telegram-alert-token").as_deref(), Some(second.token()));
    let config = std::fs::read_to_string(at(&stage, CHECKER)).expect("it is there");
    // The unit does not have the variable.
    let api_url = format!("api_url = \"{}\"\n", second.api_url());
    for line in ["[[channel]]\n", "type = \"telegram\"\n", "chat_id = 5\n", &api_url] {
        assert!(config.contains(line), "{config}");
    }
    // Again, by what is kept.
    let again = ["--alert", "telegram", "--alert-chat-id", "5", "--no-start"];
    assert_eq!(scripted(&stage, "", &again).code, Some(0));
    assert_eq!(second.bot_messages(5).len(), 2);
    // There is no terminal.
    let flags = ["--alert", "telegram", "--alert-chat-id", "6", "--no-start", "--yes"];
    let out = scripted(&stage, "", &flags);
    assert_eq!(out.code, Some(69), "{out:?}");
    assert!(out.stderr.contains("test alert was not accepted"), "{out:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_channel_is_added_after_what_is_there() {
    let stage = bare().await;
    let token = stage.sim.token().to_owned();
    let before = "# ours\nhost = \"h\"";
    std::fs::write(at(&stage, "check-heartbeat.toml"), before).expect("written");
    let flags = ["--token-file", "-", "--alert", "smtp", "--smtp-host", "mail.example.org"];
    let more = ["--smtp-from", "Katana \"K\" <k@example.org>", "--smtp-to", "ops@example.org"];
    let login = ["--smtp-user", "k", "--smtp-password-file", "-", "--smtp-tls", "starttls"];
    let flags = [&flags[..], &more, &login, &["--yes", "--no-start"]].concat();
    let password = "four words of a pässword";
    let out = scripted(&stage, &format!("{token}\n{password}\n"), &flags);
    assert_eq!(out.code, Some(0), "{out:?}");
    assert!(out.stderr.contains("check-heartbeat is not installed"), "{out:?}");
    shows_no_secret(&out, &[&token, password]);
    assert_eq!(secret(&stage, "katana-bot.smtp-alert-password").as_deref(), Some(password));
    let main = at(&stage, "check-heartbeat.toml");
    assert_eq!(std::fs::read_to_string(&main).expect("there"), before);
    let read = || check_heartbeat::config::Config::load(Some(&main));
    assert!(read().problems.is_empty() && read().channels.len() == 1, "{:?}", read().problems);
    assert!(read().channels[0].settings.is_some() && read().host == "h");
    // Another server is shown, and needs a yes.
    let other = |f: &'static str| if f == "mail.example.org" { "mx.example.org" } else { f };
    let mut flags: Vec<_> = flags.iter().map(|f| other(f)).filter(|f| *f != "--yes").collect();
    let input = format!("{token}\n{password}\n");
    let out = scripted(&stage, &input, &flags);
    assert!(out.code == Some(64) && out.stderr.contains("--yes is missing"), "{out:?}");
    for line in ["- channel smtp: host = \"mail.ex", "+ channel smtp: host = \"mx.ex"] {
        assert!(out.stderr.contains(line), "{out:?}");
    }
    flags.push("--yes");
    assert_eq!(scripted(&stage, &input, &flags).code, Some(0));
    assert!(read().problems.is_empty() && read().channels.len() == 1);
    let own = std::fs::read_to_string(at(&stage, CHECKER)).expect("there");
    assert!(own.contains("mx.example.org") && !own.contains("mail.example.org"), "{own}");
}

#[tokio::test(flavor = "multi_thread")]
async fn encrypted_credentials_replace_plain_ones_and_reach_the_unit() {
    let stage = bare().await;
    let token = stage.sim.token().to_owned();
    let plain = scripted(&stage, &format!("{token}\n"), &["--token-file", "-", "--no-start"]);
    assert_eq!(plain.code, Some(0), "{plain:?}");
    // Secrets that setup does not ask for this time.
    for name in ["openai-api-key", "smtp-alert-password"] {
        std::fs::write(at(&stage, "credstore").join(format!("katana-bot.{name}")), KEY)
            .expect("ok");
    }
    // As systemd-creds(1) is called: name in the arguments, secret on standard input, and not bound
    // to what the firmware measures.
    program(
        &stage,
        "systemd-creds",
        r#"case "$*" in
        "encrypt --tpm2-pcrs= --name=telegram-token - -") rev ;;
        "encrypt --tpm2-pcrs= --name=openai-api-key - -") rev ;;
        "encrypt --tpm2-pcrs= --name=smtp-alert-password - -") rev ;;
        "decrypt "*) exit 1 ;; *) exit 3 ;; esac"#,
    );
    let out = scripted(&stage, "", &["--encrypt", "--no-start"]);
    assert_eq!(out.code, Some(0), "{out:?}");
    assert_eq!(secret(&stage, "katana-bot.telegram-token"), None, "the plain one is gone");
    let sealed = at(&stage, "credstore.encrypted/katana-bot.telegram-token");
    let backwards: String = token.chars().rev().collect();
    assert_eq!(std::fs::read_to_string(&sealed).expect("it is there").trim(), backwards);
    let drop_in = "units/katana-bot.service.d/10-encrypted-credentials.conf";
    let text = std::fs::read_to_string(at(&stage, drop_in)).expect("it is there");
    let line = format!("[Service]\nLoadCredentialEncrypted=telegram-token:{}\n", sealed.display());
    assert!(text.contains(&line) && text.contains("=openai-api-key:"), "{text}");
    for unit in ["katana-bot-check", "katana-bot-check@"] {
        let file = at(&stage, "units").join(format!("{unit}.service.d"));
        let text = std::fs::read_to_string(file.join("10-encrypted-credentials.conf"));
        assert!(text.expect("there").contains("LoadCredentialEncrypted=smtp-alert-password:"));
    }
    assert_eq!(std::fs::read_dir(at(&stage, "credstore")).expect("a folder").count(), 0);
    // Kept, although it cannot be read here.
    let out = scripted(&stage, "", &["--no-start"]);
    assert!(out.code == Some(0) && sealed.exists(), "{out:?}");
    // A secret that is given again is encrypted again: plain was not requested.
    std::fs::write(&sealed, "another").expect("written");
    let given = format!("{token}\n");
    let out = scripted(&stage, &given, &["--token-file", "-", "--no-start"]);
    assert_eq!(out.code, Some(0), "{out:?}");
    assert_eq!(secret(&stage, "katana-bot.telegram-token"), None);
    assert_eq!(std::fs::read_to_string(&sealed).expect("it is there").trim(), backwards);
    // Back to plain: what cannot be read here is named, and stays.
    let plain = ["--token-file", "-", "--no-start", "--plain"];
    let out = scripted(&stage, &given, &plain);
    let other = at(&stage, "credstore.encrypted/katana-bot.openai-api-key");
    assert!(out.code == Some(69) && out.stderr.contains(other.to_str().unwrap()), "{out:?}");
    assert!(other.exists() && sealed.exists() && at(&stage, drop_in).exists());
    assert_eq!(std::fs::read_dir(at(&stage, "credstore")).expect("a folder").count(), 0);
    program(&stage, "systemd-creds", r#"case "$1" in decrypt) rev <"$3" ;; *) exit 3 ;; esac"#);
    let out = scripted(&stage, &given, &plain);
    assert!(out.code == Some(0) && !other.exists(), "{out:?}");
    assert_eq!(secret(&stage, "katana-bot.openai-api-key").as_deref(), Some(KEY));
    assert!(!at(&stage, drop_in).exists(), "no unit is given what is not there");
    program(&stage, "systemd-creds", "cat >&2; exit 1");
    let out = scripted(&stage, "", &["--encrypt", "--no-start"]);
    assert!(out.code == Some(69) && out.stderr.contains("systemd-creds says: ***"), "{out:?}");
    assert_eq!(secret(&stage, "katana-bot.telegram-token"), Some(token));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_asked_and_sees_no_secret() {
    let mut stage = bare().await;
    let model = stage.sim.openai_url();
    stage.set("KATANA_OPENAI_BASE_URL", &model);
    stage.sim.model().set_key(Some(KEY));
    let token = stage.sim.token().to_owned();
    let Some(mut terminal) = Terminal::open(&stage, &args(&stage, &["--no-start"])) else { return };
    terminal
        .answer("Bot token from @BotFather (hidden):", "123456789:not-the-one-of-any-bot\r")
        .await;
    terminal.asked("(hidden):", 2).await;
    terminal.answer("refuses this token", &format!("x\u{7f}{token}\r")).await;
    terminal.answer("1 to 4, or Enter", "1\r").await;
    terminal.answer("Its key (hidden):", "sk-not-the-one\r").await;
    terminal.asked("(hidden):", 4).await;
    terminal.answer("the model does not answer", &format!("{KEY}\r")).await;
    terminal.answer("The model answers.", "").await;
    terminal.answer("1 or 2, or Enter", "\r").await;
    let (code, screen) = terminal.ended().await;
    assert_eq!(code, Some(0), "{screen}");
    assert!(screen.contains("Telegram knows the token: @katana_sim_bot"), "{screen}");
    for secret in [token.as_str(), KEY, "not-the-one"] {
        assert!(!screen.contains(secret), "{screen}");
    }
    assert_eq!(secret(&stage, "katana-bot.telegram-token"), Some(token.clone()));
    assert_eq!(secret(&stage, "katana-bot.openai-api-key").as_deref(), Some(KEY));

    // Again: what is set is shown as far as it may be, and Enter keeps it.
    let mut terminal = Terminal::open(&stage, &args(&stage, &["--no-start"])).expect("script runs");
    terminal.answer("Enter keeps 700…:…", "\r").await;
    terminal.answer("Enter to leave it as it is (openai)", "\r").await;
    terminal.answer("1 or 2, or Enter", "\r").await;
    let (code, screen) = terminal.ended().await;
    assert!(code == Some(0) && !screen.contains("Written"), "{screen}");
    assert_eq!(secret(&stage, "katana-bot.telegram-token"), Some(token));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_chat_for_alerts_is_found() {
    let mut stage = bare().await;
    let (second, token) = (second_bot().await, stage.sim.token().to_owned());
    stage.set("TELEGRAM_ALERT_API_URL", &second.api_url());
    let Some(mut terminal) = Terminal::open(&stage, &args(&stage, &["--no-start"])) else { return };
    terminal.answer("Bot token from @BotFather (hidden):", &format!("{token}\r")).await;
    terminal.answer("1 to 4, or Enter", "3\r").await;
    terminal.answer("Its address", "ftp://127.0.0.1\r").await;
    terminal.answer("the value must begin with", "http://127.0.0.1:9/v1\r").await;
    terminal.answer("Its model", "\rllama3.2\r").await;
    terminal.answer("Enter for none", "\r").await;
    terminal.answer("to go on without trying it:", "what?\rskip\r").await;
    terminal.answer("1 or 2, or Enter", "1\r").await;
    terminal.answer("second bot (hidden):", &format!("{}\r", second.token())).await;
    terminal.answer("Then press Enter", "\r").await;
    let empty = "Nothing has arrived at @katana_sim_bot.";
    assert!(eventually(|| terminal.shown().contains(empty)).await, "{}", terminal.shown());
    second.say(77, "good morning");
    terminal.answer(empty, "five\r").await;
    terminal.answer("This is not a chat id", "\r").await;
    terminal.answer("1  User 77 (77)", "2\r0\r").await;
    let twice = || terminal.shown().matches("Then press Enter").count() == 4;
    assert!(eventually(twice).await, "{}", terminal.shown());
    terminal.answer("Then press Enter", "\r\r").await;
    let (code, screen) = terminal.ended().await;
    assert_eq!(code, Some(0), "{screen}");
    let config = std::fs::read_to_string(at(&stage, CHECKER)).expect("it is there");
    assert!(config.contains("chat_id = 77\n"), "{config}");
    let config = std::fs::read_to_string(at(&stage, OWN)).expect("it is there");
    for line in ["base_url = \"http://127.0.0.1:9/v1\"", "model = \"llama3.2\""] {
        assert!(config.contains(line), "{config}");
    }
    assert!(!screen.contains(second.token()), "{screen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_gives_up_changes_nothing_and_gets_the_terminal_back() {
    let stage = bare().await;
    let Some(mut terminal) = Terminal::open(&stage, &args(&stage, &["--no-start; echo; stty -a"]))
    else {
        return;
    };
    terminal.answer("Bot token from @BotFather (hidden):", "\u{3}").await;
    let (_, screen) = terminal.ended().await;
    assert!(screen.contains("given up; nothing was changed"), "{screen}");
    for mode in [" echo ", " icanon ", " isig "] {
        let words = screen.replace(['\r', '\n', ';'], " ");
        assert!(words.contains(mode), "{mode}: {screen}");
    }
    assert!(names(&stage, "credstore").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn it_starts_the_service_waits_for_it_and_shows_the_claim_code() {
    if !can_boot() {
        return;
    }
    let mut stage = bare().await;
    let token = stage.sim.token().to_owned();
    let dir = stage.dir.path().display().to_string();
    stage.set("DIR", &dir).set("BOT", env!("CARGO_BIN_EXE_katana-bot"));
    program(&stage, "systemctl", SYSTEMCTL);
    std::fs::write(at(&stage, "katana-bot.toml"), "").expect("written");
    let input = format!("{token}\n");
    let out = booted(&stage, &input, &["--token-file", "-"]);
    let orders = || std::fs::read_to_string(at(&stage, "orders")).unwrap_or_default();
    assert_eq!(out.code, Some(0), "{out:?}");
    assert!(out.stdout.contains("katana-bot runs.\nThe bot: https://t.me/katana_sim_bot\n"));
    let told = orders();
    let order =
        ["enable katana-bot\n", "reset-failed katana-bot\n", "restart --no-block katana-bot\n"];
    let found: Vec<_> = order.iter().map(|order| told.find(order)).collect();
    assert!(found.is_sorted() && found[0].is_some(), "{told}");
    let code = out.stdout.split("/claim ").nth(1).expect("a code").trim().to_owned();
    stage.sim.say(1000, &format!("/claim {code}"));
    let owned = || stage.sim.bot_messages(1000).iter().any(|m| m.text.contains("owner"));
    assert!(eventually(owned).await, "the code works: {:?}", stage.sim.bot_messages(1000));

    // Nothing changed: nothing is restarted, and the bot has its owner.
    let before = pid(&stage);
    std::fs::write(at(&stage, "orders"), "").expect("written");
    program(&stage, "systemctl", &SYSTEMCTL.replace("restart|start)", "restart)"));
    let out = booted(&stage, "", &[]);
    assert!(out.code == Some(0) && out.stdout.contains("It has an owner."), "{out:?}");
    assert!(orders().contains("start --no-block") && !orders().contains("restart"), "{}", orders());
    assert_eq!(pid(&stage), before);

    std::fs::write(at(&stage, "refuse"), "").expect("written");
    let out = booted(&stage, "", &[]);
    assert!(out.code == Some(69) && out.stderr.contains("journalctl -u katana-bot"), "{out:?}");
    let kill = format!("kill {}", before.expect("a pid"));
    assert!(Command::new("sh").args(["-c", &kill]).status().expect("a shell").success());
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_several_bots_has_its_own_names() {
    let stage = bare().await;
    let input = format!("{}\n", stage.sim.token());
    let flags = ["--instance", "staging", "--token-file", "-", "--no-start"];
    let out = scripted(&stage, &input, &flags);
    assert_eq!(out.code, Some(0), "{out:?}");
    assert!(secret(&stage, "katana-bot@staging.telegram-token").is_some());
    let stray: Vec<PathBuf> = std::fs::read_dir(at(&stage, "credstore"))
        .expect("a folder")
        .map(|e| e.expect("an entry").path())
        .collect();
    assert_eq!(stray.len(), 1, "{stray:?}");
    // It had no configuration: now it has one, with a port of its own.
    let config = || std::fs::read_to_string(at(&stage, "katana-bot.toml")).expect("it is there");
    assert!(config().contains("\nlisten = \"127.0.0.1:8"), "{}", config());
    let before = config();
    let out =
        scripted(&stage, "", &flags[..2].iter().chain(&flags[4..]).copied().collect::<Vec<_>>());
    assert!(out.code == Some(0) && config() == before, "{out:?}");
    for taken in ["katana-bot", "check-heartbeat", "a/b"] {
        let out = scripted(&stage, "", &["--instance", taken, "--no-start"]);
        assert_eq!(out.code, Some(64), "{out:?}");
    }
}
