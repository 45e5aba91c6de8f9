//! What servers answer when they are asked for vectors, and what is made of it.

use super::*;
use crate::model::class::AnswerClass;
use crate::model::failure::{Classify, RetryPolicy};
use crate::provider::fake::{Fake, response};

fn server(url: &str, dimensions: usize) -> EmbeddingsServer {
    let settings = EmbeddingsSettings {
        api_key: Some(SecretString::from("sk-proj-a1B2c3D4e5")),
        base_url: url.to_owned(),
        model: "m".to_owned(),
        dimensions,
        timeout: Duration::from_secs(5),
    };
    EmbeddingsServer::new(settings).expect("built")
}

/// What is read from this body as the answer to two texts.
async fn made(body: &str, dimensions: usize) -> Result<Vec<Vec<f32>>, String> {
    let fake = Fake::answering(response(200, "", body)).await;
    let texts = ["one text of many", "two"].map(str::to_owned);
    let answer = server(&format!("{}/v1", fake.url), dimensions).embed(&texts).await;
    answer.map(|embedded| embedded.vectors).map_err(|error| error.to_string())
}

#[tokio::test]
async fn the_request_is_that_of_openai_and_the_usage_is_read() {
    let body = r#"{"data":[{"index":0,"embedding":[1,0]}],"usage":{"prompt_tokens":7}}"#;
    let fake = Fake::answering(response(200, "", body)).await;
    let answer = server(&format!("{}/v1/", fake.url), 2).embed(&["a".to_owned()]).await;
    assert_eq!(answer, Ok(Embedded { vectors: vec![vec![1.0, 0.0]], tokens: Some(7) }));
    let request = &fake.requests()[0];
    assert!(request.starts_with("POST /v1/embeddings "), "{request}");
    assert!(request.to_lowercase().contains("authorization: bearer sk-proj"), "{request}");
    let expected = serde_json::json!({ "model": "m", "input": ["a"], "dimensions": 2 });
    assert_eq!(fake.body(0), expected);
}

#[tokio::test]
async fn vectors_are_read_in_every_shape_and_put_in_order() {
    let expected = Ok(vec![vec![1.0, 2.0], vec![3.0, 4.0]]);
    for body in [
        r#"{"data":[{"index":0,"embedding":[1,2]},{"index":1,"embedding":[3,4]}]}"#,
        r#"{"data":[{"index":1,"embedding":[3,4]},{"index":0,"embedding":[1,2]}]}"#,
        r#"{"data":[{"embedding":[1.0,2e0]},{"embedding":[3,4]}],"model":null,"usage":null}"#,
        r#"{"data":[{"index":0,"embedding":"AACAPwAAAEA="},{"index":1,"embedding":[3,4]}]}"#,
        "[[1,2],[3,4]]",
    ] {
        assert_eq!(made(body, 0).await, expected, "{body}");
        assert_eq!(made(body, 2).await, expected, "{body}");
    }
}

#[tokio::test]
async fn what_is_not_one_good_vector_for_each_text_is_refused_and_said() {
    let two = |one: &str, other: &str| {
        format!(r#"{{"data":[{{"index":0,"embedding":{one}}},{{"index":1,"embedding":{other}}}]}}"#)
    };
    for (body, dimensions, said) in [
        (r#"{"data":[{"index":0,"embedding":[1,2]}]}"#.to_owned(), 0, "1 vectors for 2 texts"),
        (r#"{"data":[]}"#.to_owned(), 0, "0 vectors for 2 texts"),
        (two("[1,2]", "[1,2,3]"), 0, "a vector of 3 dimensions, 2 were expected"),
        (two("[1,2]", "[3,4]"), 3, "a vector of 2 dimensions, 3 were expected"),
        (two("[1,2]", "[3,null]"), 0, "not of finite numbers"),
        (two("[1,2]", "[3,1e300]"), 0, "not of finite numbers"),
        (two("[1,2]", "[0,-0.0]"), 0, "zero"),
        (two("[1,2]", "[]"), 0, "empty"),
        (two("[1,2]", "\"!!\""), 0, "base64"),
        (two("[1,2]", "\"AAAA\""), 0, "base64"),
        (two("[1,2]", "[3,4]").replace("\"index\":0", "\"index\":1"), 0, "second of one"),
        (two("[1,2]", "[3,4]").replace("\"index\":1", "\"index\":7"), 0, "of no text"),
        ("<html>login</html>".to_owned(), 0, "an html page"),
        ("{\"data\":".to_owned(), 0, "broken json"),
        ("{\"ok\":true}".to_owned(), 0, "json without vectors"),
        (r#"{"error":{"message":"no such model one text of many"}}"#.to_owned(), 0, "[text]"),
    ] {
        let refused = made(&body, dimensions).await.expect_err(&body);
        assert!(refused.contains(said), "{body}: {refused}");
    }
}

#[tokio::test]
async fn a_refusal_says_when_to_come_back_and_nothing_of_the_texts_or_the_key() {
    let body = r#"{"error":"slow down: sk-proj-a1B2c3D4e5 sent 'a secret recipe for soup'"}"#;
    let fake = Fake::answering(response(429, "retry-after: 7\r\n", body)).await;
    let texts = ["this is a secret recipe for soup".to_owned()];
    let error = server(&fake.url, 0).embed(&texts).await.expect_err("refused");
    let EmbeddingsError::Call(call) = &error else { panic!("{error}") };
    assert_eq!(call.retry_policy(), RetryPolicy::After(Duration::from_secs(7)));
    let text = format!("{error} {error:?}");
    assert!(!text.contains("soup") && !text.contains("a1B2"), "{text}");
    assert_eq!(error.class(), AnswerClass::RateLimit);
}

#[tokio::test]
async fn a_host_alone_is_asked_at_both_usual_places_and_remembered() {
    let good = response(200, "", r#"{"data":[{"embedding":[1]}]}"#);
    let replies = [response(404, "", "no"), good.clone(), good];
    let fake = Fake::start(replies.map(crate::provider::fake::Reply::Raw).into()).await;
    let server = server(&fake.url, 0);
    for _ in 0..2 {
        assert!(server.embed(&["a".to_owned()]).await.is_ok());
    }
    let paths: Vec<String> = fake
        .requests()
        .iter()
        .map(|r| r.split(' ').nth(1).unwrap_or_default().to_owned())
        .collect();
    assert_eq!(paths, ["/embeddings", "/v1/embeddings", "/v1/embeddings"]);
}
