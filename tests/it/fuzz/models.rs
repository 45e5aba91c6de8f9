//! What a hostile model server can stream, in both dialects.

use std::time::Duration;

use futures_util::StreamExt;
use katana::model::conversation::{ChatRequest, Event};
use katana::model::failure::chain;
use katana::provider::{ProviderSettings, find};
use secrecy::SecretString;

use super::server::{Manner, Server};
use super::{Inputs, assert_showable};

const KEY: &str = "sk-secret-0123456789abcdef";

const WORDS: &[&str] = &[
    "data: ",
    "data: [DONE]\n\n",
    "event: message_stop\n",
    "event: ",
    "\n\n",
    ": keep\n\n",
    "retry: 1\n",
    "id: x\n",
    "<think>",
    "</think>",
    "\"delta\":",
    "\"content\":",
    "\"tool_calls\":",
    "\"index\":",
    "\"finish_reason\":\"stop\"",
    "\"usage\":",
    "content-length: 9\r\n",
    "transfer-encoding: chunked\r\n",
    "HTTP/1.1 500 X\r\n",
    "sk-secret-0123456789abcdef",
];

async fn every_stream_ends_once(name: &str, mut inputs: Inputs) {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let server = Server::start(Manner::Http).await;
    let settings = ProviderSettings {
        api_key: Some(SecretString::from(KEY)),
        base_url: server.url(),
        model: "m1".to_owned(),
        read_timeout: Duration::from_secs(2),
        ..ProviderSettings::default()
    };
    let provider = (find(name).expect("a provider").build)(settings).expect("it is built");
    let mut finished = 0;
    while let Some(input) = inputs.next() {
        server.says(&input);
        let pieces: Vec<_> = provider.answer(ChatRequest::of("what?")).collect().await;
        let is_end = |piece: &Result<Event, _>| matches!(piece, Ok(Event::Done(_)) | Err(_));
        let ends = pieces.iter().filter(|piece| is_end(piece)).count();
        assert!(ends == 1 && pieces.last().is_some_and(is_end), "{pieces:?}");
        let mut shown = 0;
        for piece in &pieces {
            match piece {
                Ok(Event::Text(text) | Event::Reasoning(text)) => shown += text.len(),
                Ok(Event::Done(_)) => finished += 1,
                Ok(_) => {}
                Err(error) => {
                    let said = chain(error);
                    assert_showable(&said, 1000);
                    assert!(!format!("{said} {error:?}").contains(KEY), "{error:?}");
                }
            }
        }
        // Bytes that are not text become a character of three.
        assert!(shown <= 3 * input.len(), "{shown} bytes of {}", input.len());
        assert!(pieces.len() <= input.len() + 2, "{} of {}", pieces.len(), input.len());
    }
    assert!(finished > 0, "no stream was understood");
}

#[tokio::test(flavor = "multi_thread")]
async fn any_stream_of_an_openai_compatible_server_ends_once() {
    every_stream_ends_once("openai", Inputs::of("openai", WORDS)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn any_stream_of_anthropic_ends_once() {
    every_stream_ends_once("anthropic", Inputs::of("anthropic", WORDS)).await;
}
