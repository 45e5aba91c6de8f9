//! A table of a web page or an office document, or what looks like one in the markup.
//!
//! Invariant: columns and nesting cost nothing beyond their text; a table of one column is text.

use crate::writer::{Writer, markdown_table, on_one_line};

/// Columns that are kept.
const COLUMNS: usize = 256;

/// A table that is being read.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
    cell: Option<String>,
    /// Tables in it that are open: their text belongs to the cell around them.
    pub(crate) inner: usize,
}

impl Table {
    pub(crate) fn row(&mut self) {
        self.end_cell();
        if self.rows.last().is_none_or(|row| !row.is_empty()) {
            self.rows.push(Vec::new());
        }
    }

    pub(crate) fn cell(&mut self) {
        self.end_cell();
        self.cell = Some(String::new());
    }

    pub(crate) fn end_cell(&mut self) {
        let Some(cell) = self.cell.take() else { return };
        if self.rows.is_empty() {
            self.rows.push(Vec::new());
        }
        if let Some(row) = self.rows.last_mut().filter(|row| row.len() < COLUMNS) {
            row.push(cell);
        }
    }

    /// The cell that is open.
    pub(crate) fn open(&mut self) -> Option<&mut String> {
        self.cell.as_mut()
    }

    /// Writes what has been read, and begins again.
    pub(crate) fn write(&mut self, writer: &mut Writer) {
        self.end_cell();
        let mut rows = std::mem::take(&mut self.rows);
        rows.retain(|row| row.iter().any(|cell| !cell.trim().is_empty()));
        if rows.iter().all(|row| row.iter().filter(|cell| !cell.trim().is_empty()).count() < 2) {
            let cells = rows.iter().flatten().map(|cell| on_one_line(cell));
            let cells: Vec<String> = cells.filter(|cell| !cell.is_empty()).collect();
            writer.text(&cells.join("\n\n"));
        } else {
            writer.table(&markdown_table(&rows));
        }
    }
}
