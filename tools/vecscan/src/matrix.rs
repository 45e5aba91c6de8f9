//! Codes in memory, and the exact scan over them.
//!
//! Invariants: each number has one row at most; rows lie in blocks, so that growing copies nothing.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap};

use pulp::Arch;

use crate::code::{self, Code};
#[cfg(target_arch = "x86_64")]
use crate::kernel::Avx2;
use crate::kernel::{Dot, Plain};

/// Rows of a block.
const ROWS: usize = 1024;

/// Codes by their numbers, each with a tag by which a search can be narrowed.
#[derive(Debug)]
pub struct Matrix {
    dimensions: usize,
    blocks: Vec<Block>,
    places: HashMap<i64, u32>,
    arch: Arch,
}

#[derive(Debug, Default)]
struct Block {
    codes: Vec<i8>,
    scales: Vec<f32>,
    ids: Vec<i64>,
    tags: Vec<u32>,
}

/// A row that was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Near {
    /// Its number.
    pub id: i64,
    /// The cosine, up to rounding.
    pub score: f32,
}

impl Matrix {
    /// An empty matrix for vectors of so many dimensions.
    pub fn new(dimensions: usize) -> Self {
        Self { dimensions, blocks: Vec::new(), places: HashMap::new(), arch: Arch::new() }
    }

    /// Dimensions of each row.
    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Bytes that the rows take.
    pub fn bytes(&self) -> usize {
        let row = self.dimensions + size_of::<f32>() + size_of::<i64>() + size_of::<u32>();
        // A place is a pair of number and row and a byte of control, and a table is at most 7/8 full.
        self.blocks.len() * ROWS * row + self.places.capacity() * 8 / 7 * 17
    }

    /// Puts a row, in the place of one with the same number. `false`: it has other dimensions.
    pub fn put(&mut self, id: i64, tag: u32, scale: f32, code: &[i8]) -> bool {
        if code.len() != self.dimensions {
            return false;
        }
        if let Some(place) = self.places.get(&id) {
            let (block, row) = split(*place);
            let block = &mut self.blocks[block];
            block.codes[row * self.dimensions..][..self.dimensions].copy_from_slice(code);
            (block.scales[row], block.tags[row]) = (scale, tag);
            return true;
        }
        let place = self.places.len();
        if place == self.blocks.len() * ROWS {
            self.blocks.push(Block::with_room(self.dimensions));
        }
        let block = &mut self.blocks[place / ROWS];
        block.codes.extend_from_slice(code);
        block.scales.push(scale);
        block.ids.push(id);
        block.tags.push(tag);
        self.places.insert(id, place as u32);
        true
    }

    /// Puts the code of a vector.
    pub fn put_vector(&mut self, id: i64, tag: u32, vector: &[f32]) -> bool {
        let code = Code::of(vector);
        self.put(id, tag, code.scale, &code.bytes)
    }

    /// Removes a row; the last one takes its place.
    pub fn remove(&mut self, id: i64) -> bool {
        let Some(place) = self.places.remove(&id) else { return false };
        let last = self.places.len() as u32;
        let (of, row) = split(last);
        let d = self.dimensions;
        let block = &mut self.blocks[of];
        let code = block.codes.split_off(row * d);
        let (scale, moved, tag) = (block.scales.pop(), block.ids.pop(), block.tags.pop());
        if let (true, Some(scale), Some(moved), Some(tag)) = (place != last, scale, moved, tag) {
            let (of, row) = split(place);
            let block = &mut self.blocks[of];
            block.codes[row * d..][..d].copy_from_slice(&code);
            (block.scales[row], block.ids[row], block.tags[row]) = (scale, moved, tag);
            self.places.insert(moved, place);
        }
        if self.blocks.last().is_some_and(|block| block.ids.is_empty()) {
            self.blocks.pop();
        }
        true
    }

    /// The numbers after one, in order, at most `limit`.
    pub fn ids_after(&self, after: i64, limit: usize) -> Vec<i64> {
        // Of very many, only the smallest are sorted.
        let mut ids: Vec<i64> = self.places.keys().copied().filter(|id| *id > after).collect();
        if ids.len() > limit && limit > 0 {
            ids.select_nth_unstable(limit - 1);
        }
        ids.truncate(limit);
        ids.sort_unstable();
        ids
    }

    /// The nearest rows, best first, at most `limit`; of these tags only, if there are any. Nothing when the question
    /// has other dimensions.
    pub fn nearest(&self, question: &[f32], limit: usize, tags: Option<&[u32]>) -> Vec<Near> {
        if question.len() != self.dimensions || limit == 0 {
            return Vec::new();
        }
        let (scale, steps) = code::question(question);
        let mut best =
            Best { limit, heap: BinaryHeap::with_capacity(limit + 1), worst: f32::NEG_INFINITY };
        for block in &self.blocks {
            match self.arch {
                #[cfg(target_arch = "x86_64")]
                Arch::V3(v3) => v3.vectorize(
                    #[inline(always)]
                    || block.scan(Avx2(v3), &steps, scale, tags, &mut best),
                ),
                arch => arch.dispatch(
                    #[inline(always)]
                    || block.scan(Plain, &steps, scale, tags, &mut best),
                ),
            }
        }
        let mut found: Vec<Near> = best.heap.into_iter().map(|entry| entry.0).collect();
        found.sort_by(|one, other| other.score.total_cmp(&one.score).then(one.id.cmp(&other.id)));
        found
    }
}

fn split(place: u32) -> (usize, usize) {
    (place as usize / ROWS, place as usize % ROWS)
}

impl Block {
    fn with_room(dimensions: usize) -> Self {
        Self {
            codes: Vec::with_capacity(ROWS * dimensions),
            scales: Vec::with_capacity(ROWS),
            ids: Vec::with_capacity(ROWS),
            tags: Vec::with_capacity(ROWS),
        }
    }

    #[inline(always)]
    fn scan(
        &self,
        way: impl Dot,
        steps: &[i16],
        scale: f32,
        tags: Option<&[u32]>,
        best: &mut Best,
    ) {
        for (row, code) in self.codes.chunks_exact(steps.len()).enumerate() {
            if tags.is_some_and(|tags| !tags.contains(&self.tags[row])) {
                continue;
            }
            let score = way.dot(code, steps) as f32 * self.scales[row] * scale;
            if score > best.worst || best.heap.len() < best.limit {
                best.take(Near { id: self.ids[row], score });
            }
        }
    }
}

/// The best rows so far.
struct Best {
    limit: usize,
    heap: BinaryHeap<Worst>,
    /// The worst score that is kept.
    worst: f32,
}

impl Best {
    #[inline(never)]
    fn take(&mut self, near: Near) {
        self.heap.push(Worst(near));
        if self.heap.len() > self.limit {
            self.heap.pop();
        }
        if self.heap.len() == self.limit {
            self.worst = self.heap.peek().map_or(f32::NEG_INFINITY, |worst| worst.0.score);
        }
    }
}

/// The worst is the first of the heap.
struct Worst(Near);

impl Ord for Worst {
    fn cmp(&self, other: &Self) -> Ordering {
        other.0.score.total_cmp(&self.0.score).then(self.0.id.cmp(&other.0.id))
    }
}

impl PartialOrd for Worst {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Worst {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Worst {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cosine;

    fn vector(random: &mut fastrand::Rng, dimensions: usize) -> Vec<f32> {
        (0..dimensions).map(|_| random.f32() + random.f32() + random.f32() - 1.5).collect()
    }

    fn filled(
        random: &mut fastrand::Rng,
        count: i64,
        dimensions: usize,
    ) -> (Matrix, Vec<Vec<f32>>) {
        let mut matrix = Matrix::new(dimensions);
        let vectors: Vec<_> = (0..count).map(|_| vector(random, dimensions)).collect();
        for (id, vector) in vectors.iter().enumerate() {
            assert!(matrix.put_vector(id as i64, id as u32 % 3, vector));
        }
        (matrix, vectors)
    }

    #[test]
    fn the_scan_finds_what_the_cosines_say() {
        let mut random = fastrand::Rng::with_seed(16);
        for dimensions in [1, 7, 64, 384, 1000] {
            let (matrix, vectors) = filled(&mut random, 3000, dimensions);
            let question = vector(&mut random, dimensions);
            let mut exact: Vec<f32> = vectors.iter().map(|one| cosine(one, &question)).collect();
            let found = matrix.nearest(&question, 10, None);
            assert_eq!(found.len(), 10);
            for near in &found {
                assert!(
                    (near.score - exact[near.id as usize]).abs() < 0.01,
                    "{dimensions}: {near:?}"
                );
            }
            exact.sort_by(|one, other| other.total_cmp(one));
            assert!(found[0].score > exact[0] - 0.01 && found[9].score > exact[9] - 0.01);
            assert!(found.is_sorted_by(|one, next| one.score >= next.score));
        }
    }

    #[test]
    fn a_search_is_narrowed_by_tags() {
        let mut random = fastrand::Rng::with_seed(5);
        let (matrix, vectors) = filled(&mut random, 3000, 32);
        let found = matrix.nearest(&vectors[4], 2000, Some(&[1]));
        assert_eq!(found.len(), 1000);
        assert_eq!(found[0].id, 4);
        assert!(found.iter().all(|near| near.id % 3 == 1));
        assert!(matrix.nearest(&vectors[4], 5, Some(&[])).is_empty());
    }

    #[test]
    fn rows_come_and_go_and_each_number_has_one() {
        let mut random = fastrand::Rng::with_seed(7);
        let (mut matrix, mut vectors) = filled(&mut random, 2500, 16);
        for id in (0..2500).step_by(2) {
            assert!(matrix.remove(id) && !matrix.remove(id));
        }
        vectors[11] = vector(&mut random, 16);
        assert!(matrix.put_vector(11, 2, &vectors[11]));
        assert_eq!(matrix.len(), 1250);
        for id in (1..2500).step_by(2) {
            let near = matrix.nearest(&vectors[id], 1, None)[0];
            assert_eq!((near.id, near.score > 0.99), (id as i64, true));
        }
        for id in 0..2500 {
            matrix.remove(id);
        }
        assert!(
            matrix.is_empty()
                && matrix.nearest(&vectors[0], 5, None).is_empty()
                && matrix.blocks.is_empty()
        );
    }

    #[test]
    fn other_dimensions_and_zero_vectors_find_nothing_wrong() {
        let mut matrix = Matrix::new(3);
        assert!(!matrix.put_vector(1, 0, &[1.0, 2.0]));
        assert!(matrix.put_vector(1, 0, &[0.0; 3]) && matrix.put_vector(2, 0, &[1.0, 0.0, 0.0]));
        assert!(matrix.nearest(&[1.0], 5, None).is_empty());
        let found = matrix.nearest(&[1.0, 0.0, 0.0], 5, None);
        assert_eq!(found.iter().map(|near| near.id).collect::<Vec<_>>(), [2, 1]);
        assert_eq!(matrix.nearest(&[0.0; 3], 1, None)[0].score, 0.0);
    }

    #[test]
    fn the_largest_sums_fit() {
        let dimensions = code::DIMENSIONS;
        let mut matrix = Matrix::new(dimensions);
        matrix.put_vector(1, 0, &vec![1.0; dimensions]);
        let score = matrix.nearest(&vec![1.0; dimensions], 1, None)[0].score;
        assert!((score - 1.0).abs() < 1e-3, "{score}");
    }
}
