//! Tables in text: the first row is the header.
//!
//! Invariant: one pass; a quote that is never closed costs what follows its form, and nothing is lost.

use crate::document::Document;
use crate::limits::{Limits, Problem};
use crate::writer::{Writer, table_row};

/// Columns that are kept; more is not a table for people.
const COLUMNS: usize = 256;

/// What of the text is looked at to find what separates cells.
const SAMPLE: usize = 16 * 1024;

/// Bytes of rows in one block: large enough that few headers are repeated, small enough that a block is not a
/// document.
const BLOCK: usize = 64 * 1024;

/// Reads a table.
pub(crate) fn read(text: &str, limits: &Limits) -> Result<Document, Problem> {
    let separator = separator(&text[..text.floor_char_boundary(SAMPLE)]);
    let mut writer = Writer::new(limits);
    let mut rows = Rows { rest: text, separator };
    let header = rows.by_ref().find(|row| row.iter().any(|cell| !cell.trim().is_empty()));
    let Some(header) = header else {
        return Ok(writer.finish());
    };
    let columns = header.len();
    let mut begin = String::new();
    table_row(&mut begin, &header, columns);
    begin.push_str(&"|---".repeat(columns));
    begin.push_str("|\n");
    let mut table = begin.clone();
    for row in rows.filter(|row| row.iter().any(|cell| !cell.trim().is_empty())) {
        table_row(&mut table, &row, columns.max(row.len()));
        if table.len() > BLOCK.max(begin.len() * 4) {
            writer.table(&table);
            table.clone_from(&begin);
        }
        if writer.is_full() {
            break;
        }
    }
    if table.len() > begin.len() || writer.len() == 0 {
        writer.table(&table);
    }
    Ok(writer.finish())
}

/// The character that separates cells: the one that is in most of the first lines equally often.
fn separator(sample: &str) -> char {
    let lines: Vec<&str> = sample.lines().filter(|line| !line.is_empty()).take(20).collect();
    let score = |c: char| {
        let counts: Vec<usize> = lines.iter().map(|line| line.matches(c).count()).collect();
        let first = counts.first().copied().unwrap_or(0);
        (counts.iter().filter(|n| **n == first && first > 0).count(), first)
    };
    // Of equals the last one wins, and that is the comma.
    ['|', ';', '\t', ','].into_iter().max_by_key(|c| score(*c)).unwrap_or(',')
}

struct Rows<'t> {
    rest: &'t str,
    separator: char,
}

impl Iterator for Rows<'_> {
    type Item = Vec<String>;

    fn next(&mut self) -> Option<Vec<String>> {
        if self.rest.is_empty() {
            return None;
        }
        let (mut row, mut cell) = (Vec::new(), String::new());
        let (mut is_quoted, mut is_new) = (false, true);
        let mut chars = self.rest.char_indices().peekable();
        let mut end = self.rest.len();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' if is_quoted => {
                    if chars.next_if(|(_, next)| *next == '"').is_some() {
                        cell.push('"');
                    } else {
                        is_quoted = false;
                    }
                }
                '"' if is_new => is_quoted = true,
                '\n' if !is_quoted => {
                    end = at + 1;
                    break;
                }
                '\r' if !is_quoted && chars.peek().is_none_or(|(_, next)| *next == '\n') => {}
                c if c == self.separator && !is_quoted => {
                    if row.len() < COLUMNS {
                        row.push(std::mem::take(&mut cell));
                    }
                    cell.clear();
                    is_new = true;
                    continue;
                }
                c => cell.push(c),
            }
            is_new = false;
        }
        if row.len() < COLUMNS {
            row.push(cell);
        }
        self.rest = &self.rest[end..];
        Some(row)
    }
}
