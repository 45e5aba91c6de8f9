//! Where in a Markdown text a mark stands: only some places are those of a real one.

/// What was said before a mark, as far as it matters.
#[derive(Default)]
pub(super) struct Place {
    /// The current line so far.
    line: String,
    /// The fence of the code block that is open.
    fence: Option<String>,
    /// Anything visible was said.
    has_said: bool,
}

impl Place {
    /// Goes on behind this text.
    pub(super) fn pass(&mut self, text: &str) {
        for piece in text.split_inclusive('\n') {
            self.line.push_str(piece);
            if piece.ends_with('\n') {
                self.end_line();
            }
        }
        self.has_said |= !text.trim().is_empty();
    }

    fn end_line(&mut self) {
        let line = self.line.trim();
        let mark = line.chars().next().filter(|mark| matches!(mark, '`' | '~')).unwrap_or(' ');
        let fence: String = line.chars().take_while(|next| *next == mark).collect();
        match &self.fence {
            Some(open) if line.starts_with(open) && line.trim_matches(mark).is_empty() => {
                self.fence = None;
            }
            None if mark != ' ' && fence.len() >= 3 => self.fence = Some(fence),
            _ => {}
        }
        self.line.clear();
    }

    /// Whether thoughts can begin here: at the beginning of the text or of a line, outside code.
    pub(super) fn opens(&self) -> bool {
        !self.has_said || (self.line.trim().is_empty() && !self.is_code())
    }

    /// Whether thoughts can end here, with this behind the mark: on a line of its own, or right
    /// behind the last thought. `is_expected`: the server eats opening marks; then a fence that thoughts
    /// left open hides no mark on a line of its own.
    pub(super) fn closes(&self, after: &str, is_expected: bool) -> bool {
        if self.is_code() && !(is_expected && self.line.trim().is_empty()) {
            return false;
        }
        let ends_line = after.is_empty() || after.starts_with(['\n', '\r']);
        let ends_paragraph = after.trim().is_empty() || after.starts_with("\n\n");
        let is_alone = self.line.trim().is_empty();
        match self.line.chars().next_back() {
            _ if is_alone => ends_line || !after.starts_with([' ', ',', '.', '`', '\'', '"']),
            // Behind a blank within a sentence, the sentence is about the mark.
            Some(' ' | '\t') => ends_paragraph && (is_expected || self.has_ended_a_sentence()),
            Some(last) if "\"'`([{<«„“‘/|*_".contains(last) => false,
            _ => ends_line || after.starts_with(char::is_alphanumeric),
        }
    }

    /// Whether words and a blank are in front, as where a sentence names the mark.
    pub(super) fn is_in_a_sentence(&self) -> bool {
        !self.line.trim().is_empty() && self.line.ends_with([' ', '\t'])
    }

    fn has_ended_a_sentence(&self) -> bool {
        self.line.trim_end().ends_with(['.', '!', '?', '…', '。', '！', '？'])
    }

    fn is_code(&self) -> bool {
        self.fence.is_some() || self.line.matches('`').count() % 2 == 1
    }
}
