//! Vectors in memory, one byte a dimension, each looked at in each search.
//!
//! Invariant: a search reads one state of it; it does not run on the runtime's threads, because it takes milliseconds.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use futures_util::FutureExt;
use vecscan::Matrix;

use super::{Call, Item, Neighbours, Numbers, VectorError, VectorIndex};
use crate::blocking;
use crate::store::PassageId;

/// Below so many numbers a search takes less time than another thread does.
const SMALL: usize = 2_000_000;

/// The vectors of one generation in memory.
#[derive(Debug)]
pub struct Embedded(Arc<RwLock<Rows>>);

#[derive(Debug)]
struct Rows {
    matrix: Matrix,
    /// Sources by their names, each with the tag of its rows.
    sources: HashMap<String, u32>,
}

impl Embedded {
    /// None yet; `dimensions` may be 0, then the first vector says how many there are.
    pub fn new(dimensions: usize) -> Self {
        let (matrix, sources) = (Matrix::new(dimensions), HashMap::new());
        Self(Arc::new(RwLock::new(Rows { matrix, sources })))
    }

    fn written<T>(&self, work: impl FnOnce(&mut Rows) -> T) -> T {
        work(&mut self.0.write().unwrap_or_else(PoisonError::into_inner))
    }

    fn read<T>(&self, work: impl FnOnce(&Rows) -> T) -> T {
        work(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Rows {
    fn put(&mut self, item: &Item) -> Result<(), VectorError> {
        let got = match &item.vector {
            Numbers::Exact(numbers) => numbers.len(),
            Numbers::Code { code, .. } => code.len(),
        };
        if self.matrix.is_empty() && self.matrix.dimensions() == 0 {
            self.matrix = Matrix::new(got);
        }
        let next = self.sources.len() as u32;
        let tag = match self.sources.get(&item.source) {
            Some(tag) => *tag,
            None => *self.sources.entry(item.source.clone()).or_insert(next),
        };
        let is_put = match &item.vector {
            Numbers::Exact(numbers) => self.matrix.put_vector(item.passage.0, tag, numbers),
            Numbers::Code { scale, code } => self.matrix.put(item.passage.0, tag, *scale, code),
        };
        let wanted = self.matrix.dimensions();
        if is_put { Ok(()) } else { Err(VectorError::Dimensions { got, wanted }) }
    }

    fn nearest(&self, vector: &[f32], limit: usize, sources: Option<&[String]>) -> Neighbours {
        let tags: Option<Vec<u32>> = sources
            .map(|names| names.iter().filter_map(|name| self.sources.get(name).copied()).collect());
        let found = self.matrix.nearest(vector, limit, tags.as_deref());
        found.into_iter().map(|near| (PassageId(near.id), near.score)).collect()
    }
}

impl VectorIndex for Embedded {
    fn name(&self) -> &'static str {
        "embedded"
    }

    fn wants_exact(&self) -> bool {
        false
    }

    fn put(&self, items: Vec<Item>) -> Call<'_, ()> {
        let put = self.written(|rows| items.iter().try_for_each(|item| rows.put(item)));
        std::future::ready(put).boxed()
    }

    fn remove(&self, passages: Vec<PassageId>) -> Call<'_, ()> {
        self.written(|rows| passages.iter().for_each(|passage| _ = rows.matrix.remove(passage.0)));
        std::future::ready(Ok(())).boxed()
    }

    fn search(
        &self,
        vector: &[f32],
        limit: usize,
        sources: Option<&[String]>,
    ) -> Call<'_, Neighbours> {
        let (got, wanted, numbers) = self.read(|rows| {
            (vector.len(), rows.matrix.dimensions(), rows.matrix.len() * vector.len())
        });
        if wanted != 0 && got != wanted {
            return std::future::ready(Err(VectorError::Dimensions { got, wanted })).boxed();
        }
        if numbers < SMALL {
            return std::future::ready(Ok(self.read(|rows| rows.nearest(vector, limit, sources))))
                .boxed();
        }
        let (rows, vector, sources) =
            (Arc::clone(&self.0), vector.to_vec(), sources.map(<[String]>::to_vec));
        let search = blocking::run(move || {
            let rows = rows.read().unwrap_or_else(PoisonError::into_inner);
            rows.nearest(&vector, limit, sources.as_deref())
        });
        search.map(|found| found.ok_or(VectorError::Ended)).boxed()
    }

    fn numbers(&self, after: PassageId, limit: usize) -> Call<'_, Vec<PassageId>> {
        let numbers = self.read(|rows| rows.matrix.ids_after(after.0, limit));
        std::future::ready(Ok(numbers.into_iter().map(PassageId).collect())).boxed()
    }

    fn count(&self) -> Call<'_, u64> {
        std::future::ready(Ok(self.read(|rows| rows.matrix.len() as u64))).boxed()
    }

    fn drop_generation(&self) -> Call<'_, ()> {
        self.written(|rows| rows.matrix = Matrix::new(rows.matrix.dimensions()));
        std::future::ready(Ok(())).boxed()
    }

    fn bytes(&self) -> usize {
        self.read(|rows| rows.matrix.bytes())
    }
}
