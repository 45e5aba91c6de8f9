//! The documents and the servers behind their search, as an operator sees them.

use serde_json::Value;

use crate::embeddings_server::EmbeddingsServer;
use crate::harness::{Stage, eventually, eventually_in};
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
async fn the_doctor_asks_the_embeddings_server_only_on_request() {
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

/// What a search on the command line found: the paths, best first, and the whole answer.
async fn found(stage: &Stage, question: &str) -> (Vec<String>, Value) {
    let out = process::run(stage, &["knowledge", "search", question, "--json"]).await;
    assert_eq!(out.code, Some(0), "{out:?}");
    let said = json(&out);
    let passages = said["passages"].as_array().expect("passages");
    let path = |passage: &Value| passage["path"].as_str().expect("a path").to_owned();
    (passages.iter().map(path).collect(), said)
}

fn is_embedded(stage: &Stage, of: u64) -> bool {
    let index = stage.app().pipeline().base.vitals.index.load();
    index.active.as_ref().is_some_and(|active| active.of == of && active.left() == 0)
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_are_embedded_in_the_background_and_found_by_their_meaning() {
    let server = EmbeddingsServer::start().await;
    let mut stage = Stage::new().await;
    let docs = stage.dir.path().join("docs");
    std::fs::create_dir(&docs).expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(docs.join(name), text).expect("written");
    write("refunds.md", "# Refunds\n\nYou get your money within thirty days.\n");
    write("setup.md", "# Setup\n\nRun the installer once.\n");
    stage
        .set("KATANA_ANSWER_PROVIDER", "offline")
        .set("KATANA_KNOWLEDGE_DIR", &docs.display().to_string())
        .set("KATANA_EMBEDDINGS_BASE_URL", &server.url)
        .set("KATANA_EMBEDDINGS_MODEL", "m");
    stage.start().await;
    assert!(eventually(|| is_embedded(&stage, 2)).await, "both are embedded");

    // Not one word of it is in the document.
    let question = "Wie bekomme ich eine Erstattung?";
    let (paths, said) = found(&stage, question).await;
    assert_eq!(
        (paths.first().map(String::as_str), &said["by_vectors"]),
        (Some("refunds.md"), &true.into())
    );
    let answer = stage.ask(5, question).await;
    assert!(answer.contains("thirty days"), "{answer}");

    // A new document has its vector soon, and nothing else is asked for again.
    let before = server.texts().len();
    write("leave.md", "# Holidays\n\nThirty days a year.\n");
    assert!(eventually(|| is_embedded(&stage, 3)).await, "the new one is embedded");
    let is_found = || async { stage.ask(5, "Urlaub?").await.contains("Thirty days a year") };
    assert!(eventually_in(is_found).await, "the running bot finds it by its meaning");
    let new: Vec<String> = server.texts().split_off(before);
    assert!(new.iter().filter(|text| text.contains("Thirty days a year")).count() == 1, "{new:?}");
    assert!(!new.iter().any(|text| text.contains("installer")), "{new:?}");

    let file = stage.dir.path().join("questions.jsonl");
    let line =
        r#"{"question": "Urlaub?", "language": "de-en", "expect": [{"source": "leave.md"}]}"#;
    std::fs::write(&file, format!("{line}\n")).expect("written");
    let out =
        process::run(&stage, &["knowledge", "eval", &file.display().to_string(), "--json"]).await;
    let score = &json(&out)["scores"][0];
    assert_eq!((&score["language"], &score["hits"][0]), (&"de-en".into(), &1.into()), "{out:?}");

    // Without the server the words are searched, and no one hears of an error.
    server.set_down(true);
    let (paths, said) = found(&stage, "How does the setup go?").await;
    assert_eq!(
        (paths.first().map(String::as_str), &said["by_vectors"]),
        (Some("setup.md"), &false.into())
    );
    assert!(said["words_alone_because"].is_string(), "{said}");
    let answer = stage.ask(5, "How does the setup go?").await;
    assert!(answer.contains("installer"), "{answer}");
    let said = json(&process::run(&stage, &["knowledge", "status", "--json"]).await);
    assert_eq!(
        (&said["total"]["documents"], &said["generations"][0]["embedded"]),
        (&3.into(), &3.into())
    );
    stage.end().await;
}
