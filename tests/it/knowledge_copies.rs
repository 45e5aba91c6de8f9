//! The index beside other things: copies of it, disks without room, and others who begin at the same time.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::embeddings_server::EmbeddingsServer;
use crate::harness::{Stage, eventually, eventually_in};
use crate::mount::Mount;
use crate::process::{self, Daemon};
use crate::qdrant_server::FakeQdrant;

/// A bot that quotes a folder, and the folder.
async fn quoting() -> (Stage, PathBuf) {
    let mut stage = Stage::new().await;
    let docs = stage.dir.path().join("docs");
    std::fs::create_dir(&docs).expect("a folder");
    write(&docs.join("refunds.md"), "# Refunds\n\nYou get your money within thirty days.\n");
    stage.set("KATANA_ANSWER_PROVIDER", "offline");
    stage.set("KATANA_KNOWLEDGE_DIR", &docs.display().to_string());
    let index = stage.dir.path().join("index.db").display().to_string();
    stage.set("KATANA_KNOWLEDGE_INDEX_PATH", &index);
    (stage, docs)
}

fn write(path: &Path, text: impl AsRef<[u8]>) {
    std::fs::write(path, text).expect("written");
}

async fn run(stage: &Stage, args: &[&str]) -> process::Output {
    process::run(stage, &[&["knowledge"], args].concat()).await
}

fn names(folder: &Path) -> Vec<String> {
    let all = std::fs::read_dir(folder).expect("a folder");
    let mut all: Vec<String> = all
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    all.sort();
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_has_qdrant_write_a_snapshot() {
    let (mut stage, _) = quoting().await;
    let (embeddings, qdrant) = (EmbeddingsServer::start().await, FakeQdrant::start(None).await);
    stage.set("KATANA_EMBEDDINGS_BASE_URL", &embeddings.url).set("KATANA_EMBEDDINGS_MODEL", "m");
    stage.set("KATANA_QDRANT_URL", &qdrant.url);
    let out = run(&stage, &["sync"]).await;
    assert_eq!(out.code, Some(0), "{out:?}");
    let copy = |name: &str| stage.dir.path().join(name).display().to_string();
    // Nothing was searched yet, so there is no collection; the index has all vectors.
    let out = run(&stage, &["backup", &copy("one.db")]).await;
    assert!(out.code == Some(69) && out.stderr.contains("no snapshot: "), "{out:?}");
    assert!(out.stdout.contains("The index is in") && Path::new(&copy("one.db")).exists());
    let out = run(&stage, &["search", "Erstattung"]).await;
    assert!(out.stdout.contains("Searched by words and meaning"), "{out:?}");
    let out = run(&stage, &["backup", "--json", &copy("two.db")]).await;
    assert_eq!(out.code, Some(0), "{out:?}");
    let said: Value = serde_json::from_str(&out.stdout).expect("JSON");
    let collection = said["qdrant"]["collection"].as_str().expect("a name");
    assert!(collection.starts_with("katana-1-"), "{said}");
    assert_eq!(said["qdrant"]["snapshot"], format!("{collection}.snapshot"));
    let out = run(&stage, &["backup", &copy("three.db")]).await;
    assert!(out.stdout.contains(&format!("the snapshot {collection}.snapshot of")), "{out:?}");
    assert_eq!(qdrant.complaints(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_copy_is_refused_and_a_full_disk_keeps_nothing_of_one() {
    let (stage, _) = quoting().await;
    let at = |name: &str| stage.dir.path().join(name);
    let text = |path: &Path| path.display().to_string();
    let out = run(&stage, &["backup", &text(&at("copy.db"))]).await;
    assert!(out.code == Some(69) && out.stderr.contains("no index of documents yet"), "{out:?}");
    assert_eq!(run(&stage, &["sync"]).await.code, Some(0));
    let copy = at("copy.db");
    assert_eq!(run(&stage, &["backup", &text(&copy)]).await.code, Some(0));
    let out = run(&stage, &["backup", &text(&copy)]).await;
    assert!(out.code == Some(64) && out.stderr.contains("copy.db already exists"), "{out:?}");

    let whole = std::fs::read(&copy).expect("a copy");
    let mut hurt = whole.clone();
    hurt[4096..16_384].fill(0x55);
    write(&at("hurt.db"), &hurt);
    write(&at("cut.db"), &whole[..whole.len() / 2]);
    write(&at("text.db"), "words");
    let index = at("index.db");
    let before = std::fs::read(&index).expect("an index");
    for (name, code, why) in [
        ("hurt.db", 69, "it is damaged"),
        ("cut.db", 69, "it is damaged"),
        ("text.db", 78, "it is not a copy of an index"),
        ("none.db", 69, "it cannot be read"),
    ] {
        let out = run(&stage, &["restore", &text(&at(name))]).await;
        assert_eq!(out.code, Some(code), "{out:?}");
        assert!(out.stderr.contains(&format!("{name}: {why}")), "{out:?}");
        assert!(!out.stderr.contains("state file"), "{out:?}");
        assert!(std::fs::read(&index).expect("an index") == before, "{name} changed the index");
    }
    assert_eq!(run(&stage, &["restore", &text(&copy)]).await.code, Some(0));
    assert!(run(&stage, &["search", "money"]).await.stdout.contains("refunds.md"));

    let small = at("small");
    let Some(mount) = Mount::new(&small) else { return };
    mount.fill();
    let out = run(&stage, &["backup", &text(&small.join("copy.db"))]).await;
    assert!(out.code == Some(69) && out.stderr.contains("a copy of the whole index"), "{out:?}");
    assert_eq!(names(&small), ["ballast"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_index_leaves_the_state_its_room_and_goes_on_by_itself() {
    let (mut stage, docs) = quoting().await;
    let small = stage.dir.path().join("small");
    let Some(mount) = Mount::new(&small) else { return };
    stage.set("KATANA_KNOWLEDGE_INDEX_PATH", &small.join("index.db").display().to_string());
    stage.set("KATANA_STORE_PATH", &small.join("katana.db").display().to_string());
    stage.start().await;
    assert!(stage.ask(5, "When do I get my money?").await.contains("thirty days"));
    stage.idle().await;
    // A tenth of 16 MB is kept.
    let ballast = mount.fill_up_to(1_000_000);
    write(&docs.join("holidays.md"), "# Holidays\n\nYou have thirty-three days of leave.\n");
    let state = || stage.app().pipeline().base.vitals.index.load_full();
    assert!(eventually(|| state().is_short()).await, "{:?}", state());
    let out = run(&stage, &["status"]).await;
    assert!(out.code == Some(0) && out.stdout.contains("stay for messages and answers"), "{out:?}");
    let out = run(&stage, &["sync"]).await;
    assert!(out.code == Some(69) && out.stderr.contains("cannot grow"), "{out:?}");
    assert!(stage.ask(5, "When do I get my money?").await.contains("thirty days"), "it goes on");
    // What is gone needs no room.
    std::fs::remove_file(docs.join("refunds.md")).expect("removed");
    assert!(eventually(|| state().files == 0).await, "{:?}", state());
    std::fs::remove_file(&ballast).expect("room again");
    let is_known = || async { stage.ask(5, "How much leave do I have?").await.contains("three") };
    assert!(eventually_in(is_known).await);
    assert!(eventually(|| !state().is_short()).await);
    // One for which there is no room stops no other.
    mount.fill_up_to(2_600_000);
    write(&docs.join("a-large.md"), format!("# Large\n\n{}\n", "plain words ".repeat(40_000)));
    write(&docs.join("parking.md"), "# Parking\n\nYou park behind the old mill.\n");
    assert!(eventually(|| state().files == 2 && state().is_short()).await, "{:?}", state());
    assert!(stage.ask(5, "Where can I park?").await.contains("mill"));
    stage.end().await;
    drop(mount);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_look_for_which_there_is_no_room_says_so() {
    let (mut stage, _) = quoting().await;
    let small = stage.dir.path().join("small");
    let Some(mount) = Mount::new(&small) else { return };
    stage.set("KATANA_KNOWLEDGE_INDEX_PATH", &small.join("index.db").display().to_string());
    let ballast = mount.fill_up_to(1_000_000);
    stage.start().await;
    let why = || stage.app().report_hub().config_rejected();
    let is_said = || why().is_some_and(|why| why.contains("cannot grow"));
    assert!(eventually(is_said).await, "{:?}", why());
    std::fs::remove_file(&ballast).expect("room again");
    assert!(eventually(|| why().is_none()).await, "{:?}", why());
    assert!(stage.ask(5, "When do I get my money?").await.contains("thirty days"));
    stage.end().await;
    drop(mount);
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_begin_at_once_make_one_index() {
    let (mut stage, docs) = quoting().await;
    for n in 0..20 {
        write(&docs.join(format!("room-{n}.md")), format!("# Room\n\nRoom {n} is closed.\n"));
    }
    for round in 0..4 {
        let index = stage.dir.path().join(format!("index-{round}.db")).display().to_string();
        stage.set("KATANA_KNOWLEDGE_INDEX_PATH", &index);
        let daemon = (round % 2 == 0).then(|| Daemon::start(&stage));
        let all = tokio::join!(
            run(&stage, &["sync"]),
            run(&stage, &["sync"]),
            run(&stage, &["reindex"]),
            run(&stage, &["sync"])
        );
        for out in [&all.0, &all.1, &all.2, &all.3] {
            assert_eq!(out.code, Some(0), "{out:?}");
        }
        let out = run(&stage, &["status"]).await;
        assert!(out.stdout.contains("21 documents in"), "{out:?}");
        if let Some(mut daemon) = daemon {
            daemon.signal("TERM");
            assert_eq!(daemon.ended().await.code(), Some(0));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_in_two_sources_is_the_first_ones() {
    let (mut stage, docs) = quoting().await;
    std::fs::create_dir(docs.join("inner")).expect("a folder");
    write(&docs.join("inner/leave.md"), "# Leave\n\nYou have thirty days.\n");
    stage.set("KATANA_KNOWLEDGE_SOURCES_INNER_DIR", &docs.join("inner").display().to_string());
    let out = run(&stage, &["sync"]).await;
    assert!(out.stdout.starts_with("2 documents read"), "{out:?}");
    let out = run(&stage, &["search", "leave"]).await;
    assert!(out.stdout.contains("documents/inner/leave.md"), "{out:?}");
    assert!(!out.stdout.contains("inner/leave.md  (") || !out.stdout.contains("2. "), "{out:?}");
    let out = process::run(&stage, &["check-config"]).await;
    let warning = "knowledge.sources.inner.dir: it shares 1 document with knowledge.dir";
    assert!(out.code == Some(0) && out.stderr.contains(warning), "{out:?}");
}
