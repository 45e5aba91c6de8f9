//! Documents of any form: what of them goes to the model has bounds.

use std::sync::Arc;
use std::time::Duration;

use katana::app::reload::Reloaded;
use katana::model::text::tokens;
use katana::observe::documents::DocumentsState;

use crate::harness::{SOON, Stage};
use crate::mount::HungMount;

/// A text of about 180 kB without a heading, with one sentence that can be asked for.
fn manual() -> String {
    let line = "Turn the lever of the pump until it clicks, then wait for the green light.\n";
    format!("{}The zebra eats at seven.\n{}", line.repeat(1200), line.repeat(1200))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_text_without_headings_costs_no_more_than_its_best_passages() {
    for (name, text) in [
        ("manual.txt", manual()),
        ("one-line.txt", manual().replace('\n', " ")),
        ("no-spaces.txt", format!("{} zebra {}", "0123456789".repeat(9000), "abc".repeat(30_000))),
        (
            "chinese.txt",
            format!(
                "{}zebra 七点吃饭。{}",
                "请转动水泵的拉杆。".repeat(3000),
                "等待绿灯亮起".repeat(4000)
            ),
        ),
        ("heading.md", format!("# {}\n\nThe zebra eats at seven.\n", "word ".repeat(20_000))),
        (
            "headings.md",
            format!("{}## Zebra\nThe zebra eats at seven.\n", "## a\nb\n".repeat(5000)),
        ),
    ] {
        let mut stage = Stage::new().await;
        let dir = stage.dir.path().join("knowledge");
        std::fs::create_dir(&dir).expect("a folder");
        std::fs::write(dir.join(name), text).expect("a text");
        stage.openai().set("KATANA_KNOWLEDGE_DIR", &dir.display().to_string()).start().await;
        for question in ["hi", "When does the zebra eat?", "lever pump green light word"] {
            stage.sim.model().push("It is known.");
            let answer = stage.ask(5, question).await;
            assert!(answer.starts_with("It is known."), "{name}, {question:?}: {answer}");
            let asked = stage.sim.model().requests().pop().expect("a request");
            let read = asked.last_user_text();
            assert!(read.ends_with(question), "{name}: {read}");
            let sent = asked.params.to_string();
            let size = tokens(&sent);
            assert!(size < 2500, "{name}, {question:?}: {size} tokens");
            let found = sent.matches("zebra").count() > 1;
            assert!(found || !question.contains("zebra"), "{name}: {question}");
        }
        stage.end().await;
    }
}

/// A folder whose reading takes a while.
fn large(stage: &mut Stage) {
    let dir = stage.dir.path().join("knowledge");
    std::fs::create_dir(&dir).expect("a folder");
    for part in 0..20 {
        std::fs::write(dir.join(format!("manual-{part}.txt")), manual()).expect("a text");
    }
    stage.openai().set("KATANA_KNOWLEDGE_DIR", &dir.display().to_string());
}

fn state(stage: &Stage) -> DocumentsState {
    **stage.app().pipeline().base.vitals.documents.load()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bot_is_at_work_while_it_reads_its_documents_and_questions_wait_for_them() {
    let mut stage = Stage::new().await;
    large(&mut stage);
    stage.sim.model().push("At seven.");
    stage.start().await;
    stage.sim.say(5, "When does the zebra eat?");
    let answer = stage.ask(6, "/status").await;
    assert_eq!(state(&stage), DocumentsState::Reading, "the start waited for the documents");
    assert!(answer.contains("I am still reading my documents"), "{answer}");
    assert_eq!(stage.sim.model().requests().len(), 0, "a question did not wait");

    assert!(stage.texts(5, 1).await[0].starts_with("At seven."));
    let DocumentsState::Read { files: 20, passages: 1000.. } = state(&stage) else {
        panic!("{:?}", state(&stage));
    };
    let asked = stage.sim.model().requests().pop().expect("a request");
    assert!(asked.last_user_text().contains("The zebra eats at seven."));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_on_a_mount_that_hangs_holds_up_neither_the_start_nor_people() {
    let mut stage = Stage::new().await;
    let dir = stage.dir.path().join("knowledge");
    let Some(mount) = HungMount::new(&dir) else { return };
    stage.openai().set("KATANA_KNOWLEDGE_DIR", &dir.display().to_string());
    stage.set("KATANA_ANSWER_TIMEOUT_S", "5");
    let begun = std::time::Instant::now();
    stage.start().await;
    stage.sim.model().push("I do not know.");
    stage.sim.say(5, "When does the zebra eat?");
    let answer = stage.ask(6, "/status").await;
    assert!(begun.elapsed() < Duration::from_secs(5), "the start took {:?}", begun.elapsed());
    assert!(answer.contains("I am still reading my documents"), "{answer}");
    assert_eq!(stage.sim.model().requests().len(), 0, "a question did not wait");
    let settings = ["check-config", "--without-secrets"];
    let checked = crate::process::run(&stage, &settings).await;
    assert!(checked.stderr.contains("the folder does not answer"), "{checked:?}");
    // Not for ever.
    assert!(stage.texts(5, 1).await[0].starts_with("I do not know."));
    assert_eq!(state(&stage), DocumentsState::Unreadable);
    drop(mount);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_of_backups_that_hangs_does_not_hold_up_the_verdict() {
    let mut stage = Stage::new().await;
    let dir = stage.dir.path().join("backups");
    let Some(mount) = HungMount::new(&dir) else { return };
    stage.set("KATANA_BACKUP_DIR", &dir.display().to_string());
    stage.set("KATANA_WATCH_EVERY_S", "1");
    stage.start().await;
    let app = stage.app.as_ref().expect("the bot runs");
    let hub = app.report_hub().clone();
    let before = hub.report().sequence;
    tokio::time::timeout(Duration::from_secs(20), async {
        while hub.report().sequence < before + 4 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await
    .expect("verdicts are formed");
    drop(mount);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_does_not_wait_for_documents_that_no_one_asks_about() {
    let mut stage = Stage::new().await;
    large(&mut stage);
    stage.start().await;
    let app = stage.app.take().expect("the bot runs");
    let vitals = Arc::clone(&app.pipeline().base.vitals);
    assert!(app.stop(SOON).await, "the bot stops within its grace");
    assert_eq!(**vitals.documents.load(), DocumentsState::Reading, "the stop waited");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_cannot_be_read_is_a_finding_and_questions_are_answered_without_it() {
    let mut stage = Stage::new().await;
    let dir = stage.dir.path().join("knowledge");
    std::fs::create_dir(&dir).expect("a folder");
    // The kernel takes no path of more than 4,096 bytes.
    let deep =
        "n=$(printf '%0250d' 0); for _ in $(seq 20); do mkdir $n && cd -P $n || exit 1; done";
    let made = std::process::Command::new("sh").args(["-c", deep]).current_dir(&dir).status();
    assert!(made.expect("a shell").success());
    stage.openai().set("KATANA_KNOWLEDGE_DIR", &dir.display().to_string());
    stage.sim.model().push("I do not know.");
    stage.start().await;
    assert_eq!(stage.ask(5, "When does the zebra eat?").await, "I do not know.");
    assert_eq!(state(&stage), DocumentsState::Unreadable);
    let why = stage.app().report_hub().config_rejected().expect("a reason");
    assert!(why.contains("cannot read") && why.contains("File name too long"), "{why}");

    std::fs::remove_dir_all(&dir).expect("it can be removed");
    std::fs::create_dir(&dir).expect("a folder");
    std::fs::write(dir.join("manual.txt"), manual()).expect("a text");
    let reloaded = stage.app().reload(&stage.sources()).await;
    assert!(matches!(reloaded, Reloaded::Applied { .. }), "{reloaded:?}");
    assert!(matches!(state(&stage), DocumentsState::Read { files: 1, .. }));
    assert_eq!(stage.app().report_hub().config_rejected(), None);
    stage.end().await;
}
