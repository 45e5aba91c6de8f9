//! Each server that is known by name, with a stream as it sends one: the text, the thoughts, and the count of tokens
//! that the account is charged for.

use super::*;

/// A body of events; what begins with a colon is a comment line.
fn stream(lines: &[&str]) -> Vec<u8> {
    let line = |line: &&str| match line.strip_prefix(':') {
        Some(comment) => format!(":{comment}\n\n"),
        None => format!("data: {line}\n\n"),
    };
    let body: String = lines.iter().map(line).collect();
    response(200, "content-type: text/event-stream; charset=utf-8\r\n", &body)
}

/// The stream of each, and what is read from it: text, thoughts in brackets, tokens in and out.
const STREAMS: &[(&str, &[&str], &str)] = &[
    (
        "gemini",
        &[
            r#"{"choices":[{"delta":{"content":"Pa","role":"assistant"},"index":0}],"created":1764,"id":"x","model":"gemini-flash-latest","object":"chat.completion.chunk","usage":{"completion_tokens":1,"prompt_tokens":7,"total_tokens":8}}"#,
            r#"{"choices":[{"delta":{"content":"ris","role":"assistant","extra_content":{"google":{"thought_signature":"Zm9v"}}},"finish_reason":"stop","index":0}],"created":1764,"id":"x","model":"gemini-flash-latest","object":"chat.completion.chunk","usage":{"completion_tokens":2,"prompt_tokens":7,"total_tokens":9}}"#,
            "[DONE]",
        ],
        "Paris 7 2",
    ),
    (
        "ollama",
        &[
            r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1764,"model":"llama3.2","system_fingerprint":"fp_ollama","choices":[{"index":0,"delta":{"role":"assistant","content":"Paris"},"finish_reason":null}]}"#,
            r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1764,"model":"llama3.2","system_fingerprint":"fp_ollama","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":"stop"}]}"#,
            r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1764,"model":"llama3.2","system_fingerprint":"fp_ollama","choices":[],"usage":{"prompt_tokens":31,"completion_tokens":3,"total_tokens":34}}"#,
            "[DONE]",
        ],
        "Paris 31 3",
    ),
    (
        "vllm",
        &[
            r#"{"id":"c","object":"chat.completion.chunk","created":1764,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}],"prompt_token_ids":null}"#,
            r#"{"id":"c","object":"chat.completion.chunk","created":1764,"model":"m","choices":[{"index":0,"delta":{"reasoning_content":"France."},"logprobs":null,"finish_reason":null,"token_ids":null}]}"#,
            r#"{"id":"c","object":"chat.completion.chunk","created":1764,"model":"m","choices":[{"index":0,"delta":{"content":"Paris"},"logprobs":null,"finish_reason":null,"token_ids":null}]}"#,
            r#"{"id":"c","object":"chat.completion.chunk","created":1764,"model":"m","choices":[{"index":0,"delta":{"content":""},"logprobs":null,"finish_reason":"stop","stop_reason":null,"token_ids":null}]}"#,
            r#"{"id":"c","object":"chat.completion.chunk","created":1764,"model":"m","choices":[],"usage":{"prompt_tokens":14,"total_tokens":20,"completion_tokens":6}}"#,
            "[DONE]",
        ],
        "(France.)Paris 14 6",
    ),
    (
        "openrouter",
        &[
            ": OPENROUTER PROCESSING",
            ": OPENROUTER PROCESSING",
            r#"{"id":"gen-1","provider":"Novita","model":"qwen/qwen3","object":"chat.completion.chunk","created":1764,"choices":[{"index":0,"delta":{"role":"assistant","content":"","reasoning":"France.","reasoning_details":[{"type":"reasoning.text","text":"France."}]},"finish_reason":null,"native_finish_reason":null,"logprobs":null}]}"#,
            r#"{"id":"gen-1","provider":"Novita","model":"qwen/qwen3","object":"chat.completion.chunk","created":1764,"choices":[{"index":0,"delta":{"role":"assistant","content":"Paris"},"finish_reason":null,"native_finish_reason":null,"logprobs":null}]}"#,
            r#"{"id":"gen-1","provider":"Novita","model":"qwen/qwen3","object":"chat.completion.chunk","created":1764,"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":"stop","native_finish_reason":"stop","logprobs":null}]}"#,
            r#"{"id":"gen-1","provider":"Novita","model":"qwen/qwen3","object":"chat.completion.chunk","created":1764,"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null,"native_finish_reason":null,"logprobs":null}],"usage":{"prompt_tokens":9,"completion_tokens":12,"total_tokens":21,"cost":0.0001,"cost_details":{"upstream_inference_cost":null}}}"#,
            "[DONE]",
        ],
        "(France.)Paris 9 12",
    ),
    (
        "groq",
        &[
            r#"{"id":"c","object":"chat.completion.chunk","created":1764,"model":"openai/gpt-oss-120b","system_fingerprint":"fp_1","choices":[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}],"x_groq":{"id":"req_1"}}"#,
            r#"{"id":"c","object":"chat.completion.chunk","created":1764,"model":"openai/gpt-oss-120b","system_fingerprint":"fp_1","choices":[{"index":0,"delta":{"reasoning":"France.","channel":"analysis"},"logprobs":null,"finish_reason":null}]}"#,
            r#"{"id":"c","object":"chat.completion.chunk","created":1764,"model":"openai/gpt-oss-120b","system_fingerprint":"fp_1","choices":[{"index":0,"delta":{"content":"Paris"},"logprobs":null,"finish_reason":null}]}"#,
            r#"{"id":"c","object":"chat.completion.chunk","created":1764,"model":"openai/gpt-oss-120b","system_fingerprint":"fp_1","choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}],"x_groq":{"id":"req_1","usage":{"queue_time":0.1,"prompt_tokens":80,"completion_tokens":15,"total_tokens":95}}}"#,
            r#"{"id":"c","object":"chat.completion.chunk","created":1764,"model":"openai/gpt-oss-120b","system_fingerprint":"fp_1","choices":[],"usage":{"queue_time":0.1,"prompt_tokens":80,"prompt_time":0.004,"completion_tokens":15,"completion_time":0.03,"total_tokens":95}}"#,
            "[DONE]",
        ],
        "(France.)Paris 80 15",
    ),
    (
        "mistral",
        &[
            r#"{"id":"c","object":"chat.completion.chunk","created":1764,"model":"mistral-small-latest","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#,
            r#"{"id":"c","object":"chat.completion.chunk","created":1764,"model":"mistral-small-latest","p":"abc","choices":[{"index":0,"delta":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"France."}]}]},"finish_reason":null}]}"#,
            r#"{"id":"c","object":"chat.completion.chunk","created":1764,"model":"mistral-small-latest","p":"abcdef","choices":[{"index":0,"delta":{"content":"Paris"},"finish_reason":null}]}"#,
            r#"{"id":"c","object":"chat.completion.chunk","created":1764,"model":"mistral-small-latest","choices":[{"index":0,"delta":{"content":""},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"total_tokens":9,"completion_tokens":4}}"#,
            "[DONE]",
        ],
        "(France.)Paris 5 4",
    ),
    (
        "deepseek",
        &[
            ": keep-alive",
            r#"{"id":"c","object":"chat.completion.chunk","created":1764,"model":"deepseek-v4-flash","system_fingerprint":"fp","choices":[{"index":0,"delta":{"role":"assistant","content":null,"reasoning_content":""},"logprobs":null,"finish_reason":null}]}"#,
            ": keep-alive",
            r#"{"id":"c","object":"chat.completion.chunk","created":1764,"model":"deepseek-v4-flash","system_fingerprint":"fp","choices":[{"index":0,"delta":{"content":null,"reasoning_content":"France."},"logprobs":null,"finish_reason":null}]}"#,
            r#"{"id":"c","object":"chat.completion.chunk","created":1764,"model":"deepseek-v4-flash","system_fingerprint":"fp","choices":[{"index":0,"delta":{"content":"Paris","reasoning_content":null},"logprobs":null,"finish_reason":null}]}"#,
            r#"{"id":"c","object":"chat.completion.chunk","created":1764,"model":"deepseek-v4-flash","system_fingerprint":"fp","choices":[{"index":0,"delta":{"content":"","reasoning_content":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":11,"completion_tokens":8,"total_tokens":19,"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":5},"prompt_cache_hit_tokens":0,"prompt_cache_miss_tokens":11}}"#,
            "[DONE]",
        ],
        "(France.)Paris 11 8",
    ),
];

#[tokio::test]
async fn each_known_server_is_read_to_its_last_token() {
    for (_, server) in super::super::servers() {
        assert!(STREAMS.iter().any(|(name, ..)| *name == server.name), "{}", server.name);
    }
    for (name, lines, expected) in STREAMS {
        let server = Fake::answering(stream(lines)).await;
        let (text, finished) = read(openai(&server).answer(ask())).await;
        let finished = finished.expect(name);
        let usage = finished.usage.expect(name);
        assert_eq!(finished.reason, StopReason::End, "{name}");
        let seen = format!("{text} {} {}", usage.input_tokens, usage.output_tokens);
        // What else a delta says is counted, and not shown.
        assert_eq!(seen.replace("{delta}", ""), *expected, "{name}");
    }
}

#[tokio::test]
async fn a_server_that_refuses_the_count_of_tokens_is_asked_without_it() {
    let refusal = r#"{"object":"error","message":{"detail":[{"type":"extra_forbidden","loc":["body","stream_options"],"msg":"Extra inputs are not permitted","input":{"include_usage":true}}]},"type":"invalid_request_error","param":null,"code":null}"#;
    let refused = response(422, "content-type: application/json\r\n", refusal);
    let (_, lines, _) = STREAMS.iter().find(|(name, ..)| *name == "mistral").expect("it is there");
    let server = Fake::start(vec![Reply::Raw(refused), Reply::Raw(stream(lines))]).await;
    let (text, finished) = read(openai(&server).answer(ask())).await;
    assert_eq!(text, "(France.)Paris");
    assert!(finished.expect("an answer").usage.is_some(), "Mistral counts without being asked");
    assert!(
        server.body(0)["stream_options"].is_object() && server.body(1)["stream_options"].is_null()
    );
}
