//! How fast documents are searched, and how soon after a start: `cargo bench --bench documents`.
//!
//! Whole searches as a question has them, by words and by vectors, beside a plain scan over all numbers in the same
//! run; and the start of the real program over documents that did not change. Vectors come from a server on the
//! loopback that makes them up; a question's own vector is not in the figures, because that is the server's time.

#![allow(clippy::disallowed_methods, reason = "measures from outside")]
#![allow(clippy::print_stdout, reason = "the tables are what it is for")]

mod search;
mod start;
mod texts;
mod vectors;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};

/// Measures the search of documents.
#[derive(Debug, Parser)]
struct Args {
    /// Passages of the largest index: 10,000, 100,000 or 1,000,000; the last needs 10 GB of disk and half an hour.
    #[arg(long, default_value_t = 100_000)]
    most: usize,
    /// Documents of ten passages each that the program is started over.
    #[arg(long, default_value_t = 10_000)]
    documents: usize,
    /// Measure only this.
    #[arg(long, value_enum)]
    only: Option<Part>,
    /// Start this katana-bot instead of the one that was just built.
    #[arg(long, value_name = "PATH")]
    binary: Option<PathBuf>,
    /// Given by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

/// What can be measured alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    Search,
    Start,
}

fn main() -> ExitCode {
    let args = Args::parse();
    if !args.bench {
        // `cargo test --all-targets` starts benches, too.
        eprintln!("measured by `cargo bench` only");
        return ExitCode::SUCCESS;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime can be started");
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let wants = |part| args.only.is_none_or(|only| only == part);
    if wants(Part::Search) {
        println!(
            "| passages | plain scan | words | words and vectors | of 20, one takes longer than | vectors are ready after | memory a passage | index a passage |"
        );
        println!("|---|---|---|---|---|---|---|---|");
        for passages in [10_000, 100_000, 1_000_000].into_iter().filter(|one| *one <= args.most) {
            let found = runtime.block_on(search::measure(passages, &folder));
            println!(
                "| {passages} | {} | {} | {} | {} | {} | {} bytes | {} bytes |",
                ms(found.plain.p50),
                ms(found.words.p50),
                ms(found.both.p50),
                ms(found.both.p95),
                ms(found.opened),
                found.vector_bytes,
                found.index_bytes / found.passages as u64,
            );
        }
    }
    if wants(Part::Start) {
        let found =
            runtime.block_on(start::measure(args.documents, &folder, args.binary.as_deref()));
        println!("\n| start over documents that did not change | |\n|---|---|");
        println!("| documents | {} |", found.documents);
        println!("| passages with vectors | {} |", found.passages);
        println!("| read and embedded for the first time | {:.1} s |", found.first_s);
        println!("| to the first poll | {:.0} ms |", found.polls_ms);
        println!("| to a question that is searched by vectors | {:.0} ms |", found.by_vectors_ms);
        println!("| to the end of the look at all documents | {:.0} ms |", found.looked_ms);
        println!("| texts embedded again | {} |", found.embedded_again);
        println!("| memory | {:.1} MB |", found.memory_mb);
    }
    ExitCode::SUCCESS
}

fn ms(duration: Duration) -> String {
    format!("{:.2} ms", duration.as_secs_f64() * 1e3)
}
