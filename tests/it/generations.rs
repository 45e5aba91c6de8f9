//! Vectors of the running bot: another model takes over when its vectors are complete, and a killed process loses none.

use std::collections::HashMap;
use std::time::Duration;

use katana::app::reload::Reloaded;
use katana::store::{GenerationState, Index};

use crate::embeddings_server::EmbeddingsServer;
use crate::harness::{Stage, eventually, eventually_in};
use crate::indexing::{content, page, quoting};
use crate::process::{self, Daemon};

/// Not one word of it is in the documents.
const MEANT: &str = "Wie bekomme ich eine Erstattung?";

/// Names another model of another server, and has it read.
async fn change(stage: &mut Stage, url: &str, model: &str) {
    stage.set("KATANA_EMBEDDINGS_BASE_URL", url).set("KATANA_EMBEDDINGS_MODEL", model);
    let reloaded = stage.app().reload(&stage.sources()).await;
    assert!(matches!(reloaded, Reloaded::Applied { .. }), "{reloaded:?}");
}

/// Whether this question, which no one asked before, is embedded by this server and answered.
async fn is_asked(stage: &Stage, server: &EmbeddingsServer) -> bool {
    let question = format!("{MEANT} {}", fastrand::u32(..));
    let answer = stage.ask(5, &question).await;
    answer.contains("thirty days") && server.texts().iter().any(|text| text.contains(&question))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_old_vectors_answer_until_those_of_the_new_model_are_complete() {
    let mut servers = Vec::new();
    for _ in 0..3 {
        servers.push(EmbeddingsServer::start().await);
    }
    let mut stage = Stage::new().await;
    let dir = quoting(&mut stage);
    std::fs::write(dir.join("a.md"), "# Refunds\n\nYou get your money within thirty days.\n")
        .expect("written");
    stage.set("KATANA_EMBEDDINGS_BASE_URL", &servers[0].url);
    stage.set("KATANA_EMBEDDINGS_MODEL", "one").start().await;
    assert!(eventually_in(|| is_asked(&stage, &servers[0])).await, "the first model");
    for (at, model) in [(1, "two"), (2, "three")] {
        servers[at].set_down(true);
        change(&mut stage, &servers[at].url, model).await;
        assert!(eventually(|| servers[at].requests() > 0).await, "it is asked for vectors");
        assert!(is_asked(&stage, &servers[at - 1]).await, "the old one still answers");
        servers[at].set_down(false);
        let took_over = eventually_in(|| is_asked(&stage, &servers[at])).await;
        let state = stage.app().pipeline().base.vitals.index.load_full();
        assert!(took_over, "{model} does not take over: {state:?}");
    }
    let index = Index::visit(&stage.dir.path().join("index.db")).expect("an index");
    let all = index.generations().await.expect("generations");
    let (old, active) = (GenerationState::Old, GenerationState::Active);
    let states: Vec<_> = all.iter().map(|one| (one.id.0, one.state)).collect();
    assert_eq!(states, [(2, old), (3, active)], "the first one is pruned");
    // The running bot goes back at once when someone says so.
    let out = process::run(&stage, &["knowledge", "use", "2"]).await;
    assert_eq!(out.code, Some(0), "{out:?}");
    assert!(eventually_in(|| is_asked(&stage, &servers[1])).await, "the second one again");
    // And without a server, words are all there is, and nothing waits for a vector.
    change(&mut stage, "", "").await;
    assert!(eventually_in(async || !is_asked(&stage, &servers[1]).await).await);
    let state = stage.app().pipeline().base.vitals.index.load_full();
    assert_eq!((state.active.as_ref(), state.oldest_change_ms()), (None, None));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_it_indexes_and_embeds_nothing_is_lost_or_embedded_again() {
    const BATCH: usize = 4;
    let server = EmbeddingsServer::start().await;
    let mut stage = Stage::new().await;
    let dir = quoting(&mut stage);
    stage.set("KATANA_EMBEDDINGS_BASE_URL", &server.url).set("KATANA_EMBEDDINGS_MODEL", "m");
    stage.set("KATANA_EMBEDDINGS_BATCH", &BATCH.to_string());
    let (mut kills, mut at_work) = (0, 0);
    for round in 0..8 {
        let bot = Daemon::start(&stage);
        let before = server.requests();
        for file in 0..40 {
            if (file + round) % 3 == 0 {
                let words = format!("Room {file} of the museum in the year {round}.");
                page(&dir, &format!("room-{file}.md"), &words);
            }
        }
        tokio::time::sleep(Duration::from_millis(fastrand::u64(50..900))).await;
        // Dropped, it is killed.
        drop(bot);
        kills += 1;
        at_work += usize::from(server.requests() > before);
    }
    assert!(at_work > 0, "no process was killed while it embedded");
    let mut bot = Daemon::start(&stage);
    let is_complete = async || {
        let out = process::run(&stage, &["knowledge", "status", "--json"]).await;
        let said: serde_json::Value = serde_json::from_str(&out.stdout).unwrap_or_default();
        let active = &said["generations"][0];
        said["total"]["documents"] == 40 && active["embedded"] == 40 && active["state"] == "active"
    };
    assert!(eventually_in(is_complete).await, "{}", bot.log());
    bot.signal("TERM");
    assert!(bot.ended().await.success(), "{}", bot.log());

    let mut asked: HashMap<String, usize> = HashMap::new();
    for text in server.texts().into_iter().filter(|text| text.contains("of the museum")) {
        *asked.entry(text).or_default() += 1;
    }
    let again: usize = asked.values().map(|times| times - 1).sum();
    assert!(again <= kills * BATCH, "{again} texts were embedded again after {kills} kills");
    let grown = content(&stage.dir.path().join("index.db")).await;
    let fresh = stage.dir.path().join("fresh.db");
    stage.set("KATANA_KNOWLEDGE_INDEX_PATH", &fresh.display().to_string());
    let out = process::run(&stage, &["knowledge", "sync"]).await;
    assert_eq!(out.code, Some(0), "{out:?}");
    assert_eq!((grown.len(), &grown), (40, &content(&fresh).await));
}
