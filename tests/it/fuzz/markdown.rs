//! Markdown as models write it, and as those write it who want the bot to fall silent.

use botapi_sim::validate;
use katana::model::text::Rich;
use katana::telegram::render;

use super::Inputs;
use crate::rendering::entity;

const WORDS: &[&str] = &[
    "*",
    "**",
    "***",
    "_",
    "__",
    "~~",
    "`",
    "```",
    "```rust\n",
    "\n```\n",
    "> ",
    "\n>> ",
    "# ",
    "- ",
    "1. ",
    "- [x] ",
    "|a|b|\n|-|-|\n",
    "[a](https://example.org)",
    "[a][b]",
    "![a](b)",
    "<b>",
    "</b>",
    "<a href='x'>",
    "<details>",
    "$x$",
    "$$",
    "\\(",
    "\\[",
    "[^1]",
    "\n[^1]: ",
    "&lt;",
    "&#0;",
    "---\n",
    "\u{a0}",
    "\u{3000}",
    "<!--",
    "-->",
];

fn assert_sendable(source: &str, part: &Rich) {
    let entities: Vec<_> = part.entities.iter().map(entity).collect();
    let verdict = validate::check_message(&part.text, &entities);
    assert!(verdict.is_ok(), "{verdict:?} of {part:?} from {source:?}");
}

#[test]
fn any_markdown_becomes_messages_that_telegram_accepts() {
    let mut inputs = Inputs::of("markdown", WORDS);
    while let Some(input) = inputs.next() {
        let source = input.text();
        let parts = render::markdown(&source);
        // A link is the longest word for the shortest text: its address is shown.
        let (shown, bytes) =
            (parts.iter().map(|part| part.text.len()).sum::<usize>(), source.len());
        assert!(shown <= 16 * bytes + 64 && parts.len() <= bytes + 1, "{shown} of {bytes} bytes");
        for part in parts.iter().chain(&render::plain(&source)) {
            assert_sendable(&source, part);
        }
        let preview = render::preview(&source);
        if !preview.text.is_empty() {
            assert_sendable(&source, &preview);
        }
    }
}
