//! `katana-bot knowledge eval`: how often the search finds what it should.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

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
    let file = visible(&wish.file.to_string_lossy());
    let unreadable = |what: String| Stop::new(exit::UNREADABLE, what, hint);
    let text = text_of(&wish.file).map_err(|e| unreadable(format!("cannot read {file}: {e}")))?;
    let cases = cases(&text).map_err(|e| unreadable(format!("cannot use {file}: {e}")))?;
    let questions: Vec<&str> = cases.iter().map(|case| case.question.as_str()).collect();
    let opened = open(loaded, wish.generation, &questions).await?;
    let scores = evaluate(&opened.searcher, &cases, wish.generation).await?;
    let total = Score::total(&scores);
    if wish.json {
        let total = as_json(&total);
        let scores: Vec<Value> = scores.iter().map(as_json).collect();
        let generation = opened.meaning.as_ref().map(|meaning| meaning.generation().0);
        say_json(&json!({"scores": scores, "total": total, "generation": generation,
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

fn text_of(path: &Path) -> io::Result<String> {
    let mut text = Vec::new();
    File::open(path)?.take(FILE_BYTES + 1).read_to_end(&mut text)?;
    if text.len() as u64 > FILE_BYTES {
        let most = FILE_BYTES / (1024 * 1024);
        return Err(io::Error::other(format!("it has more than {most} MB; split it")));
    }
    String::from_utf8(text).map_err(|_| io::Error::other("it is not valid UTF-8"))
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

/// A row a kind, and one for all of them where there are several.
fn table(scores: &[Score]) -> String {
    let mut table =
        "questions                 n   hit@1  hit@3  hit@5 hit@10    MRR  none found\n".to_owned();
    let total = (scores.len() > 1).then(|| Score::total(scores));
    let named = scores.iter().map(|score| match score.language.as_str() {
        "" if scores.len() > 1 => ("others".to_owned(), score),
        "" => ("all".to_owned(), score),
        name => (visible(name), score),
    });
    for (name, score) in named.chain(total.iter().map(|total| ("all".to_owned(), total))) {
        let figure = |figure: f64| match score.questions {
            0 => "–".to_owned(),
            _ => format!("{figure:.3}"),
        };
        let [one, three, five, ten] = [1, 3, 5, 10].map(|k| figure(score.recall(k)));
        let nothing = match score.unanswerable {
            0 => String::new(),
            n => format!("{} of {n}", score.nothing_found),
        };
        let row = format!(
            "{name:<20} {:>6}  {one:>6} {three:>6} {five:>6} {ten:>6} {:>6}  {nothing}",
            score.questions,
            figure(score.mrr)
        );
        table.push_str(&format!("{}\n", row.trim_end()));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_is_what_all_kinds_come_to() {
        let score = |language: &str, questions, hit_1, mrr| Score {
            language: language.to_owned(),
            questions,
            hit_1,
            mrr,
            unanswerable: 1,
            ..Score::default()
        };
        let scores = [score("de", 3, 3, 1.0), score("", 1, 0, 0.2), score("stray", 0, 0, 0.0)];
        let rows = table(&scores);
        let rows: Vec<Vec<&str>> =
            rows.lines().map(|row| row.split_whitespace().collect()).collect();
        assert_eq!(rows[1][..3], ["de", "3", "1.000"]);
        assert_eq!(rows[2][..3], ["others", "1", "0.000"]);
        assert_eq!(rows[3][..3], ["stray", "0", "–"]);
        assert_eq!(
            rows[4],
            ["all", "4", "0.750", "0.000", "0.000", "0.000", "0.800", "0", "of", "3"]
        );
        assert_eq!(table(&scores[1..2]).lines().count(), 2, "one kind is all");
    }
}
