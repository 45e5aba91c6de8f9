//! Tables and code on their way into passages: each part has the header or the fence again.

use super::size::{PASSAGE_TOKENS, quarters_of, within};

/// What a group is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind<'t> {
    /// Code, of which a group gets a fence.
    Code,
    /// A table, of which a group gets this header.
    Table(&'t str),
}

impl<'t> Kind<'t> {
    /// A table with its header: the first two lines.
    pub(super) fn table(table: &'t str) -> Self {
        let mut ends = table.match_indices('\n').map(|(at, _)| at + 1);
        let end = ends.nth(1).unwrap_or(table.len());
        Self::Table(&table[..end])
    }
}

/// Room for two fences and the newlines, in quarters of a token.
const FENCES: usize = 16;

/// Parts that become one table or one block of code.
#[derive(Debug)]
pub(super) struct Group<'t> {
    kind: Kind<'t>,
    /// Quarters of a token that each group needs besides its parts.
    frame: usize,
    text: String,
    quarters: usize,
    /// Whether the header of a table is in its first part.
    is_first: bool,
    /// A header that is longer than half a passage is not repeated.
    repeats: bool,
}

impl<'t> Group<'t> {
    pub(super) fn new(kind: Kind<'t>) -> Self {
        let frame = match kind {
            Kind::Code => FENCES,
            Kind::Table(header) => quarters_of(header) + 2,
        };
        let repeats = frame <= PASSAGE_TOKENS * 2;
        Self { kind, frame, text: String::new(), quarters: 0, is_first: true, repeats }
    }

    /// What of this room is left for parts; a header that takes all of it leaves some nevertheless.
    pub(super) fn room(&self, room: usize) -> usize {
        room.saturating_sub(self.frame()).saturating_sub(self.quarters + 2)
    }

    pub(super) fn fits(&self, part: &str, room: usize) -> bool {
        within(part, self.room(room)).is_some()
    }

    pub(super) fn add(&mut self, part: &str) {
        if !self.text.is_empty() {
            self.text.push_str("\n\n");
            self.quarters += 2;
        }
        self.text.push_str(part);
        self.quarters += quarters_of(part);
    }

    pub(super) fn add_line(&mut self, line: &str) {
        if !self.text.is_empty() && !self.text.ends_with('\n') {
            self.text.push('\n');
            self.quarters += 1;
        }
        self.text.push_str(line);
        self.quarters += quarters_of(line);
    }

    /// A part line by line, without the header of a table.
    pub(super) fn lines<'p>(&mut self, part: &'p str) -> impl Iterator<Item = &'p str> + use<'p> {
        let skipped = match self.kind {
            Kind::Code => 0,
            Kind::Table(header) => {
                if self.repeats {
                    header.len()
                } else {
                    0
                }
            }
        };
        self.is_first = false;
        part[skipped.min(part.len())..].split_inclusive('\n')
    }

    /// The group as Markdown, if there is something in it; the next one is empty.
    pub(super) fn take(&mut self) -> Option<String> {
        let text = std::mem::take(&mut self.text);
        self.quarters = 0;
        let text = text.trim_end().trim_start_matches('\n');
        if text.is_empty() {
            return None;
        }
        Some(match self.kind {
            Kind::Code => {
                let fence = extract::document::fence(text);
                let framed = format!("{fence}\n{text}\n{fence}");
                // A line of hundreds of backticks would need fences that are longer still: it stays as it is.
                if quarters_of(&framed) > quarters_of(text) + FENCES {
                    text.to_owned()
                } else {
                    framed
                }
            }
            Kind::Table(_) if self.is_first || !self.repeats => text.to_owned(),
            Kind::Table(header) => format!("{header}{text}"),
        })
    }

    fn frame(&self) -> usize {
        let is_within = self.is_first && matches!(self.kind, Kind::Table(_));
        if is_within || !self.repeats { 0 } else { self.frame }
    }
}
