//! Pages of printed text: lines to paragraphs, without what stands on every page.
//!
//! Invariants: pages keep their numbers; a word is lost only if it stands at the top or the bottom of many
//! pages.

use std::collections::{HashMap, HashSet};

use crate::document::Document;
use crate::limits::{Limits, Problem};
use crate::writer::Writer;

/// From so many pages on, a line that each of them begins or ends with is not text.
const REPEATED: usize = 4;

/// How many lines at the top, and at the bottom, may be such ones: of a page that has more than a few, two.
fn depth(lines: usize) -> usize {
    if lines > 5 { 2 } else { 1 }
}

/// A line that is shorter than this part of the longest one ends a paragraph, in percent.
const SHORT: usize = 60;

/// The document with these pages.
pub(crate) fn document<T: AsRef<str>>(pages: &[T], limits: &Limits) -> Result<Document, Problem> {
    let mut writer = Writer::new(limits);
    let repeated = repeated(pages);
    let mut has_text = false;
    for (number, page) in (1..).zip(pages).take(limits.pages) {
        let text = paragraphs(page.as_ref(), &repeated);
        if text.trim().is_empty() {
            continue;
        }
        has_text = true;
        writer.page(number);
        writer.text(&text);
        if writer.is_full() {
            break;
        }
    }
    if has_text { Ok(writer.finish()) } else { Err(Problem::NoText) }
}

/// The shape of a Roman number.
const ROMAN: &str = "ⅳ";

/// A line without its numbers, those of the Romans among them (up to 39: others could be words, such as "ill"). `None`
/// where a line has nothing but numbers and is not the number of a page: it is a row of a table.
fn shape(line: &str) -> Option<String> {
    let line = line.trim();
    let is_roman = |c: char| matches!(c.to_ascii_lowercase(), 'i' | 'v' | 'x');
    if !line.is_empty() && line.len() < 8 && line.chars().all(is_roman) {
        return Some(ROMAN.to_owned());
    }
    let shape = line.chars().filter(|c| !c.is_numeric()).collect::<String>().trim().to_owned();
    (shape.contains(char::is_alphabetic) || is_page_number(line)).then_some(shape)
}

/// Whether a line is "12", "- 12 -", "[12]", "61 / 223" or the like.
fn is_page_number(line: &str) -> bool {
    let is_around = |c: char| c.is_whitespace() || "/|-–—·[]()".contains(c);
    let numbers: Vec<&str> = line.split(is_around).filter(|part| !part.is_empty()).collect();
    let is_short = |number: &&str| number.len() <= 4 && number.chars().all(|c| c.is_ascii_digit());
    // Two numbers with nothing but a space between them are columns.
    let is_pair = numbers.len() == 2 && line.contains(|c| is_around(c) && !char::is_whitespace(c));
    (numbers.len() == 1 || is_pair) && numbers.iter().all(is_short)
}

/// The first and the last lines that have text.
fn edges(page: &str) -> impl Iterator<Item = &str> {
    let lines: Vec<&str> = page.lines().filter(|line| !line.trim().is_empty()).collect();
    let depth = depth(lines.len());
    let (first, last) = (depth.min(lines.len()), lines.len().saturating_sub(depth));
    let at = (0..first).chain(last.max(first)..lines.len());
    at.map(|at| lines[at]).collect::<Vec<_>>().into_iter()
}

/// Shapes of lines that many pages begin or end with, or those of a chapter: the pages with them are near each other.
fn repeated<T: AsRef<str>>(pages: &[T]) -> HashSet<String> {
    let mut places: HashMap<String, Vec<usize>> = HashMap::new();
    for (number, page) in pages.iter().enumerate() {
        for line in edges(page.as_ref()) {
            let Some(shape) = shape(line) else { continue };
            let places = places.entry(shape).or_default();
            if places.last() != Some(&number) {
                places.push(number);
            }
        }
    }
    let is_near = |run: &[usize]| run[REPEATED - 1] - run[0] < 2 * REPEATED;
    places.retain(|shape, places| {
        let is_title = shape == ROMAN || shape.chars().filter(|c| c.is_alphabetic()).count() > 2;
        shape.is_empty()
            || places.len() >= REPEATED.max(pages.len() / 4)
            || is_title && places.windows(REPEATED).any(is_near)
    });
    places.into_keys().collect()
}

/// The lines between what stands on every page: at most so many of each edge go, and only those next to it. A number by
/// itself goes at most once.
fn inner<'p>(lines: &'p [&'p str], repeated: &HashSet<String>) -> &'p [&'p str] {
    let goes = |line: &str, had_number: &mut bool| {
        let Some(shape) = shape(line).filter(|shape| repeated.contains(shape)) else {
            return false;
        };
        let is_number = shape.is_empty();
        !is_number || !std::mem::replace(had_number, true)
    };
    let stays = |(_, line): &(usize, &&str)| !line.is_empty();
    let depth = depth(lines.iter().filter(|line| !line.is_empty()).count());
    let (mut lines, mut at_top, mut at_bottom) = (lines, false, false);
    for _ in 0..depth {
        match lines.iter().enumerate().find(stays) {
            Some((at, line)) if goes(line, &mut at_top) => lines = &lines[at + 1..],
            _ => break,
        }
    }
    for _ in 0..depth {
        match lines.iter().enumerate().rev().find(stays) {
            Some((at, line)) if goes(line, &mut at_bottom) => lines = &lines[..at],
            _ => break,
        }
    }
    lines
}

fn paragraphs(page: &str, repeated: &HashSet<String>) -> String {
    let lines: Vec<&str> = page.lines().map(str::trim).collect();
    let longest = lines.iter().map(|line| line.len()).max().unwrap_or(0);
    let (mut text, mut before) = (String::new(), "");
    for line in inner(&lines, repeated) {
        join(&mut text, before, line, longest);
        before = line;
    }
    text
}

/// Adds a line: to the one before it where that goes on.
fn join(text: &mut String, before: &str, line: &str, longest: usize) {
    if line.is_empty() {
        if !text.is_empty() && !text.ends_with("\n\n") {
            text.push_str(if text.ends_with('\n') { "\n" } else { "\n\n" });
        }
        return;
    }
    let line = without_leaders(line);
    if text.is_empty() || text.ends_with('\n') || before.is_empty() {
        text.push_str(&line);
        return;
    }
    let next = line.chars().next().unwrap_or(' ');
    let last = before.chars().next_back().unwrap_or(' ');
    let word = text.strip_suffix(['-', '\u{2010}']);
    let is_divided =
        next.is_lowercase() && word.is_some_and(|word| word.ends_with(char::is_alphabetic));
    if is_divided {
        text.pop();
    } else if before.len() * 100 < longest * SHORT || begins_item(&line) {
        text.push('\n');
    } else if !(is_unspaced(last) && is_unspaced(next)) {
        text.push(' ');
    }
    text.push_str(&line);
}

/// Whether a line looks like an entry of a list.
fn begins_item(line: &str) -> bool {
    let rest = line.trim_start_matches(|c: char| c.is_ascii_digit());
    let is_numbered = rest.len() < line.len() && rest.len() + 4 > line.len();
    line.starts_with(['•', '–', '▪', '◦', '‣', '■', '*'])
        || line.starts_with("- ")
        || is_numbered && rest.starts_with(['.', ')'])
}

/// Scripts without blanks between words.
fn is_unspaced(c: char) -> bool {
    matches!(c, '\u{e00}'..='\u{eff}' | '\u{1780}'..='\u{17ff}' | '\u{3000}'..='\u{30ff}'
        | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{ff00}'..='\u{ffef}')
}

/// Without the rows of dots of a table of contents.
fn without_leaders(line: &str) -> String {
    let (mut text, mut dots) = (String::with_capacity(line.len()), String::new());
    for c in line.chars() {
        if c == '.' || c == ' ' {
            dots.push(c);
        } else {
            end_of_dots(&mut text, &mut dots);
            text.push(c);
        }
    }
    end_of_dots(&mut text, &mut dots);
    text
}

fn end_of_dots(text: &mut String, dots: &mut String) {
    if dots.matches('.').count() > 3 {
        text.push_str(" … ");
    } else {
        text.push_str(dots);
    }
    dots.clear();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Block;

    fn texts(pages: &[&str]) -> Vec<Block> {
        document(pages, &Limits::default()).unwrap().blocks
    }

    #[test]
    fn lines_become_paragraphs() {
        let page = "A title\n\nThe keeper paints the light-\nhouse each year, and it is white and\n\
                    bright.\nThen he rests.\n\n• one\n• two\n\n灯塔管理员每年春天\n粉刷塔楼他住在海边\n";
        let want = "A title\n\nThe keeper paints the lighthouse each year, and it is white and bright.\n\
                    Then he rests.\n\n• one\n• two\n\n灯塔管理员每年春天粉刷塔楼他住在海边";
        assert_eq!(texts(&[page]), [Block::Page(1), Block::Text(want.into())]);
    }

    #[test]
    fn what_stands_on_each_page_is_left_out() {
        let pages: Vec<String> =
            (1..6).map(|n| format!("Manual of the tower\n\nText {n} here.\n\n{n}\n")).collect();
        let pages: Vec<&str> = pages.iter().map(String::as_str).collect();
        let want = (1..6).flat_map(|n| [Block::Page(n), Block::Text(format!("Text {n} here."))]);
        assert_eq!(texts(&pages), want.collect::<Vec<_>>());
        // Headers of chapters, numbers of all kinds, and two lines of them.
        let page = |n: usize| {
            let chapter = if n.is_multiple_of(2) {
                "The tower".to_owned()
            } else {
                format!("Chapter {}", n / 10)
            };
            let number = if n < 10 { "xiv".to_owned() } else { format!("{n} / 100") };
            let words = "words ".repeat(n + 1);
            format!("{chapter}\n\nPlain {words}\n\nin a few\n\nlines {words}\n\nDraft\n{number}\n")
        };
        let pages: Vec<String> = (0..100).map(page).collect();
        let kept = document(&pages, &Limits::default()).unwrap().blocks;
        let want = |n: usize| {
            let words = "words ".repeat(n + 1);
            Block::Text(
                format!("Plain {words}\n\nin a few\n\nlines {words}")
                    .replace(" \n", "\n")
                    .trim()
                    .to_owned(),
            )
        };
        assert_eq!(kept.len(), 200);
        assert!((0..100).all(|n| kept[2 * n + 1] == want(n)), "{kept:?}");
        assert_eq!(
            texts(&["12 Chapters . . . . . . 57"])[1],
            Block::Text("12 Chapters … 57".into())
        );
    }

    #[test]
    fn rows_of_numbers_are_text() {
        let page = |n: usize| {
            format!("{n}.50 13.40\n{n} 7\n{n}\nill\ncivil\n{n}\n8 {n}\n{n}.00\n\n{n} / 12\n")
        };
        let pages: Vec<String> = (1..=12).map(page).collect();
        let pages: Vec<&str> = pages.iter().map(String::as_str).collect();
        let all = texts(&pages)
            .iter()
            .filter_map(|block| match block {
                Block::Text(text) => Some(text.as_str()),
                _ => None,
            })
            .collect::<Vec<_>>()
            .join("\n");
        for kept in ["3.50 13.40", "3 7", "ill", "civil", "8 3", "3.00"] {
            assert!(all.contains(kept), "{kept}: {all}");
        }
        assert!(!all.contains("/ 12"), "{all}");
    }

    #[test]
    fn empty_pages_keep_their_number_and_a_document_of_them_has_no_text() {
        assert_eq!(texts(&[" \n", "x y"]), [Block::Page(2), Block::Text("x y".into())]);
        assert_eq!(document(&["\n", ""], &Limits::default()), Err(Problem::NoText));
    }
}
