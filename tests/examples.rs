//! The example configurations are good: `katana-bot check-config` accepts each of them.

#![allow(clippy::disallowed_methods, reason = "tests may start and write what they want")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

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

/// What a subcommand says about this configuration, with the keys of all known servers.
fn of_file(path: &Path, subcommand: &str) -> Output {
    let mut command = bot();
    for server in ["GOOGLE", "OPENROUTER", "GROQ", "MISTRAL", "DEEPSEEK"] {
        command.env(format!("{server}_API_KEY"), "example-of-a-key");
    }
    command.arg("--config").arg(path).arg(subcommand).output().expect("the binary runs")
}

/// The examples of `docs/providers.md`: the heading over each, and its text.
fn providers() -> Vec<(String, String)> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/providers.md");
    let page = std::fs::read_to_string(page).expect("readable");
    let mut all = Vec::new();
    for chapter in page.split("\n## ").skip(1) {
        let heading = chapter.lines().next().unwrap_or_default();
        let blocks = chapter.split("```toml\n").skip(1);
        let text = |block: &str| block.split("```").next().unwrap_or_default().to_owned();
        all.extend(blocks.map(|block| (heading.to_owned(), text(block))));
    }
    all
}

#[test]
fn every_provider_of_the_page_works_as_it_is_written_there() {
    let examples = providers();
    for (heading, address) in [
        ("OpenAI", "https://api.openai.com/v1"),
        ("Anthropic", "https://api.anthropic.com"),
        ("Gemini", "https://generativelanguage.googleapis.com/v1beta/openai"),
        ("Ollama", "http://127.0.0.1:11434/v1"),
        ("OpenRouter", "https://openrouter.ai/api/v1"),
        ("vLLM", "http://127.0.0.1:8000/v1"),
        ("Groq", "https://api.groq.com/openai/v1"),
        ("Mistral", "https://api.mistral.ai/v1"),
        ("DeepSeek", "https://api.deepseek.com/v1"),
        ("One or several", "https://api.anthropic.com"),
        ("A table of your own", "http://192.168.1.20:8080/v1"),
    ] {
        let (_, text) = examples.iter().find(|(there, _)| there == heading).expect(heading);
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("katana-bot.toml");
        std::fs::write(&path, text).expect("written");
        let checked = of_file(&path, "check-config");
        let said = String::from_utf8_lossy(&checked.stderr);
        let plain = "keys and messages are sent to another machine unencrypted";
        assert!(checked.status.success(), "{heading}: {said}");
        assert!(
            said.is_empty() || said.contains(plain) && text.contains("192.168"),
            "{heading}: {said}"
        );
        let printed = String::from_utf8(of_file(&path, "print-config").stdout).expect("text");
        assert!(printed.contains(&format!("base_url = \"{address}\"")), "{heading}: {printed}");
        for line in text.lines().filter(|line| line.contains(" = ")) {
            assert!(printed.contains(line), "{heading}: {line}: {printed}");
        }
    }
    assert_eq!(examples.len(), 11, "each example is checked");
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
