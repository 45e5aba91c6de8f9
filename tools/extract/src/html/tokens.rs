//! The tokens of a web page.
//!
//! Invariant: a tag has a bound on its attributes, because the tokenizer needs stack for each; one with more
//! ends there, and what follows is text.

use std::cell::Cell;
use std::convert::Infallible;
use std::rc::Rc;

use html5gum::{
    DefaultEmitter, Emitter, ForwardingEmitter, Readable, Reader, StringReader, Token, Tokenizer,
};

/// Attributes that a tag may have.
const ATTRIBUTES: usize = 100;

/// Whether a tag has too many attributes.
#[derive(Clone, Copy)]
enum Over {
    No,
    /// The next character ends it.
    Ends,
    /// It should have ended; if it has not, the page does.
    Ended,
}

/// The tokens of a page.
pub(super) fn tokens(text: &str) -> Tokenizer<Ending<'_>, Counting> {
    let is_over = Rc::new(Cell::new(Over::No));
    let emitter =
        Counting { inner: DefaultEmitter::default(), count: 0, is_over: Rc::clone(&is_over) };
    Tokenizer::new_with_emitter(Ending { inner: text.to_reader(), is_over }, emitter)
}

/// Counts the attributes of a tag.
pub(super) struct Counting {
    inner: DefaultEmitter,
    count: usize,
    is_over: Rc<Cell<Over>>,
}

impl ForwardingEmitter for Counting {
    type Token = Token;

    fn inner(&mut self) -> &mut impl Emitter<Token = Token> {
        &mut self.inner
    }

    fn should_emit_errors(&mut self) -> bool {
        false
    }

    fn init_attribute(&mut self) {
        self.count += 1;
        if self.count > ATTRIBUTES {
            self.is_over.set(Over::Ends);
        }
        Emitter::init_attribute(&mut self.inner);
    }

    fn pop_token(&mut self) -> Option<Token> {
        let token = Emitter::pop_token(&mut self.inner);
        if token.is_some() {
            self.count = 0;
            self.is_over.set(Over::No);
        }
        token
    }
}

/// Ends a tag that has too many attributes.
pub(super) struct Ending<'t> {
    inner: StringReader<'t>,
    is_over: Rc<Cell<Over>>,
}

impl Ending<'_> {
    fn ended(&self) -> Option<&'static [u8]> {
        self.is_over.set(Over::Ended);
        Some(b">")
    }
}

impl Reader for Ending<'_> {
    type Error = Infallible;

    fn read_byte(&mut self) -> Result<Option<u8>, Infallible> {
        match self.is_over.get() {
            Over::No => self.inner.read_byte(),
            Over::Ends => Ok(self.ended().map(|end| end[0])),
            Over::Ended => Ok(None),
        }
    }

    fn try_read_string(&mut self, text: &[u8], case_sensitive: bool) -> Result<bool, Infallible> {
        self.inner.try_read_string(text, case_sensitive)
    }

    fn read_until<'b>(
        &'b mut self,
        needle: &[u8],
        buffer: &'b mut [u8; 4],
    ) -> Result<Option<&'b [u8]>, Infallible> {
        match self.is_over.get() {
            Over::No => self.inner.read_until(needle, buffer),
            Over::Ends => Ok(self.ended()),
            Over::Ended => Ok(None),
        }
    }
}
