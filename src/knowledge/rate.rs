//! How fast texts get their vectors, lately.

use std::collections::VecDeque;
use std::time::Instant;

/// The last requests, as many as these, say how fast it goes.
const REQUESTS: usize = 20;

/// When requests ended, and how many texts they had.
#[derive(Debug, Default)]
pub(super) struct Rate(VecDeque<(Instant, usize)>);

impl Rate {
    /// A request for so many texts has ended.
    pub(super) fn note(&mut self, texts: usize) {
        self.0.push_back((Instant::now(), texts));
        if self.0.len() > REQUESTS {
            self.0.pop_front();
        }
    }

    /// Texts in a second.
    pub(super) fn per_s(&self) -> f64 {
        let (Some((first, _)), Some((last, _))) = (self.0.front(), self.0.back()) else {
            return 0.0;
        };
        let texts: usize = self.0.iter().skip(1).map(|(_, texts)| texts).sum();
        let took = last.duration_since(*first).as_secs_f64();
        if took > 0.0 { texts as f64 / took } else { 0.0 }
    }
}
