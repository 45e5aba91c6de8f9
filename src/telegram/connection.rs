//! One HTTP line to the Bot API: frankenstein's interface over a transport with a bound.
//!
//! frankenstein's own transport reads an answer of any size into memory; a server that never stops
//! would take the whole machine.

use std::path::PathBuf;

use async_trait::async_trait;
use frankenstein::{AsyncTelegramApi, Error};
use serde::Serialize;
use serde::de::{DeserializeOwned, Error as _};

use crate::model::limits;

/// A client and the address with the token. No `Debug`: it would show the token.
pub(super) struct Connection {
    pub(super) url: String,
    pub(super) http: reqwest::Client,
}

#[async_trait]
impl AsyncTelegramApi for Connection {
    type Error = Error;

    async fn request<Params, Output>(
        &self,
        method: &str,
        params: Option<Params>,
    ) -> Result<Output, Error>
    where
        Params: Serialize + std::fmt::Debug + Send,
        Output: DeserializeOwned,
    {
        let mut request = self.http.post(format!("{}/{method}", self.url));
        if let Some(params) = &params {
            request = request.json(params);
        }
        let mut answer = request.send().await?;
        let mut body = Vec::new();
        while let Some(piece) = answer.chunk().await? {
            if body.len() + piece.len() > limits::API_ANSWER_BYTES {
                return Err(unreadable(serde_json::Error::custom("too long"), String::new()));
            }
            body.extend_from_slice(&piece);
        }
        let body = String::from_utf8(body)
            .map_err(|e| unreadable(serde_json::Error::custom(e), String::new()))?;
        if answer.status().is_success() {
            serde_json::from_str(&body).map_err(|e| unreadable(e, body))
        } else {
            Err(match serde_json::from_str(&body) {
                Ok(refusal) => Error::Api(refusal),
                Err(e) => unreadable(e, body),
            })
        }
    }

    async fn request_with_form_data<Params, Output>(
        &self,
        _method: &str,
        _params: Params,
        _files: Vec<(&str, PathBuf)>,
    ) -> Result<Output, Error>
    where
        Params: Serialize + std::fmt::Debug + Send,
        Output: DeserializeOwned,
    {
        // Katana uploads no files; code that starts to must bound them here.
        Err(Error::ReadFile(std::io::ErrorKind::Unsupported.into()))
    }
}

fn unreadable(source: serde_json::Error, input: String) -> Error {
    Error::JsonDecode { source, input }
}
