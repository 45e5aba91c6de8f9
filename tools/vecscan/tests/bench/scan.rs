//! The scan over codes against a plain one over all numbers, in one run: `cargo bench -p vecscan`.
//!
//! Vectors have 384 dimensions and lie around centres, as those of texts do. Up to 1,000,000 need 2 GB of memory;
//! `cargo bench -p vecscan -- 100000` stops earlier.

#![allow(clippy::print_stdout, reason = "that is what a benchmark is for")]

use std::time::{Duration, Instant};

use vecscan::{Matrix, cosine, plain};

const DIMENSIONS: usize = 384;
const CENTRES: usize = 500;
const QUESTIONS: usize = 25;
const FOUND: usize = 10;
/// As many are measured again by their exact numbers.
const AGAIN: usize = 50;

fn main() {
    let largest: usize =
        std::env::args().filter_map(|word| word.parse().ok()).next().unwrap_or(1_000_000);
    println!("{DIMENSIONS} dimensions, {QUESTIONS} questions, the nearest {FOUND}; medians\n");
    println!(
        "| vectors | all numbers | codes, then {AGAIN} again | of the nearest {FOUND} found | bytes a vector |"
    );
    println!("|---|---|---|---|---|");
    for count in [10_000, 100_000, 1_000_000].into_iter().filter(|count| *count <= largest) {
        measure(count);
    }
}

fn measure(count: usize) {
    let mut random = fastrand::Rng::with_seed(16);
    let centres: Vec<Vec<f32>> = (0..CENTRES).map(|_| noise(&mut random, 1.0)).collect();
    let mut all: Vec<f32> = Vec::with_capacity(count * DIMENSIONS);
    let mut matrix = Matrix::new(DIMENSIONS);
    for id in 0..count {
        let vector = near(&centres, &mut random);
        matrix.put_vector(id as i64, 0, &vector);
        all.extend(vector);
    }
    let (mut scanned, mut coded, mut found) = (Vec::new(), Vec::new(), 0);
    for _ in 0..QUESTIONS {
        let question = near(&centres, &mut random);
        let begun = Instant::now();
        let wanted = plain::nearest(&all, &question, FOUND);
        scanned.push(begun.elapsed());
        let begun = Instant::now();
        let codes = matrix.nearest(&question, AGAIN, None);
        let row = |id: i64| &all[id as usize * DIMENSIONS..][..DIMENSIONS];
        let mut exact: Vec<(i64, f32)> =
            codes.iter().map(|near| (near.id, cosine(row(near.id), &question))).collect();
        exact.sort_by(|one, other| other.1.total_cmp(&one.1));
        coded.push(begun.elapsed());
        found += exact
            .iter()
            .take(FOUND)
            .filter(|(id, _)| wanted.iter().any(|(_, at)| *at as i64 == *id))
            .count();
    }
    let share = found as f64 / (QUESTIONS * FOUND) as f64;
    let bytes = matrix.bytes() / count;
    println!("| {count} | {} | {} | {share:.3} | {bytes} |", median(scanned), median(coded));
}

fn noise(random: &mut fastrand::Rng, size: f32) -> Vec<f32> {
    (0..DIMENSIONS).map(|_| (random.f32() + random.f32() + random.f32() - 1.5) * size).collect()
}

fn near(centres: &[Vec<f32>], random: &mut fastrand::Rng) -> Vec<f32> {
    let centre = &centres[random.usize(..centres.len())];
    let mut vector: Vec<f32> = centre.iter().zip(noise(random, 0.8)).map(|(a, b)| a + b).collect();
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    vector.iter_mut().for_each(|x| *x /= length);
    vector
}

fn median(mut all: Vec<Duration>) -> String {
    all.sort();
    format!("{:.2} ms", all[all.len() / 2].as_secs_f64() * 1e3)
}
