//! What the person sees: a conversation on a terminal, a transcript in a pipe, or JSON.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use botapi_sim::Message;
use hygiene::line::{harmless, harmless_json};
use serde_json::json;

use crate::stage::{Farewell, Stage};
use crate::{Args, Provider, style};

/// How far answers are indented on a terminal.
const INDENT: &str = "  ";

/// Standard output.
pub struct Screen {
    /// Whether a person types.
    pub interactive: bool,
    json: bool,
    terminal: bool,
    /// It moves its cursor and has colours when told so.
    capable: bool,
    colour: bool,
    /// It shows more than ASCII.
    signs: bool,
    /// Columns of each line of the preview on the screen, to be replaced.
    preview: Vec<usize>,
}

impl Screen {
    /// Looks at where it writes to.
    pub fn new(json: bool, interactive: bool) -> Self {
        let terminal = std::io::stdout().is_terminal() && !json;
        let capable = terminal && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        let colour = capable && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
        let signs = !terminal || is_utf8();
        Self { interactive, json, terminal, capable, colour, signs, preview: Vec::new() }
    }

    /// Says what is running and what to try.
    pub fn greet(&self, stage: &Stage, args: &Args) -> std::io::Result<()> {
        let who = match args.provider {
            Provider::Offline => "It answers from examples/knowledge.",
            Provider::Echo => "It repeats what you say.",
            Provider::Model => "It asks a slow simulated model.",
        };
        let log = stage.log.as_ref().map_or("standard error".into(), |p| p.display().to_string());
        let page = stage.app.web_address().map_or("off".into(), |at| format!("http://{at}/"));
        let mut lines = vec![
            ("1", "Katana demo: the real bot and a simulated Telegram, no network.".to_owned()),
            ("", who.to_owned()),
        ];
        for (name, place) in [
            ("Bot API", stage.sim.api_url()),
            ("HTTP", page),
            ("state", stage.state.display().to_string()),
            ("log", log),
        ] {
            lines.push(("2", format!("  {name:<9}{place}")));
        }
        if args.faults > 0.0 {
            let percent = args.faults * 100.0;
            lines.push(("", format!("{percent:.0} % of all calls to Telegram fail on purpose.")));
        }
        if self.interactive {
            let tries = match args.provider {
                Provider::Offline => {
                    "Try: What is the heartbeat?   How do I install Katana?   /help"
                }
                Provider::Echo | Provider::Model => "Try: any words   /help   /status",
            };
            let end = "You own this bot. Ctrl-D or Ctrl-C ends the demo.";
            lines.extend([("", tries.to_owned()), ("", end.to_owned())]);
        }
        let width = if self.terminal { size().1 } else { usize::MAX };
        let mut text = String::new();
        for (code, line) in lines {
            for line in style::lines(&line, &[], width, false) {
                text.push_str(&self.paint(code, &line));
                text.push('\n');
            }
        }
        text.push('\n');
        // In JSON only answers go to standard output.
        if self.json { put(std::io::stderr(), &text) } else { self.show(&text) }
    }

    /// Asks for the next line, on a terminal.
    pub fn prompt(&self) -> std::io::Result<()> {
        if self.interactive && self.terminal {
            self.show(&format!("{} ", self.paint("1;32", "you ›")))
        } else {
            Ok(())
        }
    }

    /// A line was said. A terminal has shown it already, but maybe below a preview, which goes.
    pub fn said(&mut self, line: &str) -> std::io::Result<()> {
        if self.json || (self.interactive && self.preview.is_empty()) {
            return Ok(());
        }
        if self.interactive {
            self.preview.push(line.chars().count());
        }
        let wipe = self.wipe();
        let you = self.paint("1;32", "you ›");
        self.show(&format!("{wipe}{you} {}\n", harmless(line)))
    }

    /// Something about the conversation that is not a message.
    pub fn note(&mut self, words: &str) -> std::io::Result<()> {
        let mut text = self.wipe();
        text.push_str(&self.paint("2", &format!("{INDENT}· {}", harmless(words))));
        if self.json { put(std::io::stderr(), &(text + "\n")) } else { self.show(&(text + "\n")) }
    }

    /// What is written so far; replaces the preview before.
    pub fn draft(&mut self, text: &str) -> std::io::Result<()> {
        if !self.capable {
            return Ok(());
        }
        let mut out = self.wipe();
        let lines = style::lines(text, &[], self.room(), false);
        // The end is what is new; a preview taller than the screen could not be replaced.
        let (height, _) = size();
        let skip = lines.len().saturating_sub(height.saturating_sub(4).max(1));
        out.push_str(&self.paint("2", "katana is writing …"));
        out.push('\n');
        for line in &lines[skip..] {
            out.push_str(&self.paint("2", &format!("{INDENT}{line}")));
            out.push('\n');
        }
        let columns = |line: &String| INDENT.len() + line.chars().count();
        self.preview = std::iter::once(0).chain(lines[skip..].iter().map(columns)).collect();
        self.show(&out)
    }

    /// A message of the bot, with its buttons, and the message that it answers.
    pub fn answer(
        &mut self,
        message: &Message,
        buttons: &[String],
        asked: Option<(&str, Duration)>,
    ) -> std::io::Result<()> {
        if self.json {
            let ms = asked.map(|(_, after)| u64::try_from(after.as_millis()).unwrap_or(u64::MAX));
            let line = json!({
                "said": asked.map(|(said, _)| said), "answer": message.text,
                "message_id": message.message_id, "buttons": buttons, "after_ms": ms,
            });
            return put_json(&line);
        }
        let mut out = self.wipe();
        if asked.is_none() && self.interactive && self.capable {
            // Not an answer to a question: the cursor is behind the prompt.
            out.push_str("\r\x1b[K");
        }
        out.push_str(&self.paint("1;36", "katana ›"));
        out.push('\n');
        for line in style::lines(&message.text, &message.entities, self.room(), self.colour) {
            out.push_str(format!("{INDENT}{line}").trim_end());
            out.push('\n');
        }
        if !buttons.is_empty() {
            let keys: Vec<String> = buttons
                .iter()
                .enumerate()
                .map(|(n, label)| {
                    let key = self.paint("1;33", &format!("!{}", n + 1));
                    format!("{key} {}", harmless(label))
                })
                .collect();
            out.push_str(&format!("{INDENT}{}\n", keys.join("   ")));
        }
        out.push('\n');
        self.show(&out)
    }

    /// A message waited for too long.
    pub fn no_answer(&mut self, said: &str, waited: Duration) -> std::io::Result<()> {
        let seconds = waited.as_secs();
        if self.json {
            let line = json!({"said": said, "error": format!("no answer within {seconds} s")});
            return put_json(&line);
        }
        let words = format!("no answer within {seconds} s; the log may say why");
        self.note(&words)
    }

    /// Says how it ended.
    pub fn farewell(&mut self, farewell: &Farewell, unanswered: usize) -> std::io::Result<()> {
        let mut text = self.wipe();
        if self.interactive && self.terminal {
            text.push('\n');
        }
        let gracefully = if farewell.gentle { "gracefully" } else { "but not gracefully" };
        text.push_str(&match (farewell.left, &farewell.kept) {
            (0, _) => format!("Stopped {gracefully}; no work was left.\n"),
            (_, Some(_)) => {
                format!("Stopped {gracefully}; unfinished work is in the state file.\n")
            }
            (_, None) => {
                format!("Stopped {gracefully}; unfinished work is deleted with the demo.\n")
            }
        });
        if unanswered > 0 {
            let s = if unanswered == 1 { "" } else { "s" };
            text.push_str(&format!("{unanswered} message{s} got no answer.\n"));
        }
        if let Some(kept) = &farewell.kept {
            text.push_str(&format!("State and log are kept in {}\n", kept.display()));
        }
        put(std::io::stderr(), &text)
    }

    /// Codes that remove the preview from the screen, whose lines wrap if the window became narrower.
    fn wipe(&mut self) -> String {
        let (_, width) = size();
        let rows = |columns: &usize| columns.div_ceil(width).max(1);
        match std::mem::take(&mut self.preview).iter().map(rows).sum() {
            0 => String::new(),
            rows => format!("\x1b[{rows}A\r\x1b[J"),
        }
    }

    /// Columns that an answer may take: a window may change its size at any time.
    fn room(&self) -> usize {
        let width = if self.terminal { size().1 } else { usize::MAX };
        width.saturating_sub(INDENT.len())
    }

    fn show(&self, text: &str) -> std::io::Result<()> {
        let text = if self.signs { text.to_owned() } else { style::ascii_signs(text) };
        put(std::io::stdout(), &text)
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour && !code.is_empty() {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

fn put(mut to: impl Write, text: &str) -> std::io::Result<()> {
    match to.write_all(text.as_bytes()).and_then(|()| to.flush()) {
        // The reader has seen enough.
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

fn put_json(line: &serde_json::Value) -> std::io::Result<()> {
    put(std::io::stdout(), &format!("{}\n", harmless_json(&line.to_string())))
}

/// Rows and columns of the terminal; 24 and 80 if it does not say.
fn size() -> (usize, usize) {
    let told = rustix::termios::tcgetwinsize(std::io::stdout());
    match told.map(|size| (usize::from(size.ws_row), usize::from(size.ws_col))) {
        Ok((rows, columns)) if rows > 4 && columns > 20 => (rows, columns),
        _ => (24, 80),
    }
}

/// Whether the locale has more than ASCII (locale(7)).
fn is_utf8() -> bool {
    let named = ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
    let locale = named.unwrap_or_default().to_ascii_lowercase();
    locale.ends_with("utf-8") || locale.ends_with("utf8")
}
