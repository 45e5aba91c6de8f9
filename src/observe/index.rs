//! How the index of the documents stands: what is in it, what is being embedded, what is not in it yet.

/// What the indexer says about it, as a whole. The default is a bot without documents.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct IndexState {
    /// Documents in it, those that could not be read among them.
    pub files: u64,
    /// Passages that they were cut into.
    pub passages: u64,
    /// Documents that could not be read.
    pub unreadable: u64,
    /// Sources, and folders of them, that could not be read at the last look.
    pub folders_unreadable: u64,
    /// Whether documents wait, because the disk has hardly more room than the state needs.
    pub lacks_room: bool,
    /// Whether vectors wait for the same reason.
    pub lacks_room_for_vectors: bool,
    /// Since when the oldest change of a document waits to be read, in milliseconds since the start.
    pub unread_since_ms: Option<u64>,
    /// Since when a passage waits for its vector, in milliseconds since the start.
    pub unembedded_since_ms: Option<u64>,
    /// When the documents were last compared with it, Unix milliseconds.
    pub synced_at_ms: Option<i64>,
    /// The vectors that questions are compared with.
    pub active: Option<Progress>,
    /// The vectors that will take their place.
    pub building: Option<Progress>,
}

/// How far the vectors of one model are.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Progress {
    /// The number of the generation, which `knowledge use` takes.
    pub generation: i64,
    /// The model.
    pub model: String,
    /// Passages that have a vector.
    pub embedded: u64,
    /// Passages that will have one.
    pub of: u64,
    /// How many get one in a second, lately; 0 while none does.
    pub per_s: f64,
}

impl IndexState {
    /// Whether it does not grow, because the disk has hardly more room than the state needs.
    pub fn is_short(&self) -> bool {
        self.lacks_room || self.lacks_room_for_vectors
    }

    /// Since when the oldest change waits that questions do not find as they should, in milliseconds since the start.
    pub fn oldest_change_ms(&self) -> Option<u64> {
        [self.unread_since_ms, self.unembedded_since_ms].into_iter().flatten().min()
    }

    /// What is being embedded now: the new vectors, else the old ones if some are missing.
    pub fn under_way(&self) -> Option<&Progress> {
        self.building.as_ref().or_else(|| self.active.as_ref().filter(|p| p.left() > 0))
    }
}

impl Progress {
    /// Passages without a vector.
    pub fn left(&self) -> u64 {
        self.of.saturating_sub(self.embedded)
    }

    /// How long the rest takes at this pace, in seconds, where there is one.
    pub fn eta_s(&self) -> Option<u64> {
        // A cast saturates.
        (self.per_s > 0.0 && self.left() > 0)
            .then(|| (self.left() as f64 / self.per_s).ceil() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_takes_as_long_as_the_pace_says() {
        let of = |embedded, per_s| Progress { embedded, of: 100, per_s, ..Progress::default() };
        assert_eq!(of(40, 2.0).eta_s(), Some(30));
        assert_eq!([of(40, 0.0).eta_s(), of(100, 2.0).eta_s()], [None, None]);
        let mut index = IndexState { active: Some(of(100, 0.0)), ..IndexState::default() };
        assert_eq!(index.under_way(), None);
        index.building = Some(of(40, 2.0));
        assert_eq!(index.under_way().map(Progress::left), Some(60));
        assert_eq!(index.oldest_change_ms(), None);
        index.unembedded_since_ms = Some(9);
        assert_eq!(index.oldest_change_ms(), Some(9));
        index.unread_since_ms = Some(5);
        assert_eq!(index.oldest_change_ms(), Some(5));
    }
}
