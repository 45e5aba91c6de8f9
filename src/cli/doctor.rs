//! `katana-bot doctor`: checks everything the bot needs, one line each, with what to do.
//!
//! Invariants: nothing is changed and no secret is shown; every network call has a timeout, and all
//! together finish within a minute. Marks: good, worth a look, must be fixed.

mod check;
mod documents;
mod machine;
mod outside;
mod settings;
mod state;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use hygiene::line::one_line;
use serde_json::json;

use self::check::Check;
use super::sources::{examined, sources};
use super::style::{Mark, Style, say, say_json};
use super::{endpoint, exit, memory};
use crate::config::Examined;

/// Longest line about one thing, in characters; names in it are chosen by others.
const LINE: usize = 1_000;

/// Runs the command.
pub(super) fn doctor(
    file: Option<PathBuf>,
    json: bool,
    ask_provider: bool,
) -> anyhow::Result<ExitCode> {
    let sources = sources(file);
    let examined = examined(&sources);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let checks = runtime.block_on(everything(&examined, &sources, ask_provider));
    // A hanging name lookup must not delay the exit.
    runtime.shutdown_background();
    if json {
        say_json(&as_json(&checks));
    } else {
        say(&page(&checks, Style::of(&std::io::stdout())));
    }
    Ok(ExitCode::from(code(&checks)))
}

async fn everything(
    examined: &Examined,
    sources: &crate::config::Sources,
    ask_provider: bool,
) -> Vec<Check> {
    let Examined { loaded, problems } = examined;
    let mut checks = settings::checks(examined, sources);
    checks.extend(settings::budget(&loaded.config));
    let unit = endpoint::unit(sources.file());
    let store = problems.0.iter().all(|p| p.key != "store.path");
    if store {
        checks.extend(state::checks(&loaded.config.store.path, loaded.config.watch.disk_ratio));
        checks.extend(state::backups(&loaded.config, &unit));
    }
    let (telegram, providers, models, documents, clock, watching, memory, unit, checker) = tokio::join!(
        outside::telegram(loaded, problems, &unit),
        outside::providers(&loaded.config, problems, ask_provider),
        outside::models(&loaded.config, problems),
        documents::servers(&loaded.config, problems, ask_provider),
        outside::clock(&loaded.config.telegram.api_url),
        machine::watching(loaded, &unit),
        memory::warning(&loaded.config, &unit),
        machine::unit(&unit),
        machine::checker(&unit),
    );
    checks
        .extend(memory.map(|p| Check::note("memory", format!("{}: {}", p.key, p.message), p.hint)));
    checks.extend(telegram);
    checks.extend(providers);
    checks.extend(models);
    checks.extend(documents);
    checks.push(clock);
    checks.extend(watching);
    checks.push(unit);
    checks.extend(checker);
    checks
}

fn code(checks: &[Check]) -> u8 {
    let bad: Vec<&Check> = checks.iter().filter(|check| check.mark == Mark::Bad).collect();
    match bad.iter().any(|check| check.is_config) {
        true => exit::CONFIG,
        false if bad.is_empty() => 0,
        false => exit::UNAVAILABLE,
    }
}

fn as_json(checks: &[Check]) -> serde_json::Value {
    let rows: Vec<_> = checks
        .iter()
        .map(|c| json!({"check": c.name, "state": c.mark.word(), "text": c.text, "do": c.advice}))
        .collect();
    json!({"ok": code(checks) == 0, "checks": rows})
}

fn page(checks: &[Check], style: Style) -> String {
    let width = checks.iter().map(|check| check.name.len()).max().unwrap_or(0);
    let mut page = String::new();
    for check in checks {
        let Check { name, mark, text, advice, .. } = check;
        let text = one_line(text, LINE);
        page.push_str(&format!("{} {name:<width$}  {text}\n", style.sign(*mark)));
        for line in advice.iter().map(|line| one_line(line, LINE)) {
            page.push_str(&format!("  {:<width$}  {}\n", "", style.faint(&format!("do: {line}"))));
        }
    }
    let count = |mark| checks.iter().filter(|check| check.mark == mark).count();
    let last = match (count(Mark::Bad), count(Mark::Note)) {
        (0, 0) => "Everything is in order.".to_owned(),
        (0, notes) => format!("It can run; {notes} worth a look."),
        (bad, notes) => format!("{bad} to fix, {notes} worth a look."),
    };
    page.push_str(&format!("\n{last}\n"));
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_code_shows_what_to_fix() {
        let good = Check::good("a", "fine");
        let note = Check::note("b", "odd", "look");
        let bad = Check::bad("c", "gone", "call");
        let wrong = Check::bad("d", "wrong", "write").config();
        for (checks, wanted) in [
            (vec![good.clone(), note], 0),
            (vec![good, bad.clone()], exit::UNAVAILABLE),
            (vec![bad, wrong], exit::CONFIG),
        ] {
            assert_eq!(code(&checks), wanted);
        }
    }
}
