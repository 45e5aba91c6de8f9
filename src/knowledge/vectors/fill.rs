//! Brings a copy of a generation's vectors in line with the index.
//!
//! Invariant: it compares numbers, so it can be stopped anywhere and begun again.

use super::{Item, Numbers, VectorError, VectorIndex};
use crate::store::{GenerationId, Index, PassageId, StoredCode};

/// Passages that are compared at once.
const PAGE: usize = 2000;

/// What it took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Filled {
    /// Vectors that were missing.
    pub put: usize,
    /// Vectors of passages that are gone.
    pub removed: usize,
}

/// Puts what a copy lacks of a generation, and removes what it has too much.
///
/// # Errors
/// When the index cannot be read, or the copy cannot be written. What was done stays.
pub async fn fill(
    index: &Index,
    generation: GenerationId,
    copy: &dyn VectorIndex,
) -> Result<Filled, VectorError> {
    let mut filled = Filled::default();
    let is_empty = copy.count().await? == 0;
    let mut after = PassageId(0);
    loop {
        let codes = index.vectors(generation, after, PAGE).await?;
        // Beyond the last page, all that is left is too much.
        let last = if codes.len() < PAGE { None } else { codes.last().map(|code| code.passage) };
        let mut there = if is_empty { Vec::new() } else { numbers(copy, after, last).await? };
        there.sort();
        let has = |passage: PassageId| there.binary_search(&passage).is_ok();
        let wanted: Vec<PassageId> = codes.iter().map(|code| code.passage).collect();
        let gone: Vec<PassageId> =
            there.iter().copied().filter(|one| wanted.binary_search(one).is_err()).collect();
        let missing: Vec<StoredCode> =
            codes.into_iter().filter(|code| !has(code.passage)).collect();
        filled.put += missing.len();
        filled.removed += gone.len();
        put(index, generation, copy, missing).await?;
        // Another process may have put them a moment ago.
        if !gone.is_empty() && index.is_keeper() {
            copy.remove(gone).await?;
        }
        let Some(last) = last else { return Ok(filled) };
        after = last;
    }
}

/// Puts vectors that the index has into a copy.
///
/// # Errors
/// When the index cannot be read, or the copy cannot be written.
pub async fn put(
    index: &Index,
    generation: GenerationId,
    copy: &dyn VectorIndex,
    codes: Vec<StoredCode>,
) -> Result<(), VectorError> {
    if codes.is_empty() {
        return Ok(());
    }
    let items = if copy.wants_exact() {
        let passages: Vec<PassageId> = codes.iter().map(|code| code.passage).collect();
        let exact = index.exact(generation, &passages).await?;
        let mut sources: std::collections::HashMap<PassageId, String> =
            codes.into_iter().map(|code| (code.passage, code.source)).collect();
        let item = |(passage, vector): (PassageId, Vec<f32>)| {
            let source = sources.remove(&passage)?;
            Some(Item { passage, source, vector: Numbers::Exact(vector) })
        };
        exact.into_iter().filter_map(item).collect()
    } else {
        let item = |StoredCode { passage, source, scale, code }| Item {
            passage,
            source,
            vector: Numbers::Code { scale, code },
        };
        codes.into_iter().map(item).collect()
    };
    copy.put(items).await
}

/// All numbers of a copy after one, up to another.
async fn numbers(
    copy: &dyn VectorIndex,
    mut after: PassageId,
    last: Option<PassageId>,
) -> Result<Vec<PassageId>, VectorError> {
    let mut all = Vec::new();
    loop {
        let page = copy.numbers(after, PAGE).await?;
        let is_end = page.len() < PAGE;
        let within = |one: &PassageId| last.is_none_or(|last| *one <= last);
        let before = all.len();
        all.extend(page.iter().copied().filter(within));
        let is_beyond = all.len() - before < page.len();
        match page.last() {
            Some(newest) if !is_end && !is_beyond => after = *newest,
            _ => return Ok(all),
        }
    }
}
