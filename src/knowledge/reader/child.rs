//! The process that reads one document: `katana-bot extract --stdin`, or what it becomes.
//!
//! Invariants: two of them at most at once; each has a time, a size of memory and a size of output, and is
//! killed beyond them; it inherits no environment.

use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use extract::{Document, Format, Limits};
use hygiene::line::one_line;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::sync::Semaphore;

use super::Unread;
use super::watch::grown;

/// Reads PDFs better than anything else does, columns for example; where it is installed, it is used.
pub const PDFTOTEXT: &str = "/usr/bin/pdftotext";

/// How the process ends that cannot read its document: the reason is on its standard output.
pub const EXIT_UNREADABLE: i32 = 65;

/// Longest time for one document.
const TIME: Duration = Duration::from_secs(60);

/// Longest reason that is kept, in characters.
const REASON: usize = 300;

/// What is kept of a complaint, in bytes.
const COMPLAINT: u64 = 4096;

/// Processes at once: they are for background work, and each may take half of the memory.
static SEATS: Semaphore = Semaphore::const_new(2);

static PROGRAM: OnceLock<PathBuf> = OnceLock::new();

/// Sets which program reads documents, for processes that are not `katana-bot`; the first call counts.
pub fn use_program(program: &Path) {
    let _ = PROGRAM.set(program.to_owned());
}

/// Reads a document in a process of its own.
pub(super) async fn read(format: Format, file: &File, limits: &Limits) -> Result<Document, Unread> {
    let Ok(_seat) = SEATS.acquire().await else {
        return Err(Unread::new("the bot is about to end"));
    };
    if format == Format::Pdf
        && Path::new(PDFTOTEXT).exists()
        && let Ok(Ended { output, status, .. }) = run(format, file, limits, &["--pdftotext"]).await
        && status.success()
        && let Some(document) = of_pdftotext(&output, limits)
    {
        return Ok(document);
    }
    // Without it, or when it fails: our own extractor has the better reasons.
    let ended = run(format, file, limits, &[]).await?;
    if ended.status.success() {
        let unclear = |_| Unread::new("what was read of it makes no sense; please report this");
        return serde_json::from_slice(&ended.output).map_err(unclear);
    }
    Err(ended.reason())
}

/// A title as JSON on a line of its own, then pages.
fn of_pdftotext(output: &[u8], limits: &Limits) -> Option<Document> {
    let text = String::from_utf8_lossy(output);
    let (title, text) = text.split_once('\n')?;
    let mut document = extract::pdf::of_pdftotext(text, limits).ok()?;
    document.title = serde_json::from_str(title).ok()?;
    Some(document)
}

/// A process that has ended.
struct Ended {
    output: Vec<u8>,
    complaint: Vec<u8>,
    status: ExitStatus,
}

impl Ended {
    fn reason(&self) -> Unread {
        let told = |bytes: &[u8]| one_line(String::from_utf8_lossy(bytes).trim(), REASON);
        match (self.status.code(), self.status.signal()) {
            (Some(EXIT_UNREADABLE), _) => Unread::new(told(&self.output)),
            (Some(101), _) => {
                Unread::new("the program that reads it broke down; please report this")
            }
            // Out of memory, of time, of the stack.
            (_, Some(6)) => Unread::new("it needs more memory than one document may have"),
            (_, Some(9 | 24)) => Unread::new("it takes longer than one document may take"),
            (_, Some(signal)) => {
                Unread::new(format!("the program that reads it was ended by signal {signal}"))
            }
            _ => {
                Unread::new(format!("the program that reads it failed: {}", told(&self.complaint)))
            }
        }
    }
}

async fn run(format: Format, file: &File, limits: &Limits, more: &[&str]) -> Result<Ended, Unread> {
    let mut child = start(format, file, more)
        .map_err(|e| Unread::new(format!("the program that reads it cannot be started: {e}")))?;
    // JSON needs at most twice the text, and some for each block.
    let most = (limits.text as u64).saturating_mul(3).saturating_add(1 << 20);
    let process = child.id().unwrap_or_default();
    // Dropped, the process is killed.
    tokio::select! {
        ended = ended(&mut child, most) => ended,
        () = grown(process) => Err(Unread::new("it needs more memory than one document may have")),
        () = tokio::time::sleep(TIME) => {
            Err(Unread::new("it takes longer than one document may take"))
        }
    }
}

async fn ended(child: &mut Child, most: u64) -> Result<Ended, Unread> {
    let (output, complaint) = (child.stdout.take(), child.stderr.take());
    let (output, complaint) = tokio::join!(taken(output, most + 1), taken(complaint, COMPLAINT));
    if output.len() as u64 > most {
        return Err(Unread::new("it has more text than one document may have; split it"));
    }
    match child.wait().await {
        Ok(status) => Ok(Ended { output, complaint, status }),
        Err(e) => Err(Unread::new(format!("the program that reads it is lost: {e}"))),
    }
}

/// What a pipe gives, at most so much; then it is closed.
async fn taken(pipe: Option<impl AsyncRead + Unpin>, most: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        let _ = pipe.take(most).read_to_end(&mut bytes).await;
    }
    bytes
}

fn start(format: Format, file: &File, more: &[&str]) -> std::io::Result<Child> {
    let mut input = file.try_clone()?;
    input.seek(SeekFrom::Start(0))?;
    // This very program, even after an update of the package.
    let program = PROGRAM.get().map_or(Path::new("/proc/self/exe"), PathBuf::as_path);
    Command::new(program)
        .args(["extract", "--stdin", "--format", format.name()])
        .args(more)
        .env_clear()
        .env("LC_ALL", "C.UTF-8")
        .current_dir("/")
        .stdin(Stdio::from(input))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
}
