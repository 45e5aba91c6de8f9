//! The generation of vectors that is searched, and the one that is being built.

use crate::observe::clock::Clock;
use crate::store::{Generation, GenerationId, GenerationState, Index, StoreError};

/// Generations that are kept besides the one in use, to go back to.
const KEPT: u32 = 1;

/// Puts a generation to use, if all passages have a vector in it.
///
/// # Errors
/// When the index fails.
pub(super) async fn put_to_use(
    index: &Index,
    generation: GenerationId,
    clock: &Clock,
) -> Result<Result<String, String>, StoreError> {
    let id = generation.0;
    let all = index.generations().await?;
    let Some(found) = all.iter().find(|one| one.id == generation) else {
        let known: Vec<String> = all.iter().map(|one| one.id.0.to_string()).collect();
        let known =
            if known.is_empty() { "there are none yet".to_owned() } else { known.join(", ") };
        return Ok(Err(format!("there is no generation {id}; those that there are: {known}")));
    };
    if !index.without_vector(generation, 1).await?.is_empty() {
        return Ok(Err(format!(
            "generation {id} is not complete yet; see katana-bot knowledge status"
        )));
    }
    activate(index, generation, clock).await?;
    Ok(Ok(format!("generation {id} ({}) is in use", found.embedding.model)))
}

/// Complete vectors take the place of older ones, if `always`; the first ones of an index always do. Whether they did.
///
/// # Errors
/// When the index fails.
pub(super) async fn swap(
    index: &Index,
    generation: GenerationId,
    always: bool,
    clock: &Clock,
) -> Result<bool, StoreError> {
    let all = index.generations().await?;
    let is_new = |one: &&Generation| {
        one.id == generation && one.state == GenerationState::Building && one.embedded > 0
    };
    let has_active = all.iter().any(|one| one.state == GenerationState::Active);
    let Some(new) = all.iter().find(is_new).filter(|_| always || !has_active) else {
        return Ok(false);
    };
    activate(index, generation, clock).await?;
    tracing::info!(
        generation = generation.0,
        model = new.embedding.model,
        "documents are found by their meaning with {} from now on",
        new.embedding.model
    );
    Ok(true)
}

/// Puts a generation to use whose vectors are complete, and drops those that are too old.
///
/// # Errors
/// When the index fails.
pub(super) async fn activate(
    index: &Index,
    generation: GenerationId,
    clock: &Clock,
) -> Result<(), StoreError> {
    index.activate(generation, clock.now_ms()).await?;
    index.prune(KEPT).await?;
    Ok(())
}
