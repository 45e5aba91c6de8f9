//! `katana-bot knowledge eval`: how often the search finds what it should.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use serde_json::{Value, json};

use super::open::open;
use crate::cli::exit;
use crate::cli::stop::Stop;
use crate::cli::style::{say, say_json, visible};
use crate::config::Loaded;
use crate::knowledge::eval::{Score, cases, evaluate};

/// Longest file of questions.
const FILE_BYTES: u64 = 64 * 1024 * 1024;

#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct EvalArgs {
    /// Questions with the places where their answers are, one JSON object a line
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Vectors of this generation instead of those in use
    #[arg(long, value_name = "N")]
    generation: Option<i64>,
    /// Machine-readable output
    #[arg(long)]
    json: bool,
}

pub(super) async fn eval(loaded: &Loaded, wish: &EvalArgs) -> anyhow::Result<ExitCode> {
    let hint = "each line is an object such as {\"question\": \"…\", \"expect\": [{\"source\": \"install.md\"}]}";
    let size = std::fs::metadata(&wish.file).map(|it| it.len());
    let size = size.with_context(|| format!("cannot read {}", wish.file.display()))?;
    if size > FILE_BYTES {
        return Err(Stop::new(exit::USAGE, "the file of questions is too large", hint).into());
    }
    let text = std::fs::read_to_string(&wish.file);
    let text = text.with_context(|| format!("cannot read {}", wish.file.display()))?;
    let cases = cases(&text).map_err(|e| Stop::new(exit::USAGE, e.to_string(), hint))?;
    let opened = open(loaded, wish.generation).await?;
    let scores = evaluate(&opened.searcher, &cases, wish.generation).await?;
    if wish.json {
        let scores: Vec<Value> = scores.iter().map(as_json).collect();
        let generation = opened.meaning.as_ref().map(|meaning| meaning.generation().0);
        say_json(&json!({"scores": scores, "generation": generation,
            "words_alone_because": opened.words_alone}));
    } else {
        say(&table(&scores));
        if let Some(why) = &opened.words_alone {
            say(&format!("\nSearched by words alone: {}\n", visible(why)));
        }
    }
    opened.close().await;
    Ok(ExitCode::SUCCESS)
}

fn as_json(score: &Score) -> Value {
    json!({
        "language": score.language,
        "questions": score.questions,
        "hit_at_1": score.recall(1),
        "hit_at_3": score.recall(3),
        "hit_at_5": score.recall(5),
        "hit_at_10": score.recall(10),
        "hits": [score.hit_1, score.hit_3, score.hit_5, score.hit_10],
        "mrr": score.mrr,
        "unanswerable": score.unanswerable,
        "nothing_found": score.nothing_found,
        "by_vectors": score.by_vectors,
    })
}

fn table(scores: &[Score]) -> String {
    let mut table =
        "questions                 n   hit@1  hit@3  hit@5 hit@10    MRR  none found\n".to_owned();
    for score in scores {
        let name = match score.language.as_str() {
            "" => "all".to_owned(),
            name => visible(name),
        };
        let [one, three, five, ten] = [1, 3, 5, 10].map(|k| score.recall(k));
        let nothing = match score.unanswerable {
            0 => String::new(),
            n => format!("{} of {n}", score.nothing_found),
        };
        table.push_str(&format!(
            "{name:<20} {:>6}  {one:>6.3} {three:>6.3} {five:>6.3} {ten:>6.3} {:>6.3}  {nothing}\n",
            score.questions, score.mrr
        ));
    }
    table
}
