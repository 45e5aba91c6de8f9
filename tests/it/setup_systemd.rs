//! A machine on which systemd runs, as far as `katana-bot setup` can tell.

use std::process::{Command, Stdio};

use crate::backup::at;
use crate::harness::{Stage, skipped};
use crate::process::Output;
use crate::setup::{args, finish};

/// What systemctl(1) does, as far as setup asks: the unit runs with the credentials of the store.
/// While there is `waits`, it waits for its next start; `still` is the moment until that is over.
pub const SYSTEMCTL: &str = r#"
echo "$@" >> "$DIR/orders"
case "$*" in *.socket) exec [ ! -f "$DIR/$1" ] ;; esac
case "$1" in
restart|start)
    if [ -f "$DIR/waits" ]; then
        if [ "$1" = start ]; then exit 0; fi
        mv "$DIR/waits" "$DIR/still"
    fi
    mkdir -p "$DIR/passed"
    for id in telegram-token openai-api-key; do
        cp "$DIR/credstore/katana-bot.$id" "$DIR/passed/$id" 2>/dev/null
    done
    if [ -f "$DIR/pid" ]; then kill "$(cat "$DIR/pid")"; rm -f "$DIR/log"; fi
    CREDENTIALS_DIRECTORY="$DIR/passed" setsid "$BOT" run --config "$DIR/katana-bot.toml" \
        </dev/null >/dev/null 2>"$DIR/log" & echo $! > "$DIR/pid" ;;
show)
    over=false; if [ -f "$DIR/waits" ] || [ -f "$DIR/still" ]; then over=true; fi
    case "$3" in
    *MainPID) cat "$DIR/pid"; exit ;;
    *SubState) if $over; then echo auto-restart; else echo start; fi; exit ;;
    *InvocationID) if $over; then echo one; else echo two; fi; rm -f "$DIR/still"; exit ;;
    esac
    if [ -f "$DIR/refuse" ]; then echo failed
    elif $over; then echo activating
    elif grep -q "ready: Telegram" "$DIR/log"; then echo active; else echo activating; fi ;;
esac
"#;

pub fn pid(stage: &Stage) -> Option<String> {
    Some(std::fs::read_to_string(at(stage, "pid")).ok()?.trim().to_owned())
}

/// Whether [`booted`] works here; says so when it does not.
pub fn can_boot() -> bool {
    let done =
        Command::new("unshare").args(["-m", "mount", "-t", "tmpfs", "none", "/run"]).output();
    let able = done.is_ok_and(|done| done.status.success());
    if !able {
        skipped("cannot make a mount namespace: the tests do not run as root");
    }
    able
}

/// A machine on which systemd runs: /run of its own, by unshare(1).
pub fn booted(stage: &Stage, input: &str, more: &[&str]) -> Output {
    let boot = "mount -t tmpfs none /run && mkdir -p /run/systemd/system && exec \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", boot, "sh", env!("CARGO_BIN_EXE_katana-bot")]);
    command.args(args(stage, more)).env_clear().stdin(Stdio::piped());
    command.envs(stage.settings().iter().map(|(k, v)| (k, v)));
    finish(command, input)
}
