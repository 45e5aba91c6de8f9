//! `katana-bot extract`: what is read of a document, and the process that reads it.
//!
//! Invariants: as a child it touches nothing but its standard streams, and gives itself limits before it
//! looks at the document; only `pdftotext` is executed, in its own place.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use clap::Args;
use extract::{Format, Limits};
use hygiene::line::harmless;
use hygiene::time_limit;
use rustix::process::{Resource, Rlimit, setrlimit};

use super::stop::Stop;
use super::style::{say, say_json};
use super::{exit, style};
use crate::knowledge::reader;

/// Addresses that a child may have, in bytes. The parent ends it before that by what is in use.
const ADDRESSES: u64 = 1 << 30;

/// Processor time of a child, in seconds. The parent ends it by the clock; this is for a parent that was killed.
const SECONDS: u64 = 60;

/// Files that a child may have open: its streams, and what `pdftotext` loads.
const FILES: u64 = 64;

/// Longest time for the title of a PDF, which `pdftotext` does not write.
const TITLE: Duration = Duration::from_secs(2);

/// Names of standard input.
const STANDARD_INPUT: [&str; 2] = ["-", "/dev/stdin"];

#[derive(Clone, Debug, Args)]
pub(super) struct ExtractArgs {
    /// The document; `-` for standard input, with --format
    #[arg(value_name = "DOCUMENT", required_unless_present = "stdin")]
    file: Option<PathBuf>,
    /// Machine-readable output: headings, text, tables and code one by one
    #[arg(long)]
    json: bool,
    /// Its format, where the ending of its name does not say it
    #[arg(long, value_name = "FORMAT", value_parser = format)]
    format: Option<Format>,
    /// Read standard input in this process; for the daemon
    #[arg(long, hide = true, requires = "format", conflicts_with_all = ["file", "json"])]
    stdin: bool,
    /// Become pdftotext; for the daemon
    #[arg(long, hide = true, requires = "stdin")]
    pdftotext: bool,
}

fn format(name: &str) -> Result<Format, String> {
    Format::named(name).ok_or_else(|| format!("write one of {}", Format::names().join(", ")))
}

/// Shows what is read of a document, or reads it as a child.
pub(super) fn extract(wish: &ExtractArgs) -> anyhow::Result<ExitCode> {
    match (&wish.file, wish.format) {
        (Some(path), format) => show(path, format, wish.json),
        (None, Some(format)) => Ok(child(format, wish.pdftotext)),
        (None, None) => Ok(ExitCode::from(exit::USAGE)),
    }
}

fn show(path: &Path, format: Option<Format>, as_json: bool) -> anyhow::Result<ExitCode> {
    let is_piped = STANDARD_INPUT.iter().any(|name| path == Path::new(name));
    let shown = match is_piped {
        true => "standard input".to_owned(),
        false => style::visible(&path.to_string_lossy()),
    };
    let stop = |why: String, hint: &str| {
        Stop::new(exit::UNREADABLE, format!("cannot read {shown}: {why}"), hint)
    };
    if !is_piped && path.is_dir() {
        let hint = "name one of the documents in it; katana-bot knowledge status shows what is read of a folder";
        return Err(stop("it is a folder".into(), hint).into());
    }
    let Some(format) = format.or_else(|| Format::of(path)) else {
        let hint = format!("--format names it: {}", Format::names().join(", "));
        let why = if is_piped {
            "its format is not named"
        } else {
            "its ending is not one of a known format"
        };
        return Err(stop(why.into(), &hint).into());
    };
    let input = if is_piped { Input::standard() } else { Input::open(path) };
    let input = input.map_err(|e| match e.kind() {
        io::ErrorKind::NotFound => stop("there is no such file".into(), "check the name"),
        _ => stop(e.to_string(), "check who may read it"),
    })?;
    let hint = "docs/knowledge.md has what can be read, and what to do about the rest";
    let document = read(format, input).map_err(|unread| stop(unread.reason, hint))?;
    if as_json {
        say_json(&serde_json::to_value(&document)?);
    } else {
        say(&harmless(&document.to_markdown()));
        for remark in &document.remarks {
            eprintln!("remark: {}", style::visible(remark));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What a document is read from.
enum Input {
    File(File),
    /// Of a pipe, which cannot be read twice.
    Bytes(Vec<u8>),
}

impl Input {
    fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        if file.metadata()?.is_file() { Ok(Self::File(file)) } else { Self::all_of(file) }
    }

    fn standard() -> io::Result<Self> {
        Self::all_of(io::stdin().as_fd().try_clone_to_owned()?.into())
    }

    fn all_of(pipe: File) -> io::Result<Self> {
        let mut bytes = Vec::new();
        pipe.take(Limits::default().file + 1).read_to_end(&mut bytes)?;
        Ok(Self::Bytes(bytes))
    }
}

#[tokio::main(flavor = "current_thread")]
async fn read(format: Format, input: Input) -> Result<extract::Document, reader::Unread> {
    let file = match input {
        Input::File(file) => file,
        Input::Bytes(bytes) => {
            let unread = |e| reader::Unread::passing(format!("it cannot be read: {e}"));
            reader::held(bytes.into()).await.map_err(unread)?
        }
    };
    reader::read(format, file, Limits::default()).await
}

/// Reads standard input; the document or the reason is on standard output.
fn child(format: Format, with_pdftotext: bool) -> ExitCode {
    limit_self();
    let limits = Limits::default();
    let mut bytes = Vec::new();
    let input = io::stdin().as_fd().try_clone_to_owned().map(File::from);
    let read = input.and_then(|mut input| {
        Read::by_ref(&mut input).take(limits.file + 1).read_to_end(&mut bytes)?;
        Ok(input)
    });
    let mut input = match read {
        Ok(input) => input,
        Err(e) => return refuse(&format!("it cannot be read: {e}")),
    };
    if with_pdftotext {
        return match input.seek(SeekFrom::Start(0)) {
            Ok(_) => become_pdftotext(bytes),
            Err(e) => refuse(&format!("it cannot be read again: {e}")),
        };
    }
    match extract::extract(format, &bytes, &limits) {
        Ok(document) => {
            let written = serde_json::to_vec(&document).map(|json| write(&json));
            if written.is_ok_and(|written| written) {
                ExitCode::SUCCESS
            } else {
                ExitCode::from(exit::SOFTWARE)
            }
        }
        Err(problem) => refuse(&problem.to_string()),
    }
}

fn write(bytes: &[u8]) -> bool {
    let mut output = io::stdout().lock();
    output.write_all(bytes).and_then(|()| output.flush()).is_ok()
}

fn refuse(reason: &str) -> ExitCode {
    write(reason.as_bytes());
    ExitCode::from(exit::UNREADABLE)
}

/// Writes the title on a line of its own and goes on as `pdftotext`, with the same limits and streams.
fn become_pdftotext(bytes: Vec<u8>) -> ExitCode {
    let title = time_limit::within(TITLE, move || extract::pdf::title(&bytes)).flatten();
    let title = serde_json::to_string(&title).unwrap_or_else(|_| "null".to_owned());
    write(format!("{title}\n").as_bytes());
    let error = Command::new(reader::PDFTOTEXT).args(["-q", "-enc", "UTF-8", "-", "-"]).exec();
    eprintln!("cannot run {}: {error}", reader::PDFTOTEXT);
    ExitCode::from(exit::UNAVAILABLE)
}

/// Gives this process limits that it cannot lift again. Where a sandbox forbids even that, the parent's remain.
#[expect(clippy::disallowed_methods, reason = "this file of the kernel is never half written")]
fn limit_self() {
    // When memory is short, this process is the one that may go.
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
    for (resource, most) in [
        (Resource::As, ADDRESSES),
        (Resource::Cpu, SECONDS),
        (Resource::Fsize, 0),
        (Resource::Nofile, FILES),
        (Resource::Core, 0),
    ] {
        let limit = Rlimit { current: Some(most), maximum: Some(most) };
        if let Err(e) = setrlimit(resource, limit) {
            eprintln!("cannot limit {resource:?}: {e}");
        }
    }
}
