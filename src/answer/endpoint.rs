//! Who can be asked: the providers of the list, as the operator named them.

use std::sync::Arc;
use std::time::Duration;

use crate::model::money::PriceOverride;
use crate::provider::Provider;

/// One provider in the list: what it is called, what answers, and what it may be asked.
#[derive(Clone)]
pub struct Endpoint {
    /// As configured, such as `openai` or `backup`: the name in logs, metrics and the history.
    pub name: String,
    /// What answers.
    pub provider: Arc<dyn Provider>,
    /// What it may be asked.
    pub limits: EndpointLimits,
    /// What it costs, where the configuration says so.
    pub price: Option<PriceOverride>,
}

/// What an endpoint may be asked; `None` means no bound of our own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EndpointLimits {
    /// Requests in a minute.
    pub requests_per_minute: Option<u32>,
    /// Tokens of prompts and answers in a minute, estimated.
    pub tokens_per_minute: Option<u32>,
    /// Requests at once.
    pub parallel: Option<u32>,
    /// Without a visible word for this long, it counts as failing.
    pub slow_after: Option<Duration>,
}

impl Endpoint {
    /// A provider under its own name, without limits.
    pub fn of(provider: Arc<dyn Provider>) -> Self {
        let (name, limits) = (provider.name().to_owned(), EndpointLimits::default());
        Self { name, provider, limits, price: None }
    }

    /// The configured model.
    pub(super) fn model(&self) -> &str {
        self.provider.model()
    }
}
