//! Command lines with a secret in the wrong place, and names that play tricks: neither is repeated.

use std::process::Command;

use clap::error::ErrorKind;
use hygiene::arguments::discreet;

use crate::fuzz::assert_showable;
use crate::harness::Stage;

const TOKEN: &str = "123456789:AAbbCCddEEffGGhhIIjjKKllMMnnOOppXYZ";

/// A password is known by nothing but that it is not ours.
const PASSWORD: &str = "correct-horse";

/// Every command with its words, such as `users list`.
fn commands(
    command: &clap::Command,
    words: &[String],
    all: &mut Vec<(Vec<String>, clap::Command)>,
) {
    all.push((words.to_vec(), command.clone()));
    for inner in command.get_subcommands().filter(|inner| inner.get_name() != "help") {
        commands(inner, &[words, &[inner.get_name().to_owned()]].concat(), all);
    }
}

#[test]
fn no_error_of_a_command_line_repeats_what_was_written() {
    let programs = [katana::cli::command(), check_heartbeat::cli::command()];
    let mut refused = 0;
    for program in programs {
        let mut all = Vec::new();
        commands(&program, &[program.get_name().to_owned()], &mut all);
        for (words, command) in all {
            for secret in [TOKEN, PASSWORD, "--correct-horse", "-correct-horse"] {
                let mut lines = vec![
                    vec![secret.to_owned()],
                    vec![secret.to_owned(); 3],
                    vec![format!("--{secret}")],
                    vec![format!("--no-such-option={secret}")],
                ];
                for option in command.get_arguments().filter_map(|option| option.get_long()) {
                    lines.push(vec![format!("--{option}={secret}")]);
                    lines.push(vec![format!("--{option}"), secret.to_owned()]);
                }
                for line in lines {
                    let line = [&words[..], &line].concat();
                    let parsed = program.clone().try_get_matches_from(&line);
                    let Err(error) = parsed else { continue };
                    if error.kind() == ErrorKind::DisplayHelp {
                        continue;
                    }
                    let error = discreet(error);
                    let said = format!("{error} {}", error.render().ansi());
                    assert!(
                        !said.contains("correct") && !said.contains(&TOKEN[10..]),
                        "{line:?}: {said}"
                    );
                    assert!(said.contains("error:"), "{line:?}: {said}");
                    refused += 1;
                }
            }
        }
    }
    assert!(refused > 200, "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_command_repeats_a_token_that_is_its_argument() {
    let mut stage = Stage::new().await;
    stage.start().await;
    assert!(stage.stop().await);
    let lines: &[&[&str]] = &[
        &[TOKEN],
        &["run", TOKEN],
        &["--config", TOKEN, "check-config"],
        &["--config", TOKEN, "print-config"],
        &["--config", TOKEN, "doctor", "--json"],
        &["status", "--file", TOKEN],
        &["status", "--file", TOKEN, "--json"],
        &["users", "approve", TOKEN],
        &["users", "remove", TOKEN],
        &["restore", TOKEN],
        &["restore", "--check", TOKEN],
        &["backup", TOKEN],
        &["setup", "--wait-s", TOKEN],
        &["setup", "--instance", TOKEN],
        &["setup", "--provider", TOKEN],
    ];
    for line in lines {
        let output = Command::new(env!("CARGO_BIN_EXE_katana-bot"))
            .args(*line)
            .env_clear()
            .envs(stage.settings().iter().map(|(key, value)| (key, value)))
            .current_dir(stage.dir.path())
            .output()
            .expect("it runs");
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(!said.is_empty() && !said.contains(&TOKEN[10..]), "{line:?}: {said}");
        assert_showable(&said, 20_000);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_play_no_tricks_on_a_terminal() {
    // Clears the screen, claims to be an owner, reorders, hides.
    const NAME: &str = "\x1b[2JEve\u{9b}1m\u{202e}owner\u{2066}\u{200b}\u{e0041}\r\n1 owner";
    let mut stage = Stage::new().await;
    stage.set("KATANA_BOT_ACCESS", "closed");
    stage.start().await;
    stage.sim.user(7, NAME, Some(NAME));
    stage.sim.say(7, "let me in");
    let store = stage.store();
    assert!(
        crate::harness::eventually_in(|| async {
            store.users().await.is_ok_and(|users| users.iter().any(|user| user.person.id.0 == 7))
        })
        .await
    );
    assert!(stage.stop().await);
    for line in [&["users", "list"][..], &["users", "list", "--json"]] {
        let output = Command::new(env!("CARGO_BIN_EXE_katana-bot"))
            .args(line)
            .env_clear()
            .envs(stage.settings().iter().map(|(key, value)| (key, value)))
            .output()
            .expect("it runs");
        let said = String::from_utf8(output.stdout).expect("text");
        assert!(said.contains("Eve"), "{said}");
        assert_showable(&said, 2000);
        assert!(said.lines().count() <= 4, "{said}");
    }
}
