//! The bundled pages about Katana: complete, and found by those who ask.

use std::path::Path;

use super::*;
use crate::knowledge::Knowledge;
use crate::model::conversation::Passage;

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/knowledge")
}

#[test]
fn every_command_has_its_section() {
    let page = std::fs::read_to_string(folder().join("commands.md")).unwrap();
    for command in table() {
        let named =
            |line: &&str| line.starts_with("## ") && line.contains(&format!("/{}", command.name));
        assert!(
            page.lines().any(|line| named(&line)),
            "examples/knowledge/commands.md: no heading \"## /{}: …\"",
            command.name
        );
    }
}

#[tokio::test]
async fn questions_find_their_page() {
    let knowledge = Knowledge::open(&folder()).unwrap();
    let mut missed = Vec::new();
    for (question, source, heading) in [
        ("What does the heartbeat mean?", "heartbeat.md", "What the heartbeat means"),
        ("how do I install katana", "install.md", ""),
        ("How can I install the deb package on Debian?", "install.md", "Debian package"),
        ("How do I get a token from BotFather?", "first-bot.md", "BotFather"),
        ("What does /forget do?", "commands.md", "/forget"),
        ("how do I delete my data", "privacy.md", "Delete"),
        ("what does /pause do", "commands.md", "/pause"),
        ("Which environment variables are there?", "configuration.md", "Environment"),
        ("How do I use Ollama?", "providers.md", "Ollama"),
        ("how does pairing work", "access.md", "Pairing"),
        ("409 conflict", "troubleshooting.md", "409"),
        ("I see 401 Unauthorized", "troubleshooting.md", "401"),
        ("the bot does not answer", "troubleshooting.md", "does not answer"),
        ("how do I back up the state?", "backup-update.md", "Back up"),
        ("how to update katana", "backup-update.md", "Update"),
        ("Can it answer from my own documents?", "knowledge.md", ""),
        ("What happens when the bot crashes?", "nothing-lost.md", ""),
        ("who sends alerts", "heartbeat.md", "check-heartbeat"),
        ("What is Katana?", "katana.md", ""),
    ] {
        let found = knowledge.search(question, 3).await.unwrap();
        let right = |p: &Passage| p.source == source && p.title.contains(heading);
        if !found.first().is_some_and(right) {
            let titles: Vec<_> = found.into_iter().map(|p| p.title).collect();
            missed.push((question, titles));
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
    assert!(knowledge.search("zebra crossing", 3).await.unwrap().is_empty());
}
