//! Which format a file has, by its name.
//!
//! Invariant: endings are compared without regard to case, and belong to one format each.

use std::path::Path;

use serde::{Deserialize, Serialize};

/// A format that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Markdown.
    Markdown,
    /// Plain text, also with underlined headings.
    Text,
    /// A web page.
    Html,
    /// PDF.
    Pdf,
    /// A document of Word since 2007.
    Docx,
    /// A document of LibreOffice Writer.
    Odt,
    /// A book.
    Epub,
    /// A table with a header.
    Csv,
    /// Source code and configuration.
    Code,
}

/// Each format, its name, and the endings of its files.
const FORMATS: &[(Format, &str, &[&str])] = &[
    (Format::Markdown, "markdown", &["md", "markdown", "mdown", "mkd", "mdx", "qmd"]),
    (Format::Text, "text", &["txt", "text", "rst", "adoc", "asciidoc", "org"]),
    (Format::Html, "html", &["html", "htm", "xhtml"]),
    (Format::Pdf, "pdf", &["pdf"]),
    (Format::Docx, "docx", &["docx", "docm", "dotx"]),
    (Format::Odt, "odt", &["odt", "ott"]),
    (Format::Epub, "epub", &["epub"]),
    (Format::Csv, "csv", &["csv", "tsv"]),
    (
        Format::Code,
        "code",
        &[
            "bash", "c", "cc", "cfg", "clj", "conf", "cpp", "cs", "dart", "ex", "exs", "fish",
            "go", "graphql", "groovy", "h", "hcl", "hpp", "hs", "ini", "java", "jl", "js", "json",
            "jsx", "kt", "kts", "lua", "m", "mjs", "ml", "nix", "php", "pl", "pm", "proto", "ps1",
            "py", "r", "rb", "rs", "scala", "service", "sh", "sql", "swift", "tf", "toml", "ts",
            "tsx", "vue", "xml", "yaml", "yml", "zig", "zsh",
        ],
    ),
];

impl Format {
    /// All formats.
    pub fn all() -> impl Iterator<Item = Self> {
        FORMATS.iter().map(|(format, _, _)| *format)
    }

    /// The format of a file, by the ending of its name; `None` for what is not read.
    pub fn of(path: &Path) -> Option<Self> {
        let ending = path.extension()?.to_str()?.to_ascii_lowercase();
        let mut formats = FORMATS.iter();
        let found = formats.find(|(_, _, endings)| endings.contains(&ending.as_str()))?;
        Some(found.0)
    }

    /// The format of this name.
    pub fn named(name: &str) -> Option<Self> {
        FORMATS.iter().find(|(_, known, _)| *known == name).map(|(format, _, _)| *format)
    }

    /// Its name, in small letters.
    pub fn name(self) -> &'static str {
        self.row().1
    }

    /// The endings of its files, in small letters and without the dot.
    pub fn endings(self) -> &'static [&'static str] {
        self.row().2
    }

    /// Whether it is read line by line, so that it needs no process of its own.
    pub fn is_simple(self) -> bool {
        matches!(self, Self::Markdown | Self::Text | Self::Csv | Self::Code)
    }

    /// Names of all formats.
    pub fn names() -> Vec<&'static str> {
        FORMATS.iter().map(|(_, name, _)| *name).collect()
    }

    fn row(self) -> &'static (Self, &'static str, &'static [&'static str]) {
        FORMATS.iter().find(|(format, _, _)| *format == self).unwrap_or(&FORMATS[0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_endings_are_unambiguous() {
        let endings: Vec<_> = Format::all().flat_map(Format::endings).collect();
        let unique: std::collections::BTreeSet<_> = endings.iter().collect();
        assert_eq!(unique.len(), endings.len());
        for format in Format::all() {
            assert_eq!(Format::named(format.name()), Some(format));
            for ending in format.endings() {
                let path = format!("some folder/A.{}", ending.to_uppercase());
                assert_eq!(Format::of(Path::new(&path)), Some(format));
            }
        }
        assert_eq!(Format::names().len(), 9);
        for other in ["picture.png", "README", "a.docx.zip", ".md", "x."] {
            assert_eq!(Format::of(Path::new(other)), None, "{other}");
        }
    }
}
