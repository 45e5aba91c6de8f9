//! What the elements of HTML mean to a reader of text.

/// What an element is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Not read.
    Skip(Skip),
    /// The title of the page.
    Title,
    /// The main part of the page.
    Main,
    /// A heading of this level.
    Heading(u8),
    /// Something that stands by itself: a paragraph or a group of them.
    Block,
    /// A list.
    List,
    /// An entry of a list.
    Item,
    /// A line of its own: a term of a glossary, its explanation.
    Line,
    /// A new line.
    Break,
    /// A rule, which separates paragraphs.
    Rule,
    /// Text whose line breaks count.
    Pre,
    /// Code in a line.
    Code,
    /// A table.
    Table,
    /// A row of a table.
    Row,
    /// A cell; whether it is one of a header.
    Cell(bool),
    /// Part of a line.
    Inline,
}

/// When an element is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Skip {
    /// It is never text.
    Always,
    /// It is not content, unless there is nothing else.
    Surroundings,
}

/// What the element of this name is.
pub(super) fn kind(name: &[u8]) -> Kind {
    match name {
        b"script" | b"style" | b"noscript" | b"template" | b"svg" | b"math" | b"iframe"
        | b"object" | b"canvas" | b"audio" | b"video" | b"select" | b"textarea" | b"button" => {
            Kind::Skip(Skip::Always)
        }
        b"nav" | b"footer" | b"aside" | b"dialog" | b"menu" => Kind::Skip(Skip::Surroundings),
        b"title" => Kind::Title,
        b"main" | b"article" => Kind::Main,
        b"h1" => Kind::Heading(1),
        b"h2" => Kind::Heading(2),
        b"h3" => Kind::Heading(3),
        b"h4" => Kind::Heading(4),
        b"h5" => Kind::Heading(5),
        b"h6" => Kind::Heading(6),
        b"p" | b"div" | b"section" | b"blockquote" | b"figure" | b"figcaption" | b"header"
        | b"form" | b"fieldset" | b"address" | b"details" | b"summary" | b"body" | b"html"
        | b"center" | b"caption" | b"hgroup" | b"legend" => Kind::Block,
        b"ul" | b"ol" | b"dl" => Kind::List,
        b"li" => Kind::Item,
        b"dt" | b"dd" | b"option" => Kind::Line,
        b"br" => Kind::Break,
        b"hr" => Kind::Rule,
        b"pre" | b"listing" | b"xmp" => Kind::Pre,
        b"code" | b"kbd" | b"samp" | b"tt" => Kind::Code,
        b"table" => Kind::Table,
        b"tr" => Kind::Row,
        b"th" => Kind::Cell(true),
        b"td" => Kind::Cell(false),
        _ => Kind::Inline,
    }
}

/// Whether the element has no end.
pub(super) fn is_void(name: &[u8]) -> bool {
    matches!(
        name,
        b"area"
            | b"base"
            | b"br"
            | b"col"
            | b"embed"
            | b"hr"
            | b"img"
            | b"input"
            | b"link"
            | b"meta"
            | b"param"
            | b"source"
            | b"track"
            | b"wbr"
    )
}
