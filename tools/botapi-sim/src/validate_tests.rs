//! Tables for the strict judge.

use serde_json::json;

use super::*;

fn refused(text: &str, entities: &Value) -> String {
    check_message(text, entities.as_array().unwrap()).expect_err("must be refused")
}

#[test]
fn good_messages_pass() {
    for entities in [
        json!([]),
        json!([{"type":"bold","offset":0,"length":2},{"type":"italic","offset":0,"length":2}]),
        json!([{"type":"bold","offset":0,"length":5},{"type":"text_link","offset":3,"length":2,"url":"https://example.org/x"}]),
        json!([{"type":"blockquote","offset":0,"length":8},{"type":"code","offset":3,"length":2}]),
        json!([{"type":"blockquote","offset":3,"length":2},{"type":"code","offset":3,"length":2}]),
        json!([{"type":"pre","offset":3,"length":2,"language":"rust"}]),
    ] {
        assert_eq!(check_message("😀 abcdef", entities.as_array().unwrap()), Ok(()), "{entities}");
    }
}

#[test]
fn bad_entities_are_refused() {
    let table = [
        (json!([{"type":"bold","offset":1,"length":2}]), "splits a surrogate pair"),
        (json!([{"type":"bold","offset":0,"length":1}]), "splits a surrogate pair"),
        (json!([{"type":"bold","offset":3,"length":0}]), "length 0"),
        (json!([{"type":"bold","offset":3,"length":7}]), "ends after"),
        (json!([{"type":"bold","offset":-1,"length":2}]), "must be a Number"),
        (json!([{"type":"fat","offset":3,"length":2}]), "Unsupported type"),
        (json!([{"type":"url","offset":3,"length":2}]), "finds url itself"),
        (json!([{"type":"bold","offset":2,"length":1}]), "only white space"),
        (json!([{"type":"bold","offset":3,"length":1,"url":"x"}]), "has no place"),
        (json!([{"type":"text_link","offset":3,"length":1}]), "Can't find field"),
        (json!([{"type":"text_link","offset":3,"length":1,"url":"javascript:alert(1)"}]), "scheme"),
        (
            json!([{"type":"text_link","offset":3,"length":1,"url":"https://localhost/"}]),
            "wrong host",
        ),
        (json!([{"type":"pre","offset":3,"length":1,"language":""}]), "one word"),
        (
            json!([{"type":"bold","offset":3,"length":3},{"type":"italic","offset":5,"length":3}]),
            "cross",
        ),
        (
            json!([{"type":"bold","offset":3,"length":3},{"type":"code","offset":4,"length":1}]),
            "allow nothing",
        ),
        (
            json!([{"type":"code","offset":3,"length":3},{"type":"bold","offset":3,"length":3}]),
            "allow nothing",
        ),
        (
            json!([{"type":"bold","offset":3,"length":3},{"type":"bold","offset":4,"length":1}]),
            "themselves",
        ),
        (
            json!([{"type":"blockquote","offset":3,"length":3},{"type":"blockquote","offset":4,"length":1}]),
            "wrongly",
        ),
    ];
    for (entities, words) in table {
        let said = refused("😀 abcdef", &entities);
        assert!(said.contains(words), "{entities}: {said}");
    }
    let many: Vec<_> = (0..101).map(|i| json!({"type":"bold","offset":i * 2,"length":1})).collect();
    assert!(refused(&"a ".repeat(101), &json!(many)).contains("keeps 100"));
}

#[test]
fn lengths_and_emptiness() {
    assert_eq!(refused("", &json!([])), "message text is empty");
    assert_eq!(refused(" \n\t", &json!([])), "text must be non-empty");
    assert_eq!(refused("\u{200b}", &json!([])), "text must be non-empty");
    assert_eq!(check_message(&"😀".repeat(2048), &[]), Ok(()));
    assert_eq!(refused(&"😀".repeat(2049), &json!([])), "message is too long");
    let padded = format!("  {}  ", "a".repeat(4096));
    assert_eq!(check_message(&padded, &[]), Ok(()), "blanks at the ends do not count");
    assert_eq!(refused(&"a".repeat(40_000), &json!([])), "text is too long");
}

#[test]
fn keyboards() {
    let key = |button: Value| check_markup(&json!({"inline_keyboard":[[button]]}));
    assert!(key(json!({"text":"ok","callback_data":"x"})).is_ok_and(|m| m.is_some()));
    for data in [json!(""), json!("x".repeat(65)), json!(5)] {
        assert_eq!(
            key(json!({"text":"ok","callback_data":data})),
            Err("BUTTON_DATA_INVALID".to_owned())
        );
    }
    assert!(key(json!({"text":"ok"})).is_err());
    assert!(key(json!({"text":"","callback_data":"x"})).is_err());
    assert!(key(json!({"text":"ok","callback_data":"x","url":"https://a.b"})).is_err());
    assert!(check_markup(&json!({"inline_keyboard":[]})).is_ok_and(|m| m.is_none()));
    assert!(check_markup(&json!({"inline_keyboard":[{}]})).is_err());
}

/// What was stored is stored again as it is: an edit with the same content is "not modified".
#[test]
fn storing_is_idempotent() {
    let alphabet = [' ', '\n', '\t', '\r', '\u{1}', '\u{202a}', 'a', 'ä', '😀', 'b'];
    let kinds = ["bold", "italic", "code", "blockquote", "spoiler"];
    let mut rng = fastrand::Rng::with_seed(5);
    let mut stored_count = 0;
    for _ in 0..50_000 {
        let text: String =
            (0..rng.usize(1..12)).map(|_| alphabet[rng.usize(..alphabet.len())]).collect();
        let entities: Vec<Value> = (0..rng.usize(0..4))
            .map(|_| {
                json!({"type": kinds[rng.usize(..kinds.len())], "offset": rng.usize(0..8),
                    "length": rng.usize(1..6)})
            })
            .collect();
        let Ok(stored) = store(&text, &entities) else {
            continue;
        };
        stored_count += usize::from(!stored.entities.is_empty());
        assert_eq!(
            stored.entities.len(),
            entities.len(),
            "nothing is dropped: {text:?} {entities:?}"
        );
        let again = store(&stored.text, &stored.entities);
        assert_eq!(again, Ok(stored), "{text:?} {entities:?}");
    }
    assert!(stored_count > 3_000, "only {stored_count} with entities");
}
