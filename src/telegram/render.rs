//! From what a model writes to what Telegram shows: Markdown to messages of text and entities.
//!
//! Nothing that leaves here has to be parsed by Telegram, so nothing can fail to parse. What is
//! sent is what Telegram stores: the text is cleaned by Telegram's own rules before any offset is
//! taken (`clean`), entities are nested and exclusive as Telegram wants them (`spans`), and every
//! part begins and ends with something other than whitespace (`split`).
//!
//! # What is lost, and where
//!
//! * Whitespace where two parts meet, and at both ends of a message. A code block that goes on in
//!   the next part may lose the indentation of its first line there; cuts at lines without
//!   indentation are preferred.
//! * Parts that would show nothing (only whitespace and invisible characters) are left out, so
//!   both functions return no part at all for a text that shows nothing.
//! * All other characters arrive, in order, each with its formatting.

mod canvas;
mod clean;
mod cut;
mod effort;
mod link;
mod markdown;
mod math;
mod preview;
mod spans;
mod split;
mod table;
#[cfg(test)]
#[path = "../../tests/unit/render.rs"]
mod testing;
mod width;

use crate::model::limits::MESSAGE_UNITS;
use crate::model::text::Rich;

/// Markdown to messages: each at most 4,096 UTF-16 units and at most 100 entities.
///
/// `source` is Markdown as language models write it: CommonMark with tables, strikethrough, task
/// lists, footnotes and alerts. Any input is accepted. No part is blank; if nothing would be
/// visible, there is no part.
pub fn markdown(source: &str) -> Vec<Rich> {
    split::parts(markdown::read(source), MESSAGE_UNITS)
}

/// Plain text to messages, unformatted, within the same limits.
///
/// No part is blank; if nothing would be visible, there is no part.
pub fn plain(text: &str) -> Vec<Rich> {
    split::parts(canvas::Marked::plain(text), MESSAGE_UNITS)
}

/// A half-written answer in Markdown to one message: what is still open is closed.
///
/// When the answer is longer than one message, this is its last part so far, which is where the
/// writing goes on. Empty while nothing is visible yet: Telegram refuses that, so do not send it.
pub fn preview(source: &str) -> Rich {
    markdown(&preview::close(source)).pop().unwrap_or_default()
}

/// A formatted text to messages of at most `units` UTF-16 units (two at least, for a surrogate
/// pair) and 100 entities each. Entities that Telegram would drop are put right first.
pub fn split(rich: &Rich, units: usize) -> Vec<Rich> {
    split::parts(canvas::Marked::from_rich(rich), units)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::testing::{assert_sendable, formatted_chars};
    use super::*;
    use crate::model::text::{Entity, EntityKind, utf16_len};

    /// A message with its formatting made visible: `<b|…>` and so on.
    fn show(message: &Rich) -> String {
        let wide: Vec<u16> = message.text.encode_utf16().collect();
        let mut out = String::new();
        let mut last = 0;
        for at in 0..=wide.len() {
            let cut = message
                .entities
                .iter()
                .any(|e| e.offset as usize == at || (e.offset + e.length) as usize == at);
            if !cut && at < wide.len() {
                continue;
            }
            out += &String::from_utf16(&wide[last..at]).unwrap();
            last = at;
            let ends = |e: &&Entity| (e.offset + e.length) as usize == at;
            out += &">".repeat(message.entities.iter().filter(ends).count());
            for e in message.entities.iter().filter(|e| e.offset as usize == at) {
                out += &match &e.kind {
                    EntityKind::Bold => "<b|".to_owned(),
                    EntityKind::Italic => "<i|".to_owned(),
                    EntityKind::Strikethrough => "<s|".to_owned(),
                    EntityKind::Code => "<c|".to_owned(),
                    EntityKind::Quote => "<q|".to_owned(),
                    EntityKind::Pre { language } => {
                        format!("<pre:{}|", language.as_deref().unwrap_or_default())
                    }
                    EntityKind::Link { url } => format!("<a:{url}|"),
                };
            }
        }
        out
    }

    /// Renders to exactly one message, or to nothing.
    fn shown(source: &str) -> String {
        let parts = markdown(source);
        parts.iter().for_each(assert_sendable);
        assert!(parts.len() < 2, "{parts:?}");
        parts.first().map(show).unwrap_or_default()
    }

    #[test]
    fn inline_markup_becomes_entities() {
        for (source, want) in [
            ("a **b** *c* ~~d~~ `e`", "a <b|b> <i|c> <s|d> <c|e>"),
            ("***both***", "<b|<i|both>>"),
            ("**bold `code` bold**", "<b|bold> <c|code> <b|bold>"),
            ("**bold *italic***", "<b|bold <i|italic>>"),
            ("**a**__b__", "<b|ab>"),
            ("**bold **", "**bold **"),
            ("~5 min, ~old~", "~5 min, ~old~"),
            ("[**x** `y`](https://a.b)", "<a:https://a.b|<b|x> y>"),
            ("**[x](https://a.b) y**", "<b|<a:https://a.b|x> y>"),
            ("[x](http://localhost)", "x (http://localhost)"),
            ("[](https://a.b)", "<a:https://a.b|https://a.b>"),
            ("[x]() [](y)", "x y"),
            ("<https://a.b> <m@a.b>", "<a:https://a.b|https://a.b> m@a.b"),
            ("![alt](https://a.b/i.png)", "<a:https://a.b/i.png|alt>"),
            ("[![alt](https://i.c)](https://a.b)", "<a:https://a.b|alt>"),
            ("a <b>c</b><br/>d", "a <b>c</b>\nd"),
            ("a\nb  \nc\\\nd", "a\nb\nc\nd"),
            ("$x_1 = 2$ for $5", "<c|x_1 = 2> for $5"),
            ("&lt;b&gt; &amp; &#0;", "<b> & \u{FFFD}"),
            ("a[^1]\n\n[^1]: b", "a[1]\n\n[1] b"),
            ("\u{202E}a\tb\0c\u{2028}d", "a b c\nd"),
        ] {
            assert_eq!(shown(source), want, "{source:?}");
        }
    }

    #[test]
    fn blocks_become_lines() {
        for (source, want) in [
            ("# A\nb\n\n## C **d**\n\ne", "<b|A>\nb\n\n<b|C d>\ne"),
            ("- a\n- b\n  - c\n\nd", "• a\n• b\n    • c\n\nd"),
            ("3. a\n4. b", "3. a\n4. b"),
            ("- a\n\n  b\n\n- c", "• a\n\n    b\n\n• c"),
            ("- [ ] a\n- [x] b", "☐ a\n☑ b"),
            ("- - a\n-\n- b", "• • a\n•\n• b"),
            ("- 1. [x] a\n  2. b", "• ☑ a\n    2. b"),
            ("1. a\n   ```sh\n   b\n   ```\n2. c", "1. a\n<pre:sh|b>\n2. c"),
            ("> a\n> > b\n\nc", "<q|a\n\nb>\n\nc"),
            ("- > a", "•\n    <q|a>"),
            ("> [!TIP]\n> a", "<q|<b|Tip>\na>"),
            ("> ```\n>   a\n> ```", "<q|<pre:|a>>"),
            ("x\n\n>     code\n> \n> a", "x\n\n<q|<pre:|code>\n\na>"),
            ("a\n\n---\n\nb", "a\n\n———\n\nb"),
            ("<div>\n**a**\n</div>\n\nb", "<div>\n**a**\n</div>\n\nb"),
            ("", ""),
            ("\n \u{200B}\n", ""),
            ("****", "———"),
            ("```\n```", ""),
            ("[a]: https://b.c", ""),
        ] {
            assert_eq!(shown(source), want, "{source:?}");
        }
    }

    #[test]
    fn code_keeps_its_form_and_a_sane_language() {
        for (source, want) in [
            ("```rust\nfn a() {\n\tb\n}\n```", "<pre:rust|fn a() {\n    b\n}>"),
            ("```\n\n  a\n\n\n  b\n\n```", "<pre:|a\n\n\n  b>"),
            ("x\n\n```\n  a\n```", "x\n\n<pre:|  a>"),
            ("```C++ title=x\na\n```", "<pre:c++|a>"),
            ("```{.python}\na\n```", "<pre:python|a>"),
            ("```<script>\na\n```", "<pre:|a>"),
            ("```\na **b**\n", "<pre:|a **b**>"),
            ("    a\n    b", "<pre:|a\nb>"),
        ] {
            assert_eq!(shown(source), want, "{source:?}");
        }
    }

    #[test]
    fn small_tables_are_aligned_and_others_listed() {
        let small = "|a|b|c|\n|-|-:|:-:|\n|`x`|1|漢|\n|long|**22**||";
        assert_eq!(
            shown(small),
            "<pre:|a    |  b | c\n-----+----+---\nx    |  1 | 漢\nlong | 22 |>"
        );
        let linked = "|a|b|\n|-|-|\n|x|[y](https://a.b)|\n||z|";
        assert_eq!(shown(linked), "• <b|x>\n    b: <a:https://a.b|y>\n• b: z");
        let wide = format!("|a|b|\n|-|-|\n|x|{}|", "w".repeat(60));
        assert_eq!(shown(&wide), format!("• <b|x>\n    b: {}", "w".repeat(60)));
        let names = format!("|{}|b|\n|-|-|\n{}", "n".repeat(4000), "|x|y|\n".repeat(8));
        let parts = markdown(&names);
        parts.iter().for_each(assert_sendable);
        assert!(parts.iter().map(|p| p.text.len()).sum::<usize>() < 5000);
    }

    #[test]
    fn right_to_left_text_survives() {
        let source = "**שלום** עולם\u{200F}! مرحبا\u{200E}.";
        assert_eq!(shown(source), "<b|שלום> עולם\u{200F}! مرحبا\u{200E}.");
    }

    #[test]
    fn a_preview_is_one_message_with_everything_closed() {
        assert_eq!(show(&preview("a **b")), "a <b|b>");
        assert_eq!(show(&preview("```rs\nlet")), "<pre:rs|let>");
        assert_eq!(preview(" \n"), Rich::default());
        let long = "word ".repeat(1500);
        assert_eq!(Some(preview(&long)), markdown(&long).pop());
    }

    #[test]
    fn long_code_goes_on_as_code() {
        let code: String = (0..600).map(|i| format!("def f{i}():\n    return {i}\n\n")).collect();
        let parts = markdown(&format!("Here:\n\n```python\n{code}```\n\nDone."));
        assert!(parts.len() > 3);
        for part in &parts {
            assert_sendable(part);
            assert_eq!(part.entities.len(), 1);
            assert!(matches!(&part.entities[0].kind,
                EntityKind::Pre { language: Some(l) } if l == "python"));
        }
        // Functions are not torn, so no indentation is lost.
        assert!(parts[1..].iter().all(|p| p.text.starts_with("def")));
    }

    #[test]
    fn too_many_entities_make_another_part() {
        let parts = markdown(&"**a** `b` ".repeat(150));
        assert_eq!(parts.len(), 3);
        parts.iter().for_each(assert_sendable);
    }

    #[test]
    fn hostile_nesting_stays_linear() {
        let size = 16 * 1024;
        for unit in [
            "*[`(`> ",
            "> ",
            "- ",
            "*",
            "_a ",
            "**a ",
            "[",
            "![",
            "[a](",
            "`",
            "``a`",
            "<",
            "<a ",
            "~~",
            "|",
            "|a",
            "\n|-",
            "1. ",
            "  - a\n",
            "> - ",
            "&#",
            "$",
            "$$",
            "${",
            "\\",
            "[^a]",
            "[^a]: ",
            "[a]: b\n",
            "\n\n    ",
            "\u{301}",
            "\u{200D}",
            "\u{1F1E6}",
            "👨\u{200D}",
            " \n",
            "***a** b* ",
            "<!--",
            "<![CDATA[",
            "<?",
            "**a*~~",
            "a\n===\n",
            "#",
            "# a\n",
        ] {
            let source = unit.repeat(size / unit.len());
            let clock = std::time::Instant::now();
            let parts = markdown(&source);
            parts.iter().for_each(assert_sendable);
            assert!(clock.elapsed().as_secs() < 20, "{unit:?} took {:?}", clock.elapsed());
        }
    }

    #[test]
    fn what_would_take_hours_to_parse_is_shown_as_it_is() {
        let source = format!("{}a{}", ">".repeat(64 * 1024), "\nb".repeat(32 * 1024));
        let parts = markdown(&source);
        assert!(parts[0].text.starts_with(">>>"));
        parts.iter().for_each(assert_sendable);
    }

    fn hostile() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            4 => "[a-z]{1,9} ?",
            4 => prop::sample::select(vec![
                "*", "**", "***", "_", "~~", "~", "`", "``", "[", "](https://a.b)", "](x)", "![",
                "> ", "\n> ", "\n- ", "\n    - ", "\n1. ", "\n- [x] ", "\n# ", "\n```", "\n```rs\n",
                "\n---\n", "\n|a|b|\n|-|-|\n|", "|", "\n\n", "\n", "  \n", "\t", "    ", "<b>",
                "<br>", "&lt;", "\\", "$", "$$", "[^1]", "\n[^1]: ", "\\(", "\\)", "\\[", "\\]", "\n[a]: https://c.d\n", "[a]",
            ]).prop_map(String::from),
            2 => prop::sample::select(vec![
                "😀", "👨\u{200D}👩\u{200D}👧", "🇩🇪", "e\u{301}", "\u{200F}", "\u{200E}", "\u{202E}",
                "\u{2028}", "\u{30A}", "\0", "\r\n", "\u{A0}", "\u{3000}", "\u{FE0F}", "漢字。", "שלום",
                "\u{200B}",
            ]).prop_map(String::from),
            1 => any::<char>().prop_map(String::from),
            1 => "[ -~]{200,900}",
        ];
        prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn every_part_is_what_telegram_would_keep(source in hostile()) {
            markdown(&source).iter().for_each(assert_sendable);
            plain(&source).iter().for_each(assert_sendable);
            let preview = preview(&source);
            if preview != Rich::default() {
                assert_sendable(&preview);
            }
        }

        #[test]
        fn parts_joined_give_back_the_text_and_its_formatting(
            source in hostile(), units in 2usize..400,
        ) {
            let Some(whole) = super::split::parts(markdown::read(&source), usize::MAX)
                .into_iter()
                .reduce(join)
            else { return Ok(()) };
            let parts = split(&whole, units);
            for part in &parts {
                prop_assert_eq!(testing::check(part, units), Ok(()));
            }
            let joined: Vec<_> = parts.iter().flat_map(formatted_chars).collect();
            prop_assert_eq!(joined, formatted_chars(&whole));
        }

        #[test]
        fn splitting_takes_any_entities(
            text in hostile(),
            entities in prop::collection::vec((0u32..300, 0u32..300, 0usize..8), 0..40),
        ) {
            let kind = |k| match k {
                0 => EntityKind::Bold,
                1 => EntityKind::Italic,
                2 => EntityKind::Strikethrough,
                3 => EntityKind::Code,
                4 => EntityKind::Pre { language: Some("a".into()) },
                5 => EntityKind::Quote,
                6 => EntityKind::Link { url: "https://a.b".into() },
                _ => EntityKind::Link { url: "https://c.d".into() },
            };
            let entities = entities
                .into_iter()
                .map(|(offset, length, k)| Entity { kind: kind(k), offset, length })
                .collect();
            split(&Rich { text, entities }, MESSAGE_UNITS).iter().for_each(assert_sendable);
        }

        #[test]
        fn plain_text_arrives_as_it_is(text in "[ -~\n😀é漢]{0,9000}") {
            let visible = |t: &str| t.split_whitespace().collect::<String>();
            let parts = plain(&text);
            prop_assert!(parts.iter().all(|p| utf16_len(&p.text) <= MESSAGE_UNITS));
            prop_assert!(parts.iter().all(|p| p.entities.is_empty()));
            let joined: String = parts.iter().map(|p| visible(&p.text)).collect();
            prop_assert_eq!(joined, visible(&text));
        }
    }

    /// Two messages as one, as far as a test needs it.
    fn join(mut a: Rich, b: Rich) -> Rich {
        a.text.push('\n');
        let shift = utf16_len(&a.text) as u32;
        a.text.push_str(&b.text);
        a.entities.extend(b.entities.into_iter().map(|e| Entity { offset: e.offset + shift, ..e }));
        a
    }
}
