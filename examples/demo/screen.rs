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
    colour: bool,
    width: usize,
    height: usize,
    /// Lines of the preview on the screen, to be replaced.
    preview: usize,
}

impl Screen {
    /// Looks at where it writes to.
    pub fn new(json: bool, interactive: bool) -> Self {
        let terminal = std::io::stdout().is_terminal() && !json;
        let colour = terminal && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
        let (height, width) = if terminal { size() } else { (24, usize::MAX) };
        Self { interactive, json, terminal, colour, width, height, preview: 0 }
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
        let mut text = format!(
            "{}: the real bot and a simulated Telegram, no network.\n{who}\n",
            self.paint("1", "Katana demo"),
        );
        let places = [
            ("Bot API", stage.sim.api_url()),
            ("HTTP", page),
            ("state", stage.state.display().to_string()),
            ("log", log),
        ];
        for (name, place) in places {
            text.push_str(&self.paint("2", &format!("  {name:<9}{place}")));
            text.push('\n');
        }
        if args.faults > 0.0 {
            text.push_str(&format!(
                "{:.0} % of all calls to Telegram fail on purpose.\n",
                args.faults * 100.0
            ));
        }
        if self.interactive {
            text.push_str(match args.provider {
                Provider::Offline => {
                    "Try: What is the heartbeat?   How do I install Katana?   /help\n"
                }
                Provider::Echo | Provider::Model => "Try: any words   /help   /status\n",
            });
            text.push_str("You own this bot. Ctrl-D or Ctrl-C ends the demo.\n");
        }
        text.push('\n');
        // In JSON only answers go to standard output.
        if self.json { put(std::io::stderr(), &text) } else { put(std::io::stdout(), &text) }
    }

    /// Asks for the next line, on a terminal.
    pub fn prompt(&self) -> std::io::Result<()> {
        if self.interactive && self.terminal {
            put(std::io::stdout(), &format!("{} ", self.paint("1;32", "you ›")))
        } else {
            Ok(())
        }
    }

    /// A line was said. A terminal has shown it already, but maybe below a preview, which goes.
    pub fn said(&mut self, line: &str) -> std::io::Result<()> {
        if self.json || (self.interactive && self.preview == 0) {
            return Ok(());
        }
        if self.interactive {
            self.preview += 1;
        }
        let wipe = self.wipe();
        let you = self.paint("1;32", "you ›");
        put(std::io::stdout(), &format!("{wipe}{you} {}\n", harmless(line)))
    }

    /// Something about the conversation that is not a message.
    pub fn note(&mut self, words: &str) -> std::io::Result<()> {
        let mut text = self.wipe();
        text.push_str(&self.paint("2", &format!("{INDENT}· {}", harmless(words))));
        if self.json {
            put(std::io::stderr(), &(text + "\n"))
        } else {
            put(std::io::stdout(), &(text + "\n"))
        }
    }

    /// What is written so far; replaces the preview before.
    pub fn draft(&mut self, text: &str) -> std::io::Result<()> {
        if !self.terminal {
            return Ok(());
        }
        let mut out = self.wipe();
        let lines = style::lines(text, &[], self.room(), false);
        // The end is what is new; a preview taller than the screen could not be replaced.
        let skip = lines.len().saturating_sub(self.height.saturating_sub(4).max(1));
        out.push_str(&self.paint("2", "katana is writing …"));
        out.push('\n');
        for line in &lines[skip..] {
            out.push_str(&self.paint("2", &format!("{INDENT}{line}")));
            out.push('\n');
        }
        self.preview = 1 + lines.len() - skip;
        put(std::io::stdout(), &out)
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
        if asked.is_none() && self.interactive && self.terminal {
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
        put(std::io::stdout(), &out)
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

    /// Codes that remove the preview from the screen.
    fn wipe(&mut self) -> String {
        match std::mem::take(&mut self.preview) {
            0 => String::new(),
            lines => format!("\x1b[{lines}A\r\x1b[J"),
        }
    }

    fn room(&self) -> usize {
        self.width.saturating_sub(INDENT.len())
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
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

/// Rows and columns of the terminal, as `stty` reports them; 24 and 80 if it fails.
fn size() -> (usize, usize) {
    let told = std::process::Command::new("stty")
        .arg("size")
        .stdin(std::process::Stdio::inherit())
        .stderr(std::process::Stdio::null())
        .output();
    let told = told.ok().and_then(|out| String::from_utf8(out.stdout).ok()).unwrap_or_default();
    let mut numbers = told.split_whitespace().filter_map(|n| n.parse().ok());
    match (numbers.next(), numbers.next()) {
        (Some(rows), Some(columns)) if rows > 4 && columns > 20 => (rows, columns),
        _ => (24, 80),
    }
}
