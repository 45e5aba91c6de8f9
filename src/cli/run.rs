//! `katana-bot run`: the daemon, from its first log line to its last.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use hygiene::Redactor;

use super::hangup::Hangups;
use super::remedy::remedy;
use super::{exit, last_exit};
use crate::app::{App, Prepared, ReportSender, Tuning, Waiting};
use crate::blocking;
use crate::config::{Config, Examined, Format, Loaded, Problem};
use crate::lifecycle::{Signal, Signals, Tasks};
use crate::logging::{self, Reporter, Sink};
use crate::model::dsn::Dsn;
use crate::model::failure::chain;
use crate::observe::catalog::JournalEvent;
use crate::store::{Store, StoreError, StoreErrorKind};
use crate::supervise;
use crate::systemd;

/// Runs until a signal, or until a task panics. `file`: the configuration that the command line
/// names, for SIGHUP.
pub(super) fn run(loaded: &Loaded, file: Option<PathBuf>) -> anyhow::Result<ExitCode> {
    let config = &loaded.config;
    let redactor = loaded.redactor();
    let (reporter, sender) = error_reports(config).unzip();
    logging::begin(sink(config), config.log.level.as_str(), redactor.clone(), reporter);
    for warning in &loaded.warnings {
        tracing::warn!(key = warning.key, "{}; {}", warning.message, warning.hint);
    }
    tracing::info!(
        message_id = JournalEvent::Starting.id(),
        version = env!("CARGO_PKG_VERSION"),
        pid = std::process::id(),
        "starting"
    );
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let reporting = Tasks::new();
    if let Some(sender) = sender {
        let _inside = runtime.enter();
        let (drain, halt) = (reporting.drain().clone(), reporting.halt().clone());
        reporting.spawn("reports", sender.run(drain, halt));
    }
    let outcome = runtime.block_on(live(loaded, redactor, file));
    if let Err(e) = &outcome {
        let (error, hint) = (chain(e.as_ref()), remedy(e).1);
        tracing::error!(
            message_id = JournalEvent::CannotRun.id(),
            error,
            hint,
            "cannot run: {error}"
        );
    }
    runtime.block_on(reporting.end(LAST_REPORTS));
    // Blocking work that is stuck (a dead disk) must not hold the exit.
    runtime.shutdown_timeout(Duration::from_secs(1));
    outcome
}

/// Takes errors from the log and sends them, if there is a server for them.
fn error_reports(config: &Config) -> Option<(Reporter, ReportSender)> {
    let dsn = Dsn::parse(config.reports.sentry_dsn.as_ref()?.expose())?;
    let (reporter, waiting) = Reporter::new();
    Some((reporter, ReportSender::new(dsn, &config.bot.environment, waiting)?))
}

/// How long the end of the process waits until the last reports are sent.
const LAST_REPORTS: Duration = Duration::from_secs(1);

/// The configuration cannot be used. What is printed to the journal has no level and no id, so one
/// entry has them. Where standard error has JSON, this says it all.
pub(super) fn refused(examined: &Examined) {
    let Examined { loaded, problems } = examined;
    let is_json = loaded.config.log.format == Format::Json;
    if !is_json && !logging::is_in_journal() {
        return;
    }
    let sink = if is_json { Sink::Json } else { Sink::JournalAlone };
    logging::begin(sink, "info", Redactor::default(), None);
    if is_json {
        for Problem { key, message, hint } in &problems.0 {
            tracing::error!(key, hint, "problem in the configuration: {key}: {message}; {hint}");
        }
    }
    tracing::error!(
        message_id = JournalEvent::ConfigRefused.id(),
        "the configuration is refused: {}",
        problems.in_one_line()
    );
}

/// What opening the state file may take.
const OPENING: Duration = Duration::from_secs(300);

/// Opening that takes longer is shown to those who probe.
const SOON: Duration = Duration::from_secs(1);

/// Between two attempts to open a state file that another process works on.
const LOOK: Duration = Duration::from_millis(100);

/// By how much the stop timeout is extended while the shutdown continues.
const EXTENSION: Duration = Duration::from_secs(20);

async fn live(
    loaded: &Loaded,
    redactor: Redactor,
    file: Option<PathBuf>,
) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::listen().context("cannot listen for signals")?;
    let tasks = Tasks::new();
    // A large file is checked, and one of an older version migrated.
    systemd::extend(OPENING);
    systemd::status("opening the state file");
    let Some(prepared) = open(loaded, redactor, &mut signals).await? else {
        tasks.drain().cancel();
        return Ok(without_start(loaded, &tasks));
    };
    let hangups = Arc::new(Hangups::new(prepared.reloader(), file));
    tasks.spawn("reload", Arc::clone(&hangups).run(tasks.drain().clone()));
    let starting = prepared.start(tasks.clone());
    tokio::pin!(starting);
    let app = loop {
        tokio::select! {
            app = &mut starting => break app?,
            signal = signals.next() => match signal {
                Signal::Stop if tasks.drain().is_cancelled() => return Ok(second_signal(loaded)),
                // The start ends by itself then, and says in the heartbeat that it was stopped.
                Signal::Stop => tasks.drain().cancel(),
                Signal::Reload => hangups.ask(),
            },
        }
    };
    let Some(mut app) = app else { return Ok(without_start(loaded, &tasks)) };
    watch(&mut app, &mut signals, &tasks, &hangups).await;
    let grace_s = app.reloader().loaded().config.lifecycle.grace_s;
    end(app, &mut signals, &tasks, Duration::from_secs(grace_s)).await
}

/// Opens the state beside the signals: a large file takes a while, and one of someone else for ever. `None`:
/// asked to stop first. What is half done then is as after a crash. While another katana-bot works on the
/// file, it waits for `store.lock_wait_s`. Probes are answered as soon as it takes longer.
async fn open(
    loaded: &Loaded,
    redactor: Redactor,
    signals: &mut Signals,
) -> anyhow::Result<Option<Prepared>> {
    let longest = Duration::from_secs(loaded.config.store.lock_wait_s);
    let begun = Instant::now();
    let (mut waiting, mut is_logged) = (None, false);
    let store = loop {
        let soon = || {
            waiting.get_or_insert_with(|| {
                Waiting::begin(loaded, &redactor, "the state file is being checked or migrated")
            });
        };
        let opened = open_store(loaded, signals, soon).await;
        let in_use = match opened {
            None | Some(None) => return Ok(None),
            Some(Some(Err(e))) if is_in_use(&e) && begun.elapsed() < longest => e,
            Some(Some(opened)) => break opened?,
        };
        if !is_logged {
            is_logged = true;
            let (wait_s, error) = (longest.as_secs(), chain(in_use.as_ref()));
            tracing::info!(wait_s, error, "waiting at most {wait_s} s for the state file: {error}");
            systemd::extend(longest + OPENING);
            systemd::status("waiting for another katana-bot to release the state file");
            let why = "another katana-bot still works on the state file";
            waiting = Some(Waiting::begin(loaded, &redactor, why));
        }
        if unless_stopped(tokio::time::sleep(LOOK), signals).await.is_none() {
            return Ok(None);
        }
    };
    let listener = waiting.as_ref().and_then(Waiting::listener);
    Prepared::with(loaded, redactor, tuning(), store, listener).map(Some)
}

/// One attempt; `on_wait` is called when it takes longer.
async fn open_store(
    loaded: &Loaded,
    signals: &mut Signals,
    on_wait: impl FnOnce(),
) -> Option<Option<anyhow::Result<Store>>> {
    let loaded = loaded.clone();
    let opening = blocking::run(move || Prepared::store(&loaded, &tuning()));
    let opening = unless_stopped(opening, signals);
    tokio::pin!(opening);
    match tokio::time::timeout(SOON, &mut opening).await {
        Ok(opened) => opened,
        Err(_) => {
            on_wait();
            opening.await
        }
    }
}

/// The outcome of `work`; `None` when a signal to stop comes first.
async fn unless_stopped<T>(work: impl Future<Output = T>, signals: &mut Signals) -> Option<T> {
    tokio::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return Some(done),
            signal = signals.next() => if matches!(signal, Signal::Stop) { return None },
        }
    }
}

fn is_in_use(e: &anyhow::Error) -> bool {
    e.downcast_ref::<StoreError>().is_some_and(|e| e.kind() == StoreErrorKind::InUse)
}

/// Reports the state to systemd until it is time to stop.
async fn watch(app: &mut App, signals: &mut Signals, tasks: &Tasks, hangups: &Hangups) {
    let mut ready = false;
    loop {
        tokio::select! {
            () = app.ready(), if !ready => {
                ready = true;
                systemd::ready(&supervise::words(&app.report_hub().report()));
                hangups.told_ready();
                last_exit::clear(&app.reloader().loaded());
                tracing::info!(message_id = JournalEvent::Ready.id(), "ready: Telegram answered the first poll");
            }
            () = tasks.drain().cancelled() => return,
            signal = signals.next() => match signal {
                Signal::Stop => return,
                Signal::Reload => hangups.ask(),
            },
        }
    }
}

async fn end(
    app: App,
    signals: &mut Signals,
    tasks: &Tasks,
    grace: Duration,
) -> anyhow::Result<ExitCode> {
    systemd::stopping("stopping: running answers get their grace period");
    tracing::info!(grace_s = grace.as_secs(), "stopping: no new updates are accepted");
    let loaded = app.reloader().loaded();
    let stop = app.stop(grace);
    tokio::pin!(stop);
    let mut extensions = tokio::time::interval(EXTENSION / 2);
    let gentle = loop {
        tokio::select! {
            gentle = &mut stop => break gentle,
            // The grace may be longer than the unit's `TimeoutStopSec`.
            _ = extensions.tick() => systemd::extend(EXTENSION),
            signal = signals.next() => if signal == Signal::Stop {
                return Ok(second_signal(&loaded));
            },
        }
    };
    if let Some(task) = tasks.failed() {
        tracing::error!(
            message_id = JournalEvent::StoppedByFailure.id(),
            task,
            "stopped because the task \"{task}\" failed; unfinished work is on disk"
        );
        return Ok(failed(&loaded, task));
    }
    if gentle {
        tracing::info!(message_id = JournalEvent::Stopped.id(), "stopped; nothing was lost");
    } else {
        tracing::warn!(
            message_id = JournalEvent::GraceExceeded.id(),
            "stopped after the grace period; unfinished work is on disk, nothing was lost"
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn second_signal(loaded: &Loaded) -> ExitCode {
    tracing::warn!(
        message_id = JournalEvent::StoppedAtOnce.id(),
        "second signal: stopping at once; unfinished work is on disk"
    );
    last_exit::ended(loaded, exit::TEMPFAIL, "a second signal stopped it at once");
    ExitCode::from(exit::TEMPFAIL)
}

/// A task, or the use of memory, has stopped the process.
fn failed(loaded: &Loaded, task: &str) -> ExitCode {
    let reason = match task {
        "memory" => "it used more memory than watch.rss_stop_mb allows".to_owned(),
        _ => format!("its task \"{task}\" failed, which is a mistake in the program"),
    };
    last_exit::ended(loaded, exit::SOFTWARE, &reason);
    ExitCode::from(exit::SOFTWARE)
}

/// The process drained before Telegram had answered.
fn without_start(loaded: &Loaded, tasks: &Tasks) -> ExitCode {
    let Some(task) = tasks.failed() else {
        tracing::info!(
            message_id = JournalEvent::Stopped.id(),
            "stopped before startup was complete; nothing was lost"
        );
        return ExitCode::SUCCESS;
    };
    tracing::error!(
        message_id = JournalEvent::StoppedByFailure.id(),
        task,
        "stopped before startup was complete, because the task \"{task}\" failed"
    );
    failed(loaded, task)
}

fn sink(config: &Config) -> Sink {
    match config.log.format {
        Format::Auto => Sink::Auto,
        Format::Journal => Sink::Journal,
        Format::Text => Sink::Text,
        Format::Json => Sink::Json,
    }
}

/// Tests shorten the reconciler's delay; everything else keeps the default.
fn tuning() -> Tuning {
    let mut tuning = Tuning::default();
    let ms = std::env::var("KATANA_TEST_RECONCILE_AFTER_MS").ok().and_then(|v| v.parse().ok());
    if let Some(ms) = ms {
        tuning.reconcile_after = Duration::from_millis(ms);
    }
    tuning
}
