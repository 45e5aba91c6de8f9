//! One cheap question to the model, to see whether provider, key and model work together.
//!
//! It ends at the first sign of an answer, and what follows is not waited for. A bound of one token
//! would be cheaper, but healthy models that think refuse it, or use it up before their first word.

use std::time::Duration;

use futures_util::StreamExt;

use crate::app;
use crate::config::{Chosen, Config};
use crate::model::class::AnswerClass;
use crate::model::conversation::{ChatRequest, Event};
use crate::provider::ProviderError;

/// Longest wait; local models may have to be loaded first.
const LIMIT: Duration = Duration::from_secs(40);

/// Upper bound of what a model may write and think.
const TOKENS: u32 = 512;

/// Asks one of the configured models.
///
/// # Errors
/// When nothing that belongs to an answer came.
pub(super) async fn try_model(config: &Config, chosen: Chosen<'_>) -> anyhow::Result<()> {
    let provider = app::provider(config, chosen, None)?;
    let request = ChatRequest { max_output_tokens: TOKENS, ..ChatRequest::of("Say OK.") };
    let mut answer = provider.answer(request);
    let first = async {
        while let Some(event) = answer.next().await {
            match event? {
                Event::Alive | Event::Unknown(_) | Event::Withdrawn => {}
                _ => return Ok(()),
            }
        }
        Err(ProviderError::Cut)
    };
    let first = tokio::time::timeout(LIMIT, first).await;
    Ok(first.unwrap_or(Err(ProviderError::Timeout))?)
}

/// What to do about a failure.
pub(super) fn advice(e: &ProviderError) -> &'static str {
    match e.answer_class() {
        AnswerClass::Auth => "the key is wrong or lacks permission: create a new one",
        AnswerClass::Quota => "top up the account, or raise its limit",
        AnswerClass::NotFound => "check the model's name and base_url",
        AnswerClass::RateLimit | AnswerClass::Overloaded => "wait, and try again",
        _ => "check base_url, network and proxy; see the provider's status page",
    }
}
