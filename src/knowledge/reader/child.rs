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
use tokio::process::Command;
use tokio::sync::Semaphore;

use super::unread::{Unread, unbroken};
use super::watch::grown;
use crate::blocking;

/// Reads PDFs better than anything else does, columns for example; where it is installed, it is used.
pub const PDFTOTEXT: &str = "/usr/bin/pdftotext";

/// How the process ends that cannot read its document: the reason is on its standard output.
pub const EXIT_UNREADABLE: i32 = 65;

/// How Rust programs end that panic.
const EXIT_PANIC: i32 = 101;

/// Longest time for one document.
const TIME: Duration = Duration::from_secs(60);

/// Memory that is in use, in kB. Two processes fit into the unit's `MemoryMax=` beside the bot.
const MEMORY_KB: u64 = 240 * 1024;

/// Longest reason that is kept, in characters.
const REASON: usize = 300;

/// What is kept of a complaint, in bytes.
const COMPLAINT: u64 = 4096;

const TOO_SLOW: &str = "it takes longer than one document may take; split it";
const TOO_GREEDY: &str = "it needs more memory than one document may have; split it";

/// Processes at once: one for the index, and one for what someone sends meanwhile.
static SEATS: Semaphore = Semaphore::const_new(2);

static PROGRAM: OnceLock<PathBuf> = OnceLock::new();

/// Sets which program reads documents, for processes that are not `katana-bot`; the first call counts.
pub fn use_program(program: &Path) {
    let _ = PROGRAM.set(program.to_owned());
}

/// Reads a document in a process of its own.
pub(super) async fn read(format: Format, file: &File, limits: &Limits) -> Result<Document, Unread> {
    let Ok(_seat) = SEATS.acquire().await else {
        return Err(Unread::passing("the bot is about to end"));
    };
    // This very program, even after an update of the package.
    let program = PROGRAM.get().map_or(Path::new("/proc/self/exe"), PathBuf::as_path);
    let reader = Reader { program, time: TIME, memory_kb: MEMORY_KB };
    if format == Format::Pdf
        && Path::new(PDFTOTEXT).exists()
        && let Ok(ended) = reader.run(format, file, limits, &["--pdftotext"]).await
        && ended.status.success()
    {
        let limits = *limits;
        let document = blocking::run(move || of_pdftotext(&ended.output, &limits)).await;
        if let Some(document) = document.flatten() {
            return Ok(document);
        }
    }
    // Without it, or when it fails: our own extractor has the better reasons.
    let ended = reader.run(format, file, limits, &[]).await?;
    let document = blocking::run(move || ended.document()).await;
    document.unwrap_or_else(|| Err(Unread::passing("the bot is about to end")))
}

/// A title as JSON on a line of its own, then pages.
fn of_pdftotext(output: &[u8], limits: &Limits) -> Option<Document> {
    let text = String::from_utf8_lossy(output);
    let (title, text) = text.split_once('\n')?;
    let document = unbroken(|| extract::pdf::of_pdftotext(text, limits));
    let mut document = document.ok()?.ok()?;
    document.title = serde_json::from_str(title).ok()?;
    Some(document)
}

/// A program that reads documents, and what each of its processes may take.
struct Reader<'p> {
    program: &'p Path,
    time: Duration,
    memory_kb: u64,
}

/// A process that has ended.
struct Ended {
    output: Vec<u8>,
    complaint: Vec<u8>,
    status: ExitStatus,
}

impl Ended {
    fn document(&self) -> Result<Document, Unread> {
        if !self.status.success() {
            return Err(self.reason());
        }
        let unclear = |_| Unread::new("what was read of it makes no sense; please report this");
        serde_json::from_slice(&self.output).map_err(unclear)
    }

    fn reason(&self) -> Unread {
        let said = |bytes: &[u8]| one_line(String::from_utf8_lossy(bytes).trim(), REASON);
        Unread::new(match (self.status.code(), self.status.signal()) {
            (Some(EXIT_UNREADABLE), _) => said(&self.output),
            (Some(EXIT_PANIC), _) => "what reads it broke down; please report this".to_owned(),
            // SIGABRT ends a program that gets no memory, SIGKILL comes from the kernel that has none; SIGXCPU.
            (_, Some(6 | 9)) => TOO_GREEDY.to_owned(),
            (_, Some(24)) => TOO_SLOW.to_owned(),
            // A stop of the bot may reach its children first.
            (_, Some(signal)) => {
                return Unread::passing(format!("what reads it was ended by signal {signal}"));
            }
            _ => format!("what reads it failed: {}", said(&self.complaint)),
        })
    }
}

impl Reader<'_> {
    async fn run(
        &self,
        format: Format,
        file: &File,
        limits: &Limits,
        more: &[&str],
    ) -> Result<Ended, Unread> {
        let mut child = self
            .start(format, file, more)
            .map_err(|e| Unread::passing(format!("what reads it cannot be started: {e}")))?;
        // JSON needs at most twice the text, and some for each block.
        let most = (limits.text as u64).saturating_mul(3).saturating_add(1 << 20);
        let process = child.id().unwrap_or_default();
        // Dropped, the process is killed.
        tokio::select! {
            ended = ended(&mut child, most) => ended,
            () = grown(process, self.memory_kb) => Err(Unread::new(TOO_GREEDY)),
            () = tokio::time::sleep(self.time) => Err(Unread::new(TOO_SLOW)),
        }
    }

    fn start(
        &self,
        format: Format,
        file: &File,
        more: &[&str],
    ) -> std::io::Result<tokio::process::Child> {
        let mut input = file.try_clone()?;
        input.seek(SeekFrom::Start(0))?;
        Command::new(self.program)
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
}

async fn ended(child: &mut tokio::process::Child, most: u64) -> Result<Ended, Unread> {
    let (output, complaint) = (child.stdout.take(), child.stderr.take());
    let (output, complaint) = tokio::join!(taken(output, most + 1), taken(complaint, COMPLAINT));
    if output.len() as u64 > most {
        return Err(Unread::new("it has more text than one document may have; split it"));
    }
    match child.wait().await {
        Ok(status) => Ok(Ended { output, complaint, status }),
        Err(e) => Err(Unread::passing(format!("what reads it is lost: {e}"))),
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

#[cfg(test)]
mod tests {
    use super::super::script::script;
    use super::*;

    /// What comes out when a script reads the document.
    async fn read_by(text: &str) -> Result<Document, Unread> {
        let dir = tempfile::tempdir().unwrap();
        let (program, document) = (script(dir.path(), text), dir.path().join("document"));
        std::fs::write(&document, "words").unwrap();
        let reader =
            Reader { program: &program, time: Duration::from_secs(5), memory_kb: 60 * 1024 };
        let file = File::open(&document).unwrap();
        let limits = Limits { text: 1000, ..Limits::default() };
        reader.run(Format::Html, &file, &limits, &[]).await?.document()
    }

    #[tokio::test]
    async fn whatever_a_process_does_there_is_a_document_or_a_reason() {
        let good = "test \"$1 $2 $3 $4\" = 'extract --stdin --format html' || exit 1\n\
                    test \"$(cat)\" = words || exit 2\n\
                    test \"$(env | grep -cv '^\\(LC_ALL\\|PWD\\|_\\|OLDPWD\\|SHLVL\\)=')\" = 0 || exit 3\n\
                    echo '{\"title\": \"Read\"}'";
        let read = read_by(good).await.map(|document| document.title);
        assert_eq!(read, Ok(Some("Read".to_owned())));
        for (script, reason) in [
            ("echo 'it is damaged'; exit 65", "it is damaged"),
            ("exit 101", "broke down"),
            ("echo words", "makes no sense"),
            ("kill -SEGV $$", "signal 11"),
            ("kill -ABRT $$", "more memory"),
            ("kill -KILL $$", "more memory"),
            ("kill -XCPU $$", "takes longer"),
            ("echo oh >&2; exit 3", "failed: oh"),
            ("exec tail /dev/zero", "more memory"),
            ("exec cat /dev/zero", "more text"),
            ("exec sleep 1000", "takes longer"),
        ] {
            let unread = read_by(script).await.unwrap_err();
            assert!(unread.reason.contains(reason), "{script}: {unread}");
        }
    }
}
