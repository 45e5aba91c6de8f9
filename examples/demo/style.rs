//! Message entities on a terminal: text with formatting becomes lines that fit, with colours.

use serde_json::Value;

/// How one character looks. Each flag is a way to be different; the terminal's codes follow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Look {
    bold: bool,
    italic: bool,
    strike: bool,
    code: bool,
    link: bool,
    quote: bool,
    /// A block that must not be broken at words.
    fixed: bool,
}

impl Look {
    /// The escape sequence that begins this look, after a reset; empty for plain text.
    fn begin(self) -> String {
        let codes = [
            (self.bold, "1"),
            (self.italic, "3"),
            (self.strike, "9"),
            (self.link, "4"),
            (self.code, "36"),
            (self.quote && !self.code, "2"),
        ];
        let codes: Vec<&str> = codes.iter().filter(|(on, _)| *on).map(|(_, code)| *code).collect();
        if codes.is_empty() { String::new() } else { format!("\x1b[{}m", codes.join(";")) }
    }
}

/// A message as lines of at most `width` columns. Without `colour`, only the text.
pub fn lines(text: &str, entities: &[Value], width: usize, colour: bool) -> Vec<String> {
    let styled = styled(text, entities);
    let mut lines = Vec::new();
    for line in styled.split(|(c, _)| *c == '\n') {
        let quoted = line.first().is_some_and(|(_, look)| look.quote);
        let room = if quoted { width.saturating_sub(2) } else { width };
        for piece in broken(line, room.max(10)) {
            let bar = if quoted { "│ " } else { "" };
            lines.push(format!("{bar}{}", painted(piece, colour)));
        }
    }
    lines
}

/// Each character with its look. Entities count in UTF-16 units (Bot API `MessageEntity`).
fn styled(text: &str, entities: &[Value]) -> Vec<(char, Look)> {
    let mut place = 0;
    let mut all = Vec::with_capacity(text.len());
    for c in text.chars() {
        let mut look = Look::default();
        for entity in entities {
            let begin = entity["offset"].as_u64().unwrap_or(0);
            let end = begin + entity["length"].as_u64().unwrap_or(0);
            if !(begin..end).contains(&place) {
                continue;
            }
            match entity["type"].as_str().unwrap_or("") {
                "bold" => look.bold = true,
                "italic" => look.italic = true,
                "strikethrough" => look.strike = true,
                "code" => look.code = true,
                "pre" => (look.code, look.fixed) = (true, true),
                "text_link" => look.link = true,
                "blockquote" => look.quote = true,
                _ => {}
            }
        }
        place += c.len_utf16() as u64;
        // Whatever a control character would do to the terminal, it shall not.
        let c = if c.is_control() && c != '\n' && c != '\t' { '\u{fffd}' } else { c };
        // Nor shall one that reorders what stands around it.
        if hygiene::line::is_invisible(c) {
            continue;
        }
        all.push((c, look));
    }
    all
}

/// Breaks one line at spaces, or anywhere when there are none; blocks of code anywhere.
fn broken(line: &[(char, Look)], width: usize) -> Vec<&[(char, Look)]> {
    let mut pieces = Vec::new();
    let mut rest = line;
    loop {
        let mut used = 0;
        let fits = rest.iter().take_while(|(c, _)| {
            used += columns(*c);
            used <= width
        });
        let fits = fits.count();
        if fits == rest.len() {
            pieces.push(rest);
            return pieces;
        }
        let space = rest[..=fits].iter().rposition(|(c, look)| *c == ' ' && !look.fixed);
        let (end, next) = match space {
            Some(at) if at > 0 => (at, at + 1),
            _ => (fits.max(1), fits.max(1)),
        };
        pieces.push(&rest[..end]);
        rest = &rest[next..];
    }
}

fn painted(piece: &[(char, Look)], colour: bool) -> String {
    let mut text = String::new();
    let mut now = Look::default();
    for (c, look) in piece {
        if colour && *look != now {
            if now != Look::default() {
                text.push_str("\x1b[0m");
            }
            text.push_str(&look.begin());
            now = *look;
        }
        text.push(*c);
    }
    if now != Look::default() {
        text.push_str("\x1b[0m");
    }
    text
}

/// The signs of a text in ASCII, for a terminal that shows nothing else; letters stay as they are.
pub fn ascii_signs(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '›' => plain.push('>'),
            '│' => plain.push('|'),
            '…' => plain.push_str("..."),
            '·' | '•' | '–' | '—' => plain.push('-'),
            '“' | '”' => plain.push('"'),
            '‘' | '’' => plain.push('\''),
            '✓' => plain.push('+'),
            '✗' => plain.push('x'),
            other => plain.push(other),
        }
    }
    plain
}

/// Columns that a character takes, roughly: East Asian letters and emoji take two.
fn columns(c: char) -> usize {
    match u32::from(c) {
        0x200b..=0x200f | 0xfe00..=0xfe0f | 0x0300..=0x036f => 0,
        0x1100..=0x115f | 0x2e80..=0xa4cf | 0xac00..=0xd7a3 | 0xf900..=0xfaff => 2,
        0xfe30..=0xfe6f | 0xff00..=0xff60 | 0xffe0..=0xffe6 | 0x1f300..=0x3fffd => 2,
        _ => 1,
    }
}
