//! Where vectors are searched: in memory, or in Qdrant.
//!
//! Invariants: what is here is a copy: the index has all of it, and what is missing or too much is found by comparing
//! numbers ([`fill()`]). One copy belongs to one generation. A search may answer a passage that is gone.

mod embedded;
mod fill;
mod qdrant;

use std::fmt;

use futures_util::future::BoxFuture;

pub use self::embedded::Embedded;
pub use self::fill::{Filled, fill, put};
pub use self::qdrant::Qdrant;
use crate::provider::ProviderError;
use crate::store::{PassageId, StoreError};

/// A vector to be searched.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// Whose.
    pub passage: PassageId,
    /// The name of its source.
    pub source: String,
    /// Its numbers.
    pub vector: Numbers,
}

/// A vector's numbers.
#[derive(Clone, Debug, PartialEq)]
pub enum Numbers {
    /// All of them.
    Exact(Vec<f32>),
    /// One byte a dimension.
    Code {
        /// What a step stands for.
        scale: f32,
        /// A step for each dimension.
        code: Vec<i8>,
    },
}

/// Why vectors cannot be searched.
#[derive(Debug, thiserror::Error)]
pub enum VectorError {
    /// The server failed.
    #[error("Qdrant failed: {0}")]
    Server(#[from] ProviderError),
    /// There is something else under the collection's name.
    #[error(
        "the collection {collection} in Qdrant {problem}; delete it, or set qdrant.collection to another name"
    )]
    Collection {
        /// Its name.
        collection: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A vector of another length.
    #[error("a vector has {got} dimensions, and its generation has {wanted}")]
    Dimensions {
        /// What was given.
        got: usize,
        /// What is there.
        wanted: usize,
    },
    /// The program ends.
    #[error("the program ends")]
    Ended,
    /// The index cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl VectorError {
    /// Whether it is the server that failed, which may pass.
    pub fn is_servers(&self) -> bool {
        matches!(self, Self::Server(_))
    }
}

/// What comes back of a call.
pub type Call<'a, T> = BoxFuture<'a, Result<T, VectorError>>;

/// Passages and how near they are, best first: the cosine.
pub type Neighbours = Vec<(PassageId, f32)>;

/// The vectors of one generation, searchable.
pub trait VectorIndex: fmt::Debug + Send + Sync + 'static {
    /// Its name, for logs and metrics.
    fn name(&self) -> &'static str;
    /// Whether it needs all numbers of a vector; otherwise a byte a dimension is enough.
    fn wants_exact(&self) -> bool;
    /// Puts vectors, in the place of those of the same passages.
    fn put(&self, items: Vec<Item>) -> Call<'_, ()>;
    /// Removes the vectors of passages; those without one do not matter.
    fn remove(&self, passages: Vec<PassageId>) -> Call<'_, ()>;
    /// The nearest ones, at most `limit`; of these sources only, if there are any.
    fn search(
        &self,
        vector: &[f32],
        limit: usize,
        sources: Option<&[String]>,
    ) -> Call<'_, Neighbours>;
    /// The numbers after `after` that have a vector, in order, at most `limit`.
    fn numbers(&self, after: PassageId, limit: usize) -> Call<'_, Vec<PassageId>>;
    /// How many there are.
    fn count(&self) -> Call<'_, u64>;
    /// Drops all of it.
    fn drop_generation(&self) -> Call<'_, ()>;
    /// Bytes of memory that it takes here.
    fn bytes(&self) -> usize {
        0
    }
}

#[cfg(test)]
#[path = "../../../tests/unit/vectors/mod.rs"]
mod tests;
