//! What a server answers when it is asked for vectors, read leniently and checked strictly.
//!
//! Seen: `data` in another order than the texts, with or without `index`; numbers in base64; the vectors alone,
//! as a list of lists; an error with status 200; a number that is `null`, because JSON has no NaN.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::vectors::{DIMENSIONS_MAX, Embedded, EmbeddingsError};
use crate::provider::error_body::ErrorBody;
use crate::provider::failure::ProviderError;
use crate::provider::scrub::Scrubber;

/// A body in the shape of OpenAI's, or the vectors alone.
#[derive(Deserialize)]
#[serde(untagged)]
enum Body {
    Named { data: Vec<Row>, usage: Option<Used> },
    Bare(Vec<Vector>),
}

#[derive(Deserialize)]
struct Row {
    index: Option<usize>,
    embedding: Vector,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Vector {
    /// A number that is not finite is `null`, or breaks the JSON.
    Numbers(Vec<Option<f32>>),
    Base64(String),
}

#[derive(Deserialize)]
struct Used {
    prompt_tokens: Option<u64>,
    /// The same number; most servers send both.
    total_tokens: Option<u64>,
}

/// Reads the vectors of `asked` texts. `dimensions`: as many as each has to have; 0 takes any number, but one.
pub(super) fn read(
    body: &str,
    asked: usize,
    dimensions: usize,
    scrubber: impl Fn() -> Scrubber,
) -> Result<Embedded, EmbeddingsError> {
    let garbage = |what| EmbeddingsError::Call(ProviderError::Garbage { what });
    let (rows, used) = match serde_json::from_str(body) {
        Ok(Body::Named { data, usage }) => (data, usage),
        Ok(Body::Bare(vectors)) => {
            let row = |embedding| Row { index: None, embedding };
            (vectors.into_iter().map(row).collect(), None)
        }
        Err(_) => {
            if body.trim_start().starts_with('<') {
                return Err(garbage("an html page"));
            }
            let value = serde_json::from_str(body).map_err(|_| garbage("broken json"))?;
            return Err(match ErrorBody::within(&value) {
                Some(error) => error.in_stream(&scrubber()).into(),
                None => garbage("json without vectors"),
            });
        }
    };
    if rows.len() != asked {
        return Err(EmbeddingsError::Count { asked, got: rows.len() });
    }
    let mut vectors: Vec<Vec<f32>> = vec![Vec::new(); asked];
    let is_indexed = rows.iter().any(|row| row.index.is_some_and(|index| index > 0));
    let mut expected = dimensions;
    for (place, row) in rows.into_iter().enumerate() {
        let at = if is_indexed { row.index.unwrap_or(usize::MAX) } else { place };
        let vector = numbers(row.embedding)?;
        check(&vector, &mut expected)?;
        match vectors.get_mut(at) {
            Some(slot) if slot.is_empty() => *slot = vector,
            _ => {
                return Err(EmbeddingsError::Nonsense { what: "of no text, or the second of one" });
            }
        }
    }
    // Every text has its vector: as many rows as texts, and none twice.
    Ok(Embedded { vectors, tokens: used.and_then(|used| used.prompt_tokens.or(used.total_tokens)) })
}

fn check(vector: &[f32], expected: &mut usize) -> Result<(), EmbeddingsError> {
    let nonsense = |what| Err(EmbeddingsError::Nonsense { what });
    let got = vector.len();
    if got == 0 || got > DIMENSIONS_MAX {
        return nonsense("empty, or far too long");
    }
    if *expected != 0 && got != *expected {
        return Err(EmbeddingsError::Dimensions { expected: *expected, got });
    }
    *expected = got;
    if !vector.iter().all(|number| number.is_finite()) {
        return nonsense("not of finite numbers");
    }
    if vector.iter().all(|number| *number == 0.0) {
        return nonsense("zero");
    }
    Ok(())
}

fn numbers(vector: Vector) -> Result<Vec<f32>, EmbeddingsError> {
    match vector {
        Vector::Numbers(numbers) => {
            Ok(numbers.into_iter().map(|number| number.unwrap_or(f32::NAN)).collect())
        }
        Vector::Base64(text) => {
            let nonsense = EmbeddingsError::Nonsense { what: "neither numbers nor base64 of them" };
            let bytes = STANDARD.decode(text).map_err(|_| nonsense.clone())?;
            let (numbers, rest) = bytes.as_chunks::<4>();
            if !rest.is_empty() {
                return Err(nonsense);
            }
            Ok(numbers.iter().map(|number| f32::from_le_bytes(*number)).collect())
        }
    }
}
