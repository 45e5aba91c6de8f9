//! Owners send documents, and the bot keeps them.

use botapi_sim::Fault;
use katana::app::reload::Reloaded;

use crate::embeddings_server::EmbeddingsServer;
use crate::harness::{OWNER, Stage, eventually, eventually_in};

const PLUMS: &[u8] = b"# Plums\n\nThe plums of the garden are ripe in August.\n";

/// Sends a document and gives back what the bot says to that.
async fn sent(stage: &Stage, user: i64, caption: &str, name: &str, bytes: Vec<u8>) -> String {
    let before = stage.sim.bot_messages(user).len();
    stage.sim.document(user, user, caption, name, bytes);
    stage.texts(user, before + 1).await.pop().expect("an answer")
}

async fn names(stage: &Stage) -> Vec<String> {
    let documents = stage.store().learned_documents().await.expect("documents");
    documents.into_iter().map(|document| document.name).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_teaches_a_document_lists_it_and_removes_it() {
    let mut stage = Stage::with_model(&[]).await;
    let said = sent(&stage, OWNER, "/learn", "plums.md", PLUMS.to_vec()).await;
    assert!(said.starts_with("I have read plums.md: 1 passage."), "{said}");
    // A newer one takes its place; a second one stands beside it, sent before and answered with the command.
    sent(&stage, OWNER, "/learn", "plums.md", PLUMS.to_vec()).await;
    let message =
        stage.sim.document(OWNER, OWNER, "look", "pears.txt", &b"Pears are ripe in October."[..]);
    let before = stage.texts(OWNER, 3).await.len();
    stage.sim.reply_in(OWNER, OWNER, message.message_id, "/learn");
    let said = stage.texts(OWNER, before + 1).await.pop().expect("an answer");
    assert!(said.starts_with("I have read pears.txt"), "{said}");
    assert_eq!(names(&stage).await, ["pears.txt", "plums.md"]);
    let first = stage.store().learned_documents().await.expect("documents").remove(1);
    let document = stage.store().learned_document(first.id).await.expect("a read").expect("a text");
    assert!(document.contains("ripe in August"), "{document}");

    assert!(stage.stop().await);
    stage.start().await;
    let list = stage.ask(OWNER, "/learned").await;
    assert!(list.contains("2 documents") && list.contains("plums.md"), "{list}");
    let message = stage.sim.bot_messages(OWNER).pop().expect("a list");
    let keyboard = message.reply_markup.expect("buttons")["inline_keyboard"].clone();
    let data = keyboard[0][0]["callback_data"].as_str().expect("data").to_owned();
    stage.sim.press(OWNER, message.message_id, OWNER, &data);
    let there = crate::harness::eventually_in(async || names(&stage).await == ["plums.md"]).await;
    assert!(there, "{:?}", names(&stage).await);
    let said = stage.ask(OWNER, &format!("/unlearn {}", first.id)).await;
    assert!(said.starts_with("Removed: plums.md."), "{said}");
    assert_eq!(names(&stage).await, [""; 0]);
    assert!(stage.ask(OWNER, "/unlearn 7").await.contains("no such document"));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_learned_is_answered_with_the_reason() {
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_katana-bot"));
    katana::knowledge::reader::use_program(program);
    let stage = Stage::with_model(&[]).await;
    for (name, bytes, reason) in [
        ("plums.exe", PLUMS.to_vec(), "its name does not end like"),
        ("empty.md", Vec::new(), "empty.md"),
        ("torn.docx", b"PK\x03\x04 torn".to_vec(), "torn.docx"),
        ("torn.pdf", b"%PDF-1.7 torn".to_vec(), "torn.pdf"),
    ] {
        let said = sent(&stage, OWNER, "/learn", name, bytes).await;
        assert!(said.starts_with("I cannot use") && said.contains(reason), "{name}: {said}");
    }
    let large =
        serde_json::json!({"file_id": "x", "file_name": "large.pdf", "file_size": 30 << 20});
    let before = stage.sim.bot_messages(OWNER).len();
    stage.sim.say_with(OWNER, OWNER, "/learn", "document", large);
    let said = stage.texts(OWNER, before + 1).await.pop().expect("an answer");
    assert!(said.contains("30 MB") && said.contains("20 MB at most"), "{said}");
    let gone = serde_json::json!({"file_id": "gone", "file_name": "gone.md"});
    stage.sim.say_with(OWNER, OWNER, "/learn", "document", gone);
    let said = stage.texts(OWNER, before + 2).await.pop().expect("an answer");
    assert!(
        said.contains("cannot be loaded from Telegram") && said.contains("send it again"),
        "{said}"
    );
    assert!(!said.contains(stage.sim.token()), "{said}");
    assert!(stage.ask(OWNER, "/learn").await.starts_with("Send me a document"));
    let said = sent(&stage, 5, "/learn", "plums.md", PLUMS.to_vec()).await;
    assert!(said.contains("Only my owner"), "{said}");
    assert_eq!(names(&stage).await, [""; 0]);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_was_cut_off_by_a_stop_is_learned_once() {
    let mut stage = Stage::with_model(&[]).await;
    // The server answers when the bot is gone.
    stage.sim.fault_next("getFile", Fault::BlackHole);
    stage.sim.document(OWNER, OWNER, "/learn", "plums.md", PLUMS);
    let asked = |sim: &botapi_sim::Sim| sim.calls("getFile") > 0;
    assert!(stage.sim.wait_until(crate::harness::SOON, asked).await);
    stage.stop().await;
    stage.start().await;
    let said = stage.texts(OWNER, 1).await.remove(0);
    assert!(said.starts_with("I have read plums.md"), "{said}");
    assert_eq!(names(&stage).await, ["plums.md"]);
    stage.idle().await;
    assert_eq!(stage.sim.bot_messages(OWNER).len(), 1);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_learned_is_answered_from_and_what_was_removed_is_not() {
    let mut stage = Stage::with_model(&[]).await;
    sent(&stage, OWNER, "/learn", "plums.md", PLUMS.to_vec()).await;
    let asks = async |stage: &Stage| {
        stage.sim.model().push("They are ripe in August.");
        stage.ask(5, "When are the plums ripe?").await
    };
    let names = async |stage: &Stage| asks(stage).await.contains("Source: ");
    let begun = std::time::Instant::now();
    while !names(&stage).await {
        assert!(begun.elapsed() < crate::harness::SOON, "it is not answered from");
    }
    let request = stage.sim.model().requests().pop().expect("a request").last_user_text();
    assert!(request.contains("ripe in August") && request.contains("plums.md"), "{request}");
    // It is there after a restart, too.
    assert!(stage.stop().await);
    stage.start().await;
    let begun = std::time::Instant::now();
    while !names(&stage).await {
        assert!(begun.elapsed() < crate::harness::SOON, "it is not answered from after a restart");
    }
    stage.ask(OWNER, "/unlearn plums.md").await;
    let begun = std::time::Instant::now();
    while names(&stage).await {
        assert!(begun.elapsed() < crate::harness::SOON, "it is still answered from");
    }
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_document_of_an_album_is_learned() {
    let stage = Stage::with_model(&[]).await;
    let document = |name: &str, bytes: &'static [u8], caption: Option<&str>| {
        let file = stage.sim.file(bytes);
        let document =
            serde_json::json!({"file_id": file, "file_unique_id": name, "file_name": name});
        let mut fields = serde_json::json!({"document": document, "media_group_id": "11"});
        if let Some(caption) = caption {
            fields["caption"] = caption.into();
        }
        stage.sim.say_fields(OWNER, OWNER, &fields);
    };
    document("plums.md", PLUMS, Some("/learn"));
    document("pears.txt", b"Pears are ripe in October.", None);
    document("odd.exe", b"MZ", None);
    let said = stage.texts(OWNER, 1).await.remove(0);
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[0].starts_with("I have read plums.md: 1 passage."), "{said}");
    assert!(lines[1].starts_with("I have read pears.txt: 1 passage."), "{said}");
    assert!(lines[2].starts_with("I cannot use odd.exe"), "{said}");
    assert!(lines[3].starts_with("I answer from them"), "{said}");
    assert_eq!(names(&stage).await, ["pears.txt", "plums.md"]);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_answers_from_documents_only_and_has_none_says_so() {
    let mut stage = Stage::with_model(&[("KATANA_KNOWLEDGE_ONLY", "true")]).await;
    let said = stage.ask(5, "When are the plums ripe?").await;
    assert!(said.contains("I have none yet"), "{said}");
    assert_eq!(stage.sim.model().calls(), 0, "no model is asked");
    let checked = crate::process::run(&stage, &["check-config", "--without-secrets"]).await;
    assert!(checked.stderr.contains("no folder is named"), "{checked:?}");
    stage.set("KATANA_KNOWLEDGE_ONLY", "false");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_removed_has_no_vectors_either() {
    let embeddings = EmbeddingsServer::start().await;
    let mut stage = Stage::new().await;
    stage.openai();
    stage.set("KATANA_EMBEDDINGS_BASE_URL", &embeddings.url).set("KATANA_EMBEDDINGS_MODEL", "m");
    let index = stage.dir.path().join("index.db");
    stage.set("KATANA_KNOWLEDGE_INDEX_PATH", &index.display().to_string());
    stage.start().await;
    sent(&stage, OWNER, "/learn", "plums.md", PLUMS.to_vec()).await;
    let vectors = || {
        let index = rusqlite::Connection::open(&index).ok()?;
        index.query_row("SELECT count(*) FROM codes", [], |row| row.get::<_, i64>(0)).ok()
    };
    assert!(eventually(|| vectors() == Some(1)).await, "{:?}", vectors());
    stage.ask(OWNER, "/unlearn plums.md").await;
    assert!(eventually(|| vectors() == Some(0)).await, "{:?}", vectors());
    stage.end().await;
}

/// Changes settings and has them read.
async fn change(stage: &mut Stage, key: &str, value: &str) {
    stage.set(key, value);
    let reloaded = stage.app().reload(&stage.sources()).await;
    assert!(matches!(reloaded, Reloaded::Applied { .. }), "{reloaded:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn folders_come_and_go_by_reloads_and_what_was_learned_stays() {
    let mut stage = Stage::new().await;
    let dir = stage.dir.path().join("docs");
    std::fs::create_dir(&dir).expect("a folder");
    std::fs::write(dir.join("pears.md"), "# Pears\n\nPears are ripe in October.\n").expect("it");
    let dir = dir.display().to_string();
    stage.set("KATANA_ANSWER_PROVIDER", "offline").set("KATANA_KNOWLEDGE_DIR", &dir);
    stage.start().await;
    const BACKUP: &str = "How do I back up the state file?";
    let (plums, pears) = ("When are the plums ripe?", "When are the pears ripe?");
    let holds = async |stage: &Stage, question: &str, words: &str| {
        stage.ask(OWNER, question).await.contains(words)
    };
    assert!(holds(&stage, pears, "in October").await);
    sent(&stage, OWNER, "/learn", "plums.md", PLUMS.to_vec()).await;
    assert!(eventually_in(|| holds(&stage, plums, "in August")).await);
    // Each of these is in effect when the reload returns, without another look.
    change(&mut stage, "KATANA_KNOWLEDGE_DIR", "").await;
    assert!(holds(&stage, plums, "in August").await, "what was learned is hidden");
    assert!(!holds(&stage, pears, "in October").await);
    stage.ask(OWNER, "/unlearn plums.md").await;
    // The pages about the bot itself take their place again.
    assert!(eventually_in(|| holds(&stage, BACKUP, "From the documents:")).await);
    change(&mut stage, "KATANA_KNOWLEDGE_DIR", &dir).await;
    assert!(holds(&stage, pears, "in October").await);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_wait_for_the_first_folder_that_a_reload_brings() {
    let mut stage = Stage::new().await;
    let dir = stage.dir.path().join("docs");
    std::fs::create_dir(&dir).expect("a folder");
    let many = "Quinces are ripe in November.\n\n".repeat(5000);
    std::fs::write(dir.join("a.md"), format!("# Quinces\n\n{many}")).expect("it");
    std::fs::write(dir.join("z.md"), "# Pears\n\nPears are ripe in October.\n").expect("it");
    stage.set("KATANA_ANSWER_PROVIDER", "offline").start().await;
    assert!(!stage.ask(5, "When are the pears ripe?").await.contains("in October"));
    stage.set("KATANA_KNOWLEDGE_DIR", &dir.display().to_string());
    let (app, sources) = (stage.app(), stage.sources());
    let asked = async {
        let opened = || app.reloader().loaded().config.knowledge.dir.is_some();
        assert!(eventually(opened).await);
        stage.ask(5, "When are the pears ripe?").await
    };
    let (reloaded, answer) = tokio::join!(app.reload(&sources), asked);
    assert!(matches!(reloaded, Reloaded::Applied { .. }), "{reloaded:?}");
    assert!(answer.contains("in October"), "{answer}");
    stage.end().await;
}
