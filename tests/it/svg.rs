//! Pictures of text, as SVG: a terminal, and a chat as Telegram shows it.
//!
//! They hold no script, no font and no reference to anything, so that they look alike wherever a page
//! shows them. Each is drawn twice: a picture in a page cannot ask for the reader's colours.

use std::fmt::Write as _;

/// The colours of a picture.
#[derive(Clone, Copy)]
pub struct Theme {
    pub name: &'static str,
    paper: &'static str,
    card: &'static str,
    line: &'static str,
    ink: &'static str,
    quiet: &'static str,
    green: &'static str,
    blue: &'static str,
}

/// For pages on white and on black.
pub const THEMES: [Theme; 2] = [
    Theme {
        name: "light",
        paper: "#f6f8fa",
        card: "#ffffff",
        line: "#d0d7de",
        ink: "#1f2328",
        quiet: "#59636e",
        green: "#116329",
        blue: "#0550ae",
    },
    Theme {
        name: "dark",
        paper: "#0d1117",
        card: "#1c2128",
        line: "#3d444d",
        ink: "#e6edf3",
        quiet: "#9198a1",
        green: "#56d364",
        blue: "#79c0ff",
    },
];

/// How a run of characters looks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Look {
    Plain,
    Bold,
    Quiet,
    You,
    Bot,
}

/// A line: runs of characters, one after the other.
pub type Line = Vec<(Look, String)>;

const MONO: &str = "ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace";
const SANS: &str = "system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif";

/// The width of a character of [`MONO`] at 14 px, which `textLength` enforces, and the height of a line.
const COLUMN: f64 = 8.4;
const ROW: f64 = 20.0;

/// The text size in a chat, its height of a line, and the widest line.
const SIZE: f64 = 15.0;
const CHAT_ROW: f64 = 21.0;
const CHAT_LINE: f64 = 500.0;

/// A terminal of so many columns, with a title.
pub fn terminal(title: &str, lines: &[Line], columns: usize, theme: Theme) -> String {
    let (left, top) = (22.0, 66.0);
    let width = left * 2.0 + columns as f64 * COLUMN;
    let height = top + lines.len() as f64 * ROW + 6.0;
    let mut svg = begin(width, height, MONO, 14.0, title, theme);
    let Theme { paper, line, quiet, .. } = theme;
    let (wide, high) = (width - 1.0, height - 1.0);
    let _ = writeln!(
        svg,
        "<rect x=\"0.5\" y=\"0.5\" width=\"{wide}\" height=\"{high}\" rx=\"8\" fill=\"{paper}\" \
         stroke=\"{line}\"/>"
    );
    for x in [22, 42, 62] {
        let _ = writeln!(svg, "<circle cx=\"{x}\" cy=\"20\" r=\"6\" fill=\"{line}\"/>");
    }
    let middle = width / 2.0;
    let _ = writeln!(
        svg,
        "<text x=\"{middle}\" y=\"25\" text-anchor=\"middle\" fill=\"{quiet}\">{}</text>",
        escaped(title)
    );
    for (n, line) in lines.iter().enumerate() {
        let mut column = 0;
        for (look, text) in line {
            let blanks = text.len() - text.trim_start_matches(' ').len();
            let shown = text.trim();
            let count = shown.chars().count();
            if count > 0 {
                let x = left + (column + blanks) as f64 * COLUMN;
                let (y, long) = (top + n as f64 * ROW, count as f64 * COLUMN);
                let _ = writeln!(
                    svg,
                    "<text x=\"{x:.1}\" y=\"{y}\" textLength=\"{long:.1}\" class=\"{}\">{}</text>",
                    class(*look),
                    escaped(shown)
                );
            }
            column += text.chars().count();
        }
    }
    svg + "</svg>\n"
}

/// A message in a chat: its lines, of which the first is bold, and the time beside the last.
pub struct Bubble {
    pub text: String,
    pub time: String,
}

/// A chat with a bot.
pub fn chat(title: &str, bubbles: &[Bubble], theme: Theme) -> String {
    let (width, mut y) = (CHAT_LINE + 60.0, 62.0);
    let mut body = String::new();
    for bubble in bubbles {
        let lines: Vec<Line> = bubble.text.trim_end().lines().enumerate().flat_map(said).collect();
        let height = lines.len() as f64 * CHAT_ROW + 36.0;
        let (wide, Theme { card, line, quiet, .. }) = (width - 28.0, theme);
        let _ = writeln!(
            body,
            "<rect x=\"14\" y=\"{y}\" width=\"{wide}\" height=\"{height}\" rx=\"12\" fill=\"{card}\" \
             stroke=\"{line}\"/>"
        );
        for (n, line) in lines.iter().enumerate() {
            let at = y + 25.0 + n as f64 * CHAT_ROW;
            let runs: String = line
                .iter()
                .map(|(look, text)| {
                    format!("<tspan class=\"{}\">{}</tspan>", class(*look), escaped(text))
                })
                .collect();
            let _ = writeln!(body, "<text x=\"30\" y=\"{at}\">{runs}</text>");
        }
        let (x, at) = (width - 28.0, y + height - 11.0);
        let _ = writeln!(
            body,
            "<text x=\"{x}\" y=\"{at}\" text-anchor=\"end\" font-size=\"12\" fill=\"{quiet}\">{}</text>",
            escaped(&bubble.time)
        );
        y += height + 12.0;
    }
    let mut svg = begin(width, y + 2.0, SANS, SIZE, title, theme);
    let Theme { paper, card, line, ink, quiet, blue, .. } = theme;
    let (wide, high) = (width - 1.0, y + 1.0);
    let _ = writeln!(
        svg,
        "<rect x=\"0.5\" y=\"0.5\" width=\"{wide}\" height=\"{high}\" rx=\"12\" fill=\"{paper}\" \
         stroke=\"{line}\"/>\n\
         <circle cx=\"34\" cy=\"30\" r=\"17\" fill=\"{blue}\"/>\n\
         <text x=\"34\" y=\"35.5\" text-anchor=\"middle\" font-weight=\"600\" fill=\"{card}\">K</text>\n\
         <text x=\"62\" y=\"27\" font-weight=\"600\" fill=\"{ink}\">{}</text>\n\
         <text x=\"62\" y=\"44\" font-size=\"12\" fill=\"{quiet}\">bot</text>",
        escaped(title)
    );
    svg + &body + "</svg>\n"
}

/// A line of a message as lines that fit, with the word before its first colon in bold.
fn said((n, line): (usize, &str)) -> Vec<Line> {
    let lines = wrap(line, CHAT_LINE / SIZE, em);
    let mut lines = lines.into_iter();
    let first = lines.next().unwrap_or_default();
    let label = first.split_once(": ").filter(|(word, _)| !word.contains(' '));
    let first = match (n, label) {
        (0, _) => vec![(Look::Bold, first)],
        (_, Some((word, rest))) => {
            vec![(Look::Quiet, format!("{word}: ")), (Look::Plain, rest.to_owned())]
        }
        (_, None) => vec![(Look::Plain, first)],
    };
    let look = if n == 0 { Look::Bold } else { Look::Plain };
    std::iter::once(first).chain(lines.map(|line| vec![(look, line)])).collect()
}

/// A text in lines of at most `room`, broken at words; `width` is that of a character.
pub fn wrap(text: &str, room: f64, width: impl Fn(char) -> f64) -> Vec<String> {
    let indent: String = text.chars().take_while(|c| *c == ' ').collect();
    let (mut lines, mut line, mut used) = (Vec::new(), indent.clone(), indent.len() as f64);
    for word in text.split_whitespace() {
        let long: f64 = word.chars().map(&width).sum();
        if used + long > room && !line.trim().is_empty() {
            lines.push(std::mem::replace(&mut line, indent.clone()));
            used = indent.len() as f64;
        }
        if !line.trim().is_empty() {
            line.push(' ');
            used += width(' ');
        }
        line.push_str(word);
        used += long;
    }
    lines.push(line);
    lines
}

/// About how wide a character of [`SANS`] is, in units of the text size; rather too much.
fn em(c: char) -> f64 {
    match c {
        'i' | 'j' | 'l' | 't' | 'f' | 'r' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' | '('
        | ')' | '`' | ' ' | '/' | '-' => 0.36,
        'm' | 'w' | 'M' | 'W' | '@' => 0.95,
        'A'..='Z' => 0.7,
        _ => 0.6,
    }
}

fn begin(width: f64, height: f64, font: &str, size: f64, title: &str, theme: Theme) -> String {
    let Theme { ink, quiet, green, blue, .. } = theme;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" font-family=\"{font}\" font-size=\"{size}\" role=\"img\">\n\
         <title>{}</title>\n\
         <style>.plain{{fill:{ink}}}.bold{{fill:{ink};font-weight:600}}.quiet{{fill:{quiet}}}\
         .you{{fill:{green};font-weight:600}}.bot{{fill:{blue};font-weight:600}}</style>\n",
        escaped(title)
    )
}

fn class(look: Look) -> &'static str {
    match look {
        Look::Plain => "plain",
        Look::Bold => "bold",
        Look::Quiet => "quiet",
        Look::You => "you",
        Look::Bot => "bot",
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
