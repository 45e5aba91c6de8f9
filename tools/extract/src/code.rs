//! Source code: in parts at empty lines before what begins at the margin, such as functions.

use crate::document::Document;
use crate::limits::Limits;
use crate::writer::Writer;

/// Reads source code.
pub(crate) fn read(text: &str, limits: &Limits) -> Document {
    let mut writer = Writer::new(limits);
    let (mut part, mut after_empty) = (String::new(), false);
    for line in text.lines() {
        let is_margin =
            line.starts_with(|c: char| !c.is_whitespace() && !matches!(c, '}' | ')' | ']'));
        if after_empty && is_margin {
            writer.code(&part);
            part.clear();
            if writer.is_full() {
                break;
            }
        }
        after_empty = line.trim().is_empty();
        part.push_str(line);
        part.push('\n');
    }
    writer.code(&part);
    writer.finish()
}
