//! Documents of any form: what of them goes to the model has bounds.

use katana::model::text::tokens;

use crate::harness::Stage;

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
