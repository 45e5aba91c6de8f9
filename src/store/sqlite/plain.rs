//! Statements that change a schema and bring nothing that SQLite would ever run: a column, a table, an index
//! over columns. Read word by word, because what comes from a file may be anything.

/// Types that columns have.
const TYPES: [&str; 4] = ["INTEGER", "TEXT", "REAL", "BLOB"];

/// Whether the statement has one of the known forms, in the way our migrations are written: words of SQL in
/// upper case, names in lower case.
pub(super) fn is_plain(sql: &str) -> bool {
    words(sql).is_some_and(|words| Reader(&words).statement().is_some())
}

/// The words, numbers, texts and signs; `None` when there is anything else.
fn words(sql: &str) -> Option<Vec<&str>> {
    let mut words = Vec::new();
    let mut rest = sql.trim_start();
    while let Some(first) = rest.chars().next() {
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let length = match first {
            '(' | ')' | ',' | '=' | '<' | '>' => 1,
            '\'' => rest[1..].find('\'')? + 2,
            '-' => 1 + rest[1..].find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len() - 1),
            c if is_word(c) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
            _ => return None,
        };
        let (word, after) = rest.split_at(length);
        words.push(word);
        rest = after.trim_start();
    }
    Some(words)
}

/// What is left to read. Each method takes what its name says, or answers `None`.
struct Reader<'a>(&'a [&'a str]);

impl<'a> Reader<'a> {
    fn next(&mut self) -> Option<&'a str> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    fn has(&mut self, words: &[&str]) -> bool {
        let found = self.0.starts_with(words);
        if found {
            self.0 = &self.0[words.len()..];
        }
        found
    }

    fn want(&mut self, words: &[&str]) -> Option<()> {
        self.has(words).then_some(())
    }

    fn statement(&mut self) -> Option<()> {
        if self.has(&["ALTER", "TABLE"]) {
            self.name()?;
            self.want(&["ADD", "COLUMN"])?;
            self.column()?;
        } else if self.has(&["CREATE", "TABLE"]) {
            self.name()?;
            self.list(Self::column_or_key)?;
            self.has(&["WITHOUT", "ROWID"]);
        } else {
            self.want(&["CREATE"])?;
            self.has(&["UNIQUE"]);
            self.want(&["INDEX"])?;
            self.name()?;
            self.want(&["ON"])?;
            self.name()?;
            self.list(Self::name)?;
            if self.has(&["WHERE"]) {
                self.condition()?;
                while self.has(&["AND"]) {
                    self.condition()?;
                }
            }
        }
        self.0.is_empty().then_some(())
    }

    /// `one` in parentheses, once or more often.
    fn list(&mut self, one: impl Fn(&mut Self) -> Option<()>) -> Option<()> {
        self.want(&["("])?;
        one(self)?;
        while self.has(&[","]) {
            one(self)?;
        }
        self.want(&[")"])
    }

    fn name(&mut self) -> Option<()> {
        let name = self.next()?;
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let begins = name.starts_with(|c: char| c.is_ascii_lowercase());
        (begins && name.chars().all(fits) && !name.starts_with("sqlite_")).then_some(())
    }

    fn column_or_key(&mut self) -> Option<()> {
        if self.has(&["PRIMARY", "KEY"]) { self.list(Self::name) } else { self.column() }
    }

    fn column(&mut self) -> Option<()> {
        self.name()?;
        TYPES.contains(&self.next()?).then_some(())?;
        self.has(&["PRIMARY", "KEY"]);
        self.has(&["NOT", "NULL"]);
        if self.has(&["DEFAULT"]) { self.value() } else { Some(()) }
    }

    fn condition(&mut self) -> Option<()> {
        self.name()?;
        if self.has(&["IS", "NULL"]) || self.has(&["IS", "NOT", "NULL"]) {
            return Some(());
        }
        (self.has(&["="]) || self.has(&["<", ">"]) || self.has(&["<"]) || self.has(&[">"]))
            .then_some(())?;
        self.value()
    }

    /// A number or a text.
    fn value(&mut self) -> Option<()> {
        let value = self.next()?;
        let is_number = value.parse::<i64>().is_ok();
        (is_number || value.starts_with('\'')).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::is_plain;

    #[test]
    fn columns_tables_and_indexes_are_plain() {
        for sql in [
            "ALTER TABLE bots ADD COLUMN budget INTEGER NOT NULL DEFAULT 0",
            "ALTER TABLE chats ADD COLUMN title TEXT",
            "ALTER TABLE chats ADD COLUMN balance REAL DEFAULT -1",
            "CREATE TABLE t (\n  id INTEGER PRIMARY KEY,\n  label TEXT NOT NULL DEFAULT 'a b; -- c'\n)",
            "CREATE TABLE t (a INTEGER NOT NULL, b INTEGER NOT NULL, PRIMARY KEY (a, b)) WITHOUT ROWID",
            "CREATE UNIQUE INDEX t_ab ON t (a, b) WHERE a IS NOT NULL AND b <> 0",
        ] {
            assert!(is_plain(sql), "{sql}");
        }
    }

    #[test]
    fn everything_else_is_not() {
        for sql in [
            "",
            "DROP TABLE inbox",
            "DELETE FROM inbox",
            "ALTER TABLE inbox RENAME TO outbox",
            "ALTER TABLE bots ADD COLUMN g TEXT as (hex(paused))",
            "ALTER TABLE bots ADD COLUMN g TEXT DEFAULT (random())",
            "ALTER TABLE bots ADD COLUMN g TEXT check (abs(paused) > 0)",
            "ALTER TABLE bots ADD COLUMN g TEXT COLLATE nocase",
            "ALTER TABLE bots ADD COLUMN g ANY",
            "CREATE TABLE t (a INTEGER); DROP TABLE inbox",
            "CREATE TABLE t (a INTEGER /* , */ )",
            "CREATE TABLE t (a INTEGER references u (b))",
            "CREATE TABLE t AS SELECT 1",
            "CREATE TABLE sqlite_t (a INTEGER)",
            "CREATE TABLE \"t\" (a INTEGER)",
            "CREATE TEMP TABLE t (a INTEGER)",
            "CREATE VIRTUAL TABLE t USING fts5 (a)",
            "CREATE INDEX i ON inbox (length(body))",
            "CREATE INDEX i ON inbox (body COLLATE nocase)",
            "CREATE INDEX i ON inbox (body) WHERE length(body) > 0",
            "CREATE VIEW v AS SELECT 1",
            "CREATE TRIGGER t AFTER INSERT ON inbox BEGIN DELETE FROM outbox; END",
            "CREATE TABLE t (a TEXT DEFAULT 'open",
            "CREATE TABLE ü (a INTEGER)",
        ] {
            assert!(!is_plain(sql), "{sql}");
        }
    }
}
