//! The bundled pages about Katana: complete, and found by those who ask.

use std::path::Path;

use super::*;
use crate::knowledge::{Knowledge, SearchRequest};
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

/// A question, the file that answers it first, and a part of the heading.
const QUESTIONS: [(&str, &str, &str); 103] = [
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
    ("how do I back up the state?", "backup-update.md", "Make a backup"),
    ("how to update katana", "backup-update.md", "Update"),
    ("Can it answer from my own documents?", "knowledge.md", ""),
    ("What happens when the bot crashes?", "nothing-lost.md", ""),
    ("who sends alerts", "heartbeat.md", "check-heartbeat"),
    ("What is Katana?", "katana.md", ""),
    // What else people ask a bot that was installed a minute ago.
    ("How do I set up alerts?", "heartbeat.md", ""),
    ("How do I get notified when the bot is down?", "heartbeat.md", ""),
    ("How do I send alerts by mail?", "heartbeat.md", ""),
    ("Can I monitor it with Nagios or Prometheus?", "heartbeat.md", ""),
    ("What is the heartbeat file?", "heartbeat.md", ""),
    ("Is there a health check for Kubernetes?", "heartbeat.md", ""),
    ("How do I make a backup?", "backup-update.md", ""),
    ("How do I restore a backup?", "backup-update.md", ""),
    ("How do I back up the database?", "backup-update.md", ""),
    ("How do I upgrade to a new version?", "backup-update.md", ""),
    ("How can I downgrade?", "backup-update.md", ""),
    ("How do I move the bot to a new server?", "backup-update.md", ""),
    ("second bot", "install.md", ""),
    ("How do I run two bots on the same machine?", "install.md", ""),
    ("How do I install Katana?", "install.md", ""),
    ("Is there a .deb package?", "install.md", ""),
    ("Does it run under systemd?", "install.md", ""),
    ("Can I run it in Docker?", "install.md", ""),
    ("Where is the database stored?", "install.md", ""),
    ("How do I uninstall it?", "install.md", ""),
    ("How do I create a bot?", "first-bot.md", ""),
    ("Where do I get a token?", "first-bot.md", ""),
    ("How do I add the bot to a group?", "first-bot.md", ""),
    ("How do I become the owner?", "commands.md", "/claim"),
    ("Who can talk to the bot?", "access.md", ""),
    ("How do I let a colleague use the bot?", "commands.md", "/approve"),
    ("How do I block a user?", "access.md", ""),
    ("Can I make the bot public?", "access.md", ""),
    ("How do I connect OpenAI?", "providers.md", ""),
    ("How do I use Ollama?", "providers.md", ""),
    ("Does it work with Claude?", "providers.md", ""),
    ("Can I use a local model?", "providers.md", ""),
    ("Where do I put my API key?", "configuration.md", ""),
    ("Where is the configuration file?", "configuration.md", ""),
    ("How do I change the system prompt?", "configuration.md", ""),
    ("How do I reload the configuration without a restart?", "configuration.md", ""),
    ("How do I add my own documents?", "knowledge.md", ""),
    ("Can it read PDF files?", "knowledge.md", ""),
    ("How do I delete my data?", "privacy.md", ""),
    ("How long do you keep my messages?", "privacy.md", ""),
    ("What data is sent to OpenAI?", "privacy.md", ""),
    ("Why does the bot not answer?", "troubleshooting.md", ""),
    ("The bot does not respond in my group", "troubleshooting.md", ""),
    ("What does 409 Conflict mean?", "troubleshooting.md", ""),
    ("I lost the claim code", "troubleshooting.md", ""),
    ("What happens if the server crashes?", "nothing-lost.md", ""),
    ("What commands are there?", "commands.md", ""),
    ("What can Katana do?", "katana.md", ""),
    // Day to day, as someone asks who has just taken the machine over.
    ("Where are the logs?", "operating.md", ""),
    ("How do I read the logs?", "operating.md", ""),
    ("Show me only the errors", "operating.md", ""),
    ("How can I see what went wrong last night?", "operating.md", ""),
    ("How do I turn on debug logging?", "operating.md", ""),
    ("How do I stop the bot?", "operating.md", ""),
    ("How do I start it again?", "operating.md", ""),
    ("How do I restart the bot?", "operating.md", ""),
    ("How do I turn it off for good?", "operating.md", ""),
    ("Does stopping it lose messages?", "operating.md", ""),
    ("How do I know if it is running?", "operating.md", ""),
    ("Which version do I have?", "operating.md", ""),
    ("The disk is full, what now?", "troubleshooting.md", "disk"),
    ("No space left on device", "troubleshooting.md", "disk"),
    ("How do I free up space?", "troubleshooting.md", "disk"),
    ("It uses a lot of memory", "troubleshooting.md", "memory"),
    ("How do I silence alerts?", "heartbeat.md", ""),
    ("Mute the alarms during maintenance", "heartbeat.md", ""),
    ("How do I acknowledge an alert?", "heartbeat.md", ""),
    ("Stop the mails for two hours", "heartbeat.md", ""),
    ("How do I test my alerts?", "heartbeat.md", ""),
    ("Can I send alerts to Slack?", "heartbeat.md", "webhook"),
    ("Does it work with ntfy?", "heartbeat.md", "webhook"),
    ("How do I use a webhook for alerts?", "heartbeat.md", "webhook"),
    ("Can the alerts go into a Matrix room?", "heartbeat.md", "webhook"),
    ("What is a drop-in?", "configuration.md", ""),
    ("Where do I put my own settings?", "configuration.md", ""),
    ("Will an update overwrite my settings?", "configuration.md", ""),
    ("What is katana-bot.d for?", "configuration.md", ""),
    ("Which file wins if I set something twice?", "configuration.md", ""),
    ("Can it back up automatically?", "backup-update.md", "night"),
    ("How do I get a backup every night?", "backup-update.md", "night"),
    ("Where are the backups kept?", "backup-update.md", "night"),
    ("How many backups does it keep?", "backup-update.md", "night"),
    ("Do I hear of it if a backup fails?", "backup-update.md", "night"),
    ("How do I schedule backups with a timer?", "backup-update.md", "night"),
];

#[tokio::test]
async fn questions_find_their_page() {
    let knowledge = Knowledge::of_pages(crate::answer::PAGES).unwrap();
    let mut missed = Vec::new();
    for (question, source, heading) in QUESTIONS {
        let found = knowledge.search(&SearchRequest::of(question, 3)).await.unwrap().passages;
        let right = |p: &Passage| p.source == source && p.title.contains(heading);
        if !found.first().is_some_and(right) {
            let titles: Vec<_> = found.into_iter().map(|p| p.title).collect();
            missed.push((question, titles));
        }
    }
    // Questions were written before the pages, and not for their words.
    assert!(missed.len() * 10 <= QUESTIONS.len(), "{missed:#?}");
    let nothing = knowledge.search(&SearchRequest::of("zebra crossing", 3)).await.unwrap();
    assert!(nothing.passages.is_empty());
}
