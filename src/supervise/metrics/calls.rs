//! Calls over the network and into the store: how long they take, and how they end.
//!
//! Calls to models go by the names and buckets of the OpenTelemetry semantic conventions for
//! generative AI, written as Prometheus writes OpenTelemetry's names.

use super::known::{Names, observed};
use crate::model::class::CallOutcome;
use crate::observe::histogram::{self, Histogram};
use crate::observe::label::{Label, TokenKind};
use crate::observe::vitals::{Timing, Vitals};
use crate::store::Timings;
use crate::supervise::exposition::Family;

/// The methods of the Bot API that Katana calls.
const METHODS: &[&str] = &[
    "getMe",
    "getUpdates",
    "getWebhookInfo",
    "sendMessage",
    "sendMessageDraft",
    "sendChatAction",
    "editMessageText",
    "answerCallbackQuery",
    "getFile",
    "downloadFile",
    "setMyCommands",
    "deleteMyCommands",
];

/// Label names that all metrics of calls to models share, before their own one.
const GEN_AI: &[&str] = &["gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model"];

/// What all of ours are (`gen_ai.operation.name`).
const CHAT: &str = "chat";

/// All families of this file.
pub(super) fn families(names: &Names<'_>, vitals: &Vitals, store: Option<&Timings>) -> Vec<Family> {
    let mut families = vec![telegram(vitals)];
    families.extend(models(names, vitals));
    families.extend(breakers(vitals));
    families.extend(stored(store));
    families
}

fn telegram(vitals: &Vitals) -> Family {
    let family = Family::histogram(
        "katana_telegram_call_duration_seconds",
        &["method", "outcome"],
        "Calls to the Bot API, by method and outcome (ok or the class of the error).",
    );
    let ok = || Label::from(CallOutcome::Ok);
    let known: Vec<_> = METHODS.iter().map(|method| (Label::from(*method), ok())).collect();
    let rows = observed(vitals, Timing::ApiCall, &known);
    rows.into_iter().fold(family, |family, (method, outcome, buckets)| {
        family.with_buckets(&[method.as_str(), outcome.as_str()], buckets)
    })
}

fn models(names: &Names<'_>, vitals: &Vitals) -> Vec<Family> {
    let configured = || Label::model(names.provider, names.model);
    let mut duration = Family::histogram(
        "gen_ai_client_operation_duration_seconds",
        &["gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model", "error_type"],
        "Questions to the provider; error_type is empty when they were answered.",
    );
    let known = [(configured(), CallOutcome::Ok.into())];
    for (model, outcome, buckets) in observed(vitals, Timing::Provider, &known) {
        let error = match &outcome {
            Label::Outcome(CallOutcome::Ok) => "",
            failed => failed.as_str(),
        };
        duration = duration.with_buckets(&[CHAT, provider(&model), model.as_str(), error], buckets);
    }
    let mut first = Family::histogram(
        "gen_ai_client_operation_time_to_first_chunk_seconds",
        GEN_AI,
        "From the question to the first words of the answer.",
    );
    let known = [(configured(), Label::None)];
    for (model, _, buckets) in observed(vitals, Timing::FirstWords, &known) {
        first = first.with_buckets(&[CHAT, provider(&model), model.as_str()], buckets);
    }
    let mut tokens = Family::histogram(
        "gen_ai_client_token_usage",
        &[
            "gen_ai_operation_name",
            "gen_ai_provider_name",
            "gen_ai_request_model",
            "gen_ai_token_type",
        ],
        "Tokens of one question (input) and of its answer (output), as the provider counts them.",
    );
    let known = [TokenKind::Input, TokenKind::Output].map(|kind| (configured(), kind.into()));
    for (model, kind, buckets) in observed(vitals, Timing::Tokens, &known) {
        tokens =
            tokens.with_buckets(&[CHAT, provider(&model), model.as_str(), kind.as_str()], buckets);
    }
    vec![duration, first, tokens]
}

fn provider(model: &Label) -> &str {
    model.provider().unwrap_or_default()
}

/// Whether the providers of the list are asked, and how often another was asked instead.
fn breakers(vitals: &Vitals) -> Vec<Family> {
    let mut states = Family::gauge(
        "katana_provider_breaker_state",
        &["provider", "model"],
        "Whether a provider is asked (0), is being probed (1), or is left alone because it fails (2).",
    );
    for one in vitals.providers.load().iter() {
        let state = match one.outage {
            None => 0.0,
            Some(outage) if outage.is_probed => 1.0,
            Some(_) => 2.0,
        };
        states = states.with(&[&one.name, &one.model], state);
    }
    let mut failovers = Family::counter(
        "katana_failovers_total",
        &["from", "to", "class"],
        "Questions that went on to another provider before a word was shown, by class of the failure.",
    );
    for ((from, to, class), n) in vitals.failovers() {
        failovers = failovers.with_count(&[&from, &to, class.as_str()], n);
    }
    vec![states, failovers]
}

fn stored(store: Option<&Timings>) -> Vec<Family> {
    let none = || Histogram::new(histogram::STORE_S).read();
    let commit = store.map_or_else(none, |s| s.commit.clone());
    let query = store.map_or_else(none, |s| s.query.clone());
    vec![
        Family::histogram(
            "katana_store_commit_duration_seconds",
            &[],
            "Commits to the state file; one commit may hold many writes.",
        )
        .with_buckets(&[], commit),
        Family::histogram("katana_store_query_duration_seconds", &[], "Queries of the state file.")
            .with_buckets(&[], query),
    ]
}
