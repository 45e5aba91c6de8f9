//! A scan over all numbers of all vectors: what benchmarks and tests compare the scan over codes with.

/// The nearest vectors of length 1, one after the other in `all`, to a question of length 1: at most `limit` with their
/// cosines, best first.
pub fn nearest(all: &[f32], question: &[f32], limit: usize) -> Vec<(f32, usize)> {
    let mut best: Vec<(f32, usize)> = Vec::with_capacity(limit + 1);
    for (at, row) in all.chunks_exact(question.len().max(1)).enumerate() {
        let score = dot(row, question);
        if best.len() < limit || best.last().is_some_and(|(last, _)| score > *last) {
            let place = best.partition_point(|(other, _)| *other >= score);
            best.insert(place, (score, at));
            best.truncate(limit);
        }
    }
    best
}

fn dot(one: &[f32], other: &[f32]) -> f32 {
    // Eight sums, so that a compiler sees lanes.
    let mut sums = [0.0_f32; 8];
    let (ones, others) = (one.chunks_exact(8), other.chunks_exact(8));
    let rest: f32 = ones.remainder().iter().zip(others.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in ones.zip(others) {
        sums.iter_mut().zip(a.iter().zip(b)).for_each(|(sum, (a, b))| *sum += a * b);
    }
    sums.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_are_first() {
        let all = [1.0, 0.0, 0.0, 1.0, 0.6, 0.8];
        let found = nearest(&all, &[0.0, 1.0], 2);
        assert_eq!(found.iter().map(|(_, at)| *at).collect::<Vec<_>>(), [1, 2]);
        assert!(nearest(&[], &[1.0], 3).is_empty() && nearest(&all, &[1.0, 0.0], 0).is_empty());
    }
}
