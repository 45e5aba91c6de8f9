//! Vectors of questions that were asked before: people ask the same things, and a question that is thought about
//! again is embedded again.
//!
//! Invariant: memory only, and never more entries than configured; the one that was used longest ago goes first.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

/// What is kept.
#[derive(Debug)]
pub(super) struct QueryCache {
    most: usize,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    vectors: HashMap<Arc<str>, (Arc<[f32]>, u64)>,
    /// When each was used, by a number that only grows.
    used: BTreeMap<u64, Arc<str>>,
    next: u64,
}

impl QueryCache {
    pub(super) fn new(most: usize) -> Self {
        Self { most, kept: Mutex::default() }
    }

    pub(super) fn get(&self, text: &str) -> Option<Arc<[f32]>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let Kept { vectors, used, next } = &mut *kept;
        let (vector, at) = vectors.get_mut(text)?;
        if let Some(text) = used.remove(at) {
            *at = *next;
            *next += 1;
            used.insert(*at, text);
        }
        Some(Arc::clone(vector))
    }

    pub(super) fn put(&self, text: &str, vector: Arc<[f32]>) {
        if self.most == 0 {
            return;
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let Kept { vectors, used, next } = &mut *kept;
        let text: Arc<str> = text.into();
        if let Some((_, at)) = vectors.insert(Arc::clone(&text), (vector, *next)) {
            used.remove(&at);
        }
        used.insert(*next, text);
        *next += 1;
        while vectors.len() > self.most
            && let Some((_, oldest)) = used.pop_first()
        {
            vectors.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_that_was_used_longest_ago_goes_first() {
        let cache = QueryCache::new(2);
        let vector = |n: f32| -> Arc<[f32]> { Arc::from([n]) };
        cache.put("a", vector(1.0));
        cache.put("b", vector(2.0));
        assert_eq!(cache.get("a"), Some(vector(1.0)));
        cache.put("c", vector(3.0));
        assert_eq!(
            [cache.get("a"), cache.get("b"), cache.get("c")],
            [Some(vector(1.0)), None, Some(vector(3.0))]
        );
        for n in 0..100 {
            cache.put("a", vector(n as f32));
        }
        let kept = cache.kept.lock().unwrap();
        assert_eq!((kept.vectors.len(), kept.used.len()), (2, 2));
    }

    #[test]
    fn without_room_nothing_is_kept() {
        let cache = QueryCache::new(0);
        cache.put("a", Arc::from([1.0]));
        assert_eq!(cache.get("a"), None);
    }
}
