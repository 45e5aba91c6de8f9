//! A real mail server in its own process, with a mailbox to look into: PyPI's aiosmtpd.
//!
//! It is installed once into `katana-ci` below the user's cache directory. Where that is not
//! possible, the tests that need it say loudly that they were skipped.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;

/// The version that is installed.
const AIOSMTPD: &str = "aiosmtpd==1.4.6";

/// How a server is set up.
#[derive(Clone, Copy, Default)]
pub struct Setup<'a> {
    /// `implicit`, `starttls`, or `none` when empty.
    pub tls: &'a str,
    /// The only user, and the password.
    pub login: Option<(&'a str, &'a str)>,
    /// Whether a refused login repeats the password.
    pub chatty: bool,
    /// A mechanism that is not offered.
    pub without: Option<&'a str>,
}

/// A running server; it ends when this is dropped.
pub struct Postbox {
    pub port: u16,
    dir: TempDir,
    server: Child,
}

impl Postbox {
    /// Starts a server; `None`, after saying so, where aiosmtpd cannot be had.
    pub fn start(setup: Setup<'_>) -> Option<Self> {
        let library = library()?;
        let dir = tempfile::tempdir().expect("a directory");
        let chain = dir.path().join("chain.pem");
        authority(&dir.path().join("ca.pem"), &chain);
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/channels/mailserver.py");
        let mut command = Command::new(library.join("bin/python"));
        command.arg("-B").arg(script).arg("--maildir").arg(dir.path().join("mail"));
        command.arg("--chain").arg(chain);
        command.args(["--tls", if setup.tls.is_empty() { "none" } else { setup.tls }]);
        if let Some((user, password)) = setup.login {
            command.args(["--user", user, "--password", password]);
        }
        if let Some(mechanism) = setup.without {
            command.args(["--without", mechanism]);
        }
        if setup.chatty {
            command.arg("--chatty");
        }
        let mut server = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(dir.path().join("log")).expect("a log"))
            .spawn()
            .expect("python starts");
        let mut line = String::new();
        let stdout = server.stdout.take().expect("a pipe");
        BufReader::new(stdout).read_line(&mut line).expect("the server speaks");
        let port = line.trim().strip_prefix("PORT ").and_then(|port| port.parse().ok());
        Some(Self { port: port.unwrap_or_else(|| panic!("no port in {line:?}")), dir, server })
    }

    /// The certificate of the authority that signed the server's.
    pub fn ca_file(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    /// Every mail in the mailbox, in the order of arrival.
    pub fn mails(&self) -> Vec<Mail> {
        let dir = self.dir.path().join("mail/new");
        let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
        let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        files.sort_by_key(|path| path.metadata().and_then(|m| m.modified()).expect("a time"));
        files.iter().map(|path| Mail::read(path)).collect()
    }

    /// The only mail.
    pub fn mail(&self) -> Mail {
        let mut mails = self.mails();
        assert_eq!(mails.len(), 1, "mails in the mailbox");
        mails.remove(0)
    }
}

impl Drop for Postbox {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
            eprintln!("the mail server said:\n{log}");
        }
    }
}

/// A mail as it lies in the mailbox.
pub struct Mail {
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Mail {
    fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).expect("a mail").replace("\r\n", "\n");
        let (head, body) = text.split_once("\n\n").expect("headers end");
        let head = head.replace("\n ", " ").replace("\n\t", " ");
        let header = |line: &str| {
            let (name, value) = line.split_once(": ").unwrap_or_else(|| panic!("header {line:?}"));
            (name.to_ascii_lowercase(), value.to_owned())
        };
        Self { headers: head.lines().map(header).collect(), body: body.to_owned() }
    }

    /// The value of the header, which may be there once at most.
    pub fn header(&self, name: &str) -> Option<&str> {
        let name = name.to_ascii_lowercase();
        let mut values = self.headers.iter().filter(|(n, _)| *n == name).map(|(_, v)| v.as_str());
        let value = values.next();
        assert!(values.next().is_none(), "{name} stands twice");
        value
    }
}

/// The directory of the virtual environment, made when it is not there yet.
fn library() -> Option<&'static Path> {
    static LIBRARY: OnceLock<Option<PathBuf>> = OnceLock::new();
    let library = LIBRARY.get_or_init(|| match install() {
        Ok(path) => Some(path),
        Err(why) => {
            // Not by a macro: the test harness would swallow it.
            let _ = writeln!(
                std::io::stderr(),
                "\nSKIPPED: every test of real mail, because aiosmtpd cannot be installed: {why}\n"
            );
            None
        }
    });
    library.as_deref()
}

fn install() -> Result<PathBuf, String> {
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or(home);
    let cache = cache.ok_or("neither XDG_CACHE_HOME nor HOME is set")?.join("katana-ci");
    let place = cache.join(AIOSMTPD.replace("==", "-"));
    if place.join("bin/python").exists() {
        return Ok(place);
    }
    std::fs::create_dir_all(&cache).map_err(|error| error.to_string())?;
    // Made aside and moved, so that one that was broken off is never taken for whole.
    let aside = tempfile::tempdir_in(&cache).map_err(|error| error.to_string())?;
    let fresh = aside.path().join("venv");
    run(Command::new("python3").args(["-m", "venv"]).arg(&fresh))?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", AIOSMTPD];
    run(Command::new(fresh.join("bin/python")).args(pip))?;
    match std::fs::rename(&fresh, &place) {
        // Another process was faster, which serves as well.
        Err(_) if place.join("bin/python").exists() => Ok(place),
        Err(error) => Err(error.to_string()),
        Ok(()) => Ok(place),
    }
}

fn run(command: &mut Command) -> Result<(), String> {
    let begun = Instant::now();
    let output = command.stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let seconds = begun.elapsed().max(Duration::from_secs(1)).as_secs();
    Err(format!("{command:?} failed after {seconds} s: {}", said.trim()))
}

/// Makes an authority and a certificate for 127.0.0.1 signed by it. Writes the authority's
/// certificate, and the other with its key.
pub fn authority(ca_file: &Path, chain_file: &Path) {
    let mut params = CertificateParams::new(Vec::new()).expect("parameters");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let ca = CertifiedIssuer::self_signed(params, key).expect("a certificate");
    let params = CertificateParams::new(["127.0.0.1".to_owned()]).expect("parameters");
    let key = KeyPair::generate().expect("a key");
    let leaf = params.signed_by(&key, &ca).expect("a certificate");
    std::fs::write(ca_file, ca.pem()).expect("written");
    std::fs::write(chain_file, leaf.pem() + &key.serialize_pem()).expect("written");
}
