//! Troubles with the documents: one that cannot be read, servers that fail, changes that wait, questions that find nothing,
//! answers that name no source.

use std::path::Path;
use std::time::Duration;

use katana::observe::finding::Kind;

use super::{Scenario, begin};
use crate::embeddings_server::EmbeddingsServer;
use crate::harness::{Stage, eventually_in};
use crate::qdrant_server::FakeQdrant;
use crate::show::{Show, checker, scaled};

/// Between two questions about the same.
const PAUSE: Duration = Duration::from_millis(500);

pub fn scenarios() -> Vec<Scenario> {
    vec![
        (&[Kind::DocumentsUnreadable], "unreadable document", Box::pin(unreadable())),
        (&[Kind::EmbeddingsFailing], "embeddings", Box::pin(embeddings())),
        (&[Kind::DocumentsStale], "stale", Box::pin(stale())),
        (&[Kind::QdrantFailing], "qdrant", Box::pin(qdrant())),
        (&[Kind::NoHitHigh], "no hit", Box::pin(no_hit())),
        (&[Kind::UnsourcedHigh], "unsourced", Box::pin(unsourced())),
    ]
}

/// A green bot that quotes from a folder with one document.
async fn quoting(changes: &[(&str, &str)]) -> (Stage, Show, std::path::PathBuf) {
    katana::knowledge::reader::use_program(Path::new(env!("CARGO_BIN_EXE_katana-bot")));
    let mut stage = Stage::new().await;
    let docs = stage.dir.path().join("docs");
    std::fs::create_dir(&docs).expect("a folder");
    let text = "# Refunds\n\nYou get your money within thirty days.\n";
    std::fs::write(docs.join("refunds.md"), text).expect("written");
    stage.set("KATANA_ANSWER_PROVIDER", "offline");
    stage.set("KATANA_KNOWLEDGE_DIR", &docs.display().to_string());
    scaled(&mut stage, changes);
    let show = begin(&mut stage).await;
    (stage, show, docs)
}

async fn unreadable() {
    let (stage, show, docs) = quoting(&[]).await;
    let scan = docs.join("scan.pdf");
    std::fs::write(&scan, "%PDF-1.4\nnothing that a reader could use").expect("written");
    show.shows_only(Kind::DocumentsUnreadable).await;
    let (code, said) = checker(show.heartbeat(), &[]).await;
    assert!(code == Some(0) && said.contains("1 of 2 documents cannot be read"), "{said}");
    assert!(stage.ask(5, "When do I get my money?").await.contains("thirty days"));
    std::fs::remove_file(&scan).expect("removed");
    show.green().await;
    stage.idle().await;
    stage.end().await;
}

async fn embeddings() {
    let server = EmbeddingsServer::start().await;
    let settings = [
        ("KATANA_EMBEDDINGS_BASE_URL", server.url.as_str()),
        ("KATANA_EMBEDDINGS_MODEL", "m"),
        ("KATANA_WATCH_SEARCH_FAILURES", "1"),
        // It is asked again and again below.
        ("KATANA_WATCH_NO_HIT_RATIO", "1"),
    ];
    let (stage, show, _) = quoting(&settings).await;
    let meant = "Wie bekomme ich eine Erstattung?";
    let asked = async |question: &str| {
        tokio::time::sleep(PAUSE).await;
        stage.ask(5, question).await.contains("thirty days")
    };
    let is_found = || asked(meant);
    assert!(eventually_in(is_found).await, "it is found by its meaning");
    server.set_down(true);
    // Words alone find it, and the answer says nothing of the server.
    assert!(stage.ask(5, "When do I get my money?").await.contains("thirty days"));
    show.shows_only(Kind::EmbeddingsFailing).await;
    server.set_down(false);
    // The pause after one failure is two seconds.
    let is_found = || asked("Erstattung, bitte?");
    assert!(eventually_in(is_found).await, "and again");
    show.green().await;
    stage.idle().await;
    stage.end().await;
}

async fn stale() {
    let server = EmbeddingsServer::start().await;
    let settings = [
        ("KATANA_EMBEDDINGS_BASE_URL", server.url.as_str()),
        ("KATANA_EMBEDDINGS_MODEL", "m"),
        ("KATANA_WATCH_SEARCH_FAILURES", "0"),
        ("KATANA_WATCH_DOCUMENTS_STALE_S", "1"),
    ];
    let (stage, show, docs) = quoting(&settings).await;
    server.set_down(true);
    std::fs::write(docs.join("leave.md"), "# Holidays\n\nThirty days a year.\n").expect("it");
    show.shows_only(Kind::DocumentsStale).await;
    server.set_down(false);
    show.green().await;
    stage.idle().await;
    stage.end().await;
}

async fn qdrant() {
    let (embeddings, server) = (EmbeddingsServer::start().await, FakeQdrant::start(None).await);
    let settings = [
        ("KATANA_EMBEDDINGS_BASE_URL", embeddings.url.as_str()),
        ("KATANA_EMBEDDINGS_MODEL", "m"),
        ("KATANA_QDRANT_URL", server.url.as_str()),
        ("KATANA_WATCH_SEARCH_FAILURES", "1"),
        ("KATANA_WATCH_NO_HIT_RATIO", "1"),
    ];
    let (stage, show, _) = quoting(&settings).await;
    let asked = async || {
        tokio::time::sleep(PAUSE).await;
        stage.ask(5, "Wie bekomme ich eine Erstattung?").await.contains("thirty days")
    };
    assert!(eventually_in(asked).await, "it is found by its meaning");
    server.set_down(true);
    assert!(stage.ask(5, "When do I get my money?").await.contains("thirty days"));
    show.shows_only(Kind::QdrantFailing).await;
    server.set_down(false);
    assert!(eventually_in(asked).await, "and again");
    show.green().await;
    stage.idle().await;
    stage.end().await;
    assert_eq!(server.complaints(), Vec::<String>::new());
}

async fn no_hit() {
    let (stage, show, _) = quoting(&[]).await;
    for number in 0..20 {
        stage.ask(5, &format!("Which zygote quasar has the number {number}?")).await;
    }
    show.shows_only(Kind::NoHitHigh).await;
    for _ in 0..40 {
        assert!(stage.ask(5, "When do I get my money?").await.contains("thirty days"));
    }
    show.green().await;
    stage.idle().await;
    stage.end().await;
}

async fn unsourced() {
    let mut stage = Stage::new().await;
    let docs = stage.dir.path().join("docs");
    std::fs::create_dir(&docs).expect("a folder");
    let text = "# Refunds\n\nYou get your money within thirty days.\n";
    std::fs::write(docs.join("refunds.md"), text).expect("written");
    stage.openai().set("KATANA_KNOWLEDGE_DIR", &docs.display().to_string());
    scaled(&mut stage, &[("KATANA_CANARY_EVERY_S", "0")]);
    let show = begin(&mut stage).await;
    let ask = async |answer: &str| {
        stage.sim.model().push(answer);
        stage.ask(5, "When do I get my money?").await
    };
    for _ in 0..20 {
        assert_eq!(ask("Perhaps.").await, "Perhaps.");
    }
    show.shows_only(Kind::UnsourcedHigh).await;
    for _ in 0..40 {
        let said = ask("You get your money within thirty days.").await;
        assert!(said.contains("refunds.md"), "{said}");
    }
    show.green().await;
    stage.idle().await;
    stage.end().await;
}
