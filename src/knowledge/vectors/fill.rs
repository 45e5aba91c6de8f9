//! Brings a copy of a generation's vectors in line with the index.
//!
//! Invariant: it compares numbers, so it can be stopped anywhere and begun again.

use super::{Item, Numbers, VectorError, VectorIndex};
use crate::store::{GenerationId, Index, PassageId, StoredCode};

/// Vectors that are read at once.
const PAGE: usize = 2000;

/// Where more than one in so many is missing, reading all of them in their order is faster than looking for each.
const SCAN: usize = 16;

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
    let wanted = index.with_vector(generation).await?;
    let there = numbers(copy).await?;
    let lacks = |all: &[PassageId], one: &PassageId| all.binary_search(one).is_err();
    let missing: Vec<PassageId> = wanted.iter().copied().filter(|one| lacks(&there, one)).collect();
    let gone: Vec<PassageId> = there.into_iter().filter(|one| lacks(&wanted, one)).collect();
    let filled = Filled { put: missing.len(), removed: gone.len() };
    if missing.len() > wanted.len() / SCAN {
        let mut after = None;
        while let Some((last, mut codes)) = index.codes_after(generation, after, PAGE).await? {
            codes.retain(|code| missing.binary_search(&code.passage).is_ok());
            put(index, generation, copy, codes).await?;
            after = Some(last);
        }
    } else {
        for page in missing.chunks(PAGE) {
            let codes = index.codes_of(generation, page.to_vec()).await?;
            put(index, generation, copy, codes).await?;
        }
    }
    // Another process may have put them a moment ago.
    if !gone.is_empty() && index.is_keeper() {
        copy.remove(gone).await?;
    }
    Ok(filled)
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

/// All numbers of a copy, in order.
async fn numbers(copy: &dyn VectorIndex) -> Result<Vec<PassageId>, VectorError> {
    let mut all = Vec::new();
    loop {
        let after = all.last().copied().unwrap_or(PassageId(0));
        let page = copy.numbers(after, PAGE).await?;
        let is_end = page.len() < PAGE;
        all.extend(page);
        if is_end {
            all.sort();
            return Ok(all);
        }
    }
}
