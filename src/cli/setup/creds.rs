//! systemd-creds(1): what encrypts credentials for this machine, and opens them again.
//!
//! Invariant: a secret goes in by standard input, never by an argument.

use std::io;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::cli::stop::Stop;
use crate::cli::{exit, style};
use crate::config::Secret;

const PROGRAM: &str = "systemd-creds";

/// Longest time for one call of it; a TPM may take seconds.
const LIMIT: Duration = Duration::from_secs(30);

/// Encrypts with the keys of this machine.
pub(super) fn seal(id: &str, secret: &Secret) -> anyhow::Result<Vec<u8>> {
    let hint = "it needs systemd 250 or newer, and root; --plain keeps plain files";
    let stop = |why: String| Stop::new(exit::UNAVAILABLE, why, hint);
    // Not bound to firmware state: an update of it, or of Secure Boot, would make the secrets
    // unreadable.
    let arguments = ["encrypt", "--tpm2-pcrs=", &format!("--name={id}"), "-", "-"];
    let output = run(PROGRAM, &arguments, secret.expose().as_bytes(), LIMIT)
        .map_err(|e| stop(format!("cannot run systemd-creds: {}", e.kind())))?
        .ok_or_else(|| stop("cannot encrypt a credential: systemd-creds timed out".into()))?;
    if output.status.success() && !output.stdout.is_empty() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr).replace(secret.expose(), "***");
    let said = style::visible(said.trim());
    Err(stop(format!("cannot encrypt a credential: systemd-creds says: {said}")).into())
}

/// What is in an encrypted file, where this machine and this user can read it.
pub(super) fn unseal(id: &str, path: &Path) -> Option<Secret> {
    if !path.exists() {
        return None;
    }
    let arguments = ["decrypt", &format!("--name={id}"), path.to_str()?, "-"];
    let output = run(PROGRAM, &arguments, b"", LIMIT).ok()?;
    let output = output.filter(|output| output.status.success())?;
    super::ask::checked(String::from_utf8(output.stdout).ok()?.trim())
}

/// Runs a program with this standard input; `None` when it does not end in time, and is killed.
#[tokio::main(flavor = "current_thread")]
async fn run(
    program: &str,
    arguments: &[&str],
    input: &[u8],
    limit: Duration,
) -> io::Result<Option<Output>> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let stdin = child.stdin.take();
    let ended = async {
        if let Some(mut stdin) = stdin {
            // A program that does not read its input says why on standard error and by its exit
            // status.
            let _ = stdin.write_all(input).await;
        }
        child.wait_with_output().await
    };
    tokio::time::timeout(limit, ended).await.ok().transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_hangs_or_does_not_read_ends_in_words() {
        let limit = Duration::from_millis(200);
        assert!(run("sleep", &["60"], b"secret", limit).expect("it starts").is_none());
        let input = vec![b'x'; 1 << 20];
        let limit = Duration::from_secs(60);
        let output = run("sh", &["-c", "exec 0<&-; echo why >&2; exit 3"], &input, limit);
        let output = output.expect("no broken pipe").expect("it ends");
        assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(3), &b"why\n"[..]));
    }
}
