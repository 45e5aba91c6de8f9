//! Questions to the person at the terminal, and secrets from files and standard input.
//!
//! Invariants: nothing is asked unless standard input is a terminal; what is typed hidden is never
//! shown, and the terminal is as before afterwards, also after Ctrl-C.

use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::os::fd::AsFd;
use std::path::Path;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use super::super::{Stop, exit};
use crate::config::Secret;

/// Largest secret, in bytes.
const MOST: usize = 16 * 1024;

/// The person, if there is one.
pub(super) struct Person {
    is_there: bool,
}

impl Person {
    /// Nobody is asked when `nobody` is set or standard input is no terminal.
    pub(super) fn new(nobody: bool) -> Self {
        Self { is_there: !nobody && io::stdin().is_terminal() }
    }

    /// Whether somebody can be asked.
    pub(super) fn is_there(&self) -> bool {
        self.is_there
    }

    /// A line, without blanks around it; empty when only Enter was pressed. `flag` is what would
    /// have answered the question.
    pub(super) fn line(&self, question: &str, flag: &str) -> anyhow::Result<String> {
        self.must_be_there(flag)?;
        prompt(question)?;
        let mut line = String::new();
        if io::stdin().lock().take(MOST as u64).read_line(&mut line)? == 0 {
            return Err(given_up().into());
        }
        Ok(line.trim().to_owned())
    }

    /// The same, not shown.
    pub(super) fn hidden(&self, question: &str, flag: &str) -> anyhow::Result<String> {
        self.must_be_there(flag)?;
        // Before the question, which may be answered at once.
        let silence = Silence::begin()?;
        prompt(question)?;
        let line = read_hidden();
        drop(silence);
        eprintln!();
        Ok(line?.trim().to_owned())
    }

    fn must_be_there(&self, flag: &str) -> Result<(), Stop> {
        if self.is_there {
            return Ok(());
        }
        let hint = format!("give {flag}, or run it in a terminal without --non-interactive");
        Err(Stop::new(exit::USAGE, format!("{flag} is missing"), hint))
    }
}

fn given_up() -> Stop {
    Stop::new(exit::USAGE, "given up; nothing was changed", "run it again when you like")
}

fn prompt(question: &str) -> io::Result<()> {
    let mut out = io::stderr().lock();
    write!(out, "{question} ")?;
    out.flush()
}

/// The terminal without echo, until dropped.
struct Silence(Termios);

impl Silence {
    fn begin() -> io::Result<Self> {
        let stdin = io::stdin();
        let before = tcgetattr(stdin.as_fd())?;
        let mut silent = before.clone();
        // Byte by byte, so that Ctrl-C comes here and the terminal can be put right first.
        silent.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        tcsetattr(stdin.as_fd(), OptionalActions::Drain, &silent)?;
        Ok(Self(before))
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin().as_fd(), OptionalActions::Drain, &self.0);
    }
}

/// Reads a line from a silent terminal.
fn read_hidden() -> anyhow::Result<String> {
    let mut line = Vec::new();
    let mut stdin = io::stdin().lock();
    loop {
        let mut byte = [0];
        let n = stdin.read(&mut byte)?;
        match byte[0] {
            _ if n == 0 => return Err(given_up().into()),
            b'\r' | b'\n' => break,
            // Ctrl-C, Ctrl-D, Ctrl-\.
            3 | 4 | 28 => return Err(given_up().into()),
            // Backspace, Ctrl-U.
            8 | 127 => drop(line.pop()),
            21 => line.clear(),
            byte if line.len() < MOST => line.push(byte),
            _ => {}
        }
    }
    Ok(String::from_utf8_lossy(&line).into_owned())
}

/// Reads the secret that a flag names: the first line of a file, or with `-` the next line of
/// standard input.
pub(super) fn secret(flag: &str, file: &Path) -> anyhow::Result<Secret> {
    let mut line = String::new();
    let read = if file == Path::new("-") {
        io::stdin().lock().take(MOST as u64).read_line(&mut line)
    } else {
        let open = std::fs::File::open(file);
        open.and_then(|file| io::BufReader::new(file.take(MOST as u64)).read_line(&mut line))
    };
    let hint = "it is a file with the secret alone on one line, or - for standard input";
    // The path may be the secret itself, given by mistake.
    read.map_err(|e| Stop::new(exit::USAGE, format!("cannot read {flag}: {}", e.kind()), hint))?;
    checked(line.trim()).ok_or_else(|| {
        Stop::new(exit::USAGE, format!("{flag} holds no secret on its first line"), hint).into()
    })
}

/// One line; passwords may have blanks and letters of any language.
pub(super) fn checked(text: &str) -> Option<Secret> {
    let good = !text.is_empty() && text.len() < MOST && !text.chars().any(char::is_control);
    good.then(|| Secret::new(text))
}
