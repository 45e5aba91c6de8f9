//! Web pages.

use super::*;

#[test]
fn a_page_is_read_without_what_surrounds_it() {
    let page = "<!DOCTYPE html><html><head><title>Install — Site</title><style>p{}</style>\
        <script>if (a<b) document.write('<h1>no</h1>')</script></head><body>\
        <nav><ul><li>Menu</li></ul></nav><div role=navigation>Crumbs</div>\
        <section id=\"install\"><h1>Install<a class=\"headerlink\" href=\"#install\">¶</a></h1>\
        <p>Use  <code>apt</code>\n and &lt;wait&gt;&nbsp;now.</p>\
        <ul><li><p>one</p></li><li>two<ul><li>inner</li></ul></li></ul>\
        <h2 id=tok>Token</h2><pre>\n  a &amp;&amp; b\n    c\n</pre>\
        <p hidden>no</p><p>line<br>next</section><footer>Imprint</footer></body></html>";
    let document = read(Format::Html, page);
    assert_eq!(document.title.as_deref(), Some("Install"));
    let want = [
        "h1 Install #install",
        "Use `apt` and <wait>\u{a0}now.",
        "- one\n- two\n  - inner",
        "h2 Token #tok",
        "code   a && b\n    c",
        "line\nnext",
    ];
    assert_eq!(shown(&document), want);
}

#[test]
fn tables_are_tables_unless_they_only_place_things() {
    let page = "<table><tr><th>Key<th>Value<tr><td>a|b<td>1 <table><tr><td>x</table></table>\
        <table><tr><td>Only text.</td></tr><tr><td>More.</td></tr></table>\
        <table><tr><td class=linenos>1</td><td><pre>code\n</pre></td></tr></table>\
        <table><tr><td>menu<td><h2>Deep</h2><p>text</table>";
    let want = [
        "table | Key | Value |\n|---|---|\n| a\\|b | 1 x |",
        "Only text.\n\nMore.",
        "code code",
        "menu",
        "h2 Deep #",
        "text",
    ];
    assert_eq!(shown(&read(Format::Html, page)), want);
}

#[test]
fn the_main_part_counts_where_there_is_one() {
    let text = "Words of the article. ".repeat(20);
    let page = format!("<p>Subscribe!</p><main><h1>A</h1><p>{text}</p></main><p>Related</p>");
    assert_eq!(shown(&read(Format::Html, page)), ["h1 A #", text.trim_end()]);
    let short = "<p>All of the text.</p><article>x</article>";
    assert_eq!(shown(&read(Format::Html, short)), ["All of the text.", "x"]);
    let unclosed = "<nav><p>All that there is.";
    assert_eq!(shown(&read(Format::Html, unclosed)), ["All that there is."]);
}

#[test]
fn hostile_pages_cost_little() {
    let deep =
        format!("{}x{}", "<div><table><tr><td><ul><li>".repeat(100_000), "</b>".repeat(1000));
    assert_eq!(shown(&read(Format::Html, deep)).concat().matches('x').count(), 1);
    for odd in
        ["<", "<!--", "<a href='", "&#xffffffff;", "<script>", "<h1>", "<pre><pre></pre>", "]]>"]
    {
        let _ = extract(Format::Html, odd.repeat(10_000).as_bytes(), &Limits::default());
    }
    let picture = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x01\0".repeat(20);
    assert_eq!(refused(Format::Html, &picture), Problem::NotText);
}
