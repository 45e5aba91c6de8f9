//! Setting keys in the text of a configuration file, leaving everything else in it as it is.
//!
//! Invariant: what comes out says the same as what went in, plus the wanted keys; else there
//! is a problem, and nothing comes out.

use super::key::Key;
use super::kind::from_text;
use super::problem::{Problem, Problems};
use super::sections::find;

/// The text with these keys set, each a path such as `answer.provider` with its value as the
/// environment would have it. A key that the text sets to something else is a problem.
///
/// # Errors
/// All problems, each with what to write by hand.
pub fn with_keys(text: &str, wanted: &[(&str, &str)]) -> Result<String, Problems> {
    let mut problems = Problems::default();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let before: Option<toml::Table> = text.parse().ok();
    let mut after = before.clone().unwrap_or_default();
    for (path, value) in wanted {
        match prepare(path, value) {
            Ok((key, value)) => match put(&mut lines, &mut after, key, &value) {
                Ok(()) => {}
                Err(problem) => problems.0.push(problem),
            },
            Err(problem) => problems.0.push(problem),
        }
    }
    let mut done = lines.join("\n");
    done.push('\n');
    let same = before.is_some() && done.parse::<toml::Table>().is_ok_and(|table| table == after);
    if problems.0.is_empty() && !same {
        let hint = "set the keys by hand, then run `katana-bot check-config`";
        problems.0.push(Problem::new("file", "it has a layout that cannot be edited", hint));
    }
    if problems.0.is_empty() { Ok(done) } else { Err(problems) }
}

/// The key and the value as TOML writes it.
fn prepare(path: &str, value: &str) -> Result<(&'static Key, String), Problem> {
    let key = find(path).ok_or_else(|| Problem::new(path, "there is no such key", ""))?;
    match from_text(key.kind, value) {
        Ok(value) => Ok((key, value.to_toml())),
        Err(why) => Err(Problem::new(path, format!("the value {why}"), "see katana-bot.toml(5)")),
    }
}

fn put(
    lines: &mut Vec<String>,
    table: &mut toml::Table,
    key: &Key,
    value: &str,
) -> Result<(), Problem> {
    let line = format!("{} = {value}", key.name());
    let parsed = format!("v = {value}").parse::<toml::Table>().ok();
    let Some(new) = parsed.and_then(|mut t| t.remove("v")) else {
        return Err(Problem::new(key.path(), "it cannot be written to the file", ""));
    };
    let section = table
        .entry(key.section())
        .or_insert_with(|| toml::Value::Table(toml::Table::new()))
        .as_table_mut();
    match section.and_then(|section| section.insert(key.name().to_owned(), new.clone())) {
        Some(old) if old == new => return Ok(()),
        Some(_) => {
            let hint = format!("write it there: [{}] {line}", key.section());
            return Err(Problem::new(key.path(), "the file sets it to something else", hint));
        }
        None => {}
    }
    let header = format!("[{}]", key.section());
    let Some(start) = lines.iter().position(|l| l.trim() == header) else {
        if lines.last().is_some_and(|l| !l.is_empty()) {
            lines.push(String::new());
        }
        lines.extend([header, line]);
        return Ok(());
    };
    let end = lines[start + 1..].iter().position(|l| l.starts_with('['));
    let end = end.map_or(lines.len(), |n| start + 1 + n);
    // The packaged file has each key as a comment.
    let comment = format!("# {} = ", key.name());
    match lines[start..end].iter().position(|l| l.starts_with(&comment)) {
        Some(n) => lines[start + n] = line,
        None => lines.insert(start + 1, line),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::reference;

    const WANTED: &[(&str, &str)] = &[("answer.provider", "openai"), ("openai.model", "a \"b\"")];

    #[test]
    fn comments_of_the_packaged_file_become_settings_and_nothing_else_changes() {
        let packaged = reference::template();
        let done = with_keys(&packaged, WANTED).unwrap();
        let changed: Vec<_> =
            packaged.lines().zip(done.lines()).filter(|(a, b)| a != b).map(|(_, b)| b).collect();
        assert_eq!(changed, ["provider = \"openai\"", "model = \"a \\\"b\\\"\""]);
        assert_eq!(packaged.lines().count(), done.lines().count());
        assert_eq!(with_keys(&done, WANTED).unwrap(), done, "a second time changes nothing");
    }

    #[test]
    fn other_files_keep_what_they_have() {
        let mine = "# mine\n[log]\nlevel = \"debug\"\n[answer]\nmax_history_turns = 3 # few\n";
        let done = with_keys(mine, WANTED).unwrap();
        assert!(done.starts_with("# mine\n[log]\nlevel = \"debug\"\n[answer]\nprovider"), "{done}");
        assert!(done.contains("max_history_turns = 3 # few"), "{done}");
        assert_eq!(with_keys("", WANTED).unwrap().matches('[').count(), 2);
    }

    #[test]
    fn a_key_that_is_set_otherwise_is_left_to_its_owner() {
        for text in [
            "[answer]\nprovider = \"anthropic\"\n",
            "answer.provider = \"anthropic\"\n",
            "answer = { provider = \"anthropic\" }\n",
        ] {
            let problems = with_keys(text, WANTED).unwrap_err();
            assert!(problems.0[0].hint.contains("[answer] provider = \"openai\""), "{problems}");
        }
        assert!(with_keys("answer = { timeout_s = 5 }\n", WANTED).is_err(), "no second [answer]");
        assert!(with_keys("[broken", WANTED).is_err());
        assert!(with_keys("", &[("answer.provider", "no-such-provider")]).is_err());
    }
}
