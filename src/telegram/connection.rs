//! One kind of calls to the Bot API: JSON both ways, over a transport with bounds.
//!
//! Not frankenstein's own transport: that reads an answer of any size into memory.

use std::time::Duration;

use bytes::Bytes;
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;

use super::answers::Answer;
use super::failure::TelegramError;
use super::transport::{Failure, Target, Transport};

/// Calls methods of one bot. No `Debug`: it would show the token.
pub(super) struct Connection(Transport);

impl Connection {
    /// `idle`: connections that are kept open for later calls; `whole`: time for one call.
    pub(super) fn new(target: &Target, token: &SecretString, idle: usize, whole: Duration) -> Self {
        let path = format!("/bot{}", token.expose_secret());
        Self(Transport::new(target, &path, idle, whole))
    }

    /// Loads files of the bot, of `most` bytes at most.
    pub(super) fn of_files(
        target: &Target,
        token: &SecretString,
        whole: Duration,
        most: usize,
    ) -> Self {
        let path = format!("/file/bot{}", token.expose_secret());
        Self(Transport::of_files(target, &path, whole, most))
    }

    /// Loads a file.
    ///
    /// # Errors
    /// In words of the server's, which may hold the token.
    pub(super) async fn load(&self, path: &str) -> Result<Bytes, TelegramError> {
        let answer = self.0.call(path, Bytes::new()).await.map_err(failed)?;
        match answer.status {
            200 => Ok(answer.body),
            status => Err(TelegramError::from_answer(status, &answer.body)),
        }
    }

    /// Calls a method with JSON, or nothing; answers its result.
    ///
    /// # Errors
    /// In words of the server's, which may hold the token.
    pub(super) async fn request<T: DeserializeOwned>(
        &self,
        method: &str,
        params: Bytes,
    ) -> Result<T, TelegramError> {
        let answer = self.0.call(method, params).await.map_err(failed)?;
        if (200..300).contains(&answer.status)
            && let Ok(Answer { result }) = serde_json::from_slice(&answer.body)
        {
            return Ok(result);
        }
        Err(TelegramError::from_answer(answer.status, &answer.body))
    }
}

fn failed(failure: Failure) -> TelegramError {
    match failure {
        Failure::NotSent(words) => TelegramError::NotSent(words),
        Failure::Late => TelegramError::Late,
        Failure::Cut(words) => TelegramError::Unknown(words),
    }
}
