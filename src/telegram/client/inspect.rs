//! What a person wants to know about a token and its server before the bot runs.

use std::time::Duration;

use serde::Deserialize;

use super::{Client, NOTHING};
use crate::model::failure::chain;
use crate::telegram::failure::TelegramError;

/// Who the token belongs to, and what it may do (Bot API `User`, as `getMe` answers it).
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Identity {
    /// Its username, without `@`.
    #[serde(default)]
    pub username: String,
    /// Whether it can be added to groups.
    #[serde(default)]
    pub can_join_groups: Option<bool>,
    /// Whether it sees every message in groups: privacy mode is off.
    #[serde(default)]
    pub can_read_all_group_messages: Option<bool>,
}

/// How updates leave Telegram (Bot API `WebhookInfo`).
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Webhook {
    /// Where they are sent; empty when they are polled.
    #[serde(default)]
    pub url: String,
    /// How many wait.
    #[serde(default)]
    pub pending_update_count: u64,
}

impl Client {
    /// `getMe`, with what the bot may do.
    ///
    /// # Errors
    /// Any failure of the call.
    pub async fn identity(&self) -> Result<Identity, TelegramError> {
        self.call("getMe", NOTHING).await
    }

    /// `getWebhookInfo`.
    ///
    /// # Errors
    /// Any failure of the call.
    pub async fn webhook(&self) -> Result<Webhook, TelegramError> {
        self.call("getWebhookInfo", NOTHING).await
    }
}

/// The time of day by the server at `url`, in Unix seconds, from its header `Date` (RFC 9110,
/// 6.6.1); `None` when it sends none. Needs no token.
///
/// # Errors
/// When there is no answer within `whole`.
pub async fn server_time(url: &str, whole: Duration) -> Result<Option<i64>, TelegramError> {
    let failed = |e: reqwest::Error| {
        if e.is_timeout() {
            TelegramError::Late
        } else {
            TelegramError::NotSent(chain(&e.without_url()))
        }
    };
    let http = reqwest::Client::builder()
        .timeout(whole)
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("katana-bot/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(failed)?;
    let answer = http.head(url).send().await.map_err(failed)?;
    let date = answer.headers().get(reqwest::header::DATE).and_then(|date| date.to_str().ok());
    Ok(date.and_then(|d| jiff::fmt::rfc2822::parse(d).ok()).map(|d| d.timestamp().as_second()))
}
