//! HTML that models like, made formatting; any other tag stays text.
//!
//! Tags that format words become characters that Unicode sets aside for programs and that no text
//! holds (`clean` removes them first). The parser takes those for letters, and the walk over its
//! events turns them into formatting. Tags that make blocks are written as Markdown. A tag without
//! its partner is text: its author talks about it.

mod blocks;
mod marks;
mod tags;

use std::borrow::Cow;

pub(super) use self::marks::{Piece, is_tag, pieces, restore};
pub(super) use self::tags::unclosed;

/// A source without its HTML, and the addresses of its links.
pub(super) struct Rewritten<'a> {
    pub(super) source: Cow<'a, str>,
    pub(super) links: Vec<String>,
}

/// Rewrites the HTML of `source`.
pub(super) fn rewrite(source: &str) -> Rewritten<'_> {
    let as_it_is = Rewritten { source: Cow::Borrowed(source), links: Vec::new() };
    if !source.contains('<') {
        return as_it_is;
    }
    let found = tags::find(source);
    if found.is_empty() {
        return as_it_is;
    }
    let mut links = Vec::new();
    let source = blocks::Writer::new(source).write(&found, &mut links);
    Rewritten { source: Cow::Owned(source), links }
}

/// HTML without its comments.
pub(super) fn without_comments(html: &str) -> String {
    let mut rest = html;
    let mut written = String::new();
    while let Some((before, comment)) = rest.split_once("<!--")
        && let Some((_, after)) = comment.split_once("-->")
    {
        written.push_str(before);
        rest = after;
    }
    written + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rewritten, with short names for what stands for tags.
    fn shown(source: &str) -> String {
        let rewritten = rewrite(source);
        restore(&rewritten.source, &rewritten.links).into_owned()
    }

    #[test]
    fn tags_that_make_blocks_become_markdown() {
        for (source, want) in [
            ("<ul>\n<li>a</li>\n<li>b</li>\n</ul>", "\n\n- a\n- b\n\n"),
            ("<ol><li>a<li>b</ol>c", "\n\n1. a\n2. b\n\nc"),
            ("x\n> <ul>\n> <li>a</li>\n> <li>b</li>\n> </ul>\ny", "x\n>\n> - a\n> - b\n>\n> \ny"),
            (
                "<ul>\n    <li>a\n        <ol>\n            <li>b</li>\n        </ol>\n    </li>\n</ul>",
                "\n\n- a\n  1. b\n\n",
            ),
            (
                "<details>\n<summary>More &amp; more</summary>\n\n- a\n\n</details>\nb",
                "\n\n<b>More &amp; more</b>\n\n- a\n\nb",
            ),
            (
                "<pre><code class=\"language-rust\">\nlet a = &amp;b;\n</code></pre>",
                "\n\n```rust\nlet a = &b;\n```\n\n",
            ),
            ("<pre>```</pre>", "\n\n````\n```\n````\n\n"),
            ("a <code>b*c &lt;</code> d", "a `b*c <` d"),
            ("<code>a`b</code>", "``a`b``"),
            ("H<sub>2</sub>O x<sup>n+1</sup> y<sup>Ω!</sup>", "H₂O xⁿ⁺¹ y^(Ω!)"),
            ("|a<br>b|<ul><li>c</li><li>d</li></ul>|", "|a<br>b|<br>• c<br>• d|"),
        ] {
            assert_eq!(shown(source), want, "{source:?}");
        }
    }

    #[test]
    fn what_is_code_or_has_no_partner_stays() {
        for source in [
            "The <b> tag, <ul> and <li> too",
            "`<b>x</b>` and ``<ul><li>a</li></ul>``",
            "```html\n<b>x</b>\n<ul><li>a</li></ul>\n```",
            "<div><span style=\"x\">a</span></div>",
            "a < b > c <- d",
            "<b>a\n\nb</b>",
            "<bold>x</bold>",
            "<li>a</li>",
            "<!-- <x> -->",
            "\\<b>x</b>",
            "</b>x<b>",
            "<a>x</a>",
        ] {
            assert_eq!(shown(source), source);
        }
    }
}
