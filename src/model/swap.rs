//! A value that may be replaced while others read it: settings that change at run time.
//!
//! Invariant: the lock is held only to copy or to replace the pointer, so a reader keeps one
//! consistent value for as long as it wants, and nobody waits for anybody's work.

use std::sync::{Arc, PoisonError, RwLock};

/// Holds the value in effect.
#[derive(Debug, Default)]
pub struct Swap<T>(RwLock<Arc<T>>);

impl<T> Swap<T> {
    /// Begins with this value.
    pub fn new(value: T) -> Self {
        Self(RwLock::new(Arc::new(value)))
    }

    /// The value in effect now.
    pub fn get(&self) -> Arc<T> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts another value into effect. Whoever holds the old one keeps it.
    pub fn set(&self, value: T) {
        let value = Arc::new(value);
        let old = {
            let mut now = self.0.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *now, value)
        };
        // Outside of the lock: the last owner of an old value may have much to give back.
        drop(old);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_keeps_what_it_got() {
        let swap = Swap::new(1);
        let old = swap.get();
        swap.set(2);
        assert_eq!((*old, *swap.get()), (1, 2));
    }
}
