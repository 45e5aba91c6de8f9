//! Other programs of the machine, such as systemctl: asked with a time limit.

use std::process::Stdio;
use std::time::Duration;

/// Longest time for a question to systemd: its bus can hang.
const TOOL: Duration = Duration::from_secs(5);

/// Exists if systemd runs the machine (sd_booted(3)).
pub(in crate::cli) const BOOTED: &str = "/run/systemd/system";

/// Standard output of a program that succeeded in time.
pub(in crate::cli) async fn tool(program: &str, arguments: &[&str]) -> Option<String> {
    within(TOOL, program, arguments).await
}

/// The same with its own timeout: a command takes longer than a query.
pub(in crate::cli) async fn within(
    limit: Duration,
    program: &str,
    arguments: &[&str],
) -> Option<String> {
    let mut command = tokio::process::Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(limit, command.output()).await.ok()?.ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}
