//! Thoughts that a model writes into its text: `<think>…</think>` and its relatives.
//!
//! Invariants: what stands between such marks is never text of the answer; an answer that only
//! mentions a mark, in code or in a sentence, keeps it. A mark counts where models put it: at the
//! beginning of the text or of a line, outside code, and the closing one also right behind the last
//! thought. A closing mark alone means that everything before it was thought, because the server's
//! template ate the opening one: text that was handed on by then is withdrawn.

mod eaten;
mod place;

pub(super) use eaten::EatenMarks;
use eaten::begins_like_thoughts;

use place::Place;

use crate::model::conversation::Event;
use crate::model::limits;

/// Marks as models write them, in lower case, the opening one first.
const MARKS: [(&str, &str); 9] = [
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
    ("<seed:think>", "</seed:think>"),
    ("[think]", "[/think]"),
    ("◁think▷", "◁/think▷"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<|channel|>analysis<|message|>", "<|channel|>final<|message|>"),
];

/// Characters after a mark that decide whether it is one: ` is `, or the blank line behind it.
const LOOKAHEAD: usize = 12;

/// Text that is looked at together.
const PIECE_BYTES: usize = 1024;

/// Words after an opening mark that make it the subject of a sentence.
const MENTIONS: [&str; 12] = [
    "is", "are", "was", "tag", "tags", "block", "blocks", "token", "tokens", "means", "marks",
    "and",
];

/// Separates thoughts from the answer, piece by piece.
pub(super) struct Thoughts {
    mode: Mode,
    /// Read and not decided yet: a mark that may still grow, or what may be its beginning.
    pending: String,
    /// Where the answer's text stands.
    place: Place,
    /// Text of the answer since the last mark.
    said: String,
    /// A mark was seen.
    opened: bool,
    /// Blank lines between thoughts and the answer go with the thoughts.
    skips_blanks: bool,
    /// The text before a second closing mark, which is the answer if nothing follows.
    withdrawn: Option<String>,
    eaten: EatenMarks,
    /// The first words of a model that has not answered yet, until they show how the text begins.
    opening: Option<String>,
}

/// What the text is at this point.
#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Answer,
    /// Until this mark.
    Thought(&'static str),
    /// The server is known to eat the opening mark, so this is a thought if a closing one follows.
    Presumed,
}

/// A mark and where it begins.
struct Found {
    at: usize,
    mark: &'static str,
    /// The mark that closes it; `None` for one that closes.
    closed_by: Option<&'static str>,
}

impl Thoughts {
    pub(super) fn new(eaten: EatenMarks) -> Self {
        let mode = if eaten.are_expected() { Mode::Presumed } else { Mode::Answer };
        let opening = (mode == Mode::Answer && eaten.is_unknown()).then(String::new);
        Self {
            mode,
            pending: String::new(),
            place: Place::default(),
            said: String::new(),
            opened: false,
            skips_blanks: false,
            withdrawn: None,
            eaten,
            opening,
        }
    }

    /// The server sends thoughts apart from the text, so it eats no marks.
    pub(super) fn come_apart(&mut self, events: &mut Vec<Event>) {
        if let Some(opening) = self.opening.take() {
            self.push(&opening, events);
        }
        if self.mode == Mode::Presumed {
            self.mode = Mode::Answer;
            let held = std::mem::take(&mut self.said);
            self.answer(&held, events);
        }
    }

    /// More text.
    pub(super) fn push(&mut self, text: &str, events: &mut Vec<Event>) {
        let Some(mut opening) = self.opening.take() else { return self.take(text, events) };
        opening.push_str(text);
        match begins_like_thoughts(&opening) {
            None => self.opening = Some(opening),
            Some(is_thought) => {
                if is_thought {
                    self.mode = Mode::Presumed;
                }
                self.take(&opening, events);
            }
        }
    }

    fn take(&mut self, text: &str, events: &mut Vec<Event>) {
        // In small pieces, because each mark costs a look at all that is pending.
        let mut rest = text;
        while !rest.is_empty() {
            let (piece, more) = rest.split_at(rest.ceil_char_boundary(PIECE_BYTES));
            self.pending.push_str(piece);
            while self.step(false, events) {}
            rest = more;
        }
    }

    /// The text is complete.
    pub(super) fn finish(&mut self, events: &mut Vec<Event>) {
        if let Some(opening) = self.opening.take() {
            self.take(&opening, events);
        }
        while self.step(true, events) {}
        if self.mode == Mode::Presumed {
            self.mode = Mode::Answer;
            let held = std::mem::take(&mut self.said);
            self.answer(&held, events);
        }
        // A stray mark at the end of an answer.
        let nothing = self.said.trim().is_empty();
        if let Some(text) = self.withdrawn.take().filter(|_| nothing) {
            self.answer(text.trim_end(), events);
        }
        if !self.opened && self.mode == Mode::Answer {
            self.eaten.note(false);
        }
    }

    /// Decides what can be decided about the beginning of `pending`; whether anything was.
    fn step(&mut self, is_end: bool, events: &mut Vec<Event>) -> bool {
        if self.pending.is_empty() {
            return false;
        }
        let lower = self.pending.to_ascii_lowercase();
        let Some(found) = self.find(&lower) else {
            let keep = if is_end { 0 } else { begun(&lower) };
            let rest = self.pending.split_off(self.pending.len() - keep);
            let text = std::mem::replace(&mut self.pending, rest);
            self.hand_on(&text, events);
            return false;
        };
        let end = found.at + found.mark.len();
        let is_decided = is_end
            || matches!(self.mode, Mode::Thought(_))
            || self.pending[end..].chars().count() >= LOOKAHEAD;
        let rest = self.pending.split_off(found.at);
        let before = std::mem::replace(&mut self.pending, rest);
        self.hand_on(&before, events);
        if !is_decided {
            return false;
        }
        let after = self.pending.split_off(found.mark.len());
        let mark = std::mem::replace(&mut self.pending, after);
        self.pass(&found, &mark, events);
        true
    }

    fn find(&self, lower: &str) -> Option<Found> {
        let closing =
            |mark: &'static str| Some(Found { at: lower.find(mark)?, mark, closed_by: None });
        let all: Vec<Found> = match self.mode {
            Mode::Thought(mark) => closing(mark).into_iter().collect(),
            Mode::Answer | Mode::Presumed => MARKS
                .iter()
                .flat_map(|(open, close)| {
                    let at = lower.find(open);
                    let opening = at.map(|at| Found { at, mark: open, closed_by: Some(close) });
                    [opening, closing(close)]
                })
                .flatten()
                .collect(),
        };
        all.into_iter().min_by_key(|found| found.at)
    }

    /// Takes a mark as what it is; `pending` begins behind it.
    fn pass(&mut self, found: &Found, mark: &str, events: &mut Vec<Event>) {
        match (self.mode, found.closed_by) {
            (Mode::Thought(_), _) => self.mode = Mode::Answer,
            (_, Some(close)) if self.place.opens() && !is_mentioned(&self.pending) => {
                self.opened = true;
                if self.mode == Mode::Presumed {
                    self.said.clear();
                } else if !self.said.is_empty() && self.said.trim().is_empty() {
                    self.said.clear();
                    events.push(Event::Withdrawn);
                }
                self.mode = Mode::Thought(close);
            }
            (_, None) if self.place.closes(&self.pending, self.mode == Mode::Presumed) => {
                self.close(mark, events);
            }
            _ => return self.hand_on(mark, events),
        }
        self.skips_blanks = true;
        if self.said.trim().is_empty() {
            self.place = Place::default();
        }
    }

    /// A closing mark without an opening one: everything so far was thought.
    fn close(&mut self, mark: &str, events: &mut Vec<Event>) {
        let said = std::mem::take(&mut self.said);
        let is_named = self.place.is_in_a_sentence();
        self.place = Place::default();
        if self.mode == Mode::Answer && !said.trim().is_empty() {
            events.push(Event::Withdrawn);
        }
        match (self.opened, said.trim().is_empty()) {
            (true, false) => self.withdrawn = Some(said),
            (true, true) => {}
            // If nothing follows, it was the answer, and named the mark.
            (false, false) if is_named && self.mode == Mode::Answer => {
                self.withdrawn = Some(said + mark);
            }
            (false, _) => self.eaten.note(true),
        }
        (self.mode, self.opened) = (Mode::Answer, true);
    }

    fn hand_on(&mut self, text: &str, events: &mut Vec<Event>) {
        if text.is_empty() {
            return;
        }
        match self.mode {
            Mode::Thought(_) => events.push(Event::Reasoning(text.to_owned())),
            Mode::Presumed => {
                self.place.pass(text);
                if self.said.len() < limits::ANSWER_BYTES {
                    self.said.push_str(text);
                }
                events.push(Event::Reasoning(text.to_owned()));
            }
            Mode::Answer => self.answer(text, events),
        }
    }

    fn answer(&mut self, text: &str, events: &mut Vec<Event>) {
        let text = if self.skips_blanks { text.trim_start() } else { text };
        if !text.is_empty() {
            self.skips_blanks = false;
            self.place.pass(text);
            self.said.push_str(text);
            events.push(Event::Text(text.to_owned()));
        }
    }
}

/// Whether a sentence about the mark goes on behind it.
fn is_mentioned(after: &str) -> bool {
    let Some(rest) = after.strip_prefix(' ') else { return false };
    let word: String = rest.chars().take_while(char::is_ascii_alphabetic).collect();
    MENTIONS.contains(&word.as_str())
}

/// Bytes at the end that may be the beginning of a mark.
fn begun(lower: &str) -> usize {
    let longest = MARKS.iter().flat_map(|(open, close)| [open.len(), close.len()]).max();
    let first = lower.len().saturating_sub(longest.unwrap_or(0));
    let marks = || MARKS.iter().flat_map(|(open, close)| [open, close]);
    let starts = (first..lower.len()).filter(|at| lower.is_char_boundary(*at));
    let mut begun = starts.filter(|at| marks().any(|mark| mark.starts_with(&lower[*at..])));
    begun.next().map_or(0, |at| lower.len() - at)
}

#[cfg(test)]
#[path = "../../tests/unit/provider/thoughts.rs"]
mod tests;
