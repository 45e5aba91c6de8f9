//! Rendering against the simulator's strict validator, which shares no code with the renderer.

use botapi_sim::validate;
use katana::model::text::{Entity, EntityKind, Rich};
use katana::telegram::render;
use proptest::prelude::*;
use serde_json::{Value, json};

/// An entity as `sendMessage` takes it.
pub fn entity(e: &Entity) -> Value {
    let mut value = json!({ "offset": e.offset, "length": e.length });
    value["type"] = json!(match &e.kind {
        EntityKind::Bold => "bold",
        EntityKind::Italic => "italic",
        EntityKind::Underline => "underline",
        EntityKind::Strikethrough => "strikethrough",
        EntityKind::Code => "code",
        EntityKind::Pre { .. } => "pre",
        EntityKind::Link { .. } => "text_link",
        EntityKind::Quote => "blockquote",
        EntityKind::FoldedQuote => "expandable_blockquote",
    });
    match &e.kind {
        EntityKind::Pre { language: Some(language) } => value["language"] = json!(language),
        EntityKind::Link { url } => value["url"] = json!(url),
        _ => {}
    }
    value
}

fn check(part: &Rich) -> Result<(), TestCaseError> {
    let entities: Vec<_> = part.entities.iter().map(entity).collect();
    let verdict = validate::check_message(&part.text, &entities);
    prop_assert!(verdict.is_ok(), "{verdict:?}: {part:?}");
    Ok(())
}

/// Pieces that Markdown, Unicode and long answers are made of.
fn source() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[a-z ]{0,40}",
        2 => "[ -~]{300,2000}",
        3 => prop::sample::select(vec![
            "**", "*", "~~", "`", "```rs\n", "\n```\n", "> ", "\n\n", "\n- ", "\n1. ", "# ", "|a|b|\n|-|-|\n|c|d|\n",
            "[t](https://example.org)", "[x](nowhere)", "<b>", "$x$", "\\", "---\n",
        ]).prop_map(String::from),
        2 => prop::sample::select(vec![
            "🙂", "👨\u{200d}👩\u{200d}👧", "🇩🇪", "e\u{301}", "\u{202e}", "\u{200f}שלום", "漢字", "\0", "\r\n", "\t",
        ]).prop_map(String::from),
        1 => any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_markdown_gives_messages_that_the_strict_validator_accepts(source in source()) {
        render::markdown(&source).iter().try_for_each(check)?;
    }

    #[test]
    fn any_text_gives_messages_that_the_strict_validator_accepts_and_nothing_visible_is_lost(
        source in source(),
    ) {
        let parts = render::plain(&source);
        parts.iter().try_for_each(check)?;
        let visible = |text: &str| text.chars().filter(char::is_ascii_alphanumeric).collect::<String>();
        let joined: String = parts.iter().map(|p| p.text.as_str()).collect();
        prop_assert_eq!(visible(&joined), visible(&source));
    }

    #[test]
    fn a_preview_is_acceptable_wherever_the_answer_stops(source in source()) {
        let preview = render::preview(&source);
        if !preview.text.is_empty() {
            check(&preview)?;
        }
    }
}
