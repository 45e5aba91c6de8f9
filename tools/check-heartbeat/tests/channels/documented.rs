//! What `docs/alert-channels.md` promises: its tables can be read, and every key and word is there.

use std::process::Command;

use check_heartbeat::channel::ChannelConfig;
use check_heartbeat::notification::Kind;

use crate::{later, notice, open};

const PAGE: &str = include_str!("../../../../docs/alert-channels.md");

/// The code blocks of one language.
fn blocks(language: &str) -> Vec<&'static str> {
    let fences = PAGE.split("\n```").skip(1).step_by(2);
    let blocks = fences.filter_map(|block| block.strip_prefix(language)?.strip_prefix('\n'));
    blocks.collect()
}

pub fn tables() -> Vec<&'static str> {
    let channels = blocks("toml").into_iter();
    channels.filter_map(|block| block.strip_prefix("[[channel]]\n")).collect()
}

#[test]
fn every_example_can_be_read() {
    let tables = tables();
    for kind in ["telegram", "smtp", "webhook", "command"] {
        let line = format!("type = \"{kind}\"");
        assert!(tables.iter().any(|table| table.contains(&line)), "no example of {kind}");
    }
    for table in tables {
        toml::from_str::<ChannelConfig>(table).unwrap_or_else(|e| panic!("{table}\n{e}"));
    }
}

#[test]
fn every_key_is_documented() {
    for kind in ["telegram", "smtp", "webhook", "command"] {
        let error = toml::from_str::<ChannelConfig>(&format!("type = '{kind}'\nzz = 1"))
            .expect_err("no such key");
        let message = error.message().to_owned();
        let (_, keys) = message.split_once("expected one of ").expect("names the keys");
        for key in keys.split('`').skip(1).step_by(2) {
            // Known only to be refused.
            if ["token", "password"].contains(&key) {
                continue;
            }
            assert!(PAGE.contains(&format!("`{key}`")), "{kind}: {key} is not documented");
        }
    }
}

#[test]
fn every_variable_of_a_command_is_documented() {
    let dir = tempfile::tempdir().expect("a directory");
    let env = dir.path().join("env");
    let table =
        format!("type = 'command'\nprogram = 'sh'\nargs = ['-c', 'env > {}']", env.display());
    let channel = open(&table, &[]).expect("opens");
    channel.deliver(&notice(1, Kind::Down), later()).expect("accepted");
    let env = std::fs::read_to_string(env).expect("written");
    let names = env.lines().filter_map(|line| Some(line.split_once('=')?.0));
    let ours: Vec<&str> = names.filter(|name| name.starts_with("KATANA_ALERT_")).collect();
    assert!(ours.len() >= 11, "{ours:?}");
    for name in ours {
        assert!(PAGE.contains(&format!("`{name}`")), "{name} is not documented");
    }
}

#[test]
fn the_scripts_do_what_they_say() {
    let dir = tempfile::tempdir().expect("a directory");
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).expect("written");
        let made = Command::new("chmod").arg("755").arg(&path).status().expect("chmod starts");
        assert!(made.success());
        path
    };
    // A stand-in that writes down what it was given, instead of telling the world.
    let seen = dir.path().join("seen");
    write("curl", &format!("#!/bin/sh\nprintf '%s\\n' \"$@\" > {0}; cat >> {0}\n", seen.display()));
    let path = format!("{}:/usr/bin:/bin", dir.path().display());
    let scripts = blocks("sh");
    assert_eq!(scripts.len(), 1, "Pushover");
    for script in scripts {
        let file = write("script", script);
        // By name of its shell: a file that was just written can be busy for an exec.
        let table = format!("type = 'command'\nprogram = 'sh'\nargs = ['{}']", file.display());
        let mut down = notice(1, Kind::Down);
        down.summary = "it's \"down\" $(touch /nonexistent) `x` %s".to_owned();
        let channel = open(&table, &[("PATH", path.as_str())]).expect("opens");
        channel.deliver(&down, later()).unwrap_or_else(|f| panic!("{script}: {f:?}"));
        let seen = std::fs::read_to_string(&seen).expect("it was called");
        assert!(seen.contains(&down.summary), "{seen}");
        assert!(seen.contains("--fail"), "curl must fail when the server refuses: {seen}");
        assert!(seen.to_lowercase().contains("title"), "{seen}");
        assert!(seen.contains(down.subject().as_str()), "{seen}");
    }
}
