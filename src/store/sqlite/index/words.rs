//! Search by words, in what was prepared for it.
//!
//! Invariant: a question's words are looked up first and then quoted, so that none is read as FTS5's syntax.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};
use strsim::osa_distance;

use super::Index;
use crate::store::failure::StoreError;
use crate::store::index::PassageId;
use crate::store::word_query::{Likeness, TakenFor, WordHits, WordQuery, WordTerm};

/// A word in the title counts as often as this in the text: it says what its passage is about.
const TITLE: f64 = 4.0;

/// Words that go on with a beginning, or are nearly the same, that are searched for at most.
const SIMILAR: usize = 8;

/// Words of the index that are compared with one that it does not have.
const COMPARED: usize = 20_000;

/// Beginnings are as long as this, in characters: of shorter ones, everything goes on.
const BEGINNING: usize = 4;

/// A word with a slip is as long as this: shorter ones are too often other words.
const NEARLY: usize = 5;

/// A word of more than a tenth of all passages distinguishes few, where there are so many passages and rarer words: it
/// counts in what those find, and is not looked for itself, which would take most of the time.
const COMMON_SHARE: u64 = 10;
const COMMON_FROM: u64 = 5000;

impl Index {
    /// The best passages for a query, best first.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub async fn find_words(&self, query: WordQuery) -> Result<WordHits, StoreError> {
        self.read(move |conn| find(conn, &query)).await
    }
}

fn find(conn: &Connection, query: &WordQuery) -> Result<WordHits, StoreError> {
    let of: u64 = conn
        .prepare_cached("SELECT coalesce(sum(passages), 0) FROM documents")?
        .query_row([], |row| row.get(0))?;
    let mut terms = Vec::with_capacity(query.terms.len());
    for (at, term) in query.terms.iter().enumerate() {
        taken_for(conn, at, term, &mut terms)?;
    }
    let is_common = |taken: &TakenFor| of >= COMMON_FROM && taken.passages > of / COMMON_SHARE;
    let has_rare = terms.iter().any(|taken| !taken.words.is_empty() && !is_common(taken));
    let used = terms.iter().filter(|taken| !(has_rare && is_common(taken)));
    let mut any: Vec<String> =
        used.flat_map(|taken| &taken.words).map(|word| quoted(word)).collect();
    any.sort();
    any.dedup();
    any.extend(query.phrases.iter().map(|phrase| quoted(&phrase.join(" "))));
    let passages =
        if any.is_empty() { Vec::new() } else { ranked(conn, &any.join(" OR "), query)? };
    Ok(WordHits { passages, terms, of })
}

fn quoted(words: &str) -> String {
    format!("\"{}\"", words.replace('"', "\"\""))
}

fn ranked(
    conn: &Connection,
    any: &str,
    query: &WordQuery,
) -> Result<Vec<(PassageId, f64)>, StoreError> {
    let mut values: Vec<Value> = vec![any.to_owned().into(), Value::Real(TITLE)];
    let within = match &query.sources {
        None => String::new(),
        Some(sources) => {
            let marks = vec!["?"; sources.len()].join(", ");
            values.extend(sources.iter().cloned().map(Value::Text));
            format!(
                "AND rowid IN (SELECT p.passage_id FROM passages p JOIN documents d USING (document_id)
                 WHERE d.source IN ({marks}))"
            )
        }
    };
    values.push(Value::Integer(i64::try_from(query.limit).unwrap_or(i64::MAX)));
    let sql = format!(
        "SELECT rowid, -bm25(words, ?2, 1.0) AS score FROM words WHERE words MATCH ?1 {within}
         ORDER BY score DESC LIMIT ?"
    );
    let mut find = conn.prepare_cached(&sql)?;
    let found =
        find.query_map(params_from_iter(values), |row| Ok((PassageId(row.get(0)?), row.get(1)?)))?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// Adds what a term is taken for: words of the index that it is, else that begin with it, else its parts, else
/// what is written nearly so.
fn taken_for(
    conn: &Connection,
    at: usize,
    term: &WordTerm,
    terms: &mut Vec<TakenFor>,
) -> Result<(), StoreError> {
    let mut taken = among(conn, at, &term.forms)?;
    if term.is_beginning {
        for form in &term.forms {
            taken.take(beginning_with(conn, form)?);
        }
    }
    if !taken.words.is_empty() || !term.may_be_similar {
        terms.push(taken);
        return Ok(());
    }
    let length = |form: &&String| form.chars().count();
    let long = || term.forms.iter().filter(|form| length(form) >= BEGINNING);
    for form in long() {
        taken.take(beginning_with(conn, form)?);
    }
    for [first, second] in &term.parts {
        let both = [among(conn, at, first)?, among(conn, at, second)?];
        if both.iter().all(|part| !part.words.is_empty()) {
            terms.extend(both.map(|part| TakenFor { likeness: Likeness::Part, ..part }));
            if taken.words.is_empty() {
                return Ok(());
            }
            break;
        }
    }
    // Of a stem, the whole word counts.
    if taken.words.is_empty() && term.forms.iter().any(|form| length(&form) >= NEARLY) {
        taken.likeness = Likeness::Near;
        for form in long() {
            taken.take(nearly(conn, form)?);
        }
    }
    terms.push(taken);
    Ok(())
}

/// Those of the forms that the index has.
fn among(conn: &Connection, term: usize, forms: &[String]) -> Result<TakenFor, StoreError> {
    let mut taken = TakenFor { term, ..TakenFor::default() };
    for form in forms {
        if let Some(passages) = known(conn, form)? {
            taken.take(vec![(form.clone(), passages)]);
        }
    }
    Ok(taken)
}

impl TakenFor {
    fn take(&mut self, words: Vec<(String, u64)>) {
        for (word, passages) in words {
            self.passages = self.passages.max(passages);
            if !self.words.contains(&word) {
                self.words.push(word);
            }
        }
    }
}

fn known(conn: &Connection, word: &str) -> Result<Option<u64>, StoreError> {
    let mut find = conn.prepare_cached("SELECT doc FROM vocabulary WHERE term = ?1")?;
    Ok(find.query_row([word], |row| row.get(0)).optional()?)
}

/// The most frequent words with this beginning.
fn beginning_with(conn: &Connection, start: &str) -> Result<Vec<(String, u64)>, StoreError> {
    let mut all = between(conn, start, COMPARED)?;
    all.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
    all.truncate(SIMILAR);
    Ok(all)
}

/// Words that one slip of the fingers makes of this one; two, of a long one.
fn nearly(conn: &Connection, word: &str) -> Result<Vec<(String, u64)>, StoreError> {
    let length = word.chars().count();
    let slips = if length >= 8 { 2 } else { 1 };
    let start: String = word.chars().take(2).collect();
    let mut all: Vec<(usize, (String, u64))> = between(conn, &start, COMPARED)?
        .into_iter()
        .filter(|(other, _)| other.chars().count().abs_diff(length) <= slips)
        .map(|(other, passages)| (osa_distance(word, &other), (other, passages)))
        .filter(|(distance, _)| *distance <= slips)
        .collect();
    all.sort_by(|one, other| one.0.cmp(&other.0).then(other.1.1.cmp(&one.1.1)));
    let nearest = all.first().map_or(0, |first| first.0);
    let nearest = all.into_iter().take_while(|(distance, _)| *distance == nearest);
    Ok(nearest.map(|(_, word)| word).take(SIMILAR).collect())
}

fn between(conn: &Connection, start: &str, limit: usize) -> Result<Vec<(String, u64)>, StoreError> {
    // The largest character ends the words that begin so.
    let end = format!("{start}{}", char::MAX);
    let sql = "SELECT term, doc FROM vocabulary WHERE term >= ?1 AND term < ?2 LIMIT ?3";
    let mut find = conn.prepare_cached(sql)?;
    let found = find.query_map(params![start, end, limit], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(found.collect::<Result<_, _>>()?)
}
