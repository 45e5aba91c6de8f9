//! `katana-bot knowledge` from the machine, without a bot and beside one: what it says, and how it ends.

use std::path::{Path, PathBuf};

use katana::store::Index;
use serde_json::Value;

use crate::harness::{Stage, eventually_in};
use crate::process;

/// A machine that has documents and no secret.
struct Machine {
    dir: tempfile::TempDir,
    settings: Vec<(String, String)>,
}

/// What a command printed, and its exit code.
#[derive(Debug)]
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Machine {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let mut this = Self { dir, settings: Vec::new() };
        let index = this.path("index.db").display().to_string();
        this.set("KATANA_KNOWLEDGE_INDEX_PATH", &index);
        this.set("KATANA_STORE_PATH", &this.path("katana.db").display().to_string());
        this
    }

    fn set(&mut self, key: &str, value: &str) {
        self.settings.push((key.to_owned(), value.to_owned()));
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A folder of documents.
    fn docs(&mut self) -> PathBuf {
        let docs = self.path("docs");
        std::fs::create_dir(&docs).expect("a folder");
        self.set("KATANA_KNOWLEDGE_DIR", &docs.display().to_string());
        docs
    }

    fn run(&self, args: &[&str]) -> Said {
        let mut command = process::command(&self.settings);
        let output = command.arg("knowledge").args(args).output().expect("it runs");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).expect("written");
}

#[test]
fn documents_need_no_bot_and_what_is_left_out_is_counted() {
    let mut machine = Machine::new();
    let said = machine.run(&["sync"]);
    assert_eq!(said.code, Some(78), "{said:?}");
    assert!(said.err.contains("neither knowledge.dir nor"), "{said:?}");
    assert!(!machine.path("index.db").exists(), "nothing is made for nothing");
    let said = machine.run(&["status"]);
    assert!(said.code == Some(0) && said.out.contains("set knowledge.dir"), "{said:?}");

    let docs = machine.docs();
    write(&docs.join("hours.md"), "# Hours\n\nThe museum opens at nine.\n");
    for name in ["a.pptx", "b.PPTX", "c.xls", "LICENSE", "secrets.toml"] {
        write(&docs.join(name), "x");
    }
    let said = machine.run(&["status"]);
    assert!(said.out.contains("There is no index yet"), "{said:?}");
    let said = machine.run(&["sync"]);
    let files = "left out: 5 files (.pptx 2, .toml 1, .xls 1, no ending 1)";
    assert_eq!(said.out, format!("1 document read, 0 unchanged, 0 removed; {files}.\n"));
    let said = machine.run(&["status"]);
    assert!(said.out.contains("1 document in 1 passage\n"), "{said:?}");
    assert!(said.out.contains("left out          5 files (.pptx 2,"), "{said:?}");
    let json: Value = serde_json::from_str(&machine.run(&["status", "--json"]).out).expect("JSON");
    assert_eq!((&json["left_out"][".pptx"], &json["is_complete"]), (&2.into(), &true.into()));
}

#[test]
fn a_search_shows_links_and_an_evaluation_takes_questions_without_an_answer() {
    let mut machine = Machine::new();
    let manual = machine.path("manual");
    std::fs::create_dir(&manual).expect("a folder");
    write(&manual.join("a b.md"), "# Hours\n\nThe museum opens at nine.\n");
    machine.set("KATANA_KNOWLEDGE_SOURCES_MANUAL_DIR", &manual.display().to_string());
    machine.set("KATANA_KNOWLEDGE_SOURCES_MANUAL_BASE_URL", "https://docs.example.com/m");
    assert_eq!(machine.run(&["sync"]).code, Some(0));
    let said = machine.run(&["search", "When does the museum open?"]);
    assert!(said.out.contains("\n   https://docs.example.com/m/a%20b.md#hours\n"), "{said:?}");
    let json = machine.run(&["search", "--json", "museum"]).out;
    let json: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["passages"][0]["link"], "https://docs.example.com/m/a%20b.md#hours");

    let questions = machine.path("questions");
    let file = questions.display().to_string();
    let said = machine.run(&["eval", &file]);
    assert!(said.code == Some(65) && said.err.contains("questions: No such file"), "{said:?}");
    write(&questions, "{\"question\": \"museum\", \"expect\": [{}]}\n");
    let said = machine.run(&["eval", &file]);
    assert!(said.code == Some(65) && said.err.contains("line 1"), "{said:?}");
    let known = r#"{"question": "museum", "language": "en", "expect": [{"source": "a b.md"}]}"#;
    write(&questions, &format!("{known}\n{{\"question\": \"Zebras?\"}}\n"));
    let said = machine.run(&["eval", &file]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let all = said.out.lines().find(|line| line.starts_with("all")).expect("a row");
    let all: Vec<&str> = all.split_whitespace().collect();
    assert_eq!((&all[1..3], &all[7..]), (&["1", "1.000"][..], &["1", "of", "1"][..]), "{said:?}");
}

#[tokio::test]
async fn a_look_that_was_cut_off_and_a_damaged_index_are_named() {
    let mut machine = Machine::new();
    let docs = machine.docs();
    write(&docs.join("hours.md"), "# Hours\n\nThe museum opens at nine.\n");
    assert_eq!(machine.run(&["sync"]).code, Some(0));
    let index = machine.path("index.db");
    {
        let index = Index::open(&index).expect("an index");
        index.look_begins(1).await.expect("written");
    }
    let said = machine.run(&["status"]);
    assert!(said.out.contains("not complete") && said.out.contains("has not ended"), "{said:?}");
    assert_eq!(machine.run(&["sync"]).code, Some(0));
    assert!(!machine.run(&["status"]).out.contains("not complete"));

    write(&index, "no database at all");
    for args in [&["status"][..], &["search", "museum"]] {
        let said = machine.run(args);
        assert_eq!(said.code, Some(69), "{said:?}");
        assert!(said.err.contains("index.db: its header is gone"), "{said:?}");
        assert!(said.err.contains("or by katana-bot knowledge sync"), "{said:?}");
    }
    let said = machine.run(&["sync"]);
    assert!(said.code == Some(0) && said.err.contains("index.db.damaged"), "{said:?}");
    assert!(said.out.starts_with("1 document read"), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_is_gone_is_named_and_its_documents_stay() {
    let mut stage = Stage::new().await;
    let (main, more) = (stage.dir.path().join("docs"), stage.dir.path().join("more"));
    for (dir, text) in [(&main, "The museum opens at nine."), (&more, "The tower opens at ten.")] {
        std::fs::create_dir(dir).expect("a folder");
        write(&dir.join("hours.md"), &format!("# Hours\n\n{text}\n"));
    }
    stage.set("KATANA_ANSWER_PROVIDER", "offline");
    stage.set("KATANA_KNOWLEDGE_DIR", &main.display().to_string());
    stage.set("KATANA_KNOWLEDGE_SOURCES_MORE_DIR", &more.display().to_string());
    let index = stage.dir.path().join("index.db").display().to_string();
    stage.set("KATANA_KNOWLEDGE_INDEX_PATH", &index);
    stage.start().await;
    assert!(stage.ask(5, "When does the tower open?").await.contains("at ten"));
    std::fs::rename(&more, stage.dir.path().join("away")).expect("moved");
    let names_it = || async {
        let said = process::run(&stage, &["knowledge", "status"]).await;
        assert_eq!(said.code, Some(0), "{said:?}");
        said.stdout.contains("folders that cannot be read") && said.stdout.contains("more: cannot")
    };
    assert!(eventually_in(names_it).await);
    let state = stage.app().pipeline().base.vitals.index.load_full();
    assert_eq!(state.folders_unreadable, 1);
    assert!(stage.ask(5, "When does the tower open?").await.contains("at ten"), "it stays");
    stage.end().await;
}
