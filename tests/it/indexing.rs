//! The index of the documents while the bot runs, beside it, and after it was killed.

use std::path::Path;
use std::time::{Duration, Instant};

use katana::store::{Index, WordQuery, WordTerm};

use crate::harness::{MODEL_KEY, SOON, Stage, eventually, eventually_in};
use crate::mount::HungMount;
use crate::process;

const ASK: &str = "What are the opening hours of the museum?";

/// A bot that quotes the documents of a folder.
pub fn quoting(stage: &mut Stage) -> std::path::PathBuf {
    let dir = stage.dir.path().join("knowledge");
    std::fs::create_dir_all(&dir).expect("a folder");
    stage.set("KATANA_ANSWER_PROVIDER", "offline");
    stage.set("KATANA_KNOWLEDGE_DIR", &dir.display().to_string());
    let index = stage.dir.path().join("index.db").display().to_string();
    stage.set("KATANA_KNOWLEDGE_INDEX_PATH", &index);
    dir
}

pub fn page(dir: &Path, name: &str, words: &str) {
    std::fs::write(dir.join(name), format!("# Opening hours\n\n{words}\n")).expect("a page");
}

/// Sources, paths, hashes, problems and passages of an index, for comparison.
pub async fn content(path: &Path) -> Vec<(String, Vec<String>)> {
    let index = Index::visit(path).expect("an index");
    let mut all = Vec::new();
    for document in index.documents().await.expect("documents") {
        let ids = index.passages_of(document.id).await.expect("passages");
        let passages = index.passages(&ids).await.expect("passages");
        let shown = |passage: katana::store::IndexedPassage| {
            format!("{:?}", (passage.title, passage.anchor, passage.page, passage.text))
        };
        let found = index.find_words(museum()).await.expect("a search").passages;
        let found = found.iter().filter(|(id, _)| ids.contains(id)).count();
        let about = format!("{:?}", (document.path, document.hash, document.problem, found));
        all.push((about, passages.into_iter().map(shown).collect()));
    }
    all
}

/// All passages with a word that each page has.
fn museum() -> WordQuery {
    let terms = vec![WordTerm { forms: vec!["museum".to_owned()], ..WordTerm::default() }];
    WordQuery { terms, limit: 100_000, ..WordQuery::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_a_new_file_and_a_deletion_are_in_answers_without_a_reload() {
    let mut stage = Stage::new().await;
    let dir = quoting(&mut stage);
    page(&dir, "hours.md", "The opening hours of the museum are from nine to five.");
    stage.start().await;
    assert!(stage.ask(5, ASK).await.contains("nine to five"));
    page(&dir, "hours.md", "The opening hours of the museum are from ten to six.");
    // What is promised of an edit, also on a busy machine.
    let says = async |words: &str| {
        let holds = async || while !stage.ask(5, ASK).await.contains(words) {};
        let in_time = tokio::time::timeout(Duration::from_secs(5), holds()).await;
        assert!(in_time.is_ok(), "no answer with {words:?} within five seconds");
    };
    says("ten to six").await;
    std::fs::remove_file(dir.join("hours.md")).expect("removed");
    std::fs::create_dir(dir.join("new")).expect("a folder");
    page(&dir.join("new"), "b.md", "The opening hours of the museum are from noon to midnight.");
    says("noon to midnight").await;
    let answer = stage.ask(5, ASK).await;
    assert!(!answer.contains("ten to six"), "{answer}");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_index_is_worked_on_by_the_bot_where_it_runs_and_else_by_the_command() {
    let mut stage = Stage::new().await;
    let dir = quoting(&mut stage);
    page(&dir, "hours.md", "The opening hours of the museum are from nine to five.");
    let run = async |args: &[&str]| process::run(&stage, &[&["knowledge"], args].concat()).await;
    let out = run(&["sync"]).await;
    assert_eq!(out.stdout, "1 document read, 0 unchanged, 0 removed.\n", "{out:?}");
    let out = run(&["sync"]).await;
    assert_eq!(out.stdout, "0 documents read, 1 unchanged, 0 removed.\n", "{out:?}");
    let copy = stage.dir.path().join("copy.db").display().to_string();
    assert_eq!(run(&["backup", &copy]).await.code, Some(0));
    assert_ne!(run(&["backup", &copy]).await.code, Some(0), "it is there already");
    std::fs::remove_file(dir.join("hours.md")).expect("removed");
    run(&["sync"]).await;
    let out = run(&["restore", &copy]).await;
    assert_eq!(out.code, Some(0), "{out:?}");
    assert_eq!(content(&stage.dir.path().join("index.db")).await.len(), 1);
    page(&dir, "hours.md", "The opening hours of the museum are from nine to five.");

    let out = run(&["use", "7"]).await;
    assert!(out.code == Some(69) && out.stderr.contains("no generation 7"), "{out:?}");
    stage.start().await;
    let run = async |args: &[&str]| process::run(&stage, &[&["knowledge"], args].concat()).await;
    let out = run(&["reindex"]).await;
    assert_eq!(out.code, Some(0), "{out:?}");
    assert!(out.stderr.contains("The bot works on it"), "{out:?}");
    let out = run(&["use", "7"]).await;
    assert!(out.code == Some(69) && out.stderr.contains("no generation 7"), "{out:?}");
    let out = run(&["restore", &copy]).await;
    assert!(out.code != Some(0) && out.stderr.contains("stop the bot first"), "{out:?}");
    assert!(stage.ask(5, ASK).await.contains("nine to five"));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_it_indexes_the_index_becomes_as_one_made_at_once() {
    let mut stage = Stage::new().await;
    let dir = quoting(&mut stage);
    let index = stage.dir.path().join("index.db");
    let mut kills = 0;
    for round in 0..12 {
        for file in 0..60 {
            let words = format!("Room {} of the museum, round {}.\n\n", file, round * (file % 3));
            let path = dir.join(format!("room-{file}.md"));
            match (file + round) % 7 {
                0 => drop(std::fs::remove_file(path)),
                _ => std::fs::write(path, format!("# Room\n\n{}", words.repeat(40))).expect("it"),
            }
        }
        let mut command = process::command(stage.settings());
        let mut child = command.args(["knowledge", "sync"]).spawn().expect("it starts");
        tokio::time::sleep(Duration::from_millis(fastrand::u64(20..400))).await;
        kills += u32::from(child.try_wait().expect("a process").is_none());
        child.kill().expect("killed");
        child.wait().expect("it ended");
    }
    assert!(kills > 0, "no process was killed at work");
    let out = process::run(&stage, &["knowledge", "sync"]).await;
    assert_eq!(out.code, Some(0), "{out:?}");
    let grown = content(&index).await;
    let fresh = stage.dir.path().join("fresh.db");
    stage.set("KATANA_KNOWLEDGE_INDEX_PATH", &fresh.display().to_string());
    let out = process::run(&stage, &["knowledge", "sync"]).await;
    assert_eq!(out.code, Some(0), "{out:?}");
    assert_eq!(grown, content(&fresh).await);
    assert!(grown.len() > 40);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_reads_and_embeds_nothing_that_is_as_it_was() {
    let mut stage = Stage::new().await;
    let dir = quoting(&mut stage);
    for file in 0..30 {
        page(&dir, &format!("room-{file}.md"), &format!("Room {file} of the museum is closed."));
    }
    page(&dir, "hours.md", "The opening hours of the museum are from nine to five.");
    let url = stage.sim.openai_url();
    stage.set("KATANA_EMBEDDINGS_BASE_URL", &url).set("KATANA_EMBEDDINGS_MODEL", "sim-embed");
    stage.set("KATANA_EMBEDDINGS_API_KEY", MODEL_KEY).set("KATANA_EMBEDDINGS_USD_PER_MTOK", "0");
    stage.start().await;
    let is_complete = |stage: &Stage| {
        let state = stage.app().pipeline().base.vitals.index.load_full();
        state.active.as_ref().is_some_and(|vectors| vectors.of == 31 && vectors.left() == 0)
    };
    assert!(
        eventually(|| is_complete(&stage)).await,
        "{:?}",
        stage.app().pipeline().base.vitals.index
    );
    // Sixteen more are questions that show how near passages are to something else; that is kept, too.
    assert!(eventually(|| stage.sim.model().embedded() == 31 + 16).await);
    let embedded = stage.sim.model().embedded();
    let index = Index::visit(&stage.dir.path().join("index.db")).expect("an index");
    let active = index.generations().await.expect("generations")[0].id;
    let clock = Instant::now();
    while index.floors(active).await.expect("the index is read").is_empty() {
        assert!(clock.elapsed() < SOON, "what was learned is not kept");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let read = async |stage: &Stage| {
        let index = Index::visit(&stage.dir.path().join("index.db")).expect("an index");
        let all = index.documents().await.expect("documents");
        all.into_iter().map(|one| (one.path, one.indexed_ms)).collect::<Vec<_>>()
    };
    let before = read(&stage).await;
    stage.stop().await;
    stage.start().await;
    assert!(eventually(|| is_complete(&stage)).await);
    let out = process::run(&stage, &["knowledge", "sync"]).await;
    assert_eq!(out.stdout, "0 documents read, 31 unchanged, 0 removed.\n", "{out:?}");
    assert_eq!(read(&stage).await, before);
    assert_eq!(stage.sim.model().embedded(), embedded, "a text was embedded again");
    page(&dir, "room-7.md", "Room 7 of the museum is open again.");
    let is_seen = || stage.sim.model().embedded() > embedded && is_complete(&stage);
    assert!(eventually(is_seen).await);
    assert_eq!(stage.sim.model().embedded(), embedded + 1, "only the text that changed");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_that_meet_wait_for_each_other_and_end() {
    let mut stage = Stage::new().await;
    let dir = quoting(&mut stage);
    for file in 0..60 {
        page(&dir, &format!("room-{file}.md"), &format!("Room {file} of the museum is closed."));
    }
    let run = async |args: &[&str]| process::run(&stage, &[&["knowledge"], args].concat()).await;
    assert_eq!(run(&["sync"]).await.code, Some(0));
    let all = tokio::time::timeout(SOON, async {
        tokio::join!(run(&["reindex"]), run(&["reindex"]), run(&["sync"]))
    });
    let (one, two, three) = all.await.expect("each of them ends");
    for out in [&one, &two, &three] {
        assert_eq!(out.code, Some(0), "{out:?}");
    }
    assert!([one, two, three].iter().any(|out| out.stderr.contains("waits")), "none met another");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_does_not_answer_holds_up_no_other_one_and_no_stop() {
    let mut stage = Stage::new().await;
    let dir = quoting(&mut stage);
    page(&dir, "hours.md", "The opening hours of the museum are from nine to five.");
    let hung = stage.dir.path().join("hung");
    let Some(mount) = HungMount::new(&hung) else { return };
    // The folder above it does not answer, either.
    let share = hung.join("docs");
    stage.set("KATANA_KNOWLEDGE_SOURCES_SHARE_DIR", &share.display().to_string());
    let mut bot = process::Daemon::start(&stage);
    bot.says("ready: Telegram").await;
    let says = async |words: &str| {
        let holds = || async { stage.ask(5, ASK).await.contains(words) };
        assert!(eventually_in(holds).await, "no answer with {words:?}: {}", bot.log());
    };
    says("nine to five").await;
    page(&dir, "hours.md", "The opening hours of the museum are from ten to six.");
    says("ten to six").await;
    assert!(bot.log().contains("hung/docs does not answer"), "{}", bot.log());
    bot.signal("TERM");
    assert!(bot.ended().await.success(), "{}", bot.log());
    drop(mount);
}
