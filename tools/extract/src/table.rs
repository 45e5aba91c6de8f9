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
}

/// The table that is open, if any. Those inside of it are text of its cells.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    outer: Option<Table>,
    inner: usize,
}

impl Tables {
    pub(crate) fn begin(&mut self) {
        match self.outer {
            Some(_) => self.inner += 1,
            None => self.outer = Some(Table::default()),
        }
    }

    /// The table that has ended with this, unless it was one inside of another.
    pub(crate) fn end(&mut self) -> Option<Table> {
        if self.inner == 0 {
            return self.outer.take();
        }
        self.inner -= 1;
        None
    }

    /// Whether one is open inside of another.
    pub(crate) fn is_nested(&self) -> bool {
        self.inner > 0
    }

    /// The outer one.
    pub(crate) fn open(&mut self) -> Option<&mut Table> {
        self.outer.as_mut()
    }

    /// The cell of the outer one.
    pub(crate) fn cell(&mut self) -> Option<&mut String> {
        self.outer.as_mut()?.cell.as_mut()
    }

    /// Does something to the outer one, unless one is open inside of it.
    pub(crate) fn act(&mut self, act: impl FnOnce(&mut Table)) {
        if let Some(table) = self.outer.as_mut().filter(|_| self.inner == 0) {
            act(table);
        }
    }
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
