//! The documents and the servers behind their search, as an operator sees them.

use serde_json::Value;

use crate::embeddings_server::EmbeddingsServer;
use crate::harness::Stage;
use crate::process::{self, Output};

fn json(output: &Output) -> Value {
    serde_json::from_str(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"))
}

/// What the doctor says of one thing.
async fn checked(stage: &Stage, name: &str, more: &[&str]) -> (String, String) {
    let arguments = [&["doctor", "--json"], more].concat();
    let said = json(&process::run(stage, &arguments).await);
    let checks = said["checks"].as_array().expect("checks").clone();
    let check = checks.into_iter().find(|check| check["check"] == name);
    let check = check.unwrap_or_else(|| panic!("{name}: {said}"));
    let text = |key: &str| check[key].as_str().unwrap_or_default().to_owned();
    (text("state"), text("text"))
}

#[tokio::test(flavor = "multi_thread")]
async fn without_documents_the_status_says_what_to_do() {
    let stage = Stage::new().await;
    let out = process::run(&stage, &["knowledge", "status"]).await;
    assert_eq!(out.code, Some(0), "{out:?}");
    assert!(out.stdout.contains("There are no documents: set knowledge.dir"), "{}", out.stdout);
    let said = json(&process::run(&stage, &["knowledge", "status", "--json"]).await);
    assert_eq!((&said["index"], &said["servers"]), (&Value::Null, &serde_json::json!([])));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_asks_the_embeddings_server_only_when_it_is_told_to() {
    let server = EmbeddingsServer::start().await;
    let mut stage = Stage::new().await;
    stage.set("KATANA_EMBEDDINGS_BASE_URL", &server.url).set("KATANA_EMBEDDINGS_MODEL", "m");
    let (state, text) = checked(&stage, "embeddings", &[]).await;
    assert_eq!((state.as_str(), server.requests()), ("skipped", 0), "{text}");
    let (state, text) = checked(&stage, "embeddings", &["--ask-provider"]).await;
    assert!(state == "ok" && text.contains("a vector of 5 dimensions"), "{state}: {text}");
    assert_eq!(
        server.texts(),
        ["Is anyone there?"],
        "one short text, and nothing of the documents"
    );
    server.set_down(true);
    let (state, text) = checked(&stage, "embeddings", &["--ask-provider"]).await;
    assert!(state == "bad" && text.contains("500"), "{state}: {text}");

    stage.set("KATANA_QDRANT_URL", "http://127.0.0.1:1");
    let (state, text) = checked(&stage, "qdrant", &[]).await;
    assert!(state == "bad" && text.contains("cannot reach the server"), "{state}: {text}");
    let said = json(&process::run(&stage, &["knowledge", "status", "--json"]).await);
    let reachable: Vec<&Value> =
        said["servers"].as_array().expect("servers").iter().map(|s| &s["reachable"]).collect();
    assert_eq!(reachable, [true, false], "{said}");
}
