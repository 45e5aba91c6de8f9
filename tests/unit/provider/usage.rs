//! What a server says that it used, wherever and however it says so: that is what is billed.

use super::*;

fn used(input_tokens: u64, cached_tokens: u64, output_tokens: u64) -> Option<Usage> {
    Some(Usage { input_tokens, cached_tokens, output_tokens, ..Usage::default() })
}

async fn usage(provider: &dyn Provider) -> Option<Usage> {
    read(provider.answer(ask())).await.1.expect("an answer").usage
}

#[tokio::test]
async fn usage_is_read_from_every_place_where_servers_put_it() {
    let hi = r#"{"choices":[{"delta":{"content":"Hi"},"finish_reason":"stop"}]}"#;
    for (last, expected) in [
        // With the last words, beside choices, rather than after them.
        (
            r#"{"choices":[{"delta":{"content":"!"}}],"usage":{"prompt_tokens":7,"completion_tokens":2}}"#,
            used(7, 0, 2),
        ),
        (r#"{"usage":{"prompt_tokens":7,"completion_tokens":2}}"#, used(7, 0, 2)),
        (
            r#"{"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":5}}}"#,
            used(7, 5, 2),
        ),
        (
            r#"{"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":2,"prompt_cache_hit_tokens":4}}"#,
            used(7, 4, 2),
        ),
        // Thoughts that are only part of the sum are billed as the answer.
        (
            r#"{"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":2,"total_tokens":109}}"#,
            used(7, 0, 102),
        ),
        (
            r#"{"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":2,"cost":0.0001}}"#,
            used(7, 0, 2).map(|used| Usage { cost: Some(100), ..used }),
        ),
        // Without a count there is no usage.
        (r#"{"choices":[],"usage":{}}"#, None),
        (r#"{"choices":[],"usage":null}"#, None),
        (
            r#"{"choices":[],"usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}}"#,
            None,
        ),
    ] {
        let server = Fake::answering(events(&[hi, last, "[DONE]"])).await;
        assert_eq!(usage(&openai(&server)).await, expected, "{last}");
    }
}

#[tokio::test]
async fn of_counts_that_grow_the_last_ones_hold() {
    let chunks = [
        r#"{"choices":[{"delta":{"content":"H"}}],"usage":{"prompt_tokens":7,"completion_tokens":1}}"#,
        r#"{"choices":[{"delta":{"content":"i"},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":2}}"#,
        r#"{"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3,"completion_tokens_details":{"reasoning_tokens":1}}}"#,
        r#"{"choices":[],"usage":null}"#,
        "[DONE]",
    ];
    let server = Fake::answering(events(&chunks)).await;
    let expected = used(7, 0, 3).map(|used| Usage { reasoning_tokens: 1, ..used });
    assert_eq!(usage(&openai(&server)).await, expected);
}

#[tokio::test]
async fn counts_of_the_messages_api_come_in_two_events() {
    let messages = [
        r#"{"type":"message_start","message":{"model":"m1-x","usage":{"input_tokens":10,"cache_read_input_tokens":200,"cache_creation_input_tokens":30,"output_tokens":1}}}"#,
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":"Hi"}}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":42}}"#,
        r#"{"type":"message_stop"}"#,
    ];
    let server = Fake::answering(events(&messages)).await;
    let expected = used(240, 200, 42).map(|used| Usage { cache_write_tokens: 30, ..used });
    assert_eq!(usage(&anthropic(&server)).await, expected);
}
