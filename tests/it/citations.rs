//! Answers cite documents, and what they cite is true.

use botapi_sim::ModelFault;

use crate::harness::Stage;

const TOWER: &str = "# Lighthouse\n\n## Keeper\n\nThe lighthouse keeper paints the tower every spring.\n\n\
                     ## Lamp\n\nThe lamp of the lighthouse burns whale oil and is lit at dusk.\n";
const HARBOUR: &str =
    "# Harbour\n\n## Crane\n\nThe crane beside the lighthouse was sold in 1931.\n";

async fn stage(changes: &[(&str, &str)]) -> Stage {
    let mut stage = Stage::new().await;
    let dir = stage.dir.path().join("knowledge");
    std::fs::create_dir(&dir).expect("a folder");
    std::fs::write(dir.join("lighthouse.md"), TOWER).expect("a page");
    std::fs::write(dir.join("harbour.md"), HARBOUR).expect("a page");
    stage.openai().set("KATANA_KNOWLEDGE_DIR", &dir.display().to_string());
    for (key, value) in changes {
        stage.set(key, value);
    }
    stage.start().await;
    stage
}

/// The number under which a request has a document that says this.
fn number_of(request: &str, words: &str) -> String {
    let at = request.find(words).unwrap_or_else(|| panic!("no {words:?} in {request}"));
    let number = request[..at].rsplit("<document number=\"").next().expect("a document");
    number.split('"').next().expect("a number").to_owned()
}

/// Asks once to see which numbers the documents have, then has the model cite them.
async fn cited(stage: &Stage, question: &str, claims: &[(&str, &str)], rest: &str) -> String {
    stage.sim.model().push("Let me see.");
    stage.ask(5, question).await;
    let request = stage.sim.model().requests().pop().expect("a request").last_user_text();
    let mark =
        |(claim, words): &(&str, &str)| format!("{claim} [{}]. ", number_of(&request, words));
    let text: String = claims.iter().map(mark).collect();
    stage.sim.model().push(format!("{text}{rest}").as_str());
    stage.ask(5, "/new").await;
    stage.ask(5, question).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_cited_is_checked_numbered_and_named_in_a_folded_quotation() {
    let stage = stage(&[]).await;
    let answer = cited(
        &stage,
        "What about the lighthouse, its tower and the crane?",
        &[
            ("The crane was sold in 1931", "sold in 1931"),
            ("The keeper paints the tower every spring", "every spring"),
            ("The keeper has seven children", "every spring"),
        ],
        "It is tall [9].",
    )
    .await;
    let (text, sources) = answer.split_once("\n\n").expect("sources");
    assert_eq!(
        text,
        "The crane was sold in 1931 [1]. The keeper paints the tower every spring [2]. The keeper has seven \
         children. It is tall."
    );
    let lines: Vec<&str> = sources.lines().collect();
    assert_eq!(lines.len(), 3, "{sources}");
    assert!(lines[1].starts_with("[1] harbour.md › ") && lines[1].ends_with("Crane"), "{sources}");
    assert!(lines[2].starts_with("[2] lighthouse.md › "), "{sources}");
    let message = stage.sim.bot_messages(5).pop().expect("an answer");
    let quote = message.entities.iter().find(|e| e["type"] == "expandable_blockquote");
    let quote = quote.expect("a folded quotation");
    assert_eq!(quote["length"].as_u64(), Some(botapi_sim::utf16_len(sources) as u64));
    assert_eq!(stage.counter("citation", "kept"), 2);
    assert_eq!(stage.counter("citation", "removed"), 2);
    assert_eq!(stage.counter("answer_sources", "cited"), 1);

    let shown = stage.ask(5, "/sources").await;
    let crane = shown.find("The crane beside the lighthouse was sold in 1931.").expect("a passage");
    assert!(
        shown.starts_with("My last answer cites:") && shown[..crane].contains("[1] harbour.md"),
        "{shown}"
    );
    let quotes = stage.sim.bot_messages(5).pop().expect("an answer").entities;
    assert!(quotes.iter().any(|entity| entity["type"] == "blockquote"), "{quotes:?}");
    stage.ask(5, "/forget yes").await;
    assert!(stage.ask(5, "/sources").await.contains("not answered"), "they are forgotten, too");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_goes_on_goes_on_with_its_numbers() {
    let stage = stage(&[]).await;
    stage.sim.model().push("Let me see.");
    let question = "What about the lighthouse, its tower and the crane?";
    stage.ask(5, question).await;
    let request = stage.sim.model().requests().pop().expect("a request").last_user_text();
    let (crane, tower) = (number_of(&request, "sold in 1931"), number_of(&request, "every spring"));
    stage.ask(5, "/new").await;
    stage.sim.model().fault_next(ModelFault::FinishReason("length".into()));
    stage
        .sim
        .model()
        .push(format!("The crane was sold in 1931 [{crane}]. The keeper paints").as_str());
    let first = stage.ask(5, question).await;
    assert!(first.contains("sold in 1931 [1].") && first.contains("harbour.md"), "{first}");
    let message = stage.sim.bot_messages(5).pop().expect("an answer");
    let data =
        message.reply_markup.expect("a button")["inline_keyboard"][0][0]["callback_data"].clone();
    stage.sim.model().push(format!(" the tower every spring [{tower}].").as_str());
    let sent = stage.sim.bot_messages(5).len();
    stage.sim.press(5, message.message_id, 5, data.as_str().expect("data"));
    let second = stage.texts(5, sent + 1).await.pop().expect("more");
    assert!(second.starts_with("the tower every spring [2]."), "{second}");
    assert!(
        second.contains("[2] lighthouse.md") || second.contains("Source: [2] lighthouse.md"),
        "{second}"
    );
    stage.idle().await;
    let shown = stage.ask(5, "/sources").await;
    assert!(shown.contains("[1] harbour.md") && shown.contains("[2] lighthouse.md"), "{shown}");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_in_the_documents_is_said() {
    let stage = stage(&[]).await;
    stage.sim.model().push("That is not in the documents.");
    stage.ask(5, "zebra?").await;
    let asked = stage.sim.model().requests().pop().expect("a request").last_user_text();
    assert!(
        asked.starts_with("The documents were searched") && asked.ends_with("zebra?"),
        "{asked}"
    );
    let shown = stage.ask(5, "/sources").await;
    assert!(shown.contains("No document went into my last answer"), "{shown}");
    stage.end().await;

    let stage = self::stage(&[("KATANA_KNOWLEDGE_ONLY", "true")]).await;
    let answer = stage.ask(5, "zebra?").await;
    assert!(answer.starts_with("I found nothing about that in my documents"), "{answer}");
    assert_eq!(stage.sim.model().requests().len(), 0, "no model is asked");
    stage.sim.model().push("Every spring.");
    stage.ask(5, "When is the tower painted?").await;
    let asked = stage.sim.model().requests().pop().expect("a request").last_user_text();
    assert!(asked.contains("from these documents alone"), "{asked}");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_model_quotations_are_numbered_and_named_the_same_way() {
    let mut stage = Stage::new().await;
    let dir = stage.dir.path().join("knowledge");
    std::fs::create_dir(&dir).expect("a folder");
    std::fs::write(dir.join("lighthouse.md"), TOWER).expect("a page");
    stage.set("KATANA_ANSWER_PROVIDER", "offline");
    stage.set("KATANA_KNOWLEDGE_DIR", &dir.display().to_string()).start().await;
    let answer = stage.ask(5, "When is the lamp lit?").await;
    assert!(
        answer.starts_with("From the documents:\n\nThe lamp of the lighthouse burns"),
        "{answer}"
    );
    let last = answer.lines().last().expect("a line");
    assert!(last.contains("lighthouse.md › ") && last.ends_with("Lamp"), "{answer}");
    let shown = stage.ask(5, "/sources").await;
    assert!(shown.starts_with("My last answer cites:") && shown.contains("whale oil"), "{shown}");
    stage.end().await;
}
