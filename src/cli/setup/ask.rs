//! Questions to the person at the terminal, and secrets from files and standard input.
//!
//! Invariants: nothing is asked unless standard input is a terminal; what is typed hidden is never
//! shown, and the terminal is as before afterwards, also after Ctrl-C
//! or a signal that ends the program.

use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use rustix::termios::{
    LocalModes, OptionalActions, QueueSelector, Termios, tcflush, tcgetattr, tcsetattr,
};

use crate::cli::exit;
use crate::cli::stop::Stop;
use crate::config::{Problems, Secret};
use crate::lifecycle;
use crate::model::failure::chain;

/// Largest secret, in bytes.
const MOST: usize = 16 * 1024;

/// What to do with an answer that could not be tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Untried {
    Again,
    GoOn,
}

/// The person wants to answer an earlier question again.
#[derive(Debug, thiserror::Error)]
#[error("answer again (Ctrl-C gives up)")]
struct Back;

/// What is typed for that.
pub(super) const BACK: &str = "back";

fn unless_back(line: String) -> Result<String, Back> {
    if line == BACK { Err(Back) } else { Ok(line) }
}

/// The person, if there is one.
pub(super) struct Person {
    is_there: bool,
}

impl Person {
    /// Nothing is asked if `non_interactive` is set or standard input is not a terminal.
    pub(super) fn new(non_interactive: bool) -> Self {
        Self { is_there: !non_interactive && io::stdin().is_terminal() }
    }

    /// Whether there is a person to ask.
    pub(super) fn is_there(&self) -> bool {
        self.is_there
    }

    /// A line, without blanks around it; empty when only Enter was pressed. `flag` is what would
    /// have answered the question.
    ///
    /// # Errors
    /// Among others, that the person wants to go back: only [`Person::by_flags_or_questions`] handles it.
    pub(super) fn line(&self, question: &str, flag: &str) -> anyhow::Result<String> {
        Ok(unless_back(self.last_line(question, flag)?)?)
    }

    /// The same for a question after which there is no way back.
    pub(super) fn last_line(&self, question: &str, flag: &str) -> anyhow::Result<String> {
        self.must_be_there(flag)?;
        loop {
            prompt(question)?;
            let mut line = Vec::new();
            if io::stdin().lock().take(MOST as u64).read_until(b'\n', &mut line)? == 0 {
                return Err(given_up().into());
            }
            match String::from_utf8(line) {
                Ok(line) => return Ok(line.trim().to_owned()),
                Err(_) => eprintln!("This is not text in UTF-8."),
            }
        }
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
        Ok(unless_back(line?.trim().to_owned())?)
    }

    /// Takes answers by flags (`args`) and by questions where flags are missing. When one of the
    /// questions was answered wrong, or the person goes back, from the beginning and `without` those flags.
    ///
    /// # Errors
    /// What is wrong with a flag, and everything that no other answer can change.
    pub(super) fn by_flags_or_questions<A, T>(
        &self,
        args: &A,
        (is_given, without): (bool, fn(&A) -> A),
        mut answer: impl FnMut(&A) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        match answer(args) {
            Err(e) if e.is::<Back>() || self.is_there && !is_given && is_wrong_answer(&e) => {
                say_wrong(&e);
            }
            done => return done,
        }
        let args = without(args);
        loop {
            match answer(&args) {
                Err(e) if e.is::<Back>() || is_wrong_answer(&e) => say_wrong(&e),
                done => return done,
            }
        }
    }

    /// Takes an answer until it is right. Without a person there is one try.
    ///
    /// # Errors
    /// What is wrong with the only answer, and everything that no other answer can change.
    pub(super) fn until_right<T>(
        &self,
        mut answer: impl FnMut() -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        loop {
            match answer() {
                Err(e) if self.is_there && is_wrong_answer(&e) => say_wrong(&e),
                done => return done,
            }
        }
    }

    /// What to do with an answer that could not be tried, for this reason. Without a person, the reason is
    /// the error.
    pub(super) fn untried(&self, why: anyhow::Error) -> anyhow::Result<Untried> {
        const FLAG: &str = "--no-verify";
        if !self.is_there {
            return Err(why);
        }
        say_wrong(&why);
        loop {
            let question = "Enter to try again, \"back\" to answer again, \"skip\" to go on without trying it:";
            match self.line(question, FLAG)?.as_str() {
                "" => return Ok(Untried::Again),
                "skip" => return Ok(Untried::GoOn),
                _ => {}
            }
        }
    }

    /// Discards what was typed or pasted ahead: it was meant for a question, not for the shell.
    pub(super) fn discard_typed(&self) {
        if self.is_there {
            let _ = tcflush(io::stdin().as_fd(), QueueSelector::IFlush);
        }
    }

    fn must_be_there(&self, flag: &str) -> Result<(), Stop> {
        if self.is_there {
            return Ok(());
        }
        let hint = format!("give {flag}, or run it in a terminal without --non-interactive");
        Err(Stop::new(exit::USAGE, format!("{flag} is missing"), hint))
    }
}

/// Whether another answer may be right.
fn is_wrong_answer(e: &anyhow::Error) -> bool {
    e.downcast_ref::<Stop>().is_some_and(|stop| stop.code == exit::CONFIG) || e.is::<Problems>()
}

fn say_wrong(e: &anyhow::Error) {
    if let Some(problems) = e.downcast_ref::<Problems>() {
        return eprint!("{}", problems.print(false));
    }
    let hint = e.downcast_ref::<Stop>().and_then(|stop| stop.hint.as_deref());
    let hint =
        hint.filter(|hint| !hint.is_empty()).map(|hint| format!(" ({hint})")).unwrap_or_default();
    eprintln!("{}{hint}", chain(e.as_ref()));
}

fn given_up() -> Stop {
    Stop::new(exit::USAGE, "given up; nothing was changed", "run it again when you like")
}

fn prompt(question: &str) -> io::Result<()> {
    let mut out = io::stderr().lock();
    write!(out, "{question} ")?;
    out.flush()
}

/// How the terminal was, while it is without echo.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

/// While it is held, no other thread changes the terminal.
fn before() -> MutexGuard<'static, Option<Termios>> {
    BEFORE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The terminal without echo, until dropped, also by a signal that ends the program.
struct Silence;

impl Silence {
    fn begin() -> io::Result<Self> {
        static WATCHED: OnceLock<()> = OnceLock::new();
        if WATCHED.get().is_none() {
            lifecycle::before_the_end(|| end_silence(&mut before()))?;
            let _ = WATCHED.set(());
        }
        let stdin = io::stdin();
        let mut before = before();
        let found = tcgetattr(stdin.as_fd())?;
        let mut silent = found.clone();
        // Byte by byte, so that Ctrl-C comes here and the terminal can be put right first.
        silent.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        tcsetattr(stdin.as_fd(), OptionalActions::Drain, &silent)?;
        *before = Some(found);
        Ok(Self)
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        end_silence(&mut before());
    }
}

fn end_silence(before: &mut Option<Termios>) {
    if let Some(before) = before.take() {
        let _ = tcsetattr(io::stdin().as_fd(), OptionalActions::Drain, &before);
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
            // Ctrl-Z: there is nothing to go back to without echo.
            26 => {}
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
        Stop::new(exit::USAGE, format!("{flag}: the first line is not a secret"), hint).into()
    })
}

/// One line; passwords may have blanks and letters of any language.
pub(super) fn checked(text: &str) -> Option<Secret> {
    let good = !text.is_empty() && text.len() < MOST && !text.chars().any(char::is_control);
    good.then(|| Secret::new(text))
}
