//! Tables: Telegram has none, so a small one becomes an aligned code block and a wide one a list.
//!
//! Within a code block nothing can be formatted; a table with links is therefore always a list,
//! where they can be followed.

use pulldown_cmark::Alignment;

use super::canvas::Page;
use super::width::columns;
use crate::model::text::EntityKind;

/// Columns that a code block shows on a desktop without breaking lines; on a phone it is about
/// half of that, so anything wider is beyond reading.
const WIDTH: usize = 60;

/// Columns of a list entry's second line.
const INDENT: usize = 4;

/// Most bytes of column names repeated over the entries of a list. A hostile table could make
/// megabytes of them; past this the names are written once.
const NAMES_BYTES: usize = 16 * 1024;

/// A table being read: its head first, then its rows.
#[derive(Debug, Default)]
pub(super) struct Table {
    alignments: Vec<Alignment>,
    rows: Vec<Vec<Page>>,
    has_links: bool,
}

impl Table {
    /// An empty table with as many columns as there are alignments.
    pub(super) fn new(alignments: Vec<Alignment>) -> Self {
        Self { alignments, rows: Vec::new(), has_links: false }
    }

    /// Begins a row.
    pub(super) fn begin_row(&mut self) {
        self.rows.push(Vec::new());
    }

    /// Adds a cell to the row.
    pub(super) fn add(&mut self, cell: Page) {
        if let Some(row) = self.rows.last_mut() {
            row.push(cell);
        }
    }

    /// Notes that a cell holds a link.
    pub(super) fn note_link(&mut self) {
        self.has_links = true;
    }

    /// Writes the table to `page`, on lines of its own.
    pub(super) fn draw(self, page: &mut Page) {
        page.own_line();
        match self.widths().filter(|_| !self.has_links) {
            Some(widths) => self.draw_aligned(page, &widths),
            None => self.draw_list(page),
        }
    }

    /// Widths of the columns, if they all fit.
    fn widths(&self) -> Option<Vec<usize>> {
        let mut widths = vec![0; self.alignments.len()];
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = columns(cell.text().trim()).max(*width);
            }
        }
        let between = 3 * widths.len().saturating_sub(1);
        (widths.iter().sum::<usize>() + between <= WIDTH).then_some(widths)
    }

    fn draw_aligned(&self, page: &mut Page, widths: &[usize]) {
        page.break_line();
        let start = page.at();
        for (number, row) in self.rows.iter().enumerate() {
            let line: Vec<String> = widths
                .iter()
                .zip(&self.alignments)
                .enumerate()
                .map(|(i, (&width, &side))| {
                    pad(row.get(i).map_or("", |c| c.text().trim()), width, side)
                })
                .collect();
            page.write_code(line.join(" | ").trim_end());
            page.write_code("\n");
            if number == 0 {
                let rule: Vec<String> = widths.iter().map(|&w| "-".repeat(w)).collect();
                page.write_code(&rule.join("-+-"));
                page.write_code("\n");
            }
        }
        page.trim_end(start);
        page.mark(start, page.at(), EntityKind::Pre { language: None });
    }

    /// One entry for each row: the first cell in bold, below it the others with their names.
    fn draw_list(&self, page: &mut Page) {
        let Some((head, rows)) = self.rows.split_first() else { return };
        let names: Vec<&str> = head.iter().map(|c| c.text().trim()).collect();
        let bytes: usize = names.iter().map(|n| n.len()).sum();
        if rows.is_empty() || bytes.saturating_mul(rows.len()) > NAMES_BYTES {
            return self.draw_rows(page);
        }
        let outer = page.indent;
        for row in rows {
            page.set_marker(outer, "• ", 1);
            page.indent = outer + INDENT;
            for (i, cell) in row.iter().enumerate().filter(|(_, c)| !c.text().trim().is_empty()) {
                page.apart(1);
                if i == 0 {
                    page.ready();
                    let start = page.at();
                    page.append(cell);
                    page.mark(start, page.at(), EntityKind::Bold);
                } else {
                    if let Some(name) = names.get(i).filter(|n| !n.is_empty()) {
                        page.write(name);
                        page.write(": ");
                    }
                    page.append(cell);
                }
            }
            page.indent = outer;
            page.write_marker();
        }
    }

    /// One line for each row, the names first.
    fn draw_rows(&self, page: &mut Page) {
        for row in &self.rows {
            page.apart(1);
            let mut cells = row.iter().filter(|c| !c.text().trim().is_empty());
            if let Some(first) = cells.next() {
                page.append(first);
            }
            for cell in cells {
                page.write(" | ");
                page.append(cell);
            }
        }
    }
}

/// `text` within `width` columns.
fn pad(text: &str, width: usize, side: Alignment) -> String {
    let free = width.saturating_sub(columns(text));
    let left = match side {
        Alignment::None | Alignment::Left => 0,
        Alignment::Center => free / 2,
        Alignment::Right => free,
    };
    format!("{}{text}{}", " ".repeat(left), " ".repeat(free - left))
}
