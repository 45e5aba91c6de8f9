//! Markdown in, messages out: what people see of each construct, and bounds on hostile texts.

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
                EntityKind::Underline => "<u|".to_owned(),
                EntityKind::Strikethrough => "<s|".to_owned(),
                EntityKind::Code => "<c|".to_owned(),
                EntityKind::Quote => "<q|".to_owned(),
                EntityKind::FoldedQuote => "<fq|".to_owned(),
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
        ("a <b>c</b><br/>d", "a <b|c>\nd"),
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
fn emphasis_beside_punctuation_of_scripts_without_spaces() {
    for (source, want) in [
        ("**社区显示：**Fable", "<b|社区显示：>Fable"),
        ("これは**「重要なこと」**です。", "これは<b|「重要なこと」>です。"),
        ("他说**“引用”**是对的", "他说<b|“引用”>是对的"),
        ("**重点：**说明，**注意：**内容", "<b|重点：>说明，<b|注意：>内容"),
        ("*（斜体）*文字", "<i|（斜体）>文字"),
        ("~~「旧」~~新", "<s|「旧」>新"),
        ("이것은 **‘강조’**입니다", "이것은 <b|‘강조’>입니다"),
        ("คำว่า**“สำคัญ”**ครับ", "คำว่า<b|“สำคัญ”>ครับ"),
        ("- **名前：**値\n- **`code`**を使う", "• <b|名前：>値\n• <c|code>を使う"),
        ("|項目|値|\n|-|-|\n|**一：**二|三|", "<pre:|項目   | 値\n-------+---\n一：二 | 三>"),
        ("[**说明：**看](https://a.b)", "<a:https://a.b|<b|说明：>看>"),
        ("`**：**x`", "<c|**：**x>"),
        ("2 ** 3，5 * 4", "2 ** 3，5 * 4"),
        ("__「重要」__です", "<b|「重要」>です"),
    ] {
        assert_eq!(shown(source), want, "{source:?}");
    }
}

#[test]
fn html_that_models_like_becomes_formatting() {
    for (source, want) in [
        ("<b>a</b> <i>b</i> <u>c</u> <s>d</s>", "<b|a> <i|b> <u|c> <s|d>"),
        ("<strong>a</strong> <em>b</em> <del>c</del>", "<b|a> <i|b> <s|c>"),
        ("<B>a</B>, **<u>b</u>**, <b>*c*</b>", "<b|a>, <b|<u|b>>, <b|<i|c>>"),
        ("<code>a*b*c</code>", "<c|a*b*c>"),
        ("<a href=\"https://a.b/?x=1&amp;y=2\">t</a>", "<a:https://a.b/?x=1&y=2|t>"),
        ("<a href='nowhere'>t</a>", "t (nowhere)"),
        ("[<b>x</b>](https://a.b)", "<a:https://a.b|<b|x>>"),
        ("a<br>b<br />c<br>\nd", "a\nb\nc\nd"),
        ("H<sub>2</sub>O, E = mc<sup>2</sup>", "H₂O, E = mc²"),
        ("<ul>\n<li>a <b>x</b></li>\n<li>b</li>\n</ul>\nc", "• a <b|x>\n• b\n\nc"),
        ("<ol><li>a<ul><li>b</li></ul></li><li>c</li></ol>", "1. a\n    • b\n2. c"),
        ("<details><summary>T</summary>\n**x**\n</details>", "<b|T>\n\n<b|x>"),
        ("<pre>a &lt; b\n  c</pre>", "<pre:|a < b\n  c>"),
        ("<pre><code class=\"language-sh\">ls\n</code></pre>\n\nx", "<pre:sh|ls>\n\nx"),
        ("|a|b|\n|-|-|\n|x<br>y|<b>z</b>|", "<pre:|a   | b\n----+--\nx y | z>"),
        ("# <u>A</u>\nb", "<b|<u|A>>\nb"),
        ("- <b>a</b><br>b", "• <b|a>\n    b"),
        ("<b>\na\n</b>", "<b|a>"),
        // Others stay, and so does what is talked about.
        ("<div>a</div> <span>b</span>", "<div>a</div> <span>b</span>"),
        ("Use the <b> tag", "Use the <b> tag"),
        ("<div>\n<b>a</b>\n</div>", "<div>\n<b|a>\n</div>"),
        ("`<b>x</b>`", "<c|<b>x</b>>"),
        ("```html\n<b>x</b>\n```", "<pre:html|<b>x</b>>"),
        ("a\n\n    <b>x</b><br>", "a\n\n<pre:|<b>x</b><br>>"),
        ("<b></b> <i> </i>", ""),
    ] {
        assert_eq!(shown(source), want, "{source:?}");
    }
}

#[test]
fn a_block_that_holds_blocks_stays_one() {
    let source = "Put this there:\n```markdown\n# A\n```bash\nls\n```\nb\n```\nThat is **all**.";
    let want = "Put this there:\n\n<pre:markdown|# A\n```bash\nls\n```\nb>\n\nThat is <b|all>.";
    assert_eq!(shown(source), want);
    let whole = preview("```markdown\n# A\n```bash\nls\n```\nb");
    assert_eq!(show(&whole), "<pre:markdown|# A\n```bash\nls\n```\nb>");
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
    assert_eq!(shown(small), "<pre:|a    |  b | c\n-----+----+---\nx    |  1 | 漢\nlong | 22 |>");
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
fn formatting_thins_out_before_a_message_splits() {
    let kinds = |part: &Rich| {
        let mut kinds: Vec<_> = part.entities.iter().map(|e| format!("{:?}", e.kind)).collect();
        kinds.dedup();
        kinds
    };
    let items = (1..=140).map(|i| format!("{i}. **Item {i}**: `a{i}`\n")).collect::<String>();
    for (source, left) in [
        (format!("# Title\n\n{}", "- **a** b\n".repeat(140)), vec!["Bold"]),
        (items, vec![]),
        ("*a* `b` ".repeat(90), vec!["Code"]),
        ("**a** ~~b~~ ".repeat(90), vec!["Strikethrough"]),
        ("**a** b ".repeat(90), vec!["Bold"]),
        (format!("> *a*\n\n{}", "- <u>a</u> _b_\n".repeat(120)), vec!["Quote"]),
    ] {
        let parts = markdown(&source);
        parts.iter().for_each(assert_sendable);
        assert_eq!(parts.len(), 1, "{source}");
        assert_eq!(kinds(&parts[0]), left, "{source}");
    }
    // The title stays, and the rest looks alike.
    let parts = markdown(&format!("# Title\n\n{}", "- **a** b\n".repeat(140)));
    assert_eq!(parts[0].entities, [Entity { kind: EntityKind::Bold, offset: 0, length: 5 }]);
}

#[test]
fn formatting_of_whitespace_at_the_end_goes_with_it() {
    let many = (0..119).map(|i| Entity { kind: EntityKind::Code, offset: i * 2, length: 1 });
    let beyond = Entity { kind: EntityKind::Bold, offset: 238, length: 5 };
    let text = "a ".repeat(120) + "   ";
    let parts = split(&Rich { text, entities: many.chain([beyond]).collect() }, MESSAGE_UNITS);
    parts.iter().for_each(assert_sendable);
    assert_eq!(parts.len(), 1);
    markdown(&("`a` ".repeat(120) + "**a<br><br>**")).iter().for_each(assert_sendable);
}

#[test]
fn addresses_are_worth_another_part() {
    let link = |i| format!("- **x** [t](https://a.b/{i})\n");
    let parts = markdown(&(0..150).map(link).collect::<String>());
    assert_eq!(parts.len(), 2);
    parts.iter().for_each(assert_sendable);
    let links = parts.iter().flat_map(|part| &part.entities);
    let links = links.filter(|e| matches!(e.kind, EntityKind::Link { .. })).count();
    assert_eq!(links, 150);
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
        "<b>",
        "<b>a</b>",
        "</b>",
        "<ul><li>",
        "<ul><li>a</li></ul>",
        "<code>a",
        "<pre>a",
        "<a href=",
        "<a href='https://a.b'>a</a>",
        "<sup>2</sup>",
        "```a\n",
        "\n```\n```a",
        "**：",
        "：**",
        "<details>",
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
            "</b>", "<i>", "</i>", "<ul>", "</ul>", "<li>", "</li>", "<ol>", "</ol>", "<code>", "</code>",
            "<pre>", "</pre>", "<a href='https://a.b'>", "</a>", "<sup>", "</sup>", "<details>", "<summary>",
            "</summary>", "</details>", "\n```md\n", "\n~~~\n",
        ]).prop_map(String::from),
        2 => prop::sample::select(vec![
            "😀", "👨\u{200D}👩\u{200D}👧", "🇩🇪", "e\u{301}", "\u{200F}", "\u{200E}", "\u{202E}",
            "\u{2028}", "\u{30A}", "\0", "\r\n", "\u{A0}", "\u{3000}", "\u{FE0F}", "漢字。", "שלום",
            "\u{200B}", "\u{FDD1}", "\u{FDDD}\u{FDE1}", "：", "「", "」",
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

    /// More formatting than a message takes.
    #[test]
    fn every_part_is_what_telegram_would_keep_of_many_marks(
        start in hostile(), unit in "[*_~`a< \u{A0}]{1,12}", times in 50usize..150, end in hostile(),
    ) {
        let source = start + &unit.repeat(times) + &end;
        markdown(&source).iter().for_each(assert_sendable);
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
        entities in prop::collection::vec((0u32..300, 0u32..300, 0usize..9), 0..40),
    ) {
        let kind = |k| match k {
            0 => EntityKind::Bold,
            1 => EntityKind::Italic,
            2 => EntityKind::Strikethrough,
            3 => EntityKind::Code,
            4 => EntityKind::Pre { language: Some("a".into()) },
            5 => EntityKind::Quote,
            6 => EntityKind::Link { url: "https://a.b".into() },
            7 => EntityKind::FoldedQuote,
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
