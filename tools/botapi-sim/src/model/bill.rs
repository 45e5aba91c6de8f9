//! What the simulated vendors would charge for.

/// What a vendor would charge for: the prompt and the whole answer of each request that it did not refuse, also
/// when its client left meanwhile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bill {
    /// Requests.
    pub calls: u64,
    /// Tokens of their prompts.
    pub prompt_tokens: u64,
    /// Tokens of their answers.
    pub completion_tokens: u64,
}

impl Bill {
    /// One more request.
    pub(super) fn add(&mut self, prompt_tokens: u64, completion_tokens: u64) {
        self.calls += 1;
        self.prompt_tokens += prompt_tokens;
        self.completion_tokens += completion_tokens;
    }
}
