//! What a refusal means, by its words: several vendors and gateways send one status for everything.
//!
//! The words come from outside and are compared only; what is kept of them went through
//! [`super::scrub`].

use super::failure::Refusal;

/// Names of a filter, in codes or in sentences.
const FILTER: [&str; 6] = [
    "content_filter",
    "content_policy",
    "responsibleai",
    "prohibited_content",
    "contentpolicyviolation",
    "content management policy",
];

/// Nothing left to spend.
const QUOTA: [&str; 8] = [
    "credit balance",
    "billing hard",
    "insufficient balance",
    "insufficient credits",
    "requires more credits",
    "budget has been exceeded",
    "exceededbudget",
    "exceeded your current quota",
];

/// The conversation does not fit the model.
const TOO_LONG: [&str; 18] = [
    "context length",
    "context window",
    "context size",
    "contextwindowexceeded",
    "context_length_exceeded",
    "prompt is too long",
    "prompt too long",
    "input is too long",
    "input length exceeds",
    "too many input tokens",
    "maximum number of tokens",
    "maximum prompt length",
    "maximum input length",
    "input token count",
    "reduce the length",
    "reduce your message size",
    "request body too large",
    "exceeds the model's maximum",
];

/// The key. LiteLLM says "No connected db." when it has no keys but its own, and gets another.
const AUTH: [&str; 14] = [
    "api key not valid",
    "incorrect api key",
    "invalid api key",
    "invalid api_key",
    "invalid x-api-key",
    "no api key",
    "missing api key",
    "no connected db",
    "authentication error",
    "authenticationerror",
    "invalid proxy server token",
    "invalid authentication",
    "unauthorized",
    "login fail",
];

/// The model is not there yet, or has too much to do.
const OVERLOADED: [&str; 11] = [
    "overloaded",
    "loading model",
    "model is loading",
    "currently loading",
    "still loading",
    "at capacity",
    "server is busy",
    "serviceunavailableerror",
    "no healthy upstream",
    "no slot available",
    "try again later",
];

/// Too many calls.
const RATE_LIMIT: [&str; 6] = [
    "rate limit",
    "ratelimiterror",
    "too many requests",
    "no deployments available",
    "too many concurrent",
    "quota exceeded",
];

/// There is no such model.
const NOT_FOUND: [&str; 9] = [
    "model not exist",
    "model does not exist",
    "model not found",
    "invalid model name",
    "is not a valid model",
    "unknown model",
    "no such model",
    "llm provider not provided",
    "no healthy deployments",
];

/// The class of a refusal with these codes (lower case, between spaces) and this sentence (lower
/// case).
pub(super) fn refusal(codes: &str, message: &str, status: Option<u16>) -> Refusal {
    let says = |parts: &[&str]| parts.iter().any(|part| message.contains(part));
    let named = |parts: &[&str]| parts.iter().any(|part| codes.contains(part));
    // Bedrock and Gemini say the words of other refusals about a limit for a minute.
    let is_soon = || says(&["please wait", "per minute", "perminute", "retry in", "throttl"]);
    if status == Some(429) && (is_soon() || named(&["throttl"])) {
        return Refusal::RateLimit;
    }
    // What gets no better by waiting comes first: it is often said beside a limit.
    if named(&["insufficient_quota", "billing", "budget_exceeded"]) || says(&QUOTA) {
        return Refusal::Quota;
    }
    let is_long = status != Some(429) && says(&["too many tokens"]);
    if is_long
        || named(&["context_length", "max_length", "request_too_large", "exceed_context"])
        || named(&["tokens_limit_reached", "string_above_max_length"])
        || says(&TOO_LONG)
    {
        return Refusal::TooLong;
    }
    if named(&["authentication", "permission", "invalid_api_key", "unauthenticated"])
        || named(&["invalidapikey", "no_db_connection"])
        || says(&AUTH)
    {
        return Refusal::Auth;
    }
    if named(&["overloaded", "unavailable"]) {
        return Refusal::Overloaded;
    }
    if named(&["rate_limit", "resource_exhausted", "throttl"]) {
        return Refusal::RateLimit;
    }
    if named(&["not_found", "model_not_found"]) || says(&NOT_FOUND) {
        return Refusal::NotFound;
    }
    let is_missing = message.contains("model") && says(&["does not exist", "not found"]);
    match status {
        // These say it themselves.
        Some(401..=404 | 413 | 429 | 529) => by_status(status),
        _ if says(&RATE_LIMIT) => Refusal::RateLimit,
        _ if says(&OVERLOADED) => Refusal::Overloaded,
        _ if is_missing => Refusal::NotFound,
        _ => by_status(status),
    }
}

fn by_status(status: Option<u16>) -> Refusal {
    match status {
        Some(401 | 403) => Refusal::Auth,
        Some(402) => Refusal::Quota,
        Some(404) => Refusal::NotFound,
        Some(413) => Refusal::TooLong,
        Some(429) => Refusal::RateLimit,
        Some(503 | 529) => Refusal::Overloaded,
        Some(408) => Refusal::Server,
        Some(300..=499) => Refusal::BadRequest,
        _ => Refusal::Server,
    }
}

/// Whether a filter refused the question.
pub(super) fn is_filter(codes: &str, message: &str) -> bool {
    FILTER.iter().any(|word| codes.contains(word) || message.contains(word))
}

/// Whether a sentence (lower case) objects to instructions apart from the conversation, as the
/// templates of several open models do.
pub(super) fn refuses_system(message: &str) -> bool {
    let says = |parts: &[&str]| parts.iter().any(|part| message.contains(part));
    let objects = says(&[
        "not support",
        "unsupported",
        "not allowed",
        "not enabled",
        "not one of",
        "not a valid",
        "not valid",
        "invalid",
        "unexpected",
        "unknown",
        "not accept",
        "not permitted",
        "not available",
        "must be one of",
        "should be one of",
        "cannot",
    ]);
    let role = says(&["role", "message", "prompt", "instruction"]);
    (says(&["system", "developer"]) && role && objects)
        || (message.contains("only user") && message.contains("role"))
        || message.contains("roles must alternate")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_count_where_the_status_misleads() {
        use Refusal::*;
        for (status, message, expected) in [
            (400, "No connected db.", Auth),
            (400, "Authentication Error, No api key passed in.", Auth),
            (500, "litellm.AuthenticationError: OpenAIException", Auth),
            (400, "Budget has been exceeded! Current cost: 3, Max budget: 2", Quota),
            (400, "Invalid model name passed in model=x. Call `/v1/models`", NotFound),
            (400, "x is not a valid model ID", NotFound),
            (500, "litellm.RateLimitError: no", RateLimit),
            (429, "Too many tokens, please wait before trying again.", RateLimit),
            (429, "You exceeded your current quota. Please retry in 12.5s.", RateLimit),
            (429, "You exceeded your current quota, please check your plan.", Quota),
            (400, "Too many tokens in the prompt: 9 > 8", TooLong),
            (429, "No deployments available for selected model", RateLimit),
            (500, "Loading model", Overloaded),
            (500, "Model m is currently loading", Overloaded),
            (400, "the model `m` does not exist", NotFound),
            (400, "litellm.ContextWindowExceededError: no", TooLong),
            (500, "the request exceeds the available context size, try increasing it", TooLong),
            (
                400,
                "The input token count (9) exceeds the maximum number of tokens allowed (8).",
                TooLong,
            ),
            (413, "Request too large for model `m` on tokens per minute", TooLong),
            (400, "Input is too long for requested model.", TooLong),
            (400, "no", BadRequest),
            (500, "no", Server),
        ] {
            let found = refusal("", &message.to_lowercase(), Some(status));
            assert_eq!(found, expected, "{message}");
        }
    }

    #[test]
    fn objections_to_instructions_in_every_wording() {
        for message in [
            "system role not supported",
            "jinja exception: system role not supported",
            "developer instruction is not enabled for models/gemma-3-4b-it",
            "only user and assistant roles are supported!",
            "conversation roles must alternate user/assistant/user/assistant/...",
            "unsupported value: 'messages[0].role' does not support 'system' with this model.",
            "this model does not support system messages",
            "unexpected role 'system' in messages",
            "system prompt is not supported",
            "'system' is not one of ['user', 'assistant'] - 'messages.0.role'",
        ] {
            assert!(refuses_system(message), "{message}");
        }
        for message in ["the system is overloaded", "no such model", "role", "bad message"] {
            assert!(!refuses_system(message), "{message}");
        }
    }
}
