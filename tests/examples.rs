//! The example configurations are good: `katana-bot check-config` accepts each of them.

use std::path::{Path, PathBuf};
use std::process::Command;

fn examples() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/configs");
    let files = std::fs::read_dir(folder).expect("the folder is there");
    let mut paths: Vec<_> = files.map(|file| file.expect("readable").path()).collect();
    paths.sort();
    paths
}

/// The binary with nothing in its environment but secrets that look right.
fn bot() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_katana-bot"));
    command
        .env_clear()
        .env("HOME", "/nonexistent")
        .env("KATANA_TELEGRAM_TOKEN", "123456789:example-of-a-token-that-is-long-enough")
        .env("OPENAI_API_KEY", "sk-example-of-a-key")
        .env("ANTHROPIC_API_KEY", "sk-ant-example-of-a-key");
    command
}

#[test]
fn every_example_is_a_good_configuration() {
    let examples = examples();
    assert!(examples.len() >= 6, "{examples:?}");
    for path in examples {
        let checked = bot().arg("--config").arg(&path).arg("check-config").output();
        let checked = checked.expect("the binary runs");
        let said = String::from_utf8_lossy(&checked.stderr);
        assert!(checked.status.success(), "{}: {said}", path.display());
        // One warning is meant: that a public bot is open.
        let open = path.ends_with("public.toml");
        assert_eq!(said.is_empty(), !open, "{}: {said}", path.display());
    }
}

#[test]
fn every_example_says_how_to_start_it() {
    for path in examples() {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).expect("readable");
        let run = format!("katana-bot --config {name} run");
        assert!(text.starts_with("# ") && text.contains(&run), "{name} does not say: {run}");
    }
}
