//! Reads the repository as the house checks need it: files, code without words, test code apart.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// One file of the repository.
pub struct File {
    /// Path below the top, with `/`.
    pub path: String,
    /// As it is.
    pub text: String,
}

/// One file of Rust.
pub struct Source {
    /// Path below the top, with `/`.
    pub path: String,
    /// As it is.
    pub text: String,
    /// The same length, but comments and the insides of literals are blanks.
    pub code: String,
    /// Which lines (from 0) are only compiled for tests.
    test_lines: Vec<bool>,
}

/// A place in a file, as compilers print it.
pub fn at(path: &str, line: usize) -> String {
    format!("{path}:{}", line + 1)
}

/// The folder of this package.
pub fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// Reads one file by its path below the top.
pub fn read(path: &str) -> String {
    std::fs::read_to_string(top().join(path)).unwrap_or_else(|e| panic!("cannot read {path}: {e}"))
}

/// All text files below these folders (or these files themselves), in order.
pub fn files(folders: &[&str]) -> Vec<File> {
    let mut paths = Vec::new();
    for folder in folders {
        collect(&top().join(folder), &mut paths);
    }
    paths.sort();
    let name = |p: &PathBuf| p.strip_prefix(top()).ok()?.to_str().map(str::to_owned);
    paths
        .into_iter()
        .filter_map(|p| Some(File { path: name(&p)?, text: std::fs::read_to_string(&p).ok()? }))
        .collect()
}

fn collect(path: &Path, found: &mut Vec<PathBuf>) {
    if path.is_file() {
        found.push(path.to_owned());
    } else if let Ok(entries) = std::fs::read_dir(path) {
        for entry in entries.flatten() {
            if entry.file_name() != "target" {
                collect(&entry.path(), found);
            }
        }
    }
}

/// All Rust files below these folders.
pub fn sources(folders: &[&str]) -> Vec<Source> {
    let rust = files(folders).into_iter().filter(|f| f.path.ends_with(".rs"));
    let mut all: Vec<Source> = rust
        .map(|f| {
            let code = blank(&f.text);
            let in_tests =
                f.path.split('/').any(|dir| dir == "tests") || f.path.ends_with("tests.rs");
            let test_lines = test_lines(&code, in_tests);
            Source { path: f.path, text: f.text, code, test_lines }
        })
        .collect();
    // `#[cfg(test)] mod name;` makes another file test code, whatever its name.
    let outside: BTreeSet<String> = all.iter().flat_map(test_modules).collect();
    for source in &mut all {
        if outside
            .iter()
            .any(|p| source.path == format!("{p}.rs") || source.path.starts_with(&format!("{p}/")))
        {
            source.test_lines.fill(true);
        }
    }
    all
}

impl Source {
    /// Whether all of it is test code.
    pub fn is_test(&self) -> bool {
        self.test_lines.iter().all(|t| *t)
    }

    /// Lines of code outside of tests, numbered from 0, without comments and words.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code.lines().enumerate().filter(|(n, _)| !self.test_lines[*n])
    }

    /// The line (from 0) of a byte.
    pub fn line_of(&self, byte: usize) -> usize {
        self.code[..byte].bytes().filter(|b| *b == b'\n').count()
    }

    /// Whether a byte lies in test code.
    pub fn tests_at(&self, byte: usize) -> bool {
        self.test_lines[self.line_of(byte)]
    }

    /// The modules from the crate's root to this file: `src/store/inbox.rs` is `store`, `inbox`.
    pub fn module(&self) -> Vec<&str> {
        let inner = self.path.strip_prefix("src/").unwrap_or(&self.path);
        let inner = inner.strip_suffix(".rs").unwrap_or(inner);
        inner.split('/').filter(|part| *part != "mod").collect()
    }
}

/// Where `word` stands as a word of its own.
pub fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let inside = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    code.match_indices(word).map(|(at, _)| at).filter(move |at| {
        !inside(code[..*at].chars().next_back()) && !inside(code[at + word.len()..].chars().next())
    })
}

/// The end of the bracket that opens at `open`, or the end of the text.
pub fn closing(code: &str, open: usize) -> usize {
    let mut depth = 0;
    for (at, b) in code.bytes().enumerate().skip(open) {
        match b {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => {
                depth -= 1;
                if depth == 0 {
                    return at;
                }
            }
            _ => {}
        }
    }
    code.len()
}

/// Paths, without `.rs`, of modules that are only there for tests.
fn test_modules(source: &Source) -> Vec<String> {
    let folder = match source.path.rsplit_once('/') {
        Some((folder, "mod.rs" | "lib.rs" | "main.rs")) => folder.to_owned(),
        _ => source.path.trim_end_matches(".rs").to_owned(),
    };
    let after = source
        .code
        .match_indices("#[cfg(test)]")
        .map(|(at, found)| &source.code[at + found.len()..]);
    after
        .filter_map(|rest| rest.trim_start().strip_prefix("mod ")?.split_once(';'))
        .map(|(name, _)| name.trim())
        .filter(|name| name.chars().all(|c| c.is_alphanumeric() || c == '_'))
        .map(|name| format!("{folder}/{name}"))
        .collect()
}

fn test_lines(code: &str, all: bool) -> Vec<bool> {
    let mut lines = vec![all; code.lines().count().max(1)];
    for (at, _) in code.match_indices("#[cfg(test)]") {
        let Some(open) = code[at..].find(['{', ';']).map(|o| at + o) else { continue };
        let end = if code.as_bytes()[open] == b'{' { closing(code, open) } else { open };
        let number = |byte: usize| code[..byte].bytes().filter(|b| *b == b'\n').count();
        let last = number(end).min(lines.len() - 1);
        lines[number(at)..=last].fill(true);
    }
    lines
}

/// Replaces comments and the insides of literals by blanks; line breaks stay.
fn blank(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let end = if rest.starts_with(b"//") {
            at + rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len())
        } else if rest.starts_with(b"/*") {
            text[at..].find("*/").map_or(bytes.len(), |end| at + end + 2)
        } else if let Some(hashes) = raw_string(bytes, at) {
            let open = at + 2 + hashes;
            let close = format!("\"{}", "#".repeat(hashes));
            let end = text[open..].find(&close).map_or(bytes.len(), |end| open + end);
            erase(&mut out, open, end);
            at = end + close.len();
            continue;
        } else if rest[0] == b'"' {
            let end = string_end(bytes, at);
            erase(&mut out, at + 1, end);
            at = end + 1;
            continue;
        } else if rest[0] == b'\'' {
            at = char_end(text, at, &mut out);
            continue;
        } else {
            at += 1;
            continue;
        };
        erase(&mut out, at, end);
        at = end;
    }
    String::from_utf8(out).expect("blanks keep the text valid")
}

fn erase(out: &mut [u8], from: usize, to: usize) {
    for b in out[from..to].iter_mut().filter(|b| **b != b'\n') {
        *b = b' ';
    }
}

fn raw_string(bytes: &[u8], at: usize) -> Option<usize> {
    let word = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_';
    let fresh = at == 0
        || !word(&bytes[at - 1])
        || (bytes[at - 1] == b'b' && (at < 2 || !word(&bytes[at - 2])));
    if bytes[at] != b'r' || !fresh {
        return None;
    }
    let hashes = bytes[at + 1..].iter().take_while(|b| **b == b'#').count();
    (bytes.get(at + 1 + hashes) == Some(&b'"')).then_some(hashes)
}

fn string_end(bytes: &[u8], open: usize) -> usize {
    let mut at = open + 1;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at.min(bytes.len() - 1)
}

/// A character literal is erased, a lifetime is left as it is.
fn char_end(text: &str, open: usize, out: &mut [u8]) -> usize {
    let inside = &text[open + 1..];
    let mut chars = inside.char_indices();
    let end = match chars.next() {
        Some((_, '\\')) => inside[2.min(inside.len())..].find('\'').map(|end| open + 3 + end),
        Some(_) => chars.next().filter(|(_, c)| *c == '\'').map(|(end, _)| open + 1 + end),
        None => None,
    };
    match end {
        Some(end) => {
            erase(out, open + 1, end);
            end + 1
        }
        None => open + 1,
    }
}

#[test]
fn comments_and_literals_are_blanked() {
    let code = blank(
        "let a = \"x // y\"; // tokio::spawn\nlet c = '\\''; let l: &'static str = r#\"\"q\"\"#; f('\"');",
    );
    assert!(!code.contains("tokio") && !code.contains('y') && !code.contains('q'));
    assert!(code.contains("&'static str") && code.contains("f("));
    assert_eq!(code.lines().count(), 2);
    let source = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\nfn c() {}\n";
    assert_eq!(test_lines(source, false), [false, true, true, true, true, false]);
}
